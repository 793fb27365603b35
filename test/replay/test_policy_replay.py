"""Episodes of a dataset through a policy: answers as in the golden file, or the CI says fail."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from demonstrations_kit import write_episodes
from grounding_bundle import grounding_bundle
from lerobot_kit import Layout, write_lerobot
from pixel_bundle import FRONT, WRIST, write_pixel_bundle
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.asking.draft import merged
from robot_vision.datasets.meaning.meaning import Meaning
from robot_vision.datasets.open_dataset import open_dataset
from robot_vision.policies.pixels.history import joint_state
from robot_vision.policies.registry import load_policy
from robot_vision.replay.judging.answers import Answers
from robot_vision.replay.judging.episodes import meaning_of, observations
from robot_vision.replay.judging.golden import load_golden, save_golden
from robot_vision.replay.judging.judge import JudgeOptions, judge
from robot_vision.training.demonstrations.numbers import episode_numbers

SEEN = ObservationSpec(cameras=(FRONT,), steps=2, step_s=0.1, words="none")
GAINS = {"rgb_front": 0.01, "state": 1.0}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_episodes(tmp_path / "set", [4, 3])
    return tmp_path / "set"


def policy_in(folder: Path, *, gains: Mapping[str, float] = GAINS, **values: Any) -> Path:
    return write_pixel_bundle(folder, **{"observation": SEEN, "gains": gains, **values}).path


def replayed(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def test_a_policy_passes_as_long_as_it_answers_as_before(dataset: Path, tmp_path: Path) -> None:
    policy, golden = policy_in(tmp_path / "policy"), tmp_path / "golden.json"
    written = replayed(dataset, "--policy", policy, "--golden", golden, "--update-golden")
    assert written.exit_code == 0, written.output
    again = replayed(dataset, "--policy", policy, "--golden", golden)
    assert again.exit_code == 0, again.output
    assert "2 episodes, 7 rows" in again.output
    assert "picture to action: p50" in again.output
    content = json.loads(golden.read_text())
    content["episodes"]["1"]["rows"][2][0] += 0.1
    golden.write_text(json.dumps(content))
    failed = replayed(dataset, "--policy", policy, "--golden", golden)
    assert failed.exit_code == 1
    assert "episode 1, row 2: an action differs by 0.1 (at most 0.02)" in failed.output


def test_another_policy_is_refused_before_anything_is_read(dataset: Path, tmp_path: Path) -> None:
    golden = tmp_path / "golden.json"
    replayed(dataset, "--policy", policy_in(tmp_path / "a"), "--golden", golden, "--update-golden")
    other = policy_in(tmp_path / "b", gains={"rgb_front": 0.02})
    result = replayed(dataset, "--policy", other, "--golden", golden)
    assert isinstance(result.exception, ConfigError)  # `main` makes exit status 2 of it
    assert "is for policy" in str(result.exception)


def test_a_set_that_lost_an_episode_fails_unless_others_were_asked_for(
    dataset: Path, tmp_path: Path
) -> None:
    golden, policy = tmp_path / "golden.json", policy_in(tmp_path / "a")
    replayed(dataset, "--policy", policy, "--golden", golden, "--update-golden")
    known = json.loads(golden.read_text())
    known["episodes"]["77"] = known["episodes"]["0"]
    golden.write_text(json.dumps(known))
    whole = replayed(dataset, "--policy", policy, "--golden", golden)
    assert (whole.exit_code, "episode 77 is in the golden file only" in whole.output) == (1, True)
    some = replayed(dataset, "--policy", policy, "--golden", golden, "--episode", "0")
    assert some.exit_code == 0, some.output


def test_rows_are_what_the_policy_would_have_been_shown(dataset: Path) -> None:
    episodes = open_dataset(dataset)
    meaning = meaning_of(episodes, None, of="set")
    shown = list(observations(episodes, 0, seen=SEEN, meaning=meaning))
    episodes.close()
    assert [len(o.pictures["front"]) for o in shown] == [1, 2, 3, 4]
    assert [len(o.history) for o in shown] == [0, 0, 1, 1]  # 0.1 s before
    assert shown[3].history[0].base_from_tool[:3, 3] == pytest.approx([0.31, 0.05, 0.2], abs=1e-6)
    assert shown[2].pictures["front"][-1].rgb.shape == (24, 32, 3)
    assert shown[2].robot.base_from_tool[:3, 3] == pytest.approx([0.32, 0.05, 0.2])
    assert shown[2].robot.gripper_open == pytest.approx(0.75)


def test_a_camera_that_the_set_has_not_is_named(dataset: Path, tmp_path: Path) -> None:
    wrist = SEEN.model_copy(update={"cameras": (WRIST,)})
    result = replayed(dataset, "--policy", policy_in(tmp_path / "p", observation=wrist, gains={}))
    assert "has no camera 'wrist'; choose of: front" in str(result.exception) + result.output


def test_the_same_frames_give_the_same_answers(dataset: Path, tmp_path: Path) -> None:
    policy = load_policy(str(policy_in(tmp_path / "policy", noise=True, counts=True)))
    first, second = (judge(dataset, policy, JudgeOptions(episodes=(1,))) for _ in range(2))
    assert first.episodes == second.episodes
    assert first.identity == policy.manifest.identity


def test_a_policy_of_before_there_were_pictures_is_judged_by_what_perception_finds(
    dataset: Path, tmp_path: Path
) -> None:
    golden, asked = tmp_path / "golden.json", (dataset, "--policy", "policy-s", "--golden")
    unnamed = replayed(*asked, golden, "--update-golden")
    assert isinstance(unnamed.exception, ConfigError)
    assert "without naming its camera" in str(unnamed.exception)
    written = replayed(*asked, golden, "--update-golden", "--camera", "front")
    assert written.exit_code == 0, written.output
    rows = json.loads(golden.read_text())["episodes"]["0"]["rows"]
    assert rows[-1] == "nothing in view matches 'pick the red cube'"
    assert replayed(*asked, golden, "--camera", "front").exit_code == 0
    other = replayed(*asked, golden, "--camera", "front", "--model", "native-s-fp16")
    assert other.exit_code != 0


def test_what_words_name_has_a_say_where_it_is_asked_for(dataset: Path, tmp_path: Path) -> None:
    golden, words = tmp_path / "golden.json", grounding_bundle(tmp_path / "words")
    asked = [dataset, "--policy", "policy-s", "--camera", "front", "--episode", "0"]
    asked += ["--golden", golden, "--update-golden"]
    for param in ("pointing.grounded=require", f"grounding_model={words}", "prompt=red"):
        asked += ["--param", param]
    written = replayed(*asked)
    assert written.exit_code == 0, written.output
    rows = json.loads(golden.read_text())["episodes"]["0"]["rows"]
    assert rows[-1] == "no grounded target: 'red' is not found"
    other = replayed(*asked, "--param", "detector.nms_iou=0.5")
    assert "with --policy expected one of grounding_model" in str(other.exception)
    pixels = replayed(
        dataset, "--policy", policy_in(tmp_path / "p"), "--param", "pointing.grounded=prefer"
    )
    assert "points at no tracks" in str(pixels.exception)


SLIDE: dict[str, Any] = {"columns": [0], "angle_unit": "rad"}
MEANING: dict[str, Any] = {
    "rate_hz": 10,
    "action": {
        "joints": SLIDE,
        "kind": "absolute",
        "gripper": {"column": 1, "closed": 0, "open": 2},
    },
    "state": {"joints": SLIDE},
}
TOP = FRONT.model_copy(update={"name": "top"})
SLIDES = ObservationSpec(cameras=(TOP,), words="none", state="joints", joint_names=("0",))


def test_the_numbers_of_strangers_mean_what_the_policy_learnt_that_they_do(tmp_path: Path) -> None:
    foreign = write_lerobot(tmp_path / "set", Layout(dtype="image"))
    shown = {"observation": SLIDES, "gains": {}}
    said = {"meaning": merged(MEANING, {"action": {"gripper": {"open": 3}}})}
    unknown = replayed(foreign, "--policy", policy_in(tmp_path / "a", **shown))
    assert "is not given; missing" in str(unknown.exception)
    meant = policy_in(tmp_path / "b", **shown, metrics=said)
    known = replayed(foreign, "--policy", meant)
    assert (known.exit_code, "2 episodes, 7 rows" in known.output) == (0, True), known.output
    tool = policy_in(
        tmp_path / "c",
        observation=SLIDES.model_copy(update={"state": "tool"}),
        gains={},
        metrics=said,
    )
    refused = replayed(foreign, "--policy", tool)
    assert "add state.tool" in str(refused.exception)


def test_a_foreign_set_that_contradicts_the_meaning_is_refused(tmp_path: Path) -> None:
    foreign = write_lerobot(tmp_path / "set", Layout(dtype="image"))
    shown = {"observation": SLIDES, "gains": {}, "metrics": {"meaning": MEANING}}
    refused = replayed(foreign, "--policy", policy_in(tmp_path / "policy", **shown))
    assert "[gripper_range] action: the gripper goes from 0 to 2.94" in str(refused.exception)


def test_a_state_that_is_not_finite_is_named_and_an_empty_episode_is_none(tmp_path: Path) -> None:
    values = [[0, 0], [0, 0.1], [float("nan"), 0.2]]
    layout = Layout(
        version="v2.1",
        dtype="image",
        episodes={0: 0, 1: 3},
        columns={"observation.state": pa.array(values, pa.list_(pa.float32(), 2))},
    )
    episodes = open_dataset(write_lerobot(tmp_path / "set", layout))
    meaning = meaning_of(episodes, None, of="it", learnt=MEANING)
    assert list(observations(episodes, 0, seen=SLIDES, meaning=meaning)) == []
    with pytest.raises(DatasetError, match="it, episode 1, row 2: the state is not finite"):
        list(observations(episodes, 1, seen=SLIDES, meaning=meaning, of="it"))
    episodes.close()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"tolerance": "0.1"}, r"tolerance: .*found '0\.1'"),
        ({"tolerance": -1}, "tolerance: .*found '-1'"),
        ({"episodes": {"x": {}}}, "episodes.x.*"),
        ({"episodes": {"0": 5}}, "episodes.0: .*found '5'"),
        ({"episodes": {"0": {"instruction": "a", "rows": 3}}}, r"episodes\.0\.rows: .*found '3'"),
        ({"episodes": {"0": {"instruction": "a", "rows": [[None]]}}}, r"rows\.0\..*found 'None'"),
    ],
)
def test_a_golden_file_changed_by_hand_is_refused_with_the_value(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    golden = tmp_path / "golden.json"
    save_golden(golden, identity="a", episodes={0: Answers(instruction="a", rows=[[0.0], "held"])})
    assert load_golden(golden, identity="a").episodes[0].rows == [[0.0], "held"]
    golden.write_text(json.dumps(json.loads(golden.read_text()) | change))
    with pytest.raises(ConfigError, match=f"{fault}.*--update-golden"):
        load_golden(golden, identity="a")


def test_the_arm_of_a_set_is_shown_as_in_training(tmp_path: Path) -> None:
    """Joints are called as their columns; the last command is the gripper that is not observed."""
    names = ["slide.pos", "hand"]
    features = {"observation.state": {"dtype": "float32", "shape": [2], "names": names}}
    layout = Layout(dtype="image", names=names, features=features, episodes={0: 4})
    episodes = open_dataset(write_lerobot(tmp_path / "set", layout))
    joints = {"columns": ["slide.pos"]}
    parts = {part: {"joints": joints} for part in ("action", "state")}
    meaning = Meaning.model_validate(merged(MEANING, parts))
    seen = SLIDES.model_copy(update={"joint_names": ("slide",)})
    rows = list(observations(episodes, 0, seen=seen, meaning=meaning))
    learnt = episode_numbers(episodes, 0, meaning=meaning, observation=seen, horizon=2)
    episodes.close()
    for row, state in zip(rows, learnt.state, strict=True):
        assert joint_state(row.robot, seen.joint_names).tolist() == pytest.approx(state.tolist())
    assert learnt.state[:, 1].tolist() == pytest.approx([0, 0, 0.5, 1])


def test_a_policy_that_nothing_shows_is_refused(dataset: Path, tmp_path: Path) -> None:
    blind = ObservationSpec(words="none")
    result = replayed(dataset, "--policy", policy_in(tmp_path / "p", observation=blind, gains={}))
    assert "uses neither pictures nor perception" in str(result.exception)
