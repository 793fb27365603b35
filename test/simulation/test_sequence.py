import numpy as np
import pytest

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from robot_vision.simulation.moving.sequence import SequenceFrame, SequenceRecipe, simulate

SIZE_PX = (96, 72)


def play(fps: float, *, seconds: float = 2.0, drop_share: float = 0.0) -> list[SequenceFrame]:
    recipe = SequenceRecipe(
        seconds=seconds, fps=fps, seed=4, size_px=SIZE_PX, drop_share=drop_share
    )
    return list(simulate(recipe))


@pytest.fixture(scope="module")
def frames() -> list[SequenceFrame]:
    return play(20)


def poses(frame: SequenceFrame) -> dict[int, np.ndarray]:
    return {truth.item_index: truth.camera_from_object for truth in frame.frame.truths}


def test_motion_does_not_depend_on_the_frame_rate(frames: list[SequenceFrame]) -> None:
    at = {frame.stamp_ns: frame for frame in frames}
    shared = 0
    for frame in play(6):
        twin = at.get(frame.stamp_ns)
        if twin is None:
            continue
        shared += 1
        for index, pose in poses(frame).items():
            np.testing.assert_allclose(pose, poses(twin)[index], atol=1e-6)
    assert shared == 4  # both rates have a frame every half second


def test_ids_keep_their_class_and_color(frames: list[SequenceFrame]) -> None:
    seen: dict[int, set[tuple[str, str]]] = {}
    for frame in frames:
        for truth in frame.frame.truths:
            color = frame.frame.look.color_names[truth.item_index]
            seen.setdefault(truth.item_index, set()).add((truth.class_name, color))
    assert len(seen) >= 4
    assert all(len(kinds) == 1 for kinds in seen.values())


def test_things_and_the_camera_move(frames: list[SequenceFrame]) -> None:
    fastest: dict[int, float] = {}
    for frame in frames:
        for truth, motion in zip(frame.frame.truths, frame.motions, strict=True):
            speed_mps = float(np.linalg.norm(motion.velocity_mps))
            fastest[truth.item_index] = max(speed_mps, fastest.get(truth.item_index, 0.0))
    assert sum(speed_mps > 0.1 for speed_mps in fastest.values()) >= 3
    first, last = (f.frame.viewpoint.world_from_camera[:3, 3] for f in (frames[0], frames[-1]))
    assert np.linalg.norm(last - first) > 0.02


def test_velocities_are_those_of_the_positions() -> None:
    frames = play(30, seconds=1.5)
    errors_mps = []
    for before, now, after in zip(frames, frames[1:], frames[2:], strict=False):
        span_s = (after.stamp_ns - before.stamp_ns) * 1e-9
        for truth, motion in zip(now.frame.truths, now.motions, strict=True):
            if truth.item_index in poses(before) and truth.item_index in poses(after):
                moved = poses(after)[truth.item_index] - poses(before)[truth.item_index]
                apparent_mps = moved[:3, 3] / span_s
                errors_mps.append(np.linalg.norm(apparent_mps - motion.apparent_velocity_mps))
    assert np.median(errors_mps) < 0.005
    assert np.percentile(errors_mps, 90) < 0.05  # pushes begin and end, things collide


def test_the_stated_share_of_frames_is_dropped_but_never_the_first() -> None:
    frames = play(40, seconds=1.0, drop_share=0.4)
    dropped = [frame.dropped for frame in frames]
    assert 0.2 < np.mean(dropped) < 0.6
    assert not dropped[0]
