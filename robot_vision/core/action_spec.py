"""`~/action_spec`: what the numbers of an action mean. Travels with the policy's weights."""

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ACTION_NAMES = ("x", "y", "z", "rx", "ry", "rz", "gripper")

Seven = tuple[float, float, float, float, float, float, float]


class ActionStatistics(BaseModel):
    """A physical action is `mean + scale · normalised`, per column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: Seven
    scale: Seven

    @property
    def sha256(self) -> str:
        """Hash of the numbers, by which two sides know that they mean the same ones."""
        text = json.dumps([self.mean, self.scale])
        return hashlib.sha256(text.encode()).hexdigest()


class JointSpec(BaseModel):
    """Joints that are commanded, in the order of `~/command/joint_velocity`, and their limits.

    Positions in rad or m, velocity and acceleration a second: those kept to, margins included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    max_velocity: tuple[float, ...]
    max_acceleration: tuple[float, ...]


class ActionSpec(BaseModel):
    """Frame, rotation, polarity, step and horizon of a policy's actions, and what it was made for.

    Deltas are in the axes of `frame_id`; each step is relative to the target before it, the
    first to the tool as observed. Rotations are applied from the left: R' = exp(Δ) R.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str
    perception_model_id: str = Field(description="whose features the policy was trained on")
    frame_id: str = "base"
    tool_frame_id: str = "tool"
    rotation: Literal["rotation_vector"] = "rotation_vector"
    delta: Literal["base_axes"] = "base_axes"
    gripper: Literal["0_closed_1_open"] = "0_closed_1_open"
    names: tuple[str, ...] = ACTION_NAMES
    step_s: float = Field(0.05, gt=0, le=1)
    horizon: int = Field(12, ge=1, le=64)
    history: int = Field(2, ge=0, le=16, description="robot states before the observed one")
    statistics: ActionStatistics
    joint_space: JointSpec | None = Field(
        default=None, description="what the node commands in joint space; no part of a policy"
    )
