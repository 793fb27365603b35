"""Every command that a document, an image or a workflow shows is one that there is."""

import ast
import importlib
import json
import re
import warnings
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from documented_commands import COMPOSE, DOCKERFILE, ROOT, Written, after, all_commands

from robot_vision.cli import app
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.console_config import ConsoleConfig
from robot_vision.core.parameters.demonstration_config import DemonstrationConfig
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.parameters.values import flatten

COMMANDS = all_commands()
LAUNCH = ROOT / "launch"
NAMES = {
    name
    for schema in (NodeConfig, PolicyNodeConfig, ConsoleConfig, DemonstrationConfig)
    for name in flatten(schema())
} | {"use_sim_time"}
# Declared by the policy node for the cameras of its policy.
NAMED_CAMERA = re.compile(r"cameras\.[A-Za-z]\w*\.(rgb|depth)")


def declared_in(file: Path) -> set[str]:
    """Arguments that a launch file declares, itself or by what it includes."""
    names = _by_launch(file) if _has_launch() else _by_reading(file)
    included = re.findall(r'"(\w+\.launch\.py)"', file.read_text())
    return names.union(*(declared_in(other) for name in included for other in launch_files(name)))


def launch_files(name: str) -> list[Path]:
    """Our launch file of that name; none for one of another package."""
    return list(LAUNCH.rglob(name))


def _has_launch() -> bool:
    """The folder launch/ is found under that name too, but as a package without a file."""
    specs = [find_spec(name) for name in ("launch", "launch_ros")]
    return all(spec is not None and spec.origin for spec in specs)


def _by_launch(file: Path) -> set[str]:
    spec = spec_from_file_location("launch_file", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what launch's parser imports
        spec.loader.exec_module(module)
        arguments = importlib.import_module("launch.actions").DeclareLaunchArgument
        entities = module.generate_launch_description().entities
    return {entity.name for entity in entities if isinstance(entity, arguments)}


def _by_reading(file: Path) -> set[str]:
    """Names given in place, and the keys of the tables that others are declared from."""
    tree = ast.parse(file.read_text())
    tables = {
        target.id: {ast.literal_eval(key) for key in node.value.keys if key is not None}
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "DeclareLaunchArgument":
            names |= {ast.literal_eval(a) for a in node.args if isinstance(a, ast.Constant)}
        if isinstance(node, ast.ListComp) and "DeclareLaunchArgument" in ast.unparse(node.elt):
            used = {n.id for n in ast.walk(node.generators[0].iter) if isinstance(n, ast.Name)}
            names |= {key for table in used for key in tables[table]}
    return names


@pytest.mark.parametrize(
    "written",
    [one for one in after("ros2", among=COMMANDS) if one.words[:2] == ("launch", "robot_vision")],
    ids=str,
)
def test_a_launch_file_declares_the_arguments_that_it_is_given(written: Written) -> None:
    name, *arguments = written.words[2:]
    given = {word.partition(":=")[0] for word in arguments if word != "--show-args"}
    (file,) = launch_files(name)
    assert given <= declared_in(file)


def test_reading_a_launch_file_finds_what_launching_finds() -> None:
    names = _by_reading(LAUNCH / "perception.launch.py")
    assert {"namespace", "rgb", "joint_states", "model", "camera_pose.source"} <= names
    if _has_launch():
        for file in LAUNCH.glob("*.launch.py"):
            assert _by_reading(file) == _by_launch(file)


@pytest.mark.parametrize("written", after("robot-vision", among=COMMANDS), ids=str)
def test_the_command_line_takes_it(written: Written) -> None:
    command: Any = typer.main.get_command(app)
    name, words, parent = "robot-vision", list(written.words), None
    while True:
        try:
            context = command.make_context(name, list(words), parent=parent)
        except typer.Exit:  # --help
            return
        except Exception as error:
            is_only_mentioned = not written.is_whole and (not words or "Missing" in str(error))
            if is_only_mentioned or "does not exist" in str(error):  # the user's own files
                return
            raise
        if not hasattr(command, "resolve_command"):
            return
        rest = [*context._protected_args, *context.args]
        if not rest and not written.is_whole:
            return
        name, command, words = command.resolve_command(context, rest)
        parent = context


@pytest.mark.parametrize(
    "written", [one for one in after("robot-vision", among=COMMANDS) if "-p" in one.words], ids=str
)
def test_parameters_that_are_set_are_parameters(written: Written) -> None:
    for flag, value in pairwise(written.words):
        if flag == "-p":
            parameter = re.sub(r"^\w+:(?!=)", "", value).partition(":=")[0]
            assert parameter in NAMES or NAMED_CAMERA.fullmatch(parameter), value


@pytest.mark.parametrize(
    "written",
    [one for one in COMMANDS if one.words[:1] == ("make",) and one.is_whole],
    ids=str,
)
def test_make_knows_the_target(written: Written) -> None:
    targets = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    wanted = {word for word in written.words[1:] if "=" not in word}
    assert wanted <= set(targets[1].split())


@pytest.mark.parametrize(
    "written",
    [one for one in COMMANDS if "-m" in one.words and one.is_whole],
    ids=str,
)
def test_a_module_that_is_run_is_there(written: Written) -> None:
    module = written.words[written.words.index("-m") + 1]
    if module.startswith("robot_vision"):
        assert find_spec(module) is not None


@pytest.mark.parametrize("written", after("docker", among=COMMANDS), ids=str)
def test_docker_is_asked_for_stages_and_services_that_there_are(written: Written) -> None:
    words = written.words
    stages = set(re.findall(r"^FROM .* AS (\S+)", DOCKERFILE.read_text(), re.MULTILINE))
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    for flag, value in pairwise(words):
        if flag == "-f":
            assert (ROOT / value).is_file()
        if flag == "--target" and "$" not in value:
            assert value in stages
        if flag == "up":
            assert value in services
        if flag == "--build-arg" and "$" not in value:
            name, distro = value.split("=")
            assert name == "ROS_DISTRO"
            assert (ROOT / f"constraints/{distro}.txt").is_file()


def test_compose_builds_what_there_is() -> None:
    stages = set(re.findall(r"^FROM .* AS (\S+)", DOCKERFILE.read_text(), re.MULTILINE))
    for service in yaml.safe_load(COMPOSE.read_text())["services"].values():
        build = service["build"]
        context = (COMPOSE.parent / build["context"]).resolve()
        assert (context / build["dockerfile"]).is_file()
        assert build["target"] in stages


def test_every_file_that_an_image_copies_reaches_docker() -> None:
    allowed = (ROOT / "docker/Dockerfile.dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    assert copied
    for source in " ".join(copied).split():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in allowed, source


def test_what_setup_py_installs_is_in_the_image() -> None:
    """colcon fails in the image where a data file is missing."""
    text = DOCKERFILE.read_text()
    setup = (ROOT / "setup.py").read_text()
    for folder in {m.split("/")[0] for m in re.findall(r'share\("([^"]+)"', setup)} | {"scripts"}:
        assert f"COPY {folder} {folder}" in text


def test_the_words_of_a_command_are_read_as_a_shell_reads_them() -> None:
    from documented_commands import _commands

    found = list(_commands("A=1 robot-vision run -p 'x:=[1]'  # why\nmake a && ls", where="x"))
    assert [one.words for one in found] == [
        ("A=1", "robot-vision", "run", "-p", "x:=[1]"),
        ("make", "a"),
        ("ls",),
    ]
    assert json.dumps(after("robot-vision", among=found)[0].words) == '["run", "-p", "x:=[1]"]'
