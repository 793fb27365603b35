"""Small sets for tests: a folder a class, and label PNGs."""

from pathlib import Path

import cv2
import numpy as np

from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of

COLORS = {"blue": (40, 60, 220), "green": (30, 180, 60), "red": (220, 40, 40)}


def write_folders(root: Path, *, images: int, names: tuple[str, ...] = tuple(COLORS)) -> Path:
    """Pictures of one colour a class, 48 x 32 px, with noise."""
    rng = np.random.default_rng(3)
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(images):
            noise = rng.integers(-30, 30, (32, 48, 3))
            rgb = np.clip(np.array(COLORS[name]) + noise, 0, 255).astype(np.uint8)
            cv2.imwrite(str(root / name / f"{number}.png"), rgb[..., ::-1])
    return root


def write_label_pngs(root: Path, *, images: int, names: tuple[str, ...]) -> Path:
    """Pictures whose left half is of row 0 and dark, the right of row 1 and bright; 96 x 64 px."""
    rng = np.random.default_rng(4)
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("\n".join(names) + "\n")
    for number in range(images):
        labels = np.zeros((64, 96), np.uint8)
        labels[:, int(rng.integers(30, 66)) :] = 1
        noise = rng.integers(-20, 20, (64, 96, 3))
        rgb = (np.where(labels[..., None], 200, 60) + noise).astype(np.uint8)
        labels[:4] = 255
        cv2.imwrite(str(root / "images" / f"{number}.png"), rgb)
        cv2.imwrite(str(root / "labels" / f"{number}.png"), labels)
    return root


def picture_recipe(
    task: str, model: str, train: Path, val: Path | None, cache: Path, **options: object
) -> Recipe:
    """A tiny recipe of classification or segmentation, at 64 x 64 px by default."""
    values = {
        "task": task,
        "model": model,
        "run": {"steps": 8, "round_steps": 4, "batch_size": 6, "rounds_per_evaluation": 1},
        "optimizer": {"warmup_steps": 2},
        "options": {
            "train_set": str(train),
            "val_set": str(val or ""),
            "cache_dir": str(cache),
            "resolutions": [{"width_px": 64, "height_px": 64}],
            **options,
        },
    }
    return recipe_of(values, {})
