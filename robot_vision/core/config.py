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
"""Characters of a prompt."""

MODEL_PARAMETERS = (
    "model",
    "depth_model",
    "feature_model",
    "classifier_model",
    "segmentation_model",
    "grounding_model",
)
"""The parameters of the service that name bundles."""


class SyncConfig(Params):
    """Pairing of colour with depth by stamp."""

    tolerance_s: float = param(
        0.02, "largest stamp difference of a colour and depth pair", unit="s", ge=0, le=1
    )
    wait_s: float = param(
        0.03, "how long a colour frame waits for its depth once it arrived", unit="s", ge=0, le=1
    )


class DetectorConfig(Params):
    """Selection of detections."""

    score_threshold: float = param(
        0.0, "detections below this score are dropped; 0 takes the bundle's, or 0.25", ge=0, le=1
    )
    nms_iou: float = param(0.6, "overlap above which the weaker of a class is dropped", ge=0, le=1)
    max_detections: int = param(100, "detections kept per frame", ge=1, le=1000)
    classes: list[str] = param([], "names of the classes kept; empty keeps all")


class DepthConfig(Params):
    """Metric depth from the sensor and the model."""

    mode: Literal["fuse", "sensor", "model"] = param(
        "fuse", "fuse: the sensor, its holes filled; the model where there is no sensor"
    )
    fill: Literal["guided", "model"] = param(
        "guided", "holes of the sensor: from around, guided by colour; or from the model, aligned"
    )
    lift_rough: bool = param(
        False, "objects in 3-D from colour alone where no depth is measured: off by a fifth"
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
    camera_motion: bool = param(
        False, "estimate camera motion from the image (sparse optical flow)"
    )
    high_score: float = param(
        0.5, "detections from this score on are matched first and may begin tracks", ge=0, le=1
    )
    low_score: float = param(0.1, "detections below this score are ignored", ge=0, le=1)

    birth_evidence: float = param(
        0.8, "log-odds of a detection from which on it begins a track", unit="nat", ge=-10, le=10
    )
    confirm_evidence: float = param(
        1.8, "log-odds at which a track is confirmed", unit="nat", ge=-10, le=100
    )
    overlap_penalty: float = param(
        3.7, "log-odds that a detection on top of a track loses as a new one", unit="nat", ge=0
    )
    coast_s: float = param(
        2.5, "a confirmed track ends after so long without a detection", unit="s", gt=0, le=600
    )
    tentative_s: float = param(
        0.3, "a tentative track ends after so long without a detection", unit="s", ge=0, le=60
    )

    prior: float = param(
        4.0, "support of a pair before anything is compared, in image or space", unit="nat"
    )
    tail: float = param(4.0, "heaviness of the tails of errors: degrees of freedom", gt=0)
    class_penalty: float = param(3.0, "support lost when classes differ", unit="nat", ge=0)
    appearance_limit: float = param(4.0, "most that looks may say", unit="nat", ge=0)
    depth_weight: float = param(0.5, "share of the distance in space in the support", ge=0)
    loss_rate: float = param(1.5, "support lost per second unseen", unit="nat/s", ge=0)
    stop_penalty: float = param(
        2.0, "support lost by the guess that an unseen object stayed", unit="nat", ge=0
    )
    stop_drift: float = param(
        0.5, "wander of an object that stayed, per box size", unit="1/s^0.5", gt=0
    )
    low_penalty: float = param(2.0, "support lost by unsure detections", unit="nat", ge=0)

    box_noise: float = param(
        0.045, "standard deviation of a box's edge, per box size, until learnt", ge=0.001, le=1
    )
    box_speed: float = param(
        1.5, "standard deviation of speeds at first, per box size", unit="1/s", gt=0, le=100
    )
    box_acceleration: float = param(
        1.4, "white acceleration of boxes, per box size", unit="1/s^1.5", gt=0, le=100
    )
    size_share: float = param(0.4, "changes of size, as a share of those of place", gt=0, le=1)
    box_damping_per_s: float = param(0.2, "decay of the speed of centres", unit="1/s", ge=0)
    size_damping_per_s: float = param(6.0, "decay of the speed of sizes", unit="1/s", ge=0)
    unrest_limit: float = param(
        8.0, "most that common surprise, as from a shaken camera, raises the acceleration", ge=1
    )
    replay_after_s: float = param(
        0.5, "gap after which a box is led again to where it is found", unit="s", ge=0, le=60
    )
    point_speed_mps: float = param(
        1.0, "standard deviation of speeds in space at first", unit="m/s", gt=0, le=100
    )
    point_acceleration: float = param(
        0.15, "white acceleration in space", unit="m/s^1.5", gt=0, le=100
    )
    class_memory: float = param(5.0, "largest lead of a class in the vote of scores", gt=0)
    blend: float = param(0.1, "share of a new size or look in the mean", gt=0, le=1)


class TransformConfig(Params):
    """How well a transform must fit a frame: a moving camera was elsewhere before."""

    stale_s: float = param(
        0.1,
        "most time between a frame and the transform that is used for it; static ones fit all",
        unit="s",
        ge=0,
        le=60,
    )
    wait_s: float = param(
        0.02, "longest that a frame waits for the transform of its stamp", unit="s", ge=0, le=1
    )


class ServiceConfig(Params):
    """What the pipeline needs to run, with or without ROS."""

    model: str = param("native-s", "model bundle: a name in the store or a folder with model.yaml")
    depth_model: str = param("", "optional bundle that estimates depth; empty for none")
    feature_model: str = param(
        "", "optional bundle that computes features, of any task; empty for none"
    )
    classifier_model: str = param(
        "", "optional bundle that says what a whole frame shows; empty for none"
    )
    segmentation_model: str = param(
        "", "optional bundle that gives every pixel a class; empty for none"
    )
    grounding_model: str = param(
        "", "optional bundle that finds what the words of `prompt` name; empty for none"
    )
    prompt: str = param(
        "",
        "what is looked for by words: phrases separated by commas; the topic ~/prompt sets it",
        max_length=MOST_PROMPT,
    )
    grounding_threshold: float = param(
        0.0, "boxes of phrases below this score are dropped; 0 takes the bundle's", ge=0, le=1
    )
    device: Literal["auto", "cpu", "cuda", "tensorrt", "openvino"] = param(
        "auto",
        "where models run; auto takes CUDA or the CPU and says which; openvino is a CPU's, "
        "quicker for INT8",
    )
    threads: int = param(0, "threads per model run on the CPU; 0 takes all cores", ge=0, le=256)
    spin: bool = param(
        True, "threads poll for work within a run: faster, but slower where cores are overloaded"
    )
    engine_cache_dir: str = param(
        "", "folder of TensorRT engines; empty: ~/.cache/robot_vision/engines"
    )
    compute_every: int = param(
        1, "compute every k-th frame, carry tracks in between", unit="frames", ge=1, le=30
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
    """How the camera's topics are subscribed."""

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
    """What /diagnostics reports, and from when on it warns."""

    period_s: float = param(1.0, "time between two reports", unit="s", ge=0.1, le=60)
    silent_after_s: float = param(
        2.0, "without an output for this long the node says why", unit="s", ge=0.1, le=60
    )
    max_age_s: float = param(
        0.2, "warn when the 95th percentile of the age of outputs is above", unit="s", gt=0, le=60
    )
    max_future_s: float = param(
        0.05, "warn about stamps that are further ahead of this clock", unit="s", ge=0, le=60
    )


class NodeConfig(ServiceConfig):
    """The perception node: the service, its topics and its reports."""

    autostart: bool = param(True, "configure and activate at start; false: wait for transitions")
    target_frame: str = param(
        "", "frame of the 3-D outputs, by tf2 (static for the tracker); empty: the camera's"
    )
    camera_pose: CameraPoseConfig = CameraPoseConfig()
    input: InputConfig = InputConfig()
    diagnostics: DiagnosticsConfig = DiagnosticsConfig()
    segment: SegmentConfig = SegmentConfig()


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; raises `ConfigError` naming the file and what is wrong with it."""
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
    """Parameters by dotted name, as ROS knows them: `tracker.name`."""
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

    Raises `ConfigError` that names each bad parameter, its value and what is expected.
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
