"""Every fault begins, changes what it names, and leaves nothing behind."""

import math
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from robot_vision.soak.fault import FAULTS, Change, Fault, Process, Rig, Topic, chosen
from robot_vision.soak.faults.service import png

chosen("")


class QuietRig:
    """Remembers what is going on, and what was asked for."""

    def __init__(self) -> None:
        self.changes: dict[Topic, Change] = {}
        self.going_on: list[str] = []
        self.done: list[str] = []

    @contextmanager
    def _while(self, what: str) -> Iterator[None]:
        self.going_on.append(what)
        self.done.append(what)
        yield
        self.going_on.remove(what)

    @contextmanager
    def changed(self, topic: Topic, change: Change) -> Iterator[None]:
        self.changes[topic] = change
        with self._while(topic):
            yield
        del self.changes[topic]

    def second_tool_pose(self, offset_m: float) -> Any:
        return self._while(f"second tool pose {offset_m}")

    def repeating(self, work: Callable[[], object], hz: float) -> Any:
        work()
        return self._while(f"at {hz} Hz")

    def frozen(self, process: Process) -> Any:
        return self._while(f"{process} frozen")

    def recorder(self) -> Any:
        return self._while("recorder")

    def busy_cores(self) -> Any:
        return self._while("busy")

    def half_requests(self, count: int) -> Any:
        return self._while(f"{count} half requests")

    def request(self, method: str, path: str, **body: Any) -> None:  # noqa: ARG002
        self.done.append(f"{method} {path}")

    def upload(self, picture: bytes) -> None:
        self.done.append(f"upload of {len(picture)} bytes")

    def instruct(self, text: str) -> None:
        self.done.append(f"words {text[:20]!r}")

    def instruct_task(self) -> None:
        self.done.append("words of the task")

    def another_name_of_the_model(self) -> str:
        return "native-s"

    def set_model(self, name: str) -> bool:
        self.done.append(f"model {name!r}")
        return name == "native-s"

    def teleport(self) -> None:
        self.done.append("teleported")

    def publish_diagnostics(self, values: dict[str, str]) -> None:
        self.done.append(f"diagnostics {len(values)}")

    def publish_transforms(self, count: int) -> None:
        self.done.append(f"transforms {count}")

    def violated(self, invariant: str, words: str) -> None:
        raise AssertionError(f"{invariant}: {words}")


def message(topic: Topic) -> Any:
    """As ROS would have it; numbers distinguish them."""
    message.count += 1
    stamp = SimpleNamespace(sec=message.count, nanosec=0)
    made = SimpleNamespace(header=SimpleNamespace(stamp=stamp))
    if topic == "tool_pose":
        made.pose = SimpleNamespace(
            position=SimpleNamespace(x=0.5 + message.count / 100, y=0.0, z=0.3),
            orientation=SimpleNamespace(x=1.0, y=0.0, z=0.0, w=0.0),
        )
    elif topic == "joint_states":
        made.name, made.position = ["joint1", "gripper"], [0.1 * message.count, 1.0]
    elif topic == "camera_info":
        made.k = [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
    else:
        made.width, made.height, made.step, made.encoding = 4, 2, 12, "rgb8"
        made.data = array("B", [1 + message.count % 250] * 24)
    return made


message.count = 0


def state(of: Any) -> str:
    return repr(of)


@pytest.mark.parametrize("fault", list(FAULTS.values()), ids=list(FAULTS))
def test_a_fault_does_something_and_ends(fault: Fault) -> None:
    rig = QuietRig()
    assert isinstance(rig, Rig)
    with fault.at(rig, Random(3)):
        for topic, change in list(rig.changes.items()):
            made = [message(topic) for _ in range(80)]
            before = [state(m) for m in made]
            after = [state(m) for one in made for m in change(one)]
            assert after != before, f"{topic} goes on as if nothing was"
    assert not rig.going_on
    assert not rig.changes
    assert rig.done or fault.try_hold


def test_faults_draw_the_same_for_the_same_seed() -> None:
    def far(seed: int) -> list[float]:
        rig = QuietRig()
        with FAULTS["arm_jumps"].at(rig, Random(seed)):
            one = message("tool_pose")
            x, y, z = one.pose.position.x, one.pose.position.y, one.pose.position.z
            (moved,) = rig.changes["tool_pose"](one)
            at = moved.pose.position
            return [round(v, 9) for v in (at.x - x, at.y - y, at.z - z)]

    assert far(1) == far(1)
    assert far(1) != far(2)
    assert 0.149 < math.hypot(*far(1)) < 1.001


def test_the_picture_bomb_is_a_small_picture() -> None:
    small = png(1000)
    assert len(small) < 1000
    picture = cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.shape == (1000, 1000)
