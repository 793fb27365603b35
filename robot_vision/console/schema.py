"""All that the console's HTTP API and its stream carry, as pydantic models.

The stream (`/api/stream`, a WebSocket): the client sends text, one `Subscription` in JSON, at
any time again. The server sends

- text: `{"topic": …, "data": …}` with `State`, `ObjectsView`, `ClassificationView` or `Metrics`
  as `data`;
- binary: the length of a header (4 bytes, big-endian), the header (`PictureHeader` in JSON), then
  an image: JPEG for `frame`; PNG for `depth` and `features` (to be stretched over the
  frame), `attention` and `segmentation` (with alpha, to be laid and stretched over the frame).

Newest wins: whoever reads too slowly misses data and is told how much (`State.dropped`).
"""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field

from robot_vision.console.base_schema import Model
from robot_vision.console.class_schema import PixelClass
from robot_vision.console.command_schema import CommandsState, GivenInstruction
from robot_vision.core.policy_status import PolicyStatus

Topic = Literal[
    "state",
    "objects",
    "grounded",
    "classification",
    "frame",
    "depth",
    "features",
    "segmentation",
    "attention",
    "metrics",
]
TOPICS: tuple[Topic, ...] = get_args(Topic)
PICTURE_TOPICS: tuple[Topic, ...] = ("frame", "depth", "features", "segmentation", "attention")
Task = Literal[
    "detection",
    "depth",
    "masks",
    "features",
    "similarity",
    "classification",
    "segmentation",
    "similar_frames",
]
Level = Literal["ok", "warn", "error", "stale"]
CameraStatus = Literal["live", "no camera", "starting"]
MAX_RATE_HZ = 60.0
Rate = Annotated[float, Field(gt=0, le=MAX_RATE_HZ)]


class Subscription(Model):
    """What a client of the stream wants: topic → largest rate in Hz. Replaces what it had."""

    topics: dict[Topic, Rate] = Field(
        examples=[{"state": 5, "objects": 10, "frame": 10, "depth": 2, "metrics": 1}]
    )


class Spread(Model):
    """Percentiles of the recent past."""

    p50: float
    p95: float
    p99: float
    max: float


class CameraState(Model):
    """Whether frames flow. `reason` says in words why not; `for_s` since when it is so.

    `frame_age_ms` is the age of the newest frame now: from its stamp on.
    """

    status: CameraStatus = Field(examples=["live"])
    reason: str = Field("", examples=["no publisher on /rgb [sensor_msgs/msg/Image]"])
    for_s: float
    stamp_ns: int | None = None
    frame_age_ms: float | None = None
    frame_id: str = ""
    width_px: int = 0
    height_px: int = 0


class ModelState(Model):
    """Which model runs where; `state` is the node's lifecycle state, `doing` what takes long."""

    id: str = Field("", examples=["native-s 0.2"])
    provider: str = Field("", examples=["cpu"])
    fallback_reason: str = ""
    state: str = Field("", examples=["active"])
    doing: str = ""
    depth_source: str | None = None


class Count(Model):
    """How often something happened since the node began, by cause."""

    cause: str
    total: int


class Diagnosis(Model):
    """One line of /diagnostics; those that say why nothing comes are first."""

    level: Level
    name: str = Field(examples=["perception: inputs"])
    message: str
    values: dict[str, str] = Field(default_factory=dict)


class Memory(Model):
    """Megabytes (10⁶ bytes) resident; `console_mb` is this process, `perception_mb` the node."""

    console_mb: float
    perception_mb: float | None = None


@dataclass(frozen=True, kw_only=True)
class PolicyView(PolicyStatus):
    """The latest `~/status/json` of the policy node; `silent_s` is how long ago it came."""

    silent_s: float = 0.0


class State(Model):
    """`GET /api/state` and the topic `state`.

    `rates_hz` by topic (rgb, depth, output, command); `age_ms` percentiles by stage in the
    order of the flow, `age` is the whole. `silence` is why nothing comes, empty while it does.
    `unusable` counts what topics said that could not be understood, by topic: it shows as unknown.
    `dropped` counts what this client of the stream missed for reading too slowly, by topic.
    """

    now_s: float
    uptime_s: float
    camera: CameraState
    model: ModelState
    rates_hz: dict[str, float]
    age_ms: dict[str, Spread]
    drops: list[Count]
    degraded: list[Count]
    silence: str
    diagnostics: list[Diagnosis]
    memory: Memory
    policy: PolicyView | None
    instructions: list[GivenInstruction]
    commands: CommandsState
    viewers: int
    unusable: dict[str, int] = Field(default_factory=dict)
    dropped: dict[str, int] = Field(default_factory=dict)


class PictureHeader(Model):
    """Before the bytes of an image in the stream. Sizes are those of the image that follows.

    `age_ms` is from the frame's stamp to this message. Of depth: the ends of the scale in metres
    and its colours from `min_m` to `max_m` in even steps (`#rrggbb`); black is unknown. Of
    segmentation: the `classes` that are in the picture, with their colours.
    """

    topic: Topic
    stamp_ns: int
    age_ms: float
    width_px: int
    height_px: int
    format: Literal["jpeg", "png"]
    min_m: float | None = None
    max_m: float | None = None
    colors: list[str] | None = None
    source: str | None = None
    classes: list[PixelClass] | None = None


class SecondOfFrames(Model):
    """One second of the service: ages by stage, rates, and drops by cause within it."""

    at_s: float
    age_ms: dict[str, Spread]
    rates_hz: dict[str, float]
    drops: dict[str, int]


class ActionPoint(Model):
    """The seven action values at one time, whether the arm held, and which limits stepped in."""

    at_s: float
    action: list[float] | None
    holding: bool
    enabled: bool
    interventions: list[str]


class Metrics(Model):
    """The topic `metrics`: what is new since the last message; the first has the whole history.

    Times are seconds since 1970 by the server's clock, as `State.now_s`.
    """

    reset: bool
    seconds: list[SecondOfFrames]
    actions: list[ActionPoint]


class Problem(Model):
    """Every refusal and failure: what was wrong, what was expected."""

    detail: str = Field(examples=["the picture has 40000×40000 px; at most 4096×4096 are allowed"])
