"""Small runs for tests: recipes of tiny sets, and reporters that watch or stop them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robot_vision.models.registry import MODELS
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of

# What the data say of a spec: a tiny one must not.
_OF_THE_DATA = (
    "classes", "words", "max_words", "max_objects", "object_width", "geometry_width",
    "centre_from_tool_at", "visual_cells", "visual_width", "robot_width", "horizon", "tasks",
    "observation", "actions", "text_width", "sentence_width", "features_channels", "features_rows",
    "features_columns", "poses",
)  # fmt: skip


class Rows:
    """Keeps what a run reports; stops it after some rounds, as a power cut would."""

    def __init__(self, stop_after: int = 0) -> None:
        self.rows: list[dict[str, float]] = []
        self.notes: list[str] = []
        self._stop_after = stop_after

    def on_step(self, part: float, loss: Tensor) -> None:
        assert 0 < part <= 1
        assert loss.shape == ()

    def on_round(self, row: dict[str, float]) -> None:
        self.rows.append(row)
        if len(self.rows) == self._stop_after:
            raise KeyboardInterrupt

    def on_note(self, text: str) -> None:
        self.notes.append(text)


def tiny_spec(model: str) -> dict[str, Any]:
    """The card's tiny spec without what the data determine."""
    spec = MODELS.get(model).tiny.model_dump()
    return {name: value for name, value in spec.items() if name not in _OF_THE_DATA}


def shapes_recipe(train_set: Path, cache: Path, **overrides: object) -> Recipe:
    """Perception, tiny, on a set of shapes; six steps in rounds of two."""
    values: dict[str, Any] = {
        "task": "perception",
        "model": "native-s",
        "spec": tiny_spec("native-s"),
        "run": {"steps": 6, "round_steps": 2, "batch_size": 4, "rounds_per_evaluation": 0},
        "optimizer": {"warmup_steps": 2},
        "options": {
            "train_set": str(train_set),
            "cache_dir": str(cache),
            "resolutions": [
                {"until": 0.5, "width_px": 64, "height_px": 64},
                {"width_px": 128, "height_px": 96},
            ],
        },
    }
    return recipe_of(values, dotted(overrides))


def dotted(overrides: Mapping[str, object]) -> dict[str, object]:
    """`run__steps=3` as `run.steps`."""
    return {name.replace("__", "."): value for name, value in overrides.items()}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Bit by bit."""
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
