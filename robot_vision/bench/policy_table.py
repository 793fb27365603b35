"""Policies of one dataset side by side: success, size and latency."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_vision.bench.nodes.vla import bench_vla
from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files.foreign import read_json
from robot_vision.model_store.policies import PolicyBundle, find_policy
from robot_vision.models.weights import read_weights

EVALUATION = "evaluation.json"
_CAMERA_HZ = 10.0
_NOT_THERE = "–"


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of n episodes, and its interval (Wilson, 95 %)."""

    share: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class PolicyRow:
    """`success` and `named_first` are by evaluated condition.

    `parameters` excludes those of a frozen encoder. `node_ms` is from a picture's stamp to the
    policy's answer in the node, and `command_ms` to the first command; None where not measured.
    """

    name: str
    fusion: str
    head: str
    parameters: int
    success: dict[str, Share]
    named_first: dict[str, Share]
    jump_p95: float | None
    node_ms: float | None
    command_ms: float | None


def measure_policy(bundle: PolicyBundle, evaluation: Path, *, seconds: float) -> PolicyRow:
    """A row of the table; the node is run over DDS for `seconds`, and not at all for 0.

    Raises `ForeignFileError` if `evaluation` is not from `evaluate policy`, and `BenchError` if
    the node does not work.
    """
    weights = read_weights(bundle.path / bundle.manifest.weights_file)
    spec, conditions = weights.spec, _conditions(evaluation)
    encoder = "sight.encoder." if spec.get("freeze_encoder") else "\0"
    parameters = sum(t.numel() for n, t in weights.tensors.items() if not n.startswith(encoder))
    stages: dict[str, Any] = {}
    if seconds:
        run = bench_vla(policy=str(bundle.path), seconds=seconds, camera_hz=_CAMERA_HZ)
        stages = run["stage_ms"]
    jumps = [found["jump_p95"] for found in conditions.values() if found["jump_p95"] is not None]
    return PolicyRow(
        name=bundle.path.name,
        fusion=spec["fusion"]["name"],
        head=spec["head"]["name"],
        parameters=parameters,
        success=_shares(conditions, "success"),
        named_first=_shares(conditions, "named_first"),
        jump_p95=max(jumps, default=None),
        node_ms=stages.get("policy", {}).get("p95"),
        command_ms=stages.get("camera to command", {}).get("p95"),
    )


def list_policies(folder: Path, evaluations: Path) -> list[tuple[PolicyBundle, Path]]:
    """Evaluated bundles of a folder, by name, each with its `evaluation.json`."""
    found = []
    for path in sorted(folder.iterdir()):
        evaluation = evaluations / path.name / EVALUATION
        if (path / "policy.yaml").is_file() and evaluation.is_file():
            found.append((find_policy(path), evaluation))
    return found


def as_markdown(rows: list[PolicyRow], *, conditions: list[str]) -> str:
    """A table: success by condition, then the policy's cost."""
    heads = ["fusion × head", *conditions, "M parameters", "node p95 ms", "command p95 ms", "jump"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *(_cells(r, conditions) for r in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def as_figures(rows: list[PolicyRow], machine: dict[str, str]) -> dict[str, Any]:
    return {"machine": machine, "rows": rows}


def _cells(row: PolicyRow, conditions: list[str]) -> list[str]:
    return [
        f"`{row.fusion}` × `{row.head}`",
        *(_percent(row.success.get(name)) for name in conditions),
        f"{row.parameters / 1e6:.2f}",
        *(_rounded(value) for value in (row.node_ms, row.command_ms, row.jump_p95)),
    ]


def _percent(found: Share | None) -> str:
    if found is None:
        return _NOT_THERE
    return f"{100 * found.share:.0f} ({100 * found.low:.0f} to {100 * found.high:.0f})"


def _rounded(value: float | None) -> str:
    return _NOT_THERE if value is None else f"{value:.3g}"


def _conditions(file: Path) -> dict[str, Any]:
    found = read_json(file).get("conditions")
    if not isinstance(found, dict) or not found:
        raise ForeignFileError(
            f"{file} has no `conditions`: expected a file of `robot-vision evaluate policy`"
        )
    return found


def _shares(conditions: dict[str, Any], figure: str) -> dict[str, Share]:
    return {name: Share(**found[figure]) for name, found in conditions.items() if found[figure]}
