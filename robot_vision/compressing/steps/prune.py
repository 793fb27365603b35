"""`prune`: removes whole channels by the size of their weights."""

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from robot_vision.compressing.pruning.channels import Importance, Wanted, prune_channels
from robot_vision.compressing.pruning.refit import refit
from robot_vision.compressing.step import STEPS, Case, WeightStep
from robot_vision.compressing.weights_folder import Built, build, write
from robot_vision.core.parameters.params import param
from robot_vision.training.engine.recipes.recipe_file import changed
from robot_vision.training.engine.task import TASKS

_BATCH = 4


@STEPS.register("prune")
class Prune(WeightStep):
    """Narrower layers; on a CPU, odd widths can be slower than the whole model."""

    kind = "prune"
    ratio: float = param(0.3, "share of each width to remove", gt=0, lt=1)
    round_to: int = param(16, "remaining widths are multiples of it", ge=1, le=256)
    by: Importance = param("magnitude", "measure of a channel's importance")
    ratios: dict[str, float] = param(
        {}, "shares of layers by pattern, instead of `ratio`; 0 keeps all"
    )
    refit_samples: int = param(
        64, "training samples by which the other weights are refitted; 0: they stay", ge=0
    )

    def words(self) -> str:
        others = "".join(f", {pattern} {ratio:g}" for pattern, ratio in self.ratios.items())
        refitted = f", refitted on {self.refit_samples} samples" * bool(self.refit_samples)
        return (
            f"prune {self.ratio:g} by {self.by} to multiples of {self.round_to}{others}{refitted}"
        )

    def apply(self, begin: Path, out: Path, case: Case) -> str:
        del case
        built = build(begin)
        wanted = Wanted(ratio=self.ratio, round_to=self.round_to, by=self.by, ratios=self.ratios)
        pruned = prune_channels(built.model, built.example(), wanted)
        if self.refit_samples:
            refit(pruned.model, built.model, pruned.kept, _runs(built, self.refit_samples))
        write(out, built, pruned.model.state_dict(), built.recipe, pruned=True)
        widths = ", ".join(f"{name} {b} → {a}" for name, (a, b) in pruned.widths.items())
        refused = "; ".join(f"{name}: {why}" for name, why in pruned.refused.items())
        return f"{widths}" + (f". Unchanged: {refused}" if refused else "")


def _runs(built: Built, samples: int) -> list[Callable[[nn.Module], object]]:
    """Batches of the recipe at the size of its end, each to be passed through a model."""
    recipe = changed(
        built.recipe, {"run.init_weights": "", "run.batch_size": _BATCH, "run.accumulate": 1}
    )
    task = TASKS.get(recipe.task)(recipe, torch.device("cpu"))
    with closing(task.batches(0, 1.0)) as batches:
        taken = list(islice(batches, -(-samples // _BATCH)))
    return [lambda model, batch=batch: task.answer(model, batch) for batch in taken]
