"""Identifies cameras, actions and instructions among RLDS features, by kind and name.

Names follow no rule except `steps/…`; those here are from the Open X-Embodiment sets
(arXiv:2310.08864).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from robot_vision.datasets.rlds.features import STEPS, Feature

ACTION = "steps/action"
_OBSERVATION = "steps/observation/"
_STATES = ("state", "proprio", "robot_state")
# Longer vectors in an observation are embeddings of words or of a picture.
_WIDEST_STATE = 64
_COLOUR_WORDS = frozenset({"image", "img", "rgb", "color", "colour"})
_DEPTH_DTYPES = frozenset({"uint16", "float16", "float32", "float64"})
_RATES = ("fps", "control_frequency", "control_freq", "control_hz", "frequency", "hz")


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera: its colour, and depth if a feature of its name has it."""

    name: str
    colour: Feature
    depth: Feature | None = None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The features read from each episode; `remarks` say what is left out and why."""

    views: tuple[View, ...]
    actions: tuple[Feature, ...]
    states: tuple[Feature, ...]
    instructions: tuple[str, ...]
    rate: str
    remarks: tuple[str, ...]


def layout_of(features: Sequence[Feature]) -> Layout:
    """Choose among features. Cameras, actions and instructions are empty if a set has none."""
    of_steps = [feature for feature in features if feature.name.startswith(STEPS)]
    colours = sorted((f for f in of_steps if _is_colour(f)), key=lambda f: f.short)
    depths = [feature for feature in of_steps if _is_depth(feature)]
    owners = {depth.name: _owner(depth, colours, depths) for depth in depths}
    of_colour = {owners[depth.name]: depth for depth in depths}
    views = tuple(
        View(name=colour.short, colour=colour, depth=of_colour.get(colour.name))
        for colour in colours
    )
    return Layout(
        views=views,
        actions=_actions(of_steps),
        states=_states(of_steps),
        instructions=_instructions(features),
        rate=next((f.name for name in _RATES for f in features if _is_rate(f, name)), ""),
        remarks=(
            *(
                f"{d.short}: depth whose name matches no camera"
                for d in depths
                if not owners[d.name]
            ),
            *(f"{f.short}: neither colour nor depth" for f in of_steps if _is_neither(f)),
        ),
    )


def _is_colour(feature: Feature) -> bool:
    if "depth" in feature.words or feature.dtype not in ("uint8", "uint16"):
        return False
    return feature.kind == "image" or _is_raw_colour(feature)


def _is_raw_colour(feature: Feature) -> bool:
    """Unencoded pixels, as bytes. As integers, a step would not lie at a known place."""
    is_picture = len(feature.shape) == 3 and min(feature.shape) > 0 and feature.channels == 3
    is_bytes = feature.kind == "tensor" and feature.encoding != "none"
    return is_bytes and feature.dtype == "uint8" and is_picture


def _is_depth(feature: Feature) -> bool:
    if "depth" not in feature.words or feature.channels != 1:
        return False
    if feature.kind == "image":
        return feature.dtype in ("uint16", "float32")
    is_placed = feature.encoding != "none" or feature.dtype.startswith("float")
    is_picture = len(feature.shape) in (2, 3) and min(feature.shape) > 0
    return is_placed and is_picture and feature.dtype in _DEPTH_DTYPES


def _is_neither(feature: Feature) -> bool:
    is_picture = feature.kind == "image" or len(feature.shape) == 3 or "depth" in feature.words
    return is_picture and not (_is_colour(feature) or _is_depth(feature))


def _owner(depth: Feature, colours: Sequence[Feature], depths: Sequence[Feature]) -> str:
    """The colour with the same name except for words for its content; empty unless unique."""
    own = [colour for colour in colours if _place(colour) == _place(depth)]
    rivals = [other for other in depths if _place(other) == _place(depth)]
    return own[0].name if len(own) == len(rivals) == 1 else ""


def _place(feature: Feature) -> list[str]:
    return [word for word in feature.words if word not in _COLOUR_WORDS and word != "depth"]


def _actions(of_steps: Sequence[Feature]) -> tuple[Feature, ...]:
    """The one tensor, or the tensors of a dictionary by name."""
    numbers = [feature for feature in of_steps if feature.kind == "tensor"]
    whole = [feature for feature in numbers if feature.name == ACTION]
    parts = [feature for feature in numbers if feature.name.startswith(f"{ACTION}/")]
    return tuple(whole or sorted(parts, key=lambda feature: feature.name))


def _states(of_steps: Sequence[Feature]) -> tuple[Feature, ...]:
    """The one tensor with this name, else all tensors as short as a state."""
    numbers = [f for f in of_steps if f.name.startswith(_OBSERVATION) and _is_short(f)]
    for name in _STATES:
        whole = [feature for feature in numbers if feature.short == name]
        if whole:
            return tuple(whole)
    return tuple(sorted(numbers, key=lambda feature: feature.name))


def _is_short(feature: Feature) -> bool:
    width = feature.shape[0] if feature.shape else 1
    is_row = len(feature.shape) <= 1 and 0 < width <= _WIDEST_STATE
    return feature.kind == "tensor" and feature.dtype.startswith("float") and is_row


def _instructions(features: Sequence[Feature]) -> tuple[str, ...]:
    """Texts named as an instruction, the shortest name first: others have numbers."""
    texts = [f.name for f in features if f.kind == "text" and "instruction" in f.words]
    return tuple(sorted(texts, key=lambda name: (len(name), name)))


def _is_rate(feature: Feature, name: str) -> bool:
    is_of_episode = feature.name == f"episode_metadata/{name}"
    return is_of_episode and feature.kind == "tensor" and not feature.shape
