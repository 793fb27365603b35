"""Bundles of kind `remote` for tests: one arm, one camera, and each protocol's words for them."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from pixel_bundle import FRONT, HORIZON

from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Frame, Observation, Picture, RobotState
from robot_vision.model_store.policies import PolicyBundle, write_policy

STEP_S, LIMIT_S = 0.1, 0.3
# For tests that are not about time: a busy machine's answers are not late.
PATIENT_S = 8.0
# 2 mm a step away from the base, gripper open: in openpi's numbers 0 is open.
ROWS = np.tile(np.array([0.002, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), (HORIZON, 1))
TOOL = {"position": [0, 1, 2], "position_unit": "m", "rotation": "rpy", "angle_unit": "rad"}
TOOL["rotation_columns"] = [3, 4, 5]
GRIPPER = {"closed": 1.0, "open": 0.0}
STATE_NAMES = ["x", "y", "z", "rx", "ry", "rz", "gripper"]
OBSERVATION = ObservationSpec(cameras=(FRONT,), words="none")


def mapping(protocol: str) -> dict[str, Any]:
    """The same arm and camera in the words of a protocol."""
    keys = {
        "openpi": ("observation/image", "observation/state", "prompt"),
        "groot": ("front", "tool", "task"),
        "openvla": ("image", "state", "instruction"),
        "lerobot": ("front", "observation.state", "task"),
    }
    camera, state, prompt = keys[protocol]
    vector = {"key": state, "width": 7, "tool": TOOL, "gripper": {"column": 6, **GRIPPER}}
    vectors, actions = [vector], ["actions"]
    if protocol == "groot":
        alone = {"key": "gripper", "width": 1, "gripper": {"column": 0, **GRIPPER}}
        vectors, actions = [{"key": state, "width": 6, "tool": TOOL}, alone], ["tool", "gripper"]
    shown = {"camera": "front", "key": camera, "crop": "none", "fit": "pad"}
    meaning = {"tool": TOOL, "kind": "delta", "axes": "base", "delta_from": "chained"}
    made = {
        "cameras": [{**shown, "width_px": 32, "height_px": 32}],
        "state": vectors,
        "prompt_key": prompt,
        "action": {
            "keys": actions,
            "width": 7,
            "statistics": {"kind": "physical"},
            "meaning": {**meaning, "gripper": {"column": 6, **GRIPPER}},
        },
    }
    return deepcopy(made)


def options(protocol: str) -> dict[str, Any]:
    """What the protocol asks for beside the mapping."""
    if protocol == "openvla":
        return {"unnorm_key": "bridge_orig"}
    if protocol != "lerobot":
        return {}
    state = {"dtype": "float32", "shape": [7], "names": STATE_NAMES}
    picture = {"dtype": "video", "shape": [32, 32, 3], "names": ["height", "width", "channels"]}
    features = {"observation.state": state, "observation.images.front": picture}
    return {"policy_type": "act", "pretrained_name_or_path": "me/mine", "features": features}


def remote_bundle(
    folder: Path,
    protocol: str,
    url: str,
    *,
    limit_s: float = LIMIT_S,
    server: dict[str, Any] | None = None,
    changes: dict[str, Any] | None = None,
    **manifest: Any,
) -> PolicyBundle:
    """A bundle that asks a server at `url` and waits `limit_s` for an answer.

    A chunk lasts at least that long. `changes` are of its part `remote`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remote = {
        "protocol": protocol,
        "server": {
            "url": url,
            "limit_s": limit_s,
            "give_up_s": max(1.0, limit_s),
            "connect_s": 30.0,
            **(server or {}),
        },
        "mapping": mapping(protocol),
        "options": options(protocol),
        **(changes or {}),
    }
    described: dict[str, Any] = {
        "name": folder.name,
        "kind": "remote",
        "architecture": "somebody's",
        "language_file": None,
        "action_spec": ActionSpec(
            model_id=f"{folder.name}@1",
            perception_model_id="",
            step_s=max(STEP_S, limit_s / HORIZON),
            horizon=HORIZON,
            history=0,
            statistics=ActionStatistics(mean=(0.0,) * 7, scale=(1.0,) * 7),
        ),
        "observation": OBSERVATION,
        "remote": remote,
    }
    return write_policy(folder, PolicyManifest(**{**described, **manifest}))


def observation(stamp_ns: int = 10**9) -> Observation:
    """A picture of noise, and an arm that looks down."""
    rgb = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] = 0.4, 0.1, 0.3
    return Observation(
        perception=unperceived(Frame(stamp_ns=stamp_ns, frame_id="front", rgb=rgb)),
        base_from_camera=np.eye(4),
        robot=RobotState(
            stamp_ns=stamp_ns,
            joint_position_rad=np.array([0.1, 0.2]),
            joint_names=("a", "b"),
            base_from_tool=pose,
            gripper_open=1.0,
        ),
        pictures={"front": (Picture(stamp_ns=stamp_ns, rgb=rgb),)},
    )
