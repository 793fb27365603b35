"""Frames of an index that look like a picture, for the page *Analyse*."""

from pathlib import Path

from robot_vision.codecs.header import encoded_size_px
from robot_vision.console.analysis_schema import SimilarFrame
from robot_vision.console.pictures.encoding import Picture
from robot_vision.console.pictures.kept_images import KeptImages
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Features
from robot_vision.model_store.store import find_bundle
from robot_vision.similar.ask import neighbours
from robot_vision.similar.embedder import look_of
from robot_vision.similar.store import Index, SimilarError, open_index, written_at

_COUNT = 8


class SimilarFrames:
    """The index in a folder, opened on first use and whenever it was added to; none if `folder`
    is empty.

    `problem` says why the last query failed.
    """

    def __init__(self, folder: str, service: ServiceConfig) -> None:
        self._folder, self._service = folder, service
        self._index: Index | None = None
        self._written: tuple[int, int] | None = None  # when the open index was last written
        self.problem = "" if folder else "the console was started without an index (--index)"

    def of(self, features: Features | None, images: KeptImages) -> list[SimilarFrame] | None:
        """Most similar first; None without an index or features to query it with."""
        if not self._folder or features is None:
            return None
        try:
            index = self._newest()
            found = neighbours(index, look_of(features), count=_COUNT)
            self.problem = ""
            return [
                SimilarFrame(
                    similarity=round(one.similarity, 6),
                    source=one.source,
                    name=one.name,
                    stamp_s=round(one.stamp_ns / 1e9, 9),
                    image=images.add(_picture(index.thumbnail(one.row))),
                )
                for one in found
            ]
        except (RobotVisionError, OSError) as error:
            self.problem = str(error)
            return None

    def _newest(self) -> Index:
        """The index with all its sources: others may have been added since it was opened."""
        written = written_at(Path(self._folder))
        if self._index is None or written != self._written:
            self._index, self._written = self._open(), written
        return self._index

    def _open(self) -> Index:
        """Raises `SimilarError` if the index was made with another model than the current
        features."""
        index = open_index(Path(self._folder))
        serving = find_bundle(self._service.feature_model or self._service.model).manifest
        if serving.sha256 != index.model.sha256:
            raise SimilarError(
                f"the index {self._folder} was made with {index.model.model_id}, but the "
                f"features come from {serving.model_id}: rebuild the index with this model"
            )
        return index


def _picture(data: bytes) -> Picture:
    width_px, height_px = encoded_size_px(data)
    return Picture(data=data, format="jpeg", width_px=width_px, height_px=height_px)
