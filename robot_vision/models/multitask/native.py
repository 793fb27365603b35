"""The native model: one small encoder for boxes, masks, depth, features and an embedding.

A MobileNet-style encoder of depthwise-separable stages, an FPN-lite neck, anchor-free heads
(FCOS, arXiv:1904.01355) at strides 8, 16 and 32, masks by prototypes (YOLACT, arXiv:1904.02689)
and depth at a quarter of the size, predicted as a correction of the sensor's where there is any.
One definition, two sizes. The tensors are those of `ARCHITECTURE.md`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.models.layers.sensor_depth import fill_depth, quarter_depth, surface_slopes
from robot_vision.models.layers.separable import ConvNorm, SeparableBlock, separable_stack
from robot_vision.models.registry import MODELS

STRIDES = (8, 16, 32)
FEATURE_STRIDE = 16
QUARTER = 4
PRIOR_SCORE = 0.01
# A depth from colour alone is learnt as through this lens, and scaled by the real one.
NOMINAL_FOCAL_PX = 360.0
OUTPUTS = (
    "boxes_xyxy",
    "scores",
    "mask_coefficients",
    "mask_prototypes",
    "depth_m",
    "features",
    "embedding",
)


@dataclass(frozen=True, kw_only=True)
class NativeSpec:
    """Widths (channels) and depths (blocks) of one size of the model.

    `widths` and `depths` are those of the stages at strides 4, 8, 16 and 32, `relief` the widths
    of what is read from the slopes of surfaces at strides 4, 8 and 16.
    """

    stem: int
    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    neck: int
    head_depth: int
    quarter: int
    relief: tuple[int, int, int]
    prototypes: int = 16
    features: int = 64
    embedding: int = 64


SPECS = {
    "native-s": NativeSpec(
        stem=16,
        widths=(32, 64, 160, 320),
        depths=(1, 3, 5, 3),
        neck=64,
        head_depth=2,
        quarter=32,
        relief=(24, 64, 96),
    ),
    "native-m": NativeSpec(
        stem=24,
        widths=(48, 112, 256, 512),
        depths=(2, 3, 8, 4),
        neck=128,
        head_depth=3,
        quarter=64,
        relief=(32, 96, 160),
    ),
}


class Relief(nn.Module):
    """Slopes of surfaces → what the encoder's maps at strides 4, 8 and 16 are told of shapes.

    Shapes hardly show in the depth itself: what tells a can from a box is a hundredth of its
    distance. Begins as nothing, so that weights from before it was there can be trained on.
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

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage, told in zip(self.stages, self.told, strict=True):
            x = stage(x)
            maps.append(told(x))
        return maps


class Encoder(nn.Module):
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

    def forward(self, x: Tensor, relief: list[Tensor]) -> list[Tensor]:
        x = self.stem(x)
        maps = []
        for level, stage in enumerate(self.stages):
            x = stage(x)
            if level < len(relief):
                x = x + relief[level]
            maps.append(x)
        return maps


class Neck(nn.Module):
    """Top-down pyramid with a global context at its top (FPN-lite): strides 8, 16, 32."""

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

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
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

    def __init__(self, spec: NativeSpec, *, classes: int) -> None:
        super().__init__()
        self.class_tower = separable_stack(spec.neck, spec.head_depth)
        self.box_tower = separable_stack(spec.neck, spec.head_depth)
        self.classes = nn.Conv2d(spec.neck, classes, 1)
        self.distances = nn.Conv2d(spec.neck, 4, 1)
        self.coefficients = nn.Conv2d(spec.neck, spec.prototypes, 1)
        prior_logit = torch.logit(torch.tensor(PRIOR_SCORE)).item()
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.constant_(_bias(self.classes), prior_logit)
        nn.init.constant_(_bias(self.distances), 1.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        box = self.box_tower(x)
        maps = (self.classes(self.class_tower(x)), self.distances(box), self.coefficients(box))
        logits, distances, coefficients = (m.flatten(2).transpose(1, 2) for m in maps)
        return logits, distances, coefficients


class QuarterDecoder(nn.Module):
    """Prototypes, and what metric depth is made of, at a quarter of the size.

    It is told the depth that holes are filled with: a correction of what is not known could only
    be right by chance.
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
        self, quarter: Tensor, eighth: Tensor, sensor: "SensorDepth"
    ) -> tuple[Tensor, Tensor]:
        up = F.interpolate(self.reduce(eighth), scale_factor=2.0, mode="bilinear")
        around = self.around(torch.cat([sensor.log_filled, sensor.nearness], dim=1))
        x = self.refine(F.relu(self.skip(quarter) + up + around))
        return self.prototypes(x), self.depth(x)


class NativeModel(nn.Module):
    """`forward(rgb u8 [B,H,W,3], depth_m f32 [B,1,H,W], focal_px f32 [B,1])` → named tensors.

    H and W are multiples of 32. `depth_m` is 0 where invalid, all zeros when there is no sensor;
    `focal_px` is in pixels of the input, 0 where it is not known. Class scores are logits.
    """

    def __init__(self, spec: NativeSpec, *, classes: int) -> None:
        super().__init__()
        self.spec = spec
        self.relief = Relief(spec)
        self.encoder = Encoder(spec)
        self.neck = Neck(spec)
        self.heads = nn.ModuleList(Head(spec, classes=classes) for _ in STRIDES)
        self.decoder = QuarterDecoder(spec)
        self.features = nn.Conv2d(spec.neck, spec.features, 1)
        self.embedding = nn.Linear(spec.widths[-1], spec.embedding)

    def forward(self, rgb: Tensor, depth_m: Tensor, focal_px: Tensor) -> dict[str, Tensor]:
        valid = (depth_m > 0).to(torch.float32)
        focal_px = torch.where(focal_px > 0, focal_px, NOMINAL_FOCAL_PX)
        sensor = _sensor_depth(depth_m, valid)
        relief = self.relief(_shape_input(sensor, focal_px))
        maps = self.encoder(_network_input(rgb, depth_m, valid), relief)
        pyramid = self.neck(maps)
        prototypes, depth_parts = self.decoder(maps[0], pyramid[0], sensor)
        logits, boxes_xyxy, coefficients = self._detect(pyramid)
        embedding = self.embedding(maps[-1].mean(dim=(2, 3)))
        return {
            "class_logits": logits,
            "boxes_xyxy": boxes_xyxy,
            "mask_coefficients": coefficients,
            "mask_prototypes": prototypes.float(),
            "depth_m": _metric_depth(depth_parts.float(), sensor, focal_px),
            "features": self.features(pyramid[1]).float(),
            "embedding": F.normalize(embedding.float(), dim=1),
        }

    def _detect(self, pyramid: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        logits, boxes, coefficients = [], [], []
        for stride, x, head in zip(STRIDES, pyramid, self.heads, strict=True):
            level_logits, distances, level_coefficients = head(x)
            centers = cell_centers_px(x.shape[2], x.shape[3], stride, device=x.device)
            logits.append(level_logits.float())
            boxes.append(_boxes(centers, distances.float(), stride))
            coefficients.append(level_coefficients.float())
        return torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(coefficients, 1)


class ServedNative(nn.Module):
    """The model as it is exported: a tuple in the order of `OUTPUTS`, probabilities as scores."""

    def __init__(self, model: NativeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, rgb: Tensor, depth_m: Tensor, focal_px: Tensor) -> tuple[Tensor, ...]:
        named = self.model(rgb, depth_m, focal_px)
        named["scores"] = named.pop("class_logits").sigmoid()
        return tuple(named[name] for name in OUTPUTS)


def cell_centers_px(
    height: Any, width: Any, stride: int, *, device: torch.device | None = None
) -> Tensor:
    """Centres of a level's cells, [height·width, 2] as x, y in input pixels, row by row.

    `height` and `width` are whole numbers, or symbols of them while exporting for any size.
    """
    y = (torch.arange(height, device=device) + 0.5) * stride
    x = (torch.arange(width, device=device) + 0.5) * stride
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)


def _boxes(centers: Tensor, distances: Tensor, stride: int) -> Tensor:
    """Boxes from the distances of their left, top, right and bottom sides to the cell centre."""
    distances_px = F.softplus(distances) * stride
    low = centers - distances_px[..., :2]
    high = centers + distances_px[..., 2:]
    return torch.cat([low, high], dim=-1)


def _network_input(rgb: Tensor, depth_m: Tensor, valid: Tensor) -> Tensor:
    color = (rgb.permute(0, 3, 1, 2).to(torch.float32) - 127.5) / 64.0
    log_depth = torch.log(depth_m.clamp(min=0.05)) * valid
    return torch.cat([color, log_depth, valid], dim=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class SensorDepth:
    """The sensor's depth at a quarter of the size, holes filled from around: maps [B,1,h,w].

    `nearness` is that of `fill_depth`; `known` is false everywhere where there is no depth.
    """

    log_filled: Tensor
    nearness: Tensor
    known: Tensor


def _sensor_depth(depth_m: Tensor, valid: Tensor) -> SensorDepth:
    sensor_m, weight = quarter_depth(depth_m, valid)
    filled_m, nearness = fill_depth(sensor_m, weight)
    known = filled_m > 0
    return SensorDepth(
        log_filled=torch.log(filled_m.clamp(min=0.05)) * known,
        nearness=nearness,
        known=known,
    )


def _shape_input(sensor: SensorDepth, focal_px: Tensor) -> Tensor:
    """Slopes to the right and down, and the depth that they are of, [B,4,h,w]."""
    slopes = surface_slopes(sensor.log_filled, focal_px / QUARTER)
    return torch.cat([slopes, sensor.log_filled, sensor.nearness], dim=1)


def _metric_depth(parts: Tensor, sensor: SensorDepth, focal_px: Tensor) -> Tensor:
    """Depth in metres from three maps of logarithms, by what the sensor says.

    Where it sees, its depth times the first; in its holes, the depth around times the third;
    without a sensor, the second alone, scaled by the focal length: how large a thing appears
    tells its depth through a known lens only (Metric3D, arXiv:2307.10984). One map for each,
    because where the sensor sees the best correction is next to none, and a map that learns
    this could not fill holes.
    """
    seen, alone, hole = parts.clamp(-3.5, 3.5).split(1, dim=1)
    alone = alone + (torch.log(focal_px) - math.log(NOMINAL_FOCAL_PX))[..., None, None]
    with_sensor = sensor.log_filled + torch.where(sensor.nearness == 1, seen, hole)
    return torch.exp(torch.where(sensor.known, with_sensor, alone))


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def build_native(name: str, *, classes: int) -> NativeModel:
    """The native model called `name` with fresh weights, laid out for fast convolutions."""
    model = NativeModel(SPECS[name], classes=classes)
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def load_weights(model: NativeModel, state: Mapping[str, Tensor]) -> list[str]:
    """Load what fits; returns the names of the layers left as they are.

    A class head for another list of classes has another shape and starts afresh.
    """
    own = model.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(fitting, strict=False)
    return sorted(own.keys() - fitting.keys())


@MODELS.register("native-s")
def native_s(*, classes: int) -> NativeModel:
    """≤ 0.8 M parameters, ≤ 0.5 GMACs at 416×320."""
    return build_native("native-s", classes=classes)


@MODELS.register("native-m")
def native_m(*, classes: int) -> NativeModel:
    """≤ 4 M parameters."""
    return build_native("native-m", classes=classes)
