"""Folders of images as people have them: a lost file never shifts its neighbours."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from replay_scenes import picture
from test_image_sources import open_media

from robot_vision.core.types import Frame
from robot_vision.replay.reading.frames import decode


def write(file: Path, index: int, *, is_depth: bool = False, factor: int = 1) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rgb, depth_mm = picture(index)
    cv2.imwrite(str(file), depth_mm * factor if is_depth else rgb[..., ::-1])


def frames_of(path: Path) -> list[Frame]:
    source = open_media(path)
    frames = [decode(raw, source.health.problems) for raw in source.raw_frames()]
    return [frame for frame in frames if frame is not None]


def check(frame: Frame, index: int, *, depth: bool = True) -> None:
    np.testing.assert_array_equal(frame.rgb, picture(index)[0])
    assert (frame.depth_m is not None) == depth
    if frame.depth_m is not None:
        np.testing.assert_allclose(frame.depth_m, picture(index)[1] / 1000, atol=1e-4)


def test_two_comes_before_ten(tmp_path: Path) -> None:
    for index in range(12):
        write(tmp_path / "set" / f"{index + 1}.png", index)
    for index, frame in enumerate(frames_of(tmp_path / "set")):
        check(frame, index, depth=False)


@pytest.mark.parametrize("layout", ["lists", "names", "associations"])
def test_stamps_pair_and_a_lost_file_shifts_nothing(layout: str, tmp_path: Path) -> None:
    factor = 1 if layout == "names" else 5
    lists: dict[str, list[str]] = {"rgb": [], "depth": []}
    for index in range(8):
        names = {"rgb": f"rgb/1305031.{index}00.png", "depth": f"depth/1305031.{index}05.png"}
        for kind, name in names.items():
            lists[kind].append(f"{Path(name).stem} {name}")
            if (kind, index) != ("depth", 3):
                write(tmp_path / name, index, is_depth=kind == "depth", factor=factor)
    if layout == "lists":
        for kind, lines in lists.items():
            (tmp_path / f"{kind}.txt").write_text("# stamp file\n" + "\n".join(lines))
    elif layout == "associations":
        both = [f"{d} {r}" for r, d in zip(lists["rgb"], lists["depth"], strict=True)]
        (tmp_path / "associations.txt").write_text("\n".join(both))
    frames = frames_of(tmp_path)
    assert [f.stamp_ns for f in frames] == [1305031_000000000 + i * 10**8 for i in range(8)]
    for index, frame in enumerate(frames):
        check(frame, index, depth=index != 3)


def test_realsense_names_in_one_folder_with_intrinsics(tmp_path: Path) -> None:
    for index in range(4):
        write(tmp_path / f"{index:06d}-color.png", index)
        if index != 1:
            write(tmp_path / f"{index:06d}-depth.png", index, is_depth=True)
    (tmp_path / "camera_params.json").write_text(
        '{"img_width": 320, "img_height": 240, "fx": 300, "fy": 301, "x_offset": 160,'
        ' "y_offset": 120}'
    )
    frames = frames_of(tmp_path)
    assert len(frames) == 4
    for index, frame in enumerate(frames):
        check(frame, index, depth=index != 1)
        assert frame.camera is not None
        assert (frame.camera.fy_px, frame.camera.cx_px) == (301, 160)


def test_the_real_tabletop(shared_data: Path) -> None:
    frames = frames_of(shared_data / "rgbd" / "tabletop")
    assert len(frames) == 2
    assert all(f.depth_m is not None and f.camera is not None for f in frames)


def test_a_list_does_not_name_files_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "secret.png", 0)
    write(tmp_path / "set" / "rgb" / "0.0.png", 0)
    (tmp_path / "set" / "rgb.txt").write_text("0.0 ../secret.png")
    with pytest.raises(ValueError, match="not a file below"):
        open_media(tmp_path / "set")
