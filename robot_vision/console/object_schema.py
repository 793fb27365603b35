"""Objects and grounded objects in the console's API, as `~/objects/json` has them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from robot_vision.console.base_schema import Bones, Figure, Finite, Point, Polygon, Square
from robot_vision.core.types import DepthSource


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
