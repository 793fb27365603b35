"""The native model keeps the contract of ARCHITECTURE.md and its budget."""

import pytest
import torch
from torch import Tensor

from robot_vision.bench.models.separate_nets import SeparateNets
from robot_vision.core.parameters.values import with_values
from robot_vision.models.card import Size
from robot_vision.models.contract import gmacs_of
from robot_vision.models.layers.sensor_depth import (
    STEEPEST,
    fill_depth,
    quarter_depth,
    surface_slopes,
)
from robot_vision.models.multitask.native import NativeModel, NativeSpec, build_native
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import load_weights

WIDTH_PX, HEIGHT_PX = 416, 320
SIZE = Size(width_px=WIDTH_PX, height_px=HEIGHT_PX)
MOST_GMACS = {"native-s": 0.5, "native-m": 2.0}


def native_s() -> NativeModel:
    return build_native(NativeSpec()).eval()


def frames(*, count: int, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    size = (count, height_px, width_px, 3)
    rgb = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)
    depth_m = torch.rand(count, 1, height_px, width_px, generator=generator) * 2 + 0.3
    return [rgb, depth_m, torch.full((count, 1), 360.0)]


def test_what_is_served_are_probabilities_metres_and_unit_vectors() -> None:
    card = MODELS.get("native-s")
    assert card.serving is not None
    (graph,) = card.serving.graphs(native_s(), card.spec, SIZE)
    with torch.no_grad():
        out = dict(zip(graph.outputs, graph.module.eval()(*frames(count=2)), strict=True))
    cells = sum((HEIGHT_PX // s) * (WIDTH_PX // s) for s in (8, 16, 32))
    assert out["boxes_xyxy"].shape == (2, cells, 4)
    assert out["scores"].shape == (2, cells, 10)
    assert torch.all((out["scores"] >= 0) & (out["scores"] <= 1))
    assert torch.all(out["depth_m"] > 0)
    assert torch.allclose(out["embedding"].norm(dim=1), torch.ones(2), atol=1e-5)


@pytest.mark.parametrize("name", sorted(MOST_GMACS))
def test_the_budget_is_kept(name: str) -> None:
    assert gmacs_of(MODELS.get(name)) <= MOST_GMACS[name]


def test_any_size_of_whole_cells_runs() -> None:
    model = native_s()
    with torch.no_grad():
        out = model(*frames(count=1, width_px=224, height_px=160))
    assert out["depth_m"].shape == (1, 1, 40, 56)


def test_the_sensor_carries_depth_until_training_knows_better() -> None:
    model = native_s()
    rgb, _, focal_px = frames(count=1)
    depth_m = torch.full((1, 1, HEIGHT_PX, WIDTH_PX), 1.7)
    with torch.no_grad():
        seen = model(rgb, depth_m, focal_px)["depth_m"]
        blind = model(rgb, torch.zeros_like(depth_m), focal_px)["depth_m"]
    assert (seen - 1.7).abs().max() < 0.4
    assert not torch.allclose(seen, blind)
    assert torch.isfinite(blind).all()


def test_a_longer_lens_sees_the_same_picture_farther_away() -> None:
    model = native_s()
    rgb, depth_m, focal_px = frames(count=1)
    with torch.no_grad():
        unknown, nominal, long = (
            model(rgb, torch.zeros_like(depth_m), focal_px * factor)["depth_m"]
            for factor in (0.0, 1.0, 1.5)
        )
        seen = [model(rgb, depth_m, focal_px * factor)["depth_m"] for factor in (1.0, 1.5)]
    assert torch.equal(unknown, nominal)
    assert torch.allclose(long, nominal * 1.5, rtol=1e-4)
    assert torch.equal(*seen)


def test_holes_are_filled_from_around_and_seen_cells_are_kept() -> None:
    depth_m = torch.full((1, 1, 64, 96), 2.0)
    depth_m[..., :, 48:] = 3.0
    depth_m[..., 16:40, 8:32] = 0.0
    valid = (depth_m > 0).float()
    quarter, weight = quarter_depth(depth_m, valid)
    filled, nearness = fill_depth(quarter, weight)
    assert torch.all(filled > 0)
    assert torch.equal(nearness == 1, weight > 0)
    middle, edge = nearness[0, 0, 7, 5], nearness[0, 0, 4, 2]
    assert 0 < middle < edge < 1
    assert torch.allclose(filled[..., 4:10, 2:8], torch.tensor(2.0))
    assert torch.equal(filled[weight > 0], quarter[weight > 0])


def test_without_any_depth_there_is_nothing_to_fill_from() -> None:
    nothing = torch.zeros(2, 1, 16, 24)
    filled, nearness = fill_depth(nothing, nothing)
    assert not bool(filled.any())
    assert not bool(nearness.any())


@pytest.mark.parametrize("focal_px", [60.0, 120.0])
@pytest.mark.parametrize("distance_m", [0.5, 2.0])
@pytest.mark.parametrize("slope", [-1.0, 0.3])
def test_slopes_are_those_of_the_surface_at_any_distance_and_through_any_lens(
    focal_px: float, distance_m: float, slope: float
) -> None:
    across = (torch.arange(33) - 16) / focal_px
    depth_m = (distance_m / (1 - slope * across)).expand(1, 1, 25, 33)
    slopes = surface_slopes(depth_m.log(), torch.tensor([[focal_px]]))
    assert float(slopes[0, 0, 12, 16]) == pytest.approx(slope, rel=0.01)
    assert float(slopes[0, 1, 12, 16]) == pytest.approx(0.0, abs=1e-4)
    down = surface_slopes(depth_m.log().transpose(2, 3), torch.tensor([[focal_px]]))
    assert torch.equal(down[0, 1].T, slopes[0, 0])


def test_a_step_between_things_is_clamped_and_no_depth_has_no_slope() -> None:
    step = torch.ones(2, 1, 16, 24).log()
    step[0, ..., 12:] = 5.0
    slopes = surface_slopes(step, torch.full((2, 1), 90.0))
    assert float(slopes[0].max()) == STEEPEST
    assert not bool(slopes[1].any())


def test_weights_for_other_classes_leave_only_the_class_layers_fresh() -> None:
    ten, three = (build_native(with_values(NativeSpec(), {"classes": n})) for n in (10, 3))
    fit = load_weights(three, ten.state_dict())
    assert fit.fresh
    assert all(".classes." in name for name in fit.fresh)
    assert not fit.missing
    assert not fit.unexpected
    layer = "encoder.stem.0.weight"
    assert torch.equal(three.state_dict()[layer], ten.state_dict()[layer])


def test_the_separate_nets_are_those_of_the_comparison() -> None:
    nets = SeparateNets().eval()
    with torch.no_grad():
        vector, depth, grid = nets(nets.example_input())
    assert vector.shape == (1, 768)
    assert depth.shape == (1, 1, 224, 224)
    assert grid.shape == (1, 85, 14, 14)
