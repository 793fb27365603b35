"""Videos and folders of images are replayed like recordings."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from replay_scenes import FX, HEIGHT, WIDTH, picture

from robot_vision.core.parameters.config import NodeConfig, ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.frames import FrameSource, decode
from robot_vision.replay.reading.messages import BagError
from robot_vision.replay.reading.sources import open_source
from robot_vision.replay.running.runner import RunOptions


def open_media(path: Path) -> FrameSource:
    return open_source(path, config=ServiceConfig(), options=BagOptions())


def write_images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        rgb, depth_mm = picture(index)
        pixels = depth_mm if folder.name.endswith("depth") else rgb[..., ::-1]
        cv2.imwrite(str(folder / name), pixels)


def write_video(path: Path, frames: int) -> None:
    code = cv2.VideoWriter.fourcc(*"MJPG")
    video = cv2.VideoWriter(str(path), code, 25.0, (WIDTH, HEIGHT))
    for index in range(frames):
        video.write(np.ascontiguousarray(picture(index)[0][..., ::-1]))
    video.release()


def test_folder_with_depth_and_stamps_in_its_names(tmp_path: Path) -> None:
    write_images(tmp_path / "set" / "rgb", ["12.50.png", "12.55.png", "12.61.png"])
    write_images(tmp_path / "set" / "depth", ["12.50.png", "12.55.png", "12.61.png"])
    source = open_media(tmp_path / "set")
    frames = [decode(raw, source.health.problems) for raw in source.raw_frames()]
    assert [f.stamp_ns for f in frames if f] == [12_500_000_000, 12_550_000_000, 12_610_000_000]
    assert frames[1] is not None
    assert frames[1].depth_m is not None
    np.testing.assert_array_equal(frames[1].rgb, picture(1)[0])
    np.testing.assert_allclose(frames[1].depth_m, picture(1)[1] / 1000, atol=1e-6)


def test_plain_folder_runs_at_30_hz_and_steps_over_a_damaged_image(tmp_path: Path) -> None:
    write_images(tmp_path / "set", [f"{i:03d}.png" for i in range(4)])
    (tmp_path / "set" / "002.png").write_bytes(b"not an image")
    source = open_media(tmp_path / "set")
    frames = [decode(raw, source.health.problems) for raw in source.raw_frames()]
    assert [frame is None for frame in frames] == [False, False, True, False]
    assert frames[3] is not None
    assert (frames[3].stamp_ns, frames[3].depth_m) == (100_000_000, None)
    assert source.health.problems.count("colour image not decoded") == 1


def test_video_with_depth_gives_tracks_in_3d(detector: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "squares.avi", 20)
    write_images(tmp_path / "squares_depth", [f"{i:03d}.png" for i in range(20)])
    values = {"model": str(detector), "threads": 1, "detector.nms_iou": 0.2}
    job = Job(
        name="squares",
        path=tmp_path / "squares.avi",
        config=with_values(NodeConfig(), values),
        run=RunOptions(intrinsics_px=(FX, FX, WIDTH / 2, HEIGHT / 2)),
    )
    result = run_job(job)
    assert result["error"] == ""
    assert result["figures"]["frames"] == 20
    assert result["figures"]["duration_s"] == pytest.approx(19 / 25)
    assert result["figures"]["tracks_by_class"] == {"red square": 2}
    z_m = [row["mean_position_in_camera_m"][2] for row in result["figures"]["tracks"]]
    assert z_m == pytest.approx([1.0, 1.0], abs=0.05)


def test_input_that_is_not_a_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a video")
    with pytest.raises(BagError, match=r"a.mp4 cannot be opened as a video"):
        open_media(tmp_path / "a.mp4")
