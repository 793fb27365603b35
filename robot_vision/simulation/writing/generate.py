"""Generate training sets in parallel processes; existing scenes are kept."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import read_json
from robot_vision.simulation.content.palette import SPLITS, Split
from robot_vision.simulation.picture.frame import make_frame
from robot_vision.simulation.picture.render import SceneRenderer
from robot_vision.simulation.picture.scene import Content, build_scene, settle
from robot_vision.simulation.writing.coco_writer import (
    merge_parts,
    part_file,
    prepare_set,
    write_part,
)
from robot_vision.simulation.writing.parallel import run_jobs

RECIPE = "recipe.json"
VIEWS_PER_SCENE = 5
SETTLE_S = 1.5
_MERGE_EVERY_FRAMES = 500


@dataclass(frozen=True, kw_only=True)
class SetRecipe:
    """Everything that the contents of a set depend on."""

    count: int
    seed: int
    split: Split
    width_px: int
    height_px: int
    most_objects: int | None = None  # and no distractors; None: as in `Content`

    @property
    def content(self) -> Content:
        """The number of objects in a scene."""
        if self.most_objects is None:
            return Content()
        return Content(objects=(1, self.most_objects), distractors=(0, 0))

    @property
    def scenes(self) -> int:
        return -(-self.count // VIEWS_PER_SCENE)


Job = tuple[Path, int, SetRecipe]  # folder of the set, number of the scene


def generate_set(
    folder: Path, recipe: SetRecipe, *, processes: int, on_progress: Callable[[int], None]
) -> int:
    """Write the set, or its missing part; returns its number of images.

    `on_progress` receives the number of frames whenever some were added. Raises `ConfigError` if
    the folder has a set of another recipe.
    """
    prepare_set(folder)
    _check_recipe(folder, recipe)
    missing = [i for i in range(recipe.scenes) if not _is_complete(folder, i, recipe)]
    done = recipe.count - sum(len(frame_numbers(i, recipe)) for i in missing)
    on_progress(done)
    merged = done
    jobs = [(folder, i, recipe) for i in missing]
    for count in run_jobs(_make_scene, jobs, processes=processes):
        done += count
        on_progress(done)
        if done - merged >= _MERGE_EVERY_FRAMES:
            merged = merge_parts(folder, split=recipe.split)
    return merge_parts(folder, split=recipe.split)


def split_of(folder: Path) -> Split:
    """The split of a generated set; raises `ConfigError` if it does not state it."""
    found = read_json(folder / RECIPE)
    for split in SPLITS:
        if isinstance(found, dict) and found.get("split") == split:
            return split
    raise ConfigError(f"{folder / RECIPE} names no split; expected one of {', '.join(SPLITS)}")


def frame_numbers(scene_index: int, recipe: SetRecipe) -> range:
    """Numbers of the frames that show a scene."""
    first = scene_index * VIEWS_PER_SCENE
    return range(first, min(first + VIEWS_PER_SCENE, recipe.count))


def _is_complete(folder: Path, scene_index: int, recipe: SetRecipe) -> bool:
    """Whether all frames of a scene are written; not so for the last scene of a growing set."""
    path = part_file(folder, scene_index)
    if not path.exists():
        return False
    return len(read_json(path)["images"]) >= len(frame_numbers(scene_index, recipe))


def _check_recipe(folder: Path, recipe: SetRecipe) -> None:
    """A set may grow, but not change."""
    path = folder / RECIPE
    wanted = asdict(recipe)
    if path.exists():
        found = read_json(path)
        if not isinstance(found, dict):
            raise ConfigError(f"{path} is not the recipe of a set")
        differing = [k for k in wanted if k != "count" and found.get(k) != wanted[k]]
        if differing:
            raise ConfigError(
                f"{folder} has a set of another recipe: "
                + ", ".join(f"{k} is {found.get(k)!r}, expected {wanted[k]!r}" for k in differing)
            )
    path.write_text(json.dumps(wanted, indent=1))


def _make_scene(job: Job) -> int:
    """Make and write the frames of one scene; every frame has its own random stream."""
    folder, scene_index, recipe = job
    size_px = (recipe.width_px, recipe.height_px)
    key = [recipe.seed, SPLITS.index(recipe.split), scene_index]
    rng = np.random.default_rng([*key, 0])
    scene = build_scene(rng, size_px=size_px, content=recipe.content)
    settle(scene, seconds=SETTLE_S)
    frames = {}
    with SceneRenderer(scene, size_px=size_px) as renderer:
        for number in frame_numbers(scene_index, recipe):
            rng = np.random.default_rng([*key, 1, number])
            frames[number] = make_frame(scene, renderer, rng, split=recipe.split, size_px=size_px)
    write_part(folder, scene_index, frames, seed=recipe.seed)
    return len(frames)
