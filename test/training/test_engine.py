"""What the engine does for any task: precision, parts of a step, freezing, finders, processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from runs import Rows, assert_same
from safetensors.torch import load_file
from torch import Tensor
from toy import NAME, ToyTask, register_toy, toy_recipe
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.models.registry import MODELS
from robot_vision.training.engine.finding.find_batch import (
    BatchTrial,
    find_batch_size,
    largest_that_fits,
    smallest_that_is_fast,
)
from robot_vision.training.engine.finding.find_rate import find_learning_rate, suggested_rate
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import save_recipe
from robot_vision.training.engine.run import Run, build_run
from robot_vision.training.engine.stepping.distributed import device_of
from robot_vision.training.engine.stepping.precision import choose_precision
from robot_vision.training.engine.stepping.rates import rate_factors
from robot_vision.training.engine.task import TASKS


@pytest.fixture(autouse=True)
def toy() -> Iterator[None]:
    """The toy is known to these tests only: others go over all that is registered."""
    register_toy()
    yield
    for registry in (TASKS, MODELS):
        registry._items.pop(NAME)  # pyright: ignore[reportPrivateUsage]


def trained(folder: Path, **overrides: object) -> dict[str, Tensor]:
    train(toy_recipe(**overrides), folder, reporter=Rows())
    return load_file(folder / "checkpoint.safetensors")


def weights_of(checkpoint: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: t for n, t in checkpoint.items() if n.startswith("model.")}


def test_a_step_in_parts_is_the_step(tmp_path: Path) -> None:
    whole = weights_of(trained(tmp_path / "whole"))
    parts = weights_of(trained(tmp_path / "parts", run__accumulate=4))
    for name, tensor in whole.items():
        assert torch.allclose(tensor, parts[name], atol=1e-5), name


def test_a_stopped_run_in_parts_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    recipe = toy_recipe(run__accumulate=2, spec__norm=True, optimizer__rates={"head.*": 0.5})
    train(recipe, tmp_path / "whole", reporter=Rows())
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", reporter=Rows(stop_after=1))
    again = Rows()
    train(recipe, tmp_path / "cut", reporter=again)
    assert again.notes[0].startswith("resumes from step")
    assert_same(*(load_file(tmp_path / f / "checkpoint.safetensors") for f in ("whole", "cut")))


def test_a_run_that_ends_while_it_warms_up_is_reported(tmp_path: Path) -> None:
    rows = Rows()
    train(toy_recipe(run__steps=2, optimizer__warmup_steps=5), tmp_path / "run", reporter=rows)
    assert any("optimizer.warmup_steps = 5" in note for note in rows.notes)


def test_after_each_step_the_task_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    monkeypatch.setattr(ToyTask, "after_step", lambda *given: steps.append(given[-1]))
    trained(tmp_path / "run", run__accumulate=2)
    assert steps == [0, 1, 2, 3]


def test_recomputed_activations_give_the_same_weights(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", spec__norm=True)
    assert_same(plain, trained(tmp_path / "again", spec__norm=True, run__recompute=True))


def test_bf16_trains_and_is_another_precision(tmp_path: Path) -> None:
    exact = weights_of(trained(tmp_path / "exact"))
    rough = weights_of(trained(tmp_path / "rough", run__precision="bf16"))
    assert all(tensor.dtype == torch.float32 for tensor in rough.values())
    assert any(not torch.equal(exact[name], rough[name]) for name in exact)
    assert torch.allclose(exact["model.head.weight"], rough["model.head.weight"], atol=0.05)


def half_works() -> bool:
    """Whether this processor trains with 16-bit floats."""
    try:
        with torch.autocast("cpu", torch.float16):
            out = torch.nn.Conv2d(8, 8, 3)(torch.zeros(1, 8, 8, 8))
        out.float().sum().backward()
    except RuntimeError:
        return False
    return out.dtype == torch.float16


def test_fp16_scales_and_keeps_its_scale_or_is_refused(tmp_path: Path) -> None:
    if not half_works():
        with pytest.raises(ConfigError, match=r"'fp16' does not work on cpu: .*fp32"):
            choose_precision("fp16", torch.device("cpu"))
        return
    recipe = toy_recipe(run__precision="fp16", run__steps=4)
    train(recipe, tmp_path / "whole", reporter=Rows())
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", reporter=Rows(stop_after=1))
    train(recipe, tmp_path / "cut", reporter=Rows())
    assert_same(*(load_file(tmp_path / f / "checkpoint.safetensors") for f in ("whole", "cut")))


def test_a_precision_that_does_not_work_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(torch.nn.Conv2d, "forward", fails)
    with pytest.raises(ConfigError, match=r"'bf16' does not work on cpu: no such kernel"):
        choose_precision("bf16", torch.device("cpu"))


def test_auto_is_exact_on_a_cpu() -> None:
    assert choose_precision("auto", torch.device("cpu")).kind == "fp32"


def test_frozen_parts_stay_as_they_are(tmp_path: Path) -> None:
    recipe = toy_recipe(spec__norm=True, optimizer__rates={"encoder.*": 0})
    fresh = build_run(recipe)
    before = {f"model.{n}": t.clone() for n, t in fresh.model.state_dict().items()}
    after = trained(tmp_path / "run", spec__norm=True, optimizer__rates={"encoder.*": 0})
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]) == name.startswith("model.encoder"), name
    assert not [n for n in after if n.startswith("optimizer.encoder")]


def test_rates_are_factors_of_what_matches_last() -> None:
    names = ["encoder.0.weight", "encoder.1.weight", "head.bias"]
    found = rate_factors(names, {"*": 0.5, "encoder.*": 0.1, "encoder.1.*": 0})
    assert found == {"encoder.0.weight": 0.1, "encoder.1.weight": 0, "head.bias": 0.5}
    assert rate_factors(names, {}) == dict.fromkeys(names, 1.0)
    with pytest.raises(ConfigError, match=r"'encodr\.\*' matches no parameter; .*encoder\.0"):
        rate_factors(names, {"encodr.*": 0.5})
    with pytest.raises(ConfigError, match="nothing is left"):
        rate_factors(names, {"*": 0})
    for factor in (-1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="expected 0 or more"):
            rate_factors(names, {"*": factor})


def test_a_lower_rate_moves_less(tmp_path: Path) -> None:
    fresh = build_run(toy_recipe()).model.state_dict()
    slow = trained(tmp_path / "slow", optimizer__rates={"encoder.*": 0.01})
    fast = trained(tmp_path / "fast")
    name = "encoder.0.0.weight"

    def moved(checkpoint: dict[str, Tensor]) -> float:
        return float((checkpoint[f"model.{name}"] - fresh[name]).abs().mean())

    assert moved(slow) < 0.05 * moved(fast)


def test_the_rate_finder_suggests_a_rate_that_trains() -> None:
    found = find_learning_rate(build_run(toy_recipe(run__batch_size=128)), steps=60)
    assert found.rates == sorted(found.rates)
    assert 1e-4 < found.suggestion < 1
    assert suggested_rate([1e-4, 1e-3, 1e-2], [3.0, 2.0, 4.0]) == pytest.approx(1e-4)
    assert suggested_rate([1e-4, 1e-3], [1.0, 2.0]) == 0


def test_the_batch_finder_takes_what_is_fast_on_a_cpu() -> None:
    trials, suggestion = find_batch_size(build_run(toy_recipe()), most=8)
    assert [t.batch_size for t in trials][:2] == [1, 2]
    assert suggestion in [t.batch_size for t in trials]
    assert all(t.samples_per_s > 0 and t.peak_mb > 1 for t in trials)
    rates = ((1, 10.0), (2, 19.5), (4, 20.0), (8, 20.0))
    shown = [BatchTrial(batch_size=size, samples_per_s=rate) for size, rate in rates]
    assert smallest_that_is_fast(shown) == 2


def test_the_batch_finder_takes_what_fits_into_a_gpu() -> None:
    trials = [
        BatchTrial(batch_size=size, samples_per_s=1.0, peak_mb=1000 + 100 * size)
        for size in (8, 16, 32)
    ]
    out_of_memory = BatchTrial(batch_size=64)
    assert largest_that_fits([*trials, out_of_memory], 5900) == 48
    assert largest_that_fits([*trials, out_of_memory], 100_000) == 63 // 8 * 8 + 7
    assert largest_that_fits(trials, 100_000) == 32
    assert largest_that_fits([BatchTrial(batch_size=1)], 5900) == 0


def test_the_command_trains_and_finds(tmp_path: Path) -> None:
    save_recipe(toy_recipe(), tmp_path / "toy.yaml")
    recipe = str(tmp_path / "toy.yaml")
    for what, named in (
        ("learning-rate", "optimizer.learning_rate="),
        ("batch-size", "run.batch_size="),
    ):
        found = CliRunner().invoke(
            app, ["train", recipe, "--find", what, "--set", "run.batch_size=64"]
        )
        assert found.exit_code == 0, found.output
        assert f"suggestion: --set {named}" in found.output
    out = tmp_path / "run"
    done = CliRunner().invoke(
        app, ["train", recipe, "--out", str(out), "--set", "run.steps=2", "--set", "run.seed=3"]
    )
    assert done.exit_code == 0, done.output
    assert "peak memory in MB: data" in done.output
    assert (out / "curves.png").stat().st_size > 0
    assert "seed: 3" in (out / "recipe.yaml").read_text()
    for arguments, named in (
        (["train", recipe], "--out is missing"),
        (["train", recipe, "--find", "luck"], "available: learning-rate, batch-size"),
        (["train", recipe, "--out", str(out), "--set", "batch_size=3"], "run.batch_size"),
    ):
        failed = CliRunner().invoke(app, arguments)
        assert isinstance(failed.exception, ConfigError) or failed.exit_code
        assert named in (str(failed.exception) + failed.output)


PROCESS = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from runs import Rows
from toy import ToyTask, register_toy, toy_recipe
register_toy()
from robot_vision.training.engine.stepping.distributed import rank
answer = ToyTask.answer
def answer_in_part(self, model, batch):
    if rank() == 0:  # as where a batch holds no object: the encoder has no gradient here
        return {{"y": model.head(model.encoder(batch[0]).detach())}}
    return answer(self, model, batch)
if {in_part!r}:
    ToyTask.answer = answer_in_part
from safetensors.torch import save_file
from robot_vision.training.engine import loop
built = []
build_run = loop.build_run
loop.build_run = lambda recipe: built.append(build_run(recipe)) or built[-1]
loop.train(toy_recipe(spec__norm=True), Path({out!r}), reporter=Rows())
import os
state = {{n: t.contiguous() for n, t in built[0].model.state_dict().items()}}
save_file(state, Path({out!r}) / f"rank{{os.environ['RANK']}}.safetensors")
"""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("in_part", [False, True])
def test_two_processes_train_one_model(tmp_path: Path, in_part: bool) -> None:
    script = tmp_path / "process.py"
    here = str(Path(__file__).parent)
    script.write_text(PROCESS.format(folder=here, out=str(tmp_path), in_part=in_part))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*command, "--standalone", str(script)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert_same(*(load_file(tmp_path / f"rank{rank}.safetensors") for rank in (0, 1)))
    rows = (tmp_path / "curves.csv").read_text().splitlines()
    assert len(rows) == 3


def test_two_processes_take_the_samples_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = toy_recipe()
    run = build_run(recipe)
    whole = next(run.task.batches(3, 0.0))[0]
    seen = []
    for number in (0, 1):
        monkeypatch.setattr("toy.rank", lambda number=number: number)
        monkeypatch.setattr("toy.process_count", lambda: 2)
        seen.append(next(run.task.batches(3, 0.0))[0])
    assert torch.equal(torch.stack(seen, 1).flatten(0, 1), whole)


def test_a_gpu_for_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for local in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", local)
        assert device_of("auto") == torch.device("cuda", int(local))
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="process 3 of this machine finds 2 GPUs"):
        device_of("cuda")
    assert device_of("cuda:1") == torch.device("cuda", 1)
    for name in ("gpu", "mps", "meta", "cuda:2"):
        with pytest.raises(ConfigError, match="expected cpu, cuda or auto"):
            device_of(name)


def test_a_spec_against_the_data_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyTask, "spec_values", lambda _: {"width": 8})
    assert isinstance(build_run(toy_recipe(spec__width=8)), Run)
    with pytest.raises(ConfigError, match=r"spec\.width = 4, but the data have 8"):
        build_run(toy_recipe(spec__width=4))
