"""Runs a model on the pictures, once for each way to feed it, and reads the outputs in many."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from robot_vision.core.cameras.placement import Placement, place
from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest, OutputReading
from robot_vision.formats.check import check_outputs
from robot_vision.formats.classification import decode_classification
from robot_vision.formats.format import Candidates
from robot_vision.formats.registry import FORMATS
from robot_vision.formats.semantic import decode_semantic, strange_label
from robot_vision.importing.trying.evidence import Evidence, Seen, judge
from robot_vision.importing.trying.pictures import Picture
from robot_vision.importing.trying.whole_evidence import (
    SeenClasses,
    SeenMap,
    judge_classes,
    judge_maps,
)
from robot_vision.perception.model import first_of_batch, tensor_of_role
from robot_vision.perception.preprocess import Preprocessor
from robot_vision.perception.whole_picture import is_sound

_LEAST_SCORE = 0.01
_FEW = 20  # candidates; if there are fewer, those of any score are considered


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """A way to feed and read the model, and its result."""

    manifest: ModelManifest
    evidence: Evidence

    @property
    def meaning(self) -> tuple[str, OutputReading]:
        """How outputs are read, whatever the input."""
        return self.manifest.format, self.manifest.reading


class Bench:
    """A model that runs again only for a different input."""

    def __init__(self, session: ort.InferenceSession, model_file: Path) -> None:
        self._session = session
        self._file = model_file
        self._names = tuple(str(output.name) for output in session.get_outputs())
        self._last: tuple[ModelInput, Picture] | None = None
        self._tensors: dict[str, np.ndarray] = {}

    def outputs(self, manifest: ModelManifest, picture: Picture) -> dict[str, np.ndarray]:
        """The model's outputs for `picture` by role.

        Raises `BundleError` if it fails, has no output for a role, or one of another shape.
        """
        tensors = self._run(manifest.input, picture)
        outputs = _by_role(manifest, tensors)
        try:
            check_outputs(manifest, outputs)
        except (IndexError, KeyError, ValueError) as error:
            # A decoder tried on input it was not made for may fail in its own way.
            raise BundleError(str(error)) from error
        return outputs

    def try_all(
        self, manifests: Sequence[ModelManifest], pictures: Sequence[Picture]
    ) -> list[Trial]:
        """A trial for each of these that `can_be_tried`, in their order."""
        seen: list[list[Any]] = [[] for _ in manifests]
        for spec in dict.fromkeys(manifest.input for manifest in manifests):
            for picture in pictures:
                tensors = self._run(spec, picture)
                height_px, width_px = picture.rgb.shape[:2]
                placement = place(spec, width_px=width_px, height_px=height_px)
                for row, manifest in enumerate(manifests):
                    if manifest.input == spec:
                        read = _READERS.get(manifest.task, _read_boxes)
                        seen[row].append(read(manifest, tensors, picture, placement))
        return [
            Trial(
                manifest=manifest,
                evidence=_JUDGES.get(manifest.task, judge)(seen[row], manifest.classes),
            )
            for row, manifest in enumerate(manifests)
        ]

    def _run(self, spec: ModelInput, picture: Picture) -> dict[str, np.ndarray]:
        if self._last != (spec, picture):
            inputs, _ = Preprocessor(spec)(picture.rgb)
            try:
                values = self._session.run(None, inputs)
            except Exception as error:  # ONNX Runtime's exceptions share no base but this
                raise BundleError(f"{self._file} fails on a picture: {error}") from error
            firsts = [first_of_batch(np.asarray(value), spec.batch) for value in values]
            self._tensors = dict(zip(self._names, firsts, strict=True))
            self._last = (spec, picture)
        return self._tensors


def finds_boxes(manifest: ModelManifest) -> bool:
    """Whether it is a detector's."""
    return FORMATS.get(manifest.format).detection is not None


def can_be_tried(manifest: ModelManifest) -> bool:
    """Whether the pictures can judge a model of this format."""
    return finds_boxes(manifest) or manifest.task in _READERS


def _read_boxes(
    manifest: ModelManifest,
    tensors: dict[str, np.ndarray],
    picture: Picture,
    placement: Placement,
) -> Seen:
    return Seen(picture, _decode(manifest, tensors), placement)


@np.errstate(all="ignore")
def _read_classes(
    manifest: ModelManifest,
    tensors: dict[str, np.ndarray],
    picture: Picture,
    placement: Placement,
) -> SeenClasses:
    del placement  # of the whole picture, wherever it lies in the input
    found = decode_classification(_by_role(manifest, tensors), manifest, stamp_ns=0)
    return SeenClasses(picture, found, _fault_of(found.probability))


@np.errstate(all="ignore")
def _read_map(
    manifest: ModelManifest,
    tensors: dict[str, np.ndarray],
    picture: Picture,
    placement: Placement,
) -> SeenMap:
    outputs = _by_role(manifest, tensors)
    found = decode_semantic(outputs, manifest, stamp_ns=0, placement=placement)
    strange = strange_label(outputs, manifest)
    if strange is not None:
        fault = f"the label {strange}, which none of its {len(manifest.classes)} classes has"
    else:
        fault = "" if found.probability is None else _fault_of(found.probability)
    return SeenMap(picture, found, fault)


_READERS = {"classification": _read_classes, "segmentation": _read_map}
_JUDGES: dict[str, Any] = {"classification": judge_classes, "segmentation": judge_maps}


def _fault_of(probability: np.ndarray) -> str:
    """Refuses numbers that are not probabilities, as `perception` drops such frames."""
    return "" if is_sound(probability) else "numbers that are not probabilities"


@np.errstate(all="ignore")  # nonsensical numbers are exactly what this looks for
def _decode(manifest: ModelManifest, tensors: dict[str, np.ndarray]) -> Candidates:
    detection = FORMATS.get(manifest.format).detection
    if detection is None:
        raise BundleError(f"format {manifest.format!r} finds no objects")
    outputs = _by_role(manifest, tensors)
    found = detection.decode(outputs, manifest, min_score=_LEAST_SCORE)
    if len(found.score) >= _FEW:
        return found
    return detection.decode(outputs, manifest, min_score=0.0)


def _by_role(manifest: ModelManifest, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {role: tensors[name] for role, name in tensor_of_role(manifest, tensors).items()}
