"""Depth files and frames of a video belong together, or the video is refused with its depth."""

from pathlib import Path

import pytest
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
    with pytest.raises(BagError, match="which belong together is not known"):
        depth_of_frames([0, 33 * MS, 100 * MS], files=3, rate_hz=30.0)
