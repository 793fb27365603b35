"""A policy that predicts a chunk of actions: tokens of the inputs, then a fusion, then a head.

Each policy makes tokens in its own way: with an encoder of pictures (`pixels.py`), or with a
vision-language model (`models/vla`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.core.parameters.params import with_options
from robot_vision.models.fusion.fusion import FUSIONS, Fused, Fusion, ModalityShape, Seen
from robot_vision.models.heads.action_loss import ActionLoss
from robot_vision.models.heads.head import HEADS, Head
from robot_vision.models.loss import Loss
from robot_vision.models.policies.pixel_spec import ChunkPolicySpec, InputShape, input_shapes


class ChunkPolicy(nn.Module):
    """One moment of observations → a chunk of normalised actions. See `forward`."""

    sight: Any

    def __init__(self, spec: Any, sight: Any) -> None:
        """`spec` is a `ChunkPolicySpec`; `sight` a module that turns inputs by name into `Seen`.

        It has `shapes` of its modalities, `part(name)` for the module that makes their tokens, and
        `language`, the encoder of a vocabulary's words, or None.
        """
        super().__init__()
        self.spec = spec
        self.sight = sight
        self.fusion = _fusion(spec, self.sight.shapes)
        self.head = _head(spec)

    @property
    def input_shapes(self) -> dict[str, InputShape]:
        """Inputs of the served network by name, in order, with memory and noise."""
        shapes = input_shapes(self.spec)
        for name, shape in self.fusion.carried_shapes.items():
            shapes[f"past_{name}"] = InputShape(kind="float32", shape=shape)
        if self.head.noise_shape:
            shapes["noise"] = InputShape(kind="float32", shape=self.head.noise_shape)
        return shapes

    def load_pretrained(self) -> None:
        """Load the pretrained weights that the spec names, if any."""

    def set_normal(
        self, name: str, mean: Float[Tensor, " numbers"], scale: Float[Tensor, " numbers"]
    ) -> None:
        """Set the statistics that normalise the numbers of `state` or `tracks`."""
        normal = self.sight.part(name).normal
        normal.mean.copy_(mean)
        normal.scale.copy_(scale)

    def set_gripper(self, closed: float, opened: float) -> None:
        """Set the normalised values of a closed and an open gripper, for heads with `bce`."""
        for module in self.head.modules():
            if isinstance(module, ActionLoss):
                module.gripper_ends.copy_(torch.tensor([closed, opened]))

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns `action` f32 [b,t,a], normalised, and the memory for the next moment.

        Inputs are those of `input_shapes` by name, with a leading batch axis. `tokens` i64 [b,l]
        of the vocabulary (0 is padding) may replace `text`, and the maps that `maps` made of
        `rgb_<camera>` may replace it, as `maps_<camera>_<i>` f32 or f16 [b,n,c,h,w].
        Without `past_<name>` there is no memory; without `noise` it is zeros.
        """
        fused = self.fuse(inputs)
        return {"action": self.head(fused, inputs.get("noise")), **fused.carried}

    def forward_moments(self, moments: Sequence[Mapping[str, Tensor]]) -> list[dict[str, Tensor]]:
        """`forward` over consecutive moments, with no memory before the first."""
        return [
            {"action": self.head(fused, moment.get("noise")), **fused.carried}
            for moment, fused in zip(moments, self.fuse_moments(moments), strict=True)
        ]

    def loss(
        self,
        inputs: Mapping[str, Tensor],
        action: Float[Tensor, "b t a"],
        valid: Bool[Tensor, "b t"],
    ) -> Loss:
        """The head's loss against the normalised `action`, over the steps that are `valid`."""
        return self.head.loss(self.fuse(inputs), action, valid)

    def fused_together(self, moments: Sequence[Mapping[str, Tensor]]) -> Fused:
        """`fuse_moments` concatenated along the batch, for a loss over all moments."""
        seen = self._see_together(moments)
        fused = self._fuse_each(seen, moments)
        return Fused(
            summary=torch.cat([each.summary for each in fused]),
            tokens=torch.cat([each.tokens for each in fused]),
            present=torch.cat([each.present for each in fused]),
            pointed=seen.pointed,
        )

    def fuse(self, inputs: Mapping[str, Tensor]) -> Fused:
        """The head's input for one moment."""
        return self.fusion(self.sight(inputs), self._memory(inputs))

    def fuse_moments(self, moments: Sequence[Mapping[str, Tensor]]) -> list[Fused]:
        """The head's inputs for consecutive moments, which are encoded in one pass."""
        return self._fuse_each(self._see_together(moments), moments)

    def _see_together(self, moments: Sequence[Mapping[str, Tensor]]) -> Seen:
        names = [name for name in moments[0] if not name.startswith("past_")]
        return self.sight({name: torch.cat([m[name] for m in moments]) for name in names})

    def _fuse_each(self, whole: Seen, moments: Sequence[Mapping[str, Tensor]]) -> list[Fused]:
        carried, found = self._memory(moments[0]), list[Fused]()
        for seen in _parts(whole, len(moments)):
            found.append(self.fusion(seen, carried))
            carried = found[-1].carried
        return found

    def _memory(
        self, inputs: Mapping[str, Tensor]
    ) -> dict[str, Float[Tensor, "b _rows _numbers"]]:
        """Memory from the moment before; zeros mean no memory."""
        some = next(iter(inputs.values()))
        return {
            name: inputs[f"past_{name}"]
            if f"past_{name}" in inputs
            else torch.zeros(len(some), *shape, device=some.device)
            for name, shape in self.fusion.carried_shapes.items()
        }


def _parts(whole: Seen, count: int) -> Iterator[Seen]:
    """Split moments that were concatenated along the batch."""
    for index in range(count):
        yield Seen(
            tokens={name: each.chunk(count)[index] for name, each in whole.tokens.items()},
            present={name: each.chunk(count)[index] for name, each in whole.present.items()},
            maps={
                name: tuple(each.chunk(count)[index] for each in maps)
                for name, maps in whole.maps.items()
            },
        )


def _fusion(spec: ChunkPolicySpec, modalities: Mapping[str, ModalityShape]) -> Fusion:
    """Raises `UnknownNameError` or `ConfigError` with the choices available."""
    kind, name = FUSIONS.get(spec.fusion.name), spec.fusion.name
    options = with_options(kind.Options(), spec.fusion.options, of=f"fusion {name!r}")
    return kind(options, width=spec.width, modalities=modalities)


def _head(spec: ChunkPolicySpec) -> Head:
    kind, name = HEADS.get(spec.head.name), spec.head.name
    options = with_options(kind.Options(), spec.head.options, of=f"action head {name!r}")
    return kind(options, width=spec.width, horizon=spec.horizon, actions=spec.actions)
