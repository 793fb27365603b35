"""Training pictures, each decoded once at one size into one file: crops, or label maps."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8

from robot_vision.core.cameras.placement import Placement, place
from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.models.card import Size
from robot_vision.training.data.labels.labelled import IGNORED
from robot_vision.training.data.opening.open_set import set_and_split
from robot_vision.training.data.samples.samples import (
    PAD_VALUE,
    SampleStack,
    open_array,
    padded,
    to_input,
)

# Colour, labels, and the depths that a sample of another task has here.
_PLANES = 8
_LABELS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """A picture in pixels of its file, and its label map if it has one."""

    rgb: UInt8[np.ndarray, "h w 3"]
    labels: UInt8[np.ndarray, "h w"] | None = None


class Picture(ABC):
    """One training picture; `boxes_xyxy_px` and `class_id` are those of its objects."""

    width_px: int
    height_px: int
    boxes_xyxy_px: Float32[np.ndarray, "n 4"]
    class_id: Int64[np.ndarray, " n"]

    @abstractmethod
    def decode(self) -> Decoded:
        """The picture; raises `ConfigError` if a file of the set cannot be read."""

    def shown(self) -> frozenset[int]:
        """The classes in it."""
        return frozenset(self.class_id.tolist())

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever the result of `decode` would."""


class PictureCache:
    """Pictures of a set at one size, kept in one file, a row each."""

    def __init__(
        self, pictures: Sequence[Picture], size: Size, *, source: str, cache_dir: str = ""
    ) -> None:
        self.pictures, self.size = pictures, size
        self._input = ModelInput(
            name="rgb", width_px=size.width_px, height_px=size.height_px, pad_value=PAD_VALUE
        )
        root, _ = set_and_split(source)
        folder = Path(cache_dir) / root.name if cache_dir else root / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"pictures-{size.width_px}x{size.height_px}-{_fingerprint(pictures)}"
        shape = (len(pictures), size.height_px, size.width_px, _PLANES)
        self._planes = open_array(folder / f"{name}.planes", shape)
        self._is_decoded = open_array(folder / f"{name}.decoded", shape[:1])

    def __len__(self) -> int:
        return len(self.pictures)

    def rgb(self, rows: Sequence[int]) -> UInt8[np.ndarray, "n h w 3"]:
        """Colour of some pictures, as the service would feed them."""
        return np.stack([self._row(row)[..., :3] for row in rows])

    def labels(self, row: int) -> UInt8[np.ndarray, "h w"]:
        """The label map of a picture; `IGNORED` where it has none, and outside the picture."""
        return IGNORED - self._row(row)[..., _LABELS]

    def placement(self, picture: Picture) -> Placement:
        """Where a picture lies at the size of the cache."""
        return place(self._input, width_px=picture.width_px, height_px=picture.height_px)

    def stacked(self, device: torch.device) -> SampleStack:
        """All pictures as the augmenter takes them; their `instances` are `IGNORED` − labels, so
        that the area outside a picture, which is 0 there, is ignored."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self._row, range(len(self))))
        boxes = [to_input(p.boxes_xyxy_px, self.placement(p)) for p in self.pictures]
        class_id = padded([p.class_id for p in self.pictures], -1).to(device)
        return SampleStack(
            planes=torch.from_numpy(self._planes).to(device),
            focal_px=torch.zeros(len(self), device=device),
            boxes_xyxy=padded(boxes, 0.0).to(device),
            class_id=class_id,
            color_id=torch.full_like(class_id, -1),
        )

    def _row(self, index: int) -> UInt8[np.ndarray, "h w 8"]:
        if not self._is_decoded[index]:
            self._planes[index] = self._decode(self.pictures[index])
            self._is_decoded[index] = 1
        return np.asarray(self._planes[index])

    def _decode(self, picture: Picture) -> UInt8[np.ndarray, "h w 8"]:
        decoded, placement = picture.decode(), self.placement(picture)
        planes = np.zeros((self.size.height_px, self.size.width_px, _PLANES), np.uint8)
        planes[..., :3] = PAD_VALUE
        shrinks = placement.width_px < placement.view_width_px
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        target = (placement.width_px, placement.height_px)
        window = planes[placement.window]
        window[..., :3] = cv2.resize(decoded.rgb, target, interpolation=way)
        if decoded.labels is not None:
            labels = cv2.resize(decoded.labels, target, interpolation=cv2.INTER_NEAREST)
            window[..., _LABELS] = IGNORED - labels
        return planes


def _fingerprint(pictures: Sequence[Picture]) -> str:
    digest = blake2b(digest_size=8)
    for picture in pictures:
        digest.update(picture.fingerprint().encode())
    return digest.hexdigest()


def file_stamp(file: Path) -> str:
    """Differs for another file, and for a modified one."""
    known = file.stat() if file.is_file() else None
    return f"{file} {known.st_size} {known.st_mtime_ns}" if known else str(file)


def spread(length: int, count: int) -> list[int]:
    """`count` rows (0: all) evenly spread over `length`: sets may be sorted by class."""
    if not 0 < count < length:
        return list(range(length))
    return np.linspace(0, length - 1, count).round().astype(int).tolist()
