"""Held-out episodes for verifying and measuring an exported policy."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.model_store.policies import POLICY_FILE, write_policy
from robot_vision.models.policies.pointer import LANGUAGE_FILE, NETWORK_FILE
from robot_vision.models.registry import MODELS
from robot_vision.policies.language.vocabulary import padded
from robot_vision.rollouts.episode_files import SetDescription, load_set
from robot_vision.training.data.policy_batches import PolicyBatch, make_batch
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import HeldOut, Predictor
from robot_vision.training.losses.policy import mean_figures, policy_figures

_MEASURED_SAMPLES = 400
_NO_VIEW = 0.2


class PolicyHeldOut(HeldOut):
    """Samples of episodes, evenly spread; raises `ConfigError` if the weights have no words.

    `is_held_out` is false if the episodes are the training ones: they verify that a
    graph is exact, but measure nothing.
    """

    def __init__(
        self,
        recipe: Recipe,
        travels: Mapping[str, Any],
        *,
        folders: list[str],
        is_held_out: bool,
    ) -> None:
        try:
            self._vocabulary = Vocabulary.model_validate(travels["vocabulary"])
            self._statistics = ActionStatistics.model_validate(travels["statistics"])
            self._shown = SetDescription.model_validate(travels["shown"])
        except (KeyError, ValidationError) as error:
            raise ConfigError(
                "the weights are not of a policy's run: vocabulary, statistics and observation "
                f"must be stored with them ({quoted(repr(error))}); train with this version"
            ) from error
        self._source = load_set(folders, self._vocabulary)
        self._is_held_out = is_held_out
        card = MODELS.get(recipe.model)
        self._width = int(recipe.spec.get("width", getattr(card.spec, "width", 0)))

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Real instructions, or real scenes: some without view, each with some memory.

        Encodings of words are noise of the size given by the encoder's last norm.
        """
        rng = np.random.default_rng(0)
        for row in self._rows(count):
            batch = self._batch(np.array([row]), rng)
            tokens = self._tokens(batch)
            if graph == LANGUAGE_FILE:
                yield {"tokens": tokens}
                continue
            text = rng.standard_normal((1, tokens.shape[1], self._width), dtype=np.float32)
            yield self._scene(batch, rng) | {"text": text, "text_present": tokens > 0}

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """Figures as in training, for the export and without feeding in the truth."""
        if not self._is_held_out:
            return {}
        rng, sums = np.random.default_rng(0), dict[str, float]()
        for row in self._rows(_MEASURED_SAMPLES):
            batch = self._batch(np.array([row]), rng)
            tokens = self._tokens(batch)
            text = predictors[LANGUAGE_FILE]({"tokens": tokens})["encoding"]
            scene = self._scene(batch) | {"text": text, "text_present": tokens > 0}
            out = {n: torch.from_numpy(v) for n, v in predictors[NETWORK_FILE](scene).items()}
            for name, value in policy_figures(out, batch).items():
                sums[name] = sums.get(name, 0.0) + float(value)
        return {name: round(value, 4) for name, value in mean_figures(sums).items()}

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values, shown = dict(manifest_values), self._shown
        for unused in ("image", "format", "outputs", "files", "precision"):
            values.pop(unused, None)
        values["metrics"] = {**values["metrics"], "data": shown.recipe}
        manifest = PolicyManifest(
            file=NETWORK_FILE,
            language_file=LANGUAGE_FILE,
            action_spec=ActionSpec(
                model_id=f"{values['name']}@{values['version']}",
                perception_model_id=shown.perception_model_id,
                step_s=shown.step_s,
                horizon=self._source.action.shape[1],
                history=shown.history,
                statistics=self._statistics,
            ),
            vocabulary=self._vocabulary,
            class_names=shown.class_names,
            perception=shown.perception,
            **values,
        )
        write_policy(folder, manifest)
        return folder / POLICY_FILE

    def _rows(self, count: int) -> np.ndarray:
        count = min(count, len(self._source))
        return np.linspace(0, len(self._source) - 1, count).astype(int)

    def _batch(self, rows: np.ndarray, rng: np.random.Generator) -> PolicyBatch:
        return make_batch(self._source, rows, statistics=self._statistics, rng=rng)

    def _tokens(self, batch: PolicyBatch) -> np.ndarray:
        """Words at the length of the graphs' input, i64 [1,L]."""
        return padded(batch.tokens[0].numpy(), self._vocabulary.max_words)[None]

    def _scene(
        self, batch: PolicyBatch, rng: np.random.Generator | None = None
    ) -> dict[str, np.ndarray]:
        """Network inputs except the words; `rng` adds a memory and removes views."""
        scene = {
            "objects": batch.objects.numpy(),
            "objects_present": batch.present.numpy(),
            "visual": batch.visual.numpy(),
            "visual_present": batch.has_visual.numpy(),
            "robot": batch.robot.numpy(),
            "bias": np.zeros(batch.pointers.shape, np.float32),
        }
        if rng is not None:
            scene["bias"] = rng.standard_normal(batch.pointers.shape, dtype=np.float32)
            scene["visual_present"] = scene["visual_present"] & (rng.random((1, 1)) >= _NO_VIEW)
        return scene
