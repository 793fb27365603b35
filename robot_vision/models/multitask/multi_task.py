"""Classification, detection and segmentation of one picture by one encoder and three light heads.

Each head can be left out, so that a model of one task is the same model without the others.
"""

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.params import Params, param
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
    classes: int = param(10, "kinds of objects; the training set says how many", ge=1, le=10000)
    tasks: tuple[TaskName, ...] = param(ALL_TASKS, "heads that there are", min_length=1)
    stride_px: int = param(16, "side of a cell, one of the encoder's strides", unit="px", ge=1)
    boxes: int = param(2, "boxes of each cell", ge=1, le=16)
    width: int = param(64, "channels of the detection head", ge=1, le=4096)
    depth: int = param(1, "blocks of the detection head", ge=1, le=16)
    semantic_stride_px: int = param(
        8, "side of a cell of the segmentation head, of the encoder's strides", unit="px", ge=1
    )
    semantic_width: int = param(24, "channels of the segmentation head", ge=1, le=4096)


class SemanticHead(nn.Module):
    """Maps of an encoder → logits [b,classes+1,h,w], the background first.

    Cells are those of the finest map of at least `stride_px`; finer ones are not looked at,
    because there a light head costs as much as all else. Raises `ConfigError` where no map is
    that coarse.
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

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        used = [maps[level] for level in self._used]
        x = self.blend[-1](F.relu(self.lateral[-1](used[-1])))
        for level in range(len(used) - 2, -1, -1):
            up = F.interpolate(x, used[level].shape[2:], mode="nearest")
            x = self.blend[level](F.relu(self.lateral[level](used[level]) + up))
        return self.classes(x)


class MultiTask(nn.Module):
    """What its heads say, by role: those of `GridHead`; `class_logits` [b,classes], each class by
    itself; `semantic_logits` [b,classes+1,·,·]."""

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

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
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
    """The same with probabilities in the place of logits, as the service reads them."""

    def __init__(self, model: MultiTask) -> None:
        super().__init__()
        self.model = model

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        found = self.model(rgb)
        if "class_logits" in found:
            found["class_probabilities"] = found.pop("class_logits").sigmoid()
        if "semantic_logits" in found:
            found["semantic"] = found.pop("semantic_logits").softmax(dim=1)
        return found


def served_roles(tasks: tuple[TaskName, ...]) -> tuple[str, ...]:
    """What a bundle of these tasks gives: boxes first, then what stands beside them."""
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
    limits="One class a cell: of two things whose middles share a cell it finds one.",
)
register_model(card)
