"""A grid detector in the style of YOLOv1 (arXiv:1506.02640), on any encoder."""

from jaxtyping import Real
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.detection.grid_head import GridHead
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.picture import PICTURE, noise_pictures, served_from_picture
from robot_vision.models.registry import register_model

# A residual network that tests build in milliseconds.
TINY_ENCODER = EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4})
ROLES = ("boxes_xyxy", "confidence", "class_scores")


class YoloV1Spec(Params):
    encoder: EncoderChoice = EncoderChoice()
    classes: int = param(10, "object classes; set by the training set", ge=1, le=10000)
    stride_px: int = param(16, "side of a cell, one of the encoder's strides", unit="px", ge=1)
    boxes: int = param(2, "boxes of each cell", ge=1, le=16)
    width: int = param(128, "channels of the head", ge=1, le=4096)
    depth: int = param(2, "blocks of the head", ge=1, le=16)


class YoloV1(nn.Module):
    """Boxes, confidence and class scores of every cell; one class per cell, as in the paper.

    Unlike in the paper the head is convolutional: fully connected layers allow only one size of
    picture.
    """

    def __init__(self, spec: YoloV1Spec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = PictureEncoder(spec.encoder)
        self.head = GridHead(
            strides=self.encoder.strides,
            channels=self.encoder.channels,
            stride_px=spec.stride_px,
            boxes=spec.boxes,
            classes=spec.classes,
            width=spec.width,
            depth=spec.depth,
        )

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        return self.head(self.encoder(rgb).maps)


card = Card(
    name="yolo-v1",
    about="Boxes in one pass: each cell of a grid predicts what lies in it.",
    paper="arXiv:1506.02640",
    task="yolo_v1",
    spec=YoloV1Spec(),
    tiny=YoloV1Spec(encoder=TINY_ENCODER, classes=3, width=8, depth=1),
    build=YoloV1,
    example=noise_pictures,
    inputs=PICTURE,
    outputs={"boxes_xyxy": "b n 4", "confidence": "b n", "class_scores": "b n classes"},
    most_parameters=12_000_000,
    serving=served_from_picture("yolo_v1", *ROLES),
    limits="One class per cell: of two objects whose centres share a cell it finds one.",
)
register_model(card)
