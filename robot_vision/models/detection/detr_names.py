"""Names of DETR's weights in transformers (`DetrForObjectDetection`, with its ResNet)."""

import re

from robot_vision.models.detection.detr import DetrSpec
from robot_vision.models.encoders.encoder import encoder_spec
from robot_vision.models.encoders.layout import Layout
from robot_vision.models.encoders.resnet import LAYOUTS

_ENCODER = "encoder.net."
_RESNET = next(layout for layout in LAYOUTS if layout.name == "transformers")
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
    (r"\.feed\.widen\.", ".mlp.fc1."),
    (r"\.feed\.narrow\.", ".mlp.fc2."),
    (r"\.query\.", ".q_proj."),
    (r"\.key\.", ".k_proj."),
    (r"\.value\.", ".v_proj."),
    (r"\.out\.", ".o_proj."),
)


def _public(name: str, spec: DetrSpec) -> str:
    if name.startswith(_ENCODER):
        (source,) = _RESNET.sources(name.removeprefix(_ENCODER), encoder_spec(spec.encoder))
        return f"model.backbone.model.{source}"
    for pattern, replacement in _PARTS:
        name = re.sub(pattern, replacement, name)
    return name


DETR_LAYOUTS = (Layout(name="transformers", public=_public),)
