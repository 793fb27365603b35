"""Changes that recipes may ask for: each does what it says, and asked for none, none is drawn."""

import pytest
import torch
from torch import Tensor

from robot_vision.core.parameters.values import with_values
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.hidden import cut_out
from robot_vision.training.data.samples.lens import developed, noisy
from robot_vision.training.data.samples.samples import Batch, SampleStack

STILL: dict[str, object] = {
    "flip": 0, "scale_min": 1, "scale_max": 1, "shift": 0, "color": 0, "depth_withheld": 0,
    "depth_holes": 0,
}  # fmt: skip
NEW = ("flip_vertical", "gamma", "clahe", "noise", "cut_out")
WIDTH_PX, HEIGHT_PX, COUNT = 160, 128, 40


@pytest.fixture(scope="module")
def stack() -> SampleStack:
    """Samples of smooth colours, depth from left to right, and an object at the upper left."""
    x = torch.linspace(60, 180, WIDTH_PX).expand(HEIGHT_PX, -1)
    y = torch.linspace(60, 180, HEIGHT_PX)[:, None].expand(-1, WIDTH_PX)
    planes = torch.zeros(COUNT, HEIGHT_PX, WIDTH_PX, 8, dtype=torch.uint8)
    planes[..., 0], planes[..., 1], planes[..., 2] = x.byte(), y.byte(), 90
    planes[:, 10:50, 20:60, 3] = 1
    planes[..., 5] = planes[..., 7] = (1 + y / 60).byte()
    return SampleStack(
        planes=planes,
        focal_px=torch.full((COUNT,), 200.0),
        boxes_xyxy=torch.tensor([[[20.0, 10.0, 60.0, 50.0]]]).repeat(COUNT, 1, 1),
        class_id=torch.zeros(COUNT, 1, dtype=torch.int64),
        color_id=torch.zeros(COUNT, 1, dtype=torch.int64),
    )


def augmented(stack: SampleStack, **options: object) -> Batch:
    torch.manual_seed(0)
    augment = Augmenter(with_values(Augmentation(), STILL | options), ("cup",))
    return augment(stack, torch.arange(COUNT), width_px=WIDTH_PX, height_px=HEIGHT_PX)


def changed(batch: Batch, plain: Batch) -> Tensor:
    """Which samples look different [B]."""
    return (batch.rgb != plain.rgb).flatten(1).any(dim=1)


@pytest.mark.parametrize("name", NEW)
def test_a_change_is_made_as_often_as_asked(stack: SampleStack, name: str) -> None:
    plain = augmented(stack)
    assert changed(augmented(stack, **{name: 1.0}), plain).float().mean() > 0.9
    assert 0.2 < changed(augmented(stack, **{name: 0.5}), plain).float().mean() < 0.8


@pytest.mark.parametrize("name", [name for name in NEW if name != "flip_vertical"])
def test_a_change_leaves_all_other_draws_and_all_labels(stack: SampleStack, name: str) -> None:
    moving = {"flip": 0.5, "shift": 0.2, "scale_max": 1.3, "color": 0.5, "depth_holes": 0.5}
    plain, batch = augmented(stack, **moving), augmented(stack, **moving, **{name: 0.7})
    for field in ("boxes_xyxy", "class_id", "instances", "focal_px", "depth_true_m"):
        assert torch.equal(getattr(plain, field), getattr(batch, field)), field
    if name != "cut_out":
        assert torch.equal(plain.depth_m, batch.depth_m)


def test_what_is_not_asked_for_draws_nothing(stack: SampleStack) -> None:
    augmented(stack)
    after = torch.get_rng_state()
    augmented(stack, **dict.fromkeys(NEW, 0.0))
    assert torch.equal(torch.get_rng_state(), after)


def test_upside_down_everything_turns(stack: SampleStack) -> None:
    plain, batch = augmented(stack), augmented(stack, flip_vertical=1.0)
    assert torch.equal(batch.rgb, plain.rgb.flip(1))
    assert torch.equal(batch.depth_m, plain.depth_m.flip(2))
    assert torch.equal(batch.focal_px, plain.focal_px)
    turned = torch.tensor([20.0, HEIGHT_PX - 50.0, 60.0, HEIGHT_PX - 10.0])
    assert torch.allclose(batch.boxes_xyxy[:, 0], turned.expand(COUNT, -1))
    rows, columns = (batch.instances[0] == 1).nonzero(as_tuple=True)
    low, high = torch.stack([columns.min(), rows.min()]) * 4, columns.max() * 4 + 4
    assert torch.allclose(low.float(), turned[:2], atol=4)
    assert high == 60


def test_a_cut_out_hides_colour_and_depth_and_asks_for_the_rest(stack: SampleStack) -> None:
    plain, batch = augmented(stack), augmented(stack, cut_out=1.0)
    hidden = batch.depth_m[:, 0] == 0
    assert (batch.rgb[hidden] == 114).all()
    assert torch.equal(batch.rgb[~hidden], plain.rgb[~hidden])
    parts = hidden.flatten(1).float().mean(dim=1)
    assert 0.01 < parts.min() < parts.max() < 0.25
    for field in ("boxes_xyxy", "class_id", "instances", "depth_true_m"):
        assert torch.equal(getattr(batch, field), getattr(plain, field)), field


def test_colours_stay_in_range_and_are_spread_as_they_should() -> None:
    torch.manual_seed(0)
    rgb = torch.rand(8, 3, 64, 96) * 255
    for change in (
        noisy(rgb, part=1.0),
        developed(rgb, gamma=1.0, clahe=0.0),
        developed(rgb, gamma=0.0, clahe=1.0),
    ):
        assert change.shape == rgb.shape
        assert 0 <= change.min() <= change.max() <= 255
    flat = torch.full((200, 3, 8, 8), 128.0)
    deviations = (noisy(flat, part=1.0) - flat).flatten(1).std(dim=1)
    assert deviations.max() < 0.07 * 255
    assert 0.4 < deviations.median() / (0.03 * 255) < 1.6
    low_contrast = rgb / 10 + 100
    assert developed(low_contrast, gamma=0.0, clahe=1.0).std() > 1.5 * low_contrast.std()


def test_cut_outs_take_nothing_where_none_is_asked_for() -> None:
    rgb, depth_m = torch.rand(4, 3, 32, 32), torch.rand(4, 1, 32, 32)
    cut_rgb, cut_depth_m = cut_out(rgb, depth_m, part=0.0, fill=0.0)
    assert torch.equal(cut_rgb, rgb)
    assert torch.equal(cut_depth_m, depth_m)
