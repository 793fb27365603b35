"""Ground truth: the expert's action for an instruction, and the tokens it refers to.

It is used as a learning target, never as a policy input.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from robot_vision.core import quaternions
from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.cameras.geometry import invert_transform, project, transform_points
from robot_vision.core.types import Observation
from robot_vision.policies.observing.tokens import (
    HAND,
    MAX_OBJECTS,
    NONE,
    OBJECT_SLICES,
    POINTABLE,
    PolicyInputs,
)
from robot_vision.rollouts.episode_files import Sample
from robot_vision.simulation.robot.episode import STEP_S, STEPS
from robot_vision.simulation.robot.expert.plan import plan
from robot_vision.simulation.robot.work.task import Task
from robot_vision.simulation.robot.work.tasks import PUSHED_M, corners_in_base, pushed_m
from robot_vision.simulation.robot.world import RobotWorld

_LEAST_IOU = 0.4
_NEAR_M = 0.03


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """An observation's tokens, the tool at its stamp, and the item that each token is (−1: none).

    The world must be in its state at the stamp.
    """

    world: RobotWorld
    inputs: PolicyInputs
    base_from_tool: Float[np.ndarray, "4 4"]
    item: Int64[np.ndarray, " n"]


def labelled(world: RobotWorld, observation: Observation, inputs: PolicyInputs) -> Labelled:
    """Match each token to an item, by its box and its position."""
    tracks = observation.perception.tracks
    row_of_id = {int(k): row for row, k in enumerate(tracks.track_id)}
    rows = [row_of_id[int(k)] for k in inputs.track_id[inputs.present]]
    items = np.full(MAX_OBJECTS, -1, np.int64)
    if rows:
        overlap = pairwise_iou(tracks.box_xyxy_px[rows], _item_boxes(world, observation))
        away_m = _distances(world, inputs)
        # Positions decide where boxes cannot: for partly hidden or predicted objects.
        support = np.where(overlap >= _LEAST_IOU, overlap, 0) + (away_m < _NEAR_M)
        best = support.argmax(axis=1)
        items[: len(rows)] = np.where(support.max(axis=1) > 0, best, -1)
    return Labelled(
        world=world,
        inputs=inputs,
        base_from_tool=observation.robot.base_from_tool,
        item=items,
    )


def answer(seen: Labelled, task: Task, texts: tuple[str, ...]) -> Sample | None:
    """The expert's answer; None if there is none to learn from.

    Nothing can be pointed at while perception misses the named object. A policy without memory
    cannot know where a push began: each is assumed to begin now, and skipped once it is
    done.
    """
    if task.target.item < 0 or (task.destination is not None and task.destination.item < 0):
        return Sample(texts=texts, pointers=_pointing(nothing=True), action=None)
    pointers = _pointing()
    pointers[0, :MAX_OBJECTS] = seen.item == task.target.item
    pointers[0, HAND] = seen.world.held_item == task.target.item
    if task.destination is None:
        pointers[1, NONE] = True
    else:
        pointers[1, :MAX_OBJECTS] = seen.item == task.destination.item
    if not pointers.any(axis=1).all():
        return None
    if task.kind == "push":
        if pushed_m(seen.world, task)[0] >= PUSHED_M:
            return None
        x, y = seen.world.base_from_item(task.target.item)[:2, 3].tolist()
        task = replace(task, start_m=(x, y))
    poses, gripper = plan(seen.world, task, steps=STEPS, step_s=STEP_S)
    action = steps_between(seen.base_from_tool, poses, gripper)
    return Sample(texts=texts, pointers=pointers, action=action)


def steps_between(
    base_from_tool: Float[np.ndarray, "4 4"],
    base_from_target: Float[np.ndarray, "t 4 4"],
    gripper_open: Float[np.ndarray, " t"],
) -> Float32[np.ndarray, "t 7"]:
    """Targets as actions: Δ from the previous one, the first from the observed tool."""
    poses = np.concatenate([base_from_tool[None], base_from_target])
    turns = [quaternions.from_matrix(pose[:3, :3]) for pose in poses]
    action = np.empty((len(base_from_target), 7), np.float32)
    action[:, :3] = np.diff(poses[:, :3, 3], axis=0)
    for row, (before, after) in enumerate(pairwise(turns)):
        action[row, 3:6] = quaternions.between(before, after)
    action[:, 6] = gripper_open
    return action


def _pointing(*, nothing: bool = False) -> Bool[np.ndarray, "2 p"]:
    pointers = np.zeros((2, POINTABLE), bool)
    pointers[:, NONE] = nothing
    return pointers


def _item_boxes(world: RobotWorld, observation: Observation) -> Float[np.ndarray, "k 4"]:
    """Boxes around the items' outlines in the picture, including hidden parts."""
    camera = observation.perception.frame.camera
    assert camera is not None
    camera_from_base = invert_transform(observation.base_from_camera)
    limit = np.array([camera.width_px, camera.height_px])
    boxes = []
    for index in range(len(world.items)):
        points = transform_points(camera_from_base, corners_in_base(world, index))
        pixels = np.clip(project(points, camera=camera), 0, limit)
        boxes.append([*pixels.min(axis=0), *pixels.max(axis=0)])
    return np.array(boxes)


def _distances(world: RobotWorld, inputs: PolicyInputs) -> Float[np.ndarray, "n k"]:
    """Distances (m) from tokens' measured positions to items' centres; far without a surface."""
    tokens = inputs.objects[inputs.present]
    middles = np.stack([world.base_from_item(i)[:3, 3] for i in range(len(world.items))])
    away = np.linalg.norm(tokens[:, None, OBJECT_SLICES["centre"]] - middles[None], axis=2)
    return np.where(tokens[:, OBJECT_SLICES["has_surface"]] > 0, away, np.inf)
