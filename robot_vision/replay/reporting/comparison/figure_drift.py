"""A figure of two replays that differs beyond its tolerance."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A figure beyond its tolerance; `where` names frames or tracks."""

    figure: str
    expected: str
    actual: str
    tolerance: str
    where: str = ""


def number_drift(
    figure: str, before: float | None, after: float | None, allowed: float, where: str = ""
) -> list[Drift]:
    """The drift of a number by more than `allowed`, or from or to None; else nothing."""
    if before is None and after is None:
        return []
    if before is not None and after is not None and abs(after - before) <= allowed:
        return []
    return [
        Drift(
            figure=figure,
            expected=text_of(before),
            actual=text_of(after),
            tolerance=text_of(allowed),
            where=where,
        )
    ]


def text_of(value: float | None) -> str:
    """A figure with four digits; integers in full."""
    return "none" if value is None else f"{value:.4g}" if value % 1 else f"{value:.0f}"
