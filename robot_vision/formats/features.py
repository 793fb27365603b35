"""A grid of features: `features` [1, F, h, w], and `embedding` [1, D] if the model has one.

A picture-text model has both in the same space as its texts (`ModelManifest.text`).
"""

from robot_vision.formats.format import Format
from robot_vision.formats.habits import IMAGENET
from robot_vision.formats.registry import register_format

register_format(
    Format(
        name="features",
        task="features",
        roles=("features",),
        habits={"resize": "stretch", **IMAGENET},
    )
)
