"""`robot-vision bench policies`: policies of one data set side by side."""

from pathlib import Path
from typing import Annotated

import typer


def register(bench_app: typer.Typer) -> None:
    """Add `policies` to the `bench` commands."""
    bench_app.command("policies")(policies)


def policies(
    bundles: Annotated[Path, typer.Argument(help="folder of exported policies")],
    evaluations: Annotated[
        Path, typer.Option(help="folder of what `evaluate policy --out` wrote, by policy's name")
    ],
    conditions: Annotated[str, typer.Option(help="columns, separated by commas")] = (
        "lift_only,named_of_two,push"
    ),
    seconds: Annotated[
        float, typer.Option(min=0, help="that each leads the arm over DDS; 0: times are left out")
    ] = 20.0,
    out: Annotated[Path, typer.Option(help="folder of the table")] = Path("out/policies"),
) -> None:
    """Every evaluated policy: success with intervals, parameters, times in the node."""
    from robot_vision.bench.policy_table import (
        as_json,
        as_markdown,
        list_policies,
        measure_policy,
    )
    from robot_vision.core.errors import ConfigError
    from robot_vision.machine import describe_machine
    from robot_vision.terminal import say

    found = list_policies(bundles, evaluations)
    if not found:
        raise ConfigError(
            f"{bundles} has no policy with {evaluations}/NAME/evaluation.json: expected bundles "
            "of `robot-vision export` and what `evaluate policy --out` wrote of them"
        )
    rows = []
    for bundle, evaluation in found:
        say(f"measuring {bundle.path.name}")
        rows.append(measure_policy(bundle, evaluation, seconds=seconds))
    table = as_markdown(rows, conditions=conditions.split(","))
    out.mkdir(parents=True, exist_ok=True)
    (out / "policies.json").write_text(as_json(rows, describe_machine()))
    (out / "policies.md").write_text(table)
    say(table)
    say(f"written to {out}: policies.json, policies.md")
