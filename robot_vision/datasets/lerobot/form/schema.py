"""The schema of a dataset of demonstrations: names, units and conventions of every number.

Standard features follow LeRobot (https://github.com/huggingface/lerobot, `DEFAULT_FEATURES`);
ours have names that its policies treat neither as observations nor as actions.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from robot_vision.core.cameras.lens import DistortionModel
from robot_vision.core.manifests.action_spec import ACTION_NAMES, ActionSpec
from robot_vision.datasets.errors import DatasetError

STATE = "observation.state"
ACTION = "action"
TARGET = "target_pose"
TAUGHT = "taught_chunk"
STAMP = "stamp_ns"
ROBOT_STAMP = "stamp_ns.robot"
# Numbers in every row that locate episodes and frames.
NUMBERED = ("timestamp", "frame_index", "episode_index", "index", "task_index")

VIDEO_CODEC = "vp9"

# Two axes represent the tool's rotation without the jump of a rotation vector at π: exactly
# where a tool that points straight down is (Zhou et al., CVPR 2019).
TOOL_NAMES = tuple(f"tool.{name}" for name in ("x", "y", "z", "xx", "xy", "xz", "yx", "yy", "yz"))
TOOL_UNITS = ("m",) * 3 + ("1",) * 6
GRIPPER_NAME = "gripper.open"
TARGET_NAMES = tuple(
    f"target.{name}" for name in ("x", "y", "z", "xx", "xy", "xz", "yx", "yy", "yz")
)
ACTION_UNITS = ("m", "m", "m", "rad", "rad", "rad", "1")

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class CameraFormat(BaseModel):
    """One camera's images: all in a dataset have this size."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    width_px: int = Field(ge=16, le=8192)
    height_px: int = Field(ge=16, le=8192)
    depth_width_px: int = Field(0, ge=0, le=8192, description="0: no depth is recorded")
    depth_height_px: int = Field(0, ge=0, le=8192)

    @property
    def has_depth(self) -> bool:
        return self.depth_width_px > 0

    @property
    def color_key(self) -> str:
        return f"observation.images.{self.name}"

    @property
    def depth_key(self) -> str:
        return f"observation.images.{self.name}_depth"

    @property
    def stamp_key(self) -> str:
        return f"stamp_ns.{self.name}"

    @property
    def depth_stamp_key(self) -> str:
        return f"stamp_ns.{self.name}_depth"

    @property
    def pose_key(self) -> str:
        return f"base_from_camera.{self.name}"


class ActionConvention(BaseModel):
    """What an action's seven numbers mean: the part of `ActionSpec` that needs no model.

    `corrected`: another agent led; each action is what the expert would have done there, and
    leads from the observed tool, not from the previous target.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    frame_id: str = "base"
    tool_frame_id: str = "tool"
    rotation: Literal["rotation_vector"] = "rotation_vector"
    delta: Literal["base_axes"] = "base_axes"
    gripper: Literal["0_closed_1_open"] = "0_closed_1_open"
    names: tuple[str, ...] = ACTION_NAMES
    units: tuple[str, ...] = ACTION_UNITS
    source: Literal["pose", "steps", "measured", "expert", "corrected"] = "pose"

    def differences(self, spec: ActionSpec) -> list[str]:
        """Describes where a policy's actions differ in meaning from these; empty if nowhere."""
        return [
            f"{name} is {getattr(self, name)!r} in the data, {getattr(spec, name)!r} in the policy"
            for name in ("frame_id", "tool_frame_id", "rotation", "delta", "gripper", "names")
            if getattr(self, name) != getattr(spec, name)
        ]


class DatasetFormat(BaseModel):
    """Everything that all episodes of a dataset share; `meta/robot_vision.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    fps: int = Field(ge=1, le=1000)
    robot_type: str = "unknown"
    joint_names: tuple[str, ...] = ()
    cameras: tuple[CameraFormat, ...] = ()
    action: ActionConvention = ActionConvention()
    taught_steps: int = Field(
        default=0, ge=0, le=64, description="steps of the chunk that each row is taught; 0: none"
    )
    depth_unit: Literal["mm"] = "mm"

    @property
    def state_names(self) -> tuple[str, ...]:
        return (*(f"{name}.pos" for name in self.joint_names), *TOOL_NAMES, GRIPPER_NAME)

    @property
    def state_units(self) -> tuple[str, ...]:
        return ("rad",) * len(self.joint_names) + TOOL_UNITS + ("1",)

    def camera(self, name: str) -> CameraFormat:
        """The camera with this name; raises `DatasetError`."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        names = ", ".join(c.name for c in self.cameras) or "none"
        raise DatasetError(f"no camera {name!r} in the dataset; available: {names}")

    def features(self) -> dict[str, dict[str, Any]]:
        """`features` of LeRobot's `info.json`, in the order of the columns."""
        features = {
            STATE: _vector("float32", self.state_names, self.state_units),
            ACTION: _vector("float32", self.action.names, self.action.units),
            TARGET: _vector("float64", TARGET_NAMES, TOOL_UNITS),
            STAMP: _scalar("int64", "ns"),
            ROBOT_STAMP: _scalar("int64", "ns"),
        }
        if self.taught_steps:
            names = [f"{k}.{name}" for k in range(self.taught_steps) for name in self.action.names]
            units = self.action.units * self.taught_steps
            features[TAUGHT] = _vector("float32", tuple(names), units)
        for camera in self.cameras:
            features |= _camera_features(camera, self.fps)
        return features | {
            "timestamp": _scalar("float32"),
            "frame_index": _scalar("int64"),
            "episode_index": _scalar("int64"),
            "index": _scalar("int64"),
            "task_index": _scalar("int64"),
        }


class CameraRecord(BaseModel):
    """A camera in one episode; the pose is that of the first frame."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frame_id: str
    intrinsics_px: list[list[float]] | None = Field(default=None, description="K, 3×3")
    distortion: list[float] = []
    distortion_model: DistortionModel = "plumb_bob"
    base_from_camera: list[list[float]] | None = Field(default=None, description="4×4")


class EpisodeRecord(BaseModel):
    """The record of one episode; `meta/robot_vision/episode-000000.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recording_id: str
    instruction: str
    wordings: tuple[str, ...] = Field(
        default=(), description="sentences with the same meaning, including the instruction"
    )
    robot_vision_version: str = ""
    start_stamp_ns: int = 0
    success: bool | None = None
    cameras: dict[str, CameraRecord] = {}
    topics: dict[str, str] = {}
    notes: dict[str, int] = Field(default={}, description="what was missing, and how often")
    lost_frames: int = Field(default=0, description="frames lost to an interruption")


def _vector(dtype: str, names: tuple[str, ...], units: tuple[str, ...]) -> dict[str, Any]:
    info = {"units": list(units)}
    return {"dtype": dtype, "shape": [len(names)], "names": list(names), "info": info}


def _scalar(dtype: str, unit: str = "") -> dict[str, Any]:
    feature: dict[str, Any] = {"dtype": dtype, "shape": [1], "names": None}
    return feature | {"info": {"units": [unit]}} if unit else feature


def _camera_features(camera: CameraFormat, fps: int) -> dict[str, dict[str, Any]]:
    names = ["height", "width", "channels"]
    features: dict[str, dict[str, Any]] = {
        camera.color_key: {
            "dtype": "video",
            "shape": [camera.height_px, camera.width_px, 3],
            "names": names,
            "info": {
                "video.height": camera.height_px,
                "video.width": camera.width_px,
                "video.codec": VIDEO_CODEC,
                "video.pix_fmt": "yuv420p",
                "video.fps": fps,
                "video.channels": 3,
                "has_audio": False,
                "is_depth_map": False,
            },
        },
        camera.stamp_key: _scalar("int64", "ns"),
        camera.pose_key: _vector(
            "float64",
            tuple(f"m{row}{column}" for row in range(4) for column in range(4)),
            ("1", "1", "1", "m") * 3 + ("1",) * 4,
        ),
    }
    if camera.has_depth:
        features[camera.depth_key] = {
            "dtype": "image",
            "shape": [camera.depth_height_px, camera.depth_width_px, 1],
            "names": names,
            "info": {"is_depth_map": True, "depth_unit": "mm"},
        }
        features[camera.depth_stamp_key] = _scalar("int64", "ns")
    return features
