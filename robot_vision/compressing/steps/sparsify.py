"""`sparsify`: single weights become zero. It saves nothing unless the runtime skips zeros."""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.compressing.step import STEPS, Case, WeightStep
from robot_vision.compressing.weights_folder import build, write
from robot_vision.core.parameters.params import param
from robot_vision.training.engine.recipes.recipe_file import changed


@STEPS.register("sparsify")
class Sparsify(WeightStep):
    """The smallest weights of each convolution and linear layer become and stay zero."""

    kind = "sparsify"
    ratio: float = param(0.8, "part of the weights of each layer", gt=0, lt=1)

    def words(self) -> str:
        return f"sparsify {self.ratio:g} of the weights of each layer"

    def apply(self, begin: Path, out: Path, case: Case) -> str:
        del case
        built = build(begin)
        layers = [m for m in built.model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for layer in layers:
            _zero_smallest(layer.weight, self.ratio)
        recipe = changed(built.recipe, {"run.keep_zeros": True})
        write(out, built, built.model.state_dict(), recipe, pruned=built.weights.pruned)
        zeros = sum(int((layer.weight == 0).sum()) for layer in layers)
        total = sum(layer.weight.numel() for layer in layers)
        return f"{zeros} of {total} weights of {len(layers)} layers are zero"


def _zero_smallest(weight: Float[Tensor, "..."], ratio: float) -> None:
    """In place. Layers too small to lose a weight stay unchanged."""
    count = int(weight.numel() * ratio)
    if count:
        threshold = weight.detach().abs().flatten().kthvalue(count).values
        weight.data.masked_fill_(weight.detach().abs() <= threshold, 0.0)
