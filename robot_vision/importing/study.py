"""Identifies an ONNX file: every hypothesis is tried on pictures."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import onnxruntime as ort

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest
from robot_vision.formats.registry import FORMATS
from robot_vision.importing.choice import (
    UndecidedError,
    best_of,
    decides,
    is_blind,
    is_clearly_better,
    rivals_of,
    settled,
)
from robot_vision.importing.hypotheses import recolored, resized, scalings_of
from robot_vision.importing.reading.file_facts import FileFacts, read_facts
from robot_vision.importing.reading.keypoint_names import words_on_names
from robot_vision.importing.reading.maps import is_called_features
from robot_vision.importing.reading.wanted import Wanted
from robot_vision.importing.starts import Starts
from robot_vision.importing.trying.looks import (
    declared_shapes,
    describe_shapes,
    look_of,
    number_maps,
)
from robot_vision.importing.trying.pictures import Picture, load_pictures
from robot_vision.importing.trying.trial import Bench, Trial, can_be_tried, finds_boxes
from robot_vision.importing.trying.whole_pictures import (
    TASKS,
    question_on_background,
    question_on_maps_without_names,
    question_on_sigmoids,
    reason_for,
    without_others,
)
from robot_vision.importing.words import (
    Finding,
    ask_for,
    contradiction,
    decided,
    unseen,
    untried,
)
from robot_vision.model_store.import_onnx import open_model

_KINDS_THAT_NAME = 2  # a single-class model always uses the first name


def study(wanted: Wanted) -> Finding:
    """The manifest that explains the pictures best, and why.

    Raises `UndecidedError` if several do so equally well, `BundleError` if none does, and
    `UnknownNameError` if there is no such format.
    """
    session = open_model(wanted.file)
    facts = read_facts(wanted.file, session.get_modelmeta().custom_metadata_map)
    looking = _Study(wanted, session, facts)
    found = looking.finding()
    said = (*looking.reasons, *words_on_names(found.manifest, wanted, facts))
    return replace(found, lines=found.lines + said)


class _Study:
    """One file under study."""

    def __init__(self, wanted: Wanted, session: ort.InferenceSession, facts: FileFacts) -> None:
        self._wanted = wanted
        self._session = session
        self._facts = facts
        self._bench = Bench(session, wanted.file)
        self._pictures = load_pictures()
        self._starts = Starts(wanted, session, facts, self._bench, self._pictures[0])
        self._trials: list[Trial] = []
        self.reasons: list[str] = []

    def finding(self) -> Finding:
        wanted = self._wanted
        starts, misfit = self._starts.fitting([wanted.format] if wanted.format else list(FORMATS))
        if not starts:
            raise self._refusal(misfit)
        starts = self._by_rules(starts)
        fitting = [m for m in starts if can_be_tried(m)]
        if not fitting or not wanted.is_tried:
            return self._untried(starts)
        scaled = [
            manifest.model_copy(update={"input": spec})
            for manifest in fitting
            for spec in scalings_of(manifest.input, [*wanted.image])
        ]
        # Mirrored pictures add little where readings differ this much.
        trials = self._try(scaled, self._pictures[::2])
        best = best_of(trials)
        if best.evidence.fault:
            raise self._refusal(f"read as {best.manifest.format}, it gives {best.evidence.fault}")
        if not decides(best):
            return self._unseen(fitting, trials)
        return self._decided(best, trials, fitting)

    def _by_rules(self, starts: Sequence[ModelManifest]) -> list[ModelManifest]:
        """Hypotheses that remain after checking shapes, number types and names.

        Raises `UndecidedError` if these leave a choice that no picture can make.
        """
        whole = next((m for m in starts if m.task in TASKS), None)
        if whole is not None:
            scores = [self._bench.outputs(whole, p)["output"] for p in self._pictures]
            is_named = bool(self._wanted.classes)
            starts = without_others(starts, scores[0], named_by_user=is_named)
            if not self._wanted.format:
                self.reasons.append(reason_for(whole, scores[0]))
            if "scores" not in self._wanted.reading:
                self._ask(question_on_sigmoids(self._wanted.file, starts, scores))
            if self._starts.has_background_named(whole.format):
                self.reasons.append(f"{self._starts.classes[0]!r} is none of its classes")
            if not all(can_be_tried(m) for m in starts):
                self._refuse_several(starts)
        elif not self._wanted.format and all(m.task == "features" for m in starts):
            self._refuse_nameless_maps(starts[0])
        return list(starts)

    def _refuse_nameless_maps(self, start: ModelManifest) -> None:
        if not is_called_features([*declared_shapes(self._session)]):
            maps = self._bench.outputs(start, self._pictures[0])["features"]
            names = len(self._starts.classes)
            self._ask(question_on_maps_without_names(self._wanted.file, maps, names=names))

    def _ask(self, question: str) -> None:
        if question:
            raise UndecidedError(question, self._trials)

    def _ask_for_background(self, readings: Sequence[ModelManifest]) -> None:
        """For whole-picture models, unless its place is given or there is none."""
        whole = [m for m in readings if m.task in TASKS]
        if any(m.reading.background != "none" for m in whole) and not (
            "background" in self._wanted.reading
            or self._starts.has_background_named(whole[0].format)
        ):
            self._ask(question_on_background(self._wanted.file, whole))

    def _try(self, manifests: Sequence[ModelManifest], pictures: Sequence[Picture]) -> list[Trial]:
        trials = self._bench.try_all(manifests, pictures)
        self._trials += trials
        return trials

    def _decided(
        self, best: Trial, trials: Sequence[Trial], fitting: Sequence[ModelManifest]
    ) -> Finding:
        rivals = rivals_of(best, trials)
        others = self._truly_other(best, [t for t in rivals if t.meaning != best.meaning])
        if others:
            raise UndecidedError(ask_for(best, others), self._trials)
        rivals = [t for t in rivals if t.meaning == best.meaning]
        usual = next((t for t in [best, *rivals] if t.manifest in fitting), None)
        if rivals and usual is None:
            raise UndecidedError(ask_for(best, rivals), self._trials)
        if usual is not None and usual is not best:
            rivals = [best, *(t for t in rivals if t is not usual)]
            best = usual
        color = settled(self._try(self._fed(best.manifest, recolored), self._pictures))
        is_asked = finds_boxes(best.manifest) and not self._facts.image
        if color.others and color.best is not color.chosen and is_asked:
            raise UndecidedError(ask_for(color.best, color.others), self._trials)
        other_sizes = self._fed(color.chosen.manifest, resized)[1:]
        size = settled([color.chosen, *self._try(other_sizes, self._pictures)])
        chosen = size.chosen
        if not decides(chosen):  # what half of the pictures showed was chance
            return self._unseen(fitting, trials)
        if not self._starts.classes and chosen.evidence.kinds < _KINDS_THAT_NAME:
            raise UndecidedError(self._no_names(), self._trials)
        return decided(
            chosen,
            trials=trials,
            rivals=rivals,
            color=color,
            size=size,
            is_guess=not self._wanted.format,
            facts=self._facts,
            names_assumed=not self._starts.classes,
            all_trials=self._trials,
        )

    def _fed(
        self, manifest: ModelManifest, otherwise: Callable[..., list[ModelInput]]
    ) -> list[ModelManifest]:
        specs = otherwise(manifest.input, [*self._wanted.image])
        return [manifest.model_copy(update={"input": spec}) for spec in specs]

    def _truly_other(self, best: Trial, others: Sequence[Trial]) -> list[Trial]:
        """Readings that still differ from `best` with the same input."""
        alike = [t.manifest.model_copy(update={"input": best.manifest.input}) for t in others]
        tried = self._bench.try_all(alike, self._pictures[::2])
        return [
            other
            for other, fed_alike in zip(others, tried, strict=True)
            if not fed_alike.evidence.equals(best.evidence)
        ]

    def _unseen(self, fitting: Sequence[ModelManifest], trials: Sequence[Trial]) -> Finding:
        """Nothing was found in the pictures: only the positions of boxes can decide."""
        usual = [t for t in trials if t.manifest in fitting]
        best = best_of(usual)
        if best.evidence.fault:
            raise self._refusal(
                f"read as {best.manifest.format} and fed as usual, it gives {best.evidence.fault}"
            )
        usual = [t for t in usual if not t.evidence.fault]
        if not self._starts.classes:
            raise UndecidedError(self._no_names(), self._trials)
        self._ask_for_background([t.manifest for t in usual])
        # Whole pictures may well differ from those that a model was made for.
        if all(is_blind(t) and t.manifest.task not in TASKS for t in trials):
            raise UndecidedError(contradiction(best, self._wanted.file), self._trials)
        others = [
            t
            for t in usual
            if t.meaning != best.meaning
            and not is_clearly_better(best, t)
            and (t in rivals_of(best, usual) or t.manifest.format != best.manifest.format)
        ]
        if others:
            raise UndecidedError(ask_for(best, others), self._trials)
        return unseen(
            best, is_guess=not self._wanted.format, facts=self._facts, all_trials=self._trials
        )

    def _no_names(self) -> str:
        return (
            f"{self._wanted.file}: too few of COCO's classes were found in the pictures to adopt "
            "their names; give the names of its classes (--classes names.txt)"
        )

    def _untried(self, starts: Sequence[ModelManifest]) -> Finding:
        """The commonest reading, if pictures are not used or cannot decide."""
        self._ask_for_background(starts)
        if not all(can_be_tried(m) for m in starts):
            self._refuse_several(starts)
        return untried(starts[0], is_guess=not self._wanted.format)

    def _refuse_several(self, starts: Sequence[ModelManifest]) -> None:
        names = sorted({manifest.format for manifest in starts})
        if len(names) > 1:
            raise BundleError(
                f"{self._wanted.file}: its outputs fit the formats {', '.join(names)}, which "
                f"pictures cannot distinguish: give one of them (--format {names[0]})"
            )

    def _refusal(self, misfit: str) -> BundleError:
        """The error for a model that no format reads, with what it resembles."""
        shapes = declared_shapes(self._session)
        look = look_of(
            shapes, self._facts, len(self._starts.classes), numbers=number_maps(self._session)
        )
        what = f"{self._wanted.file}: {look}. " if look else ""
        return BundleError(f"{what}{misfit} (its outputs: {describe_shapes(shapes)})")
