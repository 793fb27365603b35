"""Held-out captioned pictures for measuring and verifying a picture-text model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.alignment.picture_text import PICTURE_FILE, TEXT_FILE, TEXT_ROLE
from robot_vision.models.card import Size
from robot_vision.policies.language.vocabulary import split_words
from robot_vision.training.data.caches.picture_cache import PictureCache, spread
from robot_vision.training.data.words.caption_texts import CaptionTexts, VocabularyTexts
from robot_vision.training.data.words.captions import Caption, CaptionSet
from robot_vision.training.engine.task import HeldOut, Predictor
from robot_vision.training.metrics.alignment import Draws, flat, retrieval, space_figures

# The kind of caption used for figures: in generated scenes the one that lists the objects;
# else the first of each picture.
HEADLINE_KIND = "list"
_BATCH = 32

EmbedPictures = Callable[[UInt8[np.ndarray, "n h w 3"]], Float[np.ndarray, "n d"]]
EmbedTexts = Callable[[Shaped[np.ndarray, "n ..."]], Float[np.ndarray, "n d"]]


class AlignmentHeldOut(HeldOut):
    """Whole pictures of a held-out set with a caption each; `seen` are the looks in training."""

    def __init__(
        self,
        captioned: CaptionSet,
        texts: CaptionTexts,
        *,
        seen: frozenset[tuple[str, str]],
        size: Size,
        cache_dir: str,
    ) -> None:
        self.size = size
        self._texts, self._seen = texts, seen
        whole = [picture for picture in captioned.pictures if not picture.is_thing]
        named = [(picture, shown_caption(picture.captions)) for picture in whole]
        pairs = [(picture, caption) for picture, caption in named if caption is not None]
        if not pairs:
            raise ConfigError(f"{captioned.folder} has no caption of a whole picture")
        captioned.check_differ()
        self._captions = [caption for _, caption in pairs]
        crops = [picture.crop for picture, _ in pairs]
        self._cache = PictureCache(crops, size, source=captioned.folder, cache_dir=cache_dir)
        self._stride_px = 16.0  # of the cells; `metrics` sees them

    def unknown_words(self) -> list[str]:
        """Words of the captions that are not in the vocabulary, if there is one."""
        if not isinstance(self._texts, VocabularyTexts):
            return []
        words = {word for each in self._captions for word in split_words(each.caption)}
        return sorted(words - set(self._texts.vocabulary.words))

    def figures(
        self, embed_pictures: EmbedPictures, embed_texts: EmbedTexts, *, pictures: int = 0
    ) -> dict[str, float]:
        """Retrieval and the geometry of embeddings, on `pictures` (0: all) spread over the set."""
        rows = spread(len(self._cache), pictures)
        captions = [self._captions[row] for row in rows]
        tokens = self._texts.rows([c.caption for c in captions])
        picture = np.concatenate([embed_pictures(self._cache.rgb(part)) for part in _parts(rows)])
        text = np.concatenate([embed_texts(tokens[part]) for part in _parts(range(len(rows)))])
        found = retrieval(
            picture @ text.T,
            [c.meaning for c in captions],
            np.array([bool(c.looks - self._seen) for c in captions]),
            Draws(),
        )
        values = {name: figure.value for name, figure in found.items()}
        return flat({**values, **space_figures(picture, text)})

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Pictures or captions spread over the set."""
        for row in spread(len(self._cache), count):
            if graph == TEXT_FILE:
                caption = self._captions[row].caption
                yield {self._texts.input_name: self._texts.rows([caption])}
            else:
                yield {"rgb": self._cache.rgb([row])}

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """Metrics of the exported graphs."""
        picture, text = predictors[PICTURE_FILE], predictors[TEXT_FILE]
        columns = picture({"rgb": self._cache.rgb([0])})["features"].shape[-1]
        self._stride_px = self._cache.size.width_px / columns
        return dict(
            self.figures(
                lambda rgb: picture({"rgb": rgb})["embedding"],
                lambda rows: text({self._texts.input_name: rows})[TEXT_ROLE],
            )
        )

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        del values["files"]
        outputs = {role: name for role, name in values.pop("outputs").items() if role != TEXT_ROLE}
        manifest = ModelManifest(
            task="features",
            input=values.pop("image"),
            file=PICTURE_FILE,
            outputs=outputs,
            feature_stride_px=self._stride_px,
            text=self._texts.write(folder),
            **values,
        )
        write_bundle(folder, manifest, folder / PICTURE_FILE)
        return folder / MANIFEST_FILE


def shown_caption(captions: Sequence[Caption]) -> Caption | None:
    """The caption of a picture used for figures; None if a generated scene has none."""
    kinds = {caption.kind for caption in captions}
    if kinds == {"caption"}:
        return captions[0]
    return next((caption for caption in captions if caption.kind == HEADLINE_KIND), None)


def _parts(rows: Sequence[int]) -> list[list[int]]:
    return [list(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
