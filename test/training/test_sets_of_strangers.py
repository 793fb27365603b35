"""COCO sets and episodes of strangers: no file beside theirs is read, faults are named."""

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.rollouts import episode_files as samples
from robot_vision.rollouts.collecting.vocabulary import robot_vocabulary
from robot_vision.rollouts.episode_files import load_set
from robot_vision.training.data.labels.masks import decode_segmentation
from robot_vision.training.data.opening.preview import contact_sheet
from robot_vision.training.data.sets.coco import load_coco_set


@pytest.fixture
def theirs(shapes_set: Path, tmp_path: Path) -> Path:
    """A copy beside a picture of the person at the machine."""
    shutil.copy(shapes_set / "rgb/000000.png", tmp_path / "private.png")
    return shutil.copytree(shapes_set, tmp_path / "set")


def change(root: Path, part: str, **changes: Any) -> None:
    content = json.loads((root / "annotations.json").read_text())
    content[part][0] |= changes
    (root / "annotations.json").write_text(json.dumps(content))


@pytest.mark.parametrize("key", ["file_name", "depth_file", "depth_true_file"])
@pytest.mark.parametrize("name", ["../private.png", "rgb/../../private.png", "{root}/private.png"])
def test_an_image_beside_the_set_is_not_read(theirs: Path, key: str, name: str) -> None:
    change(theirs, "images", **{key: name.replace("{root}", str(theirs.parent))})
    with pytest.raises(ConfigError, match="not a file below"):
        load_coco_set(theirs)
    with pytest.raises(RobotVisionError, match="not a file below"):
        contact_sheet(theirs, first=0, frames=1)


def test_a_link_out_of_the_set_is_not_followed(theirs: Path) -> None:
    (theirs / "rgb/000000.png").unlink()
    (theirs / "rgb/000000.png").symlink_to(theirs.parent / "private.png")
    with pytest.raises(ConfigError, match="not a file below"):
        load_coco_set(theirs)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("images", {"width": -1}),
        ("images", {"width": 10**9}),
        ("images", {"height": float("inf")}),
        ("images", {"file_name": 3}),
        ("images", {"file_name": "a\0b"}),
        ("annotations", {"bbox": [0, 0, float("nan"), 1]}),
        ("annotations", {"bbox": "x"}),
        ("annotations", {"category_id": [1]}),
        ("categories", {"name": None}),
        ("categories", {"name": "x" * 1000}),
        ("categories", {"id": "x"}),
    ],
)
def test_what_annotations_cannot_mean_is_named(
    theirs: Path, part: str, changes: dict[str, Any]
) -> None:
    change(theirs, part, **changes)
    with pytest.raises(ConfigError, match=r"annotations\.json"):
        load_coco_set(theirs)


@pytest.mark.parametrize(
    "segmentation",
    [
        [[0, 0, 1e9, 0, 1e9, 1e9]],
        [[0, 0, float("nan"), 0, 5, 5]],
        [[1]],
        [None],
        {"size": [20000, 20000], "counts": [400_000_000]},
        {"size": [8, 8], "counts": [1, -1, 64]},
        {"size": [8, 8], "counts": [10**12]},
        {"size": [8, 8], "counts": "oooooooooo"},
        {"size": [8, 8]},
        {"counts": "a"},
        {"size": [9, 9], "counts": "a"},
    ],
)
def test_a_mask_that_pycocotools_would_not_survive_is_refused(segmentation: Any) -> None:
    with pytest.raises(ConfigError):
        decode_segmentation(segmentation, (8, 8))


def test_names_are_kept_as_they_can_be_printed(theirs: Path) -> None:
    change(theirs, "categories", name="cup\x1b[2J\ud800[red]")
    assert load_coco_set(theirs).class_names[0] == "cup\\x1b[2J\\ud800[red]"


def packed(**arrays: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", packed(robot=np.zeros(3)), packed(texts_json=np.array([{}], object))],
    ids=["empty", "cut", "others", "pickle"],
)
def test_an_episode_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.npz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"0\.npz is not an episode"):
        load_set([str(tmp_path)], robot_vocabulary())


def test_an_episode_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "MOST_EPISODE_BYTES", 2**27)
    with (
        zipfile.ZipFile(tmp_path / "0.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("robot.npy", "w", force_zip64=True) as part,
    ):
        for _ in range(3):
            part.write(bytes(2**26))
    with pytest.raises(ConfigError, match="unpacks to"):
        load_set([str(tmp_path)], robot_vocabulary())
