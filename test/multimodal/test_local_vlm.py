"""A VLM in a folder: a tiny one with random weights, by the code that loads real ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_pictures import write_asked_set
from tiny_vlm import write_tiny_vlm

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.multimodal.answerer import ANSWERERS, AnswerError
from robot_vision.multimodal.pictures import open_pictures
from robot_vision.multimodal.question import Question, questions_about

PROMPT = "<image> {question}"
# What libraries of others warn of while they are imported and used.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vlm(tmp_path_factory.mktemp("vlm"), with_template=True)


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> list[Question]:
    folder = write_asked_set(tmp_path_factory.mktemp("local") / "set")
    return questions_about(open_pictures(folder, count=2), ["color", "objects"])


def build(folder: Path, **options: Any) -> Any:
    kind = ANSWERERS.get("local")
    given = {"folder": str(folder), "most_output_tokens": 6, **options}
    return kind.build(kind.spec.model_validate(given), [])


def test_it_answers_by_its_template_or_by_a_prompt(vlm: Path, questions: list[Question]) -> None:
    for options in ({}, {"prompt": PROMPT}):
        model = build(vlm, **options)
        for question in questions:
            reply = model.ask(question, question.rgb())
            assert 0 < reply.output_tokens <= 6
            assert reply.input_tokens > 16  # of the picture alone
            assert "<" not in reply.text
            assert model.ask(question, question.rgb()) == reply
        model.close()


def test_it_sees_the_picture(vlm: Path, questions: list[Question]) -> None:
    """Random weights say no sense, but not the same whatever they are shown."""
    model = build(vlm)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (40, 60, 3), np.uint8) // (1 + n) for n in range(6)]
    assert len({model.ask(questions[0], rgb).text for rgb in pictures}) > 1


def test_folders_that_are_not_a_vlm_are_refused(vlm: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no config.json"):
        build(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(BundleError, match=r"no \*.safetensors"):
        build(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match="cannot be loaded as a VLM"):
        build(tmp_path)
    with pytest.raises(ConfigError, match=r"has no \{question\}"):
        build(vlm, prompt="<image> what is it?")
    with pytest.raises(AnswerError, match="it failed"):
        build(vlm, prompt="without a picture: {question}")
    with pytest.raises(ConfigError, match="expected cpu, or cuda"):
        build(vlm, device="tpu")
    with pytest.raises(ConfigError, match="expected one of float32"):
        build(vlm, precision="int4")


def test_code_of_strangers_is_not_run(vlm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "remote"
    folder.mkdir()
    for file in vlm.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "code.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    marker = tmp_path / "was_run"
    (folder / "code.py").write_text(f"open({str(marker)!r}, 'w')\nclass Config: pass\n")
    with pytest.raises(BundleError, match="cannot be loaded"):
        build(folder)
    assert not marker.exists()
