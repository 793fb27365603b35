"""The pictures that models are tried with, and what is to be seen in them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.foreign import read_yaml

_FOLDER = Path(__file__).parents[1] / "data" / "import_pictures"


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture and the things drawn in it: a box, and the names that classes have for it."""

    rgb: UInt8[np.ndarray, "h w 3"]
    box_xyxy_px: Float32[np.ndarray, "n 4"]
    names: tuple[tuple[str, ...], ...]

    def mirrored(self) -> "Picture":
        """The same things the other way round."""
        width_px = self.rgb.shape[1]
        left, top, right, bottom = self.box_xyxy_px.T
        box = np.stack([width_px - right, top, width_px - left, bottom], axis=1)
        rgb = np.ascontiguousarray(self.rgb[:, ::-1])
        return Picture(rgb=rgb, box_xyxy_px=box, names=self.names)


@cache
def load_pictures() -> tuple[Picture, ...]:
    """The pictures of the package, each also mirrored: two samples of what a model makes of it."""
    drawn = read_yaml(_FOLDER / "things.yaml")["pictures"]
    pictures = [_load(_FOLDER / name, things) for name, things in drawn.items()]
    return tuple(view for picture in pictures for view in (picture, picture.mirrored()))


def _load(file: Path, things: list[dict[str, list[str]]]) -> Picture:
    pixels = np.fromfile(file, np.uint8)
    bgr = cv2.imdecode(pixels, cv2.IMREAD_COLOR)
    if bgr is None:
        raise OSError(f"{file} is damaged: install robot_vision again")
    return Picture(
        rgb=cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False),
        box_xyxy_px=np.array([thing["box_xyxy_px"] for thing in things], np.float32),
        names=tuple(tuple(thing["names"]) for thing in things),
    )
