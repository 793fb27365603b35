"""A policy's identity: one hash over all that decides what its numbers do."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pixel_bundle import FRONT, WRIST, write_pixel_bundle

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.model_store.policies import find_policy, open_policy

JOINTS = ("shoulder", "elbow")
SEEN = ObservationSpec(cameras=(FRONT,), words="none")


def tiny(folder: Path, **changes: Any) -> PolicyManifest:
    """The manifest of a policy for two joints, written."""
    spec = {"joint_names": JOINTS, **changes.pop("spec", {})}
    values = {"observation": SEEN, "base": (0.0, 0.0, 1.0), "spec": spec, **changes}
    return write_pixel_bundle(folder, **values).manifest


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find_policy("policy-s").path, tmp_path / "policy"))


def change(folder: Path, **values: Any) -> None:
    file = folder / "policy.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | values))


def test_the_identity_is_written_and_verified(tmp_path: Path) -> None:
    written = tiny(tmp_path)
    read = open_policy(tmp_path).manifest
    assert len(written.identity) == 64
    assert read.identity == read.action_spec.identity == written.identity
    slower = SEEN.model_copy(update={"step_s": 0.2}).model_dump(mode="json")
    change(tmp_path, observation=slower)
    with pytest.raises(BundleError, match=r"identity is .*the file was changed after its export"):
        open_policy(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("action_spec.statistics.scale", [1.0, float("nan"), 1.0], r"scale\.1.* finite"),
        ("metrics.meaning", "x", "metrics.meaning is 'x'; expected the fields of one"),
        ("metrics.mean_action", [1.0, 2.0], "mean_action .*; expected 3 finite numbers"),
        ("metrics.mean_action", [1.0, 2.0, float("inf")], "expected 3 finite numbers"),
    ],
)
def test_numbers_written_by_hand_are_refused_with_their_place(
    tmp_path: Path, path: str, value: object, fault: str
) -> None:
    tiny(tmp_path)
    file = tmp_path / "policy.yaml"
    described = yaml.safe_load(file.read_text())
    *parents, name = path.split(".")
    at = described
    for parent in parents:
        at = at[parent]
    at[name] = value
    file.write_text(yaml.safe_dump(described))
    with pytest.raises(BundleError, match=fault):
        open_policy(tmp_path)


def test_names_and_figures_are_not_part_of_it(tmp_path: Path) -> None:
    renamed = tiny(tmp_path, name="other", version="9", metrics={"x": 1}, licence="MIT")
    assert renamed.identity == tiny(tmp_path).identity


@pytest.mark.parametrize(
    "changed",
    [
        {"base": (0.0, 0.0, 0.9)},
        {"spec": {"statistics": ActionStatistics(mean=(0.0,) * 3, scale=(1.0, 1.0, 1.1))}},
        {"spec": {"step_s": 0.2}},
        {"spec": {"joint_names": JOINTS[::-1]}},
        {"observation": SEEN.model_copy(update={"cameras": (WRIST,)})},
        {"observation": SEEN.model_copy(update={"state": "none"})},
        {"perception": {"detector.score_threshold": 0.4}},
    ],
    ids=["weights", "statistics", "rate", "joints", "camera", "state", "perception"],
)
def test_all_that_decides_is(tmp_path: Path, changed: dict[str, Any]) -> None:
    assert tiny(tmp_path, **changed).identity != tiny(tmp_path).identity


def test_a_bundle_of_before_gets_one_when_it_is_read(shipped: Path) -> None:
    manifest = open_policy(shipped).manifest
    assert manifest.action_spec.identity == manifest.identity == manifest.computed_identity
    change(shipped, identity="0" * 64)
    with pytest.raises(BundleError, match="identity is 0000"):
        find_policy(shipped)


def test_statistics_have_a_number_for_each_of_an_action() -> None:
    seven = ActionStatistics(mean=(0.0,) * 7, scale=(1.0,) * 7)
    described = {"model_id": "a", "perception_model_id": "", "joint_names": JOINTS}
    with pytest.raises(ValueError, match=r"statistics have 7 numbers; expected 3 \(joints and"):
        ActionSpec(**{**described, "statistics": seven})
    with pytest.raises(ValueError, match="mean has 2 numbers, scale has 1"):
        ActionStatistics(mean=(0.0, 1.0), scale=(1.0,))


def test_words_of_a_vocabulary_need_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a vocabulary and a language_file"):
        PolicyManifest(name="a", architecture="a", action_spec=tiny(tmp_path).action_spec)
