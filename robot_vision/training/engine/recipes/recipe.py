"""The YAML recipe of a training run: task, model, run, optimiser and the task's own options."""

from typing import Any, Literal

from robot_vision.core.parameters.params import Params, param


class RunOptions(Params):
    """Options of a run. It ends at `steps` or `budget_minutes`, whichever comes first."""

    seed: int = param(0, "seed of weights, order and augmentation", ge=0, le=2**31 - 1)
    device: str = param("auto", "cpu, cuda, or auto")
    threads: int = param(1, "threads of each process on the CPU", ge=1, le=256)
    batch_size: int = param(16, "samples per step, over all processes", ge=1, le=65536)
    accumulate: int = param(1, "parts into which a step's batch is split", ge=1, le=1024)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = param(
        "auto", "of the forward pass; auto: bf16 on a GPU, fp32 on a CPU"
    )
    recompute: bool = param(False, "recompute activations in the backward pass to save memory")
    steps: int = param(0, "steps of the run; 0: limited by time only", ge=0)
    budget_minutes: float = param(0.0, "minutes of training; 0: limited by steps only", ge=0)
    round_steps: int = param(200, "steps between checkpoints, each with a line in the log", ge=1)
    rounds_per_evaluation: int = param(5, "rounds between evaluations; 0: never", ge=0)
    patience: int = param(0, "evaluations without improvement until the run stops", ge=0)
    ema_decay: float = param(0.998, "decay of the averaged weights", ge=0, lt=1)
    init_weights: str = param("", "bundle, run or safetensors to start from; empty: fresh")
    keep_zeros: bool = param(False, "weights that are 0 at the start stay 0 (sparse models)")
    eight_bits: list[str] = param(
        [], "patterns of layers that compute in simulated eight bits while training, for INT8"
    )

    def share(self, processes: int) -> int:
        """Samples of one part of a step in one process."""
        return self.batch_size // (processes * self.accumulate)


class OptimizerOptions(Params):
    """AdamW with linear warm-up by steps, then a cosine over the run."""

    learning_rate: float = param(0.003, "highest learning rate", gt=0, le=1)
    last_learning_rate: float = param(
        0.01, "final learning rate, as a fraction of the highest", ge=0, le=1
    )
    weight_decay: float = param(0.02, "decay of weights with two or more dimensions", ge=0, le=1)
    warmup_steps: int = param(200, "steps until the highest learning rate", ge=0)
    gradient_norm: float = param(10.0, "gradients are clipped to this norm", gt=0)
    rates: dict[str, float] = param(
        {}, "factors of the learning rate by pattern of a parameter's name; 0 freezes it"
    )


class Recipe(Params):
    """One training run. `options` are the task's; `spec` changes the model's from its card."""

    task: str = param("", "the training task; `robot-vision models tasks` lists them")
    model: str = param("", "name of the model; `robot-vision models architectures` lists them")
    spec: dict[str, Any] = param({}, "fields of the model's spec that differ from its card")
    run: RunOptions = RunOptions()
    optimizer: OptimizerOptions = OptimizerOptions()
    options: Any = param(None, "options of the task")
