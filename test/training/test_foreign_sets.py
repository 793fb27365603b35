"""Sets of others: sizes, masks and intrinsics that cannot be are refused when the set is read."""

import json
from pathlib import Path
from typing import Any

import pytest

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.labels.masks import decode_segmentation
from robot_vision.training.data.sets.coco import load_coco_set


def write(folder: Path, **changes: Any) -> Path:
    image = {"id": 1, "width": 64, "height": 48, "file_name": "1.jpg", **changes}
    (folder / "rgb").mkdir()
    (folder / "rgb" / "1.jpg").write_bytes(b"")
    content = {"images": [image], "annotations": [], "categories": [{"id": 1, "name": "cube"}]}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"intrinsics_px": [1e300, 1e300, 32, 24]}, "field of view"),
        ({"intrinsics_px": [-50, -50, 32, 24]}, "positive focal lengths"),
        ({"width": 10**6, "height": 10**6}, "sides from 1 to"),
        ({"width": 30_000, "height": 30_000}, "at most 20 megapixels"),
    ],
)
def test_an_image_that_cannot_be_is_named(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        load_coco_set(write(tmp_path, **changes))


def test_a_mask_of_another_size_than_its_image_is_not_unpacked() -> None:
    with pytest.raises(ConfigError, match="its image"):
        decode_segmentation({"size": [10**6, 10**6], "counts": "0"}, (48, 64))
