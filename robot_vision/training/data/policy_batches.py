"""Batches of samples, with inputs that a robot may lose left out at random and noise added."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, Integer
from torch import Tensor

from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.core.parameters.params import Params, param
from robot_vision.policies.observing.color_features import chroma_of
from robot_vision.policies.observing.tokens import (
    OBJECT_SLICES,
    ROBOT_FIELDS,
    base_from_tool_axes,
    without_depth,
)
from robot_vision.rollouts.episode_files import PolicySet

# RGB after RGB; a remainder at the end of a field is not a colour.
_COLORS = ("color", "shades", "around", "light")
_LOOKS = (*_COLORS, "chroma", "appearance", "heights")


class Dropout(Params):
    """How often a sample loses an input that a robot may lose."""

    depth: float = param(0.1, "no measured depth", ge=0, le=1)
    visual: float = param(0.2, "no visual tokens", ge=0, le=1)
    appearance: float = param(0.5, "no pooled features of objects", ge=0, le=1)
    history: float = param(0.4, "no history of the arm", ge=0, le=1)
    others: float = param(0.1, "each object that is not the target", ge=0, le=1)


class Noises(Params):
    """Noise added to perception's outputs."""

    exposure: float = param(0.2, "changes of exposure, in logarithms", ge=0, le=1)
    tint: float = param(0.05, "changes of white balance, in logarithms", ge=0, le=1)
    looks: float = param(0.1, "noise of looks, in deviations", ge=0, le=1)
    places_m: float = param(0.002, "noise of places", unit="m", ge=0, le=0.1)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How training samples differ from the recording."""

    noises: Noises
    dropout: Dropout


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicyBatch:
    """Samples as network inputs, and the expected answers; actions are normalised."""

    tokens: Int64[Tensor, "b l"]
    objects: Float32[Tensor, "b n _object"]
    present: Bool[Tensor, "b n"]
    visual: Float32[Tensor, "b cells _visual"]
    has_visual: Bool[Tensor, "b 1"]
    robot: Float32[Tensor, "b _robot"]
    pointers: Bool[Tensor, "b 2 n+2"]
    action: Float32[Tensor, "b t 7"]
    moves: Bool[Tensor, " b"]

    def to(self, device: torch.device) -> "PolicyBatch":
        return PolicyBatch(**{n: getattr(self, n).to(device) for n in self.__dataclass_fields__})


def make_batch(
    source: PolicySet,
    rows: Integer[np.ndarray, " b"],
    *,
    statistics: ActionStatistics,
    rng: np.random.Generator,
    changes: Changes | None = None,
) -> PolicyBatch:
    """Samples `rows` of the set, with losses and noise if given."""
    frame = source.frame[rows]
    objects = source.objects[frame].astype(np.float32)
    visual = source.visual[frame].astype(np.float32)
    present, has_visual = source.present[frame].copy(), source.has_visual[frame][:, None].copy()
    robot, pointers = source.robot[frame].copy(), source.pointers[rows]
    if changes is not None:
        noises, dropout = changes.noises, changes.dropout
        _change_exposure(objects, noises, rng)
        _add_noise(objects, present, robot, noises, rng)
        objects, visual = _lose_depth(objects, visual, robot, dropout, rng)
        _lose_appearance(objects, dropout, rng)
        has_visual &= rng.random((len(rows), 1)) >= dropout.visual
        lost_history = rng.random(len(rows)) < dropout.history
        robot[lost_history, sum(ROBOT_FIELDS.values()) :] = 0
        lost = rng.random(present.shape) < dropout.others
        present &= ~lost | pointers[:, :, : present.shape[1]].any(axis=1)
    objects *= present[..., None]
    visual *= has_visual[..., None]
    text = source.first_text[rows] + (rng.random(len(rows)) * source.text_count[rows]).astype(int)
    tokens = source.tokens[text]
    words = max(1, int((tokens > 0).sum(axis=1).max()))
    mean, scale = np.array(statistics.mean), np.array(statistics.scale)
    action = ((source.action[rows] - mean) / scale).astype(np.float32)
    return PolicyBatch(
        tokens=torch.from_numpy(tokens[:, :words]),
        objects=torch.from_numpy(objects),
        present=torch.from_numpy(present),
        visual=torch.from_numpy(visual),
        has_visual=torch.from_numpy(has_visual),
        robot=torch.from_numpy(robot),
        pointers=torch.from_numpy(pointers),
        action=torch.from_numpy(action),
        moves=torch.from_numpy(source.moves[rows]),
    )


def _change_exposure(objects: np.ndarray, noises: Noises, rng: np.random.Generator) -> None:
    """The same views from a camera with another exposure and white balance."""
    count = len(objects)
    gain = noises.exposure * rng.standard_normal((count, 1), dtype=np.float32)
    gain = np.exp(gain + noises.tint * rng.standard_normal((count, 3), dtype=np.float32))
    for name in _COLORS:
        place = OBJECT_SLICES[name]
        colors = (place.stop - place.start) // 3
        place = slice(place.start, place.start + 3 * colors)
        brighter = objects[..., place] * np.tile(gain, colors)[:, None]
        objects[..., place] = np.minimum(brighter, 1)
    objects[..., OBJECT_SLICES["chroma"]] = chroma_of(objects[..., OBJECT_SLICES["color"]])


def _add_noise(
    objects: np.ndarray,
    present: np.ndarray,
    robot: np.ndarray,
    noises: Noises,
    rng: np.random.Generator,
) -> None:
    """Noise on positions, the same in each of their representations, and on looks."""
    shape = (*objects.shape[:2], 3)
    noise_m = (noises.places_m * rng.standard_normal(shape, dtype=np.float32)) * present[..., None]
    for name in ("centre", "centre_from_tool"):
        objects[..., OBJECT_SLICES[name]] += noise_m
    objects[..., OBJECT_SLICES["centre_in_tool"]] += noise_m @ base_from_tool_axes(robot)
    for name in _LOOKS:
        look = objects[..., OBJECT_SLICES[name]]
        deviation = noises.looks * float(look.std())
        look += deviation * rng.standard_normal(look.shape, dtype=np.float32)


def _lose_depth(
    objects: np.ndarray,
    visual: np.ndarray,
    robot: np.ndarray,
    dropout: Dropout,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    lost = rng.random(len(objects)) < dropout.depth
    if lost.any():
        objects[lost], visual[lost] = without_depth(objects[lost], visual[lost], robot[lost])
    return objects, visual


def _lose_appearance(objects: np.ndarray, dropout: Dropout, rng: np.random.Generator) -> None:
    """Features distinguish looks seen in training; colours and shapes also distinguish others."""
    lost = rng.random(len(objects)) < dropout.appearance
    objects[lost, :, OBJECT_SLICES["appearance"]] = 0
