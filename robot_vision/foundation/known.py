"""The short list: foundation models useful on a robot, and how to import each.

Licences and sizes are from their model cards; a bundle keeps what the card says when fetched.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Known:
    """The service's `parameter` takes the bundle; `options` follow `models get NAME`."""

    name: str
    source: str
    licence: str
    megabytes: int
    parameter: str
    good_for: str
    options: str = ""


_WORDS = "--words 'an empty table,a cup,a person'"
_ALL = (
    Known(
        name="dinov2-small",
        source="hf:facebook/dinov2-small",
        licence="apache-2.0",
        megabytes=88,
        parameter="feature_model",
        good_for="features of places and parts, similar pictures, policies on frozen features",
    ),
    Known(
        name="dinov2-registers-small",
        source="hf:facebook/dinov2-with-registers-small",
        licence="apache-2.0",
        megabytes=88,
        parameter="feature_model",
        good_for="as dinov2-small, with calmer maps of patches",
    ),
    Known(
        name="dinov2-base",
        source="hf:facebook/dinov2-base",
        licence="apache-2.0",
        megabytes=346,
        parameter="feature_model",
        good_for="as dinov2-small, four times as large",
    ),
    Known(
        name="depth-anything-v2-small",
        source="hf:depth-anything/Depth-Anything-V2-Small-hf",
        licence="apache-2.0",
        megabytes=99,
        parameter="depth_model",
        good_for="depth up to scale and shift, which the sensor's depth fixes",
    ),
    Known(
        name="depth-anything-v2-metric-indoor-small",
        source="hf:depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf",
        licence="apache-2.0",
        megabytes=99,
        parameter="depth_model",
        good_for="indoor depth in metres from colour alone",
    ),
    Known(
        name="dpt-hybrid-midas",
        source="hf:Intel/dpt-hybrid-midas",
        licence="apache-2.0",
        megabytes=490,
        parameter="depth_model",
        good_for="depth up to scale and shift, an older model",
    ),
    Known(
        name="rtdetr-r18",
        source="hf:PekingU/rtdetr_r18vd",
        licence="apache-2.0",
        megabytes=81,
        parameter="model",
        good_for="COCO's 80 classes",
    ),
    Known(
        name="detr-resnet-50",
        source="hf:facebook/detr-resnet-50@no_timm",
        licence="apache-2.0",
        megabytes=167,
        parameter="model",
        good_for="COCO's classes, the original DETR",
    ),
    Known(
        name="owlvit-base-patch32",
        source="hf:google/owlvit-base-patch32",
        licence="apache-2.0",
        megabytes=613,
        parameter="grounding_model",
        good_for="boxes for words that change while the robot runs (~/prompt)",
    ),
    Known(
        name="owlv2-base-patch16",
        source="hf:google/owlv2-base-patch16-ensemble",
        licence="apache-2.0",
        megabytes=620,
        parameter="grounding_model",
        good_for="as owlvit-base-patch32, but newer, with pictures of 960 pixels",
    ),
    Known(
        name="clip-vit-base-patch32",
        source="hf:openai/clip-vit-base-patch32",
        licence="mit",
        megabytes=605,
        parameter="classifier_model",
        good_for="what a view shows, in words of your own",
        options=_WORDS,
    ),
)
KNOWN = {known.name: known for known in _ALL}
