"""The finders as `robot-vision train --find` shows them: a table and a suggestion."""

import os

import torch
from rich.table import Table

from robot_vision.core.errors import ConfigError
from robot_vision.terminal import Screen
from robot_vision.training.engine.finding.find_batch import find_batch_size
from robot_vision.training.engine.finding.find_rate import find_learning_rate
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.run import build_run

FINDERS = ("learning-rate", "batch-size")
_ROWS = 14


def find(what: str, recipe: Recipe, screen: Screen) -> None:
    """Run a finder and print its table; raises `ConfigError` for an unknown one."""
    if what not in FINDERS:
        raise ConfigError(f"--find {what!r}; available: {', '.join(FINDERS)}")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(f"--find {what} runs in one process: start it without torchrun")
    torch.set_num_threads(recipe.run.threads)
    if what == "learning-rate":
        _show_rates(recipe, screen)
    else:
        _show_batches(recipe, screen)


def _show_rates(recipe: Recipe, screen: Screen) -> None:
    found = find_learning_rate(build_run(recipe))
    table = Table("learning rate", "loss (smoothed)")
    step = max(1, len(found.rates) // _ROWS)
    for rate, loss in list(zip(found.rates, found.losses, strict=True))[::step]:
        table.add_row(f"{rate:.2e}", f"{loss:.4g}")
    screen.print(table)
    if found.suggestion:
        screen.print(f"suggestion: --set optimizer.learning_rate={found.suggestion:g}")
    else:
        screen.print("no rate made the loss fall: check the data and the losses first")


def _show_batches(recipe: Recipe, screen: Screen) -> None:
    trials, suggestion = find_batch_size(build_run(recipe))
    table = Table("batch size", "samples/s", "peak memory, MB")
    for trial in trials:
        figures = (f"{trial.samples_per_s:.1f}", f"{trial.peak_mb:.0f}")
        table.add_row(str(trial.batch_size), *(figures if trial.fits else ("does not fit", "")))
    screen.print(table)
    if suggestion:
        screen.print(
            f"suggestion: --set run.batch_size={suggestion} (for one process; several share it)"
        )
    else:
        screen.print("not even one sample fits: use a smaller model, or run.recompute")
