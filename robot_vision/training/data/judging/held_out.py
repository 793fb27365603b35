"""Held-out episodes for verifying and measuring an exported policy from pixels."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.model_store.policies import POLICY_FILE, write_policy
from robot_vision.models.policies.chunks import ChunkPolicy
from robot_vision.models.policies.pixel_spec import InputShape
from robot_vision.models.policies.pointer import LANGUAGE_FILE, NETWORK_FILE
from robot_vision.models.registry import MODELS
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.demonstrations.changes import ModalityDropout, draw_lost
from robot_vision.training.data.demonstrations.options import DemonstrationOptions
from robot_vision.training.data.demonstrations.scenes import Inputs, SceneChanges
from robot_vision.training.data.demonstrations.sentences import (
    LoadedSentences,
    check_travelled,
    loaded_sentences,
    spoken_of,
)
from robot_vision.training.data.demonstrations.sets import (
    Episodes,
    all_episodes,
    learnt_and_held_out,
)
from robot_vision.training.data.demonstrations.words import unsaid
from robot_vision.training.data.judging.decisions import decisions_of
from robot_vision.training.data.judging.judged import Judged, judged_by
from robot_vision.training.data.judging.served import ServedPolicy
from robot_vision.training.data.judging.travels import (
    DemonstrationTravels,
    check_fits,
    check_perceived,
)
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import HeldOut, Predictor
from robot_vision.training.metrics.action_error import ErrorScale, action_figures

MEASURED_DECISIONS = 400
_LOST = ModalityDropout(camera=0.2, depth=0.2, state=0.2, words=0.2, history=0.2)


class DemonstrationHeldOut(HeldOut):
    """Rows of episodes, evenly spread. `shapes` are the served network's inputs by name.

    Without `held_out`, the training episodes verify that the graphs are exact, and
    nothing is measured.
    """

    def __init__(
        self,
        travels: DemonstrationTravels,
        shapes: Mapping[str, InputShape],
        *,
        learnt: Judged,
        held_out: Judged | None,
        sentences: LoadedSentences | None = None,
    ) -> None:
        self._travels, self._shapes = travels, dict(shapes)
        self._learnt, self._held_out = learnt, held_out
        self._sentences = sentences

    @classmethod
    def of_recipe(
        cls, recipe: Recipe, travels: DemonstrationTravels, data: Path | None
    ) -> "DemonstrationHeldOut":
        """The recipe's held-out episodes, or those of a set that replaces them."""
        options: DemonstrationOptions = recipe.options
        sentences = loaded_sentences(options)
        check_travelled(travels, sentences)
        learnt, held_out = learnt_and_held_out(options)
        if data is not None:
            held_out = all_episodes(data, options)
        for episodes in filter(None, (learnt, held_out)):
            check_fits(travels, episodes.source)
        check_perceived(travels, learnt.source)

        def judged(episodes: Episodes) -> Judged:
            spoken = spoken_of(
                episodes.source.instructions,
                travels,
                sentences.encoder if sentences is not None else None,
                cache_dir=options.cache_dir,
            )
            return judged_by(episodes, travels, period_s=options.moments.period_s, spoken=spoken)

        return cls(
            travels,
            served_shapes(recipe, travels),
            learnt=judged(learnt),
            held_out=judged(held_out) if held_out else None,
            sentences=sentences,
        )

    def inputs(self, graph: str, count: int) -> Iterator[Inputs]:
        """Real words, or real scenes; some lack a camera, the state or words.

        Encodings of words and memory are noise of the size given by their norms.
        """
        return self._inputs(self._held_out or self._learnt, graph, count)

    def calibration(self, graph: str, count: int) -> Iterator[Inputs]:
        return self._inputs(self._learnt, graph, count)

    def _inputs(self, judged: Judged, graph: str, count: int) -> Iterator[Inputs]:
        rng, rows = np.random.default_rng(0), judged.episodes.rows
        for index in spread(len(rows), count):
            row = rows[[index]]
            words = judged.words(row)
            if graph == LANGUAGE_FILE:
                yield words
                continue
            lost = draw_lost(_LOST, judged.scenes.observation, 1, rng)
            found = judged.scenes.inputs(row, SceneChanges(lost=lost, looks={}))
            if words:
                found |= _as_served(unsaid(words, lost.words))
            yield self._filled(found, rng)

    def _filled(self, found: Inputs, rng: np.random.Generator) -> Inputs:
        """With noise for inputs not in the scene: encodings, memory, a head's noise."""
        for name, shape in self._shapes.items():
            if name not in found:
                found[name] = rng.standard_normal((1, *shape.shape), dtype=np.float32)
        return found

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """Figures of the export on whole episodes, beside the trivial baselines."""
        if self._held_out is None:
            return {}
        judged = self._held_out.at_most(MEASURED_DECISIONS)
        predict = ServedPolicy(
            predictors[NETWORK_FILE], predictors.get(LANGUAGE_FILE), self._shapes
        )
        decisions = decisions_of(predict, judged, together=1)
        scale = ErrorScale(statistics=judged.statistics, is_tool=judged.is_tool)
        figures = action_figures(decisions, scale)
        counts = {
            "episodes": float(len(judged.episodes.numbers)),
            "decisions": float(len(decisions)),
        }
        return {n: round(v, 5) for n, v in (figures | counts).items() if np.isfinite(v)}

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        file = values.pop("files")[-1]
        for unused in ("image", "format", "outputs", "precision"):
            values.pop(unused, None)
        travels, seen = self._travels, self._travels.perception
        learnt_from = {
            "learnt_from": list(travels.sets),
            "mean_action": list(travels.mean_action),
            "meaning": travels.meaning,
        }
        if seen is not None:
            learnt_from["perception_camera"] = seen.camera
        values["metrics"] = {**values["metrics"], **learnt_from}
        sentences = None if self._sentences is None else self._sentences.write(folder)
        has_words = travels.vocabulary is not None or sentences is not None
        manifest = PolicyManifest(
            kind="pixels",
            file=file,
            language_file=LANGUAGE_FILE if has_words else None,
            action_spec=travels.action_spec(f"{values['name']}@{values['version']}"),
            observation=travels.observation,
            camera_mounts=travels.camera_mounts,
            vocabulary=travels.vocabulary,
            sentences=sentences,
            class_names=seen.class_names if seen is not None else (),
            perception=seen.parameters if seen is not None else {},
            **values,
        )
        write_policy(folder, manifest)
        return folder / POLICY_FILE


def _as_served(words: Inputs) -> Inputs:
    """The network's word inputs; the encoding of tokens is not known here."""
    if "tokens" in words:
        return {"text_seen": words["tokens"] > 0}
    return words


def served_shapes(recipe: Recipe, travels: DemonstrationTravels) -> dict[str, InputShape]:
    """Inputs of the served network, including memory and noise."""
    card = MODELS.get(recipe.model)
    spec = {**card.spec.model_dump(), **recipe.spec, **travels.spec_values()}
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        policy = card.build(type(card.spec).model_validate(spec))
    assert isinstance(policy, ChunkPolicy)
    return policy.input_shapes
