"""Evaluates a pixel policy along the episodes of a dataset, without a robot."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.files.figures import write_figures
from robot_vision.core.manifests.identity import identity_of
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.export.parity import onnx_predictor
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.models.policies.pixel_spec import InputShape
from robot_vision.policies.engines import open_served
from robot_vision.policies.language.sentences import bundled_encoder
from robot_vision.training.data.demonstrations.options import (
    DemonstrationOptions,
    PerceptionOptions,
)
from robot_vision.training.data.demonstrations.sentences import spoken_of
from robot_vision.training.data.demonstrations.sets import Episodes, all_episodes
from robot_vision.training.data.judging.decision_tiles import tiles_of
from robot_vision.training.data.judging.decisions import decisions_of
from robot_vision.training.data.judging.judged import Judged, judged_by
from robot_vision.training.data.judging.path_sheet import write_path_sheet
from robot_vision.training.data.judging.served import ServedPolicy
from robot_vision.training.data.judging.travels import (
    DemonstrationTravels,
    TravellingPerception,
    TravellingSentences,
    check_fits,
    check_perceived,
)
from robot_vision.training.metrics.action_error import (
    ErrorScale,
    action_figures,
    reached_errors,
    step_errors,
)
from robot_vision.training.metrics.decisions import Decisions, trivial_answers

METRICS, TABLE, SHEET = "metrics.json", "errors.csv", "paths.png"
_KINDS: Mapping[str, Literal["uint8", "bool", "float32"]] = {
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
    "tensor(float)": "float32",
}


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """How a policy is evaluated: about this many decisions, `period_s` apart; see `Judged`.

    Without a file `meaning`, a foreign set is read like the sets that the policy learnt from.
    """

    decisions: int = 400
    period_s: float = 0.1
    tiles: int = 12
    meaning: str = ""
    cache_dir: str = "data/cache/demonstrations"


@dataclass(frozen=True, kw_only=True)
class JudgedPolicy:
    """Metrics, and mean absolute errors by name of the answer: f64 [t,a] by step and dimension."""

    figures: Mapping[str, float]
    names: tuple[str, ...]
    errors: Mapping[str, np.ndarray]
    notes: tuple[str, ...]


def measure_demonstrations(
    policy: PolicyBundle, data: Path, *, out: Path, options: JudgeOptions
) -> JudgedPolicy:
    """Writes `metrics.json`, `errors.csv` and `paths.png` into `out`.

    Raises `BundleError` for a policy without picture inputs, `ConfigError` if the set does not
    fit it.
    """
    travels = _travels_of(policy)
    known = None if options.meaning else travels.meaning
    episodes = all_episodes(data, _options_of(travels, options), known)
    check_perceived(travels, episodes.source)
    check_fits(travels, episodes.source)
    encoder = bundled_encoder(policy) if travels.sentences is not None else None
    spoken = spoken_of(episodes.source.instructions, travels, encoder, cache_dir=options.cache_dir)
    judged = judged_by(episodes, travels, period_s=options.period_s, spoken=spoken)
    judged = judged.at_most(options.decisions)
    decisions = decisions_of(_served(policy), judged, together=1)
    found = _judged_policy(decisions, judged, policy.manifest, travels)
    out.mkdir(parents=True, exist_ok=True)
    _write_metrics(out / METRICS, policy.manifest, data, found, decisions)
    _write_table(out / TABLE, found)
    write_path_sheet(out / SHEET, tiles_of(decisions, judged, count=options.tiles))
    return found


def _travels_of(policy: PolicyBundle) -> DemonstrationTravels:
    manifest = policy.manifest
    if manifest.observation is None or manifest.kind != "pixels":
        raise BundleError(
            f"policy {manifest.name!r} is of kind {manifest.kind!r}; expected `pixels`, one that "
            "`robot-vision train` made from demonstrations"
        )
    spec = manifest.action_spec
    return DemonstrationTravels(
        vocabulary=manifest.vocabulary,
        sentences=_sentences(manifest),
        perception=_perception(manifest),
        statistics=spec.statistics,
        mean_action=manifest.metrics.get("mean_action", spec.statistics.mean),
        observation=manifest.observation,
        horizon=spec.horizon,
        step_s=spec.step_s,
        joint_names=spec.joint_names,
        meaning=manifest.metrics.get("meaning", {}),
    )


def _sentences(manifest: PolicyManifest) -> TravellingSentences | None:
    said = manifest.sentences
    if said is None:
        return None
    return TravellingSentences(
        name=said.name,
        sha256=identity_of({**manifest.models, **manifest.other_files}),
        width=said.width,
        max_tokens=said.max_tokens,
    )


def _perception(manifest: PolicyManifest) -> TravellingPerception | None:
    if manifest.observation is None or not manifest.observation.perception:
        return None
    return TravellingPerception(
        model_id=manifest.action_spec.perception_model_id,
        camera=manifest.metrics.get("perception_camera", ""),
        class_names=manifest.class_names,
        parameters=manifest.perception,
    )


def _options_of(travels: DemonstrationTravels, options: JudgeOptions) -> DemonstrationOptions:
    said, perception = travels.perception, PerceptionOptions()
    if said is not None:
        perception = PerceptionOptions(
            model=said.model_id.rpartition("@")[0], camera=said.camera, parameters=said.parameters
        )
    return DemonstrationOptions(
        perception=perception,
        observation=travels.observation,
        horizon=travels.horizon,
        meaning=options.meaning,
        cache_dir=options.cache_dir,
    )


def _served(policy: PolicyBundle) -> ServedPolicy:
    network = open_served(policy.network_path, threads=1)
    shapes = {
        each.name: InputShape(kind=_KINDS[each.type], shape=tuple(each.shape[1:]))
        for each in network.get_inputs()
    }
    outputs = [each.name for each in network.get_outputs()]
    language = None
    if policy.language_path is not None and policy.manifest.vocabulary is not None:
        language = onnx_predictor(policy.language_path, {"encoding": "encoding"})

    def predict(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = network.run(outputs, dict(inputs))
        return {name: np.asarray(value) for name, value in zip(outputs, found, strict=True)}

    return ServedPolicy(predict, language, shapes)


def _judged_policy(
    decisions: Decisions, judged: Judged, manifest: PolicyManifest, travels: DemonstrationTravels
) -> JudgedPolicy:
    scale = ErrorScale(statistics=travels.statistics, is_tool=travels.is_tool)
    answers = {"policy": decisions, **trivial_answers(decisions)}
    unknown = judged.spoken.unknown_words if judged.spoken is not None else ()
    too_long = judged.spoken.too_long if judged.spoken is not None else 0
    notes = (
        f"{len(decisions)} decisions in {len(judged.episodes.numbers)} episodes; each sees what "
        "the expert saw, so errors do not accumulate as they may on a robot",
        *([f"words unknown to the policy: {', '.join(unknown)}"] if unknown else []),
        *([f"{too_long} wordings are too long: the node holds with them"] if too_long else []),
        *_misplaced(judged.episodes, manifest),
    )
    return JudgedPolicy(
        figures=action_figures(decisions, scale),
        names=travels.action_names,
        errors={name: step_errors(each) for name, each in answers.items()},
        notes=notes,
    )


def _misplaced(episodes: Episodes, manifest: PolicyManifest) -> list[str]:
    """Describes cameras whose place in the set differs from the one that the policy learnt."""
    source, rows = episodes.source, episodes.rows
    tools = None if source.base_from_tool is None else source.base_from_tool[rows]
    found = [
        mount.elsewhere(name, source.places[name].base_from_camera[rows], tools)
        for name, mount in manifest.camera_mounts.items()
    ]
    return [f"{words}: its use of pictures is off by as much" for words in found if words]


def _write_metrics(
    file: Path, manifest: PolicyManifest, data: Path, found: JudgedPolicy, decisions: Decisions
) -> None:
    report = {
        "policy": manifest.policy_id,
        "identity": manifest.identity,
        "data": str(data),
        "figures": _rounded(found.figures),
        "notes": list(found.notes),
    }
    if not manifest.action_spec.joint_names:
        reached = reached_errors(decisions)
        report["reached_m"], report["reached_rad"] = (_numbers(part) for part in reached.T)
    write_figures(file, report)


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in figures.items()}


def _numbers(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def _write_table(file: Path, found: JudgedPolicy) -> None:
    """A row per answer and chunk step, a column per dimension; empty where none was taught."""
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["answer", "step", *found.names])
        for answer, errors in found.errors.items():
            for step, row in enumerate(errors, start=1):
                texts = [f"{v:.6g}" if np.isfinite(v) else "" for v in row]
                writer.writerow([answer, step, *texts])
