"""Runs a policy along whole episodes, with its memory, as the service would."""

from collections.abc import Iterator, Mapping

import numpy as np

from robot_vision.training.data.demonstrations.batches import physical
from robot_vision.training.data.judging.judged import Judged
from robot_vision.training.engine.task import Predictor
from robot_vision.training.metrics.decisions import GRIPPER, Decisions, joined

_ACTION = "action"


def decisions_of(predict: Predictor, judged: Judged, *, together: int) -> Decisions:
    """A policy's decisions in all episodes, `together` of them in a batch.

    `predict` takes inputs by name and returns `action`, normalised, and values that it gets back
    as `past_<name>` with the next moment of the same episodes.
    """
    numbers = judged.episodes.numbers
    chosen = [numbers[start : start + together] for start in range(0, len(numbers), together)]
    return joined(_follow(predict, judged, episodes) for episodes in chosen)


def _follow(predict: Predictor, judged: Judged, episodes: np.ndarray) -> Decisions:
    carried: Mapping[str, np.ndarray] = {}
    found = list[tuple[np.ndarray, np.ndarray]]()
    for rows, is_within in _moments(judged, episodes):
        out = predict(judged.inputs(rows) | carried)
        carried = {f"past_{name}": value for name, value in out.items() if name != _ACTION}
        found.append((rows[is_within], out[_ACTION][is_within]))
    rows, actions = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(rows, kind="stable")
    return _judged_rows(judged, rows[order], physical(actions[order], judged.statistics))


def _moments(judged: Judged, episodes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of the episodes' decisions in lockstep, and which episodes are not over yet."""
    first = judged.episodes.first_rows[episodes]
    last = first + judged.scenes.source.length[first] - 1
    for moment in range(int((last - first).max()) // judged.stride + 1):
        rows = first + moment * judged.stride
        yield np.minimum(rows, last), rows <= last


def _judged_rows(judged: Judged, rows: np.ndarray, predicted: np.ndarray) -> Decisions:
    """The decisions at rows with a taught action."""
    source, clock = judged.scenes.source, judged.scenes.clock
    is_taught = np.asarray(source.valid[rows, 0])
    rows, predicted = rows[is_taught], predicted[is_taught]
    hold = _hold(judged, rows)
    before = np.where(rows > source.first_row[rows], rows - 1, rows)
    last = np.where((before < rows)[:, None], source.action[before, 0], hold)
    return Decisions(
        predicted=predicted,
        taught=np.asarray(source.action[rows], np.float32),
        valid=np.asarray(source.valid[rows]),
        last_action=last.astype(np.float32),
        hold=hold,
        mean=np.tile(np.array(judged.mean_action, np.float32), (len(rows), 1)),
        episode=clock.episode(rows).astype(np.int64),
        stamp_s=clock.into_s(rows),
        row=rows.astype(np.int64),
    )


def _hold(judged: Judged, rows: np.ndarray) -> np.ndarray:
    """The action that holds the arm at its observed state, or without one at its last target."""
    source = judged.scenes.source
    before = np.maximum(rows - 1, source.first_row[rows])
    hold = np.array(source.action[before, 0], np.float32)
    kind = judged.scenes.observation.state
    if judged.is_tool:
        hold[:, :GRIPPER] = 0
    elif kind == "joints":
        hold[:, :GRIPPER] = source.state[rows][:, :GRIPPER]
    if kind != "none":
        hold[:, GRIPPER] = source.state[rows][:, GRIPPER]
    return hold
