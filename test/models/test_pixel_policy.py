"""`PixelPolicy`: what it sees, what it may not depend on, what it learns, how it is served."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pixel_rig import ALL, FRONT, WRIST, inputs_of, policy_of, spec_of, without_memory
from pydantic import ValidationError
from scipy.spatial.transform import Rotation
from torch import Tensor

from robot_vision.core.errors import ConfigError, UnknownNameError
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.export.graph import export_graph
from robot_vision.export.parity import check_parity
from robot_vision.models.card import Size
from robot_vision.models.fusion.fusion import FUSIONS, Pointed
from robot_vision.models.heads.head import HEADS
from robot_vision.models.policies.chunk_serving import served_graphs
from robot_vision.models.policies.pixel_points import Locator, Points
from robot_vision.models.policies.pixel_rays import plucker_rays
from robot_vision.models.policies.pixel_spec import PartChoice, TrainedCamera
from robot_vision.models.policies.pixels import PixelPolicy
from robot_vision.training.data.demonstrations.keyframes import pointing_error

NO_SIZE = Size(width_px=0, height_px=0)
MOST_DIFFERENCE = 1e-5
SEEN_BY = {
    "rgb_front": "seen_front",
    "depth_front": "depth_seen_front",
    "rgb_wrist": "seen_wrist",
    "state": "state_seen",
    "text": "text_seen",
    "features": "features_seen",
    "tracks": "tracks_seen",
}
every_part = pytest.mark.parametrize(
    ("fusion", "head"),
    [(name, "mlp") for name in FUSIONS] + [("transformer", n) for n in HEADS if n != "mlp"],
)


def action(policy: PixelPolicy, inputs: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return policy(inputs)["action"]


def changed(value: Tensor) -> Tensor:
    return value.flip(0) + 1 if value.is_floating_point() else 255 - value


@pytest.mark.parametrize("name", SEEN_BY)
def test_what_is_not_seen_changes_nothing_and_what_is_seen_does(name: str) -> None:
    policy = policy_of()
    inputs = inputs_of(policy)
    other = inputs | {name: changed(inputs[name])}
    assert not torch.equal(action(policy, inputs), action(policy, other))
    hidden = {SEEN_BY[name]: torch.zeros_like(inputs[SEEN_BY[name]])}
    assert torch.equal(action(policy, inputs | hidden), action(policy, other | hidden))
    if inputs[name].is_floating_point():
        spoilt = {name: torch.full_like(inputs[name], float("nan"))}
        assert torch.equal(
            action(policy, inputs | hidden), action(policy, inputs | hidden | spoilt)
        )


def test_one_step_of_a_camera_may_be_gone() -> None:
    policy = policy_of()
    inputs = inputs_of(policy)
    inputs["seen_front"][:, 0] = False
    older, newer = inputs["rgb_front"].clone(), inputs["rgb_front"].clone()
    older[:, 0], newer[:, 1] = 7, 7
    kept = action(policy, inputs)
    assert torch.equal(kept, action(policy, inputs | {"rgb_front": older}))
    assert not torch.equal(kept, action(policy, inputs | {"rgb_front": newer}))


def test_age_counts() -> None:
    policy = policy_of()
    inputs = inputs_of(policy)
    later = inputs | {"age_s": inputs["age_s"] + 0.5}
    assert not torch.equal(action(policy, inputs), action(policy, later))


@pytest.mark.parametrize(
    "observation",
    [
        ObservationSpec(state="tool", words="none"),
        ObservationSpec(cameras=(WRIST,), state="none", words="none"),
        ObservationSpec(cameras=(FRONT,), state="joints", joint_names=("a", "b"), steps=3),
        ObservationSpec(state="none", perception=("tracks",)),
        ObservationSpec(cameras=(FRONT, WRIST), words="sentence"),
    ],
)
def test_it_takes_exactly_what_its_observation_names(observation: ObservationSpec) -> None:
    policy = policy_of(observation=observation, text_width=11)
    shapes = policy.input_shapes
    named = {f"rgb_{camera.name}" for camera in observation.cameras}
    assert {name for name in shapes if name.startswith("rgb_")} == named
    assert ("state" in shapes) == (observation.state != "none")
    assert ("text" in shapes) == (observation.words != "none")
    if observation.state != "none":
        assert shapes["state"].shape == (observation.steps, observation.state_width)
    if observation.words == "sentence":
        assert shapes["text"].shape[1] == 11
    assert action(policy, inputs_of(policy)).shape == (2, 3, 7)


def test_maps_from_a_cache_stand_for_pictures_halved_as_they_may_be() -> None:
    policy = policy_of()
    inputs = inputs_of(policy)
    with torch.no_grad():
        maps = policy.maps("front", inputs["rgb_front"])
    cached = {f"maps_front_{level}": each for level, each in enumerate(maps)}
    given = {name: value for name, value in inputs.items() if name != "rgb_front"}
    torch.testing.assert_close(action(policy, given | cached), action(policy, inputs))
    halved = {name: each.half() for name, each in cached.items()}
    torch.testing.assert_close(
        action(policy, given | halved), action(policy, inputs), rtol=0.02, atol=0.02
    )


def test_maps_are_those_of_single_pictures_too() -> None:
    policy = policy_of()
    rgb = inputs_of(policy)["rgb_front"]
    with torch.no_grad():
        together, alone = policy.maps("front", rgb), policy.maps("front", rgb[0, 1])
    assert len(together) == policy.spec.levels
    for many, one in zip(together, alone, strict=True):
        torch.testing.assert_close(many[0, 1], one, rtol=1e-4, atol=1e-5)


def test_words_may_come_as_tokens_of_the_vocabulary() -> None:
    policy = policy_of()
    inputs = inputs_of(policy)
    tokens = torch.tensor([[3, 1, 0, 0, 0], [2, 2, 9, 4, 0]])
    assert policy.sight.language is not None
    with torch.no_grad():
        text = policy.sight.language(tokens)
    encoded = inputs | {"text": text, "text_seen": tokens > 0}
    spoken = {n: v for n, v in inputs.items() if not n.startswith("text")} | {"tokens": tokens}
    torch.testing.assert_close(action(policy, spoken), action(policy, encoded))


@pytest.mark.parametrize("fusion", ["memory", "rgbd_slots", "late"])
def test_moments_at_once_are_moments_one_by_one(fusion: str) -> None:
    policy = policy_of(fusion=PartChoice(name=fusion))
    moments = [without_memory(inputs_of(policy, seed=seed)) for seed in range(3)]
    with torch.no_grad():
        together, carried = policy.forward_moments(moments), {}
        for moment, found in zip(moments, together, strict=True):
            alone = policy(moment | carried)
            torch.testing.assert_close(found["action"], alone["action"], rtol=1e-4, atol=1e-5)
            carried = {f"past_{name}": alone[name] for name in policy.fusion.carried_shapes}
        taught, valid = torch.zeros(3, 2, 3, 7), torch.ones(3, 2, 3, dtype=torch.bool)
        fused = policy.fused_together(moments)
        total, _ = policy.head.loss(fused, taught.flatten(0, 1), valid.flatten(0, 1))
        each = [found["action"].abs().mean() for found in together]
    torch.testing.assert_close(total, torch.stack(each).mean(), rtol=1e-4, atol=1e-5)


def test_a_frozen_encoder_stays_as_it_is_while_the_rest_learns() -> None:
    policy = policy_of(freeze_encoder=True).train()
    encoder = policy.sight.encoder
    assert encoder is not None
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    inputs = inputs_of(policy, batch=4)
    total, _ = policy.loss(inputs, torch.ones(4, 3, 7), torch.ones(4, 3, dtype=torch.bool))
    total.backward()
    assert all(torch.equal(value, before[n]) for n, value in encoder.state_dict().items())
    rest = [p for n, p in policy.named_parameters() if not n.startswith("sight.encoder.")]
    assert any(p.grad is not None for p in rest)
    assert all(p.grad is None for p in encoder.parameters())


def test_gates_begin_open_and_learn_from_everything() -> None:
    policy, plain = policy_of(gating=True), policy_of()
    plain.load_state_dict(policy.state_dict(), strict=False)
    inputs = inputs_of(policy)
    torch.testing.assert_close(action(policy, inputs), action(plain, inputs))
    policy(inputs)["action"].square().sum().backward()
    assert policy.sight.gating is not None
    assert all(p.grad is not None and p.grad.any() for p in policy.sight.gating.parameters())


def test_a_camera_elsewhere_sees_along_other_rays() -> None:
    policies = [
        policy_of(poses={"front": TrainedCamera(position_m=(0.4, 0.0, z), rotation=(3.1, 0, 0))})
        for z in (0.5, 0.9)
    ]
    policies[1].load_state_dict(policies[0].state_dict())
    inputs = inputs_of(policies[0])
    assert not torch.equal(*(action(policy, inputs) for policy in policies))


def test_rays_go_through_the_middles_of_cells() -> None:
    pose = TrainedCamera(
        position_m=(0.0, 0.2, 1.0), rotation=(np.pi, 0.0, 0.0), focal_per_width=0.5
    )
    rays = plucker_rays(pose, rows=1, columns=2, size=(40, 80), margin=(0, 0))
    # Half a picture's half beside the middle at half a width of focal length: tan = 1/2, downward.
    directions, moments = rays[:, :3], rays[:, 3:]
    np.testing.assert_allclose(directions[:, 0] / -directions[:, 2], [-0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(moments, np.cross([0.0, 0.2, 1.0], directions))
    stretched = pose.model_copy(update={"focal_per_height": 2.0})
    (above, below) = plucker_rays(stretched, rows=2, columns=1, size=(40, 80), margin=(0, 0))
    # A quarter of the height beside the middle, at two heights of focal length.
    np.testing.assert_allclose([above[1] / -above[2], below[1] / -below[2]], [0.125, -0.125])


def on_tool(**changes: Any) -> PixelPolicy:
    pose = TrainedCamera(position_m=(0.05, 0, -0.1), rotation=(0.1, 0.2, 1.5), mount="tool")
    return policy_of(poses={"wrist": pose}, **changes)


def test_rays_of_a_camera_on_the_tool_are_those_of_where_the_tool_holds_it() -> None:
    policy = on_tool()
    part = policy.sight.part("wrist.color").rays
    base_from_tool, tool_from_camera = np.eye(4), np.eye(4)
    base_from_tool[:3, :3] = Rotation.from_rotvec([0.3, -0.9, 2.0]).as_matrix()
    base_from_tool[:3, 3] = 0.4, -0.1, 0.3
    tool_from_camera[:3, :3] = Rotation.from_rotvec([0.1, 0.2, 1.5]).as_matrix()
    tool_from_camera[:3, 3] = 0.05, 0, -0.1
    placed = base_from_tool @ tool_from_camera
    pose = TrainedCamera(
        position_m=tuple(placed[:3, 3].tolist()),
        rotation=tuple(Rotation.from_matrix(placed[:3, :3]).as_rotvec().tolist()),
    )
    rays = plucker_rays(pose, rows=2, columns=3, size=(32, 32), margin=(0, 0))
    numbers = [*base_from_tool[:3, 3], *base_from_tool[:3, 0], *base_from_tool[:3, 1], 0.5]
    state = torch.tensor(numbers, dtype=torch.float32).expand(1, 2, 10)
    found = part(state, torch.tensor([[True, False]]))
    expected = part.out(torch.tensor(rays, dtype=torch.float32))
    torch.testing.assert_close(found[0, 0], expected, atol=1e-5, rtol=1e-5)
    assert not found[0, 1].any()


def test_where_the_tool_is_says_nothing_where_it_is_not_known() -> None:
    policy = on_tool()
    inputs = inputs_of(policy)
    inputs["state_seen"] = torch.zeros_like(inputs["state_seen"])
    other = inputs | {"state": torch.full_like(inputs["state"], torch.nan)}
    assert torch.equal(action(policy, inputs), action(policy, other))


def test_a_camera_on_the_tool_is_served(tmp_path: Path) -> None:
    _check_graphs(on_tool(), tmp_path)


def with_points(**changes: Any) -> PixelPolicy:
    pose = TrainedCamera(position_m=(0.4, 0.1, 0.8), rotation=(3.1, 0.1, 0))
    return policy_of(depth="points", poses={"front": pose}, **changes)


def test_cells_are_placed_by_their_depth() -> None:
    """The table seen from above: places lie in it, and the tool's is taken off."""
    pose = TrainedCamera(
        position_m=(0.5, 0.0, 1.0), rotation=(np.pi, 0.0, 0.0), focal_per_width=0.5
    )
    locator = Locator(pose, grid=(1, 2), size=(40, 80), margin=(0, 0))
    points = Points(8)
    points.out = torch.nn.Identity()  # type: ignore[assignment]
    numbers = points.waves.numbers
    depth_m = torch.full((1, 1, 40, 80), 0.8)
    depth_m[..., ::2, :] = 0.0  # holes are not places
    state = torch.tensor([0.4, 0.0, 0.3, 1, 0, 0, 0, -1, 0, 1.0]).expand(1, 1, 10)
    yes = torch.ones(1, 1, dtype=torch.bool)
    found = points(locator(depth_m, yes, state, yes))[0, 0]
    assert found.shape == (2, 2 * numbers)
    in_base_m = 0.2 * found[:, :3]
    from_tool_m = 0.2 * found[:, numbers:][:, :3]
    across_m = 0.8 * 0.5  # a quarter of the width from the middle, half a width of focal length
    expected = torch.tensor([[0.5 - across_m, 0.0, 0.2], [0.5 + across_m, 0.0, 0.2]])
    torch.testing.assert_close(in_base_m, expected, atol=0.02, rtol=0)
    torch.testing.assert_close(from_tool_m, expected - state[0, 0, :3], atol=0.02, rtol=0)
    assert not points(locator(depth_m, ~yes, state, yes)).any()
    assert not points(locator(depth_m, yes, state, ~yes))[0, 0, :, numbers:].any()


def test_places_need_a_pose() -> None:
    with pytest.raises(ConfigError, match=r"camera front is unknown.*camera_poses"):
        policy_of(depth="points")


@pytest.mark.parametrize("name", ["depth_front", "state"])
def test_places_say_nothing_where_depth_or_tool_are_not_seen(name: str) -> None:
    policy = with_points()
    inputs = inputs_of(policy)
    spoilt = {name: torch.full_like(inputs[name], torch.nan)}
    hidden = {SEEN_BY[name]: torch.zeros_like(inputs[SEEN_BY[name]])}
    assert torch.equal(action(policy, inputs | hidden), action(policy, inputs | spoilt | hidden))
    other = inputs | {name: changed(inputs[name])}
    assert not torch.equal(action(policy, inputs), action(policy, other))


@pytest.mark.parametrize("name", ["depth_front", "state", "text", "rgb_front"])
def test_nothing_unseen_is_pointed_at(name: str) -> None:
    policy = with_points(pointing=True, patches=2)
    inputs = inputs_of(policy)
    hidden = {SEEN_BY[name]: torch.zeros_like(inputs[SEEN_BY[name]])}
    spoilt = {name: changed(inputs[name])}
    assert torch.equal(action(policy, inputs | hidden), action(policy, inputs | spoilt | hidden))
    assert action(policy, inputs | hidden).isfinite().all()


def pointed_by(policy: PixelPolicy, inputs: dict[str, Tensor]) -> Pointed:
    pointed = policy.fused_together([inputs]).pointed
    assert pointed is not None
    return pointed


def test_keyframes_teach_which_cell_the_words_mean() -> None:
    """Two moments differ by a word alone: after some steps each points at its own place."""
    policy = with_points(pointing=True, patches=2).train()
    inputs = inputs_of(policy, batch=2)
    for name, value in inputs.items():
        if not name.startswith("text"):
            inputs[name] = value[:1].expand_as(value).clone()
    descent = torch.optim.Adam(policy.parameters(), lr=0.01)
    places_m, meant = pointed_by(policy, inputs).from_tool_m, [0, 17]
    way_m = torch.stack([place_m[index] for place_m, index in zip(places_m, meant, strict=True)])
    for _ in range(60):
        pointed = pointed_by(policy, inputs)
        descent.zero_grad()
        pointing_error(pointed, way_m, torch.ones(2, dtype=torch.bool)).backward()
        descent.step()
    assert pointed_by(policy, inputs).logits.argmax(dim=1).tolist() == meant


@pytest.mark.parametrize(
    ("fusion", "pointing"),
    [("transformer", False), ("early", False), ("fpn", False), ("hierarchical", True)],
)
def test_places_are_served(fusion: str, pointing: bool, tmp_path: Path) -> None:
    _check_graphs(
        with_points(fusion=PartChoice(name=fusion), pointing=pointing, patches=2), tmp_path
    )


def test_sizes_that_no_stride_divides_are_served() -> None:
    camera = CameraInput(name="front", width_px=50, height_px=38, has_depth=True)
    policy = policy_of(observation=ObservationSpec(cameras=(camera,)))
    assert action(policy, inputs_of(policy)).isfinite().all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"poses": {"side": {}}}, "poses of side: expected cameras of the observation, front"),
        ({"observation": {"state": "none"}}, "the observation is empty"),
        ({"observation": {"perception": ("depth",)}}, "expected a camera that `has_depth`"),
        (
            {"observation": {"cameras": (FRONT, {**WRIST.model_dump(), "name": "front"})}},
            "two inputs would have one name",
        ),
        ({"width": 18}, "multiple of 4"),
        ({"pointing": True}, "pointing with depth: relief, state: tool: expected a camera"),
        (
            {
                "observation": ALL.model_copy(update={"state": "none"}),
                "poses": {"wrist": {"mount": "tool"}},
            },
            "on the tool: expected observation.state: tool",
        ),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec_of(**changes)


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"fusion": {"name": "earli"}}, UnknownNameError, "available: .*did you mean 'early'"),
        ({"head": {"name": "diffusion"}}, UnknownNameError, "available: act, flow, lstm, mlp"),
        (
            {"fusion": {"name": "memory", "options": {"moment": 3}}},
            ConfigError,
            "fusion 'memory' does not accept these options: moment = 3.*available: layers, "
            "heads, mom",
        ),
        (
            {"head": {"name": "mlp", "options": {"loss": "l3"}}},
            ConfigError,
            r"action head 'mlp' .*loss = 'l3'.*'l1', 'huber' or 'mse'",
        ),
    ],
)
def test_wrong_parts_are_answered_with_the_choices(
    changes: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        policy_of(**changes)


def test_statistics_of_the_data_reach_state_and_gripper() -> None:
    policy = policy_of(head=PartChoice(name="mlp", options={"gripper": "bce"}))
    inputs = inputs_of(policy)
    before = action(policy, inputs)
    policy.set_normal("state", torch.full((10,), 0.5), torch.full((10,), 0.1))
    policy.set_gripper(-3.0, 5.0)
    after = action(policy, inputs)
    assert not torch.equal(before[..., :-1], after[..., :-1])
    between = (after[..., -1] + 3) / 8
    torch.testing.assert_close(between.clamp(0, 1), between)


@every_part
def test_eight_samples_are_learnt_two_instructions_of_one_picture_among_them(
    fusion: str, head: str
) -> None:
    small = {"hidden": 64} if head == "mlp" else {}
    policy = policy_of(
        observation=ObservationSpec(cameras=(WRIST,)),
        freeze_encoder=True,
        fusion=PartChoice(name=fusion),
        head=PartChoice(name=head, options=small),
        width=32,
    )
    inputs = inputs_of(policy, batch=8)
    for name in ("rgb_wrist", "state", *(n for n in inputs if n.startswith("past_"))):
        inputs[name] = inputs[name][torch.arange(8) // 2]  # in pairs: words alone differ
    with torch.no_grad():
        maps = policy.maps("wrist", inputs.pop("rgb_wrist"))
    inputs |= {f"maps_wrist_{level}": each for level, each in enumerate(maps)}
    for name in ("noise", "text", "text_seen", *(n for n in inputs if n.startswith("past_"))):
        inputs.pop(name, None)
    inputs["tokens"] = torch.randint(1, 10, (8, 5), generator=torch.Generator().manual_seed(2))
    way = torch.rand(8, 1, 7, generator=torch.Generator().manual_seed(3)) * 2 - 1
    taught = way * torch.tensor([0.8, 1.0, 1.2])[:, None]  # begins slowly
    error = _error_after_learning(policy, inputs, taught, steps=160)
    assert error < 0.2, f"mean error {error:.3f} of numbers of mean 0.5"


def _error_after_learning(
    policy: PixelPolicy, inputs: dict[str, Tensor], taught: Tensor, *, steps: int
) -> float:
    """Mean distance of the chunks served from those that were taught."""
    valid = torch.ones(taught.shape[:2], dtype=torch.bool)
    trained = [p for p in policy.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=2e-3)
    policy.train()
    torch.manual_seed(0)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (1 - step / steps)
        optimiser.zero_grad()
        policy.loss(inputs, taught, valid)[0].backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
    return (action(policy.eval(), inputs) - taught).abs().mean().item()


def _check_graphs(policy: PixelPolicy, folder: Path) -> None:
    for graph in served_graphs(policy, policy.spec, NO_SIZE):
        file = export_graph(graph, folder / graph.file)
        samples = [_numpy(graph.example, seed) for seed in range(3)]
        check_parity(graph, file, samples, most=MOST_DIFFERENCE)


def _numpy(example: dict[str, Tensor], seed: int) -> dict[str, np.ndarray]:
    """Of the first sample: all seen, nothing seen, or as the example has it."""
    found = {}
    for name, value in example.items():
        if value.dtype == torch.bool and seen_of(seed) is not None:
            value = torch.full_like(value, bool(seen_of(seed)))
        found[name] = value.numpy()
    return found


def seen_of(seed: int) -> bool | None:
    return (None, True, False)[seed]


def test_graphs_with_memory_and_noise_say_in_onnx_what_they_say_in_torch(tmp_path: Path) -> None:
    policy = policy_of(
        fusion=PartChoice(name="memory", options={"layers": 1, "moments": 2}),
        head=PartChoice(name="flow", options={"layers": 1, "steps": 2}),
        observation=ALL,
        gating=True,
        poses={"front": TrainedCamera(position_m=(0.4, 0.0, 0.6))},
    )
    assert [*policy.input_shapes][-2:] == ["past_memory", "noise"]
    _check_graphs(policy, tmp_path)


@pytest.mark.slow
@every_part
def test_graphs_of_every_part_say_in_onnx_what_they_say_in_torch(
    fusion: str, head: str, tmp_path: Path
) -> None:
    _check_graphs(policy_of(fusion=PartChoice(name=fusion), head=PartChoice(name=head)), tmp_path)
