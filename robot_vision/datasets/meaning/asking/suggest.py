"""Suggestions from the data for missing fields: shown with the reason, never applied unasked."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from robot_vision.datasets.episode_set import EpisodeActions, EpisodeSet, EpisodeState
from robot_vision.datasets.meaning.asking.draft import merged, missing_fields, whole
from robot_vision.datasets.meaning.asking.known import known_draft
from robot_vision.datasets.meaning.checking.evidence import Fit
from robot_vision.datasets.meaning.checking.finding import SampledEpisode, sampled
from robot_vision.datasets.meaning.checking.motion_fits import MotionFits, motion_fits
from robot_vision.datasets.meaning.columns import pick
from robot_vision.datasets.meaning.meaning import Meaning

_LARGEST_RAD = 2 * np.pi + 0.1
_FARTHEST_M = 5.0
_GOOD, _CLEARLY = 0.5, 0.1
_OF_COUNT = {3: "rpy", 4: "quaternion_xyzw", 6: "two_axes"}
Numbers = EpisodeActions | EpisodeState


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A value for a field, and the evidence for it."""

    value: Any
    why: str

    @property
    def text(self) -> str:
        return f"{self.value} ({self.why})"


def suggestions(
    sample: Sequence[SampledEpisode], draft: Mapping[str, Any]
) -> dict[str, Suggestion]:
    """Suggestions for missing fields by dotted name; none if the data show nothing."""
    guesser = _Guesser(sample, draft)
    missing = set(missing_fields(draft))
    return {name: found for name, found in guesser.found.items() if name in missing}


def known_or_asked(episodes: EpisodeSet, said: Mapping[str, Any], *, of: str) -> Meaning:
    """The meaning that a set states, overridden by what is given.

    A set of ours is known, and nothing overrides it. Raises `MeaningError` that lists what
    is missing, with the data's suggestions.
    """
    known = known_draft(episodes)
    draft = known if episodes.said_meaning is not None else merged(known, said)
    if not missing_fields(draft):
        return whole(draft, of=of)
    found = suggestions(sampled(episodes), draft)
    return whole(draft, of=of, suggestions={name: each.text for name, each in found.items()})


def filled(draft: Mapping[str, Any], found: Mapping[str, Suggestion]) -> dict[str, Any]:
    """A draft with suggestions for its missing fields."""
    guess = deepcopy(dict(draft))
    for name, suggestion in found.items():
        *path, last = name.split(".")
        at = guess
        for part in path:
            at = at.setdefault(part, {})
        at.setdefault(last, suggestion.value)
    return guess


class _Guesser:
    def __init__(self, sample: Sequence[SampledEpisode], draft: Mapping[str, Any]) -> None:
        self.found: dict[str, Suggestion] = {}
        self._sample, self._draft = sample, draft
        for where in ("state", "action"):
            part = draft.get(where)
            if isinstance(part, Mapping):
                self._part(where, part, self._numbers(where))
        self._motion()

    def _numbers(self, where: str) -> list[Numbers]:
        if where == "action":
            return [each.actions for each in self._sample]
        return [each.state for each in self._sample if each.state is not None]

    def _part(self, where: str, part: Mapping[str, Any], numbers: Sequence[Numbers]) -> None:
        if not numbers:
            return
        if not part.get("tool") and not part.get("joints"):
            self._columns(where, numbers)
        if (tool := part.get("tool")) and tool.get("position"):
            self._tool(f"{where}.tool", tool, numbers)
        if (joints := part.get("joints")) and joints.get("columns"):
            largest = float(np.nanmax(np.abs(_rows(numbers, joints["columns"]))))
            self.found[f"{where}.joints.angle_unit"] = _angle_unit(largest)
        gripper = part.get("gripper")
        if isinstance(gripper, Mapping) and gripper.get("column") is not None:
            self._gripper(f"{where}.gripper", gripper["column"], numbers)

    def _columns(self, where: str, numbers: Sequence[Numbers]) -> None:
        count = numbers[0].values.shape[1]
        common = {
            7: "tool with position [0, 1, 2] and rotation_columns [3, 4, 5], gripper column 6",
            8: "joints with columns [0, 1, 2, 3, 4, 5, 6], gripper column 7",
        }
        if count in common:
            why = f"as in most sets whose {where} has {count} numbers"
            self.found[f"{where}.tool|joints"] = Suggestion(value=common[count], why=why)

    def _tool(self, where: str, tool: Mapping[str, Any], numbers: Sequence[Numbers]) -> None:
        largest = float(np.nanmax(np.abs(_rows(numbers, tool["position"]))))
        unit = "m" if largest < _FARTHEST_M else "mm"
        self.found[f"{where}.position_unit"] = Suggestion(
            value=unit, why=f"the largest number is {largest:.3g}"
        )
        turned = tool.get("rotation_columns") or ()
        if len(turned) in _OF_COUNT:
            why = f"{len(turned)} columns; rotation_vector looks the same" * (len(turned) == 3)
            why = why or f"{len(turned)} columns"
            self.found[f"{where}.rotation"] = Suggestion(value=_OF_COUNT[len(turned)], why=why)
            largest = float(np.nanmax(np.abs(_rows(numbers, turned))))
            self.found[f"{where}.angle_unit"] = _angle_unit(largest)

    def _gripper(self, where: str, column: int | str, numbers: Sequence[Numbers]) -> None:
        values = _rows(numbers, [column])[:, 0]
        low, high = (float(end) for end in np.nanquantile(values, (0.001, 0.999)))
        starts = float(np.nanmedian([_rows([each], [column])[0, 0] for each in numbers]))
        ends = (0.0, 1.0) if low > -0.3 and 0.3 < high < 1.5 else (low, high)
        ends = (-1.0, 1.0) if low < -0.5 and 0.5 < high < 1.5 else ends
        seen = f"numbers from {low:.3g} to {high:.3g}, {starts:.3g} where episodes begin"
        begins_high = abs(starts - ends[1]) < abs(starts - ends[0])
        closed, opened = ends if begins_high else ends[::-1]
        why = f"{seen}, mostly with an open gripper"
        self.found[f"{where}.closed"] = Suggestion(value=_short(closed), why=why)
        self.found[f"{where}.open"] = Suggestion(value=_short(opened), why=why)

    def _motion(self) -> None:
        """Kind, axes and the unit of deltas, from the arm's motion."""
        guess = filled(self._draft, self.found)
        action = guess.get("action")
        if not isinstance(action, dict):
            return
        action |= {"kind": "delta", "axes": "base", "delta_from": "chained"}
        action.setdefault("gripper", "none")
        guess.setdefault("rate_hz", 1.0)
        try:
            fits = motion_fits(self._sample, Meaning.model_validate(guess))
        except (ValidationError, ValueError):
            return
        self._kind(fits)
        if self._said("action.kind", "kind") == "delta" and fits.delta is not None:
            self._axes(fits)
            self._scale(fits.delta)

    def _kind(self, fits: MotionFits) -> None:
        if fits.delta is None or fits.absolute is None:
            return
        delta, absolute = fits.delta.correlation, fits.absolute.correlation
        why = f"correlation with the motion {delta:.2f} as delta, {absolute:.2f} as absolute"
        if max(delta, absolute) > _GOOD and abs(delta - absolute) > _CLEARLY:
            kind = "delta" if delta > absolute else "absolute"
            self.found["action.kind"] = Suggestion(value=kind, why=why)

    def _axes(self, fits: MotionFits) -> None:
        pairs = [(fits.base, fits.tool), (fits.turn_base, fits.turn_tool)]
        known = [(b.correlation, t.correlation) for b, t in pairs if b and t]
        if not known:
            return
        base, tool = (float(np.mean(each)) for each in zip(*known, strict=True))
        why = f"correlation {base:.2f} in the axes of the base, {tool:.2f} in the tool's"
        if abs(base - tool) < _CLEARLY:
            why += "; that is close: ask who recorded it"
        self.found["action.axes"] = Suggestion(value="base" if base >= tool else "tool", why=why)

    def _scale(self, fit: Fit) -> None:
        name = "action.tool.position_unit"
        if fit.correlation > _GOOD and name in self.found and not 0.5 < fit.gain < 2:
            per_one = {"m": 1.0, "mm": 1e-3}[self.found[name].value] * fit.gain
            is_mm = 0.0005 < per_one < 0.002
            self.found[name] = Suggestion(
                value="mm" if is_mm else float(f"{per_one:.2g}"),
                why=f"the arm goes {per_one:.3g} m where deltas add up to 1",
            )

    def _said(self, name: str, field: str) -> Any:
        said = (self._draft.get("action") or {}).get(field)
        return said or (self.found[name].value if name in self.found else None)


def _angle_unit(largest: float) -> Suggestion:
    unit = "rad" if largest < _LARGEST_RAD else "deg"
    return Suggestion(value=unit, why=f"the largest number is {largest:.3g}")


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _rows(numbers: Sequence[Numbers], columns: Sequence[int | str]) -> np.ndarray:
    what = "the actions" if isinstance(numbers[0], EpisodeActions) else "the state"
    return np.concatenate(
        [pick(each.values, columns, names=each.names, what=what) for each in numbers]
    )
