"""What is asked and said of segments, for pictures and for the live stream, as pydantic models."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from robot_vision.console.base_schema import Figure, Model, Polygon
from robot_vision.segment.requests import PromptRequest

MOST_PROMPTS = 16
Name = Annotated[str, Field(max_length=64)]


class PicturePrompt(PromptRequest):
    """One thing in a picture. `earlier` is the `id` of an answered segment: its mask is corrected.

    `all_masks` asks for every mask that may be meant, not for the best alone.
    """

    earlier: Name = ""
    all_masks: bool = False


class SegmentRequest(Model):
    """The form field `request` of `POST /api/segment`: several things at once, or everything."""

    prompts: list[PicturePrompt] = Field(default_factory=list, max_length=MOST_PROMPTS)
    everything: bool = False
    points_per_side: int = Field(default=16, ge=1, le=64)
    least_score: float = Field(default=0.88, ge=0, le=1)
    least_stability: float = Field(default=0.95, ge=0, le=1)


class SegmentView(Model):
    """A mask: the model's own guess of its IoU, its outline, its box through the outer pixels.

    `prompt` counts the request's prompts from 0; it is null where nothing was asked for.
    """

    id: Name
    prompt: int | None = None
    score: float
    stability: float
    area_px: int
    box_xyxy_px: Annotated[list[float], Field(min_length=4, max_length=4)]
    outline_px: list[Polygon]


class PictureSegments(Model):
    """The answer about a picture. `mask` is the path of a PNG: a segment's number, 0 nothing."""

    model: str
    provider: str
    width_px: int
    height_px: int
    elapsed_ms: float
    segments: list[SegmentView]
    mask: str | None


class LiveSegment(Model):
    """A thing in a live frame: segmented in it, or carried to it by its track's box."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    label: int = Field(ge=1, le=255)
    id: Name
    how: Literal["segmented", "carried"]
    mask_age_s: Figure
    track_id: int | None
    score: Figure
    stability: Figure
    area_px: int
    box_xyxy_px: Annotated[list[Figure], Field(min_length=4, max_length=4)]
    outline_px: Annotated[list[Polygon], Field(max_length=10_000)]


class LiveSegments(Model):
    """What `~/segment/json` says of one frame. `request`: what it answers; empty: what is held."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    stamp_ns: int
    width_px: int = Field(ge=0, le=32_767)
    height_px: int = Field(ge=0, le=32_767)
    model: Annotated[str, Field(max_length=200)]
    request: Name
    problems: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=100)]
    segments: Annotated[list[LiveSegment], Field(max_length=255)]


class LiveSegmentsState(Model):
    """What is held in the newest frame that was answered.

    `answers`: the last ones to requests, and those that say what was refused or lost.
    """

    problem: str = Field("", description="why nothing can be asked; empty if it can")
    held: LiveSegments | None = None
    answers: list[LiveSegments] = Field(default_factory=list)
