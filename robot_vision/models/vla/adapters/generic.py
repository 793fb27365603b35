"""For architectures without an adapter: parts are found by name, by config and by trial."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from robot_vision.models.vla.adapter import ADAPTERS, GENERIC, HALF, VlmAdapter, square, try_out
from robot_vision.models.vla.finding import Finder, Part


@ADAPTERS.register(GENERIC)
class Generic(VlmAdapter):
    """Any other model: a causal decoder that takes pictures and words in one row.

    `found` says which parts were found, and how.
    """

    model = property(lambda self: self.backbone)
    hidden_size = property(lambda self: self._part("hidden_size"))
    word_embedding = property(lambda self: self._module("word_embedding"))
    text_tower = property(lambda self: self._module("text_tower"))
    vision_tower = property(lambda self: self._module("vision_tower"))
    image_processor = property(lambda self: square(self._part("side_px"), HALF, HALF))

    def __init__(self, backbone: Any) -> None:
        self._parts = dict[str, Part]()
        super().__init__(backbone)
        self._way = self._part("encode_images")
        try_out(self)

    @property
    def found(self) -> dict[str, str]:
        """How each part was found, by part."""
        return {name: part.found_by for name, part in self._parts.items()}

    def encode_images(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        return Finder(model=self.backbone).ways()[self._way](pixels)

    def _module(self, name: str) -> Any:
        return self.backbone.get_submodule(self._part(name))

    def _part(self, name: str) -> Any:
        """Searched once: the embedding table may be removed later."""
        if name not in self._parts:
            self._parts[name] = getattr(Finder(model=self.backbone), name)()
        return self._parts[name].what
