"""Policies from pixels of any fusion and head, with weights drawn at random, as bundles.

They drift away from the base, each by its own little ways, and answer NaN to a dark picture.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.core.parameters.params import Params
from robot_vision.export.graph import export_graph
from robot_vision.model_store.policies import write_policy
from robot_vision.models.card import Size
from robot_vision.models.fusion.fusion import FUSIONS
from robot_vision.models.heads.head import HEADS
from robot_vision.models.policies.chunk_serving import served_graphs
from robot_vision.models.policies.pixel_spec import PixelPolicySpec
from robot_vision.models.policies.pixels import PixelPolicy
from robot_vision.models.policies.pointer import LANGUAGE_FILE, NETWORK_FILE
from robot_vision.models.registry import MODELS

SEEN = ObservationSpec(
    cameras=(
        CameraInput(name="front", width_px=48, height_px=32, has_depth=True),
        CameraInput(name="wrist", width_px=32, height_px=32),
    ),
    steps=2,
)
WORDS = Vocabulary(words=("go", "left", "wait"), things=(), actions=(), max_words=4)
# All that a policy that knows where its cameras are may be shown beside.
PLACES: dict[str, Any] = {
    "depth": "points",
    "pointing": True,
    "gating": True,
    "patches": 2,
    "poses": {
        "front": {"position_m": (0.45, 0.0, 1.55), "rotation": (3.1415, 0.0, 0.0)},
        "wrist": {"position_m": (0.05, 0.0, -0.1), "mount": "tool"},
    },
}
HORIZON, STEP_S = 8, 0.1
# 5 mm a second, and about a tenth of that at random.
DRIFT = ActionStatistics(
    mean=(0.0005, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0), scale=(0.00005,) * 3 + (0.0001,) * 3 + (0.1,)
)
_DARK = 40
_SMALL = {"layers": 1, "blocks": 1, "steps": 2, "iterations": 1, "moments": 2}


def write_exported(
    folder: Path, *, fusion: str, head: str, perceived_by: str = "", **spec: Any
) -> Path:
    """A bundle as `robot-vision export` writes it; returns `folder`.

    `spec` has what of the network differs. One that knows places sees them as in `sim.yaml`; one
    whose observation has perception takes that of the bundle `perceived_by`.
    """
    torch.manual_seed(0)
    policy = PixelPolicy(_spec(fusion, head, spec)).eval()
    seen = policy.spec.observation
    place = list(policy.input_shapes).index(f"rgb_{seen.cameras[0].name}")
    for graph in served_graphs(policy, policy.spec, Size(width_px=0, height_px=0)):
        is_network = graph.file == NETWORK_FILE
        module = _AfraidOfDark(graph.module, place) if is_network else graph.module
        export_graph(replace(graph, module=module), folder / graph.file)
    action_spec = ActionSpec(
        model_id="random@1",
        perception_model_id=perceived_by,
        step_s=STEP_S,
        horizon=HORIZON,
        history=0,
        statistics=DRIFT,
    )
    manifest = PolicyManifest(
        name="random",
        kind="pixels",
        architecture="pixel-policy",
        file=NETWORK_FILE,
        language_file=LANGUAGE_FILE,
        action_spec=action_spec,
        observation=seen,
        class_names=("cube", "cup") if perceived_by else (),
        vocabulary=WORDS,
    )
    write_policy(folder, manifest)
    return folder


def _spec(fusion: str, head: str, more: dict[str, Any]) -> PixelPolicySpec:
    """The card's tiny one with other parts."""
    tiny = MODELS.get("pixel-policy").tiny
    assert isinstance(tiny, PixelPolicySpec)
    values = {
        "observation": SEEN.model_dump(),
        "fusion": {"name": fusion, "options": _small(FUSIONS.get(fusion).Options)},
        "head": {"name": head, "options": _small(HEADS.get(head).Options)},
        "words": len(WORDS.words),
        "max_words": WORDS.max_words,
        "horizon": HORIZON,
    }
    return PixelPolicySpec.model_validate(tiny.model_dump() | values | more)


def _small(options: type[Params]) -> dict[str, int]:
    """Options that make a part quick to export, where it has them."""
    return {name: size for name, size in _SMALL.items() if name in options.model_fields}


class _AfraidOfDark(nn.Module):
    """The network; where the newest picture is dark its actions are NaN."""

    def __init__(self, network: nn.Module, place: int) -> None:
        super().__init__()
        self.network, self.place = network, place

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        action, *carried = self.network(*inputs)
        light = inputs[self.place][:, -1].float().mean() - _DARK
        return (action + 0 * light.log(), *carried)
