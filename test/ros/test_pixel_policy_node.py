"""A policy from pixels in the node, over DDS: named cameras, what is masked, faults, identity."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from native_bundle import HEIGHT_PX, WIDTH_PX
from pixel_bundle import FRONT, WRIST, write_pixel_bundle
from policy_rig import Surroundings, ros_arguments, served, surroundings
from rclpy.context import Context
from sensor_msgs.msg import Image

from robot_vision.core.observation_spec import ObservationSpec
from robot_vision.ros.messages.convert import header
from robot_vision.ros.policy.node import PolicyNode

pytestmark = pytest.mark.ros

ONE = ObservationSpec(cameras=(FRONT,), words="none")
TWO = ONE.model_copy(update={"cameras": (FRONT, WRIST), "steps": 2, "step_s": 0.1})
# 2 cm a second away from the base.
NS = 1_000_000_000
SLOWLY = (0.002, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


@contextmanager
def pixel_rig(
    folder: Path,
    *,
    observation: ObservationSpec = ONE,
    base: Sequence[float] = SLOWLY,
    clock: bool = False,
    spec: dict[str, Any] | None = None,
    **parameters: Any,
) -> Iterator[Surroundings]:
    """The node alone, without perception, with camera, arm and operator around it."""
    write_pixel_bundle(folder, observation=observation, base=base, spec=spec)
    given = {
        "policy": folder,
        "report_period_s": 0.2,
        "watchdog.perception_s": 1.0,
        "watchdog.robot_state_s": 1.5,
        "use_sim_time": clock,
        **{name.replace("__", "."): value for name, value in parameters.items()},
    }

    def nodes(context: Context) -> list[Any]:
        return [PolicyNode(context=context, cli_args=ros_arguments(given))]

    with surroundings(clock=clock) as around, served(nodes) as made:
        around.policy = made[0]
        around.wait_for(lambda: made[0].state == "active" or made[0].problem)
        yield around


def going(around: Surroundings) -> None:
    around.instruct("go")
    around.enable()
    around.wait_until_moving()


@contextmanager
def second_camera(around: Surroundings, topic: str) -> Iterator[Event]:
    """A camera of 20 Hz that is on while the event is not set."""
    publisher = around.node.create_publisher(Image, topic, 5)
    random, is_off, ended = np.random.default_rng(1), Event(), Event()

    def publish() -> None:
        while not ended.wait(0.05):
            if not is_off.is_set():
                publisher.publish(
                    Image(
                        header=header(around.node.get_clock().now().nanoseconds, "wrist"),
                        height=HEIGHT_PX,
                        width=WIDTH_PX,
                        encoding="rgb8",
                        step=3 * WIDTH_PX,
                        data=random.bytes(3 * WIDTH_PX * HEIGHT_PX),
                    )
                )

    thread = Thread(target=publish)
    thread.start()
    try:
        yield is_off
    finally:
        ended.set()
        thread.join()


def test_a_second_camera_is_waited_for_and_masked_when_it_goes(tmp_path: Path) -> None:
    with pixel_rig(
        tmp_path,
        observation=TWO,
        cameras__wrist__rgb="hand/rgb",
        expected__cameras="[front, wrist]",
    ) as around:
        around.instruct("go")
        around.enable()
        around.wait_until_held_for("camera wrist has shown nothing yet")
        with second_camera(around, "hand/rgb") as is_off:
            around.wait_until_moving()
            seen = around.wait_for_status(holding=False, masked=[])
            assert seen["identity"] == around.policy._loaded.policy.manifest.identity
            assert f'"identity":"{seen["identity"]}"' in around.spec
            is_off.set()
            around.wait_for_status(holding=False, masked=["camera wrist"])
            around.wait_until_said("inputs", "masked: camera wrist")
            is_off.clear()
            around.wait_for_status(holding=False, masked=[])


def test_a_camera_that_stops_or_stands_still_holds(tmp_path: Path) -> None:
    with pixel_rig(tmp_path) as around:
        going(around)
        around.frames = False
        around.wait_until_held_for("perception is", "s old")
        around.frames = True
        around.wait_until_moving()
        around.frozen = True
        around.wait_until_held_for("the camera's picture has not changed for")
        around.frozen = False
        around.wait_until_moving()


def test_actions_that_are_no_numbers_hold(tmp_path: Path) -> None:
    with pixel_rig(tmp_path, base=(np.nan,) * 7) as around:
        around.instruct("go")
        around.enable()
        around.wait_until_held_for("not finite")


def test_a_clock_that_jumps_back_holds_and_goes_on_in_the_new_time(tmp_path: Path) -> None:
    with pixel_rig(tmp_path, observation=ONE, clock=True) as around:
        going(around)
        before_ns = around.stamps_ns()[-1]
        around.clock_shift_ns = -3600 * NS
        around.wait_for(lambda: any("clock" in s["interventions"] for s in around.statuses[-5:]))
        around.wait_until_moving()
        assert around.stamps_ns()[-1] < before_ns


def test_a_camera_too_slow_for_what_was_trained_holds(tmp_path: Path) -> None:
    fast = ONE.model_copy(update={"steps": 2, "step_s": 0.02})
    with pixel_rig(tmp_path, observation=fast) as around:
        around.instruct("go")
        around.enable()
        around.wait_until_held_for("camera front gives", "and needs 50")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"expected__identity": "f" * 64}, "identity is"),
        ({"expected__cameras": "[left]"}, "by camera 'front', which the robot has not"),
        ({"expected__rate_hz": 20.0}, "its actions are 10 a second, expected 20"),
        ({"expected__joint_names": "[a, b]"}, "joint_names is (), expected ('a', 'b')"),
    ],
    ids=["identity", "camera", "rate", "joints"],
)
def test_what_means_something_else_refuses_to_start(
    tmp_path: Path, parameters: dict[str, Any], words: str
) -> None:
    with pixel_rig(tmp_path, **parameters) as around:
        assert words in around.policy.problem
        assert around.policy.state != "active"


def test_joint_targets_hold_without_a_description(tmp_path: Path) -> None:
    spec = {"joint_names": ("a", "b")}
    with pixel_rig(tmp_path, base=(0.1, 0.2, 1.0), spec=spec) as around:
        around.instruct("go")
        around.enable()
        around.wait_until_held_for("no robot_description says where they take the tool")
