"""Bundles: found by name or path, verified, and errors that say what to do."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from onnx_models import make_bundle, save_model

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.bundle_files import sha256_of
from robot_vision.model_store.import_onnx import describe_onnx
from robot_vision.model_store.store import (
    SEARCH_PATH_VARIABLE,
    Bundle,
    find_bundle,
    list_bundles,
    write_bundle,
)

DETECTOR = {
    "task": "detection",
    "format": "yolov8",
    "input": {"name": "images", "width_px": 32, "height_px": 32},
    "classes": ["cup", "Tür"],
}
OUTPUT = {"output0": np.zeros((1, 6, 5), np.float32)}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the search path with one bundle, `small`."""
    monkeypatch.setenv(SEARCH_PATH_VARIABLE, f"{tmp_path / 'nowhere'}:{tmp_path / 'store'}")
    make_bundle(tmp_path / "store" / "small", manifest=DETECTOR, constants=OUTPUT)
    return tmp_path / "store"


def test_a_bundle_is_found_by_name_and_by_path_and_reads_as_written(store: Path) -> None:
    by_name, by_path = find_bundle("small"), find_bundle(store / "small")
    assert by_name == by_path
    assert by_name.manifest.classes == ("cup", "Tür")
    assert by_name.manifest.sha256 == sha256_of(by_name.model_path)
    assert "small" in [bundle.manifest.name for bundle in list_bundles()]


def test_an_unknown_name_lists_what_there_is_and_the_nearest(store: Path) -> None:
    assert store
    with pytest.raises(BundleError, match=r"'smal'.*available: .*small.*did you mean 'small'"):
        find_bundle("smal")


def test_an_onnx_file_is_no_bundle_until_it_is_imported(tmp_path: Path) -> None:
    file = tmp_path / "best.onnx"
    file.write_bytes(b"")
    with pytest.raises(BundleError, match=r"is a file; expected .*models import .*best.onnx"):
        find_bundle(str(file))


def test_a_damaged_model_names_both_hashes(store: Path) -> None:
    bundle = find_bundle(store / "small")
    data = bytearray(bundle.model_path.read_bytes())
    data[-1] ^= 1
    bundle.model_path.write_bytes(data)
    found, expected = sha256_of(bundle.model_path), bundle.manifest.sha256
    with pytest.raises(BundleError, match=f"sha256 is {found}, model.yaml says {expected}"):
        find_bundle("small")


def test_a_missing_model_lists_what_the_folder_has(store: Path) -> None:
    (store / "small" / "model.onnx").rename(store / "small" / "other.onnx")
    with pytest.raises(BundleError, match=r"model\.onnx is missing.*model\.yaml, other\.onnx"):
        find_bundle("small")


def test_a_folder_without_a_manifest_is_not_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no model\.yaml"):
        find_bundle(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "yolov9"}, r"model\.yaml: unknown format 'yolov9'.*did you mean 'yolov8'"),
        ({"format": "../yolox"}, r"format = '\.\./yolox'"),
        ({"task": "cooking"}, r"unknown task 'cooking'; available: .*detection"),
        ({"task": "depth"}, r"task 'depth' has the formats depth_metric, depth_relative"),
        ({"classes": []}, r"needs the names of its classes"),
        ({"file": "../../etc/passwd"}, r"file = '\.\./\.\./etc/passwd'"),
        ({"input": {"name": "x", "width_px": 0, "height_px": 8}}, r"input\.width_px = 0"),
        ({"colour": "blue"}, r"colour = 'blue'"),
        ({"sha256": "abc"}, r"sha256 = 'abc'"),
        ({"sha256": ""}, r"has no sha256; that of model\.onnx is [0-9a-f]{64}"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_explained(
    store: Path, change: dict[str, object], message: str
) -> None:
    path = store / "small" / "model.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    with pytest.raises(BundleError, match=message):
        find_bundle("small")


def test_a_manifest_that_is_not_yaml_is_explained(store: Path) -> None:
    (store / "small" / "model.yaml").write_text("name: [")
    with pytest.raises(BundleError, match=r"model\.yaml: expected YAML"):
        find_bundle("small")


def test_a_broken_bundle_does_not_hide_the_others(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_bundle(store / "broken", manifest=DETECTOR, constants=OUTPUT)
    (store / "broken" / "model.yaml").write_text("name: [")
    assert "small" in [bundle.manifest.name for bundle in list_bundles()]
    assert "broken" in caplog.text


def test_writing_a_bundle_from_no_file_is_refused(tmp_path: Path) -> None:
    manifest = ModelManifest.model_validate({"name": "m", **DETECTOR})
    with pytest.raises(BundleError, match="not a file"):
        write_bundle(tmp_path / "b", manifest, tmp_path / "none.onnx")


def described(tmp_path: Path, **changes: object) -> ModelManifest:
    file = save_model(
        tmp_path / "m.onnx",
        inputs={"images": ((1, 3, "h", "w"), np.float32), "sizes": ((1, 2), np.int64)},
        constants={
            "labels": np.zeros((1, 4), np.int64),
            "pred_boxes": np.zeros((1, 4, 4), np.float32),
            "scores": np.zeros((1, 4), np.float32),
        },
    )
    call = {"name": "d", "format": "detr", "classes": ["cup"], "size_px": (64, 32)} | changes
    return describe_onnx(file, **call)  # type: ignore[arg-type]


def test_an_onnx_file_has_its_names_sizes_and_types(tmp_path: Path) -> None:
    manifest = described(tmp_path)
    assert (manifest.task, manifest.input.width_px, manifest.input.height_px) == (
        "detection",
        64,
        32,
    )
    assert (manifest.input.name, manifest.input.size_name) == ("images", "sizes")
    assert manifest.outputs["boxes"] == "pred_boxes"
    bundle = write_bundle(tmp_path / "bundle", manifest, tmp_path / "m.onnx")
    assert isinstance(bundle, Bundle)
    assert find_bundle(tmp_path / "bundle").manifest.sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size_px": None}, "give its size in pixels"),
        ({"classes": []}, "needs the names of its classes"),
        ({"image": {"color": "pink"}}, "input.color = 'pink'"),
    ],
)
def test_what_the_file_leaves_open_must_be_given(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        described(tmp_path, **changes)


def test_a_file_that_is_not_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(BundleError, match="not an ONNX model"):
        describe_onnx(tmp_path / "text.onnx", name="x", format="yolox", classes=["cup"])
    with pytest.raises(BundleError, match="not a file"):
        describe_onnx(tmp_path / "none.onnx", name="x", format="yolox", classes=["cup"])
    save_model(
        tmp_path / "flat.onnx",
        inputs={"x": ((1, 7), np.float32)},
        constants={"y": np.zeros(1, np.float32)},
    )
    with pytest.raises(BundleError, match=r"no input is an image.*x tensor\(float\)"):
        describe_onnx(tmp_path / "flat.onnx", name="x", format="yolox", classes=["cup"])
