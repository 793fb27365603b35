"""State of the controller, for reports."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, kw_only=True, eq=False)
class ControllerStatus:
    """State of the controller, for reports. Ages are None while there is no data.

    `interventions` counts, by limit or reason to hold, since the start. `action` is the last
    decision's first step (Δxyz m, Δrotation vector rad, gripper), None after a hold.
    `needs_enable`: it holds until enabled again. `masked` lists the expected inputs that the
    policy did not see.
    """

    stamp_ns: int
    enabled: bool
    holding: bool
    needs_enable: bool
    reasons: tuple[str, ...]
    instruction: str
    interventions: Mapping[str, int]
    chunk_age_s: float | None
    perception_age_s: float | None
    robot_age_s: float | None
    action: Float64[np.ndarray, "7"] | None
    target_track_id: int
    destination_track_id: int
    masked: tuple[str, ...]
