"""Every parameter of the service in one place: type, default, bounds, unit, description.

ROS parameters (dotted names), YAML files and command-line options derive from these models.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from robot_vision.core.camera_config import CameraConfig, CameraPoseConfig
from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.foreign import read_yaml
from robot_vision.core.limits_config import InputLimits
from robot_vision.core.params import Params, param
from robot_vision.core.points_config import PointsConfig
from robot_vision.core.segment_config import SegmentConfig
from robot_vision.core.self_filter_config import SelfFilterConfig

ParamsT = TypeVar("ParamsT", bound="Params")

MOST_PROMPT = 500
"""Maximum length of a prompt, in characters."""

MODEL_PARAMETERS = (
    "model",
    "depth_model",
    "feature_model",
    "classifier_model",
    "segmentation_model",
    "grounding_model",
)
"""Service parameters that name bundles."""


class SyncConfig(Params):
    """Pairing of colour and depth by stamp."""

    tolerance_s: float = param(
        0.02, "largest stamp difference of a colour and depth pair", unit="s", ge=0, le=1
    )
    wait_s: float = param(
        0.03, "how long a colour frame waits for its depth after it arrived", unit="s", ge=0, le=1
    )


class DetectorConfig(Params):
    """Selection of detections."""

    score_threshold: float = param(
        0.0,
        "detections below this score are dropped; 0: the bundle's threshold, or 0.25",
        ge=0,
        le=1,
    )
    nms_iou: float = param(
        0.6, "IoU above which the weaker of two detections of a class is dropped", ge=0, le=1
    )
    max_detections: int = param(100, "detections kept per frame", ge=1, le=1000)
    classes: list[str] = param([], "names of the classes to keep; empty: all")


class DepthConfig(Params):
    """Metric depth from the sensor and the model."""

    mode: Literal["fuse", "sensor", "model"] = param(
        "fuse", "fuse: the sensor with its holes filled; the model where there is no sensor"
    )
    fill: Literal["guided", "model"] = param(
        "guided",
        "how holes of the sensor are filled: guided: from their surroundings, by colour; "
        "model: from the model, aligned to the sensor",
    )
    lift_rough: bool = param(
        False, "objects in 3-D from colour alone where no depth is measured: errors of a fifth"
    )
    min_m: float = param(0.1, "depth below this is invalid", unit="m", ge=0, le=10)
    max_m: float = param(10.0, "depth above this is invalid", unit="m", gt=0, le=1000)
    raw_unit_m: float = param(
        0.001, "metres per step of 16-bit depth (REP 118: 0.001)", unit="m", gt=0, le=1
    )
    float_unit_m: float = param(
        1.0, "metres per unit of 32-bit depth (REP 118: 1)", unit="m", gt=0, le=1
    )


class TrackerConfig(Params):
    """Tracking in seconds and evidence, never in frames. Support and evidence are in nats."""

    name: str = param("robot_vision", "tracker in the registry")
    camera_motion: bool = param(False, "estimate camera motion from images (sparse optical flow)")
    high_score: float = param(
        0.5, "detections at or above this score are matched first and may start tracks", ge=0, le=1
    )
    low_score: float = param(0.1, "detections below this score are ignored", ge=0, le=1)

    birth_evidence: float = param(
        0.8, "log-odds at or above which a detection starts a track", unit="nat", ge=-10, le=10
    )
    confirm_evidence: float = param(
        1.8, "log-odds at which a track is confirmed", unit="nat", ge=-10, le=100
    )
    overlap_penalty: float = param(
        3.7,
        "log-odds that a detection on top of a track loses as the start of a new one",
        unit="nat",
        ge=0,
    )
    coast_s: float = param(
        2.5, "a confirmed track ends after this time without a detection", unit="s", gt=0, le=600
    )
    tentative_s: float = param(
        0.3, "a tentative track ends after this time without a detection", unit="s", ge=0, le=60
    )

    prior: float = param(4.0, "prior support of a pair, in the image or in space", unit="nat")
    tail: float = param(
        4.0, "degrees of freedom of the error distribution: fewer mean heavier tails", gt=0
    )
    class_penalty: float = param(3.0, "support lost if classes differ", unit="nat", ge=0)
    appearance_limit: float = param(4.0, "largest support from appearance", unit="nat", ge=0)
    depth_weight: float = param(0.5, "weight of the distance in space in the support", ge=0)
    loss_rate: float = param(1.5, "support lost per second unseen", unit="nat/s", ge=0)
    stop_penalty: float = param(
        2.0,
        "support lost by the hypothesis that an unseen object stayed in place",
        unit="nat",
        ge=0,
    )
    stop_drift: float = param(
        0.5, "random drift of an object that stayed in place, per box size", unit="1/s^0.5", gt=0
    )
    low_penalty: float = param(2.0, "support lost by uncertain detections", unit="nat", ge=0)

    box_noise: float = param(
        0.045, "standard deviation of a box's edge, per box size, until estimated", ge=0.001, le=1
    )
    box_speed: float = param(
        1.5, "initial standard deviation of speeds, per box size", unit="1/s", gt=0, le=100
    )
    box_acceleration: float = param(
        1.4, "white-noise acceleration of boxes, per box size", unit="1/s^1.5", gt=0, le=100
    )
    size_share: float = param(
        0.4, "changes of size, as a share of changes of position", gt=0, le=1
    )
    box_damping_per_s: float = param(0.2, "decay rate of the speed of centres", unit="1/s", ge=0)
    size_damping_per_s: float = param(6.0, "decay rate of the speed of sizes", unit="1/s", ge=0)
    unrest_limit: float = param(
        8.0,
        "largest factor by which errors common to all tracks (a shaken camera) raise the "
        "acceleration",
        ge=1,
    )
    replay_after_s: float = param(
        0.5, "gap after which a box is re-initialised where it is found", unit="s", ge=0, le=60
    )
    point_speed_mps: float = param(
        1.0, "initial standard deviation of speeds in space", unit="m/s", gt=0, le=100
    )
    point_acceleration: float = param(
        0.15, "white-noise acceleration in space", unit="m/s^1.5", gt=0, le=100
    )
    class_memory: float = param(5.0, "largest lead of a class in the score vote", gt=0)
    blend: float = param(0.1, "weight of a new size or appearance in the running mean", gt=0, le=1)


class TransformConfig(Params):
    """How close in time a transform must be to a frame: a moving camera was elsewhere before."""

    stale_s: float = param(
        0.1,
        "largest time between a frame and the transform used for it; static transforms fit every "
        "frame",
        unit="s",
        ge=0,
        le=60,
    )
    wait_s: float = param(
        0.02, "longest time a frame waits for the transform at its stamp", unit="s", ge=0, le=1
    )


class ServiceConfig(Params):
    """Everything the pipeline needs to run, with or without ROS."""

    model: str = param("native-s", "model bundle: a name in the store or a folder with model.yaml")
    depth_model: str = param("", "optional bundle that estimates depth; empty for none")
    feature_model: str = param(
        "", "optional bundle, of any task, that computes features; empty for none"
    )
    classifier_model: str = param(
        "", "optional bundle that classifies whole frames; empty for none"
    )
    segmentation_model: str = param(
        "", "optional bundle that assigns each pixel a class; empty for none"
    )
    grounding_model: str = param(
        "", "optional bundle that detects the objects named in `prompt`; empty for none"
    )
    prompt: str = param(
        "",
        "objects to look for: phrases separated by commas; the topic ~/prompt sets it",
        max_length=MOST_PROMPT,
    )
    grounding_threshold: float = param(
        0.0,
        "detections of phrases below this score are dropped; 0: the bundle's threshold",
        ge=0,
        le=1,
    )
    device: Literal["auto", "cpu", "cuda", "tensorrt", "openvino"] = param(
        "auto",
        "where models run; auto: CUDA, else the CPU, and reports which; openvino: on the CPU, "
        "faster for INT8",
    )
    threads: int = param(0, "threads per model on the CPU; 0: all cores", ge=0, le=256)
    spin: bool = param(
        True,
        "threads spin while waiting for work within a run: faster, but slower on overloaded cores",
    )
    engine_cache_dir: str = param(
        "", "folder of TensorRT engines; empty: ~/.cache/robot_vision/engines"
    )
    compute_every: int = param(
        1,
        "run the models on every k-th frame, predict tracks in between",
        unit="frames",
        ge=1,
        le=30,
    )
    camera: CameraConfig = CameraConfig()
    sync: SyncConfig = SyncConfig()
    detector: DetectorConfig = DetectorConfig()
    depth: DepthConfig = DepthConfig()
    tracker: TrackerConfig = TrackerConfig()
    transforms: TransformConfig = TransformConfig()
    self_filter: SelfFilterConfig = SelfFilterConfig()
    points: PointsConfig = PointsConfig()
    limits: InputLimits = InputLimits()


class InputConfig(Params):
    """How the node subscribes to the camera's topics."""

    rgb_transport: Literal["raw", "compressed"] = param(
        "raw", "raw: sensor_msgs/Image on rgb; compressed: CompressedImage on rgb/compressed"
    )
    depth_transport: Literal["raw", "compressed", "png", "none"] = param(
        "raw",
        "raw: Image on depth; compressed: PNG or RVL on depth/compressedDepth; "
        "png: 16-bit PNG on depth/compressed; none: no depth",
    )
    reliability: Literal["best_effort", "reliable"] = param(
        "best_effort", "QoS of the image topics; best_effort matches every publisher"
    )
    queue_depth: int = param(1, "messages kept by the middleware per topic", ge=1, le=100)


class DiagnosticsConfig(Params):
    """What /diagnostics reports, and when it warns."""

    period_s: float = param(1.0, "time between reports", unit="s", ge=0.1, le=60)
    silent_after_s: float = param(
        2.0, "after this time without an output the node reports why", unit="s", ge=0.1, le=60
    )
    max_age_s: float = param(
        0.2, "warn if the 95th percentile of output age exceeds this", unit="s", gt=0, le=60
    )
    max_future_s: float = param(
        0.05, "warn about stamps further ahead of this machine's clock", unit="s", ge=0, le=60
    )


class NodeConfig(ServiceConfig):
    """The perception node: the service, its topics and its diagnostics."""

    autostart: bool = param(
        True, "configure and activate at start; false: wait for lifecycle transitions"
    )
    target_frame: str = param(
        "",
        "frame of the 3-D outputs, by tf2 (must be static for the tracker); empty: the camera's",
    )
    camera_pose: CameraPoseConfig = CameraPoseConfig()
    input: InputConfig = InputConfig()
    diagnostics: DiagnosticsConfig = DiagnosticsConfig()
    segment: SegmentConfig = SegmentConfig()


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; raises `ConfigError` naming the file and the fault."""
    try:
        data = read_yaml(Path(path))
    except ForeignFileError as error:
        raise ConfigError(str(error)) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path}: expected a mapping of names to values, got {type(data).__name__}"
        )
    return data


def flatten(params: Params, prefix: str = "") -> dict[str, Any]:
    """Parameters by dotted name, as in ROS: `tracker.name`."""
    flat: dict[str, Any] = {}
    for name in type(params).model_fields:
        value = getattr(params, name)
        if isinstance(value, Params):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def with_values(params: ParamsT, values: Mapping[str, Any]) -> ParamsT:
    """A copy of `params` with dotted names replaced, validated as a whole.

    Raises `ConfigError` naming each bad parameter, its value and what is expected.
    """
    known = flatten(params)
    nested = params.model_dump()
    for dotted, value in values.items():
        if dotted not in known:
            raise ConfigError(f"unknown parameter {dotted!r}; available: {', '.join(known)}")
        *groups, name = dotted.split(".")
        group = nested
        for key in groups:
            group = group[key]
        group[name] = value
    try:
        return type(params).model_validate(nested)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error


def _explain(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, e['loc']))} = {e['input']!r}: {e['msg']}" for e in error.errors()
    )
