"""Policies that take perception's features and tracks: learnt offline, served on robots."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demonstrations_kit import BASE_FROM_CAMERA, write_episodes
from lerobot_kit import Layout, write_lerobot
from native_bundle import make_native_bundle
from runs import Rows, tiny_spec
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.observation_spec import (
    CameraInput,
    FromPerception,
    ObservationSpec,
)
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Observation, RobotState
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.meaning.meaning import Meaning
from robot_vision.datasets.open_dataset import open_dataset
from robot_vision.export.bundle import export_run
from robot_vision.export.measuring.demonstrations import JudgeOptions, measure_demonstrations
from robot_vision.model_store.policies import find_policy
from robot_vision.pipeline import build_pipeline
from robot_vision.policies.pixels.inputs import pixel_inputs
from robot_vision.policies.pixels.policy import PixelPolicy
from robot_vision.replay.judging.episodes import observations
from robot_vision.replay.judging.perceiving import Perceiving
from robot_vision.training.data.demonstrations.sets import all_episodes
from robot_vision.training.demonstrations.demonstrations import open_demonstrations
from robot_vision.training.demonstrations.perceived import perceiving
from robot_vision.training.demonstrations.perceived.perceiving import PerceptionAsked
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.run import build_run

SEEN = ObservationSpec(
    cameras=(CameraInput(name="front", width_px=64, height_px=32),),
    words="none",
    perception=("features", "tracks"),
)
BLIND = ObservationSpec(words="none", perception=("features",))
LENGTHS = [4, 5]


def recipe_for(root: Path, observation: ObservationSpec = SEEN, **options: Any) -> Recipe:
    values: dict[str, Any] = {
        "task": "demonstrations",
        "model": "pixel-policy",
        "spec": tiny_spec("pixel-policy"),
        "run": {"steps": 3, "batch_size": 2, "rounds_per_evaluation": 1},
        "options": {
            "train_sets": [str(root / "set")],
            "val_sets": [str(root / "set")],
            "observation": observation.model_dump(mode="json"),
            "horizon": 3,
            "cache_dir": str(root / "cache"),
            "perception": {"model": "seer", "camera": "front"},
            **options,
        },
    }
    return recipe_of(values)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A set, a bundle of perception in the store, a run of three steps, and its bundle."""
    root = tmp_path_factory.mktemp("perceived")
    write_episodes(root / "set", LENGTHS)
    make_native_bundle(root / "store" / "seer", channels=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROBOT_VISION_MODELS", str(root / "store"))
        train(recipe_for(root), root / "run", reporter=Rows())
        export_run(root / "run", root / "bundle")
        yield root


def served(root: Path, number: int, model: str = "seer") -> list[Observation]:
    """What the node would know at each row of an episode."""
    pipeline = build_pipeline(ServiceConfig(model=model, device="cpu", threads=1))
    found = list[Observation]()
    with Dataset(root / "set") as dataset:
        for row in range(LENGTHS[number]):
            step = dataset.step(number, row)
            robot = RobotState(
                stamp_ns=step.frames["front"].stamp_ns,
                joint_position_rad=np.zeros(0),
                base_from_tool=step.robot.base_from_tool,
                gripper_open=step.robot.gripper_open,
            )
            found.append(
                Observation(
                    perception=pipeline.process(step.frames["front"]),
                    base_from_camera=BASE_FROM_CAMERA,
                    robot=robot,
                )
            )
    return found


def test_the_bundle_says_whose_perception_it_takes(trained: Path) -> None:
    manifest = find_policy(trained / "bundle").manifest
    assert manifest.action_spec.perception_model_id == served(trained, 0)[0].perception.model_id
    assert manifest.class_names == ("cube", "cup")
    assert manifest.observation == SEEN
    assert manifest.metrics["onnx_against_torch_max"] < 1e-4


def test_training_sees_what_the_service_sees(trained: Path) -> None:
    task = build_run(recipe_for(trained)).task
    judged = task._judged(task._learnt, task._spoken)  # type: ignore[attr-defined]
    policy = PixelPolicy(find_policy(trained / "bundle"), threads=1)
    held = 0
    for row, observation in enumerate(served(trained, 0)):
        shown = judged.inputs(np.array([row]))
        arrays = pixel_inputs(observation, SEEN).arrays
        for name in ("features", "features_seen", "tracks", "tracks_seen"):
            np.testing.assert_allclose(shown[name], arrays[name], atol=1e-3, err_msg=name)
        assert arrays["tracks_seen"].any() or row == 0
        decision = policy.decide(observation, policy.instruct(""))
        assert decision.action is not None, decision.hold_reason
        expected, _ = policy._graph.run(shown, np.zeros((0, 0), np.float32), {}, seed=0)
        held += int(np.abs(decision.action - expected).max() < 1e-2)
    assert held == LENGTHS[0]


def test_the_encoder_of_perception_is_encoder_enough(trained: Path, tmp_path: Path) -> None:
    """A policy without cameras: features of `native-s` itself, which differ from row to row."""
    perception = {"model": "native-s", "camera": "front"}
    recipe = recipe_for(trained, BLIND, perception=perception)
    model = build_run(recipe).model
    assert not any("encoder" in name for name, _ in model.named_parameters())
    train(recipe, tmp_path / "run", reporter=Rows())
    export_run(tmp_path / "run", tmp_path / "bundle")
    policy = PixelPolicy(find_policy(tmp_path / "bundle"), threads=1)
    source = all_episodes(trained / "set", recipe.options).source
    assert source.perceived is not None
    features = source.perceived.features
    assert features is not None
    observations = served(trained, 1, "native-s")
    for row, observation in enumerate(observations, start=LENGTHS[0]):
        assert observation.perception.features is not None
        expected = observation.perception.features.grid
        np.testing.assert_allclose(features[row], expected, atol=2e-3 * np.abs(expected).max())
        decision = policy.decide(observation, policy.instruct(""))
        assert decision.action is not None, decision.hold_reason
    assert not np.array_equal(features[4], features[6])


def test_another_perception_holds_with_the_reason(trained: Path, tmp_path: Path) -> None:
    policy = PixelPolicy(find_policy(trained / "bundle"), threads=1)
    other = served(trained, 0, "native-s")[0]
    held = policy.decide(other, policy.instruct("")).hold_reason
    assert held.startswith("perception runs native-s@")
    assert "was trained on" in held
    make_native_bundle(tmp_path / "other", channels=8)
    with pytest.raises(ConfigError, match="8 channels; the policy expects 64"):
        build_run(recipe_for(trained, perception={"model": str(tmp_path / "other")}))


def test_features_of_other_sizes_hold_with_the_reason(trained: Path) -> None:
    policy = PixelPolicy(find_policy(trained / "bundle"), threads=1)
    seen = served(trained, 0)[0]
    features = seen.perception.features
    assert features is not None
    wide = replace(features, grid=np.repeat(features.grid, 2, axis=2))
    shown = replace(seen, perception=replace(seen.perception, features=wide))
    held = policy.decide(shown, policy.instruct("")).hold_reason
    assert "features have the shape [64, 3, 8]; the policy was trained with [64, 3, 4]" in held


def asked(root: Path, **values: Any) -> Any:
    perception = {"model": "seer", "camera": "front", "takes": ("features",)} | values
    return open_demonstrations(
        [root / "set"],
        observation=SEEN,
        horizon=3,
        cache_dir=root / "again",
        workers=1,
        perception=PerceptionAsked(**perception),
    ).perceived


def test_it_goes_on_where_it_stopped_and_is_kept(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_episode, done = perceiving._of_episode, list[str]()

    def counted(pipeline: Any, what: Any, episode: Any) -> Any:
        if len(done) == 1 and done != ["stopped"]:
            done[:] = ["stopped"]
            raise KeyboardInterrupt
        done.append(episode.name.rpartition(" ")[2])
        return of_episode(pipeline, what, episode)

    monkeypatch.setattr(perceiving, "_of_episode", counted)
    with pytest.raises(KeyboardInterrupt):
        asked(trained)
    found = asked(trained)
    assert done == ["stopped", "1"]
    assert found.features.shape == (sum(LENGTHS), 64, 3, 4)
    assert found.features[0].any()
    monkeypatch.setattr(perceiving, "build_perceiver", None)
    np.testing.assert_array_equal(asked(trained).features, found.features)
    with pytest.raises(TypeError):  # other parameters, other files
        asked(trained, parameters={"detector.score_threshold": 0.4})


@pytest.mark.usefixtures("trained")
def test_tracks_need_to_know_where_the_camera_is(tmp_path: Path) -> None:
    joints = {"columns": [0], "angle_unit": "rad", "names": ["slide"]}
    gripper = {"column": 1, "closed": 0, "open": 10}
    with pytest.raises(ConfigError, match="where the camera is is not known: give `cameras`"):
        open_demonstrations(
            [write_lerobot(tmp_path / "set", Layout(dtype="image"))],
            meaning={
                "rate_hz": 10,
                "action": {"joints": joints, "kind": "absolute", "gripper": gripper},
                "state": {"joints": joints, "gripper": gripper},
            },
            observation=ObservationSpec(state="joints", words="none"),
            horizon=3,
            cache_dir=tmp_path / "cache",
            workers=1,
            perception=PerceptionAsked(model="seer", camera="top", takes=("tracks",)),
        )


def test_a_bundle_is_judged_by_the_perception_that_it_knows(trained: Path, tmp_path: Path) -> None:
    options = JudgeOptions(period_s=0.05, cache_dir=str(trained / "cache"), tiles=2)
    policy = find_policy(trained / "bundle")
    found = measure_demonstrations(policy, trained / "set", out=tmp_path / "out", options=options)
    assert found.figures["error"] == pytest.approx(policy.manifest.metrics["error"], rel=0.02)


def test_a_golden_file_judges_it_by_what_the_node_would_see(trained: Path, tmp_path: Path) -> None:
    golden = tmp_path / "golden.json"
    asked = ["replay", str(trained / "set"), "--policy", str(trained / "bundle"), "--golden"]
    written = CliRunner().invoke(app, [*asked, str(golden), "--update-golden"])
    assert written.exit_code == 0, written.output
    assert "picture to action" in written.output
    policy = PixelPolicy(find_policy(trained / "bundle"), threads=1)
    episodes = json.loads(golden.read_text())["episodes"]
    assert [len(e["rows"]) for e in episodes.values()] == LENGTHS
    for number, episode in episodes.items():
        for row, observation in zip(episode["rows"], served(trained, int(number)), strict=True):
            action = policy.decide(observation, policy.instruct("")).action
            assert action is not None
            np.testing.assert_allclose(row[: action.shape[1]], action[0], atol=1e-3)
    again = CliRunner().invoke(app, [*asked, str(golden)])
    assert (again.exit_code, "pass" in again.output) == (0, True), again.output
    other = CliRunner().invoke(app, [*asked, str(golden), "--model", "native-s"])
    assert "was trained on" in str(other.exception)
    assert "name its bundle with --model" in str(other.exception)


@pytest.mark.usefixtures("trained")
def test_no_track_is_placed_where_the_set_does_not_say_where_the_camera_is(tmp_path: Path) -> None:
    joints = {"columns": [0], "angle_unit": "rad", "names": ["slide"]}
    gripper = {"column": 1, "closed": 0, "open": 10}
    action = {"joints": joints, "kind": "absolute", "gripper": gripper}
    said = {"rate_hz": 10, "action": action, "state": {"joints": joints, "gripper": gripper}}
    episodes = open_dataset(write_lerobot(tmp_path / "set", Layout(dtype="image")))
    pipeline = build_pipeline(ServiceConfig(model="seer", device="cpu", threads=1))

    def shown(takes: FromPerception) -> Iterator[Observation]:
        return observations(
            episodes,
            0,
            seen=ObservationSpec(perception=(takes,), state="none"),
            meaning=Meaning.model_validate(said),
            perceiving=Perceiving(pipeline=pipeline, camera="top"),
        )

    assert [o.perception.features is not None for o in shown("features")] == [True] * 3
    with pytest.raises(ConfigError, match="where the tool was is not known: give `cameras`"):
        next(shown("tracks"))
    episodes.close()


def test_recipes_that_cannot_be_are_refused(trained: Path) -> None:
    nothing = ObservationSpec(perception=("features",))
    with pytest.raises(
        ConfigError, match=r"name perception's camera in options\.perception\.camera"
    ):
        build_run(recipe_for(trained, nothing, perception={"model": "seer"}))
    filled = SEEN.model_copy(update={"perception": ("depth",)})
    with pytest.raises(ConfigError, match="training on filled depth is not supported"):
        build_run(recipe_for(trained, filled))
