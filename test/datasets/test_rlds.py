"""Episodes in RLDS are read as they were written, and what is damaged is reported."""

import gzip
import json
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rlds_kit import (
    HEIGHT,
    STEPS,
    WIDTH,
    actions_of,
    depth_mm_of,
    described,
    episode,
    example,
    image,
    png,
    record,
    rgb_of,
    slow_crc32c,
    tensor,
    write_set,
    write_shard,
)

from robot_vision.core.parameters.limits_config import InputLimits
from robot_vision.datasets.episode_set import Reading
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.rlds.crc32c import crc32c
from robot_vision.datasets.rlds.episodes import DEFAULT_FPS, RldsSet


def whole(tmp_path: Path) -> Path:
    """Two splits, the first in two shards, five episodes of 2 to 6 steps."""
    splits = {
        "train": [[episode(0, 2), episode(1, 3)], [episode(2, 4)]],
        "test": [[episode(3, 5), episode(4, 6)]],
    }
    return write_set(tmp_path, splits, described())


def one(tmp_path: Path, features: object = None, **others: object) -> RldsSet:
    """A set of one episode of three steps, changed by `others`; without features.json if None."""
    content = {k.replace("__", "/"): v for k, v in others.items()}
    return RldsSet(write_set(tmp_path, {"train": [[episode(1, 3, **content)]]}, features))


def test_episodes_are_read_in_the_order_of_splits_and_shards(tmp_path: Path) -> None:
    episodes = RldsSet(whole(tmp_path))
    assert episodes.lengths == (2, 3, 4, 5, 6)
    assert [(c.name, c.has_depth) for c in episodes.cameras] == [
        ("image", True),
        ("wrist_image", False),
    ]
    assert [episodes.instruction(i) for i in range(5)] == [f"task {i}" for i in range(5)]
    actions = episodes.actions(3)
    assert actions is not None
    np.testing.assert_array_equal(actions.values, actions_of(3, 5))
    assert actions.names == ()


def test_frames_have_colour_depth_and_stamps(tmp_path: Path) -> None:
    episodes = RldsSet(whole(tmp_path), Reading(fps=5.0))
    frame = episodes.frame(2, 3, "image")
    np.testing.assert_array_equal(frame.rgb, rgb_of(2, 3))
    assert frame.depth_m is not None
    np.testing.assert_allclose(frame.depth_m[1:], depth_mm_of(3)[1:] / 1000, atol=1e-6)
    assert np.isnan(frame.depth_m[0, 0])
    assert (frame.stamp_ns, frame.depth_stamp_ns) == (600_000_000, 600_000_000)
    wrist = episodes.frame(2, 3, "wrist_image")
    np.testing.assert_array_equal(wrist.rgb, rgb_of(2, 3, 1))
    assert wrist.depth_m is None


def test_without_features_json_the_first_episode_shows_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "bare" / "some.tfrecord"
    write_shard(path, [episode(0, 2), episode(1, 3)])
    for episodes in (RldsSet(path), RldsSet(path.parent)):
        assert episodes.lengths == (2, 3)
        assert [(c.name, c.has_depth) for c in episodes.cameras] == [
            ("image", True),
            ("wrist_image", False),
        ]
        assert any("no features.json" in remark for remark in episodes.remarks)


def test_a_folder_of_one_version_is_that_version_and_of_several_is_refused(tmp_path: Path) -> None:
    folder = whole(tmp_path)
    assert RldsSet(folder.parent).lengths == (2, 3, 4, 5, 6)
    folder.with_name("1.1.0").mkdir()
    write_shard(folder.with_name("1.1.0") / "toy-train.tfrecord-00000-of-00001", [episode(0, 1)])
    with pytest.raises(DatasetError, match=r"several versions: 1\.0\.0, 1\.1\.0"):
        RldsSet(folder.parent)


@pytest.mark.parametrize(
    ("metadata", "option", "fps"),
    [({}, 0.0, DEFAULT_FPS), ({"fps": tensor("float32")}, 0.0, 7.5), ({}, 3.0, 3.0)],
    ids=["assumed", "metadata", "option"],
)
def test_the_rate_is_the_option_else_the_metadata_else_assumed_and_reported(
    metadata: dict, option: float, fps: float, tmp_path: Path
) -> None:
    content = episode(0, 2, **{"episode_metadata/fps": np.array([7.5], np.float32)})
    path = write_set(tmp_path, {"train": [[content]]}, described(metadata=metadata))
    episodes = RldsSet(path, Reading(fps=option))
    assert episodes.fps == fps
    assumed = [remark for remark in episodes.remarks if "steps per second are assumed" in remark]
    assert len(assumed) == (fps == DEFAULT_FPS)


def test_actions_of_a_dictionary_are_joined_by_name(tmp_path: Path) -> None:
    steps = {
        **{key: value for key, value in STEPS.items() if key != "action"},
        "action": {
            "featuresDict": {"features": {"turn": tensor("float32"), "move": tensor("float32", 2)}}
        },
    }
    content = episode(0, 2)
    del content["steps/action"]
    content["steps/action/turn"] = np.array([5, 6], np.float32)
    content["steps/action/move"] = np.array([1, 2, 3, 4], np.float32)
    path = write_set(tmp_path, {"train": [[content]]}, described(steps))
    actions = RldsSet(path).actions(0)
    assert actions is not None
    assert actions.names == ("move_0", "move_1", "turn")
    np.testing.assert_array_equal(actions.values, [[1, 2, 5], [3, 4, 6]])


def test_depth_as_floats_as_png_of_floats_and_as_packed_bytes(tmp_path: Path) -> None:
    depth_m = np.linspace(0.5, 2, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    steps = np.stack([depth_m, depth_m + 1, depth_m + 2])
    as_rgba = [
        np.ascontiguousarray(step).view(np.uint8).reshape(HEIGHT, WIDTH, 4) for step in steps
    ]
    kinds = {
        "floats": (tensor("float32", HEIGHT, WIDTH, 1), steps),
        "png": (
            image("float32", HEIGHT, WIDTH, 1),
            [cv2.imencode(".png", rgba[..., [2, 1, 0, 3]])[1].tobytes() for rgba in as_rgba],
        ),
        "bytes": (
            tensor("float32", HEIGHT, WIDTH, encoding="bytes"),
            [step.tobytes() for step in steps],
        ),
        "zlib": (
            tensor("float32", HEIGHT, WIDTH, encoding="zlib"),
            [zlib.compress(step.tobytes()) for step in steps],
        ),
    }
    for name, (about, values) in kinds.items():
        observation = {"image": image("uint8", HEIGHT, WIDTH, 3), "depth": about}
        features = described(observation=observation)
        episodes = one(tmp_path / name, features, steps__observation__depth=values)
        found_m = episodes.frame(0, 1, "image").depth_m
        assert found_m is not None, name
        np.testing.assert_array_equal(found_m, depth_m + 1, err_msg=name)


def test_depth_belongs_to_the_camera_of_its_name_or_to_none(tmp_path: Path) -> None:
    colour, depth = image("uint8", HEIGHT, WIDTH, 3), image("uint16", HEIGHT, WIDTH, 1)
    observation = {
        "image": colour,
        "hand_color_image": colour,
        "hand_depth_image": depth,
        "top_depth": depth,
        "depth_shown": colour,
    }
    path = write_set(tmp_path, {"train": [[episode(0, 2)]]}, described(observation=observation))
    episodes = RldsSet(path)
    assert [(c.name, c.has_depth) for c in episodes.cameras] == [
        ("hand_color_image", True),
        ("image", False),
    ]
    assert "top_depth: depth whose name matches no camera" in episodes.remarks
    assert "depth_shown: neither colour nor depth" in episodes.remarks


def test_a_flipped_byte_costs_its_episode_only(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    write_shard(path, [episode(0, 2), episode(1, 2), episode(2, 2)])
    data = bytearray(path.read_bytes())
    first_bytes = len(record(example(episode(0, 2))))
    data[first_bytes + len(record(example(episode(1, 2)))) // 2] ^= 1
    path.write_bytes(data)
    episodes = RldsSet(path)
    assert len(episodes.lengths) == 3
    with pytest.raises(DatasetError, match=rf"at byte {first_bytes + 12} is damaged: its CRC"):
        episodes.frame(1, 0, "image")
    np.testing.assert_array_equal(episodes.frame(2, 1, "image").rgb, rgb_of(2, 1))


@pytest.mark.parametrize("damage", ["length", "cut"])
def test_where_the_framing_is_lost_the_episodes_before_are_read(
    damage: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.tfrecord"
    write_shard(path, [episode(0, 2), episode(1, 2)])
    data = bytearray(path.read_bytes())
    first_bytes = len(record(example(episode(0, 2))))
    if damage == "length":
        data[first_bytes] ^= 1
    else:
        del data[-5:]
    path.write_bytes(data)
    episodes = RldsSet(path)
    assert episodes.lengths == (2,)
    assert any("the 1 records before it are read" in remark for remark in episodes.remarks)


def test_a_missing_shard_is_reported(tmp_path: Path) -> None:
    folder = whole(tmp_path)
    (folder / "toy-train.tfrecord-00000-of-00002").unlink()
    episodes = RldsSet(folder)
    assert episodes.lengths == (4, 5, 6)
    assert "1 of 2 files of train are missing" in episodes.remarks


@pytest.mark.parametrize(
    ("pack", "kind"), [(gzip.compress, "GZIP"), (zlib.compress, "ZLIB")], ids=["gzip", "zlib"]
)
def test_a_compressed_file_is_refused_by_name(pack: object, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    write_shard(path, [episode(0, 2)])
    path.write_bytes(pack(path.read_bytes()))  # pyright: ignore[reportCallIssue]
    with pytest.raises(DatasetError, match=rf"compressed as a whole \({kind}\).*unpack it first"):
        RldsSet(path)


def test_records_that_are_not_episodes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    write_shard(path, [{"image/encoded": [png(rgb_of(0, 0))]}])
    with pytest.raises(DatasetError, match=r"expected steps/…, found image/encoded"):
        RldsSet(path)
    path.write_bytes(record(b"no protocol buffers at all"))
    with pytest.raises(DatasetError, match=r"not a tf\.train\.Example"):
        RldsSet(path)


def test_another_format_of_tfds_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text(json.dumps(described()))
    (tmp_path / "dataset_info.json").write_text('{"fileFormat": "array_record"}')
    with pytest.raises(DatasetError, match="its format is 'array_record'"):
        RldsSet(tmp_path)


def test_pictures_and_numbers_that_are_not_one_a_step_are_refused(tmp_path: Path) -> None:
    episodes = one(
        tmp_path,
        described(),
        steps__observation__image=[png(rgb_of(0, 0))] * 2,
        steps__action=np.zeros(7, np.float32),
    )
    with pytest.raises(DatasetError, match="has 2 pictures in 3 steps"):
        episodes.frame(0, 0, "image")
    with pytest.raises(DatasetError, match="has 7 numbers in 3 steps"):
        episodes.actions(0)


def test_pictures_beyond_the_limits_are_refused(tmp_path: Path) -> None:
    path = write_set(tmp_path, {"train": [[episode(0, 2)]]}, described())
    episodes = RldsSet(path, Reading(limits=InputLimits(image_mpx=0.001)))
    with pytest.raises(DatasetError, match=r"episode 0, step 1, image: .*limits.image_mpx"):
        episodes.frame(0, 1, "image")


def test_names_and_numbers_that_are_not_there_give_the_choices(tmp_path: Path) -> None:
    episodes = RldsSet(whole(tmp_path))
    with pytest.raises(DatasetError, match=r"no camera 'front'.*it has: image, wrist_image"):
        episodes.frame(0, 0, "front")
    with pytest.raises(DatasetError, match="no episode 5: toy has 0 to 4"):
        episodes.instruction(5)
    with pytest.raises(DatasetError, match="has 2 steps, and no 2"):
        episodes.frame(0, 2, "image")


@given(st.binary(max_size=1500), st.integers(0, 1500))
def test_the_crc_is_that_of_its_definition_in_any_pieces(data: bytes, cut: int) -> None:
    assert crc32c(data[cut:], crc32c(data[:cut])) == slow_crc32c(data)


def test_the_crc_of_the_known_text() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@given(data=st.data())
def test_no_damage_does_worse_than_an_error_in_words(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bytes of the example are changed at random, with a CRC that fits them."""
    content = bytearray(example({"steps/is_first": np.array([1, 0]), "steps/a": [b"x", b"yy"]}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.tfrecord"
    path.write_bytes(record(bytes(content)))
    try:
        episodes = RldsSet(path)
        episodes.actions(0)
        episodes.instruction(0)
    except DatasetError:
        pass
