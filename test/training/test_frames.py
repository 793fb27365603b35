"""Frames without labels: of every kind of source, decoded once, subsampled, resumed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from demonstrations_kit import write_episodes
from picture_sets import write_folders
from recorded_colors import write_colors
from rosbags.rosbag2 import StoragePlugin

from robot_vision.core.errors import ConfigError
from robot_vision.datasets.open_dataset import open_dataset
from robot_vision.models.card import Size
from robot_vision.training.self_supervised import frames as module
from robot_vision.training.self_supervised.frames import fitted, open_frames
from robot_vision.training.self_supervised.views import (
    ViewOptions,
    cut_views,
    draw_windows,
    middle_views,
    seen_otherwise,
)

SIZE = Size(width_px=48, height_px=32)
PLAIN = ViewOptions(color=0, grey=0, blur=0, flip=0)


def write_pictures(root: Path, count: int) -> Path:
    """Each of one grey, which identifies it: 10, 20, …"""
    root.mkdir(parents=True)
    for number in range(count):
        picture = np.full((40, 60, 3), 10 * (number + 1), np.uint8)
        cv2.imwrite(str(root / f"{number:03d}.png"), picture)
    return root


def greys(frames: module.Frames) -> list[int]:
    return [int(frames[row].mean()) for row in range(len(frames))]


def test_a_plain_folder_gives_its_pictures_and_no_depth(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "set", 3)
    (root / "depth").mkdir()
    cv2.imwrite(str(root / "depth" / "0.png"), np.full((40, 60), 900, np.uint16))
    frames = open_frames([str(root)], SIZE)
    assert greys(frames) == [10, 20, 30]
    assert frames[0].shape == (32, 48, 3)
    assert greys(open_frames([str(root)], SIZE)) == [10, 20, 30]  # not its own cache


def test_depth_beside_colour_is_no_frame(tmp_path: Path) -> None:
    """As cameras' viewers save it, in one folder; `depth` in other names means nothing."""
    root = write_pictures(tmp_path / "set", 4)
    for old, new in (("000", "a-color"), ("001", "b"), ("002", "c_depth"), ("003", "depth")):
        (root / f"{old}.png").rename(root / f"{new}.png")
    for name in ("a-depth", "b_depth"):
        cv2.imwrite(str(root / f"{name}.png"), np.full((40, 60), 900, np.uint16))
    assert sorted(greys(open_frames([str(root)], SIZE))) == [10, 20, 30, 40]


def test_labelled_sets_give_the_pictures_that_their_labels_name(
    shapes_set: Path, tmp_path: Path
) -> None:
    folders = write_folders(tmp_path / "colors", images=2)
    frames = open_frames([str(shapes_set), str(folders)], SIZE, cache_dir=str(tmp_path / "cache"))
    assert len(frames) == 12 + 6
    first = cv2.imread(str(shapes_set / "rgb" / "000000.png"))[..., ::-1]
    assert np.array_equal(frames[0], fitted(np.ascontiguousarray(first), SIZE))


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_bag_gives_the_images_of_its_colour_topic(
    storage: StoragePlugin, tmp_path: Path
) -> None:
    bag = write_colors(tmp_path / "bag", {"/cam/image_raw": (10, 20, 30, 40)}, storage)
    for _ in range(2):
        assert greys(open_frames([str(bag)], SIZE)) == [10, 20, 30, 40]
    assert greys(open_frames([str(bag)], SIZE, every=3)) == [10, 40]
    kept = list((tmp_path / "cache" / "bag").glob("*.rgb"))
    assert len(kept) == 2  # the second time is from the first's file


def test_cameras_of_a_bag_are_named_where_there_are_several(tmp_path: Path) -> None:
    topics = {"/front/image_raw": (10, 20), "/wrist/image_raw": (110, 120)}
    bag = write_colors(tmp_path / "bag", topics, StoragePlugin.MCAP)
    with pytest.raises(ConfigError, match=r"several cameras.*options\.topics"):
        open_frames([str(bag)], SIZE)
    frames = open_frames([str(bag)], SIZE, topics=tuple(topics), cache_dir=str(tmp_path / "c"))
    assert greys(frames) == [10, 20, 110, 120]


def test_a_dataset_gives_every_step_of_every_episode(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_episodes(folder, [3, 4])
    frames = open_frames([str(folder)], SIZE, cache_dir=str(tmp_path / "cache"))
    assert len(frames) == 7
    episodes = open_dataset(folder)
    try:
        last = episodes.frame(1, 3, episodes.cameras[0].name).rgb
    finally:
        episodes.close()
    assert np.array_equal(frames[6], fitted(last, SIZE))


def test_sets_are_mixed_and_the_most_frames_are_spread_over_all(tmp_path: Path) -> None:
    one, other = write_pictures(tmp_path / "one", 10), write_pictures(tmp_path / "other", 5)
    sets = [str(one), str(other)]
    assert greys(open_frames(sets, SIZE, every=2)) == [10, 30, 50, 70, 90, 10, 30, 50]
    assert greys(open_frames(sets, SIZE, most_frames=3)) == [10, 80, 50]


def test_decoding_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_pictures(tmp_path / "set", 6)
    shown = []

    def stop(done: int, total: int) -> None:
        shown.append((done, total))
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_frames([str(root)], SIZE, on_progress=stop)
    assert shown[-1] == (4, 6)
    decoded = []
    monkeypatch.setattr(
        module, "fitted", lambda rgb, size: decoded.append(int(rgb.mean())) or fitted(rgb, size)
    )
    assert greys(open_frames([str(root)], SIZE)) == [10, 20, 30, 40, 50, 60]
    assert decoded == [50, 60]


def test_what_cannot_be_read_is_left_out_and_said(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "set", 3)
    (root / "001.png").write_bytes(b"no picture")
    frames = open_frames([str(root)], SIZE)
    assert greys(frames) == [10, 30]
    assert frames.notes[0].startswith(f"1 of 3 frames of {root} cannot be read")
    for file in root.glob("*.png"):
        file.write_bytes(b"no picture")
    with pytest.raises(ConfigError, match="no frame can be read"):
        open_frames([str(root)], SIZE)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: [], "names no set"),
        (lambda root: [str(root / "absent")], "does not exist"),
        (lambda root: [str(root)], "holds no pictures"),
        (lambda root: [str(root / "notes.txt")], "is not a bag"),
    ],
    ids=["none", "absent", "empty", "no bag"],
)
def test_input_that_is_not_a_source_is_refused(make, words: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ConfigError, match=words):
        open_frames(make(tmp_path), SIZE)


def test_a_picture_keeps_its_ratio_and_loses_its_ends() -> None:
    rgb = np.zeros((32, 96, 3), np.uint8)
    rgb[:, 24:72] = 200
    assert (fitted(rgb, SIZE) == 200).all()
    assert fitted(np.zeros((5, 7, 3), np.uint8), SIZE).shape == (32, 48, 3)


@pytest.fixture(scope="module")
def striped(tmp_path_factory: pytest.TempPathFactory) -> module.Frames:
    """Frames whose right half alone has contrast; their red says the column."""
    root = tmp_path_factory.mktemp("striped") / "set"
    root.mkdir()
    for number in range(4):
        picture = np.full((64, 96, 3), 100, np.uint8)
        picture[:, 60::4] = 250
        cv2.imwrite(str(root / f"{number}.png"), picture)
    return open_frames([str(root)], Size(width_px=96, height_px=64))


def test_windows_lie_in_the_frame_where_there_is_more_to_see(striped: module.Frames) -> None:
    torch.manual_seed(0)
    rows = [0, 1, 2, 3] * 50
    chosen = draw_windows(striped, rows, ViewOptions(window_tries=8))
    left, top, side = chosen.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + side <= 96).all()
    assert (top + side <= 64).all()
    assert side.min() >= round(0.3 * 64)
    assert side.max() <= round(0.6 * 64)
    any_of = draw_windows(striped, rows, ViewOptions(window_tries=1))
    assert (left + side / 2).mean() > (any_of[:, 0] + any_of[:, 2] / 2).mean() + 10
    whole = draw_windows(striped, rows, ViewOptions(window_min=1, window_max=1, window_tries=1))
    assert (whole[:, 2] == 64).all()


def test_views_have_their_size_and_are_those_of_the_seed(striped: module.Frames) -> None:
    def views(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        options = ViewOptions(solarise=0.5)
        windows = draw_windows(striped, [0, 1, 2], options)
        cut = cut_views(striped, [0, 1, 2], windows, size_px=24, area=(0.3, 1.0))
        return seen_otherwise(cut, options)

    one, same, other = views(1), views(1), views(2)
    assert one.shape == (3, 24, 24, 3)
    assert one.dtype == torch.uint8
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_view_left_as_it_is_shows_the_window(striped: module.Frames) -> None:
    torch.manual_seed(0)
    windows = np.array([[10, 5, 32]])
    cut = cut_views(striped, [0], windows, size_px=32, area=(1.0, 1.0))
    torch.testing.assert_close(seen_otherwise(cut, PLAIN), cut)
    shown = cut.numpy()[0]
    assert set(np.unique(shown)) <= {100, 250} or shown.std() > 0
    middle = next(middle_views(striped, [0, 1], PLAIN, SIZE, batch=2))
    assert middle.shape == (2, 32, 48, 3)


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        (ViewOptions(color=0, grey=1, blur=0, flip=0), lambda _, b: np.ptp(b, axis=3).max() <= 1),
        (ViewOptions(color=0, grey=0, blur=0, flip=1), lambda a, b: (a[:, :, ::-1] == b).all()),
        (
            ViewOptions(color=0, grey=0, blur=0, flip=0, solarise=1),
            lambda a, b: (np.where(a < 128, a, 255 - a) == b).all(),
        ),
    ],
    ids=["grey", "mirrored", "solarised"],
)
def test_each_change_does_what_it_is_called(options: ViewOptions, holds) -> None:
    torch.manual_seed(0)
    rgb = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)
    assert holds(rgb.numpy(), seen_otherwise(rgb, options).numpy())
