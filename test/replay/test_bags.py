"""Recordings of every kind give the same frames, in order, with depth, intrinsics and pose."""

from pathlib import Path

import numpy as np
import pytest
from mcap.writer import CompressionType
from replay_scenes import (
    COLOR,
    FX,
    HEIGHT,
    START_NS,
    STEP_NS,
    WIDTH,
    Message,
    Scene,
    jpeg_image,
    picture,
    png_depth,
    raw_image,
    write_mcap,
    write_ros1,
    write_rosbag2,
)
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.replay.reading.bag import BagOptions, BagSource
from robot_vision.replay.reading.discovery import Topics
from robot_vision.replay.reading.frames import FrameSource, decode
from robot_vision.replay.reading.messages import BagError
from robot_vision.replay.reading.sources import open_source


def open_bag(path: Path, **options: object) -> BagSource:
    return BagSource(path, config=ServiceConfig(), options=BagOptions(**options))  # pyright: ignore


def frames_of(source: FrameSource) -> list[Frame]:
    frames = [decode(raw, source.health.problems) for raw in source.raw_frames()]
    return [frame for frame in frames if frame is not None]


def check_all(path: Path, scene: Scene) -> None:
    """Every frame of `scene` is there, with its own pixels."""
    source = open_bag(path, target_frame="auto")
    frames = frames_of(source)
    assert source.health.problems.as_dict() == {}
    assert [frame.stamp_ns for frame in frames] == scene.stamps_ns()
    for index, frame in enumerate(frames):
        rgb, depth_mm = picture(index)
        np.testing.assert_array_equal(frame.rgb, rgb)
        assert frame.depth_m is not None
        np.testing.assert_allclose(frame.depth_m, depth_mm / 1000, atol=1e-6)
        assert frame.depth_stamp_ns == frame.stamp_ns
        assert frame.camera is not None
        assert (frame.camera.fx_px, frame.camera.width_px) == (FX, WIDTH)
        assert frame.fixed_from_camera is not None
        np.testing.assert_allclose(frame.fixed_from_camera[:3, 3], [0.01 * index, 0, 0], atol=1e-9)
    assert source.done == 1.0


@pytest.mark.parametrize("compression", list(CompressionType))
def test_mcap_file(tmp_path: Path, compression: CompressionType) -> None:
    scene = Scene(frames=8)
    check_all(write_mcap(tmp_path / "a.mcap", scene.messages(), compression=compression), scene)


@pytest.mark.parametrize(
    ("storage", "compression"),
    [
        (StoragePlugin.MCAP, CompressionMode.NONE),
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.MCAP, CompressionMode.FILE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    ],
)
def test_rosbag2_directory(
    tmp_path: Path, storage: StoragePlugin, compression: CompressionMode
) -> None:
    scene = Scene(frames=6)
    folder = write_rosbag2(
        tmp_path / "bag", scene.messages(), storage=storage, compression=compression
    )
    check_all(folder, scene)


def test_single_sqlite_file(tmp_path: Path) -> None:
    scene = Scene(frames=4)
    write_rosbag2(tmp_path / "bag", scene.messages(), storage=StoragePlugin.SQLITE3)
    check_all(tmp_path / "bag" / "bag.db3", scene)


@pytest.mark.parametrize("compression", [None, *Ros1Writer.CompressionFormat])
def test_ros1_bag(tmp_path: Path, compression: Ros1Writer.CompressionFormat | None) -> None:
    scene = Scene(frames=6)
    check_all(write_ros1(tmp_path / "a.bag", scene.messages(), compression=compression), scene)


def test_split_recording_is_one(tmp_path: Path) -> None:
    scene = Scene(frames=9)
    messages = list(scene.messages())
    folder = tmp_path / "bag"
    folder.mkdir()
    write_mcap(folder / "bag_0.mcap", messages[:20])
    write_mcap(folder / "bag_1.mcap", messages[20:])
    (folder / "metadata.yaml").write_text(
        "rosbag2_bagfile_information:\n  relative_file_paths: [bag_0.mcap, bag_1.mcap]\n"
    )
    check_all(folder, scene)


@pytest.mark.parametrize("encoding", ["bgr8", "mono8", "jpeg"])
def test_encodings_of_the_service(tmp_path: Path, encoding: str) -> None:
    def encode(rgb: np.ndarray) -> tuple[str, dict]:
        if encoding == "jpeg":
            return jpeg_image(rgb)
        pixels = rgb[..., ::-1] if encoding == "bgr8" else rgb[..., 0]
        return raw_image(np.ascontiguousarray(pixels), encoding)

    scene = Scene(frames=2, encode=encode, encode_depth=png_depth)
    source = open_bag(write_mcap(tmp_path / "a.mcap", scene.messages()))
    frames = frames_of(source)
    assert len(frames) == 2
    error = np.abs(frames[1].rgb[..., 0].astype(int) - picture(1)[0][..., 0])
    assert np.median(error) <= (12 if encoding == "jpeg" else 0)
    assert frames[1].depth_m is not None
    np.testing.assert_allclose(frames[1].depth_m, picture(1)[1] / 1000, atol=1e-6)


def test_messages_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    scene = Scene(frames=40)
    rng = np.random.default_rng(3)
    late = sorted(scene.messages(), key=lambda m: m.log_ns + rng.integers(0, 300_000_000))
    messages = [
        Message(topic=m.topic, type_name=m.type_name, log_ns=START_NS + i, values=m.values)
        for i, m in enumerate(late)
    ]
    check_order = open_bag(write_mcap(tmp_path / "a.mcap", messages))
    frames = frames_of(check_order)
    assert [frame.stamp_ns for frame in frames] == scene.stamps_ns()
    assert all(frame.depth_stamp_ns == frame.stamp_ns for frame in frames)


def test_the_nearest_depth_is_taken_and_none_beyond_tolerance(tmp_path: Path) -> None:
    def shifted(message: Message, by_ns: int) -> Message:
        stamp = message.values["header"]["stamp"]
        stamp_ns = stamp["sec"] * 1_000_000_000 + stamp["nanosec"] + by_ns
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        header = {**message.values["header"], "stamp": {"sec": seconds, "nanosec": nanoseconds}}
        values = {**message.values, "header": header}
        return Message(
            topic=message.topic, type_name=message.type_name, log_ns=stamp_ns, values=values
        )

    scene = Scene(frames=6, transforms=False)
    messages = []
    for message in scene.messages():
        if message.topic.startswith("/cam/depth"):
            messages += [shifted(message, -12_000_000), shifted(message, 4_000_000)]
        else:
            messages.append(message)
    source = open_bag(write_mcap(tmp_path / "a.mcap", messages))
    offsets = [f.depth_stamp_ns - f.stamp_ns for f in frames_of(source) if f.depth_stamp_ns]
    assert offsets == [4_000_000] * 6
    far = [
        shifted(m, 25_000_000) if m.topic.startswith("/cam/depth") else m for m in scene.messages()
    ]
    source = open_bag(write_mcap(tmp_path / "b.mcap", far))
    assert frames_of(source)[0].depth_m is None
    assert source.health.pairing["frames without depth"] >= 1


def test_without_depth_intrinsics_and_transforms(tmp_path: Path) -> None:
    scene = Scene(frames=3, depth=False, info=False, transforms=False)
    source = open_bag(write_mcap(tmp_path / "a.mcap", scene.messages()), target_frame="odom")
    frames = frames_of(source)
    assert [(f.depth_m, f.camera, f.fixed_from_camera) for f in frames] == [(None, None, None)] * 3
    assert source.health.pairing["frames without depth"] == 3
    assert source.health.problems.count("no transform") == 3


def test_stamps_that_go_back_begin_anew(tmp_path: Path) -> None:
    scene = Scene(frames=90)
    once = list(scene.messages())
    source = open_bag(write_mcap(tmp_path / "a.mcap", [*once, *once]))
    stamps_ns = [frame.stamp_ns for frame in frames_of(source)]
    assert stamps_ns == scene.stamps_ns() * 2
    assert source.health.problems.count("stamps went back") == 1


def test_zero_stamps_take_the_log_time_and_say_so(tmp_path: Path) -> None:
    header = {"stamp": {"sec": 0, "nanosec": 0}, "frame_id": "cam"}
    messages = []
    for message in Scene(frames=3, info=False, transforms=False).messages():
        values = {**message.values, "header": header}
        messages.append(
            Message(
                topic=message.topic,
                type_name=message.type_name,
                log_ns=message.log_ns,
                values=values,
            )
        )
    source = open_bag(write_mcap(tmp_path / "a.mcap", messages))
    assert [f.stamp_ns for f in frames_of(source)] == [START_NS + i * STEP_NS for i in range(3)]
    assert source.health.problems.count("stamp is zero: log time taken") == 6


def test_a_repeated_stamp_is_one_frame(tmp_path: Path) -> None:
    messages = list(Scene(frames=3).messages())
    doubled = [m for m in messages for _ in range(2 if m.topic == COLOR else 1)]
    source = open_bag(write_mcap(tmp_path / "a.mcap", doubled))
    assert len(frames_of(source)) == 3
    assert source.health.problems.count("colour stamp repeated") == 3


def test_intrinsics_of_another_size_are_not_used(tmp_path: Path) -> None:
    def half(rgb: np.ndarray) -> tuple[str, dict]:
        return raw_image(np.ascontiguousarray(rgb[::2, ::2]), "rgb8")

    scene = Scene(frames=2, encode=half)
    source = open_bag(write_mcap(tmp_path / "a.mcap", scene.messages()))
    assert [frame.camera for frame in frames_of(source)] == [None, None]
    assert source.health.problems.count("intrinsics of another size") == 2
    given = decode(
        next(source.raw_frames()), source.health.problems, intrinsics_px=(100.0, 101.0, 80.0, 60.0)
    )
    assert given is not None
    assert given.camera is not None
    assert (given.camera.fy_px, given.camera.height_px) == (101.0, HEIGHT // 2)


def test_topics_are_found_reported_and_may_be_given(tmp_path: Path) -> None:
    def infrared(message: Message) -> Message:
        _, values = raw_image(np.zeros((HEIGHT, WIDTH), np.uint8), "mono8")
        values = {**values, "header": message.values["header"]}
        return Message(
            topic="/cam/infra1/image_rect_raw",
            type_name=message.type_name,
            log_ns=message.log_ns,
            values=values,
        )

    messages = []
    for message in Scene(frames=3).messages():
        messages += [infrared(message), message] if message.topic == COLOR else [message]
    path = write_mcap(tmp_path / "a.mcap", messages)
    found = open_bag(path)
    assert (found.topics.rgb, found.topics.depth[:10]) == (COLOR, "/cam/depth")
    assert "/cam/infra1/image_rect_raw" in found.topics.others
    given = open_bag(path, topics=Topics(rgb="/cam/infra1/image_rect_raw"))
    assert frames_of(given)[0].rgb.max() == 0
    with pytest.raises(BagError, match=r"no topic '/cam/colour'; it has .*/cam/infra1"):
        open_bag(path, topics=Topics(rgb="/cam/colour"))


def test_nothing_to_replay_says_what_is_there(tmp_path: Path) -> None:
    only_tf = [m for m in Scene(frames=2).messages() if m.topic == "/tf"]
    with pytest.raises(BagError, match=r"no colour images; it has /tf \(tf2_msgs"):
        open_bag(write_mcap(tmp_path / "a.mcap", only_tf))
    with pytest.raises(BagError, match="does not exist"):
        open_source(tmp_path / "no", config=ServiceConfig(), options=BagOptions())
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match="no images"):
        open_source(tmp_path / "empty", config=ServiceConfig(), options=BagOptions())


def test_real_kitchen_has_every_frame(shared_data: Path) -> None:
    source = open_bag(shared_data / "bags" / "redkitchen_mcap")
    frames = frames_of(source)
    assert len(frames) == 90
    assert all(f.depth_m is not None and f.camera is not None for f in frames)
    assert source.health.problems.as_dict() == {}
