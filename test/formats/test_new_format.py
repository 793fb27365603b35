"""A format is one file: found without being listed, served, imported, and checked."""

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx_models import make_bundle, save_model

import robot_vision.formats
from robot_vision.core.discovery import import_all
from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest
from robot_vision.core.parameters.config import DetectorConfig, ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.formats.check import check_manifest
from robot_vision.formats.registry import FORMATS
from robot_vision.model_store.import_onnx import describe_onnx
from robot_vision.model_store.store import find_bundle
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import load_model

MODULE = '''
import numpy as np

from robot_vision.formats.format import Candidates, Detection, Format
from robot_vision.formats.registry import register_format


def decode(outputs, manifest, *, min_score):
    """Rows of x, y, side, score, class: squares by their top left corner."""
    rows = outputs["squares"][0]
    row = np.flatnonzero(rows[:, 3] >= min_score)
    x, y, side, score, label = rows[row].T
    return Candidates(
        box_xyxy_px=np.stack([x, y, x + side, y + side], axis=1),
        score=score,
        class_id=label.astype(np.int64),
        row=row,
    )


register_format(
    Format(
        name="squares",
        task="detection",
        roles=("squares",),
        detection=Detection(decode=decode, needs_nms=False),
        habits={"color": "bgr", "resize": "stretch"},
        other_names={"found": "squares"},
    )
)
'''
# A strong one, and one too weak to be reported.
SQUARES = np.array([[[4, 8, 16, 0.9, 1], [0, 0, 9, 0.1, 0]]], np.float32)


@pytest.fixture
def squares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module, imported as if it lay in the package's folder, for one test."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "squares.py").write_text(MODULE)
    before = {name: FORMATS.get(name) for name in FORMATS}
    monkeypatch.setattr(
        robot_vision.formats, "__path__", [*robot_vision.formats.__path__, str(folder)]
    )
    monkeypatch.setattr(FORMATS, "_items", before)
    monkeypatch.delitem(sys.modules, "robot_vision.formats.squares", raising=False)
    import_all.cache_clear()


@pytest.mark.usefixtures("squares")
def test_a_file_is_a_format_that_is_served(tmp_path: Path) -> None:
    described = {
        "task": "detection",
        "format": "squares",
        "input": {"name": "images", "width_px": 64, "height_px": 32, "resize": "stretch"},
        "classes": ["cup", "bowl"],
    }
    make_bundle(tmp_path / "m", manifest=described, constants={"out": SQUARES})
    config = ServiceConfig(device="cpu", threads=1)
    model = load_model(find_bundle(tmp_path / "m"), config)
    frame = Frame(stamp_ns=5, frame_id="camera", rgb=np.zeros((64, 128, 3), np.uint8))
    run = model.run(frame)
    found = Detector(model.manifest, DetectorConfig()).detections(run, stamp_ns=frame.stamp_ns)
    model.backend.close()
    assert found.box_xyxy_px.tolist() == [[8, 16, 40, 48]]
    assert found.class_id.tolist() == [1]
    assert found.mask is None


@pytest.mark.usefixtures("squares")
def test_an_import_begins_with_the_habits_and_names_of_the_format(tmp_path: Path) -> None:
    file = save_model(
        tmp_path / "m.onnx",
        inputs={"images": ((1, 3, 32, 64), np.float32)},
        constants={"found": SQUARES, "seen": np.zeros((1, 3), np.float32)},
    )
    manifest = describe_onnx(file, name="m", format="squares", classes=["cup", "bowl"])
    assert (manifest.task, manifest.input.color, manifest.input.resize) == (
        "detection",
        "bgr",
        "stretch",
    )
    assert manifest.outputs == {"squares": "found", "seen": "seen"}


@pytest.mark.parametrize("name", list(FORMATS))
def test_habits_of_a_format_are_fields_of_an_input_and_names_lead_to_roles(name: str) -> None:
    format = FORMATS.get(name)
    ModelInput.model_validate({"name": "x", "width_px": 8, "height_px": 8, **format.habits})
    known = {*format.roles, *format.optional_roles, format.depth_role}
    assert set(format.other_names.values()) <= known
    assert format.roles


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "yolov9"}, "unknown format 'yolov9'; available: .*did you mean 'yolov8'"),
        ({"task": "depth"}, "task 'depth' has the formats depth_metric, depth_relative"),
        (
            {"task": "cooking"},
            "unknown task 'cooking'; available: classification, depth, detection",
        ),
        ({"classes": ()}, "format 'yolov8' needs the names of its classes"),
    ],
)
def test_a_manifest_that_disagrees_with_its_format_is_explained(
    changes: dict[str, object], message: str
) -> None:
    sound = ModelManifest(
        name="m",
        task="detection",
        format="yolov8",
        input=ModelInput(name="x", width_px=8, height_px=8),
        classes=("cup",),
    )
    assert check_manifest(sound).name == "yolov8"
    with pytest.raises(BundleError, match=message):
        check_manifest(sound.model_copy(update=changes))


def test_a_detector_of_a_format_without_objects_is_refused() -> None:
    depth = ModelManifest(
        name="m",
        task="depth",
        format="depth_metric",
        input=ModelInput(name="x", width_px=8, height_px=8),
    )
    with pytest.raises(BundleError, match="'depth_metric' does not detect objects"):
        Detector(depth, DetectorConfig())
