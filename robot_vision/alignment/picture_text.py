"""A bundle of pictures and words, run by ONNX Runtime."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.alignment.text_readers import TextReader, text_reader
from robot_vision.core.errors import BundleError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.model_store.store import Bundle
from robot_vision.perception.model import load_model
from robot_vision.policies.session import open_policy_session

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
        self._reader: TextReader = text_reader(bundle, text)
        self._model = load_model(bundle, config)
        if "embedding" not in self._model.roles:
            raise BundleError(f"bundle {name!r} has no output with the role 'embedding'")
        self._session = open_policy_session(
            bundle.path / text.file, inputs=(self._reader.input_name,), threads=1
        )
        blank = np.zeros((bundle.manifest.input.height_px, bundle.manifest.input.width_px, 3))
        picture = self.embed_picture(blank.astype(np.uint8)).embedding
        words = self._embedded(self._reader.example())
        if words.shape != (1, len(picture)):
            raise BundleError(
                f"bundle {name!r}: texts lie in {list(words.shape[1:])} dimensions, pictures in "
                f"{len(picture)}; expected the same"
            )

    def embed_picture(self, rgb: UInt8[np.ndarray, "h w 3"]) -> EmbeddedPicture:
        """A picture of any size; its cells are those that show it, without the margins."""
        run = self._model.run(Frame(stamp_ns=0, frame_id="", rgb=rgb))
        cells = run.grid("features")
        if cells is None:
            raise BundleError(f"bundle {self.manifest.name!r} gives no features")
        embedding = np.asarray(run.outputs["embedding"][0], np.float32)
        return EmbeddedPicture(embedding=embedding, cells=cells)

    def embed_texts(self, texts: Sequence[str]) -> list[EmbeddedText]:
        """Texts, each as far as its words are known: unknown ones are named.

        Raises `ConfigError` for a text of which no word is known, or which has too many.
        """
        found: list[EmbeddedText] = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            read = [self._reader.read(text) for text in texts[start : start + _TEXTS_AT_ONCE]]
            rows = self._embedded(np.stack([each.row for each in read]))
            found += [
                EmbeddedText(embedding=row, unknown_words=each.unknown_words)
                for row, each in zip(rows, read, strict=True)
            ]
        return found

    def _embedded(self, rows: np.ndarray) -> Float32[np.ndarray, "n d"]:
        fed = {self._reader.input_name: rows}
        found = np.asarray(self._session.run(None, fed)[0], np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True).clip(_NOT_ZERO)
