"""Depth files and frames of a video belong together, or the video is refused with its depth."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from replay_scenes import HEIGHT, WIDTH, picture
from test_image_sources import open_media, write_images, write_video

from robot_vision.replay.reading.folders.video_depth import depth_of_frames
from robot_vision.replay.reading.messages import BagError

MS = 1_000_000


@pytest.mark.parametrize("files", [9, 11])
def test_another_number_of_depth_files_is_refused(files: int, tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", 10)
    write_images(tmp_path / "a_depth", [f"{i:03d}.png" for i in range(files)])
    with pytest.raises(
        BagError, match=rf"^10 frames of the video .* {files} files.*without depth"
    ):
        open_media(tmp_path / "a.avi")


def test_as_many_files_as_frames_are_paired_by_order(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", 10)
    write_images(tmp_path / "a_depth", [f"{i:03d}.png" for i in range(10)])
    source = open_media(tmp_path / "a.avi")
    assert [raw.read_depth is not None for raw in source.raw_frames()] == [True] * 10


def test_a_variable_rate_is_paired_by_order_where_nothing_is_lost() -> None:
    stamps_ns = [ms * MS for ms in (0, 33, 66, 500, 533, 3000)]
    assert depth_of_frames(stamps_ns, files=6, rate_hz=2.0) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(BagError, match=r"6 frames of the video .* 7 files"):
        depth_of_frames(stamps_ns, files=7, rate_hz=2.0)


def test_frames_that_a_decoder_left_out_do_not_shift_the_others() -> None:
    stamps_ns = [ms * MS for ms in (0, 33, 67, 167, 200)]
    assert depth_of_frames(stamps_ns, files=7, rate_hz=30.0) == [0, 1, 2, 5, 6]


def test_a_lost_frame_and_a_lost_file_are_not_taken_for_a_pair() -> None:
    with pytest.raises(BagError, match="the pairing is unknown"):
        depth_of_frames([0, 33 * MS, 100 * MS], files=3, rate_hz=30.0)


def write_mp4(path: Path, frames: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index)[0], format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def damage_frame(path: Path, number: int) -> None:
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        begin, size = packets[number].pos, packets[number].size
    data = bytearray(path.read_bytes())
    assert begin is not None
    data[begin : begin + size] = bytes(size)
    path.write_bytes(data)


def test_a_damaged_frame_costs_itself_and_depth_stays_with_the_others(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", 10)
    write_images(tmp_path / "a_depth", [f"{i:03d}.png" for i in range(10)])
    damage_frame(tmp_path / "a.mp4", 4)
    source = open_media(tmp_path / "a.mp4")
    raw_frames = list(source.raw_frames())
    assert [round(raw.stamp_ns * 30e-9) for raw in raw_frames] == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert source.health.problems.count("video frame damaged") == 1
    assert source.health.problems.count("video ends early") == 0
    last = raw_frames[4].read_depth
    assert last is not None
    np.testing.assert_allclose(last(), picture(5)[1] / 1000, atol=1e-6)


def test_a_video_turned_by_its_metadata_is_refused_with_depth(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(path, 3)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 4 + 20 + 16
    data[matrix : matrix + 20] = struct.pack(">5i", 0, 1 << 16, 0, -(1 << 16), 0)
    path.write_bytes(data)
    [first, *_] = open_media(path).raw_frames()
    assert first.read_rgb().shape == (WIDTH, HEIGHT, 3)
    write_images(tmp_path / "a_depth", [f"{i:03d}.png" for i in range(3)])
    with pytest.raises(BagError, match=r"is rotated by 90° according to its metadata"):
        open_media(path)
