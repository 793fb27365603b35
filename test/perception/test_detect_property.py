"""Whatever numbers a model puts out, detections are finite, inside the frame, sorted, bounded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_vision.core.cameras.placement import place
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.parameters.config import DetectorConfig
from robot_vision.formats.levels import grid_cells
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import ModelRun

CELLS = len(grid_cells(32, 32))
SHAPES = {
    "yolox": {"output": (1, CELLS, 7)},
    "yolov8": {"output": (1, 6, 9)},
    "detr": {"labels": (1, 5), "boxes": (1, 5, 4), "scores": (1, 5)},
    "detr_logits": {"logits": (1, 5, 3), "boxes": (1, 5, 4)},
    "native": {
        "boxes_xyxy": (1, 5, 4),
        "scores": (1, 5, 2),
        "mask_coefficients": (1, 5, 3),
        "mask_prototypes": (1, 3, 8, 8),
    },
}
READINGS = {"detr_logits": {"activation": "softmax", "background": "last"}}
anything = st.floats(width=32) | st.floats(-2, 40, width=32)


@pytest.mark.parametrize("name", sorted(SHAPES))
@settings(max_examples=40)
@given(st.data())
def test_detections_are_sound_for_any_outputs(name: str, data: st.DataObject) -> None:
    manifest = ModelManifest.model_validate(
        {
            "name": "m",
            "task": "multitask" if name == "native" else "detection",
            "format": name,
            "input": {"name": "x", "width_px": 32, "height_px": 32},
            "classes": ["cup", "bowl"],
            "reading": READINGS.get(name, {}),
        }
    )
    outputs = {
        role: data.draw(
            arrays(np.int64, shape, elements=st.integers(-9, 9))
            if role == "labels"
            else arrays(np.float32, shape, elements=anything, fill=anything)
        )
        for role, shape in SHAPES[name].items()
    }
    placement = place(manifest.input, width_px=100, height_px=60)
    run = ModelRun(manifest=manifest, outputs=outputs, placement=placement)
    found = Detector(manifest, DetectorConfig(max_detections=4)).detections(run, stamp_ns=1)
    box = found.box_xyxy_px
    assert len(found) <= 4
    assert np.isfinite(box).all()
    assert np.isfinite(found.score).all()
    assert (box >= 0).all()
    assert (box <= [100, 60, 100, 60]).all()
    assert (box[:, 2:] > box[:, :2]).all()
    assert (np.diff(found.score) <= 0).all()
    assert set(found.class_id) <= {0, 1}
