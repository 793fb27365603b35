"""A million transforms, of as many frames or of one, take bounded memory."""

import tracemalloc

import numpy as np
import pytest

from robot_vision.sync import transforms
from robot_vision.sync.transforms import MOST_FRAMES, TransformBuffer

UPRIGHT = np.array([0.0, 0, 0, 1])
HERE = np.zeros(3)


def add(buffer: TransformBuffer, child: str, stamp_ns: int, *, is_static: bool = False) -> None:
    buffer.add(
        parent="base",
        child=child,
        stamp_ns=stamp_ns,
        translation_m=HERE,
        quaternion_xyzw=UPRIGHT,
        is_static=is_static,
    )


@pytest.mark.parametrize("is_static", [False, True])
def test_frames_beyond_the_most_are_refused_and_known_ones_go_on(is_static: bool) -> None:
    buffer = TransformBuffer()
    for number in range(MOST_FRAMES):
        add(buffer, f"frame {number}", 1, is_static=is_static)
    with pytest.raises(ValueError, match="more than 2000 frames"):
        add(buffer, "one more", 1, is_static=is_static)
    add(buffer, "frame 5", 2, is_static=is_static)
    assert buffer.lookup(target="base", source="frame 5", stamp_ns=2) is not None
    with pytest.raises(ValueError, match="expected at most 256"):
        add(buffer, "x" * 10**6, 1)


def test_samples_are_bounded_and_the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "MOST_SAMPLES", 400)
    buffer = TransformBuffer()
    tracemalloc.start()
    for number in range(6_000):
        add(buffer, f"frame {number % 2}", number)
    size_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size_bytes < 600_000
    assert buffer.lookup(target="base", source="frame 1", stamp_ns=5_999) is not None


def test_a_new_frame_takes_its_share_of_the_samples_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transforms, "MOST_SAMPLES", 100)
    buffer = TransformBuffer()
    for frame in ("first", "second", "third"):
        for stamp_ns in range(1000):
            add(buffer, frame, stamp_ns)
        assert sum(map(len, buffer._moving.values())) <= 100
    assert buffer.lookup(target="base", source="first", stamp_ns=999) is not None
