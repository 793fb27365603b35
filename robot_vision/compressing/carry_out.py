"""Carries out a plan: builds every variant, times all side by side, accepts or refuses each."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from robot_vision.compressing.chain import Made, Workshop
from robot_vision.compressing.measuring import Cost, costs, metric_of
from robot_vision.compressing.plan import ORIGINAL, Plan, Variant
from robot_vision.compressing.step import Case, NotAcceptedError
from robot_vision.compressing.weights_folder import begin
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import read_json
from robot_vision.core.manifests.manifest import CompressionStep
from robot_vision.export.run_folder import open_run
from robot_vision.model_store.bundle_files import sha256_of
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import changed, load_recipe
from robot_vision.training.engine.report import Reporter
from robot_vision.training.engine.run import RECIPE, WEIGHTS, weights_file

_BEGUN = "begun.json"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A variant's row in the report; `verdict` is its acceptance with the reason."""

    name: str
    figure: float
    low: float | None
    high: float | None
    parameters: int
    cost: Cost
    gain: float
    verdict: str
    history: tuple[CompressionStep, ...]
    bundle: Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Results of a plan: `rows` with the original first, and refused variants with the reason."""

    metric: str
    most_lost: float
    rows: tuple[Row, ...]
    refused: dict[str, str]


def carry_out(
    plan: Plan,
    out: Path,
    *,
    reporter: Callable[[], AbstractContextManager[Reporter]],
    say: Callable[[str], None],
) -> Outcome:
    """Build each variant of the plan in `out`; a second call resumes where the first stopped.

    Raises `ConfigError` if model, recipe and plan do not fit together.
    """
    options = plan.options
    recipe = _recipe(plan)
    validation = getattr(recipe.options, "val_set", "")
    if not validation:
        raise ConfigError(
            f"the recipe has no options.val_set: steps of {options.model!r} are judged on it"
        )
    case = Case(
        original=out / "work" / ORIGINAL,
        validation=Path(validation),
        images=options.images,
        threads=options.threads,
        rounds=options.rounds,
        most_lost=options.most_lost,
        reporter=reporter,
        say=say,
    )
    _begin(plan, recipe, case)
    shop = Workshop(
        work=out / "work", bundles=out / "bundles", test=Path(options.test_set), case=case
    )
    made, refused = _variants(plan.variants, shop)
    return _outcome(made, refused, recipe, shop)


def _begin(plan: Plan, recipe: Recipe, case: Case) -> None:
    """The original's folder; raises `ConfigError` if it is that of another plan.

    Variants, threads and rounds may change: a step that depends on them is repeated.
    """
    options, file = plan.options, weights_file(plan.options.model)
    if not file.is_file():
        raise ConfigError(
            f"model {options.model!r} has no {file.name}: expected the folder of a run, or a "
            "bundle with weights; ONNX alone is not compressed"
        )
    own = {
        "weights": sha256_of(file),
        "recipe": recipe.model_dump(mode="json"),
        "test_set": options.test_set,
        "images": options.images,
        "most_lost": options.most_lost,
    }
    identity = case.original / _BEGUN
    if not identity.is_file():
        begin(file, recipe, case.original)
        identity.write_text(json.dumps(own, indent=1) + "\n")
        return
    found = read_json(identity)
    changed_names = [name for name, value in own.items() if found.get(name) != value]
    if changed_names:
        raise ConfigError(
            f"{case.original.parent} was begun with another {', '.join(changed_names)}: its "
            "results cannot be compared with new ones. Expected another --out"
        )


def _recipe(plan: Plan) -> Recipe:
    options = plan.options
    own = Path(options.model) / RECIPE
    file = Path(options.recipe) if options.recipe else own
    if not file.is_file():
        raise ConfigError(
            f"{options.model!r} is not a run, and the plan has no recipe: expected `recipe`, to "
            "tune and measure the model, such as config/recipes/perception/native-s.yaml"
        )
    return changed(load_recipe(file), {"run.init_weights": "", **options.set})


def _variants(
    variants: tuple[Variant, ...], shop: Workshop
) -> tuple[dict[str, Made], dict[str, str]]:
    begun = shop.begun()
    made = {ORIGINAL: shop.original(begun, ORIGINAL)}
    refused: dict[str, str] = {}
    for variant in variants:
        try:
            made[variant.name] = shop.carried_out(variant, begun)
        except NotAcceptedError as error:
            shop.case.say(f"{variant.name}: {error}")
            refused[variant.name] = str(error)
    return made, refused


def _outcome(
    made: dict[str, Made], refused: dict[str, str], recipe: Recipe, shop: Workshop
) -> Outcome:
    case, metric = shop.case, metric_of(recipe)
    held_out = open_run(case.original, weights=WEIGHTS, data=shop.test).held_out
    bundles = [one.bundle for one in made.values()]
    found = costs(bundles, held_out, threads=case.threads, rounds=case.rounds)
    first_ms = found[0].p50_ms
    exact = float(bundles[0].manifest.metrics[metric])
    rows = []
    for (name, one), cost in zip(made.items(), found, strict=True):
        metrics = one.bundle.manifest.metrics
        figure, gain = float(metrics[metric]), first_ms / cost.p50_ms
        rows.append(
            Row(
                name=name,
                figure=figure,
                low=_number(metrics.get(f"{metric}_low")),
                high=_number(metrics.get(f"{metric}_high")),
                parameters=int(_last(one, "parameters")),
                cost=cost,
                gain=gain,
                verdict=_verdict(name, gain, exact - figure, case.most_lost),
                history=one.history,
                bundle=one.bundle.path,
            )
        )
    return Outcome(metric=metric, most_lost=case.most_lost, rows=tuple(rows), refused=refused)


def _last(made: Made, name: str) -> float:
    return next(step.after[name] for step in reversed(made.history) if name in step.after)


def _verdict(name: str, gain: float, lost: float, most_lost: float) -> str:
    if name == ORIGINAL:
        return ""
    faults = []
    if gain <= 1:
        faults.append(f"not faster ({gain:.2f} times)")
    if not lost <= most_lost:  # not where it is NaN
        faults.append(f"loses {lost:.3f}, at most {most_lost:g} is allowed")
    return "not accepted: " + "; ".join(faults) if faults else "accepted"


def _number(value: float | str | None) -> float | None:
    return None if value is None else float(value)
