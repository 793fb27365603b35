"""`prune`: removes whole channels by the size of their weights."""

from pathlib import Path

from robot_vision.compressing.pruning.channels import Importance, Wanted, prune_channels
from robot_vision.compressing.step import STEPS, Case, WeightStep
from robot_vision.compressing.weights_folder import build, write
from robot_vision.core.parameters.params import param


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

    def words(self) -> str:
        others = "".join(f", {pattern} {ratio:g}" for pattern, ratio in self.ratios.items())
        return f"prune {self.ratio:g} by {self.by} to multiples of {self.round_to}{others}"

    def apply(self, begin: Path, out: Path, case: Case) -> str:
        del case
        built = build(begin)
        wanted = Wanted(ratio=self.ratio, round_to=self.round_to, by=self.by, ratios=self.ratios)
        pruned = prune_channels(built.model, built.example(), wanted)
        write(out, built, pruned.model.state_dict(), built.recipe, pruned=True)
        widths = ", ".join(f"{name} {b} → {a}" for name, (a, b) in pruned.widths.items())
        refused = "; ".join(f"{name}: {why}" for name, why in pruned.refused.items())
        return f"{widths}" + (f". Unchanged: {refused}" if refused else "")
