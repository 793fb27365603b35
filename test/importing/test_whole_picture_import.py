"""Classifiers and segmentation models of others, imported without saying what they are."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from whole_models import (
    CELLS,
    KNOWN,
    PARTS,
    QUARTER_PX,
    SIDE_PX,
    UNKNOWN,
    class_scores,
    classifier,
    label_scores,
    renamed,
    segmenter,
)

from robot_vision.core.errors import BundleError
from robot_vision.importing.choice import UndecidedError
from robot_vision.importing.reading.wanted import Wanted
from robot_vision.importing.study import study
from robot_vision.importing.words import Finding

BACKGROUND = "__background__"


def found(file: Path, names: tuple[str, ...] = (), **given: object) -> Finding:
    return study(Wanted(file=file, name="net", classes=names, **given))  # pyright: ignore


def asked(file: Path, names: tuple[str, ...] = (), **given: object) -> str:
    with pytest.raises(UndecidedError) as refused:
        found(file, names, **given)
    return str(refused.value)


@pytest.mark.parametrize("ending", ["logits", "softmax"])
def test_a_classifier_is_recognised_with_softmax_and_without(tmp_path: Path, ending: str) -> None:
    scores = {"logits": "logits", "softmax": "probabilities"}[ending]
    finding = found(classifier(tmp_path / "m.onnx", class_scores(KNOWN), ending=ending), KNOWN)  # pyright: ignore
    manifest = finding.manifest
    assert (manifest.task, manifest.format) == ("classification", "classification")
    assert (manifest.reading.scores, manifest.reading.background) == (scores, "none")
    assert manifest.classes == KNOWN
    assert "classification: a row of 4 scores, and there are 4 class names" in finding.lines
    assert finding.lines[0].startswith(
        "format classification (guessed, confident): its likeliest class names an object in "
        "8 of 8 pictures"
    )
    assert len(finding.trials) > 4  # --explain shows them


def test_a_background_before_the_classes_is_found_by_what_pictures_show(tmp_path: Path) -> None:
    file = classifier(tmp_path / "m.onnx", class_scores(KNOWN, before=1))
    manifest = found(file, KNOWN).manifest
    assert manifest.reading.background == "first"


def test_where_pictures_show_none_of_the_classes_it_is_not_sure(tmp_path: Path) -> None:
    file = classifier(tmp_path / "m.onnx", class_scores(KNOWN))
    finding = found(file, UNKNOWN)
    assert finding.manifest.format == "classification"
    assert "not sure: its classes have no names for what the pictures show" in finding.lines[0]
    assert "boxes" not in finding.lines[0]


def test_a_column_more_than_names_is_asked_about(tmp_path: Path) -> None:
    """TensorFlow's classifiers have 1001; a file of names may also lack one."""
    file = classifier(tmp_path / "m.onnx", class_scores(KNOWN, before=1))
    question = asked(file, UNKNOWN)
    assert "--reading background=first if 0 is none of the classes and 1 is 'weld'" in question
    assert "If a name is missing, give one for each" in question
    settled = found(file, UNKNOWN, reading={"background": "first"}).manifest
    assert settled.reading.background == "first"
    with pytest.raises(UndecidedError, match="--reading background=first"):
        found(file, UNKNOWN, is_tried=False)
    with pytest.raises(UndecidedError, match="--reading background=first"):
        found(file, UNKNOWN, format="classification")


def test_a_name_for_the_background_settles_it(tmp_path: Path) -> None:
    file = classifier(tmp_path / "m.onnx", class_scores(KNOWN, before=1))
    finding = found(file, (BACKGROUND, *UNKNOWN))
    assert finding.manifest.classes == UNKNOWN
    assert finding.manifest.reading.background == "first"
    assert any(f"{BACKGROUND!r} is none of its classes" in line for line in finding.lines)


def test_one_answer_for_every_picture_is_not_knowledge(tmp_path: Path) -> None:
    scores = np.zeros((10, len(KNOWN)), np.float32)
    scores[:, KNOWN.index("woman")] = 8
    finding = found(classifier(tmp_path / "m.onnx", scores), KNOWN)
    assert finding.lines[0].startswith("not sure: its likeliest class names an object in")


@pytest.mark.parametrize("kind", ["classes", "maps"])
def test_classes_that_do_not_exclude_each_other_are_refused(tmp_path: Path, kind: str) -> None:
    if kind == "classes":
        file = classifier(tmp_path / "m.onnx", class_scores(KNOWN), ending="sigmoid")
    else:
        file = segmenter(tmp_path / "m.onnx", label_scores(KNOWN, QUARTER_PX), ending="sigmoid")
    assert "do not sum to one" in asked(file, KNOWN)
    assert found(file, KNOWN, reading={"scores": "logits"}).manifest.reading.scores == "logits"


def test_a_classifier_without_names_asks_for_as_many(tmp_path: Path) -> None:
    file = classifier(tmp_path / "m.onnx", class_scores(KNOWN))
    with pytest.raises(BundleError, match="a classifier of 4 classes: it has no names, so give"):
        found(file)
    with pytest.raises(BundleError, match="a classifier of 4 classes: there are 2 names"):
        found(file, ("one", "two"))


@pytest.mark.parametrize(("times", "side"), [(1, QUARTER_PX), (4, SIDE_PX)])
@pytest.mark.parametrize("ending", ["logits", "softmax"])
def test_maps_of_scores_are_recognised_at_a_quarter_and_at_full_size(
    tmp_path: Path, times: int, side: int, ending: str
) -> None:
    scores = label_scores(PARTS, QUARTER_PX)
    file = segmenter(tmp_path / "m.onnx", scores, ending=ending, times=times)  # pyright: ignore
    assert onnx.load(file).graph.output[0].type.tensor_type.shape.dim[2].dim_value == side
    finding = found(file, PARTS)
    manifest = finding.manifest
    assert (manifest.task, manifest.format) == ("segmentation", "semantic")
    assert manifest.reading.scores == {"logits": "logits", "softmax": "probabilities"}[ending]
    assert manifest.reading.background == "none"
    assert finding.lines[0].startswith("format semantic (guessed, confident)")
    reason = f"semantic: maps of scores, 4×{side}×{side}, and there are 4 class names"
    assert reason in finding.lines


@pytest.mark.parametrize("where", ["first", "last"])
@pytest.mark.parametrize("ending", ["logits", "argmax"])
def test_where_the_background_stands_is_found_by_what_pictures_show(
    tmp_path: Path, where: str, ending: str
) -> None:
    before = {"before": 1} if where == "first" else {"after": 1}
    scores = label_scores(PARTS, QUARTER_PX, **before)
    file = segmenter(tmp_path / "m.onnx", scores, ending=ending)  # pyright: ignore
    manifest = found(file, PARTS).manifest
    assert (manifest.format, manifest.reading.background) == ("semantic", where)


def test_where_the_background_stands_is_asked_where_pictures_cannot_say(tmp_path: Path) -> None:
    scores = label_scores(PARTS, QUARTER_PX, before=1)
    question = asked(segmenter(tmp_path / "m.onnx", scores), UNKNOWN)
    assert "background=first if 0 is none of the classes and 1 is 'weld'" in question
    assert "background=last if 0 is 'weld' and 4 is none of the classes" in question
    assert "background=none" not in question


def test_numbers_of_classes_are_asked_about_where_pictures_cannot_say(tmp_path: Path) -> None:
    scores = label_scores(PARTS, QUARTER_PX)
    file = segmenter(tmp_path / "m.onnx", scores, ending="argmax")
    question = asked(file, UNKNOWN)
    assert "background=none if 0 is 'weld'" in question
    assert "background=first if 0 is none of the classes and 1 is 'weld'" in question
    finding = found(file, (BACKGROUND, *UNKNOWN))
    assert finding.manifest.classes == UNKNOWN
    assert any("a map of integers (int64)" in line for line in finding.lines)


def test_a_number_that_no_class_has_is_refused(tmp_path: Path) -> None:
    scores = label_scores(PARTS, QUARTER_PX, before=1)
    file = segmenter(tmp_path / "m.onnx", scores, ending="argmax")
    with pytest.raises(BundleError, match="the label 3, which none of its 2 classes has"):
        found(file, UNKNOWN[:2])


def test_maps_without_names_are_neither_features_nor_depth_in_silence(tmp_path: Path) -> None:
    maps = segmenter(tmp_path / "maps.onnx", label_scores(PARTS, QUARTER_PX))
    question = asked(maps)
    assert "scores of 4 classes for each pixel, or features" in question
    assert "there are 2 names" in asked(maps, ("one", "two"))
    numbers = segmenter(
        tmp_path / "numbers.onnx", label_scores(PARTS, QUARTER_PX), ending="argmax"
    )
    with pytest.raises(BundleError, match="gives each pixel's class number: it has no nam"):
        found(numbers)
    model = onnx.load(numbers)
    model.graph.node[-1].output[0] = "whole"
    to = onnx.TensorProto.FLOAT
    model.graph.node.append(onnx.helper.make_node("Cast", ["whole"], ["output"], to=to))
    model.graph.output[0].type.tensor_type.elem_type = to
    onnx.save(model, numbers)
    with pytest.raises(BundleError, match="no format fits its outputs"):
        found(numbers)


def test_what_is_called_features_is_imported_as_such(tmp_path: Path) -> None:
    file = segmenter(tmp_path / "m.onnx", label_scores(PARTS, CELLS))
    renamed(file, {"output": "last_hidden_state"})
    assert found(file).manifest.format == "features"


def test_torchvision_s_second_head_is_passed_over(tmp_path: Path) -> None:
    file = segmenter(tmp_path / "m.onnx", label_scores(PARTS, QUARTER_PX, before=1), times=4)
    renamed(file, {"output": "out"}, also="aux")
    manifest = found(file, (BACKGROUND, *PARTS)).manifest
    assert (manifest.format, manifest.reading.background) == ("semantic", "first")
    assert manifest.outputs["output"] == "out"
