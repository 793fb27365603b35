"""A policy from pixels in the node, over DDS: named cameras, what is masked, faults, identity."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pixel_node import ONE, SLOWLY, TWO, pixel_rig, second_camera
from policy_rig import going

from robot_vision.ros.console.run import moment_of

pytestmark = pytest.mark.ros

NS = 1_000_000_000


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
            assert seen["identity"] == around.policy._configured.policy.manifest.identity
            assert f'"identity":"{seen["identity"]}"' in around.spec
            moment = moment_of(around.policy)  # for the console in the same process
            assert moment is not None
            assert (moment.bundle, moment.cameras) == (str(tmp_path), ("front", "wrist"))
            assert moment.inputs["rgb_wrist"].shape == (1, 2, 24, 32, 3)
            assert moment.first_action() == pytest.approx(SLOWLY, abs=1e-5)
            assert 0 <= moment.age_s < 60
            is_off.set()
            around.wait_for_status(holding=False, masked=["camera wrist"])
            around.wait_until_said("inputs", "masked: camera wrist")
            is_off.clear()
            around.wait_for_status(holding=False, masked=[])


@pytest.mark.parametrize(
    "given",
    [
        {"remappings": ["__ns:=/left", "wrist/rgb:=hand/rgb"]},
        {"remappings": ["__ns:=/left"], "cameras__wrist__rgb": "hand/rgb"},
    ],
    ids=["remapped", "parameter"],
)
def test_topics_of_cameras_are_below_the_namespace(tmp_path: Path, given: dict[str, Any]) -> None:
    with (
        pixel_rig(tmp_path, observation=TWO, **given) as around,
        second_camera(around, "hand/rgb"),
    ):
        going(around, "go")
        around.wait_for_status(holding=False, masked=[])
        named = {t.role: t.name for t in around.policy.topics if t.role.startswith("camera")}
        assert named == {"camera front": "/left/rgb", "camera wrist": "/left/hand/rgb"}


def test_a_camera_that_the_policy_lacks_is_warned_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pixel_rig(tmp_path, cameras__wirst__rgb="hand/rgb", cameras__front__rgb="rgb"):
        pass
    said = capfd.readouterr().err
    assert "cameras.wirst.rgb: expected .rgb, .depth or .raw_unit_m" in said
    assert "cameras.front.rgb" not in said


def test_a_camera_that_stops_or_stands_still_holds(tmp_path: Path) -> None:
    with pixel_rig(tmp_path) as around:
        going(around, "go")
        around.frames = False
        around.wait_until_held_for("perception is", "s old")
        around.frames = True
        around.wait_until_moving()
        around.frozen = True
        around.wait_until_held_for("the camera's picture has not changed for")
        around.frozen = False
        around.wait_until_moving()


def test_actions_that_are_not_numbers_hold(tmp_path: Path) -> None:
    with pixel_rig(tmp_path, base=(np.nan,) * 7) as around:
        around.instruct("go")
        around.enable()
        around.wait_until_held_for("not finite")


def test_a_clock_that_jumps_back_holds_and_goes_on_in_the_new_time(tmp_path: Path) -> None:
    with pixel_rig(tmp_path, observation=ONE, clock=True) as around:
        going(around, "go")
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
        ({"expected__cameras": "[left]"}, "uses camera 'front', which the robot does not have"),
        ({"expected__rate_hz": 20.0}, "it gives 10 actions per second, expected 20"),
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
        around.wait_until_held_for("which need a robot_description")
