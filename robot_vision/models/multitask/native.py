"""The native model: one small encoder for boxes, masks, depth, features and an embedding.

A MobileNet-style encoder of depthwise-separable stages, an FPN-lite neck, anchor-free heads
(FCOS, arXiv:1904.01355) at strides 8, 16 and 32, masks by prototypes (YOLACT, arXiv:1904.02689)
and depth at a quarter of the size, predicted as a correction of the sensor's where available.
One definition, two sizes. The tensors are those of `ARCHITECTURE.md`.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Real
from torch import Tensor, nn

from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.models.card import Card, Graph, Serving, Size
from robot_vision.models.multitask.native_parts import (
    FEATURE_STRIDE,
    NOMINAL_FOCAL_PX,
    QUARTER,
    STRIDES,
    DepthwiseEncoder,
    Head,
    NativeSpec,
    Neck,
    QuarterDecoder,
    Relief,
    boxes_from_distances,
    cell_centers_px,
    metric_depth,
    network_input,
    sensor_depth,
    shape_input,
)
from robot_vision.models.registry import register_model

OUTPUTS = (
    "boxes_xyxy",
    "scores",
    "mask_coefficients",
    "mask_prototypes",
    "depth_m",
    "features",
    "embedding",
)
FILE = "model.onnx"
EXAMPLE_WIDTH_PX, EXAMPLE_HEIGHT_PX = 416, 320
SIZE_STEP_PX = 32


class NativeModel(nn.Module):
    """A picture with depth and focal length → outputs by role; class scores are logits.

    Height and width are multiples of 32. `depth_m` is 0 where invalid, all zeros without a
    sensor; `focal_px` is in pixels of the input, 0 where unknown.
    """

    def __init__(self, spec: NativeSpec) -> None:
        super().__init__()
        self.spec = spec
        self.relief = Relief(spec)
        self.encoder = DepthwiseEncoder(spec)
        self.neck = Neck(spec)
        self.heads = nn.ModuleList(Head(spec) for _ in STRIDES)
        self.decoder = QuarterDecoder(spec)
        self.features = nn.Conv2d(spec.neck, spec.features, 1)
        self.embedding = nn.Linear(spec.widths[-1], spec.embedding)

    def forward(
        self,
        rgb: Real[Tensor, "b h w 3"],
        depth_m: Float[Tensor, "b 1 h w"],
        focal_px: Float[Tensor, "b 1"],
    ) -> dict[str, Tensor]:
        valid = (depth_m > 0).to(torch.float32)
        focal_px = torch.where(focal_px > 0, focal_px, NOMINAL_FOCAL_PX)
        sensor = sensor_depth(depth_m, valid)
        relief = self.relief(shape_input(sensor, focal_px))
        maps = self.encoder(network_input(rgb, depth_m, valid), relief)
        pyramid = self.neck(maps)
        prototypes, depth_parts = self.decoder(maps[0], pyramid[0], sensor)
        logits, boxes_xyxy, coefficients = self._detect(pyramid)
        embedding = self.embedding(maps[-1].mean(dim=(2, 3)))
        return {
            "class_logits": logits,
            "boxes_xyxy": boxes_xyxy,
            "mask_coefficients": coefficients,
            "mask_prototypes": prototypes.float(),
            "depth_m": metric_depth(depth_parts.float(), sensor, focal_px),
            "features": self.features(pyramid[1]).float(),
            "embedding": F.normalize(embedding.float(), dim=1),
        }

    def _detect(
        self, pyramid: list[Float[Tensor, "b _c _h _w"]]
    ) -> tuple[Float[Tensor, "b a c"], Float[Tensor, "b a 4"], Float[Tensor, "b a k"]]:
        """Class logits, boxes (px) and mask coefficients of the cells of all levels."""
        logits, boxes, coefficients = [], [], []
        for stride, x, head in zip(STRIDES, pyramid, self.heads, strict=True):
            level_logits, distances, level_coefficients = head(x)
            centers = cell_centers_px(x.shape[2], x.shape[3], stride, device=x.device)
            logits.append(level_logits.float())
            boxes.append(boxes_from_distances(centers, distances.float(), stride))
            coefficients.append(level_coefficients.float())
        return torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(coefficients, 1)


class ServedNative(nn.Module):
    """The model as exported: it returns a tuple in the order of `OUTPUTS`, with probabilities."""

    def __init__(self, model: NativeModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        rgb: Real[Tensor, "b h w 3"],
        depth_m: Float[Tensor, "b 1 h w"],
        focal_px: Float[Tensor, "b 1"],
    ) -> tuple[Float[Tensor, "b ..."], ...]:
        named = self.model(rgb, depth_m, focal_px)
        named["scores"] = named.pop("class_logits").sigmoid()
        return tuple(named[name] for name in OUTPUTS)


def build_native(spec: NativeSpec) -> NativeModel:
    """The model with new weights, in the memory format of fast convolutions."""
    model = NativeModel(spec)
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def example_inputs(spec: NativeSpec, batch: int) -> dict[str, Tensor]:
    """Noise; every second sample without depth and focal length, the others with holes."""
    del spec
    draw = torch.Generator().manual_seed(0)
    height, width = EXAMPLE_HEIGHT_PX, EXAMPLE_WIDTH_PX
    rgb = torch.randint(0, 256, (batch, height, width, 3), dtype=torch.uint8, generator=draw)
    depth_m = torch.rand(batch, 1, height, width, generator=draw) * 2 + 0.3
    depth_m[..., height // 4 : height // 2, width // 4 : width // 2] = 0
    focal_px = torch.full((batch, 1), NOMINAL_FOCAL_PX)
    depth_m[1::2] = 0
    focal_px[1::2] = 0
    return {"rgb": rgb, "depth_m": depth_m, "focal_px": focal_px}


def served_graphs(model: nn.Module, spec: NativeSpec, size: Size) -> tuple[Graph, ...]:
    """One graph with a dynamic batch; width and height are fixed, or any multiples of 32."""
    del spec
    assert isinstance(model, NativeModel)
    height, width = size.height_px, size.width_px
    example = {
        "rgb": torch.zeros(2, height, width, 3, dtype=torch.uint8),
        "depth_m": torch.ones(2, 1, height, width),
        "focal_px": torch.ones(2, 1),
    }
    return (
        Graph(
            file=FILE,
            module=ServedNative(model),
            example=example,
            # An output may not share the name of an input: this one is renamed.
            outputs={r: "metric_depth_m" if r in example else r for r in OUTPUTS},
            dynamic=_free_dimensions(any_size=size.any_size),
        ),
    )


def _free_dimensions(*, any_size: bool) -> dict[str, dict[int, Any]]:
    batch = torch.export.Dim("batch", min=1, max=256)
    rgb: dict[int, Any] = {0: batch}
    depth_m: dict[int, Any] = {0: batch}
    if any_size:
        height, width = (
            SIZE_STEP_PX * torch.export.Dim(name, min=2, max=128) for name in ("rows", "columns")
        )
        rgb |= {1: height, 2: width}
        depth_m |= {2: height, 3: width}
    return {"rgb": rgb, "depth_m": depth_m, "focal_px": {0: batch}}


def served_image(spec: NativeSpec, size: Size) -> ModelInput:
    """Raw pixels: the graph scales them."""
    del spec
    return ModelInput(
        name="rgb",
        depth_name="depth_m",
        focal_name="focal_px",
        width_px=size.width_px,
        height_px=size.height_px,
        resize="letterbox",
        dtype="uint8",
        layout="nhwc",
    )


def _card(name: str, spec: NativeSpec, *, most_parameters: int) -> Card[NativeSpec]:
    quarter, sixteenth = (f"h/{step} w/{step}" for step in (QUARTER, FEATURE_STRIDE))
    return Card(
        name=name,
        about=(
            "Boxes, masks, metric depth, a feature grid and an embedding from colour and optional "
            "depth, in one pass. The feature grid is trained so that objects of one class and "
            "colour are similar; the embedding, so that it encodes which classes and colours are "
            "in view."
        ),
        paper="arXiv:1904.01355, arXiv:1904.02689, arXiv:1704.04861",
        task="perception",
        spec=spec,
        tiny=NativeSpec(
            classes=3,
            stem=4,
            widths=(8, 8, 12, 16),
            depths=(1, 1, 1, 1),
            neck=8,
            head_depth=1,
            quarter=8,
            relief=(4, 6, 8),
            prototypes=4,
            features=6,
            embedding=5,
        ),
        build=build_native,
        example=example_inputs,
        inputs={"rgb": "b h w 3", "depth_m": "b 1 h w", "focal_px": "b 1"},
        outputs={
            "class_logits": "b a classes",
            "boxes_xyxy": "b a 4",
            "mask_coefficients": "b a prototypes",
            "mask_prototypes": f"b prototypes {quarter}",
            "depth_m": f"b 1 {quarter}",
            "features": f"b features {sixteenth}",
            "embedding": "b embedding",
        },
        most_parameters=most_parameters,
        serving=Serving(graphs=served_graphs, format="native", image=served_image),
        limits=(
            "Trained on synthetic tabletop scenes only, of ten kinds of simple shapes: its "
            "accuracy on real pictures is unknown. For anything else bring your own model or "
            "fine-tune this one."
        ),
    )


register_model(_card("native-s", NativeSpec(), most_parameters=800_000))
register_model(
    _card(
        "native-m",
        NativeSpec(
            stem=24,
            widths=(48, 112, 256, 512),
            depths=(2, 3, 8, 4),
            neck=128,
            head_depth=3,
            quarter=64,
            relief=(32, 96, 160),
        ),
        most_parameters=4_000_000,
    )
)
