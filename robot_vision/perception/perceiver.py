"""Models of the service behind one call: a frame in; detections, depth and features out."""

import logging
from collections.abc import Callable, Mapping

import numpy as np

from robot_vision.backends import load_backend
from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import BundleError
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.timing import timed
from robot_vision.core.types import Depth, Features, Frame, Percept
from robot_vision.model_store.store import find_bundle
from robot_vision.perception.depth_fusion import DepthKind, fuse_depth
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import Model
from robot_vision.perception.preprocess import Placement

_log = logging.getLogger(__name__)

_DEPTH_ROLE = {"native": "depth_m", "depth_metric": "depth", "depth_relative": "depth"}


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
        self._check_outputs()

    def perceive(self, frame: Frame, *, stage_s: dict[str, float]) -> Percept:
        """Detections, depth and features of `frame`; adds the time of each stage to `stage_s`."""
        outputs, placement = self._model.run(frame, stage_s=stage_s)
        with timed(stage_s, "postprocess"):
            detections = self._detector.detections(outputs, placement, stamp_ns=frame.stamp_ns)
        return Percept(
            detections=detections,
            depth=self._depth(frame, outputs, placement, stage_s),
            features=self._features(frame, outputs, placement, stage_s),
        )

    def close(self) -> None:
        """Release the models and their memory."""
        for model in self._models:
            model.backend.close()

    def _depth(
        self,
        frame: Frame,
        outputs: Mapping[str, np.ndarray],
        placement: Placement,
        stage_s: dict[str, float],
    ) -> Depth | None:
        model = self._model
        if self._depth_model is not None and self._config.depth.mode != "sensor":
            model = self._depth_model
            outputs, placement = model.run(frame, stage_s=stage_s)
        with timed(stage_s, "depth"):
            raw = outputs.get(_DEPTH_ROLE.get(model.manifest.format, ""))
            view = None
            if raw is not None:
                view = placement.crop(raw[0, 0], input_width_px=model.manifest.input.width_px)
                view = np.ascontiguousarray(view, np.float32)
            return fuse_depth(
                stamp_ns=frame.stamp_ns,
                sensor_m=frame.depth_m,
                model_depth=view,
                kind=_depth_kind(model),
                config=self._config.depth,
            )

    def _features(
        self,
        frame: Frame,
        outputs: Mapping[str, np.ndarray],
        placement: Placement,
        stage_s: dict[str, float],
    ) -> Features | None:
        model = self._model
        if self._feature_model is not None:
            model = self._feature_model
            outputs, placement = model.run(frame, stage_s=stage_s)
        if "features" not in outputs:
            return None
        with timed(stage_s, "postprocess"):
            return _features(frame, outputs, placement, model)

    def _check_outputs(self) -> None:
        """Post-process the blank frames of the warm-up: what does not fit shows at load."""
        self._detector.check(self._model.blank_outputs)
        for model in self._models:
            for role, dims in (("depth", 4), ("depth_m", 4), ("features", 4), ("embedding", 2)):
                output = model.blank_outputs.get(role)
                if output is not None and (output.ndim != dims or output.shape[0] != 1):
                    raise BundleError(
                        f"bundle {model.manifest.name!r}: output {role!r} is "
                        f"{list(output.shape)}; expected {dims} dimensions, the first 1"
                    )


def build_perceiver(
    config: ServiceConfig, *, announce: Callable[[str], None] = _log.warning
) -> Perceiver:
    """Load, check and warm the models that `config` names.

    `announce` is told what takes long. Raises `BundleError`, `DeviceError` or `ConfigError`.
    """
    detector = _load(config, config.model, tasks=("detection", "multitask"), announce=announce)
    depth_model = feature_model = None
    if config.depth_model:
        depth_model = _load(config, config.depth_model, tasks=("depth",), announce=announce)
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
    roles = ("features",)
    if "depth" in tasks:
        roles = ("depth",)
    elif "detection" in tasks:
        roles = Detector(manifest, config.detector).decoder.roles
    backend = load_backend(
        bundle,
        device=config.device,
        threads=config.threads,
        engine_cache_dir=config.engine_cache_dir,
        announce=announce,
    )
    return Model(bundle, backend, roles=roles)


def _depth_kind(model: Model) -> DepthKind:
    return "relative" if model.manifest.format == "depth_relative" else "metric"


def _features(
    frame: Frame, outputs: Mapping[str, np.ndarray], placement: Placement, model: Model
) -> Features:
    grid = placement.crop(outputs["features"][0], input_width_px=model.manifest.input.width_px)
    grid = np.ascontiguousarray(grid, np.float32)
    raw = outputs["embedding"][0] if "embedding" in outputs else grid.mean(axis=(1, 2))
    embedding = raw.astype(np.float32)
    return Features(
        stamp_ns=frame.stamp_ns,
        grid=grid,
        stride_px=frame.rgb.shape[1] / grid.shape[2],
        embedding=embedding / max(float(np.linalg.norm(embedding)), 1e-12),
        model_id=model.manifest.model_id,
    )
