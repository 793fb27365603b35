"""The service's models behind one call: takes a frame, returns the results of all models."""

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.parameters.config import MODEL_PARAMETERS, ServiceConfig
from robot_vision.core.timing import add_times, timed
from robot_vision.core.types import (
    Classification,
    Depth,
    Features,
    Frame,
    Grounded,
    Percept,
    SemanticMap,
)
from robot_vision.formats.registry import FORMATS
from robot_vision.grounding.prompt_encoder import PromptEncoder
from robot_vision.model_store.store import Bundle, find_bundle
from robot_vision.perception.depth.fusion import fuse_depth, uses_model
from robot_vision.perception.detect import Detector
from robot_vision.perception.ground import Grounder
from robot_vision.perception.model import Model, ModelRun, load_model
from robot_vision.perception.whole_picture import (
    classification_of,
    is_sound,
    segmentation_of,
)

_log = logging.getLogger(__name__)


# Tasks of bundles allowed for each parameter; features may come from a bundle of any task.
_TASKS: Mapping[str, tuple[str, ...]] = {
    "model": ("detection", "multitask"),
    "depth_model": ("depth",),
    "classifier_model": ("classification",),
    "segmentation_model": ("segmentation",),
    "grounding_model": ("grounding",),
}


class ModelPerceiver:
    """Runs a detector and further models, or uses the corresponding heads of a multi-task
    detector.

    `models` are keyed by parameter; unset ones are missing. A separate model takes precedence over
    the detector's heads. A model used twice runs once per frame. `grounder` detects a prompt's
    objects, if there is a model for it.
    """

    def __init__(
        self,
        config: ServiceConfig,
        *,
        models: Mapping[str, Model],
        grounder: Grounder | None = None,
    ) -> None:
        self._config = config
        self._models = models
        self._grounder = grounder
        detector = models["model"]
        self._detector = Detector(detector.manifest, config.detector)
        self.class_names = detector.manifest.classes
        self.model_id = detector.manifest.model_id
        backends = [model.backend for model in models.values()]
        self.provider = "+".join(dict.fromkeys(backend.provider for backend in backends))
        reasons = dict.fromkeys(backend.fallback_reason for backend in backends)
        self.fallback_reason = "; ".join(reason for reason in reasons if reason)

    def perceive(self, frame: Frame) -> Percept:
        """The models' results for `frame`, with the time of each stage."""
        runs = _Runs(self._models, frame)
        run = runs.of("model")
        with timed(runs.stage_s, "postprocess"):
            detections = self._detector.detections(run, stamp_ns=frame.stamp_ns)
        notes: list[str] = []
        grounded = self._ground(frame, runs)
        if grounded is not None:
            notes.extend(grounded.prompt.problems)
        return Percept(
            detections=detections,
            depth=self._depth(frame, runs),
            features=_features(frame, runs),
            classification=_classification(frame, runs, notes),
            segmentation=_segmentation(frame, runs, notes),
            grounded=grounded,
            stage_s=runs.stage_s,
            notes=tuple(notes),
        )

    def with_config(self, config: ServiceConfig) -> "ModelPerceiver":
        """The same loaded models with other detector and depth parameters, or another prompt.

        Raises `ConfigError` if `detector.classes` names a class that the model does not have.
        """
        grounder = self._grounder and self._grounder.with_config(config)
        return ModelPerceiver(config, models=self._models, grounder=grounder)

    def forget(self) -> None:
        """Reset the state that models carry between frames."""
        for model in dict.fromkeys(self._models.values()):
            model.forget()

    def close(self) -> None:
        """Release the models and their memory."""
        for model in dict.fromkeys(self._models.values()):
            model.backend.close()

    def _ground(self, frame: Frame, runs: "_Runs") -> Grounded | None:
        grounder = self._grounder
        if grounder is None:
            return None
        with timed(runs.stage_s, "grounding") if grounder.seeks else nullcontext():
            return grounder.ground(frame)

    def _depth(self, frame: Frame, runs: "_Runs") -> Depth | None:
        with timed(runs.stage_s, "depth"):
            wanted = uses_model(frame.depth_m, self._config.depth)
        run = runs.of("depth_model" if wanted else "model")
        with timed(runs.stage_s, "depth"):
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


class _Runs:
    """The runs of a frame's models: each model runs at most once, on first use.

    `stage_s` sums up the time of each stage.
    """

    def __init__(self, models: Mapping[str, Model], frame: Frame) -> None:
        self._models, self._frame = models, frame
        self.stage_s: dict[str, float] = {}
        self._done: dict[Model, ModelRun] = {}

    def of(self, parameter: str) -> ModelRun:
        """The run of the model for `parameter`, or of the detector if there is none."""
        model = self._models.get(parameter, self._models["model"])
        if model not in self._done:
            run = self._done[model] = model.run(self._frame)
            add_times(self.stage_s, run.stage_s)
        return self._done[model]


def build_perceiver(
    config: ServiceConfig, *, announce: Callable[[str], None] = _log.warning
) -> Perceiver:
    """Load, check and warm up the models in `config`, each bundle once.

    `announce` is called with a line before slow steps. Raises `BundleError`, `DeviceError` or
    `ConfigError`.
    """
    bundles = {
        parameter: find_bundle(name)
        for parameter in MODEL_PARAMETERS
        if (name := getattr(config, parameter))
    }
    for parameter, bundle in bundles.items():
        _check_task(parameter, bundle)
    loaded: dict[Path, Model] = {}
    models: dict[str, Model] = {}
    for parameter, bundle in bundles.items():
        if bundle.path not in loaded:
            loaded[bundle.path] = load_model(bundle, config, announce=announce)
        models[parameter] = loaded[bundle.path]
    _check_features(models)
    if config.depth_model and config.depth.mode == "fuse" and config.depth.fill == "guided":
        announce(
            f"depth_model {config.depth_model!r} is used only if the sensor measures nothing at "
            "all; set depth.fill: model to also fill holes with it"
        )
    grounder = None
    if config.grounding_model:
        encoder = PromptEncoder(bundles["grounding_model"])
        grounder = Grounder(models["grounding_model"], encoder, config)
    return ModelPerceiver(config, models=models, grounder=grounder)


def _check_task(parameter: str, bundle: Bundle) -> None:
    manifest = bundle.manifest
    tasks = _TASKS.get(parameter, (manifest.task,))
    if manifest.task not in tasks:
        raise BundleError(
            f"{parameter}: bundle {manifest.name!r} has task {manifest.task!r}; "
            f"expected {' or '.join(tasks)}"
        )


def _check_features(models: Mapping[str, Model]) -> None:
    model = models.get("feature_model")
    if model is not None and "features" not in model.roles:
        raise BundleError(
            f"feature_model: bundle {model.manifest.name!r} has no output with the role "
            f"'features'; it has {', '.join(model.roles)}"
        )


def _features(frame: Frame, runs: _Runs) -> Features | None:
    run = runs.of("feature_model")
    with timed(runs.stage_s, "postprocess"):
        return features_of(frame, run)


def _classification(frame: Frame, runs: _Runs, notes: list[str]) -> Classification | None:
    run = runs.of("classifier_model")
    with timed(runs.stage_s, "postprocess"):
        found = classification_of(run, stamp_ns=frame.stamp_ns)
    if found is not None and not is_sound(found.probability):
        notes.append(_unsound("classification", run))
        return None
    return found


def _segmentation(frame: Frame, runs: _Runs, notes: list[str]) -> SemanticMap | None:
    run = runs.of("segmentation_model")
    with timed(runs.stage_s, "postprocess"):
        found = segmentation_of(run, stamp_ns=frame.stamp_ns)
    if found is not None and not is_sound(found.probability):
        notes.append(_unsound("segmentation", run))
        return None
    return found


def _unsound(what: str, run: ModelRun) -> str:
    return f"no {what}: {run.manifest.model_id} returned invalid probabilities"


def features_of(frame: Frame, run: ModelRun) -> Features | None:
    """Feature map and embedding of a run (the map's mean if it has none); None without a map."""
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
