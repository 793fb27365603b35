"""`fp16`: half precision inside, for GPUs; a CPU converts it back and forth."""

from pathlib import Path

from robot_vision.compressing.step import STEPS, Case, GraphStep
from robot_vision.export.quantise import to_fp16
from robot_vision.model_store.store import Bundle


@STEPS.register("fp16")
class Fp16(GraphStep):
    """Half-precision floats; inputs and outputs keep their types."""

    kind = "fp16"
    precision = "fp16"

    def words(self) -> str:
        return "FP16"

    def apply(self, bundle: Bundle, run: Path, out: Path, case: Case) -> str:
        del run, case
        to_fp16(bundle.model_path, out)
        return ""
