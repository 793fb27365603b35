"""`bench policies`: evaluated policies side by side; what was not evaluated is left out."""

import json
from pathlib import Path

import pytest
import torch
from pixel_bundle import FRONT, write_pixel_bundle
from typer.testing import CliRunner

from robot_vision.bench.policy_table import list_policies, measure_policy
from robot_vision.cli import app
from robot_vision.core.errors import ForeignFileError
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.models.weights import Weights, write_weights

FAST = ("--seconds", "0", "--out")
SHARE = {"share": 0.75, "low": 0.6, "high": 0.85, "n": 40}
EVALUATED = {
    "lift_only": {"success": SHARE, "named_first": SHARE, "jump_p95": 0.9},
    "push": {"success": SHARE | {"share": 0.2}, "named_first": None, "jump_p95": None},
}


def write_policy(root: Path, name: str, *, is_frozen: bool) -> None:
    bundle = write_pixel_bundle(root / name, observation=ObservationSpec(cameras=(FRONT,)))
    spec = {"fusion": {"name": "early"}, "head": {"name": "mlp"}, "freeze_encoder": is_frozen}
    tensors = {"sight.encoder.w": torch.zeros(3, 4), "fusion.w": torch.zeros(5)}
    file = bundle.path / bundle.manifest.weights_file
    write_weights(file, Weights(file=file, tensors=tensors, spec=spec))


def write_evaluation(root: Path, name: str, conditions: object) -> None:
    (root / name).mkdir(parents=True)
    (root / name / "evaluation.json").write_text(json.dumps({"conditions": conditions}))


def test_evaluated_policies_become_a_table(tmp_path: Path) -> None:
    bundles, evaluations, out = tmp_path / "b", tmp_path / "e", tmp_path / "out"
    for name, is_frozen in (("frozen", True), ("trained", False), ("unjudged", False)):
        write_policy(bundles, name, is_frozen=is_frozen)
    for name in ("frozen", "trained"):
        write_evaluation(evaluations, name, EVALUATED)
    done = CliRunner().invoke(
        app,
        ["bench", "policies", str(bundles), "--evaluations", str(evaluations), *FAST, str(out)],
    )
    assert done.exit_code == 0, done.output
    rows = json.loads((out / "policies.json").read_text())["rows"]
    assert [(row["name"], row["parameters"]) for row in rows] == [("frozen", 5), ("trained", 17)]
    lines = (out / "policies.md").read_text().splitlines()
    assert len(lines) == 4
    assert "75 (60 to 85) | – | 20 (60 to 85)" in lines[2]  # named_of_two was not evaluated


def test_nothing_evaluated_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    done = CliRunner().invoke(
        app, ["bench", "policies", str(tmp_path / "b"), "--evaluations", "e"]
    )
    assert done.exit_code != 0


@pytest.mark.parametrize("conditions", [None, {}, []])
def test_input_that_is_not_an_evaluation_is_refused(tmp_path: Path, conditions: object) -> None:
    write_policy(tmp_path / "b", "one", is_frozen=True)
    write_evaluation(tmp_path / "e", "one", conditions)
    ((bundle, evaluation),) = list_policies(tmp_path / "b", tmp_path / "e")
    with pytest.raises(ForeignFileError, match=r"evaluate policy"):
        measure_policy(bundle, evaluation, seconds=0)
