"""A bundle of pictures and words, run by ONNX Runtime."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.foreign import quoted
from robot_vision.core.types import Frame
from robot_vision.model_store.store import Bundle
from robot_vision.perception.model import load_model
from robot_vision.policies.language import padded, split_words, tokenise
from robot_vision.policies.session import open_policy_session

_INPUT = "tokens"
_TEXTS_AT_ONCE = 256
_NOT_ZERO = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddedPicture:
    """A picture in the space, and its cells, which lie there too; all of unit norm."""

    embedding: Float32[np.ndarray, " d"]
    cells: Float32[np.ndarray, "d rows columns"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddedText:
    """A text in the space, and those of its words that the model does not know."""

    embedding: Float32[np.ndarray, " d"]
    unknown_words: tuple[str, ...] = ()


class PictureText:
    """Puts pictures and texts into one space, where a dot product says how alike they are.

    `config` says where pictures are run; by default on one core. Raises `BundleError` if the
    bundle has no encoder of texts, or the two do not fit.
    """

    def __init__(self, bundle: Bundle, config: ServiceConfig | None = None) -> None:
        config = config or ServiceConfig(device="cpu", threads=1)
        text, name = bundle.manifest.text, bundle.manifest.name
        if text is None:
            raise BundleError(
                f"bundle {name!r} has no encoder of texts; expected one of a model of pictures "
                "and words (task alignment)"
            )
        self.manifest = bundle.manifest
        self._vocabulary = text.vocabulary
        self._model = load_model(bundle, config)
        if "embedding" not in self._model.roles:
            raise BundleError(f"bundle {name!r} has no output with the role 'embedding'")
        self._session = open_policy_session(bundle.path / text.file, inputs=(_INPUT,), threads=1)
        blank = np.zeros((bundle.manifest.input.height_px, bundle.manifest.input.width_px, 3))
        picture = self.embed_picture(blank.astype(np.uint8)).embedding
        words = self._embedded(np.ones((1, self._vocabulary.max_words), np.int64))
        if words.shape != (1, len(picture)):
            raise BundleError(
                f"bundle {name!r}: texts lie in {list(words.shape[1:])} dimensions, pictures in "
                f"{len(picture)}; expected the same"
            )

    def embed_picture(self, rgb: UInt8[np.ndarray, "h w 3"]) -> EmbeddedPicture:
        """A picture of any size; its cells are those that show it, without the margins."""
        run = self._model.run(Frame(stamp_ns=0, frame_id="", rgb=rgb), stage_s={})
        cells = run.grid("features")
        if cells is None:
            raise BundleError(f"bundle {self.manifest.name!r} gives no features")
        embedding = np.asarray(run.outputs["embedding"][0], np.float32)
        return EmbeddedPicture(embedding=embedding, cells=cells)

    def embed_texts(self, texts: Sequence[str]) -> list[EmbeddedText]:
        """Texts, each as far as its words are known: unknown ones are left out, and named.

        Raises `ConfigError` for a text of which no word is known, or which has too many.
        """
        tokenised = [self._tokens(text) for text in texts]
        found: list[EmbeddedText] = []
        for start in range(0, len(tokenised), _TEXTS_AT_ONCE):
            part = tokenised[start : start + _TEXTS_AT_ONCE]
            rows = self._embedded(np.stack([tokens for tokens, _ in part]))
            found += [
                EmbeddedText(embedding=row, unknown_words=unknown)
                for row, (_, unknown) in zip(rows, part, strict=True)
            ]
        return found

    def _tokens(self, text: str) -> tuple[np.ndarray, tuple[str, ...]]:
        most = self._vocabulary.max_words
        if len(split_words(text)) > most:
            raise ConfigError(f"the text {quoted(text)} is too long; expected {most} words")
        found = tokenise(text, self._vocabulary)
        if not len(found.tokens):
            raise ConfigError(
                f"the text {quoted(text)} has no word that {self.manifest.name!r} knows; it "
                f"knows {', '.join(self._vocabulary.words[:12])} …"
            )
        return padded(found.tokens, most), found.unknown_words

    def _embedded(self, tokens: np.ndarray) -> Float32[np.ndarray, "n d"]:
        found = np.asarray(self._session.run(None, {_INPUT: tokens})[0], np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True).clip(_NOT_ZERO)
