"""Moments of a policy that approaches an object, with a mask of the object.

There are no labelled boxes or masks: the position of the tool when the gripper next changes
locates the object (`training/data/demonstrations/keyframes`), and depth selects its pixels.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float

from robot_vision.core.errors import ConfigError
from robot_vision.explain.measuring.cases import Case
from robot_vision.explain.opening.policy import PolicyEpisodes
from robot_vision.models.policies.pixel_points import Locator
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.demonstrations.keyframes import ways_to_keyframes

ABOUT_M = 0.05
_ON_ITS_WAY_M = 0.1  # nearer, the hand hides the object
_LEAST_PX = 10
_OPEN = 0.5


def policy_cases(opened: PolicyEpisodes, *, count: int) -> Iterator[Case]:
    """About `count` moments of a set at which the open gripper approaches an object.

    The mask is the part of the first camera's picture within `ABOUT_M` of the place where the
    gripper next changes; the question is about the largest translation or joint of the action.
    Raises `ConfigError` if the policy has no depth, no camera pose or no tool pose as input.
    """
    camera = opened.travels.observation.cameras[0]
    pose = opened.travels.poses.get(camera.name)
    if pose is None or not camera.has_depth or opened.travels.observation.state != "tool":
        raise ConfigError(
            f"the object is located by depth and pose of camera {camera.name!r} and by the tool's "
            "pose: expected a policy with has_depth, options.camera_poses and state: tool"
        )
    size = (camera.height_px, camera.width_px)
    locator = Locator(pose, grid=size, size=size, margin=(0, 0))
    source = opened.judged.episodes.source
    ways_m = ways_to_keyframes(source)[opened.rows]
    is_open = np.asarray(source.action)[opened.rows, 0, -1] > _OPEN
    wanted = np.flatnonzero(is_open & (np.linalg.norm(ways_m, axis=1) > _ON_ITS_WAY_M))
    for number in spread(len(wanted), count):
        moment = opened.moment(int(wanted[number]))
        mask = _about(locator, moment.inputs, camera.name, ways_m[wanted[number]])
        if mask.sum() >= _LEAST_PX:
            question = moment.asked("action")
            yield Case(rgb=moment.rgb(question), mask=mask, question=question)


@torch.no_grad()
def _about(
    locator: Locator,
    inputs: Mapping[str, torch.Tensor],
    camera: str,
    way_m: Float[np.ndarray, " 3"],
) -> Bool[np.ndarray, "h w"]:
    """Pixels near the place that the tool approaches."""
    found = locator(
        inputs[f"depth_{camera}"],
        inputs[f"depth_seen_{camera}"],
        inputs["state"],
        inputs["state_seen"],
    )
    off_m = (found.from_tool_m[0, -1] - torch.from_numpy(way_m).float()).norm(dim=1)
    near = (off_m < ABOUT_M) & found.is_measured[0, -1, :, 0]
    return near.reshape(locator.grid).numpy()
