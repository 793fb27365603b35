"""Classes of frames and pixels from topics, validated on arrival."""

from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError
from sensor_msgs.msg import Image

from robot_vision.console.class_schema import ClassificationView, PixelLabels
from robot_vision.console.problems import in_words
from robot_vision.console.state.admission import UnusableError
from robot_vision.core.errors import EncodingError
from robot_vision.core.results.frame_classes import NONE_LABEL
from robot_vision.core.types import SemanticMap
from robot_vision.ros.messages.convert import ns_from_stamp

ModelT = TypeVar("ModelT", bound=BaseModel)

_DTYPES = {"mono8": np.uint8, "mono16": np.dtype("<u2")}
_MOST_PIXELS = 4096 * 4096


def classification_from(text: str) -> ClassificationView:
    """`~/classification/json`; raises `UnusableError`."""
    return _read(ClassificationView, text)


def labels_from(text: str) -> PixelLabels:
    """`~/segmentation/json`; raises `UnusableError`."""
    return _read(PixelLabels, text)


def segmentation_from(message: Image, labels: PixelLabels | None) -> SemanticMap:
    """`~/segmentation` with the latest class names; raises `EncodingError`."""
    named = labels.labels if labels is not None else {}
    ids = _pixels(message).astype(np.int64) - 1
    count = max([*named, int(ids.max()) + 1])
    names = [named.get(label, str(label)) for label in range(NONE_LABEL + 1, count + 1)]
    return SemanticMap(
        stamp_ns=ns_from_stamp(message.header.stamp),
        class_id=ids,
        class_names=tuple(names),
        model_id=labels.model if labels is not None else "",
    )


def _pixels(message: Image) -> np.ndarray:
    dtype = _DTYPES.get(message.encoding)
    if dtype is None or message.is_bigendian:
        raise EncodingError(f"labels as {message.encoding!r}; expected mono8 or mono16")
    size = np.dtype(dtype).itemsize
    fits = len(message.data) == message.height * message.width * size
    if not (fits and 0 < message.height * message.width <= _MOST_PIXELS):
        raise EncodingError(
            f"{message.width}×{message.height} px of labels in {len(message.data)} bytes"
        )
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width)


def _read(model: type[ModelT], text: str) -> ModelT:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise UnusableError(in_words(error.errors())) from error
