"""Means of probabilities and of depth over members, each within its view of the input."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.ensembles.views import View, back_in_input, coverage

_LEAST_DEPTH_M = 1e-3


class FuseClasses(nn.Module):
    """The weighted mean of the probabilities of whole pictures: [1, C]."""

    def __init__(
        self, members: Sequence[tuple[ModelManifest, View]], weights: Sequence[float]
    ) -> None:
        super().__init__()
        self._members, self._weights = tuple(members), tuple(weights)

    def forward(self, *outputs: Float[Tensor, "1 ..."]) -> Float[Tensor, "1 c"]:
        total = torch.zeros(())
        for (manifest, _), weight, output in zip(
            self._members, self._weights, outputs, strict=True
        ):
            flat = output.reshape(1, -1)
            is_logits = manifest.reading.scores == "logits"
            total = total + weight * (flat.softmax(dim=1) if is_logits else flat)
        return total / sum(self._weights)


class FuseLabels(nn.Module):
    """The weighted mean of the probabilities of each cell: [1, C, h, w]."""

    def __init__(
        self, members: Sequence[tuple[ModelManifest, View]], weights: Sequence[float]
    ) -> None:
        super().__init__()
        self._members, self._weights = tuple(members), tuple(weights)

    def forward(self, *outputs: Float[Tensor, "1 c _hm _wm"]) -> Float[Tensor, "1 c hm wm"]:
        size = outputs[0].shape[2:]
        total = seen = torch.zeros(())
        for (manifest, view), weight, output in zip(
            self._members, self._weights, outputs, strict=True
        ):
            share = output
            if manifest.reading.scores == "logits":
                share = output.softmax(dim=1) if output.shape[1] > 1 else output.sigmoid()
            placed = _of_size(back_in_input(share, view), size)
            cells = coverage(view, int(size[0]), int(size[1]))
            total = total + weight * placed * cells
            seen = seen + weight * cells
        return total / seen.clamp(min=1e-9)


class FuseDepth(nn.Module):
    """The weighted mean of log depth, in metres [1, 1, h, w].

    A magnifying view makes objects look nearer, unless the model gets the focal length.
    """

    def __init__(
        self, members: Sequence[tuple[ModelManifest, View]], weights: Sequence[float]
    ) -> None:
        super().__init__()
        self._members, self._weights = tuple(members), tuple(weights)

    def forward(self, *outputs: Float[Tensor, "1 ..."]) -> Float[Tensor, "1 1 hm wm"]:
        maps = [output if output.ndim == 4 else output[:, None] for output in outputs]
        size = maps[0].shape[2:]
        total = seen = torch.zeros(())
        for (manifest, view), weight, depth in zip(
            self._members, self._weights, maps, strict=True
        ):
            knows_lens = bool(manifest.input.focal_name)
            far = depth if knows_lens else depth / view.side
            log = far.clamp(min=_LEAST_DEPTH_M).log()
            cells = coverage(view, int(size[0]), int(size[1]))
            total = total + weight * _of_size(back_in_input(log, view), size) * cells
            seen = seen + weight * cells
        return (total / seen.clamp(min=1e-9)).exp()


def _of_size(
    maps: Float[Tensor, "1 c _hm _wm"], size: Sequence[int]
) -> Float[Tensor, "1 c hm wm"]:
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=(int(size[0]), int(size[1])), mode="bilinear")
