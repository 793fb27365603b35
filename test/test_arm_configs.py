"""The parameter files of arms: what is in them is known, of the right type, and fits together."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from arm_packages import Source, text_of
from arm_schemas import CONTROLLERS, SERVO, SOURCES, Rule

from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.parameters.values import flatten, with_values

FOLDER = Path(__file__).resolve().parents[1] / "config" / "arms"
ARMS = sorted(path.name for path in FOLDER.iterdir())
WITH_SERVO = ["fr3", "ur5e"]


def read(arm: str, name: str) -> dict[str, dict[str, Any]]:
    """Parameters by node, with dotted names."""
    nodes = yaml.safe_load((FOLDER / arm / f"{name}.yaml").read_text())
    return {
        node.removeprefix("/**/"): dotted(values["ros__parameters"])
        for node, values in nodes.items()
    }


def dotted(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= dotted(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def policy_of(arm: str) -> PolicyNodeConfig:
    return with_values(PolicyNodeConfig(), read(arm, "robot_vision")["policy"])


def servo_of(arm: str) -> dict[str, Any]:
    (values,) = read(arm, "servo").values()
    assert all(name.startswith("moveit_servo.") for name in values)
    return {name.removeprefix("moveit_servo."): value for name, value in values.items()}


def problems(values: dict[str, Any], rules: dict[str, Rule]) -> list[str]:
    unknown = [f"{name} is unknown" for name in values if name not in rules]
    known = [f"{n}: {p}" for n, v in values.items() if n in rules and (p := rules[n].problem(v))]
    return unknown + known


@pytest.mark.parametrize("arm", ARMS)
def test_our_parameters_are_known_and_taken(arm: str) -> None:
    files = read(arm, "robot_vision")
    assert set(files) == {"policy", "perception"}
    assert set(files["policy"]) <= set(flatten(PolicyNodeConfig()))
    config = policy_of(arm)
    seen = with_values(NodeConfig(), files["perception"])
    assert seen.target_frame == config.frame_map().base_frame
    assert config.frame_map().tool_frame != "tool"
    assert config.tool_pose.source == "joints"
    assert config.watchdog.heartbeat_s > 0  # nobody holds the switch: nothing moves


@pytest.mark.parametrize("arm", ARMS)
def test_controllers_are_as_their_schema_says(arm: str) -> None:
    nodes = read(arm, "controllers")
    manager = nodes.pop("controller_manager", {})
    assert {"arm_trajectory_controller", "joint_trajectory_controller"} & set(nodes)
    for name, values in nodes.items():
        rules = CONTROLLERS[values.pop("type", "") or manager[f"{name}.type"]]
        joints = values.get("joints", [])
        inner = {name: _of_any_joint(name, joints) for name in values}
        assert not problems({inner[name]: value for name, value in values.items()}, rules)


def _of_any_joint(name: str, joints: list[str]) -> str:
    return ".".join("__map_joints" if part in joints else part for part in name.split("."))


@pytest.mark.parametrize("arm", WITH_SERVO)
def test_servo_is_as_its_schema_says_and_fits_what_we_send(arm: str) -> None:
    servo, policy = servo_of(arm), policy_of(arm)
    assert not problems(servo, SERVO)
    assert servo["command_in_type"] == "speed_units"
    # Servo cuts what is faster than this without a word; the tool would fall behind.
    assert servo["scale.linear"] >= policy.safety.max_speed_mps
    assert servo["scale.rotational"] >= policy.safety.max_turn_radps
    assert servo["incoming_command_timeout"] >= 3 / policy.command_hz
    assert servo["lower_singularity_threshold"] < servo["hard_stop_singularity_threshold"]
    assert servo["check_collisions"] is True
    controller = read(arm, "controllers")["arm_trajectory_controller"]
    assert servo["command_out_topic"] == "/arm_trajectory_controller/joint_trajectory"
    # Servo's trajectories end while they move; the controller refuses them otherwise.
    assert controller["allow_nonzero_velocity_at_trajectory_end"] is True
    assert controller["cmd_timeout"] > controller["constraints.goal_time"]
    (kinematics,) = read(arm, "moveit").values()
    group = servo["move_group_name"]
    assert f"robot_description_kinematics.{group}.kinematics_solver" in kinematics


@pytest.mark.parametrize(
    ("value", "rule", "words"),
    [
        (1, Rule("double"), "no double"),
        (0.0, Rule("double", above=0.0), "not above"),
        (["torque"], Rule("string_array", choices=("effort",)), "none of"),
        ([0.1, -0.1], Rule("double_array", least=0.0), "below"),
    ],
)
def test_a_rule_refuses(value: Any, rule: Rule, words: str) -> None:
    assert words in rule.problem(value)


@pytest.mark.slow
@pytest.mark.parametrize("branch", ["jazzy", "HEAD"])
@pytest.mark.parametrize(("rules", "repository", "path"), SOURCES, ids=lambda v: str(v)[-40:])
def test_the_table_is_as_the_public_schemas(
    rules: dict[str, Rule], repository: str, path: str, branch: str
) -> None:
    (schema,) = yaml.safe_load(text_of(Source(repository, branch, path))).values()
    for name, rule in rules.items():
        entry = schema
        for part in name.split("."):
            assert part in entry, name
            entry = entry[part]
        assert entry["type"] == rule.kind, name
        bounds = {key.removesuffix("<>"): v for key, v in entry.get("validation", {}).items()}
        if rule.above is not None:
            assert bounds["gt"] == rule.above, name
        if rule.least is not None:
            (least,) = [bounds[k] for k in ("gt_eq", "lower_element_bounds") if k in bounds]
            assert least in (rule.least, [rule.least]), name
        if rule.choices:
            (choices,) = [bounds[k] for k in ("one_of", "subset_of") if k in bounds]
            assert set(choices[0]) == set(rule.choices), name
