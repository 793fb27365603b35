"""A vision-language model's policy in the node, over DDS: it leads an arm under the same rules."""

from pathlib import Path

import pytest
from pixel_exports import DRIFT, HORIZON, STEP_S
from pixel_node import pixel_node
from policy_rig import going
from vlm_kit import SIDE_PX, policy_of

from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest, Sentences
from robot_vision.export.graph import export_graph
from robot_vision.model_store.policies import write_policy
from robot_vision.models.card import Size
from robot_vision.models.vla.adapter import ADAPTERS
from robot_vision.models.vla.backbone import open_folder
from robot_vision.models.vla.policy import vlm_graphs
from robot_vision.models.weights import Weights, write_weights
from robot_vision.training.vla.small_folder import write_small
from robot_vision.training.vla.words import write_words

pytestmark = pytest.mark.ros

SEEN = ObservationSpec(
    cameras=(CameraInput(name="front", width_px=SIDE_PX, height_px=SIDE_PX),), words="sentence"
)


def write_bundle(folder: Path, *, engine: str) -> Path:
    """A tiny PaliGemma with random weights that drifts away from the base."""
    small = write_small(
        folder / "small", "paligemma", ["go left"], width=16, layers=1, side_px=SIDE_PX, seed=0
    )
    adapter = ADAPTERS.get("paligemma")(open_folder(small))
    words = write_words(adapter, small, folder / "bundle")
    (words / "model.onnx").rename(words / "language.onnx")
    policy = policy_of(observation=SEEN, horizon=HORIZON)
    file = words / f"policy.{'onnx' if engine == 'onnx' else 'safetensors'}"
    if engine == "onnx":
        (graph,) = vlm_graphs(policy, policy.spec, Size(width_px=0, height_px=0))
        export_graph(graph, file)
    else:
        spec = policy.spec.model_dump(mode="json")
        tensors = policy.state_dict()
        write_weights(file, Weights(file=file, tensors=tensors, model="vlm-policy", spec=spec))
    manifest = PolicyManifest(
        name="vlm",
        kind="pixels",
        architecture="vlm-policy",
        file=file.name,
        language_file="language.onnx",
        action_spec=ActionSpec(
            model_id="vlm@1",
            perception_model_id="",
            step_s=STEP_S,
            horizon=HORIZON,
            history=0,
            statistics=DRIFT,
        ),
        observation=SEEN,
        sentences=Sentences(width=16, max_tokens=4),
    )
    write_policy(words, manifest)
    return words


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_it_leads_the_arm_and_holds_as_others_do(tmp_path: Path, engine: str) -> None:
    bundle = write_bundle(tmp_path, engine=engine)
    with pixel_node(bundle) as around:
        assert not around.policy.problem
        going(around, "go left")
        seen = around.wait_for_status(holding=False, masked=[])
        assert f'"identity":"{seen["identity"]}"' in around.spec
        around.instruct("go zebra")
        around.wait_until_held_for("unknown word 'zebra'")
        around.instruct("go left")
        around.wait_until_moving()
        around.frames = False
        around.wait_until_held_for("perception is", "s old")
