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

# What topics say in figures: those beyond are no measurements.
Figure = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Point = Annotated[list[Figure], Field(min_length=3, max_length=3)]
Square = Annotated[list[Point], Field(min_length=3, max_length=3)]
# Pairs of places in an object's keypoints.
Bones = Annotated[list[tuple[int, int]], Field(max_length=1000)]
Polygon = Annotated[list[tuple[Figure, Figure]], Field(max_length=10_000)]
Rate = Annotated[float, Field(gt=0, le=MAX_RATE_HZ)]


class Model(BaseModel):
    """What the server says: unknown fields do not exist."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


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


class PolicyStatus(BaseModel):
    """`~/status/json` of the policy node, as it came; `silent_s` is how long ago that was.

    `action` is Δx Δy Δz m, Δrx Δry Δrz rad, gripper 0 closed to 1 open. `interventions` counts
    what the safety filter changed, by limit. `reasons` are those of holding. `needs_enable`: it
    holds until it is enabled anew.
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
    """An instruction that went out, and when (seconds since 1970)."""

    text: str
    at_s: float


class CommandsState(Model):
    """Whether this client may command the robot, and if not, why."""

    allowed: bool
    reason: str = Field("", examples=["there is no policy: nothing to command"])


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
    policy: PolicyStatus | None
    instructions: list[GivenInstruction]
    commands: CommandsState
    viewers: int
    unusable: dict[str, int] = Field(default_factory=dict)
    dropped: dict[str, int] = Field(default_factory=dict)


class Keypoint(BaseModel):
    """A named point of an object in pixels of the camera image, null where it has no place."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(max_length=1000)
    xy_px: Annotated[list[Figure], Field(min_length=2, max_length=2)] | None = None
    score: Figure | None = None


class OrientedBox(BaseModel):
    """A box that is turned by `angle_rad`, from x towards y to its width."""

    model_config = ConfigDict(extra="ignore")

    center_px: Annotated[list[Figure], Field(min_length=2, max_length=2)]
    size_px: Annotated[list[Figure], Field(min_length=2, max_length=2)]
    angle_rad: Figure


class ObjectRow(BaseModel):
    """A tracked object, as in `~/objects/json`; unknown values are null.

    `outline_px` are the outer polygons of its mask in pixels of the camera image, null where
    there is no mask in this frame.
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
    """A phrase of a prompt; `problem` says why it is not looked for, empty where it is."""

    model_config = ConfigDict(extra="ignore")

    phrase: str = Field(max_length=1000, examples=["the red mug"])
    unknown_words: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=500)]
    problem: str = Field("", max_length=1000)


class GroundedView(ObjectsView):
    """`GET /api/grounded` and the topic `grounded`: what the words of a prompt name in a frame.

    As in `~/grounded/json`. The class of an object is its phrase; ids are of these objects alone.
    """

    prompt: str = Field(max_length=1000)
    phrases: Annotated[list[PhraseView], Field(max_length=500)] = []


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


def printable(text: str) -> str:
    """Words go to logs and to other programs: nothing in them may be taken for control."""
    if not text.isprintable():
        raise ValueError("only printable characters are taken, in one line")
    return text


class InstructionRequest(Model):
    """What the arm is to do, in words."""

    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_INSTRUCTION),
        AfterValidator(printable),
    ] = Field(examples=["put the red block into the bowl"])


class PromptRequest(Model):
    """What is looked for by words, phrases separated by commas; empty: nothing."""

    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, max_length=MAX_INSTRUCTION),
        AfterValidator(printable),
    ] = Field(examples=["the red mug, a blue box"])


class Outcome(Model):
    """What became of a command, in words."""

    done: bool = Field(examples=[True])
    message: str = Field(examples=["the policy is enabled"])


class Problem(Model):
    """Every refusal and failure: what was wrong, what was expected."""

    detail: str = Field(examples=["the picture has 40000×40000 px; at most 4096×4096 are allowed"])
