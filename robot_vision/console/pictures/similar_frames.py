"""Frames of an index that look like a picture, for the page that analyses."""

from pathlib import Path

from robot_vision.codecs.header import encoded_size_px
from robot_vision.console.analysis_schema import SimilarFrame
from robot_vision.console.pictures.encoding import Picture
from robot_vision.console.pictures.kept_images import KeptImages
from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.types import Features
from robot_vision.model_store.store import find_bundle
from robot_vision.similar.ask import neighbours
from robot_vision.similar.embedder import look_of
from robot_vision.similar.store import Index, SimilarError, open_index

_COUNT = 8


class SimilarFrames:
    """The index in a folder, opened when it is first asked; none where the folder is empty.

    `problem` says why it could not be asked the last time, in words.
    """

    def __init__(self, folder: str, service: ServiceConfig) -> None:
        self._folder, self._service = folder, service
        self._index: Index | None = None
        self.problem = "" if folder else "the console was started without an index (--index)"

    def of(self, features: Features | None, images: KeptImages) -> list[SimilarFrame] | None:
        """The most alike first; None where there is no index, or no features to ask it by."""
        if not self._folder or features is None:
            return None
        try:
            index = self._index = self._index or self._open()
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

    def _open(self) -> Index:
        """Raises `SimilarError` if it is of another model than the one that gives features."""
        index = open_index(Path(self._folder))
        serving = find_bundle(self._service.feature_model or self._service.model).manifest
        if serving.sha256 != index.model.sha256:
            raise SimilarError(
                f"the index {self._folder} is of {index.model.model_id}, and features are of "
                f"{serving.model_id}: vectors of two models cannot be compared"
            )
        return index


def _picture(data: bytes) -> Picture:
    width_px, height_px = encoded_size_px(data)
    return Picture(data=data, format="jpeg", width_px=width_px, height_px=height_px)
