"""Network inputs of a policy from pixels at rows of demonstrations."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.training.data.demonstrations.changes import Look, Lost, relit, shifted
from robot_vision.training.data.demonstrations.rows import RowClock
from robot_vision.training.demonstrations.demonstrations import Demonstrations

Inputs = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class SceneChanges:
    """How samples differ from the recording; one look per camera."""

    lost: Lost
    looks: Mapping[str, Look]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenes:
    """Makes inputs of the network from rows of demonstrations.

    `maps` holds a frozen encoder's maps of each camera's pictures, f16 [R,c,h,w], finest
    first; with them no pictures are read.
    """

    source: Demonstrations
    observation: ObservationSpec
    clock: RowClock
    maps: Mapping[str, tuple[np.ndarray, ...]] = field(default_factory=dict)

    def inputs(self, rows: Int64[np.ndarray, " b"], changes: SceneChanges | None = None) -> Inputs:
        """By name, as in `models.policies.pixels`; words are added elsewhere."""
        steps, step_s = self.observation.steps, self.observation.step_s
        ages_s = [step_s * (steps - 1 - step) for step in range(steps)]
        before = [-age_s for age_s in ages_s]
        shown, there = self.clock.near(rows, before, most_off_s=step_s / 2)
        if changes is not None:
            there &= ~(changes.lost.history[:, None] & (np.arange(steps) < steps - 1))
        age_s = self.clock.into_s(rows)[:, None] - self.clock.into_s(shown)
        found: Inputs = {}
        if self.observation.cameras or self.observation.state != "none":
            found["age_s"] = age_s.astype(np.float32)
        for index, camera in enumerate(self.observation.cameras):
            found |= self._camera(camera, index, shown, there, changes)
        if self.observation.state != "none":
            known = there.copy()
            if changes is not None:
                known &= ~changes.lost.state[:, None]
            found |= {"state": self.source.state[shown], "state_seen": known}
        lost = np.zeros(len(rows), bool) if changes is None else changes.lost.perception
        return found | self._perceived(rows, lost)

    def _perceived(self, rows: Int64[np.ndarray, " b"], lost: np.ndarray) -> Inputs:
        """Perception of the newest pictures."""
        said, found = self.source.perceived, Inputs()
        if "features" in self.observation.perception:
            assert said is not None
            assert said.features is not None
            found["features"] = said.features[rows].astype(np.float32)
            found["features_seen"] = ~lost[:, None]
        if "tracks" in self.observation.perception:
            assert said is not None
            assert said.tracks is not None
            assert said.tracks_seen is not None
            found["tracks"] = said.tracks[rows]
            found["tracks_seen"] = said.tracks_seen[rows] & ~lost[:, None]
        return found

    def _camera(
        self,
        camera: CameraInput,
        index: int,
        shown: np.ndarray,
        there: np.ndarray,
        changes: SceneChanges | None,
    ) -> Inputs:
        name, seen, depth_seen = camera.name, there, there
        if changes is not None:
            seen = there & ~changes.lost.camera[:, index, None]
            depth_seen = seen & ~changes.lost.depth[:, index, None]
        look = changes.looks.get(name) if changes is not None else None
        found = self._pictures(name, shown, look) | {f"seen_{name}": seen}
        if camera.has_depth:
            depth_m = self.source.depth_m[name][shown].astype(np.float32)
            found[f"depth_{name}"] = depth_m if look is None else shifted(depth_m, look)
            found[f"depth_seen_{name}"] = depth_seen & depth_m.any(axis=(2, 3))
        return found

    def _pictures(self, name: str, shown: np.ndarray, look: Look | None) -> Inputs:
        if name in self.maps:
            maps = enumerate(self.maps[name])
            return {f"maps_{name}_{level}": each[shown] for level, each in maps}
        rgb = self.source.pictures[name][shown]
        return {f"rgb_{name}": rgb if look is None else shifted(relit(rgb, look), look)}
