"""Metrics of a grounding bundle (boxes for text) on a held-out set, as the service runs it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from robot_vision.core.files.figures import write_figures
from robot_vision.core.parameters.config import DetectorConfig, ServiceConfig
from robot_vision.core.types import Detections, Frame
from robot_vision.export.grounding_pictures import Tile, draw_tiles
from robot_vision.export.measuring.picture_bundle import Measured, PictureModel, weights_travel
from robot_vision.grounding.prompt_encoder import PromptEncoder
from robot_vision.model_store.store import Bundle, find_bundle
from robot_vision.perception.detect import Detector
from robot_vision.perception.ground import Grounder
from robot_vision.perception.model import load_model
from robot_vision.training.data.caches.open_samples import open_samples
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.held_out.grounding import PER_PICTURE
from robot_vision.training.data.samples.samples import Sample
from robot_vision.training.data.words.captions import Look
from robot_vision.training.data.words.phrases import ANY, Asked, Query, queries_of
from robot_vision.training.metrics.color_words import COLOR_NAMES, color_shares
from robot_vision.training.metrics.grounding import Verdict, grounding_figures, verdict_of
from robot_vision.training.tasks.alignment import seen_looks

METRICS, GALLERY = "metrics.json", "gallery.jpg"
_LEAST = 0.001  # candidates for the first box, whatever the bundle's threshold
_BY_NAME = "native-s"
_MIDDLE = 0.5  # of a box, each way, from which its colour is read


@dataclass(kw_only=True, eq=False)
class _Answers:
    """Verdicts of the bundle, and of baselines without a language model."""

    words: list[Verdict] = field(default_factory=list)
    by_name: list[Verdict] = field(default_factory=list)
    at_random: list[Verdict] = field(default_factory=list)


def measure_grounding(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int
) -> Measured:
    """Whether the first box is right, and nothing is reported for absent objects, on `images`
    (0: all) spread over a set, at the bundle's threshold.

    Reported beside it are trivial baselines: the shipped detector by the object's name and the
    commonest colour in its box (`by_name/…`), and a random one of the bundle's boxes
    (`at_random/…`). Writes `metrics.json` and `gallery.jpg`. Raises `ConfigError` for a set
    without captions of single objects.
    """
    threshold = bundle.manifest.score_threshold or 0.25
    seen = seen_looks(weights_travel(bundle))
    size = bundle.manifest.input
    cache = open_samples(held_out, width_px=size.width_px, height_px=size.height_px)
    asked = queries_of(str(held_out), per_picture=PER_PICTURE)
    answers = _Answers()
    words, by_name = _Words(bundle), _ByName()
    rows = spread(len(asked), images)
    tiles = [
        _ask(asked[row], cache[asked[row].row], words, by_name, seen, answers) for row in rows
    ]
    figures = {
        **grounding_figures(answers.words, threshold=threshold),
        "threshold": threshold,
        **_beside("by_name", grounding_figures(answers.by_name, threshold=_LEAST)),
        **_beside("at_random", grounding_figures(answers.at_random, threshold=_LEAST)),
    }
    rounded = {name: round(value, 4) for name, value in figures.items()}
    write_figures(out / METRICS, rounded)
    shown = [tiles[row] for row in spread(len(tiles), worst)]
    draw_tiles(out / GALLERY, shown, threshold=threshold)
    new = sum(verdict.is_new for verdict in answers.words)
    notes = [f"{len(rows)} pictures; {new} phrases name looks that training never showed"]
    if words.unknown:
        notes.append(f"words unknown to the bundle: {', '.join(sorted(words.unknown))}")
    return Measured(
        metrics=rounded,
        notes=tuple(notes),
        files=(METRICS, GALLERY),
    )


def _ask(
    asked: Asked,
    sample: Sample,
    words: "_Words",
    by_name: "_ByName",
    seen: frozenset[Look],
    answers: _Answers,
) -> Tile:
    """Add the verdicts of all on a picture's queries; returns the bundle's answers."""
    known = by_name.found(sample)
    of_picture: list[tuple[Query, Detections]] = []
    for query, found, proposals in words.answers(sample, asked):
        truth = {"truth_xyxy_px": sample.box_xyxy_px, "is_new": query.look not in seen}
        answers.words.append(
            verdict_of(query, box_xyxy_px=found.box_xyxy_px, score=found.score, **truth)
        )
        named, score = by_name.answer(known, query)
        answers.by_name.append(verdict_of(query, box_xyxy_px=named, score=score, **truth))
        drawn = np.random.default_rng([sample.image_id, len(of_picture)]).integers(len(proposals))
        answers.at_random.append(
            verdict_of(
                query,
                box_xyxy_px=proposals[drawn : drawn + 1],
                score=np.ones(1, np.float32),
                **truth,
            )
        )
        of_picture.append((query, found))
    return Tile(sample=sample, answers=tuple(of_picture))


class _Words:
    """Runs the bundle as the service does, on one core."""

    def __init__(self, bundle: Bundle) -> None:
        self._config = ServiceConfig(
            device="cpu",
            threads=1,
            grounding_threshold=_LEAST,
            detector=DetectorConfig(max_detections=1000),
        )
        self._model = load_model(bundle, self._config)
        self._encoder = PromptEncoder(bundle)
        self.unknown: set[str] = set()
        self._most = bundle.manifest.prompt.phrases if bundle.manifest.prompt else 1

    def answers(
        self, sample: Sample, asked: Asked
    ) -> Iterator[tuple[Query, Detections, Float32[np.ndarray, "a 4"]]]:
        """For each query the boxes found, by falling score, and all boxes of the model."""
        frame = Frame(stamp_ns=0, frame_id="", rgb=sample.rgb)
        everything = self._model.run(frame).outputs["boxes_xyxy"][0]
        for start in range(0, len(asked.queries), self._most):
            part = asked.queries[start : start + self._most]
            prompt = ", ".join(query.text for query in part)
            config = self._config.model_copy(update={"prompt": prompt})
            found = Grounder(self._model, self._encoder, config).ground(frame)
            for phrase in found.prompt.phrases:
                self.unknown.update(phrase.unknown_words)
            sought = found.prompt.sought
            for query in part:
                # Phrases that cannot be searched for are not reported.
                of_phrase = sought.index(query.text) if query.text in sought else -1
                yield query, _of_class(found.detections, of_phrase), everything


class _ByName:
    """The shipped detector: boxes with the object's name in which the colour is the commonest."""

    def __init__(self) -> None:
        bundle = find_bundle(_BY_NAME)
        self._model = PictureModel(bundle)
        self._names = bundle.manifest.classes
        self._detector = Detector(bundle.manifest, DetectorConfig())

    def found(self, sample: Sample) -> tuple[Detections, list[str]]:
        """Its detections, and the commonest colour in the middle of each."""
        found = self._detector.detections(self._model.run(sample.rgb), stamp_ns=0)
        return found, [_commonest_color(sample.rgb, box) for box in found.box_xyxy_px]

    def answer(
        self, known: tuple[Detections, list[str]], query: Query
    ) -> tuple[Float32[np.ndarray, "n 4"], Float32[np.ndarray, " n"]]:
        """Boxes and scores of objects with both names, or with the one in the query."""
        found, colors = known
        color, thing = query.look
        rows = [
            row
            for row, class_id in enumerate(found.class_id.tolist())
            if thing in (ANY, self._names[class_id]) and color in (ANY, colors[row])
        ]
        return found.box_xyxy_px[rows], found.score[rows]


def _of_class(found: Detections, class_id: int) -> Detections:
    rows = found.class_id == class_id
    return Detections(
        stamp_ns=found.stamp_ns,
        box_xyxy_px=found.box_xyxy_px[rows],
        score=found.score[rows],
        class_id=found.class_id[rows],
    )


def _commonest_color(rgb: np.ndarray, box_xyxy_px: np.ndarray) -> str:
    low, high = box_xyxy_px[:2], box_xyxy_px[2:]
    margin = (high - low) * (1 - _MIDDLE) / 2
    left, top = np.floor(low + margin).astype(int)
    right, bottom = np.ceil(high - margin).astype(int)
    middle = np.ascontiguousarray(rgb[top : max(bottom, top + 1), left : max(right, left + 1)])
    return COLOR_NAMES[int(color_shares(middle).argmax())]


def _beside(name: str, figures: dict[str, float]) -> dict[str, float]:
    kept = ("first_right", "nothing_reported", "grounding", "new/first_right")
    return {f"{name}/{figure}": figures[figure] for figure in kept if figure in figures}
