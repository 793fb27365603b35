"""The pictures for trying models, and the objects in them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.files.foreign import read_yaml

_FOLDER = Path(__file__).parents[2] / "data" / "import_pictures"


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture and its objects: a box each, and the names that classes may have for it."""

    rgb: UInt8[np.ndarray, "h w 3"]
    box_xyxy_px: Float32[np.ndarray, "n 4"]
    names: tuple[tuple[str, ...], ...]

    def mirrored(self) -> "Picture":
        """The same picture, mirrored."""
        width_px = self.rgb.shape[1]
        left, top, right, bottom = self.box_xyxy_px.T
        box = np.stack([width_px - right, top, width_px - left, bottom], axis=1)
        rgb = np.ascontiguousarray(self.rgb[:, ::-1])
        return Picture(rgb=rgb, box_xyxy_px=box, names=self.names)


@cache
def load_pictures() -> tuple[Picture, ...]:
    """The package's pictures, each also mirrored: two samples of a model's behaviour."""
    drawn = read_yaml(_FOLDER / "things.yaml")["pictures"]
    pictures = [_load(_FOLDER / name, things) for name, things in drawn.items()]
    return tuple(view for picture in pictures for view in (picture, picture.mirrored()))


def _load(file: Path, things: list[dict[str, list[str]]]) -> Picture:
    pixels = np.fromfile(file, np.uint8)
    bgr = cv2.imdecode(pixels, cv2.IMREAD_COLOR)
    if bgr is None:
        raise OSError(f"{file} is damaged: reinstall robot_vision")
    return Picture(
        rgb=cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False),
        box_xyxy_px=np.array([thing["box_xyxy_px"] for thing in things], np.float32),
        names=tuple(tuple(thing["names"]) for thing in things),
    )
