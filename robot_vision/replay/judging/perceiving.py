"""Perception for a policy that uses it: with the bundle and parameters of its training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.pipeline import Pipeline, build_pipeline
from robot_vision.policies.guards.check import foreign_perception


@dataclass(frozen=True, kw_only=True, eq=False)
class Perceiving:
    """Loaded models, and the policy's name of their camera.

    Each episode has its own pipeline: `pipeline.anew()`.
    """

    pipeline: Pipeline
    camera: str


def shown_to(manifest: PolicyManifest) -> ObservationSpec:
    """What a policy observes; old policies, from before pictures were supported, use perception
    only.

    Raises `ConfigError` for one that observes nothing: it has no moment at which to decide.
    """
    spec = manifest.action_spec
    shown = manifest.observation or ObservationSpec(
        steps=spec.history + 1, step_s=spec.step_s, perception=("features", "tracks")
    )
    if not shown.cameras and not shown.perception:
        raise ConfigError(f"{manifest.policy_id} uses neither pictures nor perception")
    return shown


def perceiving_for(
    manifest: PolicyManifest,
    *,
    model: str = "",
    camera: str = "",
    words: Mapping[str, Any] | None = None,
) -> Perceiving | None:
    """The perception that a policy needs; None if it uses none.

    `model` is a bundle, empty: by the name of the one that it learnt with. `camera` is empty where
    the policy knows. `words` are perception's parameters of a model that is asked by words.
    Raises `ConfigError` for another perception, or where no camera is named.
    """
    shown, spec = shown_to(manifest), manifest.action_spec
    if not shown.perception:
        return None
    camera = camera or str(manifest.metrics.get("perception_camera", ""))
    if not camera and shown.cameras:
        camera = shown.cameras[0].name
    if not camera:
        raise ConfigError(
            f"{manifest.policy_id} uses perception without naming its camera: name one of the "
            "dataset's with --camera"
        )
    model = model or spec.perception_model_id.rpartition("@")[0]
    config = ServiceConfig(model=model, device="cpu", threads=1, spin=False)
    pipeline = build_pipeline(with_values(config, {**manifest.perception, **(words or {})}))
    if foreign := foreign_perception(spec, pipeline.perceiver.model_id):
        raise ConfigError(f"{foreign}: name its bundle with --model")
    return Perceiving(pipeline=pipeline, camera=camera)
