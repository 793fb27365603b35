"""Data of the console's HTTP API and stream, as pydantic models.

The stream (`/api/stream`, a WebSocket): the client sends text, a `Subscription` in JSON, which it
may resend at any time. The server sends

- text: `{"topic": …, "data": …}` with `State`, `ObjectsView`, `ClassificationView` or `Metrics`
  as `data`;
- binary: the length of a header (4 bytes, big-endian), the header (`PictureHeader` in JSON), then
  an image: JPEG for `frame`; PNG for `depth` and `features` (to be stretched over the
  frame), `attention` and `segmentation` (with alpha, to be laid and stretched over the frame).

Newest wins: a client that reads too slowly misses data, and `State.dropped` counts how much.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field

from robot_vision.console.base_schema import Model
from robot_vision.console.class_schema import PixelClass
from robot_vision.console.command_schema import CommandsState, GivenInstruction
from robot_vision.core.results.policy_status import PolicyStatus

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
    """A client's subscription: topic → maximum rate in Hz. Replaces the previous one."""

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
    """Whether frames flow. `reason` says why not; `for_s` how long this has been so.

    `frame_age_ms` is the current age of the newest frame, from its stamp.
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
    """Which model runs where; `state` is the node's lifecycle state, `doing` names a long
    operation in progress."""

    id: str = Field("", examples=["native-s 0.2"])
    provider: str = Field("", examples=["cpu"])
    fallback_reason: str = ""
    state: str = Field("", examples=["active"])
    doing: str = ""
    depth_source: str | None = None


class Count(Model):
    """How often something happened since the node started, by cause."""

    cause: str
    total: int


class Diagnosis(Model):
    """One line of /diagnostics; reasons for missing output come first."""

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

    `rates_hz` by topic (rgb, depth, output, command); `age_ms` percentiles by stage in the order
    of the flow, `age` is the whole. `silence` says why there is no output, empty while there is.
    `unusable` counts invalid messages by topic; their values are shown as unknown. `dropped`
    counts, by topic, messages that this stream client missed by reading too slowly.
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
    """Precedes the bytes of an image in the stream. Sizes are those of that image.

    `age_ms` is from the frame's stamp to this message. For depth: the ends of the scale in metres
    and its colours from `min_m` to `max_m` in even steps (`#rrggbb`); black is unknown. For
    segmentation: the `classes` in the picture, with their colours.
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
    """The topic `metrics`: data new since the last message; the first has the whole history.

    Times are seconds since 1970 by the server's clock, like `State.now_s`.
    """

    reset: bool
    seconds: list[SecondOfFrames]
    actions: list[ActionPoint]


class Problem(Model):
    """Any rejection or failure: what was wrong, what was expected."""

    detail: str = Field(examples=["the picture has 40000×40000 px; at most 4096×4096 are allowed"])
