"""Launch files: they are right Python, and build the nodes that their arguments say.

Recorders with the names of `launch` stand in for it; CI asks the real one for the arguments.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ROOT / "launch"
NAMES = {
    "launch": ["LaunchContext", "LaunchDescription"],
    "launch.actions": [
        "DeclareLaunchArgument",
        "ExecuteProcess",
        "IncludeLaunchDescription",
        "OpaqueFunction",
        "SetEnvironmentVariable",
    ],
    "launch.conditions": ["IfCondition"],
    "launch.launch_description_sources": ["PythonLaunchDescriptionSource"],
    "launch.substitutions": ["LaunchConfiguration", "PathJoinSubstitution"],
    "launch_ros": [],
    "launch_ros.actions": ["Node", "SetParameter"],
    "launch_ros.parameter_descriptions": ["ParameterValue"],
    "launch_ros.substitutions": ["FindPackageShare"],
}


class Recorder:
    """Keeps the arguments that it was made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def perform(self, context: dict[str, str]) -> str:
        return context[self.args[0]]


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    for module_name, names in NAMES.items():
        module = ModuleType(module_name)
        for name in names:
            setattr(module, name, type(name, (Recorder,), {}))
        monkeypatch.setitem(sys.modules, module_name, module)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, LAUNCH / f"{name}.launch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of_kind(actions: list[Any], kind: str) -> list[Any]:
    return [action for action in actions if type(action).__name__ == kind]


def described(name: str) -> list[Any]:
    return load(name).generate_launch_description().args[0]


def defaults_of(actions: list[Any]) -> dict[str, str]:
    declared = of_kind(actions, "DeclareLaunchArgument")
    values = {a.args[0]: a.kwargs.get("default_value") for a in declared}
    return {name: value if isinstance(value, str) else "" for name, value in values.items()}


@pytest.mark.usefixtures("stand_ins")
def test_every_camera_gets_a_node_in_its_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTRTPS_DEFAULT_PROFILES_FILE", raising=False)
    actions = described("perception")
    (environment,) = of_kind(actions, "SetEnvironmentVariable")
    assert environment.args[0] == "FASTRTPS_DEFAULT_PROFILES_FILE"
    (opaque,) = of_kind(actions, "OpaqueFunction")
    context = defaults_of(actions) | {
        "namespace": "front,left",
        "params_file": "p.yaml",
        "rgb": "/cam/rgb",
        "model": "m",
    }
    front, left = opaque.kwargs["function"](context)
    assert (front.kwargs["namespace"], left.kwargs["namespace"]) == ("front", "left")
    assert (front.kwargs["package"], front.kwargs["executable"], front.kwargs["name"]) == (
        "robot_vision",
        "perception_node",
        "perception",
    )
    assert ("rgb", "/cam/rgb") in front.kwargs["remappings"]
    file, changes = front.kwargs["parameters"]
    assert file == "p.yaml"
    assert set(changes) == {"model"}


@pytest.mark.usefixtures("stand_ins")
def test_with_the_policy_both_are_in_one_process_under_their_own_names() -> None:
    actions = described("perception")
    (opaque,) = of_kind(actions, "OpaqueFunction")
    context = defaults_of(actions) | {
        "with_policy": "true",
        "params_file": "p.yaml",
        "policy_params_file": "q.yaml",
        "policy": "mine",
        "tool_pose": "/arm/tool",
    }
    (node,) = opaque.kwargs["function"](context)
    assert node.kwargs["executable"] == "vla_node"
    assert "name" not in node.kwargs
    assert ("tool_pose", "/arm/tool") in node.kwargs["remappings"]
    *files, changes = node.kwargs["parameters"]
    assert files == ["p.yaml", "q.yaml"]
    assert set(changes) == {"policy"}


@pytest.mark.usefixtures("stand_ins")
def test_vla_starts_the_policy_unless_told_otherwise_and_the_console_on_request() -> None:
    actions = described("vla")
    assert defaults_of(actions) == {
        "with_policy": "true",
        "console": "false",
        "robot_sim": "false",
    }
    (include,) = of_kind(actions, "IncludeLaunchDescription")
    passed = dict(include.kwargs["launch_arguments"])
    assert passed["with_policy"].args[0] == "with_policy"
    nodes = {node.kwargs["executable"]: node.kwargs for node in of_kind(actions, "Node")}
    assert nodes["console_node"]["condition"].args[0].args[0] == "console"
    assert nodes["robot_sim"]["condition"].args[0].args[0] == "robot_sim"


@pytest.mark.usefixtures("stand_ins")
def test_a_profile_of_the_user_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/mine.xml")
    assert of_kind(described("perception"), "SetEnvironmentVariable") == []


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("name", ["vla", "replay"])
def test_the_others_include_perception(name: str) -> None:
    (include,) = of_kind(described(name), "IncludeLaunchDescription")
    path = include.args[0].args[0]
    assert path.args[0][1:] == ["launch", "perception.launch.py"]


@pytest.mark.usefixtures("stand_ins")
def test_what_launch_files_refer_to_exists() -> None:
    from robot_vision.core.config import NodeConfig, flatten
    from robot_vision.core.robot_config import PolicyNodeConfig

    launch = load("perception")
    assert set(launch.PARAMETERS) - {"use_sim_time"} <= set(flatten(NodeConfig()))
    assert set(launch.POLICY_PARAMETERS) <= set(flatten(PolicyNodeConfig()))
    for file in (
        "config/perception.yaml",
        "config/policy.yaml",
        "config/fastdds_shm.xml",
        "config/rviz/perception.rviz",
    ):
        assert (ROOT / file).is_file()
    executables = (ROOT / "setup.py").read_text()
    for executable in ("perception_node", "vla_node", "robot_sim", "console_node"):
        assert f'"{executable} = robot_vision.ros.' in executables
