"""Records a sequence: a bag with its ground truth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.simulation.content.palette import CLASS_NAMES
from robot_vision.simulation.moving.sequence import (
    ObjectMotion,
    SequenceFrame,
    SequenceRecipe,
    simulate,
)
from robot_vision.simulation.picture.truth import Truth
from robot_vision.simulation.picture.viewpoint import quaternion_wxyz
from robot_vision.simulation.writing.bag_writer import WORLD, BagOptions, BagWriter

TRUTH_FILE = "ground_truth.json"


def record_sequence(
    folder: Path,
    recipe: SequenceRecipe,
    options: BagOptions,
    *,
    on_progress: Callable[[int], None],
) -> int:
    """Write `folder` (a rosbag2) with `ground_truth.json` in it; returns the frames recorded.

    `on_progress` receives the number of simulated frames. Dropped frames are in the ground truth,
    marked as not recorded, but not in the bag. Raises `ConfigError` if `folder` exists.
    """
    frames, recorded = [], 0
    with BagWriter(folder, options) as bag:
        for number, frame in enumerate(simulate(recipe), start=1):
            if not frame.dropped:
                bag.write(frame)
                recorded += 1
            frames.append(_frame_truth(frame))
            on_progress(number)
    truth = {
        "classes": list(CLASS_NAMES),
        "fixed_frame": WORLD,
        "seed": recipe.seed,
        "fps": recipe.fps,
        "frames": frames,
    }
    (folder / TRUTH_FILE).write_text(json.dumps(truth, separators=(",", ":")))
    return recorded


def _frame_truth(frame: SequenceFrame) -> dict[str, Any]:
    seen = frame.frame
    return {
        "stamp_ns": frame.stamp_ns,
        "recorded": not frame.dropped,
        "world_from_camera": _rounded(seen.viewpoint.world_from_camera),
        "objects": [
            _object_truth(truth, motion, seen.look.color_names[truth.item_index])
            for truth, motion in zip(seen.truths, frame.motions, strict=True)
        ],
    }


def _object_truth(truth: Truth, motion: ObjectMotion, color: str) -> dict[str, Any]:
    """One visible object: ids begin at 1, positions and velocities in the camera frame."""
    pose = truth.camera_from_object
    return {
        "track_id": truth.item_index + 1,
        "class": truth.class_name,
        "color": color,
        "box_xyxy_px": truth.box_xyxy_px.astype(int).tolist(),
        "visible_share": round(truth.visible_share, 3),
        "ignore": truth.ignore,
        "position_m": _rounded(pose[:3, 3]),
        "quaternion_wxyz": _rounded(quaternion_wxyz(pose[:3, :3])),
        "velocity_mps": _rounded(motion.velocity_mps),
        "apparent_velocity_mps": _rounded(motion.apparent_velocity_mps),
    }


def _rounded(values: np.ndarray) -> list[Any]:
    return values.round(4).tolist()
