"""Every parameter of the service in one place: type, default, bounds, unit, description.

ROS parameters (dotted names), YAML files and command-line options derive from these models.
"""

from typing import Literal

from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.groups.camera_config import CameraConfig, CameraPoseConfig
from robot_vision.core.parameters.groups.points_config import PointsConfig
from robot_vision.core.parameters.groups.segment_config import SegmentConfig
from robot_vision.core.parameters.groups.self_filter_config import SelfFilterConfig
from robot_vision.core.parameters.groups.tracker_config import TrackerConfig
from robot_vision.core.parameters.limits_config import InputLimits
from robot_vision.core.parameters.params import Params, Uptake, param

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

    uptake = Uptake.LIVE

    tolerance_s: float = param(
        0.02, "largest stamp difference of a colour and depth pair", unit="s", ge=0, le=1
    )
    wait_s: float = param(
        0.03, "how long a colour frame waits for its depth after it arrived", unit="s", ge=0, le=1
    )


class DetectorConfig(Params):
    """Selection of detections."""

    uptake = Uptake.LIVE

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
    classes: list[str] = param([], "names of the classes to keep; empty or ['']: all")


class DepthConfig(Params):
    """Metric depth from the sensor and the model."""

    uptake = Uptake.LIVE

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


class TransformConfig(Params):
    """How close in time a transform must be to a frame: a moving camera was elsewhere before."""

    uptake = Uptake.CONFIGURE

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

    uptake = Uptake.RELOAD

    model: str = param("native-s", "model bundle: a name in the store or a folder with model.yaml")
    depth_model: str = param("", "optional bundle that estimates depth; empty for none")
    feature_model: str = param(
        "", "optional bundle, of any task, that computes features; empty for none"
    )
    classifier_model: str = param(
        "",
        "optional bundle that says what a whole frame shows; empty for none",
        uptake=Uptake.RELOAD_BESIDE_TRACKS,
    )
    segmentation_model: str = param(
        "",
        "optional bundle that gives every pixel a class; empty for none",
        uptake=Uptake.RELOAD_BESIDE_TRACKS,
    )
    grounding_model: str = param(
        "",
        "optional bundle that finds what the words of `prompt` name; empty for none",
        uptake=Uptake.RELOAD_BESIDE_TRACKS,
    )
    prompt: str = param(
        "",
        "what is looked for by words: phrases separated by commas; the topic ~/prompt sets it",
        uptake=Uptake.LIVE,
        max_length=MOST_PROMPT,
    )
    grounding_threshold: float = param(
        0.0,
        "boxes of phrases below this score are dropped; 0 takes the bundle's",
        uptake=Uptake.LIVE,
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
        "compute every k-th frame, carry tracks in between",
        unit="frames",
        uptake=Uptake.CONFIGURE,
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

    @property
    def unheard_prompt(self) -> str:
        """Why the prompt has no effect; empty if it has one, or there is no prompt."""
        if not self.prompt or self.grounding_model:
            return ""
        return f"prompt {quoted(self.prompt)} has no effect: there is no grounding_model"


class InputConfig(Params):
    """How the node subscribes to the camera's topics."""

    uptake = Uptake.CONFIGURE

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

    uptake = Uptake.LIVE

    period_s: float = param(
        1.0,
        "time between two reports",
        unit="s",
        uptake=Uptake.CONFIGURE,
        ge=0.1,
        le=60,
    )
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
        True,
        "configure and activate at start; false: wait for transitions",
        uptake=Uptake.CONFIGURE,
    )
    target_frame: str = param(
        "",
        "frame of the 3-D outputs, by tf2 (static for the tracker); empty: the camera's",
        uptake=Uptake.CONFIGURE,
    )
    camera_pose: CameraPoseConfig = CameraPoseConfig()
    input: InputConfig = InputConfig()
    diagnostics: DiagnosticsConfig = DiagnosticsConfig()
    segment: SegmentConfig = SegmentConfig()
