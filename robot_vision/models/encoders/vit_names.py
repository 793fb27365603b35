"""Names of a vision transformer's weights in timm, DINO, torchvision and transformers."""

from collections.abc import Callable, Mapping
from typing import Any

from robot_vision.models.encoders.layout import Layout

# By the name in ours: the public name, or one each for query, key and value.
Names = Mapping[str, str | tuple[str, ...]]

_TIMM: Names = {
    "class_token": "cls_token",
    "register_tokens": "reg_token",
    "positions": "pos_embed",
    "patch": "patch_embed.proj.{leaf}",
    "norm": "norm.{leaf}",
    "attention_norm": "blocks.{block}.norm1.{leaf}",
    "attention.query_key_value": "blocks.{block}.attn.qkv.{leaf}",
    "attention.out": "blocks.{block}.attn.proj.{leaf}",
    "attention_scale": "blocks.{block}.ls1.gamma",
    "feed_norm": "blocks.{block}.norm2.{leaf}",
    "feed.0": "blocks.{block}.mlp.fc1.{leaf}",
    "feed.2": "blocks.{block}.mlp.fc2.{leaf}",
    "feed_scale": "blocks.{block}.ls2.gamma",
}
_DINO: Names = {**_TIMM, "register_tokens": "register_tokens"}

_TORCHVISION_BLOCK = "encoder.layers.encoder_layer_{block}."
_TORCHVISION: Names = {
    "class_token": "class_token",
    "positions": "encoder.pos_embedding",
    "patch": "conv_proj.{leaf}",
    "norm": "encoder.ln.{leaf}",
    "attention_norm": _TORCHVISION_BLOCK + "ln_1.{leaf}",
    "attention.query_key_value": _TORCHVISION_BLOCK + "self_attention.in_proj_{leaf}",
    "attention.out": _TORCHVISION_BLOCK + "self_attention.out_proj.{leaf}",
    "feed_norm": _TORCHVISION_BLOCK + "ln_2.{leaf}",
    "feed.0": _TORCHVISION_BLOCK + "mlp.0.{leaf}",
    "feed.2": _TORCHVISION_BLOCK + "mlp.3.{leaf}",
}

_TRANSFORMERS_WHOLE: Names = {
    "class_token": "embeddings.cls_token",
    "register_tokens": "embeddings.register_tokens",
    "positions": "embeddings.position_embeddings",
    "patch": "embeddings.patch_embeddings.projection.{leaf}",
    "norm": "layernorm.{leaf}",
}


def _in_file(block: str) -> Names:
    """Names of attention in files of transformers."""
    each = tuple(
        block + f"attention.attention.{part}.{{leaf}}" for part in ("query", "key", "value")
    )
    return {
        "attention.query_key_value": each,
        "attention.out": block + "attention.output.dense.{leaf}",
    }


def _in_memory(block: str) -> Names:
    """Names of attention in the state of a transformers 5 model."""
    each = tuple(block + f"attention.{part}_proj.{{leaf}}" for part in "qkv")
    return {"attention.query_key_value": each, "attention.out": block + "attention.o_proj.{leaf}"}


def _perceptron(block: str, first: str, second: str) -> Names:
    return {"feed.0": f"{block}{first}.{{leaf}}", "feed.2": f"{block}{second}.{{leaf}}"}


def _vit_norms(block: str) -> Names:
    return {
        "attention_norm": block + "layernorm_before.{leaf}",
        "feed_norm": block + "layernorm_after.{leaf}",
    }


_BLOCK = "encoder.layer.{block}."
_VIT_FILE: Names = {
    **_TRANSFORMERS_WHOLE,
    **_vit_norms(_BLOCK),
    **_in_file(_BLOCK),
    **_perceptron(_BLOCK, "intermediate.dense", "output.dense"),
}
_VIT_MEMORY: Names = {
    **_TRANSFORMERS_WHOLE,
    **_vit_norms("layers.{block}."),
    **_in_memory("layers.{block}."),
    **_perceptron("layers.{block}.", "mlp.fc1", "mlp.fc2"),
}
_DINOV2: Names = {
    **_TRANSFORMERS_WHOLE,
    "attention_norm": _BLOCK + "norm1.{leaf}",
    "attention_scale": _BLOCK + "layer_scale1.lambda1",
    "feed_norm": _BLOCK + "norm2.{leaf}",
    "feed_scale": _BLOCK + "layer_scale2.lambda1",
    **_perceptron(_BLOCK, "mlp.fc1", "mlp.fc2"),
}


def _by(names: Names) -> Callable[[str, Any], str | tuple[str, ...]]:
    def public(name: str, _spec: Any) -> str | tuple[str, ...]:
        block, leaf = "", ""
        match name.split("."):
            case ["blocks", block, *parts, leaf]:
                place = ".".join(parts)
            case [*parts, leaf] if parts:
                place = ".".join(parts)
            case _:
                place = name
        found = names.get(place, name)
        if isinstance(found, str):
            return found.format(block=block, leaf=leaf)
        return tuple(one.format(block=block, leaf=leaf) for one in found)

    return public


_TRANSFORMERS_HEADS = ("pooler.", "classifier.", "embeddings.mask_token")
_VIT_EPSILON = {"norm_epsilon": 1e-12}
LAYOUTS = (
    Layout(name="timm", public=_by(_TIMM), heads=("head.", "fc_norm.")),
    Layout(name="DINO", public=_by(_DINO), heads=("head.", "mask_token")),
    Layout(name="torchvision", public=_by(_TORCHVISION), heads=("heads.",)),
    Layout(
        name="transformers' ViT",
        public=_by(_VIT_FILE),
        heads=_TRANSFORMERS_HEADS,
        options=_VIT_EPSILON,
    ),
    Layout(
        name="transformers' ViT in memory",
        public=_by(_VIT_MEMORY),
        heads=_TRANSFORMERS_HEADS,
        options=_VIT_EPSILON,
    ),
    Layout(
        name="transformers' DINOv2",
        public=_by({**_DINOV2, **_in_file(_BLOCK)}),
        heads=_TRANSFORMERS_HEADS,
    ),
    Layout(
        name="transformers' DINOv2 in memory",
        public=_by({**_DINOV2, **_in_memory(_BLOCK)}),
        heads=_TRANSFORMERS_HEADS,
    ),
)
