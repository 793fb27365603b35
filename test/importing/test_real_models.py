"""Real models, and each exported otherwise on purpose: the import is right, or says its doubt."""

from pathlib import Path

import pytest
from surgery import (
    Change,
    decoded_yolox,
    detr_of_yolox,
    exported_with,
    normalised_inside,
    scaled_by,
    swap_colors,
    yolov8_of_yolox,
)

from robot_vision.formats.registry import FORMATS
from robot_vision.importing.choice import UndecidedError
from robot_vision.importing.hypotheses import scale_name
from robot_vision.importing.reading.wanted import Wanted
from robot_vision.importing.study import study
from robot_vision.importing.words import Finding

NANODET = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)

# File, changes, and the truth: format, colours, pixels, reading.
CASES = {
    "yolox": ("yolox_nano", [], "yolox", "bgr", "0 to 255", {}),
    "yolox swapped": ("yolox_nano", [swap_colors], "yolox", "rgb", "0 to 255", {}),
    "yolox scaled": ("yolox_nano", [scaled_by(255.0)], "yolox", "bgr", "0 to 1", {}),
    "yolox decoded": (
        "yolox_nano",
        [decoded_yolox],
        "yolox",
        "bgr",
        "0 to 255",
        {"grid": "decoded"},
    ),
    "yolov8": ("yolox_nano", [yolov8_of_yolox(side_px=1)], "yolov8", "bgr", "0 to 255", {}),
    "yolov8 fractions": (
        "yolox_nano",
        [yolov8_of_yolox(side_px=416)],
        "yolov8",
        "bgr",
        "0 to 255",
        {"box_units": "fractions"},
    ),
    "detr by sigmoid": (
        "yolox_nano",
        [detr_of_yolox(side_px=416, by_softmax=False)],
        "detr_logits",
        "bgr",
        "0 to 255",
        {},
    ),
    "detr by softmax": (
        "yolox_nano",
        [detr_of_yolox(side_px=416, by_softmax=True)],
        "detr_logits",
        "bgr",
        "0 to 255",
        {"background": "last", "activation": "softmax"},
    ),
    "fastestdet": ("fastestdet", [], "fastestdet", "bgr", "0 to 1", {}),
    "fastestdet swapped": ("fastestdet", [swap_colors], "fastestdet", "rgb", "0 to 1", {}),
    "fastestdet scaled": ("fastestdet", [scaled_by(1 / 255)], "fastestdet", "bgr", "0 to 255", {}),
    "nanodet": ("nanodet_m", [], "nanodet", "bgr", "ImageNet's mean", {}),
    "nanodet swapped": ("nanodet_m", [swap_colors], "nanodet", "rgb", "ImageNet's mean", {}),
    "nanodet normalised": (
        "nanodet_m",
        [normalised_inside(*NANODET)],
        "nanodet",
        "bgr",
        "0 to 255",
        {},
    ),
    "deim": ("deimv2_atto_int8", [], "detr", "rgb", "0 to 1", {}),
    "deim scaled": ("deimv2_atto_int8", [scaled_by(1 / 255)], "detr", "rgb", "0 to 255", {}),
}
_DECODING = ("grid", "box_units", "background", "activation")
# What the pictures cannot decide of such a model; all others are decided without a question.
MAY_ASK = {
    "detr by softmax",
    "fastestdet swapped",
    "nanodet swapped",
    "nanodet normalised",
    "deim",
    "deim scaled",
}


@pytest.mark.parametrize("given", [True, False], ids=["format given", "format guessed"])
@pytest.mark.parametrize("case", CASES)
def test_a_real_model_is_understood_or_doubted(
    case: str, given: bool, shared_data: Path, tmp_path: Path
) -> None:
    name, changes, format, color, pixels, reading = CASES[case]
    unknown = reading.keys() - FORMATS.get(format).readings.keys()
    if unknown:
        pytest.skip(f"format {format} cannot be read with {', '.join(unknown)}")
    wanted = _wanted(shared_data, tmp_path, name, changes, format if given else "")
    try:
        finding = study(wanted)
    except UndecidedError:
        assert case in MAY_ASK
        return
    _assert_right_or_unsure(finding, format, color, pixels, reading, given=given)
    decoding = finding.manifest.reading.model_dump(exclude_defaults=True)
    if case not in MAY_ASK:
        assert {k: v for k, v in decoding.items() if k in _DECODING} == reading
        assert scale_name(finding.manifest.input) == pixels


def test_resizing_is_decided_where_one_way_finds_more(shared_data: Path) -> None:
    finding = study(Wanted(file=shared_data / "models" / "nanodet_m.onnx", name="m"))
    assert finding.manifest.input.resize == "letterbox"
    assert "letterbox (stretch: 0.2" in finding.lines[1]


def test_what_pictures_do_not_decide_of_resizing_is_said(shared_data: Path) -> None:
    file = shared_data / "models" / "fastestdet.onnx"
    finding = study(Wanted(file=file, name="m"))
    assert finding.manifest.input.resize == "stretch"
    assert "no clear difference" in "\n".join(finding.lines)


def test_a_weak_model_is_taken_with_doubt(shared_data: Path) -> None:
    """A reading that finds nothing is no rival, however sound its boxes are."""
    file = shared_data / "models" / "deimv2_atto_int8.onnx"
    finding = study(Wanted(file=file, name="m"))
    assert finding.manifest.format == "detr"
    assert "not sure, because so little is found" in finding.lines[0]


def _assert_right_or_unsure(
    finding: Finding,
    format: str,
    color: str,
    pixels: str,
    reading: dict[str, str],
    *,
    given: bool,
) -> None:
    spec = finding.manifest.input
    is_right = (
        finding.manifest.reading.model_dump(exclude_defaults=True) == reading
        and spec.color == color
        and scale_name(spec) == pixels
    )
    # YOLOX decoded and YOLOv5 are one thing by two names.
    is_right &= finding.manifest.format == format or (not given and "decoded" in str(reading))
    doubts = "\n".join(finding.lines)
    assert is_right or "not sure" in doubts, doubts


def _wanted(
    shared_data: Path, tmp_path: Path, name: str, changes: list[Change], format: str
) -> Wanted:
    pytest.importorskip("onnx", reason="changes the models' graphs")
    source = shared_data / "models" / f"{name}.onnx"
    file = exported_with(source, tmp_path / f"{name}.onnx", *changes) if changes else source
    return Wanted(file=file, name="m", format=format)
