"""STAND-IN of data22's statistics until they are merged."""

import numpy as np

from robot_vision.core.action_spec import ActionStatistics
from robot_vision.training.demonstrations.demonstrations import Demonstrations


def statistics(source: Demonstrations, *, kind: str) -> ActionStatistics:
    del kind
    values = source.action[source.valid]
    scale = np.where(values.std(0) > 1e-6, values.std(0), 1.0)
    return ActionStatistics.model_validate(
        {"mean": values.mean(0).tolist(), "scale": scale.tolist()}
    )


def state_statistics(source: Demonstrations) -> tuple[np.ndarray, np.ndarray]:
    scale = np.maximum(source.state.std(0), 1e-3)
    return source.state.mean(0).astype(np.float32), scale.astype(np.float32)
