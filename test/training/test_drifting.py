"""Stills that drift: colour, depth and masks move together, and the first frame is the still."""

import pytest
import torch
import torch.nn.functional as F

from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.data.samples.sequences import Drift, FrameSequence, drifting

HEIGHT_PX, WIDTH_PX = 64, 96
QUIET = {"depth_withheld": 0.0, "history_withheld": 0.0}


def still(count: int = 3) -> Batch:
    """A white square, nearer than its surroundings, on each of `count` dark pictures."""
    rgb = torch.full((count, HEIGHT_PX, WIDTH_PX, 3), 20, dtype=torch.uint8)
    depth_m = torch.full((count, 1, HEIGHT_PX, WIDTH_PX), 2.0)
    rgb[:, 24:40, 40:56] = 220
    depth_m[..., 24:40, 40:56] = 1.0
    instances = (depth_m[:, 0, 2::4, 2::4] < 1.5).to(torch.uint8)
    return Batch(
        rgb=rgb,
        hue_turned=torch.zeros(count, dtype=torch.bool),
        depth_m=depth_m,
        focal_px=torch.full((count, 1), 100.0),
        depth_true_m=depth_m[..., 2::4, 2::4],
        instances=instances,
        boxes_xyxy=torch.tensor([[[40.0, 24, 56, 40]]]).expand(count, 1, 4),
        class_id=torch.zeros(count, 1, dtype=torch.long),
        color_id=torch.zeros(count, 1, dtype=torch.long),
        instance_id=torch.ones(count, 1, dtype=torch.long),
    )


def drawn(**changes: float) -> FrameSequence:
    torch.manual_seed(3)
    return drifting(still(), Drift(**(QUIET | changes)))  # pyright: ignore[reportArgumentType]


def test_the_first_frame_is_the_still() -> None:
    sequence, first = drawn(), still()
    assert torch.equal(sequence.rgb[:, 0], first.rgb)
    assert torch.equal(sequence.depth_m[:, 0], first.depth_m)
    assert torch.equal(sequence.instances[:, 0], first.instances)


def test_colour_depth_and_masks_move_together() -> None:
    sequence = drawn(frames=4, zoom=0.0)
    assert not torch.equal(sequence.rgb[:, 0], sequence.rgb[:, -1])
    white = sequence.rgb[..., 0].float() > 120
    near = (sequence.depth_m[:, :, 0] < 1.5) & (sequence.depth_m[:, :, 0] > 0)
    known = sequence.depth_m[:, :, 0] > 0
    assert ((white != near) & known).float().mean() < 0.01
    masks = sequence.instances > 0
    assert (white[..., 2::4, 2::4] != masks).float().mean() < 0.02
    assert masks.flatten(2).any(dim=2).all()


def test_what_comes_nearer_is_nearer() -> None:
    sequence = drawn(frames=4, shift=0.0, turn_rad=0.0, zoom=0.3)
    for depth_m, rgb in zip(sequence.depth_m, sequence.rgb, strict=True):
        nearest_m = float(depth_m[-1][depth_m[-1] > 0].min())
        white = (rgb[..., 0] > 120).flatten(1).sum(dim=1)
        assert float(white[-1] / white[0]) ** 0.5 == pytest.approx(1 / nearest_m, rel=0.1)


def test_beyond_the_still_nothing_is_known() -> None:
    sequence = drawn(frames=2, shift=1.0, zoom=0.0, turn_rad=0.0)
    known = (sequence.depth_m[:, -1] > 0).float()
    far = F.max_pool2d(known, 5, stride=1, padding=2)[:, 0] == 0  # no pixel of the still nearby
    assert far.any()
    assert (sequence.rgb[:, -1][far] == 114).all()


@pytest.mark.parametrize("part", [0.0, 1.0])
def test_depth_and_history_are_withheld_as_often_as_asked(part: float) -> None:
    sequence = drawn(depth_withheld=part, history_withheld=part)
    assert bool((sequence.depth_m > 0).any()) is (part == 0)
    assert bool(sequence.keeps_history.any()) is (part == 0)
