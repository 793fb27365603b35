"""Random losses and changes of training inputs: cameras, depth, words, colours."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped, UInt8

from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.parameters.params import Params, param


class ModalityDropout(Params):
    """How often a sample loses an input that a robot may lose, for all its moments.

    A sample that would lose all cameras and the state loses nothing.
    """

    camera: float = param(0.1, "each camera is missing, with its depth", ge=0, le=1)
    depth: float = param(0.2, "each camera's depth is missing", ge=0, le=1)
    state: float = param(0.1, "the arm's state is unknown", ge=0, le=1)
    words: float = param(0.05, "there is no instruction", ge=0, le=1)
    history: float = param(0.1, "only the newest observation is known", ge=0, le=1)
    perception: float = param(0.1, "perception is missing", ge=0, le=1)


class PictureChanges(Params):
    """Another view and other light, the same for all pictures of a camera in a sample."""

    shift: float = param(0.03, "of the picture's sides, either way at most", ge=0, le=0.5)
    exposure: float = param(0.2, "changes of exposure, in logarithms", ge=0, le=1)
    tint: float = param(0.05, "changes of white balance, in logarithms", ge=0, le=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lost:
    """The losses of each of n samples; cameras in the observation's order."""

    camera: Bool[np.ndarray, "n cameras"]
    depth: Bool[np.ndarray, "n cameras"]
    state: Bool[np.ndarray, " n"]
    words: Bool[np.ndarray, " n"]
    history: Bool[np.ndarray, " n"]
    perception: Bool[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """Changes of a camera's pictures: shift in pixels right and down, and colour factors."""

    shift_px: Int64[np.ndarray, "n 2"]
    gain: Float32[np.ndarray, "n 3"]


def draw_lost(
    dropout: ModalityDropout, observation: ObservationSpec, count: int, rng: np.random.Generator
) -> Lost:
    cameras = len(observation.cameras)
    camera = rng.random((count, cameras)) < dropout.camera
    depth = rng.random((count, cameras)) < dropout.depth
    state, words, history = (
        rng.random(count) < part for part in (dropout.state, dropout.words, dropout.history)
    )
    blind = camera.all(axis=1) & (state | (observation.state == "none"))
    camera[blind], state[blind] = False, False
    perception = np.zeros(count, bool)
    if observation.perception:
        perception = rng.random(count) < dropout.perception
        perception &= ~(camera.all(axis=1) & (state | (observation.state == "none")))
    return Lost(
        camera=camera,
        depth=depth,
        state=state,
        words=words,
        history=history,
        perception=perception,
    )


def draw_look(
    changes: PictureChanges, *, width_px: int, height_px: int, count: int, rng: np.random.Generator
) -> Look:
    most_px = np.floor(np.array([width_px, height_px]) * changes.shift).astype(np.int64)
    light = changes.exposure * rng.standard_normal((count, 1))
    tint = changes.tint * rng.standard_normal((count, 3))
    return Look(
        shift_px=rng.integers(-most_px, most_px + 1, (count, 2)),
        gain=np.exp(light + tint).astype(np.float32),
    )


def relit(pictures: UInt8[np.ndarray, "b n h w 3"], look: Look) -> UInt8[np.ndarray, "b n h w 3"]:
    """Pictures of b samples in another light; too bright values saturate, as in a sensor."""
    levels = np.arange(256, dtype=np.float32)[:, None, None]
    table = np.clip(np.rint(levels * look.gain), 0, 255).astype(np.uint8)
    out = np.empty_like(pictures)
    for sample in range(len(pictures)):
        for channel in range(3):
            out[sample, ..., channel] = table[pictures[sample, ..., channel], sample, channel]
    return out


def shifted(
    planes: Shaped[np.ndarray, "b n h w *c"], look: Look
) -> Shaped[np.ndarray, "b n h w *c"]:
    """Pictures or depth [b,n,h,w,...] moved by whole pixels, the edge continued.

    Shifts by a few pixels as in arXiv:2004.13649.
    """
    height, width = planes.shape[2:4]
    out = np.empty_like(planes)
    for sample, (right, down) in enumerate(look.shift_px):
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        out[sample] = planes[sample][:, rows][:, :, columns]
    return out
