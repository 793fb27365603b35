"""What is printed: a stranger's words neither style, move nor break the terminal."""

import ast
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress
from rich.table import Table

from robot_vision.core.files.foreign import brief, plain
from robot_vision.terminal import Screen, styled, text_column

PACKAGE = Path(__file__).resolve().parents[1] / "robot_vision"
HOSTILE = "[red]x[/red][/] :smile: \x1b[2J\x9b2J\x07\r\b \udcff \u202ereversed"
SHOWN = "[red]x[/red][/] :smile: \\x1b[2J\\x9b2J\\x07\\r\\x08 \\udcff \\u202ereversed"


def printed(*things: object) -> str:
    screen = Screen()
    screen.file = StringIO()
    screen.width = 300
    for thing in things:
        screen.print(thing)
    return screen.file.getvalue()


def test_a_line_shows_every_letter_and_obeys_none() -> None:
    assert printed(HOSTILE) == SHOWN + "\n"
    assert plain(HOSTILE) == SHOWN


def test_what_turns_the_order_of_letters_is_an_escape() -> None:
    marks = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    assert plain(marks) == marks.encode("unicode_escape").decode()
    assert brief(marks).isascii()


def test_a_table_shows_every_letter_and_obeys_none() -> None:
    table = Table(HOSTILE, title=HOSTILE, caption=HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(styled(HOSTILE, "bold"))
    assert printed(table).count(SHOWN) == 5


def test_a_progress_bar_shows_every_letter_and_obeys_none() -> None:
    screen = Screen()
    screen.file = StringIO()
    screen.width = 300
    with Progress(text_column("{task.description}"), console=screen) as bar:
        bar.add_task(brief(HOSTILE))
    assert SHOWN in screen.file.getvalue()


def test_a_long_text_costs_little_and_says_how_much_is_left_out() -> None:
    assert "(900000 more characters)" in printed("x" * 1_000_000)
    assert len(brief("x" * 1_000_000)) < 300


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_any_text_can_be_printed_and_encoded(text: str) -> None:
    printed(text).encode()
    assert "\x1b" not in printed(text)


def test_only_the_screen_makes_consoles() -> None:
    """Else markup in a name would be obeyed again somewhere."""
    offenders = []
    for path in PACKAGE.rglob("*.py"):
        if path == PACKAGE / "terminal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich"):
                names = {alias.name for alias in node.names}
                offenders += [path.name for name in names & {"Console", "print", "escape"}]
    assert offenders == []


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_an_error_about_a_hostile_folder_is_one_clear_line(tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / os.fsdecode(b"[red]\xff\x1b[2J[bold]")
    folder.mkdir()
    result = subprocess.run(
        [sys.executable, "-m", "robot_vision", "demonstrations", "info", os.fspath(folder)],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "1000"},
        timeout=180,
    )
    assert result.returncode == 2
    assert b"Traceback" not in result.stderr
    assert b"\x1b[2J" not in result.stderr
    assert b"[red]\\udcff\\x1b[2J[bold] is not a dataset" in result.stderr


def test_a_file_that_may_not_be_read_is_an_error_in_words(tmp_path: Path) -> None:
    """`--out` in the place of a file: the system's own words, no traceback."""
    (tmp_path / "file").write_text(json.dumps({}))
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "robot_vision",
            "compare",
            "/proc/self/mem",
            str(tmp_path / "file"),
        ],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 2
    assert "error: " in result.stderr
    assert "Traceback" not in result.stderr
