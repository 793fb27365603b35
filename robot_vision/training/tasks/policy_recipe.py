"""The YAML recipe of the policy's training: every choice that shapes the weights."""

from pathlib import Path

import yaml

from robot_vision.core.config import Params, load_yaml, param, with_values


class Dropout(Params):
    """How often a sample loses what a robot may lose."""

    depth: float = param(0.1, "no measured depth", ge=0, le=1)
    visual: float = param(0.2, "no visual tokens", ge=0, le=1)
    appearance: float = param(0.5, "no pooled features of objects", ge=0, le=1)
    history: float = param(0.4, "no history of the arm", ge=0, le=1)
    others: float = param(0.1, "each object that is not meant", ge=0, le=1)


class PolicyRecipe(Params):
    """One training run. Ends at `steps` or `budget_minutes`, whichever comes first."""

    model: str = param("policy-s", "torch model in the registry")
    train_sets: list[str] = param([], "folders of episodes")
    val_sets: list[str] = param([], "folders of held-out episodes")
    init_weights: str = param("", "file of weights to start from; empty for fresh")
    seed: int = param(0, "seed of weights, order and noise", ge=0)
    device: str = param("auto", "cpu, cuda, or auto")
    threads: int = param(1, "threads of each process on the CPU", ge=1, le=256)
    loaders: int = param(1, "threads that make batches", ge=1, le=256)
    batch_size: int = param(128, "samples a step, of each process", ge=1, le=65536)
    steps: int = param(0, "steps of the run; 0: by time alone", ge=0)
    budget_minutes: float = param(0.0, "minutes of training; 0: by steps alone", ge=0)
    learning_rate: float = param(0.001, "highest learning rate (AdamW)", gt=0, le=1)
    weight_decay: float = param(0.03, "weight decay of matrices", ge=0, le=1)
    warmup_steps: int = param(150, "steps until the highest learning rate", ge=0)
    ema_decay: float = param(0.997, "decay of the averaged weights", ge=0, lt=1)
    round_steps: int = param(200, "steps between lines of the log", ge=1)
    val_samples: int = param(4000, "held-out samples of an evaluation", ge=1)
    exposure_noise: float = param(0.2, "changes of exposure, in logarithms", ge=0, le=1)
    tint_noise: float = param(0.05, "changes of white balance, in logarithms", ge=0, le=1)
    look_noise: float = param(0.1, "noise of looks, in deviations", ge=0, le=1)
    place_noise_m: float = param(0.002, "noise of places", unit="m", ge=0, le=0.1)
    hold_weight: float = param(1.0, "how often samples that ask to hold are drawn", ge=0)
    dropout: Dropout = Dropout()


def load_policy_recipe(path: Path, overrides: dict[str, object] | None = None) -> PolicyRecipe:
    """Read a recipe; `overrides` are dotted names. Raises `ConfigError` if it is no recipe."""
    values: dict[str, object] = {}
    for name, value in load_yaml(path).items():
        if isinstance(value, dict):
            values |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            values[name] = value
    return with_values(PolicyRecipe(), values | (overrides or {}))


def save_policy_recipe(recipe: PolicyRecipe, file: Path) -> None:
    """Write every choice, those left at their defaults too: the record of a run."""
    file.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
