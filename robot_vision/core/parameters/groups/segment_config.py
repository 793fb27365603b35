"""Parameters of prompted segmentation on the live stream."""

from typing import Literal

from robot_vision.core.parameters.params import Params, Uptake, param


class SegmentConfig(Params):
    """`~/segment`: objects requested by points and boxes, followed by tracking."""

    uptake = Uptake.CONFIGURE

    model: str = param(
        "", "bundle with segmenter.yaml: a name in the store or a folder; empty for none"
    )
    device: Literal["auto", "cpu", "cuda"] = param("auto", "device of its two networks")
    threads: int = param(
        1, "threads of its networks on the CPU; the pipeline uses the other cores", ge=1, le=256
    )
    embed_period_s: float = param(
        1.0, "time between two pictures given to the encoder", unit="s", ge=0.05, le=60
    )
    rate_hz: float = param(
        10.0, "highest rate of results about the followed objects", unit="Hz", gt=0, le=120
    )
    most_held: int = param(4, "objects that can be followed at once", ge=1, le=64)
    lost_after_s: float = param(
        3.0,
        "an object is released after its track has been gone for this long",
        unit="s",
        ge=0,
        le=600,
    )
    points_per_side: int = param(
        16, "points along each side of the grid of prompts for `everything`", ge=1, le=64
    )
