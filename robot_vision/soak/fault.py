"""A fault: one function in one place, with what must happen while it lasts and afterwards.

A fault is a generator: what stands before its `yield` begins it, what stands after ends it (so do
the ends of `with` blocks). It acts through a `Rig`, and draws what it needs from `random`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Protocol, runtime_checkable

from robot_vision.core.discovery import import_all
from robot_vision.core.errors import ConfigError

Topic = Literal["tool_pose", "joint_states", "rgb", "depth", "camera_info"]
Process = Literal["service", "simulated robot"]
# A ROS message of a topic; faults change its fields, and need no ROS to do so.
Message = Any
# What is published in place of a message: nothing, itself, others.
Change = Callable[[Message], list[Message]]


@runtime_checkable
class Rig(Protocol):
    """What a fault can do to the loop. All of it ends when the `with` block ends."""

    def changed(self, topic: Topic, change: Change) -> AbstractContextManager[None]:
        """Publish what `change` makes of each message."""
        ...

    def second_tool_pose(self, offset_m: float) -> AbstractContextManager[None]:
        """Another node publishes the tool's pose too, so far from the true one."""
        ...

    def repeating(self, work: Callable[[], object], hz: float) -> AbstractContextManager[None]:
        """Call `work` in a thread."""
        ...

    def frozen(self, process: Process) -> AbstractContextManager[None]:
        """SIGSTOP, then SIGCONT."""
        ...

    def recorder(self) -> AbstractContextManager[None]:
        """A recorder of demonstrations starts, records, and is killed."""
        ...

    def busy_cores(self) -> AbstractContextManager[None]:
        """A process per core that only computes."""
        ...

    def half_requests(self, count: int) -> AbstractContextManager[None]:
        """Connections to the console that begin a request and do not end it, without token."""
        ...

    def request(self, method: str, path: str, **body: Any) -> None:
        """Ask the console without token; what it answers does not matter."""
        ...

    def upload(self, picture: bytes) -> None:
        """Have the console analyse a picture, with token; what it answers does not matter."""
        ...

    def instruct(self, text: str) -> None:
        """Publish words on `instruction`."""
        ...

    def instruct_task(self) -> None:
        """Publish the words of the scene's task."""
        ...

    def another_name_of_the_model(self) -> str:
        """The model in use by a name or path other than the present one."""
        ...

    def set_model(self, name: str) -> bool:
        """Set the parameter `model` of perception; returns whether it was accepted."""
        ...

    def teleport(self) -> None:
        """Another scene, while the policy is enabled: the arm is at once elsewhere."""
        ...

    def publish_diagnostics(self, values: dict[str, str]) -> None:
        """A strange node's status on /diagnostics."""
        ...

    def publish_transforms(self, count: int) -> None:
        """Strange transforms on /tf, where tf2_msgs is installed."""
        ...

    def violated(self, invariant: str, words: str) -> None:
        """What a fault itself finds wrong."""
        ...


Steps = Callable[[Rig, Random], Iterator[None]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a fault is called, how long it lasts, and what must happen.

    `must_hold`: commands must hold `known_after_s` after it began at the latest (two periods and
    transport come on top); if `travel_m` is set, only from where commands went so far meanwhile,
    and only for `judged_s` after it began.
    `may_need_enable`: an operator may have to enable again. `stops_service`: the service cannot
    answer meanwhile. `try_hold`: the console's hold is pressed in the middle of it.
    """

    name: str
    about: str
    steps: Steps
    least_s: float
    most_s: float
    must_hold: bool = False
    may_need_enable: bool = False
    known_after_s: float = 0.0
    travel_m: float = 0.0
    judged_s: float = 3600.0
    stops_service: bool = False
    try_hold: bool = False

    def at(self, rig: Rig, random: Random) -> AbstractContextManager[None]:
        """The fault, while the block runs."""
        return contextmanager(self.steps)(rig, random)


FAULTS: dict[str, Fault] = {}


def fault(
    least_s: float,
    most_s: float,
    *,
    must_hold: bool = False,
    may_need_enable: bool = False,
    known_after_s: float = 0.0,
    travel_m: float = 0.0,
    judged_s: float = 3600.0,
    stops_service: bool = False,
    try_hold: bool = False,
) -> Callable[[Steps], Steps]:
    """Register a fault under its function's name; the docstring says what it is."""

    def register(steps: Steps) -> Steps:
        name = steps.__name__
        FAULTS[name] = Fault(
            name=name,
            about=(steps.__doc__ or "").strip(),
            steps=steps,
            least_s=least_s,
            most_s=most_s,
            must_hold=must_hold,
            may_need_enable=may_need_enable,
            known_after_s=known_after_s,
            travel_m=travel_m,
            judged_s=judged_s,
            stops_service=stops_service,
            try_hold=try_hold,
        )
        return steps

    return register


def chosen(names: str) -> list[Fault]:
    """Faults by comma-separated names, all of them if there are none; raises `ConfigError`."""
    import_all("robot_vision.soak.faults")
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(FAULTS)
    for name in wanted:
        if name not in FAULTS:
            raise ConfigError(f"unknown fault {name!r}; available: {', '.join(FAULTS)}")
    return [FAULTS[name] for name in dict.fromkeys(wanted)]
