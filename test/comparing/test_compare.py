"""`models compare`: the same pictures for all, paired differences, time, where they disagree."""

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from picture_models import CLASSES, HEIGHT, WIDTH, color_classifier, color_segmenter
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.comparing.compare import compare, disagreements
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.model_store.store import find_bundle, write_bundle
from robot_vision.replay.reading.example_frames import SHIPPED, load_frames

PICTURES = 24
INKS = {"cyan": (20, 230, 230), "magenta": (230, 20, 230), "yellow": (230, 230, 20)}


@pytest.fixture(scope="module")
def inks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures a class."""
    root = tmp_path_factory.mktemp("inks") / "set"
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for number in range(PICTURES // 3):
            noise = rng.integers(-15, 15, (HEIGHT, WIDTH, 3))
            rgb = np.clip(np.array(INKS[name]) + noise, 0, 250).astype(np.uint8)
            cv2.imwrite(str(root / name / f"{number}.png"), rgb[..., ::-1])
    return root


def seen_wrongly(source: str | Path, folder: Path, **more: Any) -> Path:
    """The same model, fed its colours in the wrong order."""
    bundle = find_bundle(source)
    fed = bundle.manifest.input.model_copy(update={"color": "bgr"})
    changes = {"name": folder.name, "input": fed, "architecture": "", **more}
    manifest = bundle.manifest.model_copy(update=changes)
    return write_bundle(folder, manifest, bundle.model_path).path


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("bundles")
    good = color_classifier(root / "good")
    return good, seen_wrongly(good, root / "swapped")


def run(*arguments: object) -> Any:
    command = ["models", "compare", *map(str, arguments), "--rounds", "1", "--threads", "1"]
    return CliRunner().invoke(app, command)


def test_a_worse_classifier_is_distinguished(
    classifiers: tuple[Path, Path], inks: Path, tmp_path: Path
) -> None:
    good, swapped = classifiers
    result = run(good, swapped, "--data", inks, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "comparison.json").read_text())
    first, second = found["rows"]
    assert first["figures"]["top1"]["value"] == 1.0
    assert second["figures"]["top1"]["value"] == pytest.approx(1 / 3)  # magenta stays magenta
    difference = second["difference"]["top1"]
    assert difference["value"] == pytest.approx(-2 / 3)
    assert difference["low"] < -2 / 3 < difference["high"] < 0
    assert 0 < first["p50_ms"] <= first["p95_ms"]
    html = (tmp_path / "report.html").read_text()
    assert 'class="n worse"' in html
    assert html.count("They disagree on") == 12
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []


def test_a_model_and_its_twin_are_not_distinguished(
    classifiers: tuple[Path, Path], inks: Path, tmp_path: Path
) -> None:
    good = find_bundle(classifiers[0])
    manifest = good.manifest.model_copy(update={"name": "twin"})
    twin = write_bundle(tmp_path / "twin", manifest, good.model_path)
    options: Any = {"images": 9, "cache": tmp_path, "threads": 1, "rounds": 1}
    one, other = compare([good, twin], inks, **options)
    assert len(one.side.names) == 9
    assert other.verdict("top1") == "no clear difference"
    assert vars(other.difference["top1"]) == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert disagreements([one, other], 5) == []


def test_differences_are_paired(classifiers: tuple[Path, Path], inks: Path) -> None:
    """The interval of the difference is that of the pictures' own differences."""
    bundles = [find_bundle(folder) for folder in classifiers]
    options: Any = {"images": 0, "cache": Path("unused"), "threads": 1, "rounds": 1}
    one, other = compare(bundles, inks, **options)
    rounds = other.side.resampled["top1"] - one.side.resampled["top1"]
    low, high = np.percentile(rounds, (2.5, 97.5))
    interval = other.difference["top1"]
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert disagreements([one, other], 100)[:1] != []


def test_detectors_on_the_shipped_recording(tmp_path: Path) -> None:
    write_tabletop_set(tmp_path / "set", frames=6)
    swapped = seen_wrongly("native-s", tmp_path / "swapped", score_threshold=0.95)
    result = run("native-s", swapped, "--data", tmp_path / "set", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    first, second = json.loads((tmp_path / "out/comparison.json").read_text())["rows"]
    assert first["figures"]["AP50"]["value"] > 0.5
    assert second["difference"]["AP"]["value"] != 0, second["difference"]
    assert "They disagree on" in (tmp_path / "out/report.html").read_text()
    assert not (tmp_path / "set/cache").exists()  # the user's set is left as it is


def write_tabletop_set(root: Path, *, frames: int) -> None:
    """Frames of the recording that the package ships, with its ground truth, as COCO."""
    truth = json.loads((SHIPPED / "ground_truth.json").read_text())
    truths = {frame["stamp_ns"]: frame for frame in truth["frames"]}
    names = find_bundle("native-s").manifest.classes
    (root / "rgb").mkdir(parents=True)
    images: list[Any] = []
    annotations: list[Any] = []
    for number, frame in enumerate(load_frames(None, count=frames, width_px=424, height_px=320)):
        name = f"rgb/{number:06d}.png"
        cv2.imwrite(str(root / name), frame.rgb[..., ::-1])
        images.append({"id": number + 1, "file_name": name, "width": 424, "height": 320})
        for seen in truths[frame.stamp_ns]["objects"]:
            left, top, right, bottom = seen["box_xyxy_px"]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number + 1,
                    "category_id": names.index(seen["class"]) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": int(seen["visible_share"] < 0.15),
                }
            )
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
    }
    (root / "annotations.json").write_text(json.dumps(content))


def test_what_cannot_be_compared_is_refused(
    classifiers: tuple[Path, Path], inks: Path, tmp_path: Path
) -> None:
    good = find_bundle(classifiers[0])
    segmenter = find_bundle(color_segmenter(tmp_path / "parts"))
    options: Any = {"images": 3, "cache": tmp_path, "threads": 1, "rounds": 1}
    with pytest.raises(BundleError, match="bundles of different tasks"):
        compare([good, segmenter], inks, **options)
    with pytest.raises(ConfigError, match="expected two or more bundles"):
        compare([good, good], inks, **options)
    other = find_bundle(color_classifier(tmp_path / "other", classes=("a", "b", "c")))
    with pytest.raises(ConfigError, match="cyan"):
        compare([other, good], inks, **options)
    result = run("native-s", "policy-s", "--data", inks)
    assert result.exit_code != 0


def test_one_picture_decides_nothing(classifiers: tuple[Path, Path], inks: Path) -> None:
    bundles = [find_bundle(folder) for folder in classifiers]
    options: Any = {"images": 1, "cache": Path("unused"), "threads": 1, "rounds": 1}
    one, other = compare(bundles, inks, **options)
    assert one.side.pictures == 1
    assert np.isnan(one.figures["top1"].low)
    assert np.isnan(other.difference["top1"].low)
    assert other.verdict("top1") in ("not known from one picture", "no clear difference")


def test_two_versions_of_a_name_are_compared(
    classifiers: tuple[Path, Path], inks: Path, tmp_path: Path
) -> None:
    good = classifiers[0]
    again = seen_wrongly(good, tmp_path / "again", name=find_bundle(good).manifest.name)
    result = run(good, again, "--data", inks, "--images", 3, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "out/comparison.json").read_text())["rows"]
    assert [row["name"] for row in rows] == [str(good), str(again)]
