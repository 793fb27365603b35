"""Classification, detection and segmentation of one picture by one encoder and three light heads.

Each head can be left out, so a single-task model is the same model without the other heads.
"""

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float, Real
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card, Graph, Serving, Size
from robot_vision.models.detection.grid_head import GridHead
from robot_vision.models.detection.yolo_v1 import ROLES, TINY_ENCODER
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.layers.separable import ConvNorm, SeparableBlock
from robot_vision.models.picture import PICTURE, noise_pictures, served_from_picture
from robot_vision.models.registry import register_model

TaskName = Literal["classification", "detection", "segmentation"]
ALL_TASKS: tuple[TaskName, ...] = ("classification", "detection", "segmentation")


class MultiTaskSpec(Params):
    encoder: EncoderChoice = EncoderChoice()
    classes: int = param(10, "object classes; set by the training set", ge=1, le=10000)
    tasks: tuple[TaskName, ...] = param(ALL_TASKS, "heads of the model", min_length=1)
    stride_px: int = param(16, "side of a cell, one of the encoder's strides", unit="px", ge=1)
    boxes: int = param(2, "boxes of each cell", ge=1, le=16)
    width: int = param(64, "channels of the detection head", ge=1, le=4096)
    depth: int = param(1, "blocks of the detection head", ge=1, le=16)
    semantic_stride_px: int = param(
        8, "cell side of the segmentation head, one of the encoder's strides", unit="px", ge=1
    )
    semantic_width: int = param(24, "channels of the segmentation head", ge=1, le=4096)


class SemanticHead(nn.Module):
    """Maps of an encoder → logits of the background and the classes, in that order.

    Cells are those of the finest map with a stride of at least `stride_px`; finer maps are not
    used, because there even a light head costs as much as the rest. Raises `ConfigError` if no
    map is that coarse.
    """

    def __init__(
        self,
        *,
        strides: Sequence[int],
        channels: Sequence[int],
        stride_px: int,
        width: int,
        classes: int,
    ) -> None:
        super().__init__()
        self._used = [level for level, stride in enumerate(strides) if stride >= stride_px]
        if not self._used:
            raise ConfigError(
                f"semantic_stride_px = {stride_px}: expected at most {max(strides)}, the largest "
                "of the encoder's strides"
            )
        self.lateral = nn.ModuleList(
            ConvNorm(channels[level], width, activation=nn.Identity) for level in self._used
        )
        self.blend = nn.ModuleList(SeparableBlock(width, width) for _ in self._used)
        self.classes = nn.Conv2d(width, classes + 1, 1)

    def forward(self, maps: Sequence[Float[Tensor, "b _c _h _w"]]) -> Float[Tensor, "b c hm wm"]:
        used = [maps[level] for level in self._used]
        x = self.blend[-1](F.relu(self.lateral[-1](used[-1])))
        for level in range(len(used) - 2, -1, -1):
            up = F.interpolate(x, used[level].shape[2:], mode="nearest")
            x = self.blend[level](F.relu(self.lateral[level](used[level]) + up))
        return self.classes(x)


class MultiTask(nn.Module):
    """Outputs of the heads by role.

    Those of `GridHead`; `class_logits` [b,classes], independent per class; `semantic_logits`
    [b,classes+1,·,·].
    """

    def __init__(self, spec: MultiTaskSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = PictureEncoder(spec.encoder)
        if "classification" in spec.tasks:
            self.classification = nn.Linear(self.encoder.dim, spec.classes)
        if "detection" in spec.tasks:
            self.detection = GridHead(
                strides=self.encoder.strides,
                channels=self.encoder.channels,
                stride_px=spec.stride_px,
                boxes=spec.boxes,
                classes=spec.classes,
                width=spec.width,
                depth=spec.depth,
            )
        if "segmentation" in spec.tasks:
            self.segmentation = SemanticHead(
                strides=self.encoder.strides,
                channels=self.encoder.channels,
                stride_px=spec.semantic_stride_px,
                width=spec.semantic_width,
                classes=spec.classes,
            )

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        encoded, tasks = self.encoder(rgb), self.spec.tasks
        found: dict[str, Tensor] = {}
        if "detection" in tasks:
            found |= self.detection(encoded.maps)
        if "classification" in tasks:
            found["class_logits"] = self.classification(encoded.pooled).float()
        if "segmentation" in tasks:
            found["semantic_logits"] = self.segmentation(encoded.maps).float()
        return found


class ServedMultiTask(nn.Module):
    """The model with probabilities in place of logits, as the service expects them."""

    def __init__(self, model: MultiTask) -> None:
        super().__init__()
        self.model = model

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        found = self.model(rgb)
        if "class_logits" in found:
            found["class_probabilities"] = found.pop("class_logits").sigmoid()
        if "semantic_logits" in found:
            found["semantic"] = found.pop("semantic_logits").softmax(dim=1)
        return found


def served_roles(tasks: tuple[TaskName, ...]) -> tuple[str, ...]:
    """Outputs of a bundle of these tasks: boxes first, then the others."""
    beside = {"classification": "class_probabilities", "segmentation": "semantic"}
    boxes = ROLES if "detection" in tasks else ()
    return (*boxes, *(role for task, role in beside.items() if task in tasks))


def _graphs(model: nn.Module, spec: MultiTaskSpec, size: Size) -> tuple[Graph, ...]:
    assert isinstance(model, MultiTask)
    served = served_from_picture("yolo_v1", *served_roles(spec.tasks))
    return served.graphs(ServedMultiTask(model), spec, size)


card = Card(
    name="multi-task",
    about="Classes in view, boxes and the class of each pixel, from one encoder.",
    paper="arXiv:1506.02640, arXiv:1705.07115",
    task="multi_task",
    spec=MultiTaskSpec(),
    tiny=MultiTaskSpec(encoder=TINY_ENCODER, classes=3, width=8, semantic_width=6),
    build=MultiTask,
    example=noise_pictures,
    inputs=PICTURE,
    outputs={
        "boxes_xyxy": "b n 4",
        "confidence": "b n",
        "class_scores": "b n classes",
        "class_logits": "b classes",
        "semantic_logits": "b s h/8 w/8",
    },
    most_parameters=12_000_000,
    serving=Serving(graphs=_graphs, format="yolo_v1", image=served_from_picture("yolo_v1").image),
    limits="One class per cell: of two objects whose centres share a cell it finds one.",
)
register_model(card)
