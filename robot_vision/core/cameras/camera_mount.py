"""Where a camera stood when a policy was trained, and whether it is still there."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict

from robot_vision.core import quaternions

Poses = Float[np.ndarray, "*n 4 4"]
_Three = tuple[float, float, float]
# Tolerance for calibration error or a bumped table.
SAME_M, SAME_RAD = 0.01, 0.02


class CameraMount(BaseModel):
    """The pose of a camera's optical frame relative to what it is fixed to: base or tool.

    `rotation` is a rotation vector (rad).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    position_m: _Three
    rotation: _Three
    mount: Literal["base", "tool"] = "base"

    def elsewhere(self, name: str, base_from_camera: Poses, base_from_tool: Poses | None) -> str:
        """How far the named camera is from its trained pose; empty if it is there.

        Of several poses the furthest counts. Unknown poses (NaN, no tool) are not compared.
        """
        learnt = quaternions.pose_matrix(
            np.array(self.position_m), quaternions.exp(np.array(self.rotation))
        )
        if self.mount == "tool":
            if base_from_tool is None:
                return ""
            learnt = base_from_tool @ learnt
        off_m = np.linalg.norm(base_from_camera[..., :3, 3] - learnt[..., :3, 3], axis=-1)
        cosine = (base_from_camera[..., :3, :3] * learnt[..., :3, :3]).sum(axis=(-2, -1)) / 2 - 0.5
        off = np.stack([off_m, np.arccos(np.clip(cosine, -1, 1))], axis=-1).reshape(-1, 2)
        off = np.nan_to_num(off)
        furthest_m, furthest_rad = off[(off / (SAME_M, SAME_RAD)).max(axis=1).argmax()].tolist()
        if furthest_m <= SAME_M and furthest_rad <= SAME_RAD:
            return ""
        return (
            f"camera {name} is {furthest_m:.3g} m and {np.rad2deg(furthest_rad):.3g}° from its "
            f"pose in the policy's training (at most {SAME_M:g} m and "
            f"{np.rad2deg(SAME_RAD):.2g}°)"
        )
