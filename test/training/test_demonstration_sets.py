"""Datasets of any kind opened as arrays to learn from: right, resumable, and refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demonstrations_kit import FORM, LIMITS, rgb_of, sample_of, tool_pose
from lerobot_kit import Layout, color_of, write_lerobot
from rlds_kit import described, write_set
from rlds_kit import episode as rlds_episode
from small_disk import small_disk

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.disk import DiskFullError
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.types import Frame
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.asking.draft import MeaningError
from robot_vision.datasets.meaning.canonical import moved_by
from robot_vision.demonstrations.writing.writer import DatasetWriter
from robot_vision.training.data.demonstrations.rows import RowClock
from robot_vision.training.demonstrations import frames
from robot_vision.training.demonstrations.demonstrations import (
    Demonstrations,
    open_demonstrations,
)
from robot_vision.training.demonstrations.feature_maps import feature_maps
from robot_vision.training.demonstrations.statistics import (
    state_statistics,
    statistics,
)

TOP = CameraInput(name="top", width_px=24, height_px=16)
JOINTS = {"columns": [0], "angle_unit": "rad", "names": ["slide"]}
MEANING: dict[str, Any] = {
    "rate_hz": 10,
    "action": {
        "joints": JOINTS,
        "kind": "absolute",
        "gripper": {"column": 1, "closed": 0, "open": 10},
    },
    "state": {"joints": JOINTS, "gripper": {"column": 1, "closed": 0, "open": 10}},
}
# The numbers of the tests' sets in RLDS are large.
TENTHS = {**JOINTS, "angle_unit": 0.1}
MEANING_RLDS: dict[str, Any] = {
    "rate_hz": 10,
    "action": {
        "joints": TENTHS,
        "kind": "absolute",
        "gripper": {"column": 1, "closed": 12, "open": 14},
    },
    "state": "none",
}


def seen(*cameras: CameraInput, state: str = "joints") -> ObservationSpec:
    return ObservationSpec.model_validate({"cameras": cameras, "state": state, "words": "none"})


def opened(folder: Path, tmp_path: Path, **changes: Any) -> Demonstrations:
    options: dict[str, Any] = {
        "meaning": MEANING,
        "observation": seen(TOP),
        "horizon": 3,
        "cache_dir": tmp_path / "cache",
        "workers": 1,
    }
    return open_demonstrations([folder], **(options | changes))


def foreign(tmp_path: Path, **layout: object) -> Path:
    return write_lerobot(tmp_path / "set", Layout(dtype="image", **layout))  # type: ignore[arg-type]


def ours(folder: Path, *, steps: int = 5, success: bool | None = True) -> Path:
    with DatasetWriter(folder, FORM, limits=LIMITS) as writer:
        writer.begin("push the square")
        for number in range(steps):
            writer.add(sample_of(number))
        writer.end(success=success)
    return folder


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_foreign_sets_become_rows_of_episodes(tmp_path: Path, version: str) -> None:
    found = opened(foreign(tmp_path, version=version), tmp_path)
    assert found.length.tolist() == [3] * 3 + [4] * 4
    assert found.first_row.tolist() == [0] * 3 + [3] * 4
    assert found.instructions == (("pick",), ("place",))
    assert found.action_joint_names == ("slide",) == found.observation.joint_names
    pictures = found.pictures["top"]
    assert pictures.shape == (7, 16, 24, 3)
    for row, (number, frame) in enumerate([(0, f) for f in range(3)] + [(1, f) for f in range(4)]):
        assert pictures[row].reshape(-1, 3).mean(axis=0).tolist() == list(color_of(number, frame))
        np.testing.assert_allclose(found.action[row, 0], [number, frame / 10], atol=1e-6)
    assert found.valid[:3].tolist() == [[True] * 3, [True, True, False], [True, False, False]]
    assert found.stamp_ns[:4].tolist() == [0, 100_000_000, 200_000_000, 0]


def test_our_sets_say_themselves_what_they_mean(tmp_path: Path) -> None:
    camera = CameraInput(name="front", width_px=48, height_px=32, has_depth=True)
    found = opened(
        ours(tmp_path / "set"), tmp_path, meaning=None, observation=seen(camera, state="tool")
    )
    assert found.action_joint_names == ()
    assert found.success == (True,)
    assert found.step_s == pytest.approx(1 / 20)
    pose = tool_pose(0)
    np.testing.assert_allclose(
        found.state[0], [*pose[:3, 3], *pose[:3, 0], *pose[:3, 1], 0.75], atol=1e-6
    )
    reached = tool_pose(2)[None]
    for step in found.action[2].astype(float):
        reached = moved_by(reached, step[None, :6])
    np.testing.assert_allclose(reached[0], tool_pose(5), atol=1e-5)
    depth_m = found.depth_m["front"]
    assert depth_m.dtype == np.float16
    assert depth_m[0, 0, 0] == 0
    assert np.abs(rgb_of(1).mean() - found.pictures["front"][1].mean()) < 3
    assert np.diff(found.stamp_ns).tolist() == [50_000_000] * 4


def test_rlds_sets_have_state_words_and_a_rate_from_their_meaning(tmp_path: Path) -> None:
    content = rlds_episode(
        2,
        4,
        **{
            "steps/observation/state": np.arange(8, dtype=np.float32).reshape(4, 2),
            "steps/language_instruction_2": [b"in other words"] * 4,
        },
    )
    path = write_set(tmp_path, {"train": [[content]]}, None)
    action = {**MEANING_RLDS["action"], "gripper": {"column": 1, "closed": 25, "open": 26.25}}
    meaning = {"rate_hz": 4, "action": action, "state": {"joints": TENTHS}}
    image = CameraInput(name="image", width_px=24, height_px=16)
    found = opened(path, tmp_path, meaning=meaning, observation=seen(image))
    assert found.step_s == 0.25
    assert found.instructions == (("task 2", "in other words"),)
    assert found.state[:, 0].tolist() == pytest.approx([0, 0.2, 0.4, 0.6])
    # no gripper was observed: what was commanded before stands for it
    assert found.state[1:, 1].tolist() == pytest.approx(found.action[:3, 0, 1].tolist())


def test_what_no_one_says_is_asked_for_with_its_choices(tmp_path: Path) -> None:
    with pytest.raises(MeaningError) as caught:
        opened(foreign(tmp_path, names=["x", "gripper"]), tmp_path, meaning=None)
    text = str(caught.value)
    for asked in ("action.kind: delta | absolute", "action.tool|joints", "action.gripper.closed"):
        assert asked in text
    assert "rate_hz" not in text


def test_a_second_opening_decodes_nothing_and_a_killed_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, decoded = foreign(tmp_path), list[int]()
    decode = frames._Decoder.decode

    def dies(decoder: frames._Decoder, job: frames.Job) -> int:
        if decoded:
            raise KeyboardInterrupt
        decoded.append(job.place)
        return decode(decoder, job)

    monkeypatch.setattr(frames._Decoder, "decode", dies)
    with pytest.raises(KeyboardInterrupt):
        opened(folder, tmp_path)
    monkeypatch.setattr(frames._Decoder, "decode", decode)
    seen_progress = list[tuple[int, int]]()
    opened(folder, tmp_path, on_progress=lambda done, of: seen_progress.append((done, of)))
    assert seen_progress == [(2, 2)]
    opened(folder, tmp_path, on_progress=lambda done, of: seen_progress.append((done, of)))
    assert seen_progress == [(2, 2)]


def test_processes_decode_the_same(tmp_path: Path) -> None:
    folder = foreign(tmp_path)
    alone = opened(folder, tmp_path)
    together = opened(folder, tmp_path, cache_dir=tmp_path / "other", workers=2)
    np.testing.assert_array_equal(alone.pictures["top"], together.pictures["top"])
    np.testing.assert_array_equal(alone.stamp_ns, together.stamp_ns)


def test_an_episode_that_cannot_be_decoded_is_left_out_and_reported(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path / "set", Layout(version="v2.1", dtype="video"))
    video = folder / "videos/chunk-000/observation.images.top/episode_000001.mp4"
    video.write_bytes(b"no video")
    found = opened(folder, tmp_path)
    assert found.valid[:3, 0].all()
    assert not found.valid[3:].any()
    assert "1 of 2 episodes" in found.notes[0]
    assert "episode 1, step 0, camera top" in found.notes[1]
    again = opened(folder, tmp_path)
    assert again.notes == found.notes
    assert all("cannot be compared" not in note for note in found.notes[:2])


def test_an_episode_that_ends_undecoded_does_not_disturb_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our sets have the stamps of a real clock, of which an undecodable episode lacks some."""
    monkeypatch.setattr(frames, "_FRAMES_AT_ONCE", 2)
    folder = tmp_path / "set"
    with DatasetWriter(folder, FORM, limits=LIMITS) as writer:
        for _ in range(3):
            writer.begin("push the square")
            for number in range(5):
                writer.add(sample_of(number))
            writer.end(success=True)
    frame = frames._Decoder._frame

    def fails(decoder: frames._Decoder, job: frames.Job, step: int, camera: str) -> Frame:
        if (job.number, step) == (1, 3):
            raise DatasetError("cannot be decoded")
        return frame(decoder, job, step, camera)

    monkeypatch.setattr(frames._Decoder, "_frame", fails)
    camera = CameraInput(name="front", width_px=48, height_px=32)
    found = opened(folder, tmp_path, meaning=None, observation=seen(camera, state="tool"))
    clock = RowClock(found)
    assert (np.diff(clock._clock_ns) >= 0).all()
    assert clock.near(np.array([1, 11]), [-0.05], most_off_s=0.01)[0].tolist() == [[0], [10]]


def test_joints_that_the_meaning_does_not_have_are_named(tmp_path: Path) -> None:
    meaning = {**MEANING, "state": "none"}
    with pytest.raises(ConfigError, match=r"has no state\.joints"):
        opened(foreign(tmp_path), tmp_path, meaning=meaning)


def test_cameras_of_one_last_name_need_a_choice(tmp_path: Path) -> None:
    content = rlds_episode(1, 3)
    content["steps/observation/left/rgb"] = content["steps/observation/image"]
    content["steps/observation/right/rgb"] = content.pop("steps/observation/wrist_image")
    path = write_set(tmp_path, {"train": [[content]]}, None)

    def with_camera(name: str) -> Demonstrations:
        camera = CameraInput(name=name, width_px=24, height_px=16)
        observation = seen(camera, state="none")
        return opened(path, tmp_path, meaning=MEANING_RLDS, observation=observation)

    with pytest.raises(ConfigError, match=r"2 cameras 'rgb'.*left_rgb, right_rgb"):
        with_camera("rgb")
    assert with_camera("left_rgb").pictures["left_rgb"].shape == (3, 16, 24, 3)
    with pytest.raises(ConfigError, match=r"no camera 'top'; choose of: "):
        with_camera("top")


def test_numbers_that_are_not_finite_are_refused_with_their_place(tmp_path: Path) -> None:
    content = rlds_episode(0, 3)
    content["steps/action"] = np.array([[0, 1, 2], [0, np.nan, 2], [0, 1, 2]], np.float32)
    path = write_set(tmp_path, {"train": [[content]]}, described())
    with pytest.raises(DatasetError, match=r"episode 0, step 1: number 1 of the action is nan"):
        opened(path, tmp_path, meaning=MEANING_RLDS, observation=seen(state="none"))


def test_what_the_data_contradict_stops_until_it_is_accepted(tmp_path: Path) -> None:
    folder = foreign(tmp_path)
    gripper = {"column": 1, "closed": 0, "open": 0.5}
    wrong = {**MEANING, "action": {**MEANING["action"], "gripper": gripper}}
    with pytest.raises(MeaningError, match=r"\[gripper_range\].*\n.*accept: \[gripper_range\]"):
        opened(folder, tmp_path, meaning=wrong)
    found = opened(folder, tmp_path, meaning={**wrong, "accept": ["gripper_range"]})
    assert any("accepted" in note for note in found.notes)


def test_a_full_disk_is_reported_with_the_room_that_is_free(tmp_path: Path) -> None:
    folder = foreign(tmp_path)
    large = CameraInput(name="top", width_px=640, height_px=480)
    with (
        small_disk(tmp_path / "disk", size_mb=1) as disk,
        pytest.raises(DiskFullError, match="MB are free"),
    ):
        opened(folder, tmp_path, observation=seen(large), cache_dir=disk / "cache")


def made_up(action: np.ndarray) -> Demonstrations:
    rows = len(action)
    return Demonstrations(
        observation=seen(state="none"),
        step_s=0.1,
        pictures={},
        depth_m={},
        state=np.zeros((rows, 0), np.float32),
        stamp_ns=np.arange(rows),
        action=action[:, None].astype(np.float32),
        valid=np.ones((rows, 1), bool),
        first_row=np.zeros(rows, np.int64),
        length=np.full(rows, rows),
        instructions=((),),
        success=(None,),
    )


def seven(column: np.ndarray) -> np.ndarray:
    """Its first column; the others are constant, the gripper open."""
    return np.concatenate([column[:, None], np.full((len(column), 6), 1.0)], axis=1)


def test_quantiles_go_to_plus_and_minus_one_and_constants_stay_put() -> None:
    values = np.random.default_rng(0).normal(3, 2, 4000)
    found = statistics(made_up(seven(values)), kind="quantiles")
    low, high = np.quantile(values, (0.01, 0.99))
    assert (low - found.mean[0]) / found.scale[0] == pytest.approx(-1, abs=1e-3)
    assert (high - found.mean[0]) / found.scale[0] == pytest.approx(1, abs=1e-3)
    assert (found.mean[1], found.scale[1]) == (1.0, 0.001)  # a network's noise hardly moves it
    assert (found.mean[6], found.scale[6]) == (0.5, 0.5)
    mean_std = statistics(made_up(seven(values)), kind="mean_std")
    assert mean_std.scale[0] == pytest.approx(values.std(), rel=1e-3)


def test_a_motion_too_rare_for_the_quantiles_is_scaled_by_its_deviation() -> None:
    values = np.random.default_rng(0).normal(0, 1e-5, 4000)
    values[:20] = 0.05
    found = statistics(made_up(seven(values)), kind="quantiles")
    assert found.scale[0] == pytest.approx(values.std(), rel=1e-3)
    assert abs(0.05 - found.mean[0]) / found.scale[0] < 20


def test_statistics_that_are_missing_are_an_error() -> None:
    values = seven(np.array([0.0, np.nan]))
    with pytest.raises(DatasetError, match="1 of 2 rows are not finite"):
        statistics(made_up(values))
    with pytest.raises(DatasetError, match="there is no step"):
        statistics(made_up(values[:0]))
    mean, scale = state_statistics(made_up(seven(np.zeros(3))))
    assert mean.shape == scale.shape == (0,)


def test_maps_of_an_encoder_are_computed_once(tmp_path: Path) -> None:
    found, calls = opened(foreign(tmp_path), tmp_path), list[int]()

    def encode(camera: str, rgb: torch.Tensor) -> tuple[torch.Tensor, ...]:
        assert camera == "top"
        calls.append(len(rgb))
        maps = rgb.permute(0, 3, 1, 2).float()
        return maps / 255, maps.mean((2, 3), keepdim=True)

    options: dict[str, Any] = {
        "identity": "weights",
        "cache_dir": tmp_path / "maps",
        "batch_size": 4,
    }
    maps = feature_maps(found, encode, **options)["top"]
    assert [m.shape for m in maps] == [(7, 3, 16, 24), (7, 3, 1, 1)]
    np.testing.assert_allclose(
        maps[0].transpose(0, 2, 3, 1), found.pictures["top"] / 255, atol=1e-3
    )
    feature_maps(found, encode, **options)
    assert calls == [4, 3]
    feature_maps(found, encode, **{**options, "identity": "others"})
    assert calls == [4, 3, 4, 3]
