"""Any model of timm as an encoder, if timm is installed.

Weights are never downloaded: `run.init_weights` takes a file with timm's names.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.encoders.encoder import (
    Encoded,
    Encoder,
    EncoderCard,
    Preparation,
    register_encoder,
)
from robot_vision.models.encoders.foreign import imported, last_of_each, made
from robot_vision.models.encoders.layout import Layout

_SIDE_PX = 224


class TimmSpec(Params):
    model: str = param("resnet18", "name in timm", pattern=r"^[A-Za-z0-9_.]+$")
    arguments: dict[str, Any] = param(
        {}, "arguments of timm.create_model; {dynamic_img_size: true} allows transformers any size"
    )


class TimmEncoder(Encoder):
    """The last map of each stride; `pooled` is the input of the model's own classifier."""

    def __init__(self, spec: TimmSpec) -> None:
        super().__init__()
        timm = imported("timm", encoder="timm")
        self.model: Any = made(
            lambda: timm.create_model(
                spec.model, **{**spec.arguments, "pretrained": False, "num_classes": 0}
            ),
            what=f"timm's {spec.model!r} with {spec.arguments}",
        )
        stages = self.model.feature_info
        info = [stages[n] for n in range(len(stages))] if isinstance(stages, list) else stages.info
        self._stages = last_of_each([stage["reduction"] for stage in info])
        self.strides = tuple(info[n]["reduction"] for n in self._stages)
        self.channels = tuple(info[n]["num_chs"] for n in self._stages)
        self.dim = int(self.model.head_hidden_size)
        given = self.model.pretrained_cfg
        self.preparation = Preparation(
            width_px=_SIDE_PX,
            height_px=_SIDE_PX,
            mean=tuple(given["mean"]),
            std=tuple(given["std"]),
        )

    def forward(self, picture: Float[Tensor, "b 3 h w"]) -> Encoded:
        last, maps = self.model.forward_intermediates(picture, indices=self._stages)
        return Encoded(maps=tuple(maps), pooled=self.model.forward_head(last, pre_logits=True))


card = EncoderCard(
    name="timm",
    about="Any model of timm by its name.",
    spec=TimmSpec(),
    tiny=TimmSpec(arguments={"layers": [1, 1, 1, 1], "channels": [8, 8, 16, 16]}),
    build=TimmEncoder,
    preparation=Preparation(width_px=_SIDE_PX, height_px=_SIDE_PX),
    layouts=(
        Layout(
            name="timm",
            public=lambda name, _spec: name.removeprefix("model."),
            heads=("fc.", "classifier.", "head."),
        ),
    ),
    needs="timm",
    licence="that of the model in timm",
    limits="Its weights have licences of their own.",
)
register_encoder(card)
