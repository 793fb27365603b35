"""STAND-IN of data22's class until it is merged."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from robot_vision.core.observation_spec import ObservationSpec


@dataclass(frozen=True, kw_only=True, eq=False)
class Demonstrations:
    observation: ObservationSpec
    step_s: float
    pictures: Mapping[str, np.ndarray]
    depth_m: Mapping[str, np.ndarray]
    state: np.ndarray
    stamp_ns: np.ndarray
    action: np.ndarray
    valid: np.ndarray
    first_row: np.ndarray
    length: np.ndarray
    instructions: tuple[tuple[str, ...], ...]
    success: tuple[bool | None, ...]
    action_joint_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def open_demonstrations(folders: list[str], **_: object) -> Demonstrations:
    raise NotImplementedError
