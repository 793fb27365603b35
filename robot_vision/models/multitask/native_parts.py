"""Parts of the native model: encoder, neck, heads and the decoder of masks and depth."""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Real
from pydantic import Field
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.layers.sensor_depth import fill_depth, quarter_depth, surface_slopes
from robot_vision.models.layers.separable import ConvNorm, SeparableBlock, separable_stack

STRIDES = (8, 16, 32)
FEATURE_STRIDE = 16
QUARTER = 4
PRIOR_SCORE = 0.01
# Depth from colour alone is learnt for this focal length, and scaled to the real one.
NOMINAL_FOCAL_PX = 360.0

Width = Annotated[int, Field(ge=1, le=4096)]
Depth = Annotated[int, Field(ge=1, le=64)]


class NativeSpec(Params):
    """Widths (channels) and depths (blocks) of one size of the model."""

    classes: int = param(10, "object classes; set by the training set", ge=1, le=10000)
    stem: int = param(16, "width at stride 2", ge=1, le=4096)
    widths: tuple[Width, Width, Width, Width] = param(
        (32, 64, 160, 320), "widths of the stages at strides 4, 8, 16 and 32"
    )
    depths: tuple[Depth, Depth, Depth, Depth] = param((1, 3, 5, 3), "blocks of those stages")
    neck: int = param(64, "width of the pyramid and of the heads", ge=1, le=4096)
    head_depth: int = param(2, "blocks of each tower of a head", ge=1, le=64)
    quarter: int = param(32, "width of the decoder at stride 4", ge=1, le=4096)
    relief: tuple[Width, Width, Width] = param(
        (24, 64, 96), "widths of the maps from surface slopes at strides 4, 8 and 16"
    )
    prototypes: int = param(16, "mask prototypes that masks are combined from", ge=1, le=4096)
    features: int = param(64, "width of the feature grid", ge=1, le=4096)
    embedding: int = param(64, "width of the embedding", ge=1, le=4096)


@dataclass(frozen=True, kw_only=True, eq=False)
class SensorDepth:
    """The sensor's depth at a quarter of the size, with holes filled from their surroundings.

    `nearness` is that of `fill_depth`; `known` is false everywhere if there is no depth.
    """

    log_filled: Float[Tensor, "b 1 hm wm"]
    nearness: Float[Tensor, "b 1 hm wm"]
    known: Bool[Tensor, "b 1 hm wm"]


class Relief(nn.Module):
    """Slopes of surfaces → maps that are added to the encoder's at strides 4, 8 and 16.

    Shapes hardly show in the depth itself: a can differs from a box by a hundredth of its
    distance. Initialised to zero, so that older weights without it can be trained further.
    """

    def __init__(self, spec: NativeSpec) -> None:
        super().__init__()
        quarter, eighth, sixteenth = spec.relief
        self.stages = nn.ModuleList(
            [
                ConvNorm(4, quarter, kernel=3),
                nn.Sequential(
                    SeparableBlock(quarter, eighth, stride=2),
                    SeparableBlock(eighth, eighth, kernel=5),
                ),
                SeparableBlock(eighth, sixteenth, kernel=5, stride=2),
            ]
        )
        told = [
            nn.Conv2d(own, width, 1, bias=False)
            for own, width in zip(spec.relief, spec.widths[:-1], strict=True)
        ]
        for layer in told:
            nn.init.zeros_(layer.weight)
        self.told = nn.ModuleList(told)

    def forward(self, x: Float[Tensor, "b 4 h w"]) -> list[Float[Tensor, "b _c _h _w"]]:
        maps = []
        for stage, told in zip(self.stages, self.told, strict=True):
            x = stage(x)
            maps.append(told(x))
        return maps


class DepthwiseEncoder(nn.Module):
    """Colour, log depth and its validity → features at strides 4, 8, 16, 32.

    Maps of relief are added to those of the same stride.
    """

    def __init__(self, spec: NativeSpec) -> None:
        super().__init__()
        self.stem = ConvNorm(5, spec.stem, kernel=3, stride=2)
        kernels = (3, 3, 5, 5)
        stages, previous = [], spec.stem
        for width, depth, kernel in zip(spec.widths, spec.depths, kernels, strict=True):
            down = SeparableBlock(previous, width, kernel=kernel, stride=2)
            stages.append(nn.Sequential(down, separable_stack(width, depth, kernel=kernel)))
            previous = width
        self.stages = nn.ModuleList(stages)

    def forward(
        self, x: Float[Tensor, "b 5 h w"], relief: list[Float[Tensor, "_b _c _h _w"]]
    ) -> list[Float[Tensor, "b _c _h _w"]]:
        x = self.stem(x)
        maps = []
        for level, stage in enumerate(self.stages):
            x = stage(x)
            if level < len(relief):
                x = x + relief[level]
            maps.append(x)
        return maps


class Neck(nn.Module):
    """Top-down pyramid with global context at the top (FPN-lite): strides 8, 16, 32."""

    def __init__(self, spec: NativeSpec) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            ConvNorm(width, spec.neck, activation=nn.Identity) for width in spec.widths[1:]
        )
        self.context = nn.Conv2d(spec.widths[-1], spec.neck, 1)
        self.smooth = nn.ModuleList(
            SeparableBlock(spec.neck, spec.neck, kernel=5) for _ in STRIDES
        )
        self.down = nn.ModuleList(
            SeparableBlock(spec.neck, spec.neck, kernel=5, stride=2) for _ in STRIDES[1:]
        )

    def forward(self, maps: list[Float[Tensor, "b _c _h _w"]]) -> list[Float[Tensor, "b c _h _w"]]:
        top = maps[-1]
        context = self.context(top.mean(dim=(2, 3), keepdim=True))
        x = F.relu(self.lateral[-1](top) + context)
        pyramid = [self.smooth[-1](x)]
        for level in (1, 0):
            up = F.interpolate(pyramid[0], scale_factor=2.0, mode="nearest")
            x = F.relu(self.lateral[level](maps[level + 1]) + up)
            pyramid.insert(0, self.smooth[level](x))
        for level, down in enumerate(self.down):
            pyramid[level + 1] = pyramid[level + 1] + down(pyramid[level])
        return pyramid


class Head(nn.Module):
    """Class logits, box distances and mask coefficients of one level."""

    def __init__(self, spec: NativeSpec) -> None:
        super().__init__()
        self.class_tower = separable_stack(spec.neck, spec.head_depth)
        self.box_tower = separable_stack(spec.neck, spec.head_depth)
        self.classes = nn.Conv2d(spec.neck, spec.classes, 1)
        self.distances = nn.Conv2d(spec.neck, 4, 1)
        self.coefficients = nn.Conv2d(spec.neck, spec.prototypes, 1)
        prior_logit = torch.logit(torch.tensor(PRIOR_SCORE)).item()
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.constant_(_bias(self.classes), prior_logit)
        nn.init.constant_(_bias(self.distances), 1.5)

    def forward(
        self, x: Float[Tensor, "b _c h w"]
    ) -> tuple[Float[Tensor, "b cells c"], Float[Tensor, "b cells 4"], Float[Tensor, "b cells k"]]:
        box = self.box_tower(x)
        maps = (self.classes(self.class_tower(x)), self.distances(box), self.coefficients(box))
        logits, distances, coefficients = (m.flatten(2).transpose(1, 2) for m in maps)
        return logits, distances, coefficients


class QuarterDecoder(nn.Module):
    """Mask prototypes, and the three maps behind metric depth, at a quarter of the size.

    The filled depth is one of the inputs: without it a correction in the holes would be a guess.
    """

    def __init__(self, spec: NativeSpec) -> None:
        super().__init__()
        self.skip = ConvNorm(spec.widths[0], spec.quarter, activation=nn.Identity)
        self.reduce = ConvNorm(spec.neck, spec.quarter, activation=nn.Identity)
        self.around = nn.Conv2d(2, spec.quarter, 1, bias=False)
        self.refine = separable_stack(spec.quarter, 2, kernel=5)
        self.prototypes = nn.Conv2d(spec.quarter, spec.prototypes, 1)
        self.depth = nn.Conv2d(spec.quarter, 3, 3, padding=1)
        nn.init.zeros_(_bias(self.depth))
        nn.init.normal_(self.depth.weight, std=0.01)
        nn.init.zeros_(self.around.weight)

    def forward(
        self,
        quarter: Float[Tensor, "b _c hm wm"],
        eighth: Float[Tensor, "b _c _h _w"],
        sensor: SensorDepth,
    ) -> tuple[Float[Tensor, "b k hm wm"], Float[Tensor, "b 3 hm wm"]]:
        up = F.interpolate(self.reduce(eighth), scale_factor=2.0, mode="bilinear")
        around = self.around(torch.cat([sensor.log_filled, sensor.nearness], dim=1))
        x = self.refine(F.relu(self.skip(quarter) + up + around))
        return self.prototypes(x), self.depth(x)


def cell_centers_px(
    height: Any, width: Any, stride: int, *, device: torch.device | None = None
) -> Float[Tensor, "cells 2"]:
    """Centres of a level's cells as x, y in input pixels, row by row.

    `height` and `width` are integers, or symbolic ones while exporting for any size.
    """
    y = (torch.arange(height, device=device) + 0.5) * stride
    x = (torch.arange(width, device=device) + 0.5) * stride
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)


def boxes_from_distances(
    centers: Float[Tensor, "cells 2"], distances: Float[Tensor, "b cells 4"], stride: int
) -> Float[Tensor, "b cells 4"]:
    """Boxes from the distances of their left, top, right and bottom sides to the cell centre."""
    distances_px = F.softplus(distances) * stride
    low = centers - distances_px[..., :2]
    high = centers + distances_px[..., 2:]
    return torch.cat([low, high], dim=-1)


def network_input(
    rgb: Real[Tensor, "b h w 3"],
    depth_m: Float[Tensor, "b 1 h w"],
    valid: Float[Tensor, "b 1 h w"],
) -> Float[Tensor, "b 5 h w"]:
    """Colour centred at zero, log depth, and where depth is valid."""
    color = (rgb.permute(0, 3, 1, 2).to(torch.float32) - 127.5) / 64.0
    log_depth = torch.log(depth_m.clamp(min=0.05)) * valid
    return torch.cat([color, log_depth, valid], dim=1)


def sensor_depth(
    depth_m: Float[Tensor, "b 1 h w"], valid: Float[Tensor, "b 1 h w"]
) -> SensorDepth:
    """Reduce the sensor's depth to a quarter of the size and fill its holes."""
    sensor_m, weight = quarter_depth(depth_m, valid)
    filled_m, nearness = fill_depth(sensor_m, weight)
    known = filled_m > 0
    return SensorDepth(
        log_filled=torch.log(filled_m.clamp(min=0.05)) * known,
        nearness=nearness,
        known=known,
    )


def shape_input(sensor: SensorDepth, focal_px: Float[Tensor, "b 1"]) -> Float[Tensor, "b 4 hm wm"]:
    """Slopes to the right and downwards, and the depth they were computed from."""
    slopes = surface_slopes(sensor.log_filled, focal_px / QUARTER)
    return torch.cat([slopes, sensor.log_filled, sensor.nearness], dim=1)


def metric_depth(
    parts: Float[Tensor, "b 3 hm wm"], sensor: SensorDepth, focal_px: Float[Tensor, "b 1"]
) -> Float[Tensor, "b 1 hm wm"]:
    """Depth in metres from three log maps, depending on the sensor.

    Where it measures, its depth times the first; in its holes, the filled depth times the third;
    without a sensor, the second alone, scaled by the focal length: apparent size gives depth
    through a known lens only (Metric3D, arXiv:2307.10984). There is one map for each case: where
    the sensor measures, the best correction is almost none, and a map that has learnt this could
    not fill holes.
    """
    seen, alone, hole = parts.clamp(-3.5, 3.5).split(1, dim=1)
    alone = alone + (torch.log(focal_px) - math.log(NOMINAL_FOCAL_PX))[..., None, None]
    with_sensor = sensor.log_filled + torch.where(sensor.nearness == 1, seen, hole)
    return torch.exp(torch.where(sensor.known, with_sensor, alone))


def _bias(layer: nn.Conv2d) -> Float[Tensor, " c"]:
    assert layer.bias is not None
    return layer.bias
