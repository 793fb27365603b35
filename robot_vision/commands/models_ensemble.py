"""`robot-vision models ensemble`: several models, or several views of a picture, as one bundle."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.core.errors import ConfigError
from robot_vision.terminal import say


def register(models_app: typer.Typer) -> None:
    """Add `ensemble` to the `models` commands."""
    models_app.command("ensemble")(ensemble_models)


def ensemble_models(
    names: Annotated[
        list[str], typer.Argument(help="ONNX bundles with the same input preparation")
    ],
    out: Annotated[Path, typer.Option(help="folder of the new bundle, and its name")],
    view: Annotated[
        list[str] | None,
        typer.Option(help="additional view of the picture: flip, scale:0.8, crop:0,0,0.7"),
    ] = None,
    weight: Annotated[
        list[float] | None, typer.Option(help="weight of each bundle, in order; default: 1")
    ] = None,
    iou: Annotated[
        float, typer.Option(min=0.1, max=0.95, help="IoU above which boxes count as one object")
    ] = 0.55,
) -> None:
    """Join bundles, or views of a picture (test-time augmentation), into one bundle.

    Boxes by weighted box fusion, classes by mean probability, depth by mean. The time grows with
    the number of members: use `models compare` to see whether it pays off.
    """
    from robot_vision.ensembles.build import Ensemble, build_ensemble
    from robot_vision.ensembles.views import View, parse_view
    from robot_vision.model_store.store import find_bundle

    views = (View(), *map(parse_view, view or []))
    if len(set(views)) < len(views):
        raise ConfigError(f"a view is given twice: {', '.join(view or [])}")
    ensemble = Ensemble(
        bundles=tuple(find_bundle(name) for name in names),
        weights=tuple(weight or [1.0] * len(names)),
        views=views,
        iou=iou,
    )
    bundle = build_ensemble(ensemble, out, name=out.name)
    members = len(names) * len(views)
    say(f"written: {bundle.path}, which runs {members} networks per frame; compare it:")
    say(f"robot-vision models compare {names[0]} {out} --data HELD_OUT_SET")
