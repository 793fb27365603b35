"""Maps of a frozen encoder, computed once for a set and kept in a file.

A frozen encoder need not run at every step. Each picture is seen whole, and
also in random views: with a single view, a head would memorise the pictures.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor, nn

from robot_vision.core.files.disk import writing_to
from robot_vision.terminal import say_progress
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.batches import Resolution, Shuffled, seed_step, share_of
from robot_vision.training.data.samples.samples import Batch, SampleCache

_PICTURES_AT_ONCE = 16
_WHOLE = Augmentation(
    flip=0, scale_min=1, scale_max=1, shift=0, color=0, depth_withheld=0, depth_holes=0
)

# From pictures to the map that is kept.
Encode = Callable[[UInt8[Tensor, "b h w 3"]], Float[Tensor, "b c hm wm"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureBatch:
    """Maps of views, and their objects; boxes are in pixels of the view."""

    maps: Float32[Tensor, "b c hm wm"]
    boxes_xyxy: Float32[Tensor, "b m 4"]
    class_id: Int64[Tensor, "b m"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Views:
    """The views of each picture: the whole one, and others drawn by a recipe."""

    count: int
    size: Resolution
    augmentation: Augmentation
    seed: int


class FeatureCache:
    """An encoder's maps of the views of a set's pictures, at map `level`.

    Computed unless a file has it; each encoder, level, set and choice of views has its own file.
    """

    def __init__(
        self,
        samples: SampleCache,
        views: Views,
        *,
        encoder: nn.Module,
        level: int,
        encode: Encode,
        device: torch.device,
    ) -> None:
        self._device = device
        self._views = views
        described = repr(
            (samples.name, level, views.count, views.size, views.augmentation, views.seed)
        )
        stem = samples.folder / f"features-{_fingerprint(encoder, described)}"
        maps, labels = stem.with_suffix(".npy"), stem.with_suffix(".labels.npz")
        if not labels.exists():  # written last
            _write(maps, labels, samples, views, encode, device)
        self._maps = np.load(maps, mmap_mode="r")
        with np.load(labels) as read:
            self._boxes = torch.from_numpy(read["boxes_xyxy"])
            self._class_id = torch.from_numpy(read["class_id"])
        self._order = Shuffled(len(self._maps), seed=views.seed)

    def __len__(self) -> int:
        return len(self._maps)

    def batch(self, step: int, *, batch_size: int) -> FeatureBatch:
        """This process's share of a step of `batch_size` views of all processes together.

        Seeds torch as a `BatchStream` does, so later draws are the same with or without the cache.
        """
        seed_step(self._views.seed, step)
        rows = [self._order.row(number) for number in share_of(step, batch_size)]
        maps = torch.from_numpy(self._maps[rows].astype(np.float32))
        return FeatureBatch(
            maps=maps.to(self._device),
            boxes_xyxy=self._boxes[rows].to(self._device),
            class_id=self._class_id[rows].to(self._device),
        )


def _write(
    maps: Path,
    labels: Path,
    samples: SampleCache,
    views: Views,
    encode: Encode,
    device: torch.device,
) -> None:
    """Half precision: a file half as large, still far finer than a head needs."""
    partial = maps.with_suffix(f".{os.getpid()}.npy")
    boxes, class_id, file = list[Tensor](), list[Tensor](), None
    total = views.count * len(samples)
    with writing_to(maps):
        for batch in _seen(samples, views, device):
            found = encode(batch.rgb).cpu().numpy().astype(np.float16)
            if file is None:
                shape = (total, *found.shape[1:])
                file = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
            first = sum(map(len, boxes))
            file[first : first + len(found)] = found
            say_progress("encoded views of pictures", first, first + len(found), total)
            boxes.append(batch.boxes_xyxy.cpu())
            class_id.append(batch.class_id.cpu())
        assert file is not None
        file.flush()
        partial.replace(maps)
        with labels.open("wb") as stream:
            np.savez(stream, boxes_xyxy=torch.cat(boxes), class_id=torch.cat(class_id))


def _seen(samples: SampleCache, views: Views, device: torch.device) -> Iterator[Batch]:
    """All views, picture by picture, in order of the set; a round for each view."""
    stack, names = samples.stacked(device), samples.source.class_names
    for view in range(views.count):
        augment = Augmenter(views.augmentation if view else _WHOLE, names)
        for first in range(0, len(samples), _PICTURES_AT_ONCE):
            torch.manual_seed(views.seed * 10_000_000 + view * len(samples) + first)
            rows = torch.arange(first, min(first + _PICTURES_AT_ONCE, len(samples)))
            size = views.size
            yield augment(stack, rows, width_px=size.width_px, height_px=size.height_px)


def _fingerprint(encoder: nn.Module, described: str) -> str:
    digest = blake2b(described.encode(), digest_size=8)
    for name, tensor in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
