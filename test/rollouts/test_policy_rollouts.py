"""The simulated robot with perception in the loop: demonstrations, closed loop, evaluation."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from typer.testing import CliRunner

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.groups.joint_config import JointSpaceConfig
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.model_store.policies import find_policy
from robot_vision.policies.language.vocabulary import tokenise
from robot_vision.policies.observing.observation import encode_observation
from robot_vision.policies.observing.tokens import HAND, NONE, OBJECT_SLICES
from robot_vision.rollouts.collecting.collect import (
    PERCEPTION,
    CollectRecipe,
    collect_episodes,
    make_episode,
)
from robot_vision.rollouts.collecting.expert_policy import ExpertPolicy
from robot_vision.rollouts.collecting.labels import answer, labelled
from robot_vision.rollouts.collecting.vocabulary import robot_vocabulary
from robot_vision.rollouts.episode_files import (
    VOCABULARY_FILE,
    load_set,
    read_description,
    read_vocabulary,
)
from robot_vision.rollouts.evaluating.closed_loop import ClosedLoop, Delays, Record
from robot_vision.rollouts.evaluating.conditions import CONDITIONS, draw_trial
from robot_vision.rollouts.evaluating.evaluate import evaluate_policy
from robot_vision.rollouts.evaluating.outcome import jump_ratio
from robot_vision.rollouts.evaluating.report import draw_degradation, print_report
from robot_vision.rollouts.evaluating.summary import wilson
from robot_vision.rollouts.simulated_perception import Eyesight, SimulatedPerception
from robot_vision.simulation.content.palette import is_held_out
from robot_vision.simulation.robot.arms.arms import ARMS
from robot_vision.simulation.robot.episode import run_expert
from robot_vision.simulation.robot.work.drawn_tasks import absent_task, build_task_world
from robot_vision.simulation.robot.work.phrases import instruct
from robot_vision.simulation.robot.work.task import KINDS
from robot_vision.simulation.robot.work.tasks import success

MODEL = "native-s"


@pytest.fixture(scope="module")
def eyesight() -> Eyesight:
    return Eyesight(MODEL, {})


def recipe_of(**values: object) -> CollectRecipe:
    asked = {"seed": 3, "split": "train", "perception_model": MODEL, "frames": 3, "others": 4}
    return CollectRecipe(**(asked | values))  # type: ignore[arg-type]


def test_every_sentence_that_tasks_are_put_in_can_be_followed() -> None:
    vocabulary = robot_vocabulary()
    rng = np.random.default_rng(0)
    for number in range(12):
        world, task = build_task_world(rng, split="test", kind=KINDS[number % 3])
        world.close()
        for held_out in (False, True):
            for _ in range(40):
                text = instruct(task, rng, held_out=held_out)
                found = tokenise(text, vocabulary)
                assert not found.problem, text
                assert not found.unknown_words, text


def test_an_episode_depends_on_recipe_and_number_alone() -> None:
    one, again = (make_episode(recipe_of(), 4) for _ in range(2))
    other = make_episode(recipe_of(), 7)
    assert len(one) == 3
    for (inputs, samples), (inputs_again, samples_again) in zip(one, again, strict=True):
        for name in ("objects", "visual", "robot", "present"):
            assert np.array_equal(getattr(inputs, name), getattr(inputs_again, name)), name
        assert [s.texts for s in samples] == [s.texts for s in samples_again]
    assert not np.array_equal(one[0][0].robot, other[0][0].robot)


def test_episodes_are_continued_and_can_be_learnt_from(tmp_path: Path) -> None:
    folder, progress = tmp_path / "set", list[int]()
    collect_episodes(folder, recipe_of(), episodes=2, processes=1)
    (folder / VOCABULARY_FILE).unlink()  # as sets were before they had one
    before = (folder / "000001.npz").stat().st_mtime_ns
    collect_episodes(folder, recipe_of(), episodes=3, processes=1, on_progress=progress.append)
    assert progress == [2, 3]
    assert (folder / "000001.npz").stat().st_mtime_ns == before
    assert read_description(folder).perception_model_id.startswith(MODEL)
    assert read_vocabulary(folder) == robot_vocabulary()
    found = load_set([str(folder)], read_vocabulary(folder))
    assert len(found.robot) == 9
    assert found.pointers.any(axis=2).all()
    held = ~found.moves
    assert held.any()
    assert found.pointers[held][:, 0, NONE].all()
    assert not found.pointers[found.moves][:, 0, NONE].any()
    with pytest.raises(ConfigError, match="another set"):
        collect_episodes(folder, recipe_of(seed=5), episodes=3, processes=1)


def test_held_out_splits_show_what_training_never_does() -> None:
    new = [draw_trial(CONDITIONS["combinations"], seed=0, number=k, latency_s=0) for k in range(4)]
    old = [draw_trial(CONDITIONS["held_out"], seed=0, number=k, latency_s=0) for k in range(4)]
    for trial in [*new, *old]:
        trial.world.close()
    assert all(is_held_out(t.task.target.class_name, t.task.target.color_name) for t in new)
    assert not any(is_held_out(t.task.target.class_name, t.task.target.color_name) for t in old)


def test_conditions_share_scenes_and_change_one_thing() -> None:
    names = ("held_out", "delay_100", "swap", "absent")
    trials = {n: draw_trial(CONDITIONS[n], seed=0, number=1, latency_s=0.06) for n in names}
    for trial in trials.values():
        trial.world.close()
    plain, late = trials["held_out"], trials["delay_100"]
    assert plain.words == late.words
    assert np.array_equal(plain.world.data.qpos, late.world.data.qpos)
    assert late.delays.latency_s == pytest.approx(0.16)
    assert trials["absent"].task.target.item == -1
    if np.array_equal(plain.world.data.qpos, trials["swap"].world.data.qpos):
        assert trials["swap"].task.target.item != plain.task.target.item


def test_labels_point_at_the_token_of_what_is_named(eyesight: Eyesight) -> None:
    """By place: the token's measured centre lies at the item, which no token contains."""
    checked = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        world, task = build_task_world(rng, split="train", kind=KINDS[seed % 3])
        with world:
            sight = SimulatedPerception(world, eyesight, history=2, step_s=0.05)
            observation = sight.observe(sight.look())
            inputs = encode_observation(observation, history=2)
            seen = labelled(world, observation, inputs)
            sample = answer(seen, task, ("words",))
            if sample is not None:
                assert sample.action is not None
                assert not sample.pointers[0, HAND]
                middle = world.base_from_item(task.target.item)[:3, 3]
                for row in np.flatnonzero(sample.pointers[0]):
                    token = inputs.objects[row]
                    if token[OBJECT_SLICES["has_surface"]][0]:
                        away = token[OBJECT_SLICES["centre"]][:2] - middle[:2]
                        assert np.linalg.norm(away) < 0.08
                        checked += 1
            absent = answer(seen, absent_task(world, rng), ("words",))
            assert absent is not None
            assert absent.action is None
    assert checked >= 3


def test_what_the_hand_holds_can_be_pointed_at_though_unseen(eyesight: Eyesight) -> None:
    rng = np.random.default_rng(11)
    world, task = build_task_world(rng, split="train", kind="pick")
    with world:
        for tick in run_expert(world, task, rng=rng):
            last = tick
        assert last.success
        sight = SimulatedPerception(world, eyesight, history=2, step_s=0.05)
        observation = sight.observe(sight.look())
        seen = labelled(world, observation, encode_observation(observation, history=2))
        sample = answer(seen, task, ("words",))
    assert sample is not None
    assert sample.pointers[0, HAND]
    assert sample.action is not None
    assert np.all(sample.action[:, 6] == 0)


@pytest.mark.parametrize(("kind", "latency_s"), [("pick", 0.06), ("put", 0.06), ("push", 0.2)])
def test_the_experts_chunks_do_the_task_through_latency_and_limits(
    eyesight: Eyesight, kind: str, latency_s: float
) -> None:
    rng = np.random.default_rng(40 + len(kind))
    world, task = build_task_world(rng, split="test", kind=kind)  # type: ignore[arg-type]
    with world:
        sight = SimulatedPerception(world, eyesight, history=2, step_s=0.05)
        delays = Delays(latency_s=latency_s, depth=False)
        loop = ClosedLoop(sight, world, ExpertPolicy(world, task), "words", delays=delays)
        while world.time_s < task.time_out_s and not success(world, task):
            loop.advance()
        assert success(world, task)
    ratio = jump_ratio(loop.record)
    assert ratio is not None
    assert ratio < 1.5
    assert loop.record.starved == 0


@pytest.mark.parametrize("arm", sorted(ARMS))
def test_joint_commands_do_the_task_within_every_limit(eyesight: Eyesight, arm: str) -> None:
    rng = np.random.default_rng(43)
    world, task = build_task_world(rng, split="test", kind="pick", arm=ARMS[arm])
    config = PolicyConfig(joint_space=JointSpaceConfig(enabled=True))
    with world:
        sight = SimulatedPerception(world, eyesight, history=2, step_s=0.05)
        loop = ClosedLoop(
            sight,
            world,
            ExpertPolicy(world, task),
            "words",
            delays=Delays(depth=False),
            config=config,
        )
        while world.time_s < task.time_out_s and not success(world, task):
            loop.advance()
        assert success(world, task)
    assert loop.record.joint_violations == {"position": 0, "velocity": 0, "acceleration": 0}


def test_dropped_frames_starve_the_stream(eyesight: Eyesight) -> None:
    rng = np.random.default_rng(1)
    world, task = build_task_world(rng, split="test", kind="pick")
    with world:
        sight = SimulatedPerception(world, eyesight, history=2, step_s=0.05)
        loop = ClosedLoop(
            sight,
            world,
            ExpertPolicy(world, task),
            "words",
            delays=Delays(period_s=0.9),
        )
        while world.time_s < 2.0:
            loop.advance()
    assert loop.record.starved > 0


def test_no_truth_reaches_the_policy(eyesight: Eyesight) -> None:
    """An item that moves after the picture was taken changes nothing that the policy is given."""
    world, _ = build_task_world(np.random.default_rng(2), split="test", kind="pick")
    with world:
        sight = SimulatedPerception(world, eyesight, history=2, step_s=0.05)
        frame = sight.look()
        inputs = encode_observation(sight.observe(frame), history=2)
        before = world.base_from_item(0)
        joint = world.model.body_jntadr[world.items[0].body_id]
        world.data.qpos[world.model.jnt_qposadr[joint]] += 0.3
        world.step(0.0)
        assert not np.allclose(before, world.base_from_item(0))
        again = SimulatedPerception(world, eyesight, history=2, step_s=0.05)
        seen = encode_observation(again.observe(frame), history=2)
    assert inputs.present.any()
    assert np.array_equal(inputs.objects, seen.objects)
    assert np.array_equal(inputs.visual, seen.visual)


def test_intervals_are_wilsons() -> None:
    # Published: 9 of 10 gives .596 to .982 (Brown, Cai and DasGupta 2001, formula 4).
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-3)
    assert wilson(0, 20)[0] == 0
    assert wilson(0, 0) == (0, 1)


def test_a_jump_at_the_beginning_of_chunks_is_seen() -> None:
    smooth = Record(step_m=[0.001] * 60, is_boundary=([True] + [False] * 5) * 10)
    assert jump_ratio(smooth) == pytest.approx(1)
    jumping = Record(step_m=([0.003] + [0.001] * 5) * 10, is_boundary=([True] + [False] * 5) * 10)
    assert jump_ratio(jumping) == pytest.approx(3)
    assert jump_ratio(Record()) is None


def test_unknown_conditions_are_named() -> None:
    with pytest.raises(ConfigError, match="available: held_out"):
        evaluate_policy("any", conditions=["fog"], episodes=1, seed=0, latency_s=0.1, processes=1)


def test_commands_start_without_what_they_do_not_need() -> None:
    import subprocess

    code = (
        "import sys, robot_vision.rollouts.collecting.collect;"
        "import robot_vision.rollouts.evaluating.evaluate;"
        "print([m for m in ('torch', 'rclpy', 'rosbags', 'mcap', 'pyarrow', 'matplotlib')"
        " if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
def test_from_the_simulated_robot_to_an_evaluated_bundle(tmp_path: Path) -> None:
    from robot_vision.cli import app

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == 0, result.output
        return result.output

    data, bundle, out = tmp_path / "data", tmp_path / "policy-s", tmp_path / "evaluation"
    run("collect", "--out", str(data), "--episodes", "6", "--frames", "12", "--processes", "2")
    assert read_description(data).perception == PERCEPTION
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "task: policy\nmodel: policy-s\n"
        "run: {steps: 30, budget_minutes: 0, batch_size: 32, round_steps: 15}\n"
        f"options: {{train_sets: [{data}], val_sets: [{data}], val_samples: 60}}\n"
    )
    run("train", str(recipe), "--out", str(tmp_path / "run"))
    run("export", str(tmp_path / "run"), "--out", str(bundle))
    assert find_policy(str(bundle)).manifest.perception == PERCEPTION
    common = ["--policy", str(bundle), "--processes", "2"]
    names = "absent,lost_50,held_out"
    run("evaluate", "policy", *common, "--episodes", "2", "--conditions", names, "--out", str(out))
    report = json.loads((out / "evaluation.json").read_text())
    assert report["conditions"]["held_out"]["success"]["n"] == 2
    assert len((out / "episodes.jsonl").read_text().splitlines()) == 7
    print_report(report)
    assert draw_degradation(report, out / "again.png")
    again = run(
        "evaluate", "policy", *common, "--episodes", "2", "--conditions", names, "--out", str(out)
    )
    assert "policy-s@1" in again
    assert len((out / "episodes.jsonl").read_text().splitlines()) == 7
    folder = tmp_path / "led"
    led = ["--policy", str(bundle), "--frames", "4", "--episodes", "1", "--processes", "1"]
    run("collect", "--out", str(folder), "--seed", "5", *led)
    assert (folder / "000000.npz").exists()
