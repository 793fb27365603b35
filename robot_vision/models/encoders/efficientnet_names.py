"""Names of EfficientNet's weights in torchvision, timm, transformers and efficientnet_pytorch."""

from typing import Any

from robot_vision.models.encoders.layout import Layout

_PARTS = ("expand", "depthwise", "squeeze", "project")


def _number(part: str, stage: str) -> int:
    """Index of a part in its block; blocks of stage 0 have no expansion."""
    return _PARTS.index(part) - (stage == "0")


def _torchvision(name: str, _spec: Any) -> str:
    match name.split("."):
        case ["stem", *rest]:
            return ".".join(["features.0", *rest])
        case ["head", *rest]:
            return ".".join(["features.8", *rest])
        case ["stages", stage, block, "squeeze", layer, leaf]:
            place = f"{_number('squeeze', stage)}.{'fc1' if layer == 'reduce' else 'fc2'}"
            return f"features.{int(stage) + 1}.{block}.block.{place}.{leaf}"
        case ["stages", stage, block, part, layer, leaf]:
            place = f"{_number(part, stage)}.{layer}"
            return f"features.{int(stage) + 1}.{block}.block.{place}.{leaf}"
    return name


_TIMM_CONVOLUTIONS = {"expand": "conv_pw", "depthwise": "conv_dw", "project": "conv_pwl"}
_TIMM_NORMS = {"expand": 1, "depthwise": 2, "project": 3}


def _timm(name: str, _spec: Any) -> str:
    match name.split("."):
        case ["stem", layer, leaf]:
            return f"{'conv_stem' if layer == '0' else 'bn1'}.{leaf}"
        case ["head", layer, leaf]:
            return f"{'conv_head' if layer == '0' else 'bn2'}.{leaf}"
        case ["stages", stage, block, "squeeze", layer, leaf]:
            return f"blocks.{stage}.{block}.se.conv_{layer}.{leaf}"
        case ["stages", "0", block, "project", "0", leaf]:
            return f"blocks.0.{block}.conv_pw.{leaf}"
        case ["stages", stage, block, part, "0", leaf]:
            return f"blocks.{stage}.{block}.{_TIMM_CONVOLUTIONS[part]}.{leaf}"
        case ["stages", stage, block, part, "1", leaf]:
            norm = _TIMM_NORMS[part] - (stage == "0")
            return f"blocks.{stage}.{block}.bn{norm}.{leaf}"
    return name


_TRANSFORMERS = {
    ("expand", "0"): "expansion.expand_conv",
    ("expand", "1"): "expansion.expand_bn",
    ("depthwise", "0"): "depthwise_conv.depthwise_conv",
    ("depthwise", "1"): "depthwise_conv.depthwise_norm",
    ("squeeze", "reduce"): "squeeze_excite.reduce",
    ("squeeze", "expand"): "squeeze_excite.expand",
    ("project", "0"): "projection.project_conv",
    ("project", "1"): "projection.project_bn",
}


def _transformers(name: str, spec: Any) -> str:
    match name.split("."):
        case ["stem", layer, leaf]:
            return f"embeddings.{'convolution' if layer == '0' else 'batchnorm'}.{leaf}"
        case ["head", layer, leaf]:
            return f"encoder.{'top_conv' if layer == '0' else 'top_bn'}.{leaf}"
        case ["stages", stage, block, part, layer, leaf]:
            place = f"{_flat(stage, block, spec)}.{_TRANSFORMERS[part, layer]}"
            return f"encoder.blocks.{place}.{leaf}"
    return name


_PYTORCH = {
    ("expand", "0"): "_expand_conv",
    ("expand", "1"): "_bn0",
    ("depthwise", "0"): "_depthwise_conv",
    ("depthwise", "1"): "_bn1",
    ("squeeze", "reduce"): "_se_reduce",
    ("squeeze", "expand"): "_se_expand",
    ("project", "0"): "_project_conv",
    ("project", "1"): "_bn2",
}


def _efficientnet_pytorch(name: str, spec: Any) -> str:
    match name.split("."):
        case ["stem", layer, leaf]:
            return f"{'_conv_stem' if layer == '0' else '_bn0'}.{leaf}"
        case ["head", layer, leaf]:
            return f"{'_conv_head' if layer == '0' else '_bn1'}.{leaf}"
        case ["stages", stage, block, part, layer, leaf]:
            return f"_blocks.{_flat(stage, block, spec)}.{_PYTORCH[part, layer]}.{leaf}"
    return name


def _flat(stage: str, block: str, spec: Any) -> int:
    """Index of a block in a flat list of all blocks."""
    return sum(spec.depths[: int(stage)]) + int(block)


_FROM_TENSORFLOW = {"padding": "same", "norm_epsilon": 1e-3}
LAYOUTS = (
    Layout(name="torchvision", public=_torchvision, heads=("classifier.",)),
    Layout(name="timm", public=_timm, heads=("classifier.",)),
    Layout(
        name="transformers",
        public=_transformers,
        heads=("classifier.",),
        options=_FROM_TENSORFLOW,
    ),
    Layout(
        name="efficientnet_pytorch",
        public=_efficientnet_pytorch,
        heads=("_fc.",),
        options=_FROM_TENSORFLOW,
    ),
)
