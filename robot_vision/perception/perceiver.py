"""Models of the service behind one call: a frame in; detections, depth and features out."""

import logging
from collections.abc import Callable

import numpy as np

from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import BundleError
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.timing import timed
from robot_vision.core.types import Depth, Features, Frame, Percept
from robot_vision.formats.registry import FORMATS
from robot_vision.model_store.store import find_bundle
from robot_vision.perception.depth_fusion import fuse_depth, uses_model
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import Model, ModelRun, load_model

_log = logging.getLogger(__name__)


class ModelPerceiver:
    """Runs a detector, and depth and feature models or what a multi-task detector has of these.

    A depth or feature model of its own takes precedence over the detector's heads.
    """

    def __init__(
        self,
        config: ServiceConfig,
        *,
        detector: Model,
        depth_model: Model | None = None,
        feature_model: Model | None = None,
    ) -> None:
        self._config = config
        self._model = detector
        self._depth_model = depth_model
        self._feature_model = feature_model
        self._detector = Detector(detector.manifest, config.detector)
        self._models = [m for m in (detector, depth_model, feature_model) if m is not None]
        self.class_names = detector.manifest.classes
        self.model_id = detector.manifest.model_id
        self.provider = "+".join(dict.fromkeys(m.backend.provider for m in self._models))
        reasons = dict.fromkeys(m.backend.fallback_reason for m in self._models)
        self.fallback_reason = "; ".join(reason for reason in reasons if reason)

    def perceive(self, frame: Frame, *, stage_s: dict[str, float]) -> Percept:
        """Detections, depth and features of `frame`; adds the time of each stage to `stage_s`."""
        run = self._model.run(frame, stage_s=stage_s)
        with timed(stage_s, "postprocess"):
            detections = self._detector.detections(run, stamp_ns=frame.stamp_ns)
        return Percept(
            detections=detections,
            depth=self._depth(frame, run, stage_s),
            features=self._features(frame, run, stage_s),
        )

    def with_config(self, config: ServiceConfig) -> "ModelPerceiver":
        """The same loaded models under other detector and depth parameters.

        Raises `ConfigError` if `detector.classes` names a class that the model does not know.
        """
        return ModelPerceiver(
            config,
            detector=self._model,
            depth_model=self._depth_model,
            feature_model=self._feature_model,
        )

    def forget(self) -> None:
        """What models carry from frame to frame ends here."""
        for model in self._models:
            model.forget()

    def close(self) -> None:
        """Release the models and their memory."""
        for model in self._models:
            model.backend.close()

    def _depth(self, frame: Frame, run: ModelRun, stage_s: dict[str, float]) -> Depth | None:
        if self._depth_model is not None and uses_model(frame.depth_m, self._config.depth):
            run = self._depth_model.run(frame, stage_s=stage_s)
        with timed(stage_s, "depth"):
            format = FORMATS.get(run.manifest.format)
            grid = run.grid(format.depth_role)
            return fuse_depth(
                stamp_ns=frame.stamp_ns,
                rgb=frame.rgb,
                sensor_m=frame.depth_m,
                model_depth=None if grid is None else grid[0],
                kind=format.depth_kind,
                config=self._config.depth,
            )

    def _features(self, frame: Frame, run: ModelRun, stage_s: dict[str, float]) -> Features | None:
        if self._feature_model is not None:
            run = self._feature_model.run(frame, stage_s=stage_s)
        with timed(stage_s, "postprocess"):
            return _features(frame, run)


def build_perceiver(
    config: ServiceConfig, *, announce: Callable[[str], None] = _log.warning
) -> Perceiver:
    """Load, check and warm the models that `config` names.

    `announce` gets a line about what takes long. Raises `BundleError`, `DeviceError` or
    `ConfigError`.
    """
    detector = _load(config, config.model, tasks=("detection", "multitask"), announce=announce)
    depth_model = feature_model = None
    if config.depth_model:
        depth_model = _load(config, config.depth_model, tasks=("depth",), announce=announce)
        if config.depth.mode == "fuse" and config.depth.fill == "guided":
            announce(
                f"depth_model {config.depth_model!r} is used only where the sensor measures "
                "nothing at all; depth.fill: model has it fill holes too"
            )
    if config.feature_model:
        feature_model = _load(config, config.feature_model, tasks=("features",), announce=announce)
    return ModelPerceiver(
        config, detector=detector, depth_model=depth_model, feature_model=feature_model
    )


def _load(
    config: ServiceConfig,
    name: str,
    *,
    tasks: tuple[str, ...],
    announce: Callable[[str], None],
) -> Model:
    bundle = find_bundle(name)
    manifest = bundle.manifest
    if manifest.task not in tasks:
        raise BundleError(
            f"bundle {manifest.name!r} has task {manifest.task!r}; expected {' or '.join(tasks)}"
        )
    return load_model(bundle, config, announce=announce)


def _features(frame: Frame, run: ModelRun) -> Features | None:
    """Features of a run, if it has them; without an embedding output, the mean of the grid."""
    grid = run.grid("features")
    if grid is None:
        return None
    pooled = run.outputs["embedding"][0] if "embedding" in run.outputs else grid.mean(axis=(1, 2))
    embedding = pooled.astype(np.float32)
    return Features(
        stamp_ns=frame.stamp_ns,
        grid=grid,
        stride_px=frame.rgb.shape[1] / grid.shape[2],
        embedding=embedding / max(float(np.linalg.norm(embedding)), 1e-12),
        model_id=run.manifest.model_id,
    )
