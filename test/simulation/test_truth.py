import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from robot_vision.core.cameras.geometry import deproject, invert_transform, transform_points
from robot_vision.core.errors import MissingDependencyError
from robot_vision.simulation.picture import gl
from robot_vision.simulation.picture.frame import LabelledFrame, make_frame
from robot_vision.simulation.picture.render import SceneRenderer
from robot_vision.simulation.picture.scene import Content, Scene, build_scene, settle

SIZE_PX = (208, 160)


def make_scene(seed: int, content: Content | None = None) -> Scene:
    scene = build_scene(np.random.default_rng(seed), size_px=SIZE_PX, content=content)
    settle(scene, seconds=1.0)
    return scene


def show(scene: Scene, seeds: range) -> list[LabelledFrame]:
    with SceneRenderer(scene, size_px=SIZE_PX) as renderer:
        return [
            make_frame(
                scene, renderer, np.random.default_rng(seed), split="train", size_px=SIZE_PX
            )
            for seed in seeds
        ]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(3, Content(objects=(8, 8), distractors=(2, 2)))


@pytest.fixture(scope="module")
def frames(scene: Scene) -> list[LabelledFrame]:
    return show(scene, range(4))


def test_boxes_are_tight_around_masks(frames: list[LabelledFrame]) -> None:
    for frame in frames:
        assert frame.truths
        for truth in frame.truths:
            left, top, right, bottom = truth.box_xyxy_px.astype(int)
            assert truth.mask[top:bottom, left:right].sum() == truth.mask.sum()
            inside = truth.mask[top:bottom, left:right]
            assert inside[[0, -1]].any(axis=1).all()
            assert inside[:, [0, -1]].any(axis=0).all()


def test_masks_do_not_overlap(frames: list[LabelledFrame]) -> None:
    for frame in frames:
        assert np.sum([truth.mask for truth in frame.truths], axis=0).max() == 1


def test_exact_depth_lies_on_the_objects(scene: Scene, frames: list[LabelledFrame]) -> None:
    for frame in frames:
        for truth in frame.truths:
            rows, columns = np.nonzero(truth.mask)
            seen = deproject(
                np.stack([columns, rows], axis=1).astype(np.float64),
                frame.depth_true_m[truth.mask].astype(np.float64),
                camera=frame.viewpoint.camera,
            )
            in_object = transform_points(invert_transform(truth.camera_from_object), seen)
            half = scene.items[truth.item_index].shape.half_size_m
            # seen from where the pixel is, not from its middle: some millimetres of slack
            assert (np.abs(in_object) < half + 0.006).all(), truth.class_name


def test_sensor_depth_is_near_the_truth_where_it_is_valid(frames: list[LabelledFrame]) -> None:
    for frame in frames:
        both = (frame.depth_m > 0) & (frame.depth_true_m > 0)
        assert both.mean() > 0.3
        error = np.abs(frame.depth_m - frame.depth_true_m)[both] / frame.depth_true_m[both]
        assert np.median(error) < 0.02


def test_a_thing_alone_is_wholly_visible_and_a_covered_one_is_not(scene: Scene) -> None:
    alone = make_scene(5, Content(objects=(1, 1), distractors=(0, 0)))
    in_view = [t for f in show(alone, range(6)) for t in f.truths if not _cut(t.mask)]
    assert max(truth.visible_share for truth in in_view) > 0.93
    crowded = [t for f in show(scene, range(10, 16)) for t in f.truths]
    assert min(truth.visible_share for truth in crowded) < 0.7
    for truth in crowded:
        assert truth.ignore == (truth.mask.sum() < 60 or truth.visible_share < 0.15)


def _cut(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def test_things_come_to_rest_on_the_table(scene: Scene) -> None:
    heights = [scene.world_from_object(item)[2, 3] for item in scene.items]
    assert sum(height > 0 for height in heights) >= len(heights) - 2
    assert np.median(np.abs(scene.data.qvel)) < 0.01


def test_same_seed_same_frame(frames: list[LabelledFrame]) -> None:
    again = show(make_scene(3, Content(objects=(8, 8), distractors=(2, 2))), range(1))[0]
    np.testing.assert_array_equal(again.rgb, frames[0].rgb)
    np.testing.assert_array_equal(again.depth_m, frames[0].depth_m)


def test_without_opengl_the_error_says_what_to_install(monkeypatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", absent)
    with pytest.raises(MissingDependencyError, match="apt-get install -y libegl1 libosmesa6"):
        gl.choose_backend()


def test_a_chosen_backend_is_respected(monkeypatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert gl.choose_backend() == "osmesa"


@pytest.mark.parametrize("backend", ["glfw", "nonsense"])
def test_a_backend_that_does_not_work_is_explained(backend: str, tmp_path) -> None:
    command = "from robot_vision.cli import main; main()"
    options = ["scenes", "generate", "--out", str(tmp_path), "--count", "1", "--processes", "1"]
    environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"} | {"MUJOCO_GL": backend}
    ended = subprocess.run(
        [sys.executable, "-c", command, *options],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "apt-get install" in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
