"""A folder of pictures with `poses.csv`: a header, then a picture and its tool pose per line.

Columns: file, x_m, y_m, z_m, qx, qy, qz, qw; the pose is base_from_tool. Others are ignored.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.calibration.boards.sight import BoardFinder, BoardSighting
from robot_vision.calibration.views import ToolPose, View
from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.errors import CalibrationError, ForeignFileError
from robot_vision.core.files.foreign import inside, quoted, read_text

POSES_FILE = "poses.csv"
COLUMNS = ("file", "x_m", "y_m", "z_m", "qx", "qy", "qz", "qw")
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
_LEAST_NORM, _MOST_NORM = 0.99, 1.01
_LARGEST_FILE_BYTES = 100 * 2**20


@dataclass(frozen=True, kw_only=True, eq=False)
class Sightings:
    """Pictures in which the board was found, by file name, and why others are left out."""

    found: dict[str, BoardSighting]
    missed: dict[str, str]


def picture_names(folder: Path) -> list[str]:
    """Pictures of a folder, by name. Raises `CalibrationError` if there are none."""
    if not folder.is_dir():
        raise CalibrationError(
            f"{folder} is not a folder; expected one with pictures of the board"
        )
    names = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in PICTURES)
    if not names:
        raise CalibrationError(f"{folder} has no pictures; expected {', '.join(sorted(PICTURES))}")
    return names


def find_board(folder: Path, names: Sequence[str], finder: BoardFinder) -> Sightings:
    """The board in each picture. Raises `CalibrationError` if pictures differ in size."""
    found: dict[str, BoardSighting] = {}
    missed: dict[str, str] = {}
    sizes: dict[tuple[int, int], str] = {}
    for name in names:
        picture = read_picture(folder, name)
        sizes.setdefault((picture.shape[1], picture.shape[0]), name)
        try:
            found[name] = finder.find(picture)
        except CalibrationError as error:
            missed[name] = str(error)
    if len(sizes) > 1:
        words = ", ".join(f"{quoted(name)} {w}×{h}" for (w, h), name in sizes.items())
        raise CalibrationError(f"pictures of {len(sizes)} sizes ({words}); expected one")
    return Sightings(found=found, missed=missed)


def read_picture(folder: Path, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """A picture in BGR, as stored: not rotated by its EXIF. Raises `ForeignFileError`."""
    path = inside(folder, name)
    if not path.is_file():
        raise ForeignFileError(f"{path} is not there; {POSES_FILE} or its folder names it")
    if path.stat().st_size > _LARGEST_FILE_BYTES:
        raise ForeignFileError(f"{path} is longer than {_LARGEST_FILE_BYTES} bytes")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    if picture is None:
        raise ForeignFileError(f"{path} is not a picture that OpenCV reads")
    return picture


def read_tool_poses(folder: Path) -> list[ToolPose]:
    """The lines of `poses.csv`. Raises `CalibrationError` that names line and value."""
    path = folder / POSES_FILE
    lines = csv.DictReader(read_text(path).splitlines())
    lacking = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
    if lacking:
        raise CalibrationError(
            f"{path} has no column {', '.join(lacking)}; expected a first line {','.join(COLUMNS)}"
        )
    poses = [_tool_pose(line, where=f"{path}, line {lines.line_num}") for line in lines]
    names = [pose.name for pose in poses]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CalibrationError(f"{path} names {quoted(twice[0])} twice; expected one pose each")
    return poses


def views_of(poses: Sequence[ToolPose], sightings: Sightings) -> list[View]:
    """The pictures in which the board was found, in the order of the poses."""
    return [
        View(
            name=pose.name,
            base_from_tool=pose.base_from_tool,
            sight=sightings.found[pose.name],
        )
        for pose in poses
        if pose.name in sightings.found
    ]


def write_tool_pose(folder: Path, name: str, numbers: Sequence[float]) -> None:
    """Add a line (x, y, z in metres, then the quaternion x y z w) to `poses.csv`."""
    path = folder / POSES_FILE
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(COLUMNS)
        writer.writerow([name, *(f"{number:.9g}" for number in numbers)])


def _tool_pose(line: dict[str, str | None], *, where: str) -> ToolPose:
    texts = [line[name] or "" for name in COLUMNS]
    try:
        numbers = np.array([float(text) for text in texts[1:]])
    except ValueError:
        raise CalibrationError(
            f"{where}: {quoted(','.join(texts[1:]))}; expected seven numbers"
        ) from None
    norm = float(np.linalg.norm(numbers[3:]))
    if not np.isfinite(numbers).all() or not _LEAST_NORM < norm < _MOST_NORM:
        raise CalibrationError(
            f"{where}: a quaternion of length {norm:.4g} beside a place of "
            f"{numbers[:3].tolist()} m; expected finite numbers and a length of 1 (x y z w)"
        )
    return ToolPose(
        name=texts[0], base_from_tool=transform_from_quaternion(numbers[:3], numbers[3:])
    )
