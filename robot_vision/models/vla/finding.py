"""Finds the parts of a vision-language model that has no adapter.

Modules are returned as paths, so that a copy of the model resolves its own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError

# Names of these parts in known architectures, the most specific first.
_VISION = ("vision_tower", "vision_model", "visual", "vision_encoder", "image_encoder", "vit")
_TEXT = ("language_model", "text_model", "text_tower", "llm", "decoder")
_PROJECTOR = (
    "multi_modal_projector",
    "mm_projector",
    "projector",
    "connector",
    "modality_projection",
    "aligner",
    "perceiver_resampler",
)
_WIDTHS = ("hidden_size", "n_embd", "d_model")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a model (path of a module, number or name of a way), and how it was found."""

    what: Any
    found_by: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Finder:
    """Searches a model for its parts. Raises `AttributeError` for a part it cannot find."""

    model: Any

    def hidden_size(self) -> Part:
        """Width of a token of the text tower."""
        config = self.model.config.get_text_config()
        for name in _WIDTHS:
            if isinstance(value := getattr(config, name, None), int):
                return Part(what=value, found_by=f"{name} of the text's config: {value}")
        raise AttributeError(f"the text's config has none of {', '.join(_WIDTHS)}")

    def word_embedding(self) -> Part:
        """The embedding table of words."""
        try:
            table = self.model.get_input_embeddings()
        except NotImplementedError as error:
            raise AttributeError("get_input_embeddings() is not implemented") from error
        path = self._path(table)
        return Part(what=path, found_by=f"get_input_embeddings(): {path}")

    def text_tower(self) -> Part:
        """The module that takes word embeddings: by its name, or the owner of their table."""
        path = self._named(_TEXT)
        if path is not None:
            return Part(what=path, found_by=f"its name: {path}")
        owner = self.word_embedding().what.rpartition(".")[0]
        return Part(what=owner, found_by=f"it owns the table of words: {owner or 'the whole'}")

    def vision_tower(self) -> Part:
        """The module that takes pixels: by its name, or the outermost around a patch embedding."""
        path = self._named(_VISION)
        if path is not None:
            return Part(what=path, found_by=f"its name: {path}")
        table = self.model.get_submodule(self.word_embedding().what)
        for path, module in self.model.named_modules():
            inner = set(module.modules())
            if path and table not in inner and any(map(_takes_colors, inner)):
                return Part(what=path, found_by=f"it has a convolution of 3 channels: {path}")
        raise AttributeError(f"nothing is called {', '.join(_VISION)}, or takes 3 channels")

    def side_px(self) -> Part:
        """Side of the pictures that the vision tower takes."""
        vision = getattr(self.model.config, "vision_config", self.model.config)
        size = getattr(vision, "image_size", None)
        if isinstance(size, list | tuple) and len(set(size)) == 1:
            size = size[0]
        if not isinstance(size, int):
            raise AttributeError(f"image_size of the vision's config is {size!r}, no number")
        return Part(what=size, found_by=f"image_size of the vision's config: {size}")

    def encode_images(self) -> Part:
        """The first way that turns a blank picture into tokens of the text's width.

        Raises `ConfigError` with the result of each way.
        """
        side_px, hidden = self.side_px().what, self.hidden_size().what
        blank, problems = torch.zeros(1, 3, side_px, side_px), list[str]()
        for name, way in self.ways().items():
            try:
                with torch.no_grad():
                    found = way(blank)
            except Exception as error:  # an unknown architecture may raise anything
                problems.append(f"{name}: {type(error).__name__}")
                continue
            if found.ndim == 3 and len(found) == 1 and found.shape[2] == hidden:
                return Part(what=name, found_by=f"{name}: {found.shape[1]} tokens a picture")
            problems.append(f"{name}: {list(found.shape)}")
        raise ConfigError(
            f"no way to tokens of {hidden} numbers was found for a {type(self.model).__name__} "
            f"({'; '.join(problems)}): write an adapter with `encode_images` (docs/vla.md)"
        )

    def ways(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """Functions from pixels [b,3,h,w] to tokens [b,n,d] to try, by name."""
        vision = self.model.get_submodule(self.vision_tower().what)
        found = dict[str, Callable[[Tensor], Tensor]]()
        if hasattr(self.model, "get_image_features"):
            found["get_image_features"] = lambda x: _tokens(self.model.get_image_features(x))
        path = self._named(_PROJECTOR)
        if path is not None:
            projector = self.model.get_submodule(path)
            name = f"vision tower, then {path}"
            found[name] = lambda x: _tokens(projector(vision(x).last_hidden_state))
        found["vision tower alone"] = lambda x: vision(x).last_hidden_state
        return found

    def _named(self, names: Iterable[str]) -> str | None:
        """Path of the first module with one of the names."""
        paths = [path for path, _ in self.model.named_modules()]
        for name in names:
            for path in paths:
                if path.rpartition(".")[2] == name:
                    return path
        return None

    def _path(self, wanted: nn.Module | None) -> str:
        for path, module in self.model.named_modules():
            if module is wanted:
                return path
        raise AttributeError("get_input_embeddings() gives nothing of the model")


def _takes_colors(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.in_channels == 3


def _tokens(found: Any) -> Tensor:
    """Tokens [b,n,d] from what such functions return: a tensor, a list, or an output."""
    for name in ("pooler_output", "last_hidden_state"):
        value = getattr(found, name, None)
        if value is not None:
            found = value
            break
    return torch.stack(list(found)) if isinstance(found, list | tuple) else found
