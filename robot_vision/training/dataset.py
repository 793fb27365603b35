"""Training samples: decoded once into a cache at the training size, then augmented and stacked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8, UInt16
from torch import Tensor
from torch.utils.data import Dataset

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifest import ModelInput
from robot_vision.perception.preprocess import Placement, place
from robot_vision.training.coco_set import Annotated, CocoSet, instance_map

PAD_VALUE = 114
MILLIMETRES_PER_METRE = 1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One training image. `instances` holds 1 + the row of the object seen, 0 for none.

    Depths are in millimetres, 0 where unknown.
    """

    image_id: int
    rgb: UInt8[np.ndarray, "h w 3"]
    depth_mm: UInt16[np.ndarray, "h w"]
    depth_true_mm: UInt16[np.ndarray, "h w"]
    instances: UInt8[np.ndarray, "h w"]
    box_xyxy_px: Float32[np.ndarray, "n 4"]
    class_id: Int64[np.ndarray, " n"]
    color_id: Int64[np.ndarray, " n"]
    instance_id: Int64[np.ndarray, " n"]
    crowd_xyxy_px: Float32[np.ndarray, "m 4"]
    crowd_class_id: Int64[np.ndarray, " m"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Samples stacked; objects are padded with class −1 to the most there are in one.

    `depth_true_m` and `instances` are sampled at a quarter of the size, where they are learnt.
    """

    image_id: list[int]
    rgb: Tensor
    depth_m: Tensor
    depth_true_m: Tensor
    instances: Tensor
    boxes_xyxy: Tensor
    class_id: Tensor
    color_id: Tensor
    instance_id: Tensor

    def to(self, device: torch.device) -> "Batch":
        moved = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return Batch(image_id=self.image_id, **moved)


@runtime_checkable
class Augment(Protocol):
    """Changes a sample at random, to the size asked for."""

    def __call__(
        self, sample: Sample, *, rng: np.random.Generator, width_px: int, height_px: int
    ) -> Sample: ...


class SampleCache:
    """Decodes a set's images at one size and keeps them as one file each."""

    def __init__(self, source: CocoSet, *, width_px: int, height_px: int, folder: Path) -> None:
        self.source = source
        self.width_px, self.height_px = width_px, height_px
        self._input = ModelInput(
            name="rgb",
            width_px=width_px,
            height_px=height_px,
            pad_value=PAD_VALUE,
            depth_name="",
            size_name="",
        )
        self._folder = folder / f"{width_px}x{height_px}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._color_ids = {name: row for row, name in enumerate(source.color_names)}

    def __len__(self) -> int:
        return len(self.source.images)

    def __getitem__(self, index: int) -> Sample:
        annotated = self.source.images[index]
        planes = self._planes(annotated)
        placement = self.placement(annotated)
        return Sample(
            image_id=annotated.image_id,
            rgb=planes[..., :3],
            instances=planes[..., 3],
            depth_mm=np.ascontiguousarray(planes[..., 4:6]).view(np.uint16)[..., 0],
            depth_true_mm=np.ascontiguousarray(planes[..., 6:8]).view(np.uint16)[..., 0],
            box_xyxy_px=to_input(annotated.box_xyxy_px, placement),
            crowd_xyxy_px=to_input(annotated.crowd_xyxy_px, placement),
            crowd_class_id=annotated.crowd_class_id,
            class_id=annotated.class_id,
            color_id=np.array([self._color_ids.get(c, -1) for c in annotated.color], np.int64),
            instance_id=np.arange(1, len(annotated.class_id) + 1),
        )

    def _planes(self, annotated: Annotated) -> UInt8[np.ndarray, "h w 8"]:
        file = self._folder / f"{annotated.image_id:08d}.npy"
        if file.exists():
            return np.load(file)
        planes = self._decode(annotated)
        partial = file.with_suffix(f".{id(planes)}.tmp")
        with partial.open("wb") as stream:
            np.save(stream, planes)
        partial.replace(file)
        return planes

    def _decode(self, annotated: Annotated) -> UInt8[np.ndarray, "h w 8"]:
        rgb = _read(annotated.rgb_file, cv2.IMREAD_COLOR_RGB)
        planes = np.zeros((self.height_px, self.width_px, 8), np.uint8)
        planes[..., :3] = self._fit(rgb, cv2.INTER_AREA, PAD_VALUE)
        planes[..., 3] = self._fit(instance_map(annotated), cv2.INTER_NEAREST, 0)
        for start, file in ((4, annotated.depth_file), (6, annotated.depth_true_file)):
            if file is not None:
                depth_mm = _read(file, cv2.IMREAD_UNCHANGED).astype(np.uint16)
                fitted = self._fit(depth_mm, cv2.INTER_NEAREST, 0)
                planes[..., start : start + 2] = fitted[..., None].view(np.uint8)
        return planes

    def _fit(self, image: np.ndarray, interpolation: int, fill: int) -> np.ndarray:
        canvas = np.full((self.height_px, self.width_px, *image.shape[2:]), fill, image.dtype)
        placement = self._place(width_px=image.shape[1], height_px=image.shape[0])
        size = (placement.width_px, placement.height_px)
        canvas[placement.window] = cv2.resize(image, size, interpolation=interpolation)
        return canvas

    def placement(self, annotated: Annotated) -> Placement:
        """Where the image lies in the sample: as the service places it."""
        return self._place(width_px=annotated.width_px, height_px=annotated.height_px)

    def _place(self, *, width_px: int, height_px: int) -> Placement:
        return place(self._input, width_px=width_px, height_px=height_px)


class SampleStream(Dataset[Sample]):
    """The cache, augmented: item (number, width, height) is the `number`-th sample of the run.

    The order is a fresh permutation per pass and depends on the seed and the number only, so that
    a resumed run goes on with the samples that an uninterrupted one would have had.
    """

    def __init__(self, cache: SampleCache, *, augment: Augment, seed: int) -> None:
        self._cache, self._augment, self._seed = cache, augment, seed

    def __getitem__(self, item: tuple[int, int, int]) -> Sample:
        number, width_px, height_px = item
        passes, position = divmod(number, len(self._cache))
        order = np.random.default_rng((self._seed, passes)).permutation(len(self._cache))
        rng = np.random.default_rng((self._seed, number, 1))
        sample = self._cache[int(order[position])]
        return self._augment(sample, rng=rng, width_px=width_px, height_px=height_px)


def to_input(
    box_xyxy_px: Float32[np.ndarray, "n 4"], placement: Placement
) -> Float32[np.ndarray, "n 4"]:
    """Boxes in pixels of an image, in pixels of the input in which it is placed."""
    scale = (
        placement.width_px / placement.view_width_px,
        placement.height_px / placement.view_height_px,
    )
    offset = (placement.left_px, placement.top_px)
    return box_xyxy_px * np.array(scale * 2, np.float32) + np.array(offset * 2, np.float32)


def collate(samples: list[Sample]) -> Batch:
    """Stack samples of one size."""
    most = max(1, *(len(s.class_id) for s in samples)) if samples else 1

    def padded(rows: list[np.ndarray], fill: float) -> Tensor:
        shape = (len(rows), most, *rows[0].shape[1:])
        out = np.full(shape, fill, rows[0].dtype)
        for index, row in enumerate(rows):
            out[index, : len(row)] = row
        return torch.from_numpy(out)

    depth_mm = np.stack([s.depth_mm for s in samples])[:, None]
    true_mm = np.stack([s.depth_true_mm[2::4, 2::4] for s in samples])[:, None]
    return Batch(
        image_id=[s.image_id for s in samples],
        rgb=torch.from_numpy(np.stack([s.rgb for s in samples])),
        depth_m=torch.from_numpy(depth_mm.astype(np.float32) / np.float32(MILLIMETRES_PER_METRE)),
        depth_true_m=torch.from_numpy(
            true_mm.astype(np.float32) / np.float32(MILLIMETRES_PER_METRE)
        ),
        instances=torch.from_numpy(np.stack([s.instances[2::4, 2::4] for s in samples])),
        boxes_xyxy=padded([s.box_xyxy_px for s in samples], 0.0),
        class_id=padded([s.class_id for s in samples], -1),
        color_id=padded([s.color_id for s in samples], -1),
        instance_id=padded([s.instance_id for s in samples], 0),
    )


def _read(file: Path, flag: int) -> np.ndarray:
    image = cv2.imread(str(file), flag)
    if image is None:
        raise ConfigError(f"cannot read the image {file} that the annotations name")
    return image
