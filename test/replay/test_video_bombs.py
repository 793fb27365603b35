"""Videos are looked at before they are decoded: their size, and whether they are videos at all."""

from pathlib import Path

import av
import pytest
from demonstrations_kit import FORM, write_episodes

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.messages import BagError
from robot_vision.replay.reading.sources import open_source

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"


@pytest.fixture(scope="module")
def large_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two black pictures of 25 megapixels in a few hundred kilobytes."""
    path = tmp_path_factory.mktemp("videos") / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 5008
        stream.pix_fmt = "yuv420p"
        picture = av.VideoFrame(5008, 5008, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        for number in range(2):
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def test_a_video_of_a_huge_size_is_not_replayed(large_video: Path) -> None:
    with pytest.raises(BagError, match=r"5008×5008 px; at most 20 megapixels.*limits.image_mpx"):
        open_source(large_video, config=ServiceConfig(), options=BagOptions())


def test_a_playlist_is_not_a_video(large_video: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text(PLAYLIST.format(secret=large_video))
    with pytest.raises(BagError, match="cannot be opened as a video"):
        open_source(tmp_path / "a.mp4", config=ServiceConfig(), options=BagOptions())


@pytest.mark.parametrize("kind", ["large", "playlist"])
def test_a_dataset_with_such_videos_says_so(kind: str, large_video: Path, tmp_path: Path) -> None:
    write_episodes(tmp_path / "set", [2])
    [video] = (tmp_path / "set").glob("videos/**/*.mp4")
    if kind == "large":
        video.write_bytes(large_video.read_bytes())
    else:
        video.write_text(PLAYLIST.format(secret=large_video))
    dataset = Dataset(tmp_path / "set")
    with pytest.raises(DatasetError, match=r"a video|20 megapixels"):
        dataset.image(0, 0, FORM.cameras[0].color_key)
