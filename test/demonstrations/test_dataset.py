"""Datasets written and read back: everything that was put in comes out."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from demonstrations_kit import (
    BASE_FROM_CAMERA,
    CAMERA,
    FORM,
    LIMITS,
    START_NS,
    depth_of,
    rgb_of,
    sample_of,
    write_episodes,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.types import RobotState
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset, steps
from robot_vision.datasets.lerobot.files.images import decode_depth_mm, depth_m_from_mm
from robot_vision.datasets.lerobot.form.schema import DatasetFormat
from robot_vision.datasets.lerobot.sample import (
    robot_from_state,
    state_vector,
    step_between,
    stepped,
)
from robot_vision.demonstrations.check import problems
from robot_vision.demonstrations.export import export_v21
from robot_vision.demonstrations.writing.depth_png import depth_mm_from_m, encode_depth
from robot_vision.demonstrations.writing.disk_room import DiskLimitError, DiskLimits
from robot_vision.demonstrations.writing.writer import DatasetWriter

ROTATIONS = arrays(np.float64, 4, elements=st.floats(-1, 1)).filter(
    lambda q: np.linalg.norm(q) > 0.1
)
POSITIONS = arrays(np.float64, 3, elements=st.floats(-2, 2))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demonstrations") / "set"
    write_episodes(root, [45, 7])
    write_episodes(root, [12], words="put the ball into the bowl")
    return root


def test_all_that_was_put_in_comes_out(written: Path) -> None:
    with Dataset(written) as dataset:
        assert [e.length for e in dataset.episodes] == [45, 7, 12]
        read = list(steps(dataset))
        assert len(read) == len(dataset) == 64
        for step in read:
            put = sample_of(step.frame_index)
            frame, put_frame = step.frames["front"], put.frames["front"]
            assert step.stamp_ns == put.stamp_ns
            assert frame.stamp_ns == put_frame.stamp_ns
            assert frame.depth_stamp_ns == put_frame.depth_stamp_ns
            assert frame.frame_id == put_frame.frame_id
            assert frame.camera is not None
            assert frame.camera.same_as(CAMERA)
            assert np.abs(frame.rgb.astype(int) - rgb_of(step.frame_index)).mean() < 4
            np.testing.assert_array_equal(frame.depth_m, depth_of(step.frame_index))
            assert step.robot.stamp_ns == put.robot.stamp_ns
            np.testing.assert_allclose(
                step.robot.base_from_tool, put.robot.base_from_tool, atol=1e-6
            )
            np.testing.assert_allclose(step.action, put.action, atol=1e-7)
            np.testing.assert_allclose(step.base_from_target, put.base_from_target, atol=1e-12)
            np.testing.assert_array_equal(step.base_from_camera["front"], BASE_FROM_CAMERA)
        assert [s.is_last for s in read].count(True) == 3
        assert {s.instruction for s in read[-12:]} == {"put the ball into the bowl"}
        assert list(dataset.tasks.values()) == ["pick the red cube", "put the ball into the bowl"]
        assert dataset.units["action"] == ("m", "m", "m", "rad", "rad", "rad", "1")
    assert problems(written, every_image=True) == []


@given(order=st.permutations(range(0, 64, 7)))
def test_any_step_in_any_order(written: Path, order: list[int]) -> None:
    with Dataset(written) as dataset:
        for index in order:
            step = dataset[index]
            wanted = rgb_of(step.frame_index)
            assert np.abs(step.frames["front"].rgb.astype(int) - wanted).mean() < 4
            assert dataset.episodes[step.episode_index].first_index + step.frame_index == index


def test_copies_for_other_processes(written: Path) -> None:
    with Dataset(written) as dataset:
        with pytest.raises(DatasetError, match="no frame 100 in episode 0, which has 45"):
            dataset.image(0, 100, "observation.images.front")
        dataset[3]
        with pickle.loads(pickle.dumps(dataset)) as copy:  # noqa: S301 - our own, made here
            assert copy[3].stamp_ns == START_NS + 3 * 50_000_000


def test_missing_data_is_reported(written: Path) -> None:
    with Dataset(written) as dataset:
        with pytest.raises(
            DatasetError, match="no camera 'wrist' in the dataset; available: front"
        ):
            dataset.step(0, 0, cameras=["wrist"])
        with pytest.raises(DatasetError, match="no episode 3; the dataset has 3"):
            dataset.columns(3)
        with pytest.raises(DatasetError, match=r"available: observation\.images\.front, "):
            dataset.image(0, 0, "observation.images.wrist")
        with pytest.raises(IndexError, match="step 64; the dataset has 64"):
            dataset[64]
        assert next(iter(steps(dataset, episodes=[1], cameras=[]))).frames == {}


def test_only_successful_episodes_can_be_asked_for(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "set", FORM, limits=LIMITS) as writer:
        for success in (True, False, None):
            writer.begin("push the cup")
            writer.add(sample_of(0))
            writer.end(success=success)
    with Dataset(tmp_path / "set") as dataset:
        assert [s.episode_index for s in steps(dataset, only_success=True)] == [0]
    assert export_v21(tmp_path / "set", tmp_path / "old", only_success=True) == 1


def test_a_frame_without_depth_stays_without(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "set", FORM, limits=LIMITS) as writer:
        writer.begin("look")
        writer.add(sample_of(0))
        writer.add(sample_of(1, depth=False))
        writer.end()
    with Dataset(tmp_path / "set") as dataset:
        assert [s.frames["front"].depth_m is None for s in steps(dataset)] == [False, True]
        assert dataset[1].frames["front"].depth_stamp_ns is None


def test_export_as_v21_reads_back_the_same(written: Path, tmp_path: Path) -> None:
    assert export_v21(written, tmp_path / "old") == 3
    assert problems(tmp_path / "old", every_image=True) == []
    with Dataset(written) as new, Dataset(tmp_path / "old") as old:
        assert old.info["codebase_version"] == "v2.1"
        for a, b in zip(steps(new), steps(old), strict=True):
            np.testing.assert_array_equal(a.frames["front"].rgb, b.frames["front"].rgb)
            np.testing.assert_array_equal(a.action, b.action)
            assert (a.instruction, a.frame_index) == (b.instruction, b.frame_index)
    with pytest.raises(DatasetError, match="already exists"):
        export_v21(written, tmp_path / "old")


def test_a_sample_that_does_not_fit_is_refused_and_the_episode_goes_on(tmp_path: Path) -> None:
    good = sample_of(0)
    bad_action = np.full(7, np.nan)
    small = DatasetFormat.model_validate(FORM.model_dump() | {"joint_names": ("j1",)})
    with DatasetWriter(tmp_path / "set", small, limits=LIMITS) as writer:
        writer.begin("x")
        with pytest.raises(
            DatasetError, match=r"the state has 12 numbers, the dataset 11: j1.pos"
        ):
            writer.add(good)
    with DatasetWriter(tmp_path / "other", FORM, limits=LIMITS) as writer:
        writer.begin("x")
        writer.add(good)
        with pytest.raises(DatasetError, match="the action is not finite"):
            writer.add(replace(good, action=bad_action))
        with pytest.raises(DatasetError, match="no image of 'front'; given: \\[\\]"):
            writer.add(replace(good, frames={}))
        writer.add(sample_of(1))
        assert writer.end() == 0
    assert problems(tmp_path / "other") == []


def test_a_dataset_of_another_form_is_not_appended_to(written: Path) -> None:
    faster = FORM.model_copy(update={"fps": 30})
    with pytest.raises(DatasetError, match="fps is 20 there, 30 here"):
        DatasetWriter(written, faster, limits=LIMITS)


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    with (
        DatasetWriter(tmp_path / "set", FORM, limits=LIMITS),
        pytest.raises(DatasetError, match="is being written to by another process"),
    ):
        DatasetWriter(tmp_path / "set", FORM, limits=LIMITS)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match="is not empty and not a dataset"):
        DatasetWriter(tmp_path, FORM, limits=LIMITS)
    with pytest.raises(DatasetError, match="is not a dataset of robot_vision"):
        DatasetWriter(tmp_path / "new", limits=LIMITS)


def test_limits_of_the_disk_stop_an_episode_that_can_still_be_kept(tmp_path: Path) -> None:
    limits = DiskLimits(max_bytes=60_000, min_free_bytes=0)
    with DatasetWriter(tmp_path / "set", FORM, limits=limits) as writer:
        writer.begin("fill the disk")
        with pytest.raises(DiskLimitError, match="the limit is 0 MB"):
            _add_many(writer, 500)
        frames = writer.frames
        assert frames < 200
        assert writer.end() == 0
    with Dataset(tmp_path / "set") as dataset:
        assert len(dataset) == frames
    with (
        DatasetWriter(tmp_path / "set", limits=DiskLimits(min_free_bytes=10**18)) as writer,
        pytest.raises(DiskLimitError, match="must stay free"),
    ):
        writer.begin("more")


def test_without_the_extra_it_says_what_to_install() -> None:
    code = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name in ("pyarrow", "av") else find(name)
from robot_vision.core.errors import MissingDependencyError
try:
    import robot_vision.demonstrations
except MissingDependencyError as error:
    print(error)
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (
        "need pyarrow and av; install them: pip install 'robot_vision[dataset]'" in result.stdout
    )


def test_the_convention_of_actions_is_compared_with_a_policys() -> None:
    numbers = (0.0,) * 7
    spec = ActionSpec(
        model_id="m",
        perception_model_id="p",
        frame_id="world",
        statistics=ActionStatistics(mean=numbers, scale=numbers),
    )
    assert FORM.action.differences(spec) == [
        "frame_id is 'base' in the data, 'world' in the policy"
    ]


@given(joints=arrays(np.float64, 7, elements=st.floats(-3, 3)), p=POSITIONS, q=ROTATIONS)
def test_the_state_says_where_the_arm_is(joints: np.ndarray, p: np.ndarray, q: np.ndarray) -> None:
    pose = _pose(p, q)
    robot = RobotState(
        stamp_ns=5, joint_position_rad=joints, base_from_tool=pose, gripper_open=0.25
    )
    read = robot_from_state(5, state_vector(robot))
    np.testing.assert_allclose(read.joint_position_rad, joints, atol=1e-6)
    np.testing.assert_allclose(read.base_from_tool, pose, atol=1e-6)
    assert read.gripper_open == 0.25


@given(p=POSITIONS, q=ROTATIONS, p2=POSITIONS, q2=ROTATIONS)
def test_an_action_leads_from_one_target_to_the_next(
    p: np.ndarray, q: np.ndarray, p2: np.ndarray, q2: np.ndarray
) -> None:
    before, after = _pose(p, q), _pose(p2, q2)
    action = step_between(before, after, 0.5)
    assert np.linalg.norm(action[3:6]) <= np.pi + 1e-9
    np.testing.assert_allclose(stepped(before, action), after, atol=1e-7)


@given(
    depth_mm=arrays(np.uint16, (5, 9), elements=st.integers(0, 65534)),
)
def test_depth_in_whole_millimetres_is_exact(depth_mm: np.ndarray) -> None:
    depth_m = depth_m_from_mm(depth_mm)
    assert (np.isnan(depth_m) == (depth_mm == 0)).all()
    back = decode_depth_mm(encode_depth(depth_mm_from_m(depth_m)), of="x")
    np.testing.assert_array_equal(back, depth_mm)


def _pose(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(q).as_matrix()
    pose[:3, 3] = p
    return pose


def _add_many(writer: DatasetWriter, count: int) -> None:
    for number in range(count):
        writer.add(sample_of(number))
