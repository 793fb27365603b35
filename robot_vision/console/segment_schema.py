"""Requests and answers about segments, for pictures and the live stream, as pydantic models."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from robot_vision.console.base_schema import Figure, Model, Polygon
from robot_vision.segment.live.requests import SegmentPrompt

MOST_PROMPTS = 16
Name = Annotated[str, Field(max_length=64)]


class PicturePrompt(SegmentPrompt):
    """A prompt for one object in a picture.

    `earlier` is the `id` of an earlier segment whose mask it corrects. `all_masks` requests every
    plausible mask, not only the best.
    """

    earlier: Name = ""
    all_masks: bool = False


class SegmentRequest(Model):
    """The form field `request` of `POST /api/segment`: several objects at once, or everything."""

    prompts: list[PicturePrompt] = Field(default_factory=list, max_length=MOST_PROMPTS)
    everything: bool = False
    points_per_side: int = Field(default=16, ge=1, le=64)
    least_score: float = Field(default=0.88, ge=0, le=1)
    least_stability: float = Field(default=0.95, ge=0, le=1)


class SegmentView(Model):
    """A mask: the model's estimate of its IoU, its outline, its box through the outermost pixels.

    `prompt` is the index of its prompt in the request; null without prompts.
    """

    id: Name
    prompt: int | None = None
    score: float
    stability: float
    area_px: int
    box_xyxy_px: Annotated[list[float], Field(min_length=4, max_length=4)]
    outline_px: list[Polygon]


class PictureSegments(Model):
    """The answer about a picture. `mask` is the path of a PNG of segment numbers, 0 for none."""

    model: str
    provider: str
    width_px: int
    height_px: int
    elapsed_ms: float
    segments: list[SegmentView]
    mask: str | None


class LiveSegment(Model):
    """An object in a live frame: segmented in it, or carried to it by its track's box."""

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
    """`~/segment/json` for one frame. `request`: the request it answers; empty: the followed
    objects."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    stamp_ns: int
    width_px: int = Field(ge=0, le=32_767)
    height_px: int = Field(ge=0, le=32_767)
    model: Annotated[str, Field(max_length=200)]
    request: Name
    problems: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=100)]
    segments: Annotated[list[LiveSegment], Field(max_length=255)]


class LiveSegmentsState(Model):
    """Objects followed in the newest answered frame.

    `answers`: the last answers to requests, and reports of rejected requests and lost objects.
    """

    problem: str = Field("", description="why no request is possible; empty if one is")
    held: LiveSegments | None = None
    answers: list[LiveSegments] = Field(default_factory=list)
