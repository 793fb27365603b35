"""Blocks of code in documents that say that they run: `<!-- runs -->` or `<!-- runs: slow -->`."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(
    r"^<!-- runs(?P<slow>: slow)? -->\n```(?P<kind>python|sh)\n(?P<code>.*?)^```", re.M | re.S
)
_MARK = re.compile(r"^<!-- runs", re.M)


@dataclass(frozen=True, kw_only=True)
class Block:
    where: str
    kind: str
    code: str
    is_slow: bool


def blocks() -> list[Block]:
    return [
        Block(
            where=f"{path.name}:{text.count(chr(10), 0, found.start()) + 1}",
            kind=found["kind"],
            code=found["code"],
            is_slow=bool(found["slow"]),
        )
        for path in DOCUMENTS
        for text in [path.read_text()]
        for found in _BLOCK.finditer(text)
    ]


BLOCKS = blocks()


@pytest.mark.parametrize(
    "block",
    [pytest.param(b, id=b.where, marks=[pytest.mark.slow] * b.is_slow) for b in BLOCKS],
)
def test_a_block_that_says_so_runs(block: Block, tmp_path: Path) -> None:
    """In a folder that has what a checkout has, and with the programs of this environment."""
    (tmp_path / "robot_vision").mkdir()
    (tmp_path / "robot_vision/data").symlink_to(ROOT / "robot_vision/data")
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    runner = [sys.executable, "-P", "-c"] if block.kind == "python" else ["bash", "-euc"]
    done = subprocess.run(
        [*runner, block.code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_mark_is_that_of_a_block() -> None:
    marks = sum(len(_MARK.findall(path.read_text())) for path in DOCUMENTS)
    assert marks == len(BLOCKS)


def test_the_front_door_runs() -> None:
    """README and both ways to begin without a robot show code that is tried."""
    pages = {block.where.partition(":")[0] for block in BLOCKS}
    assert {"README.md", "getting_started.md", "getting_started_recording.md"} <= pages
    assert {block.kind for block in BLOCKS} == {"python", "sh"}
