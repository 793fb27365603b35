"""Maps of a frozen encoder, computed once for each picture and kept in half precision."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from robot_vision.core.files.disk import writing_to
from robot_vision.core.manifests.identity import identity_of
from robot_vision.terminal import say_progress
from robot_vision.training.demonstrations.demonstrations import Demonstrations
from robot_vision.training.demonstrations.row_files import put_rows

Encode = Callable[[str, UInt8[Tensor, "b h w 3"]], tuple[Float[Tensor, "b _c _h _w"], ...]]
Maps = dict[str, tuple[np.ndarray, ...]]


def feature_maps(
    source: Demonstrations,
    encode: Encode,
    *,
    identity: str,
    cache_dir: str | Path,
    batch_size: int = 16,
) -> Maps:
    """By camera, a memory-mapped f16 [R,c,h,w] for each map returned by `encode(camera, rgb)`.

    `rgb` is u8 [b,h,w,3]. `identity` identifies the encoder's weights and options: another one
    has other files. A killed run resumes where it stopped. Raises `DiskFullError`.
    """
    return {
        name: _maps_of(name, pictures, encode, identity, Path(cache_dir), batch_size)
        for name, pictures in source.pictures.items()
    }


def _maps_of(
    name: str,
    pictures: np.ndarray,
    encode: Encode,
    identity: str,
    cache_dir: Path,
    batch_size: int,
) -> tuple[np.ndarray, ...]:
    file = getattr(pictures, "filename", None)
    if file is None:
        return _in_memory(name, pictures, encode, batch_size)
    stem = identity_of({"pictures": str(file), "rows": len(pictures), "encoder": identity})[:24]
    folder = cache_dir / f"maps-{name}-{stem}"
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        progress = folder / "rows"
        first = int(progress.read_text()) if progress.exists() else 0
        while first < len(pictures):
            found = _encoded(name, pictures[first : first + batch_size], encode)
            for level, values in enumerate(found):
                shape = (len(pictures), *values.shape[1:])
                put_rows(folder / f"{level}.npy", shape, first, values)
            before, first = first, min(first + batch_size, len(pictures))
            progress.write_text(str(first))
            say_progress(f"encoded pictures of camera {name}", before, first, len(pictures))
    files = sorted(folder.glob("*.npy"), key=lambda path: int(path.stem))
    return tuple(np.load(path, mmap_mode="r") for path in files)


def _in_memory(
    name: str, pictures: np.ndarray, encode: Encode, batch_size: int
) -> tuple[np.ndarray, ...]:
    parts = [
        _encoded(name, pictures[first : first + batch_size], encode)
        for first in range(0, len(pictures), batch_size)
    ]
    return tuple(np.concatenate(level) for level in zip(*parts, strict=True))


def _encoded(name: str, pictures: np.ndarray, encode: Encode) -> list[np.ndarray]:
    with torch.inference_mode():
        found = encode(name, torch.from_numpy(np.array(pictures)))
    return [level.float().cpu().numpy().astype(np.float16) for level in found]
