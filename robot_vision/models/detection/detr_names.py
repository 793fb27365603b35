"""Names of DETR's weights in transformers (`DetrForObjectDetection`, with its ResNet)."""

import re
from collections.abc import Mapping
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.models.encoders.encoder import encoder_spec
from robot_vision.models.encoders.layout import Layout
from robot_vision.models.encoders.resnet import LAYOUTS

_ENCODER = "encoder.net."
_RESNETS = {layout.name: layout for layout in LAYOUTS}
_PARTS = (
    (r"^project\.", "model.input_projection."),
    (r"^queries\.", "model.query_position_embeddings."),
    (r"^among\.", "model.encoder.layers."),
    (r"^decode\.", "model.decoder.layers."),
    (r"^norm\.", "model.decoder.layernorm."),
    (r"^classes\.", "class_labels_classifier."),
    (r"^boxes\.", "bbox_predictor."),
    (r"\.attention\.", ".self_attn."),
    (r"\.attention_norm\.", ".self_attn_layer_norm."),
    (r"\.cross\.", ".encoder_attn."),
    (r"\.cross_norm\.", ".encoder_attn_layer_norm."),
    (r"\.feed_norm\.", ".final_layer_norm."),
    (r"\.query\.", ".q_proj."),
    (r"\.key\.", ".k_proj."),
    (r"\.value\.", ".v_proj."),
)
_IN_FILE = (
    (r"\.feed\.widen\.", ".fc1."),
    (r"\.feed\.narrow\.", ".fc2."),
    (r"\.out\.", ".out_proj."),
)
_IN_MEMORY = (
    (r"\.feed\.widen\.", ".mlp.fc1."),
    (r"\.feed\.narrow\.", ".mlp.fc2."),
    (r"\.out\.", ".o_proj."),
)


def _layout(
    name: str, *, backbone: str, resnet: Layout, parts: tuple[tuple[str, str], ...]
) -> Layout:
    def public(own: str, spec: Any) -> str:
        if own.startswith(_ENCODER):
            (source,) = resnet.sources(own.removeprefix(_ENCODER), encoder_spec(spec.encoder))
            return backbone + source
        for pattern, replacement in (*_PARTS, *parts):
            own = re.sub(pattern, replacement, own)
        return own

    return Layout(name=name, public=public, options_of=_options)


def _options(config: Mapping[str, Any]) -> dict[str, Any]:
    """The spec that matches a `config.json` of `DetrForObjectDetection`."""
    return {
        "encoder": _encoder(config),
        "classes": len(config["id2label"]),
        "queries": config["num_queries"],
        "width": config["d_model"],
        "heads": _one_of(config, "encoder_attention_heads", "decoder_attention_heads"),
        "inner": _one_of(config, "encoder_ffn_dim", "decoder_ffn_dim"),
        "encoder_layers": config["encoder_layers"],
        "decoder_layers": config["decoder_layers"],
    }


def _encoder(config: Mapping[str, Any]) -> dict[str, Any]:
    backbone = config.get("backbone_config") or {}
    if not backbone:
        return {"name": config["backbone"]}
    if backbone.get("model_type") != "resnet":
        raise ConfigError(
            f"the backbone is {quoted(backbone.get('model_type'))}; expected a ResNet"
        )
    return {
        "name": "resnet50",
        "options": {
            "block": backbone["layer_type"],
            "depths": backbone["depths"],
            "width": backbone["embedding_size"],
        },
    }


def _one_of(config: Mapping[str, Any], first: str, second: str) -> Any:
    if config[first] != config[second]:
        raise ConfigError(
            f"{first} is {quoted(config[first])} and {second} {quoted(config[second])}; this "
            "model has one number for both"
        )
    return config[first]


_FILE = "model.backbone.conv_encoder.model."
DETR_LAYOUTS = (
    _layout(
        "transformers, with timm's ResNet",
        backbone=_FILE,
        resnet=_RESNETS["torchvision and timm"],
        parts=_IN_FILE,
    ),
    _layout("transformers", backbone=_FILE, resnet=_RESNETS["transformers"], parts=_IN_FILE),
    _layout(
        "transformers in memory",
        backbone="model.backbone.model.",
        resnet=_RESNETS["transformers"],
        parts=_IN_MEMORY,
    ),
)
