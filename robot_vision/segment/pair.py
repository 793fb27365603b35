"""What a pair of encoder and decoder declares: the names of its tensors and their meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from robot_vision.core.manifests.segmenter_manifest import PictureInput
from robot_vision.core.registry import Registry

NOT_A_POINT, OFF, ON, TOP_LEFT, BOTTOM_RIGHT = -1.0, 0.0, 1.0, 2.0, 3.0
Tensors = Mapping[str, np.ndarray]
Shape = tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """An ONNX file's description of its tensors; a dynamic axis is None."""

    inputs: Mapping[str, Shape]
    dtypes: Mapping[str, str]
    outputs: Mapping[str, Shape]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tokens:
    """Prompts with the same number of points, in pixels of the encoder's square.

    A box is two more points, labelled `TOP_LEFT` and `BOTTOM_RIGHT`.
    """

    xy_px: Float32[np.ndarray, "p k 2"]
    label: Float32[np.ndarray, "p k"]
    mask: Float32[np.ndarray, "p 1 h w"] | None

    @property
    def has_box(self) -> bool:
        return bool((self.label >= TOP_LEFT).any())

    def with_padding(self) -> "Tokens":
        """The same with, if there is no box, a padding point: as SAM was trained."""
        if self.has_box:
            return self
        count = len(self.xy_px)
        xy_px = np.concatenate([self.xy_px, np.zeros((count, 1, 2), np.float32)], axis=1)
        label = np.concatenate(
            [self.label, np.full((count, 1), NOT_A_POINT, np.float32)], axis=1, dtype=np.float32
        )
        return Tokens(xy_px=xy_px, label=label, mask=self.mask)


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The masks that a decoder gives for each prompt, over the whole square, and their scores."""

    logits: Float32[np.ndarray, "p m h w"]
    score: Float32[np.ndarray, "p m"]


@runtime_checkable
class Pair(Protocol):
    """One kind of export. Register it with `register_pair` in the file that implements it.

    `picture` is how its encoders take pictures, for whatever their files leave open;
    `prompts_axis` is the decoder's input and the axis that stacks several prompts.
    """

    name: str
    about: str
    picture: PictureInput
    takes_boxes: bool
    takes_masks: bool

    @property
    def prompts_axis(self) -> tuple[str, int]: ...

    def recognises(self, encoder: Graph, decoder: Graph) -> bool:
        """Whether these are an encoder and a decoder of this kind, judged by tensor names."""
        ...

    def feed_encoder(
        self, pixels: Float32[np.ndarray, "3 rows columns"], side_px: int, encoder: Graph
    ) -> Tensors: ...

    def feed_decoder(self, embedding: Tensors, tokens: Tokens, decoder: Graph) -> Tensors: ...

    def read(self, outputs: Tensors) -> Candidates: ...


PAIRS: Registry[Pair] = Registry("pair", package="robot_vision.segment.pairs")


def register_pair(pair: Pair) -> None:
    """Register a pair under its name."""
    PAIRS.register(pair.name)(pair)


def earlier_masks(tokens: Tokens, side: int) -> tuple[np.ndarray, np.ndarray]:
    """`mask_input` [p,1,side,side] and `has_mask_input` [1], as SAM's exports name them."""
    if tokens.mask is None:
        empty = np.zeros((len(tokens.xy_px), 1, side, side), np.float32)
        return empty, np.zeros(1, np.float32)
    return tokens.mask, np.ones(1, np.float32)


def wanted_names(graph: Graph, names: Sequence[str], *, optional: Sequence[str] = ()) -> bool:
    """Whether a graph takes these inputs and no others."""
    return set(graph.inputs) - set(optional) == set(names)
