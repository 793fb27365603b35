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

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from robot_vision.console.class_schema import PixelClass
from robot_vision.core.types import DepthSource

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
TOPICS: tuple[Topic, ...] = (
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
)
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
MAX_INSTRUCTION = 500

# Bounds on numbers from topics: values beyond are not measurements.
Figure = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Point = Annotated[list[Figure], Field(min_length=3, max_length=3)]
Square = Annotated[list[Point], Field(min_length=3, max_length=3)]
# Pairs of indices into an object's keypoints.
Bones = Annotated[list[tuple[int, int]], Field(max_length=1000)]
Polygon = Annotated[list[tuple[Figure, Figure]], Field(max_length=10_000)]
Rate = Annotated[float, Field(gt=0, le=MAX_RATE_HZ)]


class Model(BaseModel):
    """Base of server messages: unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


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


class PolicyStatus(BaseModel):
    """`~/status/json` of the policy node, as received; `silent_s` is how long ago that was.

    `action` is Δx Δy Δz m, Δrx Δry Δrz rad, gripper 0 closed to 1 open. `interventions` counts
    what the safety filter changed, by limit. `reasons` are the reasons to hold. `needs_enable`: it
    holds until enabled again.
    """

    model_config = ConfigDict(extra="allow")

    stamp_ns: int = 0
    enabled: bool = False
    holding: bool = True
    needs_enable: bool = False
    reasons: list[str] = []
    instruction: str = ""
    instruction_problem: str = ""
    target_id: int | None = None
    destination_id: int | None = None
    action: Annotated[list[Figure], Field(max_length=32)] | None = None
    pose: Any = None
    gripper_open: Figure | None = None
    interventions: dict[str, Annotated[int, Field(ge=0)]] = {}
    chunk_age_s: Figure | None = None
    perception_age_s: Figure | None = None
    policy_ms: Figure | None = None
    command_hz: Figure | None = None
    late: Any = None
    silent_s: float = 0.0


class GivenInstruction(Model):
    """A sent instruction, and when (seconds since 1970)."""

    text: str
    at_s: float


class CommandsState(Model):
    """Whether this client may command the robot, and if not, why."""

    allowed: bool
    reason: str = Field("", examples=["there is no policy: nothing to command"])


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
    policy: PolicyStatus | None
    instructions: list[GivenInstruction]
    commands: CommandsState
    viewers: int
    unusable: dict[str, int] = Field(default_factory=dict)
    dropped: dict[str, int] = Field(default_factory=dict)


class Keypoint(BaseModel):
    """A named point of an object in pixels of the camera image, null if it has no position."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(max_length=1000)
    xy_px: Annotated[list[Figure], Field(min_length=2, max_length=2)] | None = None
    score: Figure | None = None


class OrientedBox(BaseModel):
    """A box rotated by `angle_rad`, from x towards y to its width."""

    model_config = ConfigDict(extra="ignore")

    center_px: Annotated[list[Figure], Field(min_length=2, max_length=2)]
    size_px: Annotated[list[Figure], Field(min_length=2, max_length=2)]
    angle_rad: Figure


class ObjectRow(BaseModel):
    """A tracked object, as in `~/objects/json`; unknown values are null.

    `outline_px` are the outer polygons of its mask in pixels of the camera image, null if there is
    no mask in this frame.
    """

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    id: int
    class_name: str = Field(alias="class", max_length=1000)
    score: Figure
    state: Literal["tentative", "confirmed", "coasting", "ended"]
    position_m: Point | None = None
    position_covariance_m2: Square | None = None
    velocity_mps: Point | None = None
    velocity_covariance_m2ps2: Square | None = None
    size_m: Point | None = None
    box_xyxy_px: Annotated[list[Figure], Field(min_length=4, max_length=4)] | None = None
    age_s: Finite
    unseen_s: Finite
    outline_px: Annotated[list[Polygon], Field(max_length=1000)] | None = None
    keypoints: Annotated[list[Keypoint], Field(max_length=1000)] | None = None
    oriented_box: OrientedBox | None = None


class ObjectsView(BaseModel):
    """`GET /api/objects` and the topic `objects`: all tracks of one frame.

    `frame_id` is the frame of positions and velocities; `age_ms` the frame's age when published.
    """

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    stamp_ns: int
    frame_id: str = Field(max_length=1000)
    width_px: int = 0
    height_px: int = 0
    age_ms: Finite
    stage_ms: Annotated[dict[str, Finite], Field(max_length=64)]
    model: str = Field(max_length=1000)
    depth_source: DepthSource | None = None
    epoch: int = 0
    orientation_xyzw: Annotated[list[Figure], Field(min_length=4, max_length=4)] = [
        0.0,
        0.0,
        0.0,
        1.0,
    ]
    objects: Annotated[list[ObjectRow], Field(max_length=1000)]
    bones: Bones = []
    notes: Annotated[list[Annotated[str, Field(max_length=1001)]], Field(max_length=100)] = []


class PhraseView(BaseModel):
    """A phrase of a prompt; `problem` says why it is not looked for, empty if it is."""

    model_config = ConfigDict(extra="ignore")

    phrase: str = Field(max_length=1000, examples=["the red mug"])
    unknown_words: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=500)]
    problem: str = Field("", max_length=1000)


class GroundedView(ObjectsView):
    """`GET /api/grounded` and the topic `grounded`: objects in a frame that the prompt names.

    As in `~/grounded/json`. The class of an object is its phrase; ids are unique among these
    objects only.
    """

    prompt: str = Field(max_length=1000)
    phrases: Annotated[list[PhraseView], Field(max_length=500)] = []


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


def printable(text: str) -> str:
    """Text goes to logs and other programs: control characters are not allowed."""
    if not text.isprintable():
        raise ValueError("expected one line of printable characters")
    return text


class InstructionRequest(Model):
    """The instruction for the arm, as text."""

    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_INSTRUCTION),
        AfterValidator(printable),
    ] = Field(examples=["put the red block into the bowl"])


class PromptRequest(Model):
    """Objects to look for: phrases separated by commas; empty: none."""

    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, max_length=MAX_INSTRUCTION),
        AfterValidator(printable),
    ] = Field(examples=["the red mug, a blue box"])


class Outcome(Model):
    """The outcome of a command, as text."""

    done: bool = Field(examples=[True])
    message: str = Field(examples=["the policy is enabled"])


class Problem(Model):
    """Any rejection or failure: what was wrong, what was expected."""

    detail: str = Field(examples=["the picture has 40000×40000 px; at most 4096×4096 are allowed"])
