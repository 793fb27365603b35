"""What the page "Why" asks, and what it gets, as pydantic models."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from robot_vision.console.base_schema import Model

# Those that `robot-vision explain ways` has; the console does not import them.
WayName = Literal[
    "grad_cam",
    "hires_cam",
    "occlusion",
    "attention",
    "rollout",
    "relevance",
    "integrated_gradients",
]
WhyModel = Literal["detector", "classifier"]
TargetText = Annotated[str, StringConstraints(max_length=100, pattern=r"^[\w .,:+-]*$")]


class WhyRequest(Model):
    """Why the model says `target` of the newest frame.

    `box:120,88` is the box at that pixel of the picture, `box:mug` and `class:mug` are the surest
    of a class; empty is what the model is surest of.
    """

    model: WhyModel = "detector"
    target: TargetText = ""
    ways: list[WayName] = Field(default=[], max_length=4)


class WhyMap(Model):
    """A way's map: `image` is the path of a PNG to be laid over the picture.

    Or it is empty, and `refused` says why there is none. `checked` has the figures of the check
    that it passed.
    """

    way: str
    about: str
    checked: str
    refused: str
    elapsed_s: float
    image: str


class Why(Model):
    """Maps of one picture: `image` is the path of the JPEG that was explained."""

    model: str
    target: str
    box_xyxy_px: list[float] | None
    width_px: int
    height_px: int
    image: str
    maps: list[WhyMap]
    elapsed_s: float
    age_s: float | None
