"""The hypotheses that trials start from: readings that fit a file by its shapes and names."""

from collections.abc import Mapping, Sequence

import onnxruntime as ort

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.registry import FORMATS
from robot_vision.importing.hypotheses import readings_of
from robot_vision.importing.reading.class_names import coco_names
from robot_vision.importing.reading.file_facts import FileFacts
from robot_vision.importing.reading.keypoint_names import names_before, with_names
from robot_vision.importing.reading.maps import is_plausible_map
from robot_vision.importing.reading.wanted import Wanted
from robot_vision.importing.trying.pictures import Picture
from robot_vision.importing.trying.trial import Bench
from robot_vision.importing.trying.whole_pictures import has_background_named
from robot_vision.model_store.import_onnx import describe_session


class Starts:
    """Makes and checks the hypotheses of one file; `picture` is the one that it is run on."""

    def __init__(
        self,
        wanted: Wanted,
        session: ort.InferenceSession,
        facts: FileFacts,
        bench: Bench,
        picture: Picture,
    ) -> None:
        self._wanted = wanted
        self._session = session
        self._facts = facts
        self._bench = bench
        self._picture = picture

    @property
    def classes(self) -> tuple[str, ...]:
        """Names that were given, else those in the file; empty if there are none."""
        return self._wanted.classes or self._facts.classes

    def has_background_named(self, format: str) -> bool:
        """Whether a format of whole pictures would have the background's name first."""
        return has_background_named(FORMATS.get(format).task, self.classes)

    def fitting(self, formats: Sequence[str]) -> tuple[list[ModelManifest], str]:
        """Hypotheses that fit by shapes, fed as exporters do; and why the first did not."""
        fitting: list[ModelManifest] = []
        misfits: list[str] = []
        for name in formats:
            given = dict(self._wanted.reading)
            if self.has_background_named(name):
                given.setdefault("background", "first")
            for reading in readings_of(FORMATS.get(name), given):
                try:
                    manifest = self._describe(name, reading)
                    self._check_names(manifest)
                    outputs = self._bench.outputs(manifest, self._picture)
                    if is_plausible_map(manifest, outputs):
                        fitting.append(with_names(manifest, outputs))
                except BundleError as error:
                    misfits.append(str(error))
        # One reason for all formats lies in the input: its size, its type.
        if misfits and (self._wanted.format or len(set(misfits)) == 1):
            return fitting, misfits[0]
        if self.classes:
            return fitting, "no format fits its outputs"
        return fitting, (
            "no format fits its outputs with COCO's 80 classes; if it has others, give their "
            "names (--classes names.txt)"
        )

    def _check_names(self, manifest: ModelManifest) -> None:
        """Class columns can be anything as long as their number is not given."""
        has_classes = "background" in FORMATS.get(manifest.format).readings
        if has_classes and not manifest.classes:
            raise BundleError(
                f"{self._wanted.file}: format {manifest.format!r} needs the names of its classes "
                "(--classes names.txt)"
            )

    def _describe(self, format: str, reading: Mapping[str, str]) -> ModelManifest:
        wanted, facts = self._wanted, self._facts
        is_detector = FORMATS.get(format).detection is not None
        classes = self.classes or (coco_names() if is_detector else ())
        return describe_session(
            self._session,
            wanted.file,
            name=wanted.name,
            format=format,
            classes=classes[1:] if self.has_background_named(format) else classes,
            size_px=wanted.size_px or self._size_where_open(),
            outputs=wanted.outputs,
            image={**facts.image, **wanted.image},
            reading=reading,
            keypoints=names_before(format, wanted, facts),
            licence=wanted.licence,
        )

    def _size_where_open(self) -> tuple[int, int] | None:
        is_fixed = any(
            len(tensor.shape) == 4 and sum(isinstance(n, int) for n in tensor.shape[1:]) == 3
            for tensor in self._session.get_inputs()
        )
        return None if is_fixed else self._facts.size_px
