"""What the numbers of our own datasets mean, as a `datasets/meaning`."""

from typing import Any

from robot_vision.core.manifests.action_spec import ACTION_NAMES
from robot_vision.datasets.lerobot.form.schema import GRIPPER_NAME, TOOL_NAMES, DatasetFormat


def own_meaning(form: DatasetFormat) -> dict[str, Any]:
    """Deltas lead from target to target, the first from the tool; corrections from the tool."""
    position, turn, gripper = ACTION_NAMES[:3], ACTION_NAMES[3:6], ACTION_NAMES[6]
    state: dict[str, Any] = {
        "tool": {
            "position": TOOL_NAMES[:3],
            "position_unit": "m",
            "rotation": "two_axes",
            "rotation_columns": TOOL_NAMES[3:],
        },
        "gripper": {"column": GRIPPER_NAME, "closed": 0.0, "open": 1.0},
    }
    if form.joint_names:
        state["joints"] = {
            "columns": tuple(f"{name}.pos" for name in form.joint_names),
            "angle_unit": "rad",
            "names": form.joint_names,
        }
    tool = {
        "position": position,
        "position_unit": "m",
        "rotation": form.action.rotation,
        "rotation_columns": turn,
        "angle_unit": "rad",
    }
    action: dict[str, Any] = {
        "tool": tool,
        "kind": "delta",
        "axes": "base",
        "delta_from": "tool" if form.action.source == "corrected" else "target",
        "gripper": {"column": gripper, "closed": 0.0, "open": 1.0},
    }
    return {"rate_hz": float(form.fps), "action": action, "state": state}
