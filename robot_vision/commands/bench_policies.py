"""`robot-vision bench policies`: policies trained on one dataset, side by side."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.json_file import MaybeJsonFile, write_json


def register(bench_app: typer.Typer) -> None:
    """Add `policies` to the `bench` commands."""
    bench_app.command("policies")(policies)


def policies(
    bundles: Annotated[Path, typer.Argument(help="folder of exported policies")],
    evaluations: Annotated[
        Path, typer.Option(help="folder of `evaluate policy --out` results, by policy name")
    ],
    conditions: Annotated[str, typer.Option(help="columns, separated by commas")] = (
        "lift_only,named_of_two,push"
    ),
    seconds: Annotated[
        float,
        typer.Option(
            min=0, help="seconds for which each policy moves the arm over DDS; 0: no timing"
        ),
    ] = 20.0,
    out: Annotated[Path, typer.Option(help="folder for the table")] = Path("out/policies"),
    json_file: MaybeJsonFile = None,
) -> None:
    """Every evaluated policy: success rate with interval, parameters, times in the node."""
    from robot_vision.bench.policy_table import (
        as_figures,
        as_markdown,
        list_policies,
        measure_policy,
    )
    from robot_vision.core.errors import ConfigError
    from robot_vision.core.files.figures import write_figures
    from robot_vision.machine import describe_machine
    from robot_vision.terminal import say

    found = list_policies(bundles, evaluations)
    if not found:
        raise ConfigError(
            f"{bundles} has no policy with {evaluations}/NAME/evaluation.json: expected bundles "
            "of `robot-vision export` and their results of `evaluate policy --out`"
        )
    rows = []
    for bundle, evaluation in found:
        say(f"measuring {bundle.path.name}")
        rows.append(measure_policy(bundle, evaluation, seconds=seconds))
    table = as_markdown(rows, conditions=conditions.split(","))
    figures = as_figures(rows, describe_machine())
    write_figures(out / "policies.json", figures)
    (out / "policies.md").write_text(table)
    say(table)
    say(f"written to {out}: policies.json, policies.md")
    if json_file is not None:
        write_json(json_file, figures)
