"""`tune`: the training engine continues from the weights; with simulated INT8 on request."""

from pathlib import Path

from torch import nn

from robot_vision.compressing.pruning.answers import answering_layers
from robot_vision.compressing.step import STEPS, Case, WeightStep
from robot_vision.compressing.weights_folder import Built, build
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import param
from robot_vision.training.engine.curves import read_rows
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import changed
from robot_vision.training.engine.run import CURVES, WEIGHTS

ORIGINAL = "original"


@STEPS.register("tune")
class Tune(WeightStep):
    """A run of `robot-vision train` by the plan's recipe, shorter."""

    kind = "tune"
    steps: int = param(0, "steps of the run; 0: limited by time only", ge=0)
    minutes: float = param(0.0, "minutes of training; 0: limited by steps only", ge=0)
    learning_rate: float = param(0.0, "peak learning rate; 0: that of the recipe", ge=0, le=1)
    eight_bits: bool = param(False, "layers compute in simulated INT8: before `int8`")
    spare_answers: bool = param(True, "except the output layers")
    teacher: str = param("", "teacher, a run or a bundle; `original`: the plan's model")
    teacher_weight: float = param(0.5, "the teacher's share of the loss", ge=0, le=1)

    def words(self) -> str:
        bounds = [f"{self.steps} steps"] * bool(self.steps)
        bounds += [f"{self.minutes:g} min"] * bool(self.minutes)
        rate = f" at {self.learning_rate:g}" if self.learning_rate else ""
        aware = " in simulated INT8" if self.eight_bits else ""
        taught = f", taught by {self.teacher}" if self.teacher else ""
        return f"tune {' or '.join(bounds)}{rate}{aware}{taught}"

    def apply(self, begin: Path, out: Path, case: Case) -> str:
        if not (self.steps or self.minutes):
            raise ConfigError(
                "step tune has steps = 0 and minutes = 0: expected a limit by one of them"
            )
        built = build(begin)
        values = {
            "run.init_weights": str(begin / WEIGHTS),
            "run.steps": self.steps,
            "run.budget_minutes": self.minutes,
            "run.eight_bits": self._played(built),
        }
        if self.learning_rate:
            values["optimizer.learning_rate"] = self.learning_rate
        if self.teacher:
            is_original = self.teacher == ORIGINAL
            values["options.distill.teacher"] = str(case.original) if is_original else self.teacher
            values["options.distill.weight"] = self.teacher_weight
        with case.reporter() as reporter:
            train(changed(built.recipe, values), out, reporter=reporter)
        last = read_rows(out / CURVES)[-1]
        return f"{float(last['step']):.0f} steps in {float(last['minutes']):.1f} min"

    def _played(self, built: Built) -> list[str]:
        """Convolutions, or in a model without any its linear layers: what the export quantises."""
        if not self.eight_bits:
            return []
        layers = {n: m for n, m in built.model.named_modules() if isinstance(m, _LAYERS)}
        has_convolutions = any(isinstance(m, nn.Conv2d) for m in layers.values())
        spared: set[str] = set()
        if self.spare_answers:
            spared = answering_layers(built.model, built.model(*built.example()))
        return [
            name
            for name, module in layers.items()
            if name not in spared and isinstance(module, nn.Conv2d) == has_convolutions
        ]


_LAYERS = (nn.Conv2d, nn.Linear)
