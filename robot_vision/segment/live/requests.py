"""Requests on a live stream: the JSON of `~/segment/request` and of the console."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import faults_of
from robot_vision.segment.prompt import MOST_POINTS, Prompt, make_prompt

Coordinate = Annotated[float, Field(ge=0, le=32_767, allow_inf_nan=False)]
Xy = tuple[Coordinate, Coordinate]
Corners = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Id = Annotated[str, Field(pattern=r"^[\w .:-]*$", max_length=56)]


class SegmentPrompt(BaseModel):
    """Points on the object, points off it, a box around it, in pixels of the camera's picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    points: list[Xy] = Field(default=[], max_length=MOST_POINTS)
    not_points: list[Xy] = Field(default=[], max_length=MOST_POINTS)
    box: Corners | None = Field(default=None, description="left, top, right, bottom")

    def prompt(self) -> Prompt:
        """Raises `ConfigError` if nothing in it locates the object."""
        return make_prompt(points=self.points, not_points=self.not_points, box=self.box)


class LiveRequest(SegmentPrompt):
    """`hold`: segment in the newest frame and follow; `once`: only the newest frame.

    `everything`: all objects in the newest frame, once. `release`: stop following `id`, or
    everything held. `hold` with an `id` that is already held replaces it.
    """

    op: Literal["hold", "once", "everything", "release"] = "hold"
    id: Id = ""


def read_request(text: str) -> LiveRequest:
    """Raises `ConfigError` that names the problem."""
    try:
        request = LiveRequest.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(f"the request was not understood: {faults_of(error)}") from error
    if request.op in ("hold", "once"):
        request.prompt()
    return request
