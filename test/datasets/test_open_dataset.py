"""Datasets of any kind are opened by one function, and give the same things."""

from pathlib import Path

import numpy as np
import pytest
from demonstrations_kit import FPS, START_NS, depth_of, rgb_of, write_episodes
from foreign_sets import COUNT, info_of, write_set

from robot_vision.datasets.episode_set import EpisodeCamera
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.open_dataset import is_dataset, open_dataset


def test_a_dataset_of_ours_gives_its_episodes(tmp_path: Path) -> None:
    write_episodes(tmp_path / "picks", [3, 5])
    assert is_dataset(tmp_path / "picks")
    episodes = open_dataset(tmp_path / "picks")
    assert episodes.fps == FPS
    assert episodes.lengths == (3, 5)
    assert episodes.cameras == (EpisodeCamera(name="front", has_depth=True),)
    assert episodes.instruction(1) == "pick the red cube"
    frame = episodes.frame(1, 4, "front")
    assert frame.stamp_ns == START_NS + 4 * 50_000_000 + 1_000
    assert np.abs(frame.rgb.astype(int) - rgb_of(4)).mean() < 6
    assert frame.depth_m is not None
    np.testing.assert_allclose(frame.depth_m, depth_of(4), atol=1e-6)
    assert frame.camera is not None
    assert frame.camera.intrinsics_px[0, 0] == 80.0
    actions = episodes.actions(1)
    assert actions is not None
    assert actions.values.shape == (5, 7)
    assert len(actions.names) == 7
    episodes.close()


def test_a_dataset_without_cameras_has_actions(tmp_path: Path) -> None:
    episodes = open_dataset(write_set(tmp_path / "set"))
    assert episodes.cameras == ()
    actions = episodes.actions(0)
    assert actions is not None
    assert actions.names == ("a", "b")
    assert actions.values.shape == (COUNT, 2)
    with pytest.raises(DatasetError, match="no camera 'front' in the dataset; it has: none"):
        episodes.frame(0, 0, "front")
    with pytest.raises(DatasetError, match="no episode 1; the dataset has 1"):
        episodes.instruction(1)


def test_actions_may_be_missing_or_in_parts(tmp_path: Path) -> None:
    info = info_of()
    action = info["features"].pop("action")
    assert open_dataset(write_set(tmp_path / "none", info=info)).actions(0) is None
    info["features"] |= {f"action.{side}": action | {"names": None} for side in ("left", "right")}
    column = np.arange(2 * COUNT, dtype=np.float32).reshape(COUNT, 2).tolist()
    columns = {"action.left": column, "action.right": column}
    parts = open_dataset(write_set(tmp_path / "parts", info=info, columns=columns)).actions(0)
    assert parts is not None
    assert parts.names == ()
    assert parts.values.tolist() == [row + row for row in column]


def test_input_that_is_not_a_dataset_is_refused(tmp_path: Path) -> None:
    assert not is_dataset(tmp_path)
    assert not is_dataset(tmp_path / "gone.mcap")
    with pytest.raises(DatasetError, match="is not a dataset of these kinds: lerobot"):
        open_dataset(tmp_path)


def test_a_rate_that_contradicts_the_dataset_is_refused(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set")
    assert open_dataset(root, fps=10).fps == 10
    with pytest.raises(DatasetError, match="states that it has 10 fps, not 30"):
        open_dataset(root, fps=30)


def test_scripts_of_before_find_the_dataset_where_it_was() -> None:
    from robot_vision.datasets.lerobot.dataset import Dataset
    from robot_vision.demonstrations import dataset

    assert dataset.Dataset is Dataset
