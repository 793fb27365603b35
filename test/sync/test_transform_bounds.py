"""Transforms of strangers are kept up to a limit: frames, samples, lengths of names."""

import numpy as np
import pytest

from robot_vision.sync import transforms
from robot_vision.sync.transforms import LONGEST_NAME, TransformBuffer

PLACE_M, TURN = np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])


def add(buffer: TransformBuffer, child: str, stamp_ns: int = 0) -> None:
    buffer.add(
        parent="a", child=child, stamp_ns=stamp_ns, translation_m=PLACE_M, quaternion_xyzw=TURN
    )


def test_frames_and_their_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "MOST_FRAMES", 10)
    buffer = TransformBuffer()
    for number in range(10):
        add(buffer, f"frame {number}")
    with pytest.raises(ValueError, match="more than 10 frames"):
        add(buffer, "one more")
    add(buffer, "frame 3", 1)
    with pytest.raises(ValueError, match=f"expected at most {LONGEST_NAME}"):
        add(TransformBuffer(), "x" * 1000)


def test_samples_of_one_moment_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "MOST_SAMPLES", 100)
    buffer = TransformBuffer()
    for stamp_ns in range(1000):
        add(buffer, "b", stamp_ns)
    assert sum(len(samples) for samples in buffer._moving.values()) == 100
    assert buffer.lookup(target="a", source="b", stamp_ns=999) is not None
