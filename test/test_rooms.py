"""Rooms of large packages: small, with a face, and no import goes upward."""

import ast
from pathlib import Path

import pytest
from test_walls import PACKAGE, imports_of

MOST_FILES = 12
# Lowest first: each room imports from its own line only itself, and else only what is above here.
LAYERS = {
    "ros": (
        ("middleware",),
        ("messages",),
        ("common",),
        ("perception", "simulation", "demonstrations", "source"),
        ("policy",),
        ("console",),
        ("run", "tools"),
        ("soak",),
    ),
    "replay": (("reading",), ("running",), ("reporting",), ("writing",), ("jobs",), ("judging",)),
    "console": (
        ("base_schema", "class_schema", "problems"),
        ("command_schema", "object_schema"),
        ("schema",),
        ("analysis_schema", "segment_schema", "why_schema"),
        ("client", "commander"),
        ("state",),
        ("pictures",),
        ("segments",),
        ("serving",),
    ),
    "demonstrations": (("writing",), ("recording",), ("check", "export")),
}
# Packages that show or measure the service: what serves must do without them.
ABOVE = {"bench", "commands", "demo", "cli", "doctor"}


def rooms() -> list[Path]:
    return [
        folder
        for package in LAYERS
        for folder in sorted((PACKAGE / package).rglob("*"))
        if folder.is_dir() and any(folder.glob("*.py"))
    ]


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[1]


@pytest.mark.parametrize("room", rooms(), ids=lambda room: str(room.relative_to(PACKAGE)))
def test_a_room_is_small_and_has_a_face(room: Path) -> None:
    assert len(list(room.glob("*.py"))) <= MOST_FILES
    face = ast.parse((room / "__init__.py").read_text())
    assert ast.get_docstring(face)
    assert len(face.body) == 1, "a face is a docstring: importing a room costs nothing"


@pytest.mark.parametrize("package", LAYERS)
def test_no_room_imports_upward(package: str) -> None:
    height = {room: i for i, layer in enumerate(LAYERS[package]) for room in layer}
    for path in sorted((PACKAGE / package).rglob("*.py")):
        room = room_of(path)
        if room == "__init__":
            continue
        imported = [
            n.split(".") for n in imports_of(path) if n.startswith(f"robot_vision.{package}.")
        ]
        others = {parts[2] for parts in imported} - {room}
        upward = {other for other in others if height[other] >= height[room]}
        assert upward == set(), f"{path} imports {upward}"


@pytest.mark.parametrize("package", LAYERS)
def test_what_serves_knows_nothing_of_what_shows_or_measures(package: str) -> None:
    for path in sorted((PACKAGE / package).rglob("*.py")):
        known = {n.split(".")[1] for n in imports_of(path) if n.startswith("robot_vision.")}
        assert known & ABOVE == set(), f"{path} imports {known & ABOVE}"


def test_topics_know_only_results_and_how_to_draw_them() -> None:
    for path in sorted((PACKAGE / "topics").glob("*.py")):
        known = {n.split(".")[1] for n in imports_of(path) if n.startswith("robot_vision.")}
        assert known <= {"core", "topics", "viz"}, f"{path} imports {known}"
