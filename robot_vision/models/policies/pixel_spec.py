"""Options of a policy from pixels: encoder, fusion, head, sizes and observation."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from robot_vision.core.cameras.camera_mount import CameraMount
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.policies.observing.tokens import MAX_OBJECTS, OBJECT_WIDTH

_Three = tuple[float, float, float]


class PartChoice(Params):
    """A part by its name in a registry, and the options that differ from its defaults."""

    name: str = param("transformer", "name of the fusion or of the action head")
    options: dict[str, Any] = param({}, "options that differ from the part's defaults")


class TrainedCamera(Params):
    """A camera as in training: its pose on the base or the tool (OpenCV's axes), its lens."""

    position_m: _Three = param((0.0, 0.0, 0.0), "position of the lens", unit="m")
    rotation: _Three = param((0.0, 0.0, 0.0), "rotation vector, mount from camera", unit="rad")
    focal_per_width: float = param(
        1.0, "focal length divided by the picture's width", gt=0, le=100
    )
    focal_per_height: float = param(
        0.0, "the same for its height; 0: pixels are square", ge=0, le=100
    )
    mount: Literal["base", "tool"] = param(
        "base", "frame of the pose, which the camera is fixed to"
    )

    def as_mount(self) -> CameraMount:
        """Its pose, for comparing a camera with it."""
        return CameraMount(position_m=self.position_m, rotation=self.rotation, mount=self.mount)


class ChunkPolicySpec(Params):
    """Options shared by policies that predict a chunk of actions: observation, fusion, head."""

    observation: ObservationSpec = param(ObservationSpec(), "inputs of the policy")
    fusion: PartChoice = param(PartChoice(name="transformer"), "how modalities are fused")
    head: PartChoice = param(PartChoice(name="transformer"), "action head")
    width: int = param(128, "width of all tokens; a multiple of 4", ge=4, le=4096, multiple_of=4)
    words: int = param(128, "size of the vocabulary; set by the training set", ge=1, le=100_000)
    max_words: int = param(24, "longest instruction", ge=1, le=512)
    text_width: int = param(384, "width of the sentence encoder's tokens", ge=1, le=8192)
    features_channels: int = param(64, "channels of perception's grid", ge=1, le=4096)
    features_rows: int = param(20, "rows of perception's grid", ge=1, le=512)
    features_columns: int = param(26, "columns of perception's grid", ge=1, le=512)
    max_tracks: int = param(MAX_OBJECTS, "tracks of an observation", ge=1, le=1024)
    track_width: int = param(OBJECT_WIDTH, "width of a track's token", ge=1, le=4096)
    horizon: int = param(16, "steps of a chunk of actions", ge=1, le=1024)
    actions: int = param(7, "numbers of a step, the gripper last", ge=1, le=256)

    @model_validator(mode="after")
    def _names_differ(self) -> "ChunkPolicySpec":
        cameras = [camera.name for camera in self.observation.cameras]
        names = [name for camera in cameras for name in _of_camera(camera)]
        if len(set(names)) < len(names):
            raise ValueError(f"cameras {', '.join(cameras)}: two inputs would have one name")
        if not modalities_of(self.observation):
            raise ValueError("the observation is empty: expected cameras, state or tracks")
        return self

    @property
    def given_width(self) -> int:
        """Width of a token in `text`."""
        return self.width if self.observation.words == "vocabulary" else self.text_width


class PixelPolicySpec(ChunkPolicySpec):
    """Sizes and parts of a `PixelPolicy`."""

    encoder_at: ClassVar[str] = "sight.encoder.net."

    encoder: EncoderChoice = param(
        EncoderChoice(name="native-s"), "encoder of the cameras' pictures"
    )
    freeze_encoder: bool = param(False, "keep the encoder frozen")
    levels: int = param(2, "how many of the encoder's coarsest maps are used", ge=1, le=8)
    patches: int = param(
        0,
        "n × n mean colors per cell of the finest of these maps, beside the encoder's features: "
        "encoders trained to recognise objects under any light discard color; 0: none",
        ge=0,
        le=8,
    )
    grid_rows: int = param(10, "rows of a picture's token grid", ge=1, le=64)
    grid_columns: int = param(13, "columns of a picture's token grid", ge=1, le=64)
    depth: Literal["relief", "points"] = param(
        "relief",
        "relief: encoded by convolutions; points: the position of each cell in the base frame, "
        "which needs the poses of cameras with depth",
    )
    depth_width: int = param(24, "channels of the relief encoder", ge=2, le=1024)
    pointing: bool = param(
        False,
        "add a token that says which place is meant, learnt from keyframes: one place per cell, "
        "or per patch with its color; needs depth: points and the tool's state",
    )
    gating: bool = param(False, "weight each modality given all modalities")
    poses: dict[str, TrainedCamera] = param({}, "poses of cameras whose cells get rays")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "PixelPolicySpec":
        seen = self.observation
        cameras = [camera.name for camera in seen.cameras]
        unknown = sorted(self.poses.keys() - set(cameras))
        if unknown:
            raise ValueError(
                f"poses of {', '.join(unknown)}: expected cameras of the observation, "
                f"{', '.join(cameras) or 'of which there are none'}"
            )
        on_tool = [name for name, pose in self.poses.items() if pose.mount == "tool"]
        if on_tool and seen.state != "tool":
            raise ValueError(
                f"poses of {', '.join(on_tool)} are on the tool: expected observation.state: tool"
            )
        has_depth = any(camera.has_depth for camera in seen.cameras)
        if "depth" in seen.perception and not has_depth:
            raise ValueError(
                "perception's depth is shown in place of a sensor's: expected a camera that "
                "`has_depth`"
            )
        if self.pointing and not (has_depth and self.depth == "points" and seen.state == "tool"):
            raise ValueError(
                f"pointing with depth: {self.depth}, state: {seen.state}: expected a camera that "
                "`has_depth`, depth: points and observation.state: tool"
            )
        return self


def modalities_of(observation: ObservationSpec) -> tuple[str, ...]:
    """Names of modalities, those of cameras first; none if words are all there is."""
    found = []
    for camera in observation.cameras:
        found += [f"{camera.name}.color"] + [f"{camera.name}.depth"] * camera.has_depth
    found += ["state"] * (observation.state != "none")
    found += [name for name in ("features", "tracks") if name in observation.perception]
    return (*found, "words") if found and observation.words != "none" else tuple(found)


def _of_camera(name: str) -> tuple[str, ...]:
    return tuple(f"{kind}_{name}" for kind in ("rgb", "seen", "depth", "depth_seen"))


@dataclass(frozen=True, kw_only=True)
class InputShape:
    """An input of the served network, without the batch axis."""

    kind: Literal["uint8", "bool", "float32"]
    shape: tuple[int, ...]


def input_shapes(spec: ChunkPolicySpec) -> dict[str, InputShape]:
    """Inputs of the served network by name, in order.

    Without memory and noise, which fusion and head add (`ChunkPolicy.input_shapes`).
    """
    seen, steps = spec.observation, spec.observation.steps
    shapes: dict[str, InputShape] = {}
    for camera in seen.cameras:
        size = (camera.height_px, camera.width_px)
        shapes[f"rgb_{camera.name}"] = InputShape(kind="uint8", shape=(steps, *size, 3))
        shapes[f"seen_{camera.name}"] = _mask(steps)
        if camera.has_depth:
            shapes[f"depth_{camera.name}"] = _numbers(steps, *size)
            shapes[f"depth_seen_{camera.name}"] = _mask(steps)
    if seen.cameras or seen.state != "none":
        shapes["age_s"] = _numbers(steps)
    if seen.state != "none":
        shapes |= {"state": _numbers(steps, seen.state_width), "state_seen": _mask(steps)}
    if seen.words != "none":
        shapes["text"] = _numbers(spec.max_words, spec.given_width)
        shapes["text_seen"] = _mask(spec.max_words)
    if "features" in seen.perception:
        grid = (spec.features_channels, spec.features_rows, spec.features_columns)
        shapes |= {"features": _numbers(*grid), "features_seen": _mask(1)}
    if "tracks" in seen.perception:
        shapes["tracks"] = _numbers(spec.max_tracks, spec.track_width)
        shapes["tracks_seen"] = _mask(spec.max_tracks)
    return shapes


def _numbers(*shape: int) -> InputShape:
    return InputShape(kind="float32", shape=shape)


def _mask(count: int) -> InputShape:
    return InputShape(kind="bool", shape=(count,))
