"""What a family of models declares: its configs, and how to turn one into a graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.registry import Registry
from robot_vision.foundation.model_folder import ModelFolder
from robot_vision.models.card import Graph


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A user's options for a bundle; sizes are width and height in pixels.

    `words` and `template` are for zero-shot classifiers, `embedding` is for features: class, mean.
    `format` decides what a config leaves open.
    """

    name: str
    licence: str = "unknown"
    camera_px: tuple[int, int] = (640, 480)
    size_px: tuple[int, int] | None = None
    words: tuple[str, ...] = ()
    template: str = "This is a photo of {}."
    embedding: str = "class"
    format: str = ""
    score_threshold: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """A network and its manifest.

    `is_a_set`: rows of the outputs have no inherent order. `inputs` accompany the picture
    when the graph is verified. `language` encodes words, and is verified on its example. `texts`
    are further files of the bundle by name.
    """

    graph: Graph
    manifest: ModelManifest
    is_a_set: bool = False
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    language: Graph | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """One family. Register it with `register_family` in its file in `families/`.

    `classes` names transformers' class by the `model_type` of a config. `options` are fields of
    `Asked` that it knows besides the common ones.
    """

    name: str
    about: str
    classes: Mapping[str, str]
    make: Callable[[ModelFolder, Asked], Made]
    options: tuple[str, ...] = ()


FAMILIES: Registry[Family] = Registry("family", package="robot_vision.foundation.families")


def register_family(family: Family) -> None:
    """Register a family under its name."""
    FAMILIES.register(family.name)(family)


def family_of(folder: ModelFolder) -> Family | None:
    """The family of the folder's config; None if there is none."""
    for name in FAMILIES:
        family = FAMILIES.get(name)
        if folder.kind in family.classes:
            return family
    return None
