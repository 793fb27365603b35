"""A moment of all kinds of modalities, as a fusion is shown it, without any encoder."""

import torch
from torch import Tensor

from robot_vision.models.fusion.fusion import FUSIONS, Fused, Fusion, ModalityShape, Seen

WIDTH, BATCH = 16, 3
_PICTURE = {"rows": 2, "columns": 3}
MODALITIES = {
    "front.color": ModalityShape(
        kind="color", steps=2, map_channels=(6, 8), map_strides=(16, 32), **_PICTURE
    ),
    "front.depth": ModalityShape(
        kind="depth", steps=2, map_channels=(4,), map_strides=(4,), **_PICTURE
    ),
    "wrist.color": ModalityShape(
        kind="color", steps=2, map_channels=(6, 8), map_strides=(16, 32), **_PICTURE
    ),
    "state": ModalityShape(kind="state", rows=1, columns=1, steps=2),
    "features": ModalityShape(kind="features", map_channels=(5,), map_strides=(16,), **_PICTURE),
    "tracks": ModalityShape(kind="tracks", rows=1, columns=4),
    "words": ModalityShape(kind="words", rows=1, columns=5),
}


def build(name: str, **options: object) -> Fusion:
    torch.manual_seed(0)
    kind = FUSIONS.get(name)
    return kind(kind.Options(**options), width=WIDTH, modalities=MODALITIES).eval()


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def moment(seed: int = 0, *, absent: tuple[str, ...] = (), seen_alike: int | None = None) -> Seen:
    """Noise of a seed, another one for what is absent: nothing may depend on that one."""
    tokens, present, maps = {}, {}, {}
    for row, (name, shape) in enumerate(MODALITIES.items()):
        own = seed if name in absent or seen_alike is None else seen_alike
        own = 100 * own + 10 * row
        count = shape.rows * shape.columns * shape.steps
        tokens[name] = noise(BATCH, count, WIDTH, seed=own)
        present[name] = torch.full((BATCH, count), name not in absent)
        if shape.map_channels:
            maps[name] = tuple(
                noise(BATCH, shape.steps, channels, *_size(stride), seed=own + 1)
                for channels, stride in zip(shape.map_channels, shape.map_strides, strict=True)
            )
    return Seen(tokens=tokens, present=present, maps=maps)


def _size(stride: int) -> tuple[int, int]:
    return 64 // stride, 96 // stride


def nothing_before(fusion: Fusion) -> dict[str, Tensor]:
    return {name: torch.zeros(BATCH, *shape) for name, shape in fusion.carried_shapes.items()}


def outputs(fused: Fused) -> dict[str, Tensor]:
    """All that a head could see, tokens only where they are present, and what is carried."""
    tokens = torch.where(fused.present.unsqueeze(-1), fused.tokens, 0.0)
    return {"summary": fused.summary, "tokens": tokens, **fused.carried}


def through(fusion: Fusion, moments: list[Seen]) -> Fused:
    """The last of moments that follow each other."""
    carried = nothing_before(fusion)
    for seen in moments:
        fused = fusion(seen, carried)
        carried = dict(fused.carried)
    return fused
