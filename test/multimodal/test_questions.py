"""Questions about pictures of which all is known, and how answers are judged."""

import json
from pathlib import Path

import numpy as np
import pytest
from asked_pictures import write_asked_set

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.multimodal.answerer import AnswererSpec
from robot_vision.multimodal.answerers.constant import build
from robot_vision.multimodal.pictures import open_pictures
from robot_vision.multimodal.question import KINDS, Question, judged, questions_about


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_asked_set(tmp_path_factory.mktemp("asked") / "set")


@pytest.fixture(scope="module")
def asked(folder: Path) -> list[Question]:
    return questions_about(open_pictures(folder, count=10), list(KINDS))


def of(asked: list[Question], kind: str, picture: int) -> Question:
    name = f"rgb/{picture:06d}.png"
    return next(q for q in asked if q.kind == kind and q.picture.name == name)


def score(question: Question, said: str) -> float:
    verdict = judged(question, said)
    assert verdict is not None
    return verdict.score


def test_the_right_answer_scores_one_and_nothing_scores_less(asked: list[Question]) -> None:
    assert {question.kind for question in asked} == set(KINDS)
    for question in asked:
        assert score(question, question.expected) == 1.0, question
        if question.picture.name != "rgb/000003.png" or question.card:
            assert score(question, "") == 0.0, question


def test_questions_are_the_same_on_every_call(folder: Path, asked: list[Question]) -> None:
    again = questions_about(open_pictures(folder, count=10), list(KINDS))
    assert [(q.text, q.expected, q.card) for q in again] == [
        (q.text, q.expected, q.card) for q in asked
    ]


def test_half_of_a_thing_in_a_caption_is_its_color(asked: list[Question]) -> None:
    question = of(asked, "caption", 2)  # a green ball alone
    assert score(question, "A green ball on a table.") == 1.0
    assert score(question, "A ball.") == 0.5
    assert score(question, "A red ball.") == 0.5
    assert score(question, "A red mug.") == 0.0
    assert score(question, "A green ball and a red mug.") == pytest.approx(2 / 3)


def test_what_is_half_hidden_is_neither_wanted_nor_wrong(asked: list[Question]) -> None:
    question = of(asked, "objects", 1)
    assert question.expected == "block"
    assert score(question, "block") == score(question, "block, mug") == 1.0
    assert score(question, "block, ball") == pytest.approx(2 / 3)


def test_an_empty_picture_has_nothing_to_name(asked: list[Question]) -> None:
    assert score(of(asked, "objects", 3), "none") == 1.0
    assert score(of(asked, "objects", 3), "a ball") == 0.0


def test_counts_colors_and_presence_are_as_the_truth_says(asked: list[Question]) -> None:
    for question in asked:
        truth = question.picture.truth
        assert truth is not None
        shown = {(thing.color, thing.name) for thing in truth.things}
        if question.kind == "count":
            assert int(question.expected) == sum(t.name == question.name for t in truth.things)
            assert score(question, "17") == 0.0
        if question.kind == "color":
            assert (question.expected, question.name) in shown
            assert score(question, "red, green or blue") == 0.0
        if question.kind == "presence":
            assert question.expected == (
                "yes" if (question.color, question.name) in shown else "no"
            )


def test_yes_and_no_are_asked_for_alike(folder: Path) -> None:
    (picture,) = [p for p in open_pictures(folder, count=10) if p.name == "rgb/000000.png"]
    expected = [q.expected for q in questions_about([picture] * 200, ["presence"])]
    assert 70 < expected.count("yes") < 130


def test_a_card_is_in_the_picture_and_hides_nothing(asked: list[Question]) -> None:
    question = of(asked, "reading", 0)
    with_card, without = question.rgb(), question.picture.rgb()
    changed = (with_card != without).any(axis=2)
    assert 0.02 < changed.mean() < 0.35
    assert with_card[changed].max() > 230
    assert with_card[changed].min() < 60
    truth = question.picture.truth
    assert truth is not None
    for thing in truth.things:
        left, top, right, bottom = map(int, thing.box_xyxy_px)
        assert not changed[top:bottom, left:right].any()
    assert score(question, f"It says “{question.card.lower()}”.") == 1.0


def test_the_constant_answer_is_the_best_constant(asked: list[Question]) -> None:
    constant = build(AnswererSpec(), asked)
    blank = np.zeros((8, 8, 3), np.uint8)
    for kind in ("presence", "count", "objects"):
        questions = [q for q in asked if q.kind == kind]
        said = constant.ask(questions[0], blank).text
        reached = sum(score(q, said) for q in questions)
        others = {q.expected for q in questions}
        assert all(reached >= sum(score(q, other) for q in questions) for other in others)


def test_pictures_without_truth_are_described_and_not_judged(folder: Path) -> None:
    found = questions_about(open_pictures(folder / "rgb", count=2), list(KINDS))
    assert [q.kind for q in found] == ["caption", "objects", "reading"] * 2
    assert [q.is_judged for q in found] == [False, False, True] * 2
    assert judged(found[0], "a ball") is None


def test_bad_sets_are_refused_in_words(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pictures: expected a set"):
        open_pictures(tmp_path, count=1)
    content = json.loads((folder / "annotations.json").read_text())
    content["images"][0]["file_name"] = "../../etc/passwd"
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(ForeignFileError, match="is not a file below"):
        open_pictures(tmp_path, count=10)
    (tmp_path / "annotations.json").write_text('{"images": [{"id": 1}]}')
    with pytest.raises(ConfigError, match="expected COCO annotations"):
        open_pictures(tmp_path, count=10)
