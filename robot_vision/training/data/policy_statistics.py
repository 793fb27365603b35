"""Statistics that normalise tokens and actions to unit size, from the training set."""

import numpy as np
import torch

from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.models.policies.pointer_parts import PolicyNetwork
from robot_vision.rollouts.episode_files import PolicySet

_FRAMES = 4000
_LEAST_SCALE = 1e-3
_LEAST_STEP = 1e-4


def action_statistics(source: PolicySet) -> ActionStatistics:
    """Scales: the 99th percentile of each column's size. Means stay 0, so 0 means no motion."""
    size = np.quantile(np.abs(source.action[source.moves][..., :6]), 0.99, axis=(0, 1))
    scale = [float(f"{s:.4g}") for s in np.maximum(size, _LEAST_STEP)]
    return ActionStatistics.model_validate({"mean": [0.0] * 6 + [0.5], "scale": [*scale, 0.5]})


def standardise(network: PolicyNetwork, source: PolicySet) -> None:
    """Set the network's means and deviations of tokens."""
    frames = np.linspace(0, len(source.robot) - 1, min(_FRAMES, len(source.robot))).astype(int)
    objects = source.objects[frames][source.present[frames]]
    visual = source.visual[frames][source.has_visual[frames]].reshape(-1, source.visual.shape[-1])
    for name, tokens in (("objects", objects), ("visual", visual), ("robot", source.robot)):
        if not len(tokens):
            continue
        values = tokens.astype(np.float32)
        scale = np.maximum(values.std(axis=0), _LEAST_SCALE)
        getattr(network, f"{name}_mean").copy_(torch.from_numpy(values.mean(axis=0)))
        getattr(network, f"{name}_scale").copy_(torch.from_numpy(scale))
