"""Requests and answers of the page "Why", as pydantic models."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from robot_vision.console.base_schema import Model

# The same as in `robot-vision explain ways`, which the console does not import.
WayName = Literal[
    "grad_cam",
    "hires_cam",
    "occlusion",
    "attention",
    "rollout",
    "relevance",
    "integrated_gradients",
    "pointing",
]
WhyModel = Literal["detector", "classifier", "policy"]
CameraText = Annotated[str, StringConstraints(max_length=100, pattern=r"^[\w.-]*$")]
TargetText = Annotated[str, StringConstraints(max_length=100, pattern=r"^[\w .,:+-]*$")]


class WhyRequest(Model):
    """Request to explain `target` in the newest frame.

    `box:120,88` is the box at that pixel of the picture, `box:mug` and `class:mug` are the surest
    of a class; `action:z` or `action:STEP,z` a number of a policy's action. Empty is what the
    model is surest of, of an action the largest number that moves. A policy is explained at its
    latest decision, in the picture of `camera` (the first).
    """

    model: WhyModel = "detector"
    target: TargetText = ""
    camera: CameraText = ""
    ways: list[WayName] = Field(default=[], max_length=4)


class WhyPolicy(Model):
    """The latest decision of the policy, whose numbers can be asked for.

    `action` is its first step, in m, rad and from 0 closed to 1 open; empty while it holds.
    """

    model: str
    names: list[str]
    action: list[float]
    cameras: list[str]
    age_s: float


class WhyMap(Model):
    """The map of one method: `image` is the path of a PNG overlay.

    Or it is empty, and `refused` says why. `checked` holds the figures of the check that it
    passed.
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
