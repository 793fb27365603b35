"""Keypoints and oriented boxes of a recording: turned with the picture, and watched by golden."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replay_scenes import HEIGHT, WIDTH, Scene, raw_image, red_square_bundle, write_mcap
from test_live_equality import live_tracks

from robot_vision.core.cameras.rotation import rotated_image
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reporting.comparison.golden import save_golden

GREEN_XY_PX = np.array([60.0, 200.0])


def with_green(rgb: np.ndarray, xy_px: np.ndarray = GREEN_XY_PX) -> tuple[str, dict[str, Any]]:
    """The picture with a green spot; its first pixel counts, so that it is small."""
    drawn = rgb.copy()
    x, y = xy_px.astype(int)
    drawn[y - 2 : y + 3, x - 2 : x + 3] = (0, 255, 0)
    return raw_image(drawn, "rgb8")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = Scene(frames=12, encode=with_green)
    return write_mcap(tmp_path_factory.mktemp("bags") / "green.mcap", scene.messages())


def replay(path: Path, bundle: Path, **job: Any) -> dict[str, Any]:
    rotate = job.pop("rotate", 0)
    # Turned by a quarter the squares are smaller in the model, and score less.
    unsure = {"detector.score_threshold": 0.4, "tracker.high_score": 0.4}
    values = {"model": str(bundle), "threads": 1, "detector.nms_iou": 0.2, "camera.rotate": rotate}
    config = with_values(NodeConfig(), values | unsure | {"tracker.birth_evidence": -5.0})
    result = run_job(Job(name="green", path=path, config=config, **job))
    assert result["error"] == ""
    return result


def last_objects(recording: Path, bundle: Path, out: Path, rotate: int) -> list[dict[str, Any]]:
    replay(recording, bundle, rotate=rotate, out=out, images="none")
    tracks = live_tracks(out)
    return tracks[max(tracks)]


def turned_point(xy_px: np.ndarray, rotate_deg: int) -> np.ndarray:
    """Where the pixel of the camera's picture lies in the turned one: found by turning."""
    marked = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = np.round(xy_px).astype(int)
    marked[y, x] = 1
    line, column = np.argwhere(rotated_image(marked, rotate_deg))[0]
    return np.array([column, line])


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_keypoints_turn_with_the_picture(
    rotate: int, recording: Path, pose_detector: Path, tmp_path: Path
) -> None:
    plain = last_objects(recording, pose_detector, tmp_path / "plain", 0)
    turned = last_objects(recording, pose_detector, tmp_path / "turned", rotate)
    assert len(plain) == len(turned) == 2
    expected = sorted(
        [turned_point(np.array(row["keypoints"][0]["xy_px"]), rotate) for row in plain],
        key=lambda xy: tuple(xy),
    )
    middles = sorted(tuple(row["keypoints"][0]["xy_px"]) for row in turned)
    # The model's cells are 8 px, and the picture is three quarters as large in it when turned.
    np.testing.assert_allclose(middles, expected, atol=9)
    for row in turned:
        left, top, right, bottom = row["box_xyxy_px"]
        middle, green = row["keypoints"]
        assert middle["xy_px"] == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=6)
        assert green["xy_px"] == pytest.approx(turned_point(GREEN_XY_PX, rotate), abs=4)
        assert (middle["name"], green["name"]) == ("left_middle", "greenest")


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_oriented_boxes_turn_with_the_picture(
    rotate: int, recording: Path, tmp_path: Path
) -> None:
    bundle = red_square_bundle(tmp_path / "obb", format="yolo_obb")
    green = turned_point(GREEN_XY_PX, rotate)
    objects = last_objects(recording, bundle, tmp_path / "out", rotate)
    assert len(objects) == 2
    for row in objects:
        right, down = green - row["oriented_box"]["center_px"]
        off = row["oriented_box"]["angle_rad"] - np.arctan2(down, right)
        assert abs(np.sin(off)) < 0.05  # half a turn is the same box


@pytest.mark.parametrize(("format", "key"), [("yolo_pose", "keypoint 1"), ("yolo_obb", "angle")])
def test_golden_names_keypoints_and_angles_that_moved(
    format: str, key: str, recording: Path, tmp_path: Path
) -> None:
    bundle = red_square_bundle(tmp_path / "bundle", format=format)
    golden = tmp_path / "golden.json"
    save_golden(golden, {"green": replay(recording, bundle)["behaviour"]})
    assert replay(recording, bundle, golden=golden)["drifts"] == []
    other = Scene(frames=12, encode=lambda rgb: with_green(rgb, np.array([200.0, 20.0])))
    moved = write_mcap(tmp_path / "moved.mcap", other.messages())
    result = replay(moved, bundle, golden=golden)
    assert result["status"] == "regression"
    assert any(key in drift["figure"] for drift in result["drifts"])
    assert not any("keypoint 0" in drift["figure"] for drift in result["drifts"])
    digests = [run["figures"]["digest"] for run in (replay(recording, bundle), result)]
    assert digests[0] != digests[1]
