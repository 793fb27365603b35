"""Cameras of demonstrations have the poses that the sets or their owners say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demonstrations_kit import BASE_FROM_CAMERA, write_episodes
from lerobot_kit import Layout, write_lerobot
from pixel_demonstrations import demonstrations
from runs import Rows, tiny_spec
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.datasets.camera_places import CameraPlaces
from robot_vision.datasets.meaning.asking.draft import MeaningError
from robot_vision.export.bundle import export_run
from robot_vision.model_store.policies import find_policy
from robot_vision.models.policies.pixels import PixelPolicy
from robot_vision.training.data.demonstrations.poses import camera_poses
from robot_vision.training.data.demonstrations.sets import Episodes
from robot_vision.training.demonstrations.demonstrations import (
    Demonstrations,
    open_demonstrations,
)
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.run import build_run

COUNT = 3
TOOL_FROM_CAMERA = np.eye(4)
TOOL_FROM_CAMERA[:3, 3] = 0.05, 0.0, -0.1
JOINTS = {"columns": [0], "angle_unit": "rad", "names": ["slide"]}
GRIPPER = {"column": 1, "closed": 0, "open": 10}
STILL = {"position_m": [0.6, 0.1, 0.5], "quaternion_xyzw": [1, 0, 0, 0]}


def placed(poses: np.ndarray, source: Demonstrations, *, focal: float = 0.8) -> Episodes:
    rows = len(source.state)
    places = CameraPlaces(
        base_from_camera=np.broadcast_to(poses, (rows, 4, 4)),
        focal_per_side=np.full((rows, 2), [focal, 1.2]),
    )
    source = replace(source, places={"top": places}, base_from_tool=tools(source))
    return Episodes(source=source, numbers=np.arange(COUNT))


def tools(source: Demonstrations) -> np.ndarray:
    """Poses of a tool that goes as the state says, and turns."""
    found = np.tile(np.eye(4), (len(source.state), 1, 1))
    found[:, :3, 3] = source.state[:, :3]
    turns = np.linspace(0, 2, len(found))[:, None] * [0, 0, 1]
    found[:, :3, :3] = Rotation.from_rotvec(turns).as_matrix()
    return found


def test_what_stands_still_what_is_on_the_tool_and_what_is_neither() -> None:
    source = demonstrations(COUNT, seed=0)
    poses, notes = camera_poses(placed(BASE_FROM_CAMERA, source))
    assert (poses["top"].mount, notes) == ("base", ())
    assert poses["top"].position_m == pytest.approx(BASE_FROM_CAMERA[:3, 3])
    turned = Rotation.from_rotvec(poses["top"].rotation).as_matrix()
    np.testing.assert_allclose(turned, BASE_FROM_CAMERA[:3, :3], atol=1e-9)
    on_tool = tools(source) @ TOOL_FROM_CAMERA
    poses, _ = camera_poses(placed(on_tool, source))
    assert (poses["top"].mount, poses["top"].focal_per_width) == ("tool", 0.8)
    assert poses["top"].position_m == pytest.approx((0.05, 0.0, -0.1))
    moved = np.tile(BASE_FROM_CAMERA, (len(source.state), 1, 1))
    moved[5:, 2, 3] += 0.1
    poses, notes = camera_poses(placed(moved, source))
    assert not poses
    assert "fixed neither in the base frame nor to the tool" in notes[0]


def test_what_is_not_said_is_not_shown() -> None:
    source = demonstrations(COUNT, seed=0)
    numbers = np.arange(COUNT)
    _, notes = camera_poses(Episodes(source=source, numbers=numbers))
    assert notes == ("the pose of camera top is not shown: not all sets give its pose and lens",)
    gaps = np.tile(BASE_FROM_CAMERA, (len(source.state), 1, 1))
    gaps[3] = np.nan
    _, notes = camera_poses(placed(gaps, source))
    assert "not all sets give its pose" in notes[0]


def recipe_for(root: Path) -> Recipe:
    """Of our set in `root`, with the poses of its camera."""
    seen = ObservationSpec(cameras=(CameraInput(name="front", width_px=64, height_px=32),))
    return recipe_of(
        {
            "task": "demonstrations",
            "model": "pixel-policy",
            "spec": tiny_spec("pixel-policy"),
            "run": {"steps": 1, "batch_size": 2},
            "options": {
                "train_sets": [str(root / "set")],
                "val_share": 0,
                "observation": seen.model_dump(mode="json"),
                "horizon": 3,
                "cache_dir": str(root / "cache"),
                "camera_poses": True,
            },
        },
    )


def test_our_sets_say_it_themselves(tmp_path: Path) -> None:
    """So a recipe asks for it by one word, and it is in the model."""
    write_episodes(tmp_path / "set", [4, 5])
    model = build_run(recipe_for(tmp_path)).model
    assert isinstance(model, PixelPolicy)
    pose = model.spec.poses["front"]
    assert pose.position_m == pytest.approx(BASE_FROM_CAMERA[:3, 3])
    assert (pose.focal_per_width, pose.focal_per_height) == pytest.approx((80 / 96, 80 / 64))


def test_the_bundle_says_where_its_cameras_are_and_the_node_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_episodes(tmp_path / "set", [4, 5])
    train(recipe_for(tmp_path), tmp_path / "run", reporter=Rows())
    bundle, cache = tmp_path / "bundle", str(tmp_path / "cache")
    export_run(tmp_path / "run", bundle)
    moved = BASE_FROM_CAMERA.copy()
    moved[0, 3] += 0.08
    monkeypatch.setattr("demonstrations_kit.BASE_FROM_CAMERA", moved)
    write_episodes(tmp_path / "moved", [3])
    mount = find_policy(bundle).manifest.camera_mounts["front"]
    assert mount.mount == "base"
    np.testing.assert_allclose(mount.position_m, BASE_FROM_CAMERA[:3, 3], atol=1e-9)
    words = "camera front is 0.08 m and 0° from its pose in the policy's training"
    for name, is_warned in (("set", False), ("moved", True)):
        evaluate = ["evaluate", "demonstrations", str(bundle), "--data", str(tmp_path / name)]
        evaluate += ["--out", str(tmp_path / "judged"), "--cache", cache]
        for asked in (evaluate, ["replay", str(tmp_path / name), "--policy", str(bundle)]):
            said = CliRunner().invoke(app, asked)
            assert said.exit_code == 0, said.output
            assert (words in " ".join(said.output.split())) is is_warned, said.output


def opened(folder: Path, tmp_path: Path, cameras: dict[str, Any]) -> Demonstrations:
    return open_demonstrations(
        [folder],
        meaning={
            "rate_hz": 10,
            "action": {"joints": JOINTS, "kind": "absolute", "gripper": GRIPPER},
            "state": {"joints": JOINTS, "gripper": GRIPPER},
            "cameras": cameras,
        },
        observation=ObservationSpec(
            cameras=(CameraInput(name="top", width_px=24, height_px=16),),
            state="joints",
            words="none",
        ),
        horizon=3,
        cache_dir=tmp_path / "cache",
        workers=1,
    )


def test_the_meaning_of_a_foreign_set_says_where_its_camera_is(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path / "set", Layout(dtype="image"))
    lens = {"focal_px": 60, "width_px": 48, "height_px": 32}
    found = opened(folder, tmp_path, {"top": {**lens, "base_from_camera": STILL}})
    poses = found.places["top"].base_from_camera
    assert poses.shape == (7, 4, 4)
    np.testing.assert_allclose(poses[3], np.diag([1, -1, -1, 1]) + _at(STILL["position_m"]))
    assert found.places["top"].focal_per_side[3] == pytest.approx([1.25, 1.875])
    assert np.isnan(opened(folder, tmp_path, {}).places["top"].base_from_camera).all()
    with pytest.raises(MeaningError, match=r"\[camera\] the set has no camera 'side'"):
        opened(folder, tmp_path, {"side": {**lens, "base_from_camera": STILL}})


def _at(position_m: Any) -> np.ndarray:
    found = np.zeros((4, 4))
    found[:3, 3] = position_m
    return found
