"""Training samples: decoded once into a cache at the training size, read one by one or stacked."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, Shaped, UInt8, UInt16
from torch import Tensor

from robot_vision.codecs.bounded import read_image
from robot_vision.core.cameras.placement import Placement, place
from robot_vision.core.errors import ConfigError, EncodingError
from robot_vision.core.files.disk import writing_to
from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.training.data.labels.labelled import Annotated, DetectionSet
from robot_vision.training.data.labels.masks import instance_map
from robot_vision.training.data.samples.image_files import read_depth

PAD_VALUE = 114
MILLIMETRES_PER_METRE = 1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One training image. `instances` holds 1 + the row of the object visible, 0 for none.

    Depths are in millimetres, 0 where unknown; so is the focal length, in pixels of the sample.
    """

    image_id: int
    focal_px: float
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
    """Samples stacked; objects are padded with class −1 to the largest number in one.

    `depth_true_m` and `instances` are sampled at a quarter of the size, where they are learnt.
    `hue_turned` marks samples whose colours are no longer what they are called.
    """

    rgb: UInt8[Tensor, "b h w 3"]
    hue_turned: Bool[Tensor, " b"]
    depth_m: Float32[Tensor, "b 1 h w"]
    focal_px: Float32[Tensor, "b 1"]
    depth_true_m: Float32[Tensor, "b 1 hm wm"]
    instances: UInt8[Tensor, "b hm wm"]
    boxes_xyxy: Float32[Tensor, "b m 4"]
    class_id: Int64[Tensor, "b m"]
    color_id: Int64[Tensor, "b m"]
    instance_id: Int64[Tensor, "b m"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleStack:
    """All samples of a set on one device; objects are padded with class −1.

    `planes` are colour, instances, sensor depth and true depth in millimetres (low byte first).
    """

    planes: UInt8[Tensor, "samples h w 8"]
    focal_px: Float32[Tensor, " samples"]
    boxes_xyxy: Float32[Tensor, "samples m 4"]
    class_id: Int64[Tensor, "samples m"]
    color_id: Int64[Tensor, "samples m"]

    def __len__(self) -> int:
        return len(self.planes)


class SampleCache:
    """Decodes a set's images at one size and keeps them in one file, a row each."""

    def __init__(
        self, source: DetectionSet, *, width_px: int, height_px: int, folder: Path
    ) -> None:
        self.source = source
        self.width_px, self.height_px = width_px, height_px
        self._input = ModelInput(
            name="rgb",
            width_px=width_px,
            height_px=height_px,
            pad_value=PAD_VALUE,
            depth_name="",
            focal_name="",
            size_name="",
        )
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{width_px}x{height_px}-{len(source.images)}-{_fingerprint(source)}"
        self.folder, self.name = folder, name
        shape = (len(source.images), height_px, width_px, 8)
        self._planes = open_array(folder / f"{name}.planes", shape)
        self._is_decoded = open_array(folder / f"{name}.decoded", shape[:1])
        self._color_ids = {name: row for row, name in enumerate(source.color_names)}

    def __len__(self) -> int:
        return len(self.source.images)

    def __getitem__(self, index: int) -> Sample:
        annotated = self.source.images[index]
        planes = self._row(index)
        placement = self.placement(annotated)
        return Sample(
            image_id=annotated.image_id,
            focal_px=self._focal_px(annotated),
            rgb=planes[..., :3],
            instances=planes[..., 3],
            depth_mm=np.ascontiguousarray(planes[..., 4:6]).view(np.uint16)[..., 0],
            depth_true_mm=np.ascontiguousarray(planes[..., 6:8]).view(np.uint16)[..., 0],
            box_xyxy_px=to_input(annotated.box_xyxy_px, placement),
            crowd_xyxy_px=to_input(annotated.crowd_xyxy_px, placement),
            crowd_class_id=annotated.crowd_class_id,
            class_id=annotated.class_id,
            color_id=self._colors_of(annotated),
            instance_id=np.arange(1, len(annotated.class_id) + 1),
        )

    def stacked(self, device: torch.device) -> SampleStack:
        """All samples; on the CPU the planes stay in their file and are read when used."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self._row, range(len(self))))
        images = self.source.images
        boxes = [to_input(image.box_xyxy_px, self.placement(image)) for image in images]
        focal_px = [self._focal_px(image) for image in images]
        return SampleStack(
            planes=torch.from_numpy(self._planes).to(device),
            focal_px=torch.tensor(focal_px, dtype=torch.float32, device=device),
            boxes_xyxy=padded(boxes, 0.0).to(device),
            class_id=padded([image.class_id for image in images], -1).to(device),
            color_id=padded([self._colors_of(image) for image in images], -1).to(device),
        )

    def _focal_px(self, annotated: Annotated) -> float:
        placement = self.placement(annotated)
        return annotated.focal_px * placement.width_px / placement.view_width_px

    def _colors_of(self, annotated: Annotated) -> Int64[np.ndarray, " n"]:
        return np.array([self._color_ids.get(c, -1) for c in annotated.color], np.int64)

    def _row(self, index: int) -> UInt8[np.ndarray, "h w 8"]:
        if not self._is_decoded[index]:
            self._planes[index] = self._decode(self.source.images[index])
            self._is_decoded[index] = 1
        return np.asarray(self._planes[index])

    def _decode(self, annotated: Annotated) -> UInt8[np.ndarray, "h w 8"]:
        rgb = read_named(annotated.rgb_file, lambda f: read_image(f, cv2.IMREAD_COLOR_RGB))
        planes = np.zeros((self.height_px, self.width_px, 8), np.uint8)
        planes[..., :3] = self._fit(rgb, cv2.INTER_AREA, PAD_VALUE)
        try:
            planes[..., 3] = self._fit(instance_map(annotated), cv2.INTER_NEAREST, 0)
        except ConfigError as error:
            raise ConfigError(f"the labels of {annotated.rgb_file}: {error}") from error
        for start, file in ((4, annotated.depth_file), (6, annotated.depth_true_file)):
            if file is not None:
                depth_mm = read_named(file, read_depth)
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


def to_input(
    box_xyxy_px: Float32[np.ndarray, "n 4"], placement: Placement
) -> Float32[np.ndarray, "n 4"]:
    """Converts boxes from pixels of an image to pixels of the input that it is placed in."""
    scale = (
        placement.width_px / placement.view_width_px,
        placement.height_px / placement.view_height_px,
    )
    offset = (placement.left_px, placement.top_px)
    return box_xyxy_px * np.array(scale * 2, np.float32) + np.array(offset * 2, np.float32)


def collate(samples: list[Sample]) -> Batch:
    """Stack samples of one size."""
    depth_mm = np.stack([s.depth_mm for s in samples])[:, None]
    true_mm = np.stack([s.depth_true_mm[2::4, 2::4] for s in samples])[:, None]
    return Batch(
        rgb=torch.from_numpy(np.stack([s.rgb for s in samples])),
        hue_turned=torch.zeros(len(samples), dtype=torch.bool),
        depth_m=torch.from_numpy(depth_mm.astype(np.float32) / np.float32(MILLIMETRES_PER_METRE)),
        focal_px=torch.tensor([[s.focal_px] for s in samples], dtype=torch.float32),
        depth_true_m=torch.from_numpy(
            true_mm.astype(np.float32) / np.float32(MILLIMETRES_PER_METRE)
        ),
        instances=torch.from_numpy(np.stack([s.instances[2::4, 2::4] for s in samples])),
        boxes_xyxy=padded([s.box_xyxy_px for s in samples], 0.0),
        class_id=padded([s.class_id for s in samples], -1),
        color_id=padded([s.color_id for s in samples], -1),
        instance_id=padded([s.instance_id for s in samples], 0),
    )


def padded(
    rows: list[Shaped[np.ndarray, " _n *rest"]], fill: float
) -> Shaped[Tensor, "samples m *rest"]:
    """Rows of different lengths as one tensor of at least one column."""
    most = max(1, *(len(row) for row in rows))
    out = np.full((len(rows), most, *rows[0].shape[1:]), fill, rows[0].dtype)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return torch.from_numpy(out)


def _fingerprint(source: DetectionSet) -> str:
    """Differs for other files, modified files and other masks: parts of one set share a cache,
    and images decoded before a set was repaired must not be used after."""
    digest = blake2b(digest_size=6)
    for image in source.images:
        for file in (image.rgb_file, image.depth_file, image.depth_true_file):
            known = file.stat() if file is not None and file.is_file() else None
            stamp = (known.st_size, known.st_mtime_ns) if known else None
            digest.update(repr((str(file), stamp)).encode())
        digest.update(repr(image.segmentation).encode())
    return digest.hexdigest()


def open_array(file: Path, shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
    """Bytes of a file as an array, zero where nothing was written; processes may share it.

    Raises `DiskFullError` if the disk has no room for it: a page without room when it is
    written kills the process without a message.
    """
    with writing_to(file), file.open("ab") as stream:
        stream.truncate(int(np.prod(shape)))
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, int(np.prod(shape)))
    return np.memmap(file, np.uint8, "r+", shape=shape)


def read_named(
    file: Path, read: Callable[[Path], Shaped[np.ndarray, "h w *c"]]
) -> Shaped[np.ndarray, "h w *c"]:
    """The result of `read` for a file of the set; raises `ConfigError` if it fails."""
    try:
        return read(file)
    except EncodingError as error:
        raise ConfigError(f"cannot read {file}, which the labels refer to: {error}") from error
