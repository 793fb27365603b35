"""Blocks of code in documents that say that they run.

Marks: `<!-- runs -->`, `<!-- runs: slow -->`, and `<!-- runs: next -->` for one that goes on in
the folder of the one above.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(
    r"^<!-- runs(?:: (?P<how>slow|next))? -->\n```(?P<kind>python|sh)\n(?P<code>.*?)^```",
    re.M | re.S,
)
_MARK = re.compile(r"^<!-- runs", re.M)
_LINKED = ("robot_vision/data", "config")


@dataclass(frozen=True, kw_only=True)
class Block:
    """`steps`: kind and code, the later ones of blocks that follow in the same folder."""

    where: str
    is_slow: bool
    steps: list[tuple[str, str]] = field(default_factory=list)


def blocks() -> list[Block]:
    found: list[Block] = []
    for path in DOCUMENTS:
        text = path.read_text()
        for block in _BLOCK.finditer(text):
            where = f"{path.name}:{text.count(chr(10), 0, block.start()) + 1}"
            if block["how"] == "next":
                assert found[-1].where.startswith(f"{path.name}:"), f"{where} follows none"
            else:
                found.append(Block(where=where, is_slow=block["how"] == "slow"))
            found[-1].steps.append((block["kind"], block["code"]))
    return found


BLOCKS = blocks()


@pytest.mark.parametrize(
    "block",
    [pytest.param(b, id=b.where, marks=[pytest.mark.slow] * b.is_slow) for b in BLOCKS],
)
def test_a_block_that_says_so_runs(block: Block, tmp_path: Path) -> None:
    """In a folder that has what a checkout has, and with the programs of this environment."""
    for name in _LINKED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    for kind, code in block.steps:
        runner = [sys.executable, "-P", "-c"] if kind == "python" else ["bash", "-euc"]
        done = subprocess.run(
            [*runner, code], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert (done.stdout + done.stderr).strip()


def test_every_mark_is_that_of_a_block() -> None:
    marks = sum(len(_MARK.findall(path.read_text())) for path in DOCUMENTS)
    assert marks == sum(len(block.steps) for block in BLOCKS)


def test_the_front_door_runs() -> None:
    """README and both ways to begin without a robot show code that is tried."""
    pages = {block.where.partition(":")[0] for block in BLOCKS}
    assert {"README.md", "getting_started.md", "getting_started_recording.md"} <= pages
    assert {kind for block in BLOCKS for kind, _ in block.steps} == {"python", "sh"}
