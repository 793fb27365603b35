"""Trains with an old commit and this tree, and compares weights bit for bit and time per step.

`python tools/compare_training.py [OLD_COMMIT]` makes tiny sets in a temporary folder, trains
native-s and policy-s in separate, alternating processes, kills one run and resumes it, and prints
a table. A step's time is the median of a run: of the wall, or of the processor
(`--clock processor`), which other work on the machine hardly changes. The old commit is one from
before the shared engine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch
import yaml
from safetensors.torch import load_file

from robot_vision.machine import describe_machine

ROOT = Path(__file__).resolve().parents[1]
BEFORE_ONE_ENGINE = "3adcfe3"
STEPS, ROUND_STEPS = 30, 15
SIZE = (224, 160)
BATCH = {"perception": 8, "policy": 64}
MODELS = {"perception": "native-s", "policy": "policy-s"}
CLOCKS = {"wall": "perf_counter", "processor": "process_time"}

# Records when each step ended, by the given clock, in either tree.
REPORTER = """
import json, sys, time
from pathlib import Path
recipe, out, clock = Path(sys.argv[1]), Path(sys.argv[2]), getattr(time, sys.argv[3])
class Reporter:
    def __init__(self): self.ends_s = []
    def on_step(self, *_): self.ends_s.append(clock())
    def on_round(self, row): pass
    def on_note(self, text): pass
reporter = Reporter()
"""
TRAIN = {
    ("old", "perception"): """
from robot_vision.training.recipe import load_recipe
from robot_vision.training.train import train
train(load_recipe(recipe), out, reporter=reporter)
""",
    ("old", "policy"): """
from robot_vision.training.policy.recipe import load_policy_recipe
from robot_vision.training.policy.train import train_policy
from robot_vision.training.policy.words import robot_vocabulary
train_policy(load_policy_recipe(recipe), out, vocabulary=robot_vocabulary(), reporter=reporter)
""",
    ("new", "perception"): """
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import load_recipe
train(load_recipe(recipe), out, reporter=reporter)
""",
}
TRAIN["new", "policy"] = TRAIN["new", "perception"]
REPORT = """
(out / "ends_s.json").write_text(json.dumps(reporter.ends_s))
"""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two trees, and how it is asked to train."""

    name: str
    tree: Path
    clock: str = "perf_counter"

    def command(self, task: str, recipe: Path, out: Path) -> list[str]:
        program = REPORTER + TRAIN[self.name, task] + REPORT
        return [sys.executable, "-c", program, str(recipe), str(out), self.clock]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old_commit", nargs="?", default=BEFORE_ONE_ENGINE)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side, in turns")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    clock = CLOCKS[options.clock]
    with tempfile.TemporaryDirectory() as name, old_tree(options.old_commit, Path(name)) as old:

        def side(name: str, tree: Path) -> Side:
            return Side(name=name, tree=tree, clock=clock)

        folder, sides = Path(name), (side("old", old), side("new", ROOT))
        make_sets(folder)
        rows = [compare(task, sides, folder, options.repeats) for task in MODELS]
    print(f"{STEPS} steps by {options.old_commit} and by this tree, best of {options.repeats}")
    print(f"milliseconds a step by the {options.clock}:\n")
    print("| task | batch | old | new | weights | stopped and gone on |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))
    print(", ".join(f"{name} {value}" for name, value in describe_machine().items()))


@contextmanager
def old_tree(commit: str, folder: Path) -> Iterator[Path]:
    """A worktree of the commit while the block runs."""
    tree = folder / "old"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", str(tree), commit], check=True, capture_output=True)
    try:
        yield tree
    finally:
        subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def make_sets(folder: Path) -> None:
    """Make both sets with this tree: both sides use the same data."""
    here = Side(name="new", tree=ROOT)
    size = f"{SIZE[0]}x{SIZE[1]}"
    scenes = ["scenes", "generate", "--out", str(folder / "scenes"), "--count", "24", "--size"]
    run(here, [*scenes, size, "--seed", "5", "--split", "train", "--processes", "1"])
    episodes = ["collect", "--out", str(folder / "episodes"), "--episodes", "3", "--frames", "12"]
    run(here, [*episodes, "--seed", "5", "--processes", "1"])


def run(side: Side, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "robot_vision", *arguments]
    subprocess.run(command, check=True, env=environment(side), cwd=side.tree, capture_output=True)


def environment(side: Side) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(side.tree), "OMP_NUM_THREADS": "1"}


def compare(task: str, sides: tuple[Side, Side], folder: Path, repeats: int) -> str:
    """A row of the table."""
    recipes = {side.name: write_recipe(task, side, folder) for side in sides}
    step_ms: dict[str, float] = {}
    for repeat in range(repeats):
        for side in sides if repeat % 2 == 0 else reversed(sides):
            out = folder / f"{task}-{side.name}-{repeat}"
            command = side.command(task, recipes[side.name], out)
            subprocess.run(
                command, check=True, env=environment(side), cwd=folder, capture_output=True
            )
            measured = median_step_ms(out / "ends_s.json")
            step_ms[side.name] = min(measured, step_ms.get(side.name, measured))
    old, new = (folder / f"{task}-{name}-0" for name in ("old", "new"))
    resumed = stopped_and_gone_on(task, sides[1], recipes["new"], folder)
    share = step_ms["new"] / step_ms["old"] - 1
    cells = (
        f"{task} ({MODELS[task]})",
        BATCH[task],
        f"{step_ms['old']:.1f}",
        f"{step_ms['new']:.1f} ({share:+.1%})",
        difference(old, new),
        difference(new, resumed),
    )
    return f"| {' | '.join(map(str, cells))} |"


def write_recipe(task: str, side: Side, folder: Path) -> Path:
    """The same settings in the recipe format of each side."""
    shared = {"seed": 4, "device": "cpu", "steps": STEPS, "round_steps": ROUND_STEPS}
    run_options = shared | {"batch_size": BATCH[task], "ema_decay": 0.9}
    optimizer = {"learning_rate": 0.002, "weight_decay": 0.03, "warmup_steps": 10}
    if task == "perception":
        run_options["rounds_per_evaluation"] = 0
        width_px, height_px = SIZE
        sizes = [
            {"until": 0.5, "width_px": 128, "height_px": 96},
            {"until": 1.0, "width_px": width_px, "height_px": height_px},
        ]
        options: dict[str, object] = {"train_set": str(folder / "scenes"), "resolutions": sizes}
        options["cache_dir"] = str(folder / "cache" / side.name)
        last = {"gradient_norm": 10.0, "last_learning_rate": 0.01}
    else:
        options = {"train_sets": [str(folder / "episodes")], "loaders": 1}
        last = {"gradient_norm": 1.0, "last_learning_rate": 0.02}
    values: dict[str, object] = {"model": MODELS[task]}
    if side.name == "old":
        values |= run_options | optimizer | options
    else:
        values |= {"task": task, "run": run_options, "optimizer": optimizer | last}
        values["options"] = options
    file = folder / f"{task}-{side.name}.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def median_step_ms(file: Path) -> float:
    """Median over the last round, which has the largest pictures and no first step."""
    ends_s = json.loads(file.read_text())[-ROUND_STEPS:]
    return 1000 * median(end - before for before, end in pairwise(ends_s))


def stopped_and_gone_on(task: str, side: Side, recipe: Path, folder: Path) -> Path:
    """Kill a run after its first checkpoint, and repeat the command."""
    out = folder / f"{task}-stopped"
    command, checkpoint = side.command(task, recipe, out), out / "checkpoint.safetensors"
    with subprocess.Popen(
        command, env=environment(side), cwd=folder, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.002)
        process.kill()
    subprocess.run(command, check=True, env=environment(side), cwd=folder, capture_output=True)
    return out


def difference(one: Path, other: Path) -> str:
    """Whether all weights, averages and balances of two runs are equal, or how far they are."""
    first, second = (load_file(run / "checkpoint.safetensors") for run in (one, other))
    names = [name for name in first if not name.startswith("optimizer.")]
    missing = {n for n in second if not n.startswith("optimizer.")} ^ set(names)
    if missing:
        return f"other names: {', '.join(sorted(missing)[:3])}"
    apart = [name for name in names if not torch.equal(first[name], second[name])]
    if not apart:
        return f"bit-equal ({len(names)} tensors)"
    worst = max(float((first[n].double() - second[n].double()).abs().max()) for n in apart)
    return f"{len(apart)} of {len(names)} tensors differ, by at most {worst:.2g}"


if __name__ == "__main__":
    main()
