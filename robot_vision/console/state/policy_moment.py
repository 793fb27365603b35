"""A decision of a policy from pixels in this process, as it is explained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8

from robot_vision.console.problems import ConsoleError
from robot_vision.core.manifests.action_spec import ACTION_NAMES, ActionSpec
from robot_vision.core.types import Decision


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicyMoment:
    """What `bundle` decided, `age_s` ago; `decision.inputs` is what its network was fed with."""

    bundle: str
    spec: ActionSpec
    decision: Decision
    age_s: float

    @property
    def inputs(self) -> Mapping[str, np.ndarray]:
        """By the names of the network; of one that can be `explained`."""
        assert self.decision.inputs is not None
        return self.decision.inputs

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of cameras that it sees, the first one first."""
        names = self.decision.inputs or ()
        return tuple(n.removeprefix("rgb_") for n in names if n.startswith("rgb_"))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers of an action."""
        joints = self.spec.joint_names
        return (*joints, "gripper") if joints else ACTION_NAMES

    def picture(self, camera: str) -> UInt8[np.ndarray, "h w 3"]:
        """The newest of a camera; raises `ConsoleError` for one that it does not have."""
        if camera not in self.cameras:
            raise ConsoleError(422, f"camera {camera!r}: the policy has {', '.join(self.cameras)}")
        return self.inputs[f"rgb_{camera}"][0, -1]

    def first_action(self) -> list[float]:
        """Its first step in metres, radians and from 0 closed to 1 open; empty while it holds."""
        if self.decision.action is None:
            return []
        statistics = self.spec.statistics
        step = self.decision.action[0] * statistics.scale + statistics.mean
        if not np.isfinite(step).all():  # the controller holds, and says so
            return []
        return [round(float(value), 6) for value in step]


LatestMoment: TypeAlias = Callable[[], PolicyMoment | None]


def explained(latest: LatestMoment) -> PolicyMoment:
    """The latest decision; raises `ConsoleError` where there is none that can be explained."""
    moment = latest()
    if moment is None:
        raise ConsoleError(
            422,
            "no policy has decided in this process: run it beside the console "
            "(`robot-vision run --console`), and give it words",
        )
    if not moment.cameras:
        words = "decides by no pictures: only policies from pixels are explained"
        raise ConsoleError(422, f"{moment.bundle} {words}")
    return moment


def no_policy() -> PolicyMoment | None:
    """For a console beside no policy."""
    return None
