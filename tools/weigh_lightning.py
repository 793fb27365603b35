"""Weighs our training loop against Lightning's Fabric and Trainer: time, memory, bits, resume.

Needs Lightning, which robot_vision itself does not: `pip install lightning` in an environment of
its own, beside `robot_vision[train,sim]`. Then `python tools/weigh_lightning.py FOLDER`: the
folder keeps the small set that is rendered, the checkpoints and `weighed.json`.
All engines train native-s on the same batches of 4, with one thread.
"""

import argparse
import importlib.metadata
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_engines import CUT, RUNS, tensors_of
from packaging.requirements import Requirement

from robot_vision.core.config import with_values
from robot_vision.simulation.generate import SetRecipe, generate_set
from robot_vision.training.engine.old_recipe import Recipe

IMAGES, WIDTH_PX, HEIGHT_PX = 64, 256, 192
WARM_UP_STEPS = 3
TIMED = ("ours", "fabric", "trainer")
# What training needs without Lightning: what it brings beside these is its own.
OURS = ("torch", "onnx", "onnxscript", "kornia", "faster-coco-eval", "matplotlib", "safetensors")
OURS += ("pydantic", "PyYAML", "typer", "rich", "mujoco", "rosbags", "psutil")


class Turns:
    """Lets engines, each in its thread, take one step after another, in an order drawn anew."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names, self._order, self._here = list(names), list[str](), threading.Condition()
        self._random = np.random.default_rng(0)
        self.wall_s: dict[str, list[float]] = {name: [] for name in names}
        self.cpu_s: dict[str, list[float]] = {name: [] for name in names}
        self._began: tuple[float, float] = (0.0, 0.0)

    def begin(self, name: str) -> None:
        with self._here:
            while self._next() != name:
                self._here.wait()
        self._began = time.perf_counter(), time.thread_time()

    def end(self, name: str, *, leave: bool = False) -> None:
        wall_s, cpu_s = time.perf_counter() - self._began[0], time.thread_time() - self._began[1]
        with self._here:
            self.wall_s[name].append(wall_s)
            self.cpu_s[name].append(cpu_s)
            self._order.pop(0)
            if leave:
                self._names.remove(name)
            self._here.notify_all()

    def _next(self) -> str:
        if not self._order:
            self._order = self._random.permutation(self._names).tolist()
        return self._order[0]


def time_steps(recipe: Recipe, folder: Path) -> dict[str, dict[str, list[float]]]:
    """Milliseconds a step, wall and processor, of the engines by turns in one process."""
    shutil.rmtree(folder, ignore_errors=True)
    turns = Turns(TIMED)

    def drive(name: str) -> None:
        turns.begin(name)

        def on_step(_: int) -> None:
            turns.end(name)
            turns.begin(name)

        torch.set_num_threads(1)
        (folder / name).mkdir(parents=True)
        try:
            RUNS[name](recipe, folder / name, on_step, resume=None)
        finally:
            turns.end(name, leave=True)

    threads = [threading.Thread(target=drive, args=(name,)) for name in TIMED]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = slice(WARM_UP_STEPS, -1)  # the last holds what is done after the last step
    return {
        name: {
            "wall_ms": [1e3 * s for s in turns.wall_s[name][kept]],
            "cpu_ms": [1e3 * s for s in turns.cpu_s[name][kept]],
        }
        for name in TIMED
    }


def run_child(root: Path, recipe: Recipe, engine: str, part: str) -> None:
    """One engine's run, or its first or second half, in this process; notes its peak memory."""
    folder = run_folder(root, engine, whole=part == "whole")
    folder.mkdir(parents=True, exist_ok=True)
    if part == "first":
        os.environ[CUT] = "1"
    half = folder / f"{recipe.round_steps}.ckpt"
    RUNS[engine](recipe, folder, lambda _: None, resume=half if part == "rest" else None)
    (folder / "peak_mb.json").write_text(json.dumps(peak_mb()))


def peak_mb() -> float:
    """Of this program since it began; `ru_maxrss` would be that of its parent, were it larger."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def run_folder(root: Path, engine: str, *, whole: bool) -> Path:
    return root / "runs" / engine / ("whole" if whole else "cut")


def weigh_bits(root: Path, steps: int) -> dict[str, dict[str, Any]]:
    """Each engine whole, and cut in the middle and resumed; against ours and against itself."""
    shutil.rmtree(root / "runs", ignore_errors=True)
    result: dict[str, dict[str, Any]] = {}
    for engine in RUNS:
        for part in ("whole", "first", "rest"):
            arguments = [root, "--steps", steps, "--engine", engine, "--part", part]
            subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True)
        whole, cut = (run_folder(root, engine, whole=whole) for whole in (True, False))
        ours = tensors_of("ours", run_folder(root, "ours", whole=True), steps)
        tensors, resumed = (tensors_of(engine, folder, steps) for folder in (whole, cut))
        result[engine] = {
            "peak_mb": json.loads((whole / "peak_mb.json").read_text()),
            "of": len(ours),
            "differ_from_ours": different(ours, tensors),
            "differ_when_resumed": different(tensors, resumed),
        }
    return result


def different(these: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> int:
    """How many tensors are not equal bit by bit, or are in one alone."""
    return sum(
        name not in these or name not in others or not torch.equal(these[name], others[name])
        for name in these.keys() | others.keys()
    )


def brought_by(root: str) -> dict[str, float]:
    """Packages that a requirement adds to those of training, with their size in MB."""
    added = required(root) - set().union(*(required(name) for name in OURS))
    return {name: size_mb(name) for name in sorted(added)}


def required(root: str) -> set[str]:
    """A requirement and all that it requires, by name, as far as installed."""
    seen: set[str] = set()
    todo = [Requirement(root)]
    while todo:
        asked = todo.pop()
        key = f"{asked.name.lower().replace('_', '-')}{sorted(asked.extras)}"
        if key in seen:
            continue
        seen.add(key)
        try:
            lines = importlib.metadata.requires(asked.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted = [Requirement(line) for line in lines]
        extras = [*asked.extras, ""]
        todo += [
            r
            for r in wanted
            if not r.marker or any(r.marker.evaluate({"extra": e}) for e in extras)
        ]
    return {key.partition("[")[0] for key in seen}


def size_mb(package: str) -> float:
    files = importlib.metadata.files(package) or []
    sizes = (
        Path(str(f.locate())).stat().st_size for f in files if Path(str(f.locate())).is_file()
    )
    return sum(sizes) / 1e6


def import_cpu_s(module: str) -> float:
    """Processor seconds of a new interpreter that imports a module, the median of three."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(spent)


def show(weighed: dict[str, Any]) -> None:
    ours = weighed["steps"]["ours"]
    for name, times in weighed["steps"].items():
        for clock in ("wall_ms", "cpu_ms"):
            ratios = [t / o for t, o in zip(times[clock], ours[clock], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"{name:20} {clock}: median {statistics.median(times[clock]):.1f}, of ours "
                f"{middle:.3f} (quartiles {low:.3f} to {high:.3f}, {len(ratios)} steps)"
            )
    for name, found in weighed.get("bits", {}).items():
        print(
            f"{name:20} peak {found['peak_mb']:.0f} MB; of {found['of']} tensors "
            f"{found['differ_from_ours']} differ from ours, "
            f"{found['differ_when_resumed']} from its own uninterrupted run once resumed"
        )
    for name, sizes in weighed.get("packages", {}).items():
        print(f"{name} brings {len(sizes)} packages, {sum(sizes.values()):.1f} MB: {sizes}")
    print("processor seconds to import:", weighed.get("import_cpu_s"))


def recipe_for(data: Path, steps: int, round_steps: int) -> Recipe:
    return with_values(
        Recipe(),
        {
            "train_set": str(data),
            "device": "cpu",
            "steps": steps,
            "round_steps": round_steps,
            "batch_size": 4,
            "warmup_steps": 5,
            "rounds_per_evaluation": 0,
            "resolutions": [{"width_px": WIDTH_PX, "height_px": HEIGHT_PX}],
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=20, help="of each run; even")
    parser.add_argument("--only-time", action="store_true", help="no bits, packages, imports")
    parser.add_argument("--engine", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=("whole", "first", "rest"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    data, steps = asked.folder / "set", asked.steps
    if asked.engine:
        run_child(asked.folder, recipe_for(data, steps, steps // 2), asked.engine, asked.part)
        return
    frames = SetRecipe(count=IMAGES, seed=0, split="train", width_px=WIDTH_PX, height_px=HEIGHT_PX)
    generate_set(data, frames, processes=1, on_progress=lambda _: None)
    file = asked.folder / "weighed.json"
    weighed = json.loads(file.read_text()) if file.exists() else {}
    weighed["steps"] = time_steps(recipe_for(data, steps, steps), asked.folder / "timed")
    if not asked.only_time:
        weighed["bits"] = weigh_bits(asked.folder, steps)
        weighed["packages"] = {name: brought_by(name) for name in ("lightning",)}
        modules = ("torch", "robot_vision.training.engine.loop", "lightning")
        weighed["import_cpu_s"] = {module: import_cpu_s(module) for module in modules}
    file.write_text(json.dumps(weighed, indent=1))
    show(weighed)


if __name__ == "__main__":
    main()
