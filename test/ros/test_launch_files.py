"""Launch files, launched for real where `launch` is installed: what they start, with what.

Programs that write down what they were given stand in for the nodes. `launch` and `launch_ros`
are pure Python and come with ROS; where they are not installed, their sources on PYTHONPATH do.
"""

import ast
import sys
from pathlib import Path

import pytest
from launching import ROOT, install_package, launch

LAUNCH = ROOT / "launch"
EXECUTABLES = ("perception_node", "vla_node", "console_node", "robot_sim")
# Started by launch instead of a node: reads the parameters as the node would, and ends.
NODE = f"""#!{sys.executable}
import json, os, sys, uuid
import rclpy
from rclpy.node import Node
from robot_vision.ros.common.arguments import command_line_last
with command_line_last(sys.argv[1:]) as args:
    rclpy.init(args=[sys.argv[0], *args])
seen = {{"executable": os.path.basename(sys.argv[0]), "nodes": {{}}}}
for name in ("perception", "policy", "console"):
    node = Node(name, automatically_declare_parameters_from_overrides=True)
    seen["nodes"][node.get_fully_qualified_name()] = {{
        "rgb": node.resolve_topic_name("rgb"),
        "parameters": {{
            name: p.value for name, p in node.get_parameters_by_prefix("").items()
        }},
    }}
seen["profile"] = os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE")
with open(os.path.join(os.environ["SEEN"], uuid.uuid4().hex), "w") as file:
    json.dump(seen, file)
os._exit(0)
"""


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An installation as colcon makes it, with programs that write down what they are given."""
    folder = tmp_path / "install"
    install_package(folder)
    programs = folder / "lib" / "robot_vision"
    programs.mkdir(parents=True)
    for name in EXECUTABLES:
        (programs / name).write_text(NODE)
        (programs / name).chmod(0o755)
    return folder


class Launched:
    """What a launch started, by executable; `problem` is its output where it failed."""

    def __init__(self, prefix: Path, file: str, *arguments: str) -> None:
        started, self.problem = launch(prefix, LAUNCH / f"{file}.launch.py", *arguments)
        self.executables = sorted(one["executable"] for one in started)
        self.profiles = {one["profile"] for one in started}
        self.nodes = {
            (one["executable"], name): node
            for one in started
            for name, node in one["nodes"].items()
        }

    def parameter(self, executable: str, node: str, name: str) -> object:
        return self.nodes[executable, node]["parameters"][name]


def test_every_argument_can_be_given(prefix: Path) -> None:
    given = {
        "namespace": "front",
        "with_policy": "true",
        "rgb": "/cam/rgb",
        "model": "123",
        "device": "cpu",
        "target_frame": "base",
        "autostart": "false",
        "use_sim_time": "true",
        "policy": "mine",
        "camera_pose.source": "topic",
        "console": "true",
        "console_port": "9000",
        "robot_sim": "true",
        "tool_pose": "/arm/tool",
    }
    started = Launched(prefix, "perception", *(f"{k}:={v}" for k, v in given.items()))
    assert not started.problem
    assert started.executables == ["console_node", "robot_sim", "vla_node"]
    assert started.profiles == {str(prefix / "share/robot_vision/config/fastdds_shm.xml")}
    assert started.nodes["vla_node", "/front/perception"]["rgb"] == "/cam/rgb"
    perception = started.nodes["vla_node", "/front/perception"]["parameters"]
    assert perception["model"] == "123"
    assert (perception["autostart"], perception["use_sim_time"]) == (False, True)
    assert (perception["device"], perception["target_frame"]) == ("cpu", "base")
    policy = started.nodes["vla_node", "/front/policy"]["parameters"]
    assert (policy["policy"], policy["camera_pose.source"]) == ("mine", "topic")
    assert started.parameter("console_node", "/front/console", "port") == 9000
    assert started.parameter("console_node", "/front/console", "use_sim_time") is True


def test_cameras_of_the_policy_have_topics_of_their_own(prefix: Path) -> None:
    words = "front.depth:=/cam/depth wrist.rgb:=hand/rgb wrist.raw_unit_m:=0.0001"
    started = Launched(prefix, "vla", "namespace:=left", f"policy_cameras:={words}")
    assert not started.problem
    policy = started.nodes["vla_node", "/left/policy"]["parameters"]
    assert policy["cameras.front.depth"] == "/cam/depth"
    assert (policy["cameras.wrist.rgb"], policy["cameras.wrist.raw_unit_m"]) == ("hand/rgb", 1e-4)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("wrist:=/hand/rgb", "policy_cameras has 'wrist:=/hand/rgb'; expected CAMERA.rgb:=TOPIC"),
        ("wrist.rgbd:=/hand/rgb", "'wrist.rgbd:=/hand/rgb'"),
        ("wrist.raw_unit_m:=mm", "wrist.raw_unit_m:=mm; expected a number"),
    ],
)
def test_a_camera_that_is_none_is_named(prefix: Path, words: str, says: str) -> None:
    started = Launched(prefix, "vla", f"policy_cameras:={words}")
    assert says in started.problem
    assert started.executables == []


def test_each_namespace_has_a_node_a_console_and_a_robot_of_its_own(prefix: Path) -> None:
    started = Launched(prefix, "vla", "namespace:=front, rear", "console:=true", "robot_sim:=true")
    assert not started.problem
    assert started.executables == [f for f in sorted(EXECUTABLES[1:]) for _ in range(2)]
    for number, namespace in enumerate(("front", "rear")):
        node = f"/{namespace}/console"
        assert started.nodes["vla_node", f"/{namespace}/perception"]["rgb"] == f"/{namespace}/rgb"
        assert started.parameter("console_node", node, "port") == 8088 + number
        assert ("robot_sim", f"/{namespace}/policy") in started.nodes


def test_arguments_win_against_parameter_files_of_any_form(prefix: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "/**:\n  ros__parameters:\n    model: theirs\n    policy: theirs\n"
        "    camera_pose:\n      source: tf\n    device: cuda\n"
        "/policy:\n  ros__parameters:\n    policy: theirs as well\n"
    )
    started = Launched(
        prefix,
        "vla",
        f"params_file:={file}",
        "model:=ours",
        "policy:=ours",
        "camera_pose.source:=parameters",
    )
    assert not started.problem
    perception = started.nodes["vla_node", "/perception"]["parameters"]
    policy = started.nodes["vla_node", "/policy"]["parameters"]
    assert (perception["model"], policy["policy"]) == ("ours", "ours")
    assert policy["camera_pose.source"] == "parameters"
    assert perception["device"] == "cuda"  # nobody said otherwise


def test_what_is_not_said_is_left_to_the_files(prefix: Path) -> None:
    started = Launched(prefix, "vla", "with_policy:=false")
    assert started.executables == ["perception_node"]
    assert started.parameter("perception_node", "/perception", "model") == "native-s"


def test_an_argument_that_is_neither_yes_nor_no_is_named(prefix: Path) -> None:
    started = Launched(prefix, "perception", "autostart:=maybe")
    assert "autostart:=maybe; expected true or false" in started.problem
    assert started.executables == []


def test_what_launch_files_refer_to_exists() -> None:
    from robot_vision.core.parameters.config import NodeConfig
    from robot_vision.core.parameters.robot_config import PolicyNodeConfig
    from robot_vision.core.parameters.values import flatten

    tree = ast.parse((LAUNCH / "perception.launch.py").read_text())
    assigned = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }

    def names(table: str) -> set[str]:
        value = assigned[table]
        assert isinstance(value, ast.Dict)
        return {key.value for key in value.keys if isinstance(key, ast.Constant)}

    assert names("PARAMETERS") - {"use_sim_time"} <= set(flatten(NodeConfig()))
    assert names("POLICY_PARAMETERS") <= set(flatten(PolicyNodeConfig()))
    for file in (
        "config/perception.yaml",
        "config/policy.yaml",
        "config/fastdds_shm.xml",
        "config/rviz/perception.rviz",
    ):
        assert (ROOT / file).is_file()
    entry_points = (ROOT / "setup.py").read_text()
    for executable in EXECUTABLES:
        assert f'"{executable} = robot_vision.ros.' in entry_points
