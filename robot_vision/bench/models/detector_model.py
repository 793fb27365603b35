"""Error models of detectors: a clean one, varied others, and those of public sequences."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class DetectorModel:
    """Error model of a detector. Lengths are shares of the box's size unless stated otherwise.

    `memory_s` is how long its errors last: a detector that misses an object misses it again.
    Objects that overlap by about `merge_iou` are merged; false alarms last for `clutter_s`.
    """

    edge_noise: float = 0.03
    memory_s: float = 0.08
    miss_bias: float = 3.0
    faintest: float = -1.5
    score_gain: float = 1.0
    false_alarms_per_frame: float = 0.3
    duplicate_share: float = 0.02
    score_noise: float = 0.8
    least_visible: float = 0.1
    clutter_s: float = 0.15
    merge_iou: float = 1.0


GOOD = DetectorModel()


def drawn_model(seed: int) -> DetectorModel:
    """A random detector: from reliable and clean to one with misses and false alarms."""
    rng = np.random.default_rng([seed, 7])
    return DetectorModel(
        edge_noise=rng.uniform(0.03, 0.07),
        memory_s=rng.uniform(0.05, 0.3),
        miss_bias=rng.uniform(1.2, 3.5),
        faintest=rng.choice([-1.5, -0.5, 0.3]),
        score_gain=rng.uniform(0.8, 3.0),
        false_alarms_per_frame=rng.uniform(0.3, 2.5),
        duplicate_share=rng.uniform(0.0, 0.06),
        score_noise=rng.uniform(0.5, 1.3),
        least_visible=0.0,
    )


def drawn_public_model(seed: int) -> DetectorModel:
    """A detector like those of public sequences: confused by crowds, with jittery boxes."""
    rng = np.random.default_rng([seed, 8])
    return DetectorModel(
        edge_noise=rng.uniform(0.03, 0.06),
        memory_s=rng.uniform(0.1, 0.5),
        miss_bias=rng.uniform(1.5, 3.5),
        faintest=rng.uniform(-1.0, 0.5),
        score_gain=rng.uniform(1.0, 3.0),
        false_alarms_per_frame=rng.uniform(0.1, 1.0),
        duplicate_share=rng.uniform(0.01, 0.05),
        score_noise=rng.uniform(0.5, 1.3),
        least_visible=0.0,
        clutter_s=rng.uniform(0.15, 0.6),
        merge_iou=rng.uniform(0.3, 0.6),
    )
