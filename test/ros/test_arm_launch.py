"""The launch files of arms, really launched: all programs are ours and write down what they get.

Arguments of the drivers' launch files are compared with their sources, where somebody fetched
them (`arm_packages`).
"""

import re
import sys
from pathlib import Path

import pytest
import yaml
from arm_packages import PACKAGES, Source, text_of
from launching import ROOT, install_package, launch

ARMS = ROOT / "launch" / "arms"
LENGTH = "tool_z_m:=0.16"
# Package of the driver's launch file, its path, what we are given at least.
DRIVERS = {
    "ur5e": ("ur_robot_driver", "launch/ur_control.launch.py", ["robot_ip:=1.2.3.4", LENGTH]),
    "fr3": ("franka_bringup", "launch/franka.launch.py", ["robot_ip:=1.2.3.4"]),
    "wx250s": ("interbotix_xsarm_control", "launch/xsarm_control.launch.py", []),
    "so101": ("so_arm101_description", "launch/controllers_bringup.launch.py", []),
}
PROGRAMS = {
    "robot_vision": ("vla_node", "console_node", "robot_sim"),
    "controller_manager": ("spawner", "ros2_control_node"),
    "moveit_servo": ("servo_node",),
}
SHARES = (
    "ur_moveit_config",
    "franka_description",
    "interbotix_xsarm_ros_control",
    *PROGRAMS,
    *(package for package, _, _ in DRIVERS.values()),
)
# Stands for every program: what it was given, and how a policy node in it would see that.
PROGRAM = f"""#!{sys.executable}
import json, os, sys, uuid
seen = {{"program": os.path.basename(sys.argv[0]), "arguments": sys.argv[1:]}}
if "vla_node" in seen["program"] or "servo_node" in seen["program"]:
    import rclpy
    from rclpy.node import Node
    from robot_vision.ros.common.arguments import command_line_last
    with command_line_last(sys.argv[1:]) as args:
        rclpy.init(args=[sys.argv[0], *args])
    names = ("policy", "perception") if "vla" in seen["program"] else ("servo_node",)
    for name in names:
        node = Node(name, automatically_declare_parameters_from_overrides=True)
        seen[name] = {{p: v.value for p, v in node.get_parameters_by_prefix("").items()}}
        seen["topics"] = seen.get("topics") or {{
            topic: node.resolve_topic_name(topic)
            for topic in ("~/command/pose", "~/command/twist", "~/command/joint_trajectory",
                          "joint_states", "rgb")
        }}
if seen["program"] == "xacro":
    print("<robot name='x'/>")
with open(os.path.join(os.environ["SEEN"], uuid.uuid4().hex), "w") as file:
    json.dump(seen, file, default=list)
sys.stdout.flush()
os._exit(0)
"""
# Stands for a driver's launch file: writes down the arguments that it was included with.
DRIVER = """
import json, os, uuid
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
def write(context):
    seen = {"program": "driver", "arguments": dict(context.launch_configurations)}
    with open(os.path.join(os.environ["SEEN"], uuid.uuid4().hex), "w") as file:
        json.dump(seen, file)
def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument("launch_rviz", default_value="true"),
            OpaqueFunction(function=write),
        ]
    )
"""


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    folder = tmp_path / "install"
    install_package(folder)
    index = folder / "share" / "ament_index" / "resource_index" / "packages"
    for package in SHARES:
        (index / package).touch()
        (folder / "share" / package).mkdir(exist_ok=True)
        for program in PROGRAMS.get(package, ()):
            _program(folder / "lib" / package / program)
    for program in ("xacro", "ros2"):
        _program(folder / "bin" / program)
    for package, path, _ in DRIVERS.values():
        file = folder / "share" / package / path
        file.parent.mkdir()
        file.write_text(DRIVER)
    return folder


def _program(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PROGRAM)
    path.chmod(0o755)


def launched(prefix: Path, arm: str, *arguments: str) -> tuple[list[dict], str]:
    """What ran, each with its arguments; the launch's output where it failed."""
    return launch(prefix, ARMS / f"{arm}.launch.py", *arguments)


def one(ran: list[dict], program: str) -> dict:
    (found,) = [r for r in ran if r["program"] == program]
    return found


@pytest.mark.parametrize("arm", ["ur5e", "fr3"])
@pytest.mark.parametrize(
    ("control", "topic", "number"),
    [("pose", "/servo_node/pose_target_cmds", 2), ("twist", "/servo_node/delta_twist_cmds", 1)],
)
def test_commands_go_to_servo_which_is_switched_to_their_kind(
    prefix: Path, arm: str, control: str, topic: str, number: int
) -> None:
    ran, problem = launched(
        prefix, arm, *DRIVERS[arm][2], f"control:={control}", "rgb:=/cam/rgb", "console:=true"
    )
    assert not problem
    assert one(ran, "console_node")
    service, servo = one(ran, "vla_node"), one(ran, "servo_node")["servo_node"]
    assert service["topics"][f"~/command/{control}"] == topic
    assert service["topics"]["~/command/joint_trajectory"] == "/policy/command/joint_trajectory"
    assert service["topics"]["rgb"] == "/cam/rgb"
    assert service["policy"]["joint_space.enabled"] is False
    assert one(ran, "ros2")["arguments"][-1] == f"{{command_type: {number}}}"
    assert servo["moveit_servo.command_in_type"] == "speed_units"
    assert servo["robot_description_semantic"].startswith("<robot")
    group = servo["moveit_servo.move_group_name"]
    assert servo[f"robot_description_kinematics.{group}.kinematics_solver"]
    assert one(ran, "xacro")["arguments"][0].endswith(".srdf.xacro")


@pytest.mark.parametrize(
    ("arm", "node", "topic"),
    [
        ("ur5e", "", "/arm_trajectory_controller/joint_trajectory"),
        ("fr3", "", "/arm_trajectory_controller/joint_trajectory"),
        ("wx250s", "/wx250s", "/wx250s/arm_trajectory_controller/joint_trajectory"),
        ("so101", "", "/joint_trajectory_controller/joint_trajectory"),
    ],
)
def test_joint_trajectories_go_to_the_controller(
    prefix: Path, arm: str, node: str, topic: str
) -> None:
    given = ["control:=joints"] if arm in {"ur5e", "fr3"} else []
    ran, problem = launched(prefix, arm, *DRIVERS[arm][2], *given)
    assert not problem
    service = one(ran, "vla_node")
    assert service["topics"]["~/command/joint_trajectory"] == topic
    assert service["topics"]["joint_states"] == f"{node}/joint_states"
    assert service["policy"]["joint_space.enabled"] is True
    assert {r["program"] for r in ran}.isdisjoint({"servo_node", "ros2"})
    loaded = {r["arguments"][0]: r["arguments"] for r in ran if r["program"] == "spawner"}
    if arm == "so101":  # its driver starts them, with our file
        assert not loaded
        assert one(ran, "driver")["arguments"]["controller_config_file"].endswith(
            "arms/so101/controllers.yaml"
        )
        return
    spawner = loaded["arm_trajectory_controller"]
    assert spawner[1:3] == ["--controller-manager", f"{node}/controller_manager"]
    file = yaml.safe_load(Path(spawner[4]).read_text())
    assert {f"/**/{name}" for name in loaded} <= set(file)


@pytest.mark.parametrize(
    ("arm", "arguments", "action", "name"),
    [
        ("fr3", [], "GripperCommand", "franka_gripper/gripper_action"),
        ("fr3", ["use_fake_hardware:=true"], "none", "franka_gripper/gripper_action"),
        ("fr3", ["gripper.action:=none"], "none", "franka_gripper/gripper_action"),
        ("ur5e", [], "none", "robotiq_gripper_controller/gripper_cmd"),
        (
            "ur5e",
            ["gripper.action:=GripperCommand", "gripper.action_name:=hand/cmd"],
            "GripperCommand",
            "hand/cmd",
        ),
        ("wx250s", [], "ParallelGripperCommand", "gripper_controller/gripper_cmd"),
        ("wx250s", ["gripper.action:=none"], "none", "gripper_controller/gripper_cmd"),
        ("so101", [], "ParallelGripperCommand", "gripper_controller/gripper_cmd"),
    ],
)
def test_the_gripper_is_led_by_an_action(
    prefix: Path, arm: str, arguments: list[str], action: str, name: str
) -> None:
    ran, problem = launched(prefix, arm, *DRIVERS[arm][2], *arguments)
    assert not problem
    policy = one(ran, "vla_node")["policy"]
    assert (policy["gripper.action"], policy["gripper.action_name"]) == (action, name)


@pytest.mark.parametrize("arm", list(DRIVERS))
def test_the_arms_parameters_are_taken_and_the_drivers_stay_its_own(
    prefix: Path, arm: str
) -> None:
    ran, _ = launched(prefix, arm, *DRIVERS[arm][2])
    service = one(ran, "vla_node")
    file = yaml.safe_load((ROOT / f"config/arms/{arm}/robot_vision.yaml").read_text())
    frames = file["/**/policy"]["ros__parameters"]["frames"]
    assert service["policy"]["frames.base"] == frames["base"]
    assert service["perception"]["target_frame"] == frames["base"]
    if arm == "ur5e":
        assert service["policy"]["frames.tool_position_m"] == [0.0, 0.0, 0.16]
    driver = one(ran, "driver")["arguments"]
    # This driver makes a dataclass of all arguments, which cannot have dots.
    assert arm != "so101" or all(name.isidentifier() for name in driver)
    assert driver.get("namespace", "") == ""
    assert (driver["launch_rviz"] == "true") == (arm != "ur5e")  # as nobody else declares it


@pytest.mark.parametrize("arm", list(DRIVERS))
def test_cameras_of_the_policy_reach_it(prefix: Path, arm: str) -> None:
    cameras = "policy_cameras:=wrist.rgb:=/hand/rgb front.rgb:=/cam/rgb"
    ran, problem = launched(prefix, arm, *DRIVERS[arm][2], cameras)
    assert not problem
    policy = one(ran, "vla_node")["policy"]
    assert (policy["cameras.wrist.rgb"], policy["cameras.front.rgb"]) == ("/hand/rgb", "/cam/rgb")


@pytest.mark.parametrize(
    ("arm", "arguments", "words"),
    [
        ("ur5e", [LENGTH], "robot_ip"),
        ("ur5e", ["robot_ip:=1.2.3.4"], "tool_z_m"),
        ("ur5e", ["robot_ip:=1.2.3.4", "tool_z_m:=long"], "frames.tool_position_m"),
        ("fr3", [], "robot_ip"),
        ("fr3", ["robot_ip:=1.2.3.4", "control:=torque"], "control"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    prefix: Path, arm: str, arguments: list[str], words: str
) -> None:
    ran, problem = launched(prefix, arm, *arguments)
    assert words in problem
    assert not [r for r in ran if r["program"] == "vla_node"]


@pytest.mark.parametrize("arm", list(DRIVERS))
def test_the_drivers_launch_file_declares_what_it_is_given(prefix: Path, arm: str) -> None:
    package, path, needed = DRIVERS[arm]
    repository, branch, folder = PACKAGES[package]
    source = text_of(Source(repository, branch, f"{folder}/{path}"))
    declared = set(re.findall(r"DeclareLaunchArgument\(\s*(?:name=)?[\"'](\w+)[\"']", source))
    ours = (ARMS / f"{arm}.launch.py").read_text()
    passed = re.search(r"\(driver\),\s*launch_arguments=\{(.*?)\}\.items", ours, re.DOTALL)
    assert passed is not None
    names = set(re.findall(r'^\s*"(\w+)":', passed[1], re.MULTILINE))
    assert names <= declared
    assert one(launched(prefix, arm, *needed)[0], "driver")
