"""`robot-vision models recommend`: choose among the measured models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_vision.core.errors import ConfigError
from robot_vision.terminal import Screen

if TYPE_CHECKING:
    from robot_vision.model_store.measured import GardenRow
    from robot_vision.model_store.recommend import Advice

# Service parameters for models, by task.
_SERVED_AS = {
    "Detection": "model",
    "Classification": "classifier_model",
    "Segmentation": "segmentation_model",
    "Depth from colour": "depth_model",
}


def register(models_app: typer.Typer) -> None:
    """Add `recommend` to the `models` commands."""
    models_app.command("recommend")(recommend_model)


def recommend_model(
    task: Annotated[str, typer.Option(help="detection, segmentation …, as in the table")],
    budget_ms: Annotated[
        float, typer.Option(min=0, help="time limit per frame: resizing, network, decoding")
    ],
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    licence: Annotated[
        str, typer.Option(help="acceptable licences: MIT,Apache-2.0, or permissive; default: any")
    ] = "",
    table: Annotated[
        Path | None,
        typer.Option(help="garden.json of `bench garden`; default: the shipped one"),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="file for the recommended model's recipe")
    ] = None,
) -> None:
    """Recommend the measured model that fits best, with the reasons and how to get it, if any
    fits."""
    from robot_vision.model_store.measured import SHIPPED_TABLE, read_table
    from robot_vision.model_store.recommend import Wanted, asked_of, licences_of, recommend

    found = read_table(table or SHIPPED_TABLE)
    wanted = Wanted(
        asked=asked_of(found.rows, task),
        budget_ms=budget_ms,
        device=device,
        licences=licences_of(licence),
    )
    advice = recommend(found.rows, wanted)
    screen = Screen()
    screen.print(advice.summary, soft_wrap=True)
    _print_reasons(screen, advice)
    screen.print(f"measured on: {found.measured.partition('. ')[0]}", soft_wrap=True)
    if advice.taken is None:
        raise typer.Exit(1)
    if recipe is not None:
        _write_recipe(advice.taken, recipe)
    screen.print(_how_to_get(advice.taken, recipe), soft_wrap=True)


def _print_reasons(screen: Screen, advice: "Advice") -> None:
    from rich.table import Column, Table

    metric = advice.reasons[0][0].metric
    table = Table(
        Column("model", no_wrap=True),
        f"{metric} (95 %)",
        "trivial",
        "frame ms",
        "licence",
        "verdict",
    )
    for row, reason in advice.reasons:
        interval = "" if row.low != row.low else f" ({row.low:.3f} to {row.high:.3f})"
        trivial = "–" if row.trivial != row.trivial else f"{row.trivial:.3f}"
        table.add_row(
            row.name,
            f"{row.value:.3f}{interval}",
            trivial,
            f"{row.frame_p50_ms:.1f}",
            row.licence,
            reason,
        )
    screen.print(table)


def _how_to_get(row: "GardenRow", recipe: Path | None) -> str:
    from robot_vision.model_store.store import list_bundles

    served = _SERVED_AS.get(row.asked)
    as_service = f"\nrobot-vision run -p {served}:=bundles/{row.name} …" if served else ""
    if any(bundle.manifest.name == row.name for bundle in list_bundles()):
        return f"no need to get it: it is in the store{as_service.replace('bundles/', '')}"
    if not row.recipe.startswith("{"):
        return f"to get it: its recipe is unknown; {row.recipe} was measured"
    file = recipe or Path(f"{row.name}.yaml")
    first = (
        f"its recipe is in {file}"
        if recipe
        else f"--recipe {file} makes this command write its recipe"
    )
    return (
        f"to get it: its weights are not shipped: {first}; then\nrobot-vision train {file} --out "
        f"out/{row.name} --set options.train_set=data/train --set "
        f"options.val_set=data/val\nrobot-vision export out/{row.name} --out "
        f"bundles/{row.name}{as_service}"
    )


def _write_recipe(row: "GardenRow", file: Path) -> None:
    import yaml

    from robot_vision.core.files.foreign import parse_json

    if not row.recipe.startswith("{"):
        raise ConfigError(f"the recipe of {row.name} is unknown: {file} was not written")
    written = yaml.safe_dump(parse_json(row.recipe, what="the recipe"), sort_keys=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(written, encoding="utf-8")
