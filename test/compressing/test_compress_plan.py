"""A plan from the command line: bundles with their history, a report, and what is refused."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx_models import make_bundle
from runs import Rows, assert_same, shapes_recipe

from robot_vision.compressing.carry_out import Outcome, carry_out
from robot_vision.compressing.energy import energy_mj
from robot_vision.compressing.pareto import front
from robot_vision.compressing.plan import load_plan
from robot_vision.compressing.report import NOT_KNOWN, table_of, write_report
from robot_vision.core.errors import ConfigError
from robot_vision.model_store.store import find_bundle
from robot_vision.models.weights import read_weights
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.run import RECIPE

pytest.importorskip("torch_pruning")
INT8 = {"kind": "int8", "operators": [["Conv"]], "per_channel": [True], "samples": 2}
PRUNED = [{"kind": "prune", "ratio": 0.5, "round_to": 2}, {"kind": "tune", "steps": 1}]


class Reporter(Rows):
    def __enter__(self) -> "Reporter":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def plan_file(shapes_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plan")
    recipe = shapes_recipe(
        shapes_set, root / "cache", run__steps=1, options__val_set=str(shapes_set)
    )
    train(recipe, root / "run", reporter=Rows())
    plan = {
        "model": str(root / "run"),
        "test_set": str(shapes_set),
        "images": 2,
        "rounds": 1,
        "most_lost": 1.0,
        "variants": [
            {"name": "pruned", "steps": PRUNED},
            {"name": "half", "steps": [{"kind": "fp16"}]},
            {"name": "too-slow", "steps": [{**INT8, "least_gain": 1000, "ranges": ["minmax"]}]},
        ],
    }
    (root / "plan.yaml").write_text(json.dumps(plan))
    return root / "plan.yaml"


@pytest.fixture(scope="module")
def outcome(plan_file: Path) -> Outcome:
    return carried_out(plan_file)


def carried_out(file: Path, said: list[str] | None = None) -> Outcome:
    say = (said if said is not None else []).append
    return carry_out(load_plan(file), file.parent / "out", reporter=Reporter, say=say)


def test_a_variant_is_a_bundle_with_its_history(outcome: Outcome) -> None:
    assert [row.name for row in outcome.rows] == ["original", "pruned", "half"]
    original, pruned, _ = outcome.rows
    assert pruned.parameters < original.parameters
    assert pruned.cost.size_mb < original.cost.size_mb
    assert pruned.gain == pytest.approx(original.cost.p50_ms / pruned.cost.p50_ms)
    bundle = find_bundle(pruned.bundle)
    assert bundle.manifest.name == "pruned"
    begun, prune, tune = bundle.manifest.compression
    assert begun.step == "original"
    assert prune.before == begun.after
    assert prune.after["parameters"] < prune.before["parameters"]
    assert tune.step.startswith("tune 1 steps")
    assert set(tune.after) == {"AP", "parameters"}
    assert read_weights(pruned.bundle / "model.safetensors").pruned


def test_a_graph_of_fewer_bits_keeps_the_weights_and_has_figures_of_its_own(
    outcome: Outcome,
) -> None:
    original, _, half = outcome.rows
    bundle = find_bundle(half.bundle)
    kinds = {tensor.data_type for tensor in onnx.load(bundle.model_path).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds
    assert bundle.manifest.precision == "fp16"
    assert [step.step for step in bundle.manifest.compression] == ["original", "FP16"]
    weights = [read_weights(row.bundle / "model.safetensors") for row in (original, half)]
    assert_same(*(each.tensors for each in weights))


def test_what_is_not_faster_is_refused_with_its_figures(outcome: Outcome) -> None:
    assert "times as fast as FP32" in outcome.refused["too-slow"]
    assert not (outcome.rows[0].bundle.parent / "too-slow").exists()


def test_a_second_call_makes_nothing_again(outcome: Outcome, plan_file: Path) -> None:
    said: list[str] = []
    again = carried_out(plan_file, said)
    assert [row.history for row in again.rows] == [row.history for row in outcome.rows]
    assert not any(word in text for text in said for word in ("prune", "tune", "trying"))


@pytest.mark.usefixtures("outcome")
def test_a_search_is_made_again_for_other_threads(plan_file: Path) -> None:
    said: list[str] = []
    plan = load_plan(plan_file, {"threads": 2})
    carry_out(plan, plan_file.parent / "out", reporter=Reporter, say=said.append)
    assert any("trying 1 of" in text for text in said)
    assert not any("prune" in text for text in said)


def test_onnx_alone_is_not_compressed(plan_file: Path, tmp_path: Path) -> None:
    bundle = make_bundle(
        tmp_path / "foreign",
        manifest={
            "task": "features",
            "format": "features",
            "input": {"name": "images", "width_px": 8, "height_px": 4},
        },
        echoes={"same": "images"},
    )
    recipe = str(plan_file.parent / "run" / RECIPE)
    plan = load_plan(plan_file, {"model": str(bundle.path), "recipe": recipe})
    with pytest.raises(ConfigError, match="ONNX alone is not compressed"):
        carry_out(plan, tmp_path / "out", reporter=Reporter, say=print)


@pytest.mark.usefixtures("outcome")
def test_a_folder_of_another_plan_is_refused(plan_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(json.dumps({**yaml.safe_load(plan_file.read_text()), "images": 1}))
    with pytest.raises(ConfigError, match="was begun with another images"):
        carry_out(load_plan(file), plan_file.parent / "out", reporter=Reporter, say=print)


def test_the_report_has_every_row_and_says_what_is_not_known(
    outcome: Outcome, tmp_path: Path
) -> None:
    write_report(tmp_path, outcome, measured="by a test")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [row["name"] for row in figures["rows"]] == ["original", "pruned", "half"]
    page = (tmp_path / "report.html").read_text()
    assert "too-slow" in page
    assert "by a test" in page
    assert (tmp_path / "pareto.png").stat().st_size > 5000
    _, rows = table_of(outcome)
    if outcome.rows[0].cost.energy_mj is None:
        assert rows[0][7] == NOT_KNOWN


def test_the_front_has_what_nothing_beats(outcome: Outcome) -> None:
    best = front(outcome.rows, "p50_ms")
    figures = [row.figure for row in best]
    assert figures == sorted(figures)
    assert max(row.figure for row in outcome.rows) in figures


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": ""}, "has no model"),
        ({"variants": []}, "variants"),
        ({"variants": [{"name": "a", "steps": [{"ratio": 1}]}]}, "has no kind"),
        ({"variants": [{"name": "a", "steps": [{"kind": "prun"}]}]}, "did you mean 'prune'"),
        ({"variants": [{"name": "a", "steps": [{"kind": "prune", "ratio": 2}]}]}, "ratio = 2"),
        ({"variants": [{"name": "a", "steps": [{"kind": "fp16"}, *PRUNED]}]}, "the last step"),
        ({"variants": [{"name": "a", "steps": PRUNED}] * 2}, "have the same name: a"),
        ({"variants": [{"name": "original", "steps": PRUNED}]}, "may not be named 'original'"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    plan_file: Path, tmp_path: Path, change: dict[str, object], expected: str
) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(json.dumps({**yaml.safe_load(plan_file.read_text()), **change}))
    with pytest.raises(ConfigError, match=expected):
        load_plan(file)


def test_a_step_without_a_bound_is_refused(plan_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    variants = [{"name": "endless", "steps": [{"kind": "tune"}]}]
    values = {**yaml.safe_load(plan_file.read_text()), "variants": variants}
    file.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match="expected a limit by one of them"):
        carry_out(load_plan(file), plan_file.parent / "out", reporter=Reporter, say=print)


def test_energy_is_that_of_whole_packages_and_wraps(tmp_path: Path) -> None:
    package = tmp_path / "intel-rapl:0"
    for folder in (package, tmp_path / "intel-rapl:0:0"):
        folder.mkdir()
        (folder / "energy_uj").write_text("900\n")
        (folder / "max_energy_range_uj").write_text("1000\n")
    counter = iter(np.arange(950, 1200, 50) % 1000)

    def run() -> None:
        (package / "energy_uj").write_text(f"{next(counter)}\n")

    assert energy_mj(run, times=4, root=tmp_path) == pytest.approx((100 - 900 + 1000) / 4 / 1000)
    assert energy_mj(run, times=1, root=tmp_path / "none") is None
