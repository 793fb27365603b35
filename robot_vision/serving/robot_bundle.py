"""The robot-side bundle for our server: the same actions, decided elsewhere."""

from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.model_store.policies import POLICY_FILE, PolicyBundle, write_policy
from robot_vision.policies.remote.clients.robot_vision import IDENTITY
from robot_vision.policies.remote.spec import OURS
from robot_vision.serving.openpi import PROMPT_KEY, STATE_KEY, camera_key

_LONGEST_LIMIT_S = 0.3


def write_robot_bundle(
    folder: Path, served: PolicyManifest, *, protocol: str, url: str, token_variable: str = ""
) -> PolicyBundle:
    """`policy.yaml` of kind `remote` that queries a server of `served` at `url`."""
    if (folder / POLICY_FILE).exists():
        raise ConfigError(f"{folder} already contains a policy: choose a new folder")
    assert served.observation is not None  # held by the server
    spec = served.action_spec
    plain = ActionStatistics(mean=(0.0,) * spec.width, scale=(1.0,) * spec.width)
    seen = served.observation.model_copy(update={"words": "none"})
    limit_s = min(_LONGEST_LIMIT_S, spec.horizon * spec.step_s)
    remote: dict[str, Any] = {
        "protocol": protocol,
        "server": {"url": url, "token_variable": token_variable, "limit_s": limit_s},
        "expect": {IDENTITY: served.identity},
    }
    if protocol != OURS:
        remote["mapping"] = _mapping(served, seen)
    manifest = PolicyManifest(
        name=folder.name,
        version=served.version,
        kind="remote",
        architecture=served.architecture,
        language_file=None,
        action_spec=spec.model_copy(
            update={"model_id": f"{folder.name}@{served.version}", "statistics": plain}
        ),
        observation=seen,
        remote=remote,
        licence=served.licence,
        description=f"decided by {served.policy_id} at {url}",
        limits=served.limits,
    )
    folder.mkdir(parents=True, exist_ok=True)
    return write_policy(folder, manifest)


def _mapping(served: PolicyManifest, seen: ObservationSpec) -> dict[str, Any]:
    spec = served.action_spec
    cameras = [
        {
            "camera": camera.name,
            "key": camera_key(camera.name),
            "crop": "none",
            "width_px": camera.width_px,
            "height_px": camera.height_px,
            "fit": "stretch",
        }
        for camera in seen.cameras
    ]
    gripper = {"closed": 0.0, "open": 1.0}
    return {
        "cameras": cameras,
        "state": _state(seen, gripper),
        "prompt_key": PROMPT_KEY,
        "action": {
            "keys": ["actions"],
            "width": spec.width,
            "statistics": {"kind": "physical"},
            "meaning": _meaning(spec.joint_names, gripper),
        },
    }


def _state(seen: ObservationSpec, gripper: dict[str, float]) -> list[dict[str, Any]]:
    if seen.state == "none":
        return []
    last = seen.state_width - 1
    vector: dict[str, Any] = {"key": STATE_KEY, "width": seen.state_width}
    vector["gripper"] = {"column": last, **gripper}
    if seen.state == "joints":
        columns = list(range(last))
        vector["joints"] = {"columns": columns, "angle_unit": "rad", "names": seen.joint_names}
    else:
        vector["tool"] = {
            "position": [0, 1, 2],
            "position_unit": "m",
            "rotation": "two_axes",
            "rotation_columns": [3, 4, 5, 6, 7, 8],
        }
    return [vector]


def _meaning(joints: tuple[str, ...], gripper: dict[str, float]) -> dict[str, Any]:
    if joints:
        columns = list(range(len(joints)))
        return {
            "joints": {"columns": columns, "angle_unit": "rad", "names": joints},
            "kind": "absolute",
            "gripper": {"column": len(joints), **gripper},
        }
    return {
        "tool": {
            "position": [0, 1, 2],
            "position_unit": "m",
            "rotation": "rotation_vector",
            "rotation_columns": [3, 4, 5],
            "angle_unit": "rad",
        },
        "kind": "delta",
        "axes": "base",
        "gripper": {"column": 6, **gripper},
    }
