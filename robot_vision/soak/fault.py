"""A fault: one function, with the required behaviour during and after it.

A fault is a generator: the code before its `yield` starts it, the code after it (or the end of
`with` blocks) ends it. It acts through a `Rig`, and draws random values from `random`.
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
# Messages published instead of one: none, itself, others.
Change = Callable[[Message], list[Message]]


@runtime_checkable
class Rig(Protocol):
    """Actions of faults on the loop. Each ends with its `with` block."""

    def changed(self, topic: Topic, change: Change) -> AbstractContextManager[None]:
        """Publish the messages that `change` returns for each message."""
        ...

    def second_tool_pose(self, offset_m: float) -> AbstractContextManager[None]:
        """Another node also publishes the tool pose, this far from the true one."""
        ...

    def repeating(self, work: Callable[[], object], hz: float) -> AbstractContextManager[None]:
        """Call `work` in a thread."""
        ...

    def frozen(self, process: Process) -> AbstractContextManager[None]:
        """SIGSTOP, then SIGCONT."""
        ...

    def recorder(self) -> AbstractContextManager[None]:
        """A demonstration recorder starts, records, and is killed."""
        ...

    def busy_cores(self) -> AbstractContextManager[None]:
        """A busy process per core."""
        ...

    def half_requests(self, count: int) -> AbstractContextManager[None]:
        """Connections to the console with unfinished requests, without the token."""
        ...

    def request(self, method: str, path: str, **body: Any) -> None:
        """Send the console a request without the token; the answer is ignored."""
        ...

    def upload(self, picture: bytes) -> None:
        """Let the console analyse a picture, with the token; the answer is ignored."""
        ...

    def instruct(self, text: str) -> None:
        """Publish an instruction."""
        ...

    def instruct_task(self) -> None:
        """Publish the instruction of the scene's task."""
        ...

    def another_name_of_the_model(self) -> str:
        """Another name or path of the model in use."""
        ...

    def set_model(self, name: str) -> bool:
        """Set the parameter `model` of perception; returns whether it was accepted."""
        ...

    def teleport(self) -> None:
        """Change the scene while the policy is enabled: the arm is suddenly elsewhere."""
        ...

    def publish_diagnostics(self, values: dict[str, str]) -> None:
        """Publish another node's status on /diagnostics."""
        ...

    def publish_transforms(self, count: int) -> None:
        """Publish foreign transforms on /tf, if tf2_msgs is installed."""
        ...

    def violated(self, invariant: str, words: str) -> None:
        """Report a violation found by the fault itself."""
        ...


Steps = Callable[[Rig, Random], Iterator[None]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Name, duration and required behaviour of a fault.

    `must_hold`: commands must hold at most `known_after_s` after its start (plus two periods and
    transport); if `travel_m` is set, only once commands have moved this far, and only for
    `judged_s` after its start. `may_need_enable`: the operator may have to enable again.
    `stops_service`: the service cannot answer during it. `try_hold`: the console's hold is pressed
    during it.
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
        """Apply the fault while the block runs."""
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
    """Register a fault under its function's name; the docstring is its description."""

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
