"""The words of a set of episodes lie beside it, so that training needs no simulated robot."""

import subprocess
import sys
from pathlib import Path

import pytest

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.rollouts.episode_files import (
    VOCABULARY_FILE,
    common_vocabulary,
    read_vocabulary,
    write_vocabulary,
)

WORDS = Vocabulary(words=("lift", "mug"), things=("mug",), actions=("lift",))


def test_a_vocabulary_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_vocabulary(tmp_path / "set", WORDS)
    assert read_vocabulary(tmp_path / "set") == WORDS
    assert [file.name for file in (tmp_path / "set").iterdir()] == [VOCABULARY_FILE]


def test_a_set_without_one_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"collect --out {tmp_path} --episodes N` once more"):
        read_vocabulary(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"words": 3}', '{"words": ["a"], "x": 1}'])
def test_a_damaged_one_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / VOCABULARY_FILE).write_text(text)
    with pytest.raises(ConfigError, match="is not a vocabulary"):
        read_vocabulary(tmp_path)


def test_sets_of_other_words_are_not_mixed(tmp_path: Path) -> None:
    one, same, other = (str(tmp_path / name) for name in ("one", "same", "other"))
    for folder in (one, same):
        write_vocabulary(Path(folder), WORDS)
    more = Vocabulary(words=("lift", "mug", "jar"), things=("mug", "jar"), actions=("lift",))
    write_vocabulary(Path(other), more)
    assert common_vocabulary([one, same]) == WORDS
    with pytest.raises(ConfigError, match=r"other cannot be mixed with .*jar"):
        common_vocabulary([one, other])


def test_episodes_are_read_without_simulator_and_torch() -> None:
    code = (
        "import sys, robot_vision.rollouts.episode_files;"
        "print([m for m in ('torch', 'mujoco', 'cv2', 'onnxruntime') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
