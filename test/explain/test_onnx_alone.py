"""Bundles with only ONNX: occlusion works; gradients and unsupported outputs are refused."""

from pathlib import Path

import numpy as np
import pytest
from picture_models import HEIGHT, WIDTH, color_classifier

from robot_vision.explain.answer import usual_ways
from robot_vision.explain.asking import ask
from robot_vision.explain.heat import ExplainError, energy_inside
from robot_vision.explain.opening.subject import open_subject
from robot_vision.explain.question import WAYS

SQUARE = (slice(8, 24), slice(8, 24))


def cyan_square() -> np.ndarray:
    rgb = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    rgb[SQUARE] = (0, 200, 200)
    return rgb


def test_hiding_needs_no_gradients(tmp_path: Path) -> None:
    """The model takes planes of floats, one picture at a time."""
    question = ask(open_subject(str(color_classifier(tmp_path / "colors"))), cyan_square())
    assert question.target.words == "cyan"
    assert usual_ways(question) == ["occlusion"]
    heat = WAYS.get("occlusion").explain(question)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[SQUARE] = True
    shown = heat.in_view(question.placement, width_px=WIDTH, height_px=HEIGHT)
    assert energy_inside(shown, mask) > 0.6
    for way in ("grad_cam", "rollout", "relevance"):
        with pytest.raises(ExplainError, match="has only ONNX"):
            WAYS.get(way).explain(question)


def test_classes_behind_a_background_are_not_misread(tmp_path: Path) -> None:
    folder = color_classifier(tmp_path / "colors")
    file = folder / "model.yaml"
    file.write_text(file.read_text().replace("scores: logits", "background: first"))
    with pytest.raises(ExplainError, match="background 'first'"):
        open_subject(str(folder))
