"""An index: what goes in, what is found, what is refused; and what is said of two pictures."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from lerobot_kit import Layout, write_lerobot
from looking_bundle import looking_bundle
from recorded_colors import write_colors
from rosbags.rosbag2 import StoragePlugin
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Features
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.discovery import Topics
from robot_vision.replay.reading.episodes.options import EpisodeOptions
from robot_vision.similar import build
from robot_vision.similar.ask import neighbours
from robot_vision.similar.build import Added, add_source, altered_copy, index_for
from robot_vision.similar.embedder import Embedder, EmbedderOptions, embedder_of, mean_of
from robot_vision.similar.searching.duplicates import duplicate_groups, duplicate_threshold
from robot_vision.similar.searching.graph import build_graph, nearest_by_graph
from robot_vision.similar.searching.novelty import usual_distances
from robot_vision.similar.searching.regions import match_regions
from robot_vision.similar.searching.search import Apart, Places, nearest
from robot_vision.similar.searching.yardstick import nearest_by
from robot_vision.similar.store import Index, SimilarError, open_index

ROOM, YARD = (200, 60, 40), (40, 160, 220)


def picture(seed: int, tint: tuple[int, int, int] = ROOM) -> np.ndarray:
    """Blots of light of one tint: pictures of one tint are more alike than of two."""
    rng = np.random.default_rng(seed)
    blots = cv2.resize(rng.integers(0, 90, (6, 8, 3), np.uint8), (128, 96))
    return np.clip(blots.astype(int) + np.array(tint) - 45, 0, 255).astype(np.uint8)


def write_pictures(folder: Path, seeds: range, tint: tuple[int, int, int] = ROOM) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        cv2.imwrite(str(folder / f"{seed:03d}.png"), picture(seed, tint)[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return looking_bundle(tmp_path_factory.mktemp("bundles") / "looks")


@pytest.fixture(scope="module")
def embedder(bundle: Path) -> Embedder:
    return Embedder(str(bundle))


def add(index: Index, embedder: Embedder, path: Path, camera: str = "") -> Added:
    options = BagOptions(episodes=EpisodeOptions(camera=camera))
    return add_source(index, embedder, path, config=ServiceConfig(), options=options)


@pytest.fixture
def rooms(embedder: Embedder, tmp_path: Path) -> Index:
    """An index of 80 pictures of one tint."""
    index = index_for(tmp_path / "rooms", embedder)
    add(index, embedder, write_pictures(tmp_path / "pictures", range(80)))
    return index


def test_a_picture_of_the_index_is_found_with_its_file(rooms: Index, embedder: Embedder) -> None:
    found = neighbours(rooms, embedder.look(picture(7)), count=3)
    assert found[0].name == "007.png"
    assert found[0].similarity == pytest.approx(1, abs=1e-5)
    assert found[0].source.endswith("/pictures")
    assert found[1].similarity < 0.999
    assert cv2.imdecode(np.frombuffer(rooms.thumbnail(7), np.uint8), 1).shape == (96, 128, 3)


def test_what_is_new_is_added_and_the_rest_is_not_read_again(
    rooms: Index, embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_pictures(tmp_path / "pictures", range(80, 83))
    assert (added := add(rooms, embedder, source)).new == 3
    assert added.known == 80
    monkeypatch.setattr(build, "open_pictures", None)  # an unchanged source is not opened
    assert add(rooms, embedder, source) == Added(path=source, new=0, known=83, problems={})


def test_an_index_that_was_cut_off_goes_on(
    embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_pictures(tmp_path / "pictures", range(90))
    whole = index_for(tmp_path / "whole", embedder)
    add(whole, embedder, source)
    cut = index_for(tmp_path / "cut", embedder)
    asked = []

    def features(rgb: np.ndarray) -> Features:
        asked.append(rgb)
        if len(asked) == 80:  # after the first 64 were written
            raise KeyboardInterrupt
        return type(embedder).features(embedder, rgb)

    monkeypatch.setattr(embedder, "features", features)
    with pytest.raises(KeyboardInterrupt):
        add(cut, embedder, source)
    monkeypatch.undo()
    with (cut.folder / "vectors.f32").open("ab") as file:
        file.write(b"half a vector")  # as a kill within a write leaves it
    again = index_for(cut.folder, embedder)
    assert len(again) == 64
    assert add(again, embedder, source).new == 26
    for name in ("vectors.f32", "rows.bin", "pictures.bin"):
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_two_processes_may_add_to_an_index_one_after_the_other(
    embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have opened it before either adds."""
    rooms = write_pictures(tmp_path / "rooms", range(3))
    yards = write_pictures(tmp_path / "yards", range(3), YARD)
    one, other = (index_for(tmp_path / "index", embedder) for _ in range(2))
    refused = list[str]()

    def features(rgb: np.ndarray) -> Features:
        with pytest.raises(SimilarError, match="another process is adding") as error:
            add(other, embedder, yards)
        refused.append(str(error.value))
        monkeypatch.undo()
        return embedder.features(rgb)

    monkeypatch.setattr(embedder, "features", features)
    assert add(one, embedder, rooms).new == 3
    assert len(refused) == 1
    assert add(other, embedder, yards).new == 3
    assert add(one, embedder, rooms).known == 3
    whole = open_index(one.folder)
    found = [neighbours(whole, embedder.look(picture(1, t)), count=1)[0] for t in (ROOM, YARD)]
    assert [Path(near.source).name for near in found] == ["rooms", "yards"]


def test_a_damaged_picture_is_counted_and_left_out(embedder: Embedder, tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "pictures", range(3))
    (source / "001.png").write_bytes(b"no picture")
    index = index_for(tmp_path / "index", embedder)
    added = add(index, embedder, source)
    assert (added.new, added.problems) == (2, {"picture not decoded": 1})
    assert [index.name(row) for row in range(2)] == ["000.png", "002.png"]


def test_an_index_of_another_model_is_refused(rooms: Index, tmp_path: Path) -> None:
    other = looking_bundle(tmp_path / "others", middle=0.4)
    with pytest.raises(SimilarError, match=r"of looks@1 .* the model is others@1"):
        embedder_of(rooms.model, bundle=str(other), options=EmbedderOptions())
    with pytest.raises(SimilarError, match="cannot be compared"):
        index_for(rooms.folder, Embedder(str(other)))


def test_a_shortened_index_is_refused(rooms: Index) -> None:
    os.truncate(rooms.folder / "vectors.f32", 100)
    with pytest.raises(SimilarError, match="damaged"):
        open_index(rooms.folder)
    with pytest.raises(SimilarError, match="is not an index"):
        open_index(rooms.folder.parent)


def test_episodes_of_a_dataset_have_their_step_as_name(embedder: Embedder, tmp_path: Path) -> None:
    write_lerobot(tmp_path / "set", Layout())
    index = index_for(tmp_path / "index", embedder)
    assert add(index, embedder, tmp_path / "set").new == 7
    assert index.name(4).startswith("episode_1/")
    assert index.name(4).endswith(", step 1")


def test_another_topic_of_a_recording_is_indexed_too(embedder: Embedder, tmp_path: Path) -> None:
    """Cameras that trigger together: their frames have the same stamps."""
    topics = {"/front/image_raw": (10, 40, 70), "/wrist/image_raw": (110, 140, 170)}
    bag = write_colors(tmp_path / "bag", topics, StoragePlugin.MCAP)
    index = index_for(tmp_path / "index", embedder)

    def added(topic: str) -> Added:
        options = BagOptions(topics=Topics(rgb=topic))
        return add_source(index, embedder, bag, config=ServiceConfig(), options=options)

    for topic in topics:
        assert (added(topic).new, added(topic).known) == (3, 3)
    assert not any(added(topic).problems for topic in topics)
    assert index.name(1) == index.name(4)
    assert index.rows["source"].tolist() == [0, 0, 0, 1, 1, 1]
    assert [source.view for source in index.sources] == list(topics)


def test_blocks_find_what_a_plain_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(300, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    monkeypatch.setattr("robot_vision.similar.searching.search.BLOCK", 64)
    cosine, rows = nearest(vectors, vectors[:5], count=7)
    plain = vectors[:5] @ vectors.T
    assert (rows == np.argsort(-plain, axis=1)[:, :7]).all()
    assert np.allclose(cosine, -np.sort(-plain, axis=1)[:, :7], atol=1e-6)


def test_neighbours_in_time_do_not_count() -> None:
    vectors = np.eye(4, dtype=np.float32)
    stamps = np.array([0, 1, 10, 10], np.int64)
    sources = np.array([0, 0, 0, 1], np.int64)
    places = Places(source=sources, stamp_ns=stamps)
    cosine, rows = nearest(
        vectors, vectors, count=4, apart=Apart(queries=places, rows=places, apart_ns=2)
    )
    assert [sorted(r[c > -np.inf].tolist()) for c, r in zip(cosine, rows, strict=True)] == [
        [2, 3], [2, 3], [0, 1, 3], [0, 1, 2],
    ]  # fmt: skip


def test_planted_copies_are_found_and_others_are_not(rooms: Index, embedder: Embedder) -> None:
    threshold = duplicate_threshold(rooms)
    assert 0.9 < threshold < 1
    originals = [picture(seed) for seed in range(0, 80, 4)]
    copies = np.stack([embedder.look(altered_copy(rgb)) for rgb in originals])
    groups = duplicate_groups(np.concatenate([rooms.vectors, copies]), threshold=threshold)
    paired = {(group.kept, int(other)) for group in groups for other in group.others}
    planted = {(4 * n, 80 + n) for n in range(20)}
    assert len(planted & paired) >= 15  # the threshold is of ten copies
    assert paired <= planted


def test_a_slow_pan_is_not_a_single_group() -> None:
    turn = np.linspace(0, np.pi / 2, 50)
    pan = np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)
    groups = duplicate_groups(pan, threshold=float(np.cos(0.2)))
    assert 4 <= len(groups) <= 8
    assert all(group.similarity.min() >= np.cos(0.2) - 1e-6 for group in groups)


def test_a_threshold_of_1_finds_exact_copies() -> None:
    rows = np.random.default_rng(0).standard_normal((200, 192)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    groups = duplicate_groups(np.concatenate([rows, rows]), threshold=1.0)
    assert {(group.kept, *group.others.tolist()) for group in groups} == {
        (row, 200 + row) for row in range(200)
    }


def test_too_few_pictures_choose_no_threshold(embedder: Embedder, tmp_path: Path) -> None:
    index = index_for(tmp_path / "index", embedder)
    add(index, embedder, write_pictures(tmp_path / "pictures", range(10)))
    with pytest.raises(SimilarError, match="--threshold"):
        duplicate_threshold(index)
    with pytest.raises(SimilarError, match="--neighbours"):
        usual_distances(index, neighbours=5, apart_s=100)


def test_what_differs_where_the_index_hardly_does_is_new(
    embedder: Embedder, tmp_path: Path
) -> None:
    """Tables are of every red, and of one blue: another blue is nearer to them than they are to
    each other, and yet like none of them."""
    reds = [(int(red), 60, 60) for red in np.linspace(50, 205, 60)]
    known = tmp_path / "known"
    for number, tint in enumerate(reds):
        write_pictures(known, range(number, number + 1), tint)
    index = index_for(tmp_path / "index", embedder)
    add(index, embedder, known)
    usual = usual_distances(index, apart_s=0)
    means = [
        mean_of(embedder.features(picture(900 + n, tint))) for n, tint in enumerate(reds[::6])
    ]
    others = [mean_of(embedder.features(picture(950 + n, (120, 60, 85)))) for n in range(10)]
    by_color = np.linalg.norm(np.stack(others)[:, None] - index.means(slice(None))[None], axis=2)
    own = index.means(slice(None))
    assert np.median(by_color.min(axis=1)) < np.median(np.linalg.norm(own[:, None] - own, axis=2))
    for seen, is_new in ((means, False), (others, True)):
        distance, _ = nearest_by(usual.yardstick, index, np.stack(seen), count=5)
        assert (np.mean(usual.share(distance[:, 4]) >= 0.99) > 0.5) == is_new


def test_an_index_of_before_is_refused(rooms: Index) -> None:
    head = rooms.folder / "index.json"
    head.write_text(head.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(SimilarError, match="of format 1; expected 2: make it anew"):
        open_index(rooms.folder)


def test_regions_of_a_moved_picture_are_found_where_they_went(embedder: Embedder) -> None:
    rgb = picture(3)
    moved = np.roll(rgb, 32, axis=1)
    features = [embedder.features(each) for each in (rgb, moved)]
    matches = match_regions(*features, sizes_px=((128, 96), (128, 96)), count=20)
    way_px = (matches.second_px - matches.first_px) % [128, 96]
    assert len(matches.similarity) == 20
    assert np.abs(way_px - [32, 0]).max() <= 16
    assert np.mean(np.abs(way_px - [32, 0]).max(axis=1) == 0) > 0.9


def test_the_graph_finds_the_same_or_says_what_is_missing(rooms: Index) -> None:
    try:
        import voyager  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependencyError, match=r"robot_vision\[similar\]"):
            build_graph(rooms)
        return
    assert build_graph(rooms) == 80
    assert build_graph(rooms) == 0
    exact = nearest(rooms.vectors, rooms.vectors[:9], count=5)
    found = nearest_by_graph(rooms, np.array(rooms.vectors[:9]), count=5)
    assert (exact[1] == found[1]).mean() > 0.9
    assert np.allclose(exact[0][:, 0], found[0][:, 0], atol=1e-5)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["similar", *words], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def test_the_commands(bundle: Path, tmp_path: Path) -> None:
    index, room = str(tmp_path / "index"), write_pictures(tmp_path / "room", range(80))
    of_model = ("--out", index, "--model", str(bundle))
    assert "80 new, 0 already there" in run("index", str(room), *of_model)
    assert "0 new, 80 already there" in run("index", str(room), *of_model)

    sheet = tmp_path / "sheet.jpg"
    found = run("query", index, str(room / "005.png"), "--count", "2", "--sheet", str(sheet))
    assert "1.0000" in found
    assert cv2.imread(str(sheet)).shape[1] == 3 * 164

    copies = tmp_path / "copies"
    copies.mkdir()
    for seed in range(5):
        cv2.imwrite(str(copies / f"{seed}.jpg"), altered_copy(picture(seed))[..., ::-1])
    run("index", str(copies), *of_model)
    listed = tmp_path / "groups.csv"
    out = run("duplicates", index, "--out", str(listed), "--sheet", str(sheet))
    assert "groups at a cosine of" in out
    assert f"{copies},0.jpg" in listed.read_text()

    yard = write_pictures(tmp_path / "yard", range(3), YARD)
    table = tmp_path / "novel.csv"
    words = ("--apart", "0.01", "--out", str(table), "--sheet", str(sheet))
    assert "3 of 3 pictures" in run("novel", index, str(yard), *words)
    assert "0 of 5 pictures" in run("novel", index, str(copies), *words)

    one, other = str(room / "001.png"), str(room / "002.png")
    out = run("regions", one, other, "--model", str(bundle), "--sheet", str(sheet))
    assert "pairs of cells" in out
    assert cv2.imread(str(sheet)).shape == (480, 1280, 3)


def test_pictures_that_changed_or_are_gone_are_counted(rooms: Index, embedder: Embedder) -> None:
    source = Path(rooms.sources[0].path)
    assert add(rooms, embedder, write_pictures(source, range(80, 81))).problems == {}
    (source / "003.png").write_bytes((source / "004.png").read_bytes())
    (source / "005.png").unlink()
    added = add(rooms, embedder, source)
    ((kind, count),) = added.problems.items()
    assert "changed or gone" in kind
    assert (count, added.new, added.known) == (2, 0, 81)


def test_a_source_that_is_not_there_is_not_put_into_the_index(
    rooms: Index, embedder: Embedder, tmp_path: Path
) -> None:
    with pytest.raises(SimilarError, match=r"nothing does not exist; expected a folder"):
        add(rooms, embedder, tmp_path / "nothing")
    assert len(open_index(rooms.folder).sources) == 1


def test_an_empty_index_has_no_answer(embedder: Embedder, tmp_path: Path) -> None:
    empty = index_for(tmp_path / "empty", embedder)
    with pytest.raises(SimilarError, match="no picture yet"):
        neighbours(empty, embedder.look(picture(1)), count=3)


def test_rows_of_a_source_that_the_index_lacks_are_damage(rooms: Index) -> None:
    rooms.sources.clear()
    rooms.save()
    with pytest.raises(SimilarError, match="lacks sources"):
        open_index(rooms.folder)


def test_novel_counts_damaged_pictures(rooms: Index, tmp_path: Path) -> None:
    seen = write_pictures(tmp_path / "seen", range(2), YARD)
    (seen / "001.png").write_bytes(b"no picture")
    out = tmp_path / "new" / "novel.csv"
    asked = ["similar", "novel", str(rooms.folder), str(seen), "--apart", "0", "--out", str(out)]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert "picture not decoded ×1: 001.png" in result.output
    assert len(out.read_text().splitlines()) == 2


def test_strips_fit_on_the_sheet_of_regions(bundle: Path, tmp_path: Path) -> None:
    files = [tmp_path / "wide.png", tmp_path / "tall.png"]
    for file, shape in zip(files, ((2, 500, 3), (500, 1, 3)), strict=True):
        cv2.imwrite(str(file), np.zeros(shape, np.uint8))
    asked = ["similar", "regions", *map(str, files), "--model", str(bundle)]
    result = CliRunner().invoke(app, [*asked, "--sheet", str(tmp_path / "regions.jpg")])
    assert result.exit_code == 0, result.output
    assert cv2.imread(str(tmp_path / "regions.jpg")).shape == (480, 4 * 480 + 480 // 4, 3)
