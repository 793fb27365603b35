"""`robot-vision evaluate` of an imported detector on a labelled set of the user's own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from onnx_models import save_model
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError

WIDTH_PX, HEIGHT_PX, SIDE_PX = 96, 64, 64
BOLT, NUT = (12, 8, 36, 40), (60, 24, 90, 56)  # x0, y0, x1, y1 in every picture


def write_set(root: Path, categories: Sequence[str], objects: dict[str, Any]) -> str:
    """Two pictures as Roboflow exports them to COCO's format: `val/_annotations.coco.json`."""
    part = root / "val"
    part.mkdir(parents=True)
    annotations = [
        {
            "id": 2 * image + row,
            "image_id": image,
            "category_id": categories.index(name),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": (x1 - x0) * (y1 - y0),
            "iscrowd": 0,
        }
        for image in range(2)
        for row, (name, (x0, y0, x1, y1)) in enumerate(objects.items())
    ]
    images = [
        {"id": n, "file_name": f"{n}.png", "width": WIDTH_PX, "height": HEIGHT_PX}
        for n in range(2)
    ]
    for number in range(2):
        picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 90 + number, np.uint8)
        assert cv2.imwrite(str(part / f"{number}.png"), picture)
    listed = [{"id": row, "name": name} for row, name in enumerate(categories)]
    content = {"images": images, "annotations": annotations, "categories": listed}
    (part / "_annotations.coco.json").write_text(json.dumps(content))
    return f"{root}@val"


def import_detector(
    folder: Path, names: Sequence[str], found: dict[str, Any], *options: str, pad_px: float = 0
) -> Path:
    """A YOLOv8 export that always finds these boxes, stretched or `pad_px` below the top edge."""
    scale = SIDE_PX / WIDTH_PX
    down = scale if pad_px else SIDE_PX / HEIGHT_PX
    out = np.zeros((1, 4 + len(names), 84), np.float32)
    for row, (name, (x0, y0, x1, y1)) in enumerate(found.items()):
        y0, y1 = y0 * down + pad_px, y1 * down + pad_px
        out[0, :4, row] = (x0 + x1) * scale / 2, (y0 + y1) / 2, (x1 - x0) * scale, y1 - y0
        out[0, 4 + names.index(name), row] = 0.9
    inputs = {"images": ((1, 3, SIDE_PX, SIDE_PX), np.float32)}
    file = save_model(folder / "net.onnx", inputs=inputs, constants={"output0": out})
    (folder / "names.txt").write_text("\n".join(names) + "\n")
    run("models", "import", str(file), "--format", "yolov8", "--no-trial", *options,
        "--classes", str(folder / "names.txt"), "--out", str(folder / "bundle"))  # fmt: skip
    return folder / "bundle"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "999"})
    if result.exception:
        raise result.exception
    return result.output


def evaluated(bundle: Path, data: str, out: Path) -> tuple[dict[str, float], str]:
    said = run("evaluate", str(bundle), "--data", data, "--out", str(out))
    return json.loads((out / "metrics.json").read_text()), said


LETTERBOXED = {"pad_px": (SIDE_PX - HEIGHT_PX * SIDE_PX / WIDTH_PX) / 2}


def test_classes_are_matched_by_name(tmp_path: Path) -> None:
    objects = {"bolt": BOLT, "nut": NUT}
    data = write_set(tmp_path / "set", ("parts", "bolt", "nut"), objects)  # no object of `parts`
    bundle = import_detector(tmp_path, ("nut", "bolt"), objects, **LETTERBOXED)
    metrics, said = evaluated(bundle, data, tmp_path / "out")
    assert metrics["AP"] == pytest.approx(1.0)
    assert metrics["AP/bolt"] == metrics["AP/nut"] == pytest.approx(1.0)
    assert "matched by name" in said
    assert not (tmp_path / "set" / "cache").exists()


def test_classes_that_the_set_does_not_label_do_not_count(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", ("bolt",), {"bolt": BOLT})
    found = {"bolt": BOLT, "nut": NUT}
    bundle = import_detector(tmp_path, ("nut", "bolt", "washer"), found, **LETTERBOXED)
    metrics, said = evaluated(bundle, data, tmp_path / "out")
    assert metrics["best_f1"] == metrics["AP"] == pytest.approx(1.0)
    assert "AP/nut" not in metrics
    assert "not counted: nut, washer" in said
    assert "of 2 objects 2 found and named" in said
    sheet = tmp_path / "sheet.jpg"
    run(
        "evaluate",
        str(bundle),
        "--data",
        data,
        "--out",
        str(tmp_path / "b"),
        "--sheet",
        str(sheet),
    )
    assert cv2.imread(str(sheet)) is not None


def test_objects_of_a_class_that_the_model_does_not_know_are_refused(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", ("bolt", "hex nut"), {"bolt": BOLT, "hex nut": NUT})
    bundle = import_detector(tmp_path, ("bolt", "nut"), {"bolt": BOLT}, **LETTERBOXED)
    with pytest.raises(ConfigError, match=r"does not know: hex nut; .*\(without .* here: nut\)"):
        evaluated(bundle, data, tmp_path / "out")


def test_pictures_are_resized_as_in_the_service(tmp_path: Path) -> None:
    objects = {"bolt": BOLT, "nut": NUT}
    data = write_set(tmp_path / "set", ("bolt", "nut"), objects)
    bundle = import_detector(tmp_path, ("bolt", "nut"), objects, "--input", "resize=stretch")
    metrics, _ = evaluated(bundle, data, tmp_path / "out")
    assert metrics["AP"] == pytest.approx(1.0)
