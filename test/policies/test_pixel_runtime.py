"""Policies from pixels in ONNX Runtime: what they see, what is masked, what they remember."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from controller_rig import pose_of, robot_of
from pixel_bundle import FRONT, WRIST, write_pixel_bundle

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Frame, Observation, Picture, RobotState
from robot_vision.model_store.policies import find_policy
from robot_vision.policies.pixels.inputs import pixel_inputs
from robot_vision.policies.pixels.policy import PixelPolicy
from robot_vision.policies.registry import load_policy

NOW_NS = 10**12
TWO = ObservationSpec(cameras=(FRONT, WRIST), steps=3, step_s=0.1, words="none")
ONE = ObservationSpec(cameras=(FRONT,), words="none", state="none")


def at(seconds: float) -> int:
    return NOW_NS + round(seconds * NS_PER_S)


def picture(seconds: float, value: int = 100, *, depth_m: float | None = None) -> Picture:
    depth = None if depth_m is None else np.full((48, 64), depth_m, np.float32)
    rgb = np.full((48, 64, 3), value, np.uint8)
    return Picture(stamp_ns=at(seconds), rgb=rgb, depth_m=depth)


def observation_of(
    pictures: dict[str, tuple[Picture, ...]], *, seconds: float = 0.0, **values: Any
) -> Observation:
    rgb = np.zeros((48, 64, 3), np.uint8)
    frame = Frame(stamp_ns=at(seconds), frame_id="front", rgb=rgb)
    seen = {
        "perception": unperceived(frame),
        "base_from_camera": np.eye(4),
        "robot": robot_of(pose_of(), at(seconds)),
        "pictures": pictures,
    }
    return Observation(**{**seen, **values})


def policy_of(folder: Path, observation: ObservationSpec, **values: Any) -> PixelPolicy:
    write_pixel_bundle(folder, observation=observation, **values)
    policy = load_policy(str(folder), threads=1)
    assert isinstance(policy, PixelPolicy)
    return policy


def first_number(policy: PixelPolicy, observation: Observation, words: str = "go") -> float:
    decision = policy.decide(observation, policy.instruct(words))
    assert decision.action is not None, decision.hold_reason
    return float(decision.action[0, 0])


def test_history_has_the_nearest_picture_that_is_not_newer_with_its_real_age() -> None:
    front = tuple(picture(s, v) for s, v in ((-0.25, 1), (-0.12, 2), (-0.03, 3), (0.0, 4)))
    seen = pixel_inputs(observation_of({"front": front, "wrist": front}), TWO)
    newest_last = seen.arrays["rgb_front"][0, :, 0, 0, 0]
    assert newest_last.tolist() == [1, 2, 4]
    assert seen.arrays["age_s"][0] == pytest.approx([0.25, 0.12, 0.0], abs=1e-6)
    assert seen.arrays["rgb_front"].shape == (1, 3, 24, 32, 3)
    assert seen.masked == ("state of the arm (2 of 3 steps)",)


def test_a_camera_that_is_gone_is_masked_and_said() -> None:
    front, gone = (picture(-0.2), picture(-0.1), picture(0.0)), (picture(-0.6),)
    seen = pixel_inputs(observation_of({"front": front, "wrist": gone}), TWO)
    assert seen.arrays["seen_front"].all()
    assert not seen.arrays["seen_wrist"].any()
    assert not seen.arrays["rgb_wrist"].any()
    assert "camera wrist" in seen.masked


def test_depth_that_is_missing_or_measures_nothing_is_masked() -> None:
    with_depth = FRONT.model_copy(update={"has_depth": True})
    spec = ONE.model_copy(update={"cameras": (with_depth,)})
    for depth_m, is_there in ((0.7, True), (None, False), (0.0, False), (np.nan, False)):
        observation = observation_of({"front": (picture(0, depth_m=depth_m),)})
        seen = pixel_inputs(observation, spec)
        assert seen.arrays["depth_seen_front"].item() == is_there
        assert seen.masked == (() if is_there else ("depth of front",))
        assert np.isfinite(seen.arrays["depth_front"]).all()


def test_the_state_is_canonical() -> None:
    spec = ObservationSpec(cameras=(FRONT,), words="none", state="joints", joint_names=("b", "a"))
    robot = RobotState(
        stamp_ns=NOW_NS,
        joint_position_rad=np.array([0.1, 0.2]),
        base_from_tool=pose_of((0.4, 0.1, 0.2)),
        gripper_open=0.5,
        joint_names=("a", "b"),
    )
    shown = observation_of({"front": (picture(0),)}, robot=robot)
    joints = pixel_inputs(shown, spec).arrays["state"][0, 0]
    assert joints == pytest.approx([0.2, 0.1, 0.5])
    tool = pixel_inputs(shown, spec.model_copy(update={"state": "tool"})).arrays["state"][0, 0]
    assert tool == pytest.approx([0.4, 0.1, 0.2, 1, 0, 0, 0, -1, 0, 0.5], abs=1e-6)
    with pytest.raises(ValueError, match="lacks joint c, which the policy needs"):
        pixel_inputs(shown, spec.model_copy(update={"joint_names": ("a", "c")}))


def test_it_decides_by_what_it_sees(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, ONE, gains={"rgb_front": 0.01})
    dark, bright = ({"front": (picture(0, value),)} for value in (50, 200))
    assert first_number(policy, observation_of(dark)) == pytest.approx(0.5)
    assert first_number(policy, observation_of(bright)) == pytest.approx(2.0)
    decision = policy.decide(observation_of({"front": (picture(-3),)}), policy.instruct("go"))
    assert decision.action is None
    assert decision.hold_reason == "no camera of the policy has a current picture"


def test_words_are_encoded_and_unknown_ones_held(tmp_path: Path) -> None:
    spec = ONE.model_copy(update={"words": "vocabulary"})
    policy = policy_of(tmp_path, spec, gains={"text": 1.0})
    shown = observation_of({"front": (picture(0),)})
    assert first_number(policy, shown, "go left") == pytest.approx(1.0)  # (1 + 3) / 4 words
    inputs = policy.decide(shown, policy.instruct("go left")).inputs
    assert inputs is not None
    assert inputs["text_seen"].sum() == 2
    assert (inputs["rgb_front"] == 100).all()
    assert "unknown word 'dance'; known words: 'go'" in policy.instruct("go dance").problem


def test_memory_is_carried_and_cleared_by_words_gaps_and_clocks(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, ONE, counts=True)
    go = policy.instruct("go")

    def count(seconds: float, instruction: Any = go) -> float:
        shown = observation_of({"front": (picture(seconds),)}, seconds=seconds)
        action = policy.decide(shown, instruction).action
        assert action is not None
        return float(action[0, 0])

    assert [count(0.0), count(0.1), count(0.2)] == [0, 1, 2]
    assert count(5.0) == 0  # a gap
    assert count(5.1) == 1
    assert count(1.0) == 0  # the clock went back
    assert count(1.1) == 1
    assert count(1.2, policy.instruct("go")) == 0  # said anew, as after a reset


def test_noise_follows_from_the_stamp(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, ONE, noise=True)

    def drawn(seconds: float) -> float:
        shown = observation_of({"front": (picture(seconds),)}, seconds=seconds)
        action = policy.decide(shown, policy.instruct("go")).action
        assert action is not None
        return float(action[0, 1])

    assert drawn(0.0) == drawn(0.0) != drawn(0.1)


def test_features_of_another_perception_are_foreign(tmp_path: Path) -> None:
    spec = ONE.model_copy(update={"perception": ("features",)})
    policy = policy_of(tmp_path, spec, spec={"perception_model_id": "native@1"})
    shown = observation_of({"front": (picture(0),)})
    held = policy.decide(shown, policy.instruct("go")).hold_reason
    assert "tiny@1 was trained on native@1" in held
    ours = replace(shown, perception=replace(shown.perception, model_id="native@1"))
    assert policy.decide(ours, policy.instruct("go")).masked == ("features of perception",)


def test_a_network_that_takes_other_pictures_does_not_load(tmp_path: Path) -> None:
    bundle = write_pixel_bundle(tmp_path / "a", observation=ONE)
    wide = FRONT.model_copy(update={"width_px": 64})
    other = write_pixel_bundle(
        tmp_path / "b", observation=ONE.model_copy(update={"cameras": (wide,)})
    )
    other.network_path.write_bytes(bundle.network_path.read_bytes())
    sha256 = bundle.manifest.sha256
    manifest = other.manifest.model_copy(update={"sha256": sha256}).identified()
    swapped = replace(other, manifest=manifest)
    with pytest.raises(BundleError, match=r"has input rgb_front of shape \[1, 1, 24, 32, 3\]"):
        PixelPolicy(swapped)
    fewer = bundle.manifest.model_copy(update={"observation": TWO})
    with pytest.raises(BundleError, match="expected rgb_front"):
        PixelPolicy(replace(bundle, manifest=fewer))


def test_the_bundle_is_found_with_its_identity(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, ONE)
    assert policy.spec.identity == find_policy(tmp_path).manifest.identity != ""
