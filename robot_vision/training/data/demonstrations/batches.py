"""Batches of demonstrations: consecutive moments, and the action taught at each."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.training.data.demonstrations.changes import (
    ModalityDropout,
    PictureChanges,
    draw_look,
    draw_lost,
)
from robot_vision.training.data.demonstrations.scenes import Inputs, SceneChanges, Scenes
from robot_vision.training.data.demonstrations.words import Spoken, unsaid

Moment = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class DemonstrationBatch:
    """`moments` hold inputs of b samples by name, in order of time.

    `action` is what was taught at each, normalised; `valid` where it was: not beyond the end of
    an episode. `keyframe_m` is the way of the tool to where the gripper next changes, where that
    is learnt as well.
    """

    moments: tuple[Moment, ...]
    action: Float32[Tensor, "moments b t a"]
    valid: Bool[Tensor, "moments b t"]
    keyframe_m: Float[Tensor, "moments b 3"] | None = None

    def to(self, device: torch.device) -> "DemonstrationBatch":
        return DemonstrationBatch(
            moments=tuple({n: t.to(device) for n, t in m.items()} for m in self.moments),
            action=self.action.to(device),
            valid=self.valid.to(device),
            keyframe_m=None if self.keyframe_m is None else self.keyframe_m.to(device),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchMaker:
    """Makes batches of the given rows, which are the first moments of their samples.

    `after_s` are the times of the moments after the first. Without `spoken` there are no words.
    `keyframe_m` covers all rows of the source.
    """

    scenes: Scenes
    statistics: ActionStatistics
    spoken: Spoken | None
    after_s: tuple[float, ...]
    dropout: ModalityDropout
    pictures: PictureChanges
    keyframe_m: Float[np.ndarray, "rows 3"] | None = None

    def batch(self, rows: Int64[np.ndarray, " b"], rng: np.random.Generator) -> DemonstrationBatch:
        """A batch of rows; `rng` draws losses and changes, the same for all of a sample."""
        changes = self._draw(len(rows), rng)
        words = self._words(rows, changes, rng)
        most_off_s = 0.5 * min(np.diff(self.after_s), default=1.0)
        each, there = self.scenes.clock.near(rows, self.after_s, most_off_s=most_off_s)
        source = self.scenes.source
        moments = [self.scenes.inputs(moment, changes) | words for moment in each.T]
        action = normalised(source.action[each.T], self.statistics)
        return DemonstrationBatch(
            moments=tuple(tensors(moment) for moment in moments),
            action=torch.from_numpy(action),
            valid=torch.from_numpy(source.valid[each.T] & there.T[..., None]),
            keyframe_m=(
                None if self.keyframe_m is None else torch.from_numpy(self.keyframe_m[each.T])
            ),
        )

    def _draw(self, count: int, rng: np.random.Generator) -> SceneChanges:
        observation = self.scenes.observation
        lost = draw_lost(self.dropout, observation, count, rng)
        looks = {
            camera.name: draw_look(
                self.pictures,
                width_px=camera.width_px,
                height_px=camera.height_px,
                count=count,
                rng=rng,
            )
            for camera in observation.cameras
            if camera.name not in self.scenes.maps
        }
        return SceneChanges(lost=lost, looks=looks)

    def _words(self, rows: np.ndarray, changes: SceneChanges, rng: np.random.Generator) -> Inputs:
        if self.spoken is None:
            return {}
        words = self.spoken.any(self.scenes.clock.episode(rows), rng)
        return unsaid(words, changes.lost.words)


def normalised(
    action: Float[np.ndarray, "*t a"], statistics: ActionStatistics
) -> Float32[np.ndarray, "*t a"]:
    """Physical actions [...,a] in scales from the mean, f32."""
    mean, scale = np.array(statistics.mean), np.array(statistics.scale)
    return ((action - mean) / scale).astype(np.float32)


def physical(
    action: Float[np.ndarray, "*t a"], statistics: ActionStatistics
) -> Float32[np.ndarray, "*t a"]:
    """A network's answer [...,a] as actions in m, rad and the gripper's 0 to 1, f32."""
    mean, scale = np.array(statistics.mean), np.array(statistics.scale)
    return (mean + scale * action).astype(np.float32)


def tensors(inputs: Mapping[str, np.ndarray]) -> Moment:
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in inputs.items()}
