"""Measures `robot-vision similar` against baselines without a model.

    python tools/measure_similar.py --recording BAG --recording VIDEO --other FOLDER …

Recordings are videos, bags and datasets, in which neighbouring frames show the same scene; others
are folders of unrelated pictures. Prints and writes JSON.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.machine import describe_machine
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.similar.build import altered_copy
from robot_vision.similar.embedder import Embedder, mean_of
from robot_vision.similar.frames import open_pictures
from robot_vision.similar.searching.duplicates import FOUND_COPIES
from robot_vision.similar.searching.novelty import NEIGHBOURS, makes_yardstick
from robot_vision.similar.searching.yardstick import yardstick_of
from robot_vision.similar.sheets import jpeg

# Frames closer in time are nearly identical; those within `NEAR_S` show the same place.
APART_S, NEAR_S = 0.3, 2.0
APART_USUAL_S = 1.0  # of `similar novel`
_THUMBNAIL = (8, 8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Pictures of a source [n], their stamps, and each representation [n,d]."""

    name: str
    rgb: list[np.ndarray]
    stamp_s: np.ndarray
    rows: dict[str, np.ndarray]
    is_recording: bool


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    return cv2.resize(rgb, _THUMBNAIL, interpolation=cv2.INTER_AREA).ravel().astype(np.float32)


def mean_color(rgb: np.ndarray) -> np.ndarray:
    return rgb.reshape(-1, 3).mean(axis=0)


def read(
    path: Path,
    most: int,
    ways: dict[str, Callable[[np.ndarray], np.ndarray]],
    *,
    is_recording: bool,
) -> Seen:
    """At most `most` pictures spread over a source."""
    source = open_pictures(path, config=ServiceConfig(), options=BagOptions())
    count = sum(1 for _ in source.pictures())
    wanted = set(np.linspace(0, count - 1, min(most, count)).astype(int).tolist())
    source = open_pictures(path, config=ServiceConfig(), options=BagOptions())
    kept = [(p.stamp_ns, p.read()) for n, p in enumerate(source.pictures()) if n in wanted]
    rgb = [each for _, each in kept]
    rows = {name: np.stack([way(each) for each in rgb]) for name, way in ways.items()}
    stamp_s = np.array([ns for ns, _ in kept]) / 1e9
    return Seen(name=path.name, rgb=rgb, stamp_s=stamp_s, rows=rows, is_recording=is_recording)


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean; of unit vectors it orders as the cosine does."""
    return np.linalg.norm(a[:, None].astype(np.float64) - b[None], axis=2)


def neighbours_in_time(recordings: list[Seen], everything: list[Seen], way: str) -> float:
    """Share of frames whose nearest picture, of those not within `APART_S` of the same recording,
    is of that recording and within `NEAR_S`."""
    right = total = 0
    of = np.concatenate([np.full(len(s.rgb), n) for n, s in enumerate(everything)])
    stamp = np.concatenate([seen.stamp_s for seen in everything])
    rows = np.concatenate([seen.rows[way] for seen in everything])
    for number, seen in enumerate(everything):
        if seen not in recordings:
            continue
        gap_s = np.abs(stamp[None] - seen.stamp_s[:, None])
        apart = distances(seen.rows[way], rows)
        apart[(of == number)[None] & (gap_s < APART_S)] = np.inf
        found = apart.argmin(axis=1)
        is_near = gap_s[np.arange(len(found)), found] <= NEAR_S
        right += int(((of[found] == number) & is_near).sum())
        total += len(found)
    return right / total


def copies(
    everything: list[Seen],
    unrelated: list[Seen],
    ways: dict[str, Callable[[np.ndarray], np.ndarray]],
    way: str,
) -> dict[str, float]:
    """The threshold that finds 95 % of altered copies of every second picture; the share of
    copies of the others it finds, with the same and harder alterations, and the number of other
    pairs it accepts."""
    pictures = [rgb for seen in everything for rgb in seen.rgb]
    rows = np.concatenate([seen.rows[way] for seen in everything])
    to_copy = np.array(
        [np.linalg.norm(rows[n] - ways[way](altered_copy(rgb))) for n, rgb in enumerate(pictures)]
    )
    threshold = float(np.quantile(to_copy[::2], FOUND_COPIES))
    harder = np.array(
        [np.linalg.norm(rows[n] - ways[way](harder_copy(pictures[n]))) for n in
         range(1, len(pictures), 4)]
    )  # fmt: skip
    unlike = np.concatenate([seen.rows[way] for seen in unrelated])
    apart = distances(unlike, unlike)[np.triu_indices(len(unlike), 1)]
    return {
        "same_copies_found": float((to_copy[1::2] <= threshold).mean()),
        "harder_copies_found": float((harder <= threshold).mean()),
        "unrelated_pairs_taken": float((apart <= threshold).mean()),
    }


def harder_copy(rgb: np.ndarray) -> np.ndarray:
    """Crop 6 % on the left and top, and JPEG quality 35."""
    height, width = rgb.shape[:2]
    kept = jpeg(rgb[round(height * 0.06) :, round(width * 0.06) :], 35)
    return cv2.imdecode(np.frombuffer(kept, np.uint8), cv2.IMREAD_COLOR_RGB)


def novelty(everything: list[Seen], way: str) -> dict[str, float]:
    """Area under the curve: pictures of other sources against held-out ones of the same.

    Every second tenth of a source is known, the others are held out.
    """
    found = {}
    for seen in everything:
        tenth = np.arange(len(seen.rgb)) * 10 // len(seen.rgb)
        rows = seen.rows[way]
        known, held_out = rows[tenth % 2 == 0], rows[tenth % 2 == 1]
        others = np.concatenate([s.rows[way] for s in everything if s is not seen])
        kth = [np.sort(distances(part, known), axis=1)[:, NEIGHBOURS - 1] for part in
               (held_out, others)]  # fmt: skip
        found[seen.name] = auc(kth[1], kth[0])
    return found


def by_yardstick(everything: list[Seen]) -> dict[str, dict[str, float]]:
    """As `robot-vision similar novel` judges: `auc` as above, and which share of held-out pictures
    and of those of other sources lies farther than 99 % of the known ones."""
    found = {}
    for seen in everything:
        tenth = np.arange(len(seen.rgb)) * 10 // len(seen.rgb)
        rows = seen.rows["mean_of_map"]
        known, held_out = (np.flatnonzero(tenth % 2 == part) for part in (0, 1))
        makes = makes_yardstick(len(known))
        yardstick = yardstick_of(rows[known[makes]])
        scaled = yardstick.scaled(rows)
        apart = distances(scaled[known[~makes]], scaled[known])
        gap_s = np.abs(seen.stamp_s[known[~makes]][:, None] - seen.stamp_s[known][None])
        apart[gap_s <= (APART_USUAL_S if seen.is_recording else 0)] = np.inf
        usual = np.sort(apart, axis=1)[:, NEIGHBOURS - 1]
        far = float(np.quantile(usual[np.isfinite(usual)], 0.99))
        others = np.concatenate([s.rows["mean_of_map"] for s in everything if s is not seen])
        own, theirs = (
            np.sort(distances(part, scaled[known]), axis=1)[:, NEIGHBOURS - 1]
            for part in (scaled[held_out], yardstick.scaled(others))
        )
        found[seen.name] = {
            "auc": auc(theirs, own),
            "known_called_new": float((own > far).mean()),
            "new_found": float((theirs > far).mean()),
        }
    return found


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Probability that a positive exceeds a negative; ties count half."""
    order = positive[:, None] - negative[None]
    return float((order > 0).mean() + (order == 0).mean() / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, action="append", default=[])
    parser.add_argument("--other", type=Path, action="append", default=[])
    parser.add_argument("--model", default="native-s")
    parser.add_argument("--most", type=int, default=120, help="pictures of a source")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    embedder = Embedder(given.model)
    ways = {
        "look": embedder.look,
        "embedding": lambda rgb: embedder.features(rgb).embedding,
        "mean_of_map": lambda rgb: mean_of(embedder.features(rgb)),
        "thumbnail": thumbnail,
        "mean_color": mean_color,
    }
    recordings = [read(path, given.most, ways, is_recording=True) for path in given.recording]
    others = [read(path, given.most, ways, is_recording=False) for path in given.other]
    everything = recordings + others
    figures = {
        way: {
            "neighbours_in_time": neighbours_in_time(recordings, everything, way),
            **copies(everything, others, ways, way),
            "novelty_auc": novelty(everything, way),
        }
        for way in ways
    }
    said = {
        "machine": describe_machine(),
        "model": embedder.model.model_id,
        "pictures": {seen.name: len(seen.rgb) for seen in everything},
        "figures": figures,
        "novelty": by_yardstick(everything),
    }
    given.out.write_text(json.dumps(said, indent=1) + "\n")
    print(json.dumps(said, indent=1))


if __name__ == "__main__":
    main()
