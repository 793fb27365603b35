"""The YAML recipe of a training run: every choice that shapes the weights, with its bounds."""

from pathlib import Path
from typing import Any, Literal

import yaml

from robot_vision.core.config import Params, load_yaml, param, with_values
from robot_vision.training.data.augmentation import Augmentation


class Resolution(Params):
    """Training size up to a part of the run: crops of the view first, all of it at the end."""

    until: float = param(1.0, "part of the run at which this size ends", gt=0, le=1)
    width_px: int = param(416, "width", unit="px", ge=64, le=2048, multiple_of=32)
    height_px: int = param(320, "height", unit="px", ge=64, le=2048, multiple_of=32)


class LossWeights(Params):
    """How hard each task pulls; the scales of the losses are learnt."""

    classes: float = param(4.0, "classification", ge=0)
    boxes: float = param(2.0, "box overlap", ge=0)
    masks: float = param(1.0, "instance masks", ge=0)
    depth: float = param(2.0, "metric depth", ge=0)
    features: float = param(0.3, "appearance of objects in the feature grid", ge=0)
    embedding: float = param(0.1, "what the whole image holds", ge=0)


class Recipe(Params):
    """One training run. Ends at `steps` or `budget_minutes`, whichever comes first."""

    model: Literal["native-s", "native-m"] = param("native-s", "size of the model")
    train_set: str = param("", "folder of the training set (annotations.json)")
    val_set: str = param("", "folder of the held-out set")
    init_weights: str = param("", "bundle or safetensors to start from; empty for fresh")
    seed: int = param(0, "seed of weights, order and augmentation", ge=0)
    device: str = param("auto", "cpu, cuda, or auto")
    threads: int = param(1, "threads of each process on the CPU", ge=1, le=256)
    batch_size: int = param(16, "samples a step, of all processes together", ge=1, le=1024)
    steps: int = param(0, "steps of the run; 0: by time alone", ge=0)
    budget_minutes: float = param(0.0, "minutes of training; 0: by steps alone", ge=0)
    learning_rate: float = param(0.003, "highest learning rate (AdamW)", gt=0, le=1)
    weight_decay: float = param(0.02, "weight decay of convolution weights", ge=0, le=1)
    warmup_steps: int = param(200, "steps until the highest learning rate", ge=0)
    ema_decay: float = param(0.998, "decay of the averaged weights", ge=0, lt=1)
    round_steps: int = param(200, "steps between a line of the log and a checkpoint", ge=1)
    rounds_per_evaluation: int = param(5, "rounds between evaluations; 0: never", ge=0)
    evaluation_images: int = param(200, "images of an evaluation while training", ge=1)
    patience: int = param(0, "evaluations without a better AP until it stops; 0: never", ge=0)
    cache_dir: str = param("", "folder of decoded samples; empty: `cache` inside the set")
    resolutions: list[Resolution] = param([Resolution()], "sizes in the order of `until`")
    augmentation: Augmentation = Augmentation()
    losses: LossWeights = LossWeights()


def load_recipe(path: Path, overrides: dict[str, object] | None = None) -> Recipe:
    """Read a recipe; `overrides` are dotted names. Raises `ConfigError` if it is no recipe."""
    return with_values(Recipe(), _dotted(load_yaml(path)) | (overrides or {}))


def _dotted(values: dict[str, Any], prefix: str = "") -> dict[str, object]:
    """Groups of values by dotted names: `losses: {depth: 1}` is `losses.depth`."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _dotted(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def save_recipe(recipe: Recipe, file: Path) -> None:
    """Write every choice, those left at their defaults too: the record of a run."""
    file.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
