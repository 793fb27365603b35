"""Any backbone of transformers as an encoder, if transformers is installed.

Nothing is downloaded and no model code is run: `run.init_weights` takes files it has written.
"""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.encoders.encoder import (
    Encoded,
    Encoder,
    EncoderCard,
    Preparation,
    register_encoder,
)
from robot_vision.models.encoders.foreign import imported, last_of_each, made, strides_of
from robot_vision.models.encoders.layout import Layout

_SIDE_PX = 224
_STAGES = "out_features"


class TransformersSpec(Params):
    model: str = param(
        "resnet", "model type in transformers (convnext, swin, dinov2), or folder of its config"
    )
    arguments: dict[str, Any] = param({}, "fields of its config that differ from the default")


class TransformersEncoder(Encoder):
    """The last map of each stride; `pooled` is the mean of the last."""

    def __init__(self, spec: TransformersSpec) -> None:
        super().__init__()
        package = imported("transformers", encoder="transformers")
        self.model: Any = made(
            lambda: _backbone(package, spec),
            what=f"transformers' {spec.model!r} with {spec.arguments} as a backbone",
        )
        shapes = _shapes(self.model)
        self.strides = tuple(strides_of(shapes, _SIDE_PX))
        self.channels = tuple(int(shape[1]) for shape in shapes)
        self.dim = self.channels[-1]

    def forward(self, picture: Float[Tensor, "b 3 h w"]) -> Encoded:
        maps = tuple(self.model(picture).feature_maps)
        return Encoded(maps=maps, pooled=maps[-1].mean(dim=(2, 3)))


def _backbone(package: Any, spec: TransformersSpec) -> nn.Module:
    """The backbone with the last stage of each stride, found by a trial on the meta device."""
    names = _config(package, spec).stage_names[1:]
    with torch.device("meta"):
        trial = package.AutoBackbone.from_config(_config(package, spec, **{_STAGES: names}))
    chosen = last_of_each(strides_of(_shapes(trial), _SIDE_PX))
    wanted = {_STAGES: [names[place] for place in chosen]}
    return package.AutoBackbone.from_config(_config(package, spec, **wanted))


def _config(package: Any, spec: TransformersSpec, **stages: Any) -> Any:
    values = {**spec.arguments, **stages}
    if Path(spec.model).is_dir():
        return package.AutoConfig.from_pretrained(spec.model, local_files_only=True, **values)
    return package.AutoConfig.for_model(spec.model, **values)


def _shapes(model: nn.Module) -> list[torch.Size]:
    device = next(model.parameters()).device
    was_training = model.training
    with torch.no_grad():
        maps = model.eval()(torch.zeros(1, 3, _SIDE_PX, _SIDE_PX, device=device)).feature_maps
    model.train(was_training)
    return [found.shape for found in maps]


def _public(name: str, _spec: Any) -> str:
    return name.removeprefix("model.")


card = EncoderCard(
    name="transformers",
    about="Any backbone of transformers, by its kind or the folder of its config.",
    spec=TransformersSpec(),
    tiny=TransformersSpec(
        arguments={
            "embedding_size": 8,
            "hidden_sizes": [8, 8, 16, 16],
            "depths": [1, 1, 1, 1],
            "layer_type": "basic",
        }
    ),
    build=TransformersEncoder,
    preparation=Preparation(width_px=_SIDE_PX, height_px=_SIDE_PX),
    layouts=(Layout(name="transformers", public=_public, heads=("classifier.", "pooler.")),),
    needs="transformers",
    licence="that of the model in transformers",
    limits="Pixels are prepared with ImageNet's mean and deviation, not with the model's own.",
)
register_encoder(card)
