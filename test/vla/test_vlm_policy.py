"""`vlm-policy`: what it depends on, what of it learns, and that it is served as it was trained."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from vlm_kit import WIDTH, model_of, policy_of, spec_of

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.export.graph import export_graph
from robot_vision.export.parity import check_parity
from robot_vision.models.card import Size
from robot_vision.models.fusion.fusion import FUSIONS
from robot_vision.models.policies.chunk_serving import example_of
from robot_vision.models.policies.pixel_spec import PartChoice
from robot_vision.models.vla.backbone import load_backbone
from robot_vision.models.vla.policy import VlmPolicy, vlm_graphs
from robot_vision.training.engine.stepping.recompute import recompute_blocks

# Fusions of the maps that an encoder makes, of which there are none.
OF_MAPS = ("early", "fpn")
NO_SIZE = Size(width_px=0, height_px=0)
MEMORY = PartChoice(name="memory", options={"layers": 1, "moments": 2, "queries": 2})


def inputs_of(policy: VlmPolicy, batch: int = 2) -> dict[str, Tensor]:
    return example_of(policy.input_shapes, batch)


@torch.no_grad()
def shaken(policy: VlmPolicy) -> VlmPolicy:
    """Weights that differ from zero, also where training begins at zero."""
    torch.manual_seed(1)
    for parameter in policy.parameters():
        parameter += 0.05 * torch.randn_like(parameter)
    return policy


@pytest.mark.parametrize(
    ("kind", "adapter", "changes"),
    [
        ("llava", "llava", {}),
        ("flamingo", "flamingo", {}),
        ("smolvlm", "generic", {}),
        ("paligemma", "paligemma", {"fusion": MEMORY, "head": PartChoice(name="lstm")}),
        ("paligemma", "paligemma", {"lora": {"rank": 2}}),
    ],
    ids=["llava", "flamingo", "generic", "history", "lora"],
)
def test_its_graph_says_in_onnx_what_it_says_in_torch(
    kind: str, adapter: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    policy = shaken(policy_of(kind, adapter, **changes))
    (graph,) = vlm_graphs(policy, policy.spec, NO_SIZE)
    file = export_graph(graph, tmp_path / graph.file)
    samples = []
    for row in range(2):  # of the second row not all is seen
        one = {name: each[[row]].numpy() for name, each in inputs_of(policy).items()}
        samples.append(one)
    assert check_parity(graph, file, samples, most=1e-4) < 1e-4
    with torch.no_grad():
        found = graph.module(*(torch.from_numpy(samples[0][n]) for n in graph.example))
        expected = policy({n: torch.from_numpy(a) for n, a in samples[0].items()})
    torch.testing.assert_close(found[0], expected["action"], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_it_depends_on_what_it_is_shown_and_on_nothing_that_is_gone() -> None:
    policy = shaken(policy_of())
    given = inputs_of(policy, 1)
    action = policy(given)["action"]
    for name in ("rgb_front", "rgb_wrist", "text", "state", "age_s"):
        value = given[name]
        other = 255 - value if value.dtype == torch.uint8 else value + 0.5
        assert not torch.allclose(policy(given | {name: other})["action"], action), name
    gone = given | {"seen_wrist": torch.zeros_like(given["seen_wrist"])}
    changed = gone | {"rgb_wrist": 255 - given["rgb_wrist"]}
    torch.testing.assert_close(policy(gone)["action"], policy(changed)["action"])
    assert policy(gone)["action"].isfinite().all()


@pytest.mark.parametrize("name", [name for name in FUSIONS if name not in OF_MAPS])
@torch.no_grad()
def test_every_fusion_hands_on_what_the_backbone_saw(name: str) -> None:
    policy = shaken(policy_of(fusion=PartChoice(name=name)))
    given = inputs_of(policy, 1)
    other = given | {"rgb_front": 255 - given["rgb_front"]}
    assert not torch.allclose(policy(given)["action"], policy(other)["action"])


@pytest.mark.parametrize("name", OF_MAPS)
def test_fusions_of_maps_say_what_they_lack(name: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a camera.*found backbone"):
        policy_of(fusion=PartChoice(name=name))


@pytest.mark.parametrize(
    ("changes", "learns"),
    [
        ({}, {"vision_tower", "language_model", "action", "head"}),
        ({"freeze_vision": True}, {"language_model", "action", "head"}),
        ({"freeze_backbone": True}, {"action", "head"}),
        ({"lora": {"rank": 2}}, {"lora_A", "lora_B", "action", "head"}),
    ],
    ids=["all", "no vision", "head alone", "lora"],
)
def test_what_learns(changes: dict[str, Any], learns: set[str]) -> None:
    policy = policy_of(**changes).train()
    given = inputs_of(policy)
    total, _ = policy.loss(given, torch.ones(2, 3, 7), torch.ones(2, 3, dtype=torch.bool))
    total.backward()
    moved = [n for n, p in policy.named_parameters() if p.grad is not None and p.grad.any()]
    for part in ("vision_tower", "language_model", "lora_B", "action", "head"):
        has = any(part in name for name in moved if part == "lora_B" or "lora" not in name)
        assert has == (part in learns), part
    assert all(p.grad is None for p in policy.parameters() if not p.requires_grad)


def test_recomputed_activations_give_the_same_gradients() -> None:
    gradients = []
    for recomputed in (False, True):
        policy = policy_of().train()
        if recomputed:
            recompute_blocks(policy)
        total, _ = policy.loss(
            inputs_of(policy), torch.ones(2, 3, 7), torch.ones(2, 3, dtype=torch.bool)
        )
        total.backward()
        gradients.append({n: p.grad for n, p in policy.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient)


def test_sixteen_bits_are_close_to_thirty_two() -> None:
    policy = policy_of()
    given = inputs_of(policy)
    with torch.no_grad():
        exact = policy(given)["action"]
        with torch.autocast("cpu", torch.bfloat16):
            found = policy(given)["action"].float()
    assert 0 < (found - exact).abs().max() < 0.1


@pytest.mark.parametrize("lora", [0, 2])
def test_it_begins_from_the_weights_of_a_folder(lora: int, tmp_path: Path) -> None:
    saved = model_of("paligemma", seed=5)
    saved.save_pretrained(tmp_path)
    policy = policy_of(lora={"rank": lora})
    load_backbone(policy.sight.vlm, tmp_path)
    given = inputs_of(policy, 1)
    tokens = policy.sight.encode(given["rgb_front"])
    pixels = given["rgb_front"][:, 0].permute(0, 3, 1, 2) / 127.5 - 1
    expected = saved.get_image_features(pixels).pooler_output
    torch.testing.assert_close(tokens[:, 0], expected, rtol=1e-4, atol=1e-5)
    model_of("llava").save_pretrained(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"does not fit spec\.backbone\.config; missing: "):
        load_backbone(policy.sight.vlm, tmp_path / "other")
    with pytest.raises(ConfigError, match="Pickles"):
        load_backbone(policy.sight.vlm, tmp_path / "nothing")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text_width": 24}, f"a word has 24 numbers, but {WIDTH} in the backbone"),
        (
            {
                "observation": ObservationSpec(
                    cameras=(CameraInput(name="front", width_px=64, height_px=32),), words="none"
                )
            },
            "camera 'front' is shown at 64 x 32 px; the backbone takes 32 x 32",
        ),
        ({"lora": {"rank": 2, "targets": ("nothing",)}}, "spec.lora.targets = nothing"),
        ({"backbone": {"config": {"model_type": "no_such"}}}, "is not a config of 'no_such'"),
        ({"backbone": {"config": {}}}, "has no model_type"),
        ({"backbone": {"config": {"model_type": "x", "auto_map": {}}}}, "code of its own"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        policy_of(**changes)


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        ({"cameras": []}, "expected a camera"),
        (
            {"cameras": [{"name": "a", "width_px": 32, "height_px": 32, "has_depth": True}]},
            "takes color alone",
        ),
        ({"perception": ["features"]}, "has features: expected tracks"),
        ({"words": "vocabulary"}, "expected sentence"),
    ],
)
def test_observations_that_a_backbone_cannot_take_are_refused(
    observation: dict[str, Any], words: str
) -> None:
    known = spec_of().observation.model_dump(mode="json")
    with pytest.raises(ValueError, match=words):
        spec_of(observation=known | observation)
