"""Parameters of what is segmented by prompts on the live stream."""

from typing import Literal

from robot_vision.core.params import Params, Uptake, param


class SegmentConfig(Params):
    """`~/segment`: what is asked for by points and boxes, held by tracking."""

    uptake = Uptake.CONFIGURE

    model: str = param(
        "", "bundle with segmenter.yaml: a name in the store or a folder; empty for none"
    )
    device: Literal["auto", "cpu", "cuda"] = param("auto", "where its two networks run")
    threads: int = param(
        1, "threads of its networks on the CPU: the others are the pipeline's", ge=1, le=256
    )
    embed_period_s: float = param(
        1.0, "between two pictures that the encoder sees", unit="s", ge=0.05, le=60
    )
    rate_hz: float = param(
        10.0, "most answers in a second about what is held", unit="Hz", gt=0, le=120
    )
    most_held: int = param(4, "things that may be held at once", ge=1, le=64)
    lost_after_s: float = param(
        3.0, "a thing whose track is gone for so long is held no more", unit="s", ge=0, le=600
    )
    points_per_side: int = param(
        16, "points along each side of the grid that `everything` asks", ge=1, le=64
    )
