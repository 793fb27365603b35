"""Moments of a policy on its way to a thing, with the places that are about to be gripped.

No box or mask is labelled: where the tool is when the gripper next changes says what was meant
(`training/data/keyframes`), and depth says which pixels show it.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float

from robot_vision.core.errors import ConfigError
from robot_vision.explain.measuring.cases import Case
from robot_vision.explain.opening.policy import PolicyEpisodes
from robot_vision.models.policies.pixel_points import Locator
from robot_vision.training.data.keyframes import ways_to_keyframes
from robot_vision.training.data.picture_cache import spread

ABOUT_M = 0.05
_ON_ITS_WAY_M = 0.1  # nearer, the hand hides the thing
_LEAST_PX = 10
_OPEN = 0.5


def policy_cases(opened: PolicyEpisodes, *, count: int) -> Iterator[Case]:
    """Some `count` moments of a set at which the open gripper is on its way.

    The mask is what the first camera shows within `ABOUT_M` of where the gripper next changes;
    the question is the largest number of the action that moves. Raises `ConfigError` where the
    policy is not shown depth from a place that is known, or where the tool is.
    """
    camera = opened.travels.observation.cameras[0]
    pose = opened.travels.poses.get(camera.name)
    if pose is None or not camera.has_depth or opened.travels.observation.state != "tool":
        raise ConfigError(
            f"what is meant is found by depth of camera {camera.name!r}, by its place and by the "
            "tool's: expected a policy with has_depth, options.camera_poses and state: tool"
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
    """Pixels whose place is near that which the tool is on its way to."""
    found = locator(
        inputs[f"depth_{camera}"],
        inputs[f"depth_seen_{camera}"],
        inputs["state"],
        inputs["state_seen"],
    )
    off_m = (found.from_tool_m[0, -1] - torch.from_numpy(way_m).float()).norm(dim=1)
    near = (off_m < ABOUT_M) & found.is_measured[0, -1, :, 0]
    return near.reshape(locator.grid).numpy()
