"""Held-out pictures with text queries, for measuring and verifying a grounding model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest, PromptEncoder
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.models.grounding.region_words import (
    LANGUAGE_FILE,
    PICTURE_FILE,
    WORDS_ROLE,
    RegionWordsSpec,
)
from robot_vision.training.data.caches.open_samples import open_samples
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.samples.samples import SampleCache
from robot_vision.training.data.words.caption_words import token_rows
from robot_vision.training.data.words.captions import Look
from robot_vision.training.data.words.phrases import Asked, queries_of
from robot_vision.training.engine.task import HeldOut, Predictor
from robot_vision.training.metrics.grounding import (
    Verdict,
    best_threshold,
    grounding_figures,
    verdict_of,
)

PER_PICTURE = 3
_FITTED = 400  # pictures for choosing the threshold

# Of one picture u8 [1,h,w,3] and tokens i64 [p,l]: boxes f32 [r,4], scores f32 [r,p].
Ask = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class GroundingHeldOut(HeldOut):
    """A set's own queries. The threshold is chosen on `threshold_folder`, if given."""

    def __init__(
        self,
        folder: str,
        *,
        threshold_folder: str,
        vocabulary: Vocabulary,
        seen: frozenset[Look],
        spec: RegionWordsSpec,
        size: Size,
        cache_dir: str,
    ) -> None:
        self.size, self._spec = size, spec
        self._vocabulary, self._seen, self._cache_dir = vocabulary, seen, cache_dir
        self._folder, self._threshold_folder = folder, threshold_folder or folder
        self._asked = queries_of(folder, per_picture=PER_PICTURE)

    def figures(self, ask: Ask, *, pictures: int = 0) -> dict[str, float]:
        """Figures on pictures spread over the set (0: all), at the threshold best for them."""
        verdicts = self._verdicts(ask, self._folder, self._asked, pictures)
        threshold = best_threshold(verdicts)
        return {**grounding_figures(verdicts, threshold=threshold), "threshold": threshold}

    def _verdicts(
        self, ask: Ask, folder: str, asked: Sequence[Asked], pictures: int
    ) -> list[Verdict]:
        cache = self._open(folder)
        verdicts: list[Verdict] = []
        for number in spread(len(asked), pictures):
            sample, queries = cache[asked[number].row], asked[number].queries
            texts = [query.text for query in queries]
            boxes, scores = ask(sample.rgb[None], token_rows(texts, self._vocabulary))
            verdicts += [
                verdict_of(
                    query,
                    box_xyxy_px=boxes,
                    score=scores[:, column],
                    truth_xyxy_px=sample.box_xyxy_px,
                    is_new=query.look not in self._seen,
                )
                for column, query in enumerate(queries)
            ]
        return verdicts

    def _open(self, folder: str) -> SampleCache:
        assert self.size
        return open_samples(
            folder,
            width_px=self.size.width_px,
            height_px=self.size.height_px,
            cache_dir=self._cache_dir,
        )

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Phrases; or pictures, and random encodings with the statistics of the layer norm."""
        cache = self._open(self._folder)
        for number in spread(len(self._asked), count):
            asked = self._asked[number]
            tokens = token_rows([query.text for query in asked.queries], self._vocabulary)
            if graph == LANGUAGE_FILE:
                yield {"tokens": tokens[:1]}
            else:
                prompt, mask = self._blank()
                rows = tokens[: self._spec.phrases]
                prompt[:] = np.random.default_rng(number).standard_normal(prompt.shape)
                mask[0, : len(rows)] = rows > 0
                yield {"rgb": cache[asked.row].rgb[None], "prompt": prompt, "prompt_mask": mask}

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """Figures of the exported graphs, at the threshold of the other set."""
        ask = self._asking(predictors[LANGUAGE_FILE], predictors[PICTURE_FILE])
        fitted = queries_of(self._threshold_folder, per_picture=PER_PICTURE)
        threshold = best_threshold(self._verdicts(ask, self._threshold_folder, fitted, _FITTED))
        verdicts = self._verdicts(ask, self._folder, self._asked, 0)
        figures = {**grounding_figures(verdicts, threshold=threshold), "threshold": threshold}
        return {name: round(value, 4) for name, value in figures.items()}

    def _asking(self, language: Predictor, picture: Predictor) -> Ask:
        def ask(rgb: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            boxes, scores = np.zeros((0, 4), np.float32), list[np.ndarray]()
            for start in range(0, len(tokens), self._spec.phrases):
                rows = tokens[start : start + self._spec.phrases]
                prompt, mask = self._blank()
                for number, row in enumerate(rows):
                    prompt[0, number] = language({"tokens": row[None]})[WORDS_ROLE][0]
                mask[0, : len(rows)] = rows > 0
                found = picture({"rgb": rgb, "prompt": prompt, "prompt_mask": mask})
                boxes = found["boxes_xyxy"][0]
                scores.append(found["scores"][0][:, : len(rows)])
            return boxes, np.concatenate(scores, axis=1)

        return ask

    def _blank(self) -> tuple[np.ndarray, np.ndarray]:
        """A prompt without phrases, and its mask."""
        shape = (1, self._spec.phrases, self._vocabulary.max_words)
        return np.zeros((*shape, self._spec.dimensions), np.float32), np.zeros(shape, np.bool_)

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        del values["files"]
        outputs = {
            role: name for role, name in values.pop("outputs").items() if role != WORDS_ROLE
        }
        manifest = ModelManifest(
            task="grounding",
            input=values.pop("image"),
            file=PICTURE_FILE,
            outputs=outputs,
            score_threshold=float(values["metrics"]["threshold"]),
            prompt=PromptEncoder(
                file=LANGUAGE_FILE,
                vocabulary=self._vocabulary,
                phrases=self._spec.phrases,
                tokens=self._vocabulary.max_words,
                width=self._spec.dimensions,
            ),
            **values,
        )
        write_bundle(folder, manifest, folder / PICTURE_FILE)
        return folder / MANIFEST_FILE
