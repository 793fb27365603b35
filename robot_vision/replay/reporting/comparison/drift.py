"""Figures of two replays that differ beyond tolerance: which, how far, in which frames."""

from itertools import zip_longest
from math import pi
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.replay.reporting.comparison.figure_drift import Drift, number_drift, text_of
from robot_vision.replay.reporting.comparison.track_match import match_tracks
from robot_vision.replay.reporting.frame_class_log import CLASS_TOLERANCES, class_drifts

# Their assignment takes cubic time.
MOST_TRACKS = 5000
CAMERA_FIELDS = ("width_px", "height_px", "fx_px", "fy_px", "cx_px", "cy_px")

TOLERANCES: dict[str, float] = {
    "frames": 0.0,
    "intrinsics_px": 0.01,
    "detections_relative": 0.05,
    "tracks_per_class": 1.0,
    "tracks_missing_share": 0.1,
    "track_frames_relative": 0.2,
    "track_position_m": 0.03,
    "track_box_px": 6.0,
    "track_keypoint_px": 6.0,
    "track_angle_rad": 0.1,
    "id_switches": 1.0,
    "windows_out_share": 0.02,
    "window_detections": 1.0,
    "window_objects": 1.0,
    "window_object_position_m": 0.05,
    "window_depth_coverage": 0.02,
    "window_depth_median_relative": 0.02,
    **CLASS_TOLERANCES,
}

# Figure of a window, its tolerance, and whether the tolerance is relative to the expected value.
WINDOW_FIGURES = (
    ("detections", "window_detections", False),
    ("objects", "window_objects", False),
    ("object_x_m", "window_object_position_m", False),
    ("object_y_m", "window_object_position_m", False),
    ("object_z_m", "window_object_position_m", False),
    ("depth_coverage", "window_depth_coverage", False),
    ("depth_median_m", "window_depth_median_relative", True),
    ("top_probability", "window_top_probability", False),
    ("labelled_share", "window_labelled_share", False),
)


def compare(
    expected: dict[str, Any], actual: dict[str, Any], *, tolerances: dict[str, float]
) -> list[Drift]:
    """Drifts between two behaviours, the likely causes first."""
    return [
        *_camera_drifts(expected, actual, tolerances),
        *_count_drifts(expected, actual, tolerances),
        *class_drifts(expected, actual, tolerances),
        *_track_drifts(expected, actual, tolerances),
        *_window_drifts(expected, actual, tolerances),
    ]


def compare_foreign(expected: Any, actual: Any, *, tolerances: dict[str, float]) -> list[Drift]:
    """`compare` for behaviours from files; raises `ConfigError` for invalid ones."""
    try:
        for behaviour in (expected, actual):
            if len(behaviour["tracks"]) > MOST_TRACKS:
                count = len(behaviour["tracks"])
                raise ConfigError(f"{count} tracks in a bag; expected at most {MOST_TRACKS}")
        return compare(expected, actual, tolerances=tolerances)
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ConfigError(f"a bag's behaviour is damaged: {quoted(repr(error))}") from error


def _camera_drifts(
    expected: dict[str, Any], actual: dict[str, Any], tolerances: dict[str, float]
) -> list[Drift]:
    before, after = expected["camera"] or {}, actual["camera"] or {}
    return [
        drift
        for name in CAMERA_FIELDS
        for drift in number_drift(
            f"camera {name}", before.get(name), after.get(name), tolerances["intrinsics_px"]
        )
    ]


def _count_drifts(
    expected: dict[str, Any], actual: dict[str, Any], tolerances: dict[str, float]
) -> list[Drift]:
    drifts = number_drift("frames", expected["frames"], actual["frames"], tolerances["frames"])
    before, after = expected["detections_by_class"], actual["detections_by_class"]
    for name in sorted({*before, *after}):
        n = before.get(name, 0)
        # A class with few detections may gain or lose a few.
        allowed = max(tolerances["detections_relative"] * n, 3.0)
        drifts += number_drift(f"detections of {name}", n, after.get(name, 0), allowed)
    before, after = expected["tracks_by_class"], actual["tracks_by_class"]
    for name in sorted({*before, *after}):
        allowed = tolerances["tracks_per_class"]
        drifts += number_drift(
            f"tracks of {name}", before.get(name, 0), after.get(name, 0), allowed
        )
    drifts += number_drift(
        "id switches", expected["id_switches"], actual["id_switches"], tolerances["id_switches"]
    )
    return drifts


def _track_drifts(
    expected: dict[str, Any], actual: dict[str, Any], tolerances: dict[str, float]
) -> list[Drift]:
    pairs, missing = match_tracks(expected["tracks"], actual["tracks"])
    drifts = []
    if len(missing) > tolerances["tracks_missing_share"] * len(expected["tracks"]):
        drifts = [
            Drift(
                figure=f"track of {row['class']}",
                expected=f"{row['frames']} frames",
                actual="not there",
                tolerance=f"{tolerances['tracks_missing_share']:.0%} of the tracks",
                where=_frames(row),
            )
            for row in missing
        ]
    for before, after in pairs:
        drifts += _pair_drifts(before, after, tolerances)
    return drifts


def _pair_drifts(
    before: dict[str, Any], after: dict[str, Any], tolerances: dict[str, float]
) -> list[Drift]:
    name, where = f"track {before['id']} ({before['class']})", _frames(before)
    allowed = max(tolerances["track_frames_relative"] * before["frames"], 3.0)
    drifts = number_drift(
        f"{name} length in frames", before["frames"], after["frames"], allowed, where
    )
    boxes = zip(before["mean_box_xyxy_px"], after["mean_box_xyxy_px"], strict=True)
    for side, (a, b) in zip(("left", "top", "right", "bottom"), boxes, strict=True):
        drifts += number_drift(
            f"{name} mean box {side} px", a, b, tolerances["track_box_px"], where
        )
    positions = [row["mean_position_in_camera_m"] or [None] * 3 for row in (before, after)]
    for axis, a, b in zip("xyz", *positions, strict=True):
        allowed = tolerances["track_position_m"]
        drifts += number_drift(f"{name} mean position {axis} m", a, b, allowed, where)
    return drifts + _shape_drifts(before, after, tolerances)


def _shape_drifts(
    before: dict[str, Any], after: dict[str, Any], tolerances: dict[str, float]
) -> list[Drift]:
    """Keypoints and oriented boxes; older golden files have none."""
    name, where = f"track {before['id']} ({before['class']})", _frames(before)
    drifts: list[Drift] = []
    points = [row.get("mean_keypoint_xy_px") or [] for row in (before, after)]
    for number, pair in enumerate(zip_longest(*points)):
        for axis, a, b in zip("xy", *(xy or [None] * 2 for xy in pair), strict=True):
            figure = f"{name} mean keypoint {number} {axis} px"
            drifts += number_drift(figure, a, b, tolerances["track_keypoint_px"], where)
    old, new = (row.get("mean_oriented_box") or [None] * 5 for row in (before, after))
    for side, a, b in zip(("x", "y", "width", "height"), old[:4], new[:4], strict=True):
        figure = f"{name} mean oriented box {side} px"
        drifts += number_drift(figure, a, b, tolerances["track_box_px"], where)
    a, b = old[4], new[4]
    if a is not None and b is not None:
        b = a + (b - a + pi / 2) % pi - pi / 2  # half a turn is the same box
    figure = f"{name} mean oriented box angle rad"
    return drifts + number_drift(figure, a, b, tolerances["track_angle_rad"], where)


def _window_drifts(
    expected: dict[str, Any], actual: dict[str, Any], tolerances: dict[str, float]
) -> list[Drift]:
    after_by_frame = {row["first_frame"]: row for row in actual["windows"]}
    drifts = []
    for name, tolerance_name, relative in WINDOW_FIGURES:
        tolerance, out = tolerances[tolerance_name], []
        for before in expected["windows"]:
            after = after_by_frame.get(before["first_frame"], {})
            a, b = before.get(name), after.get(name)
            if a is None and b is None:
                continue
            if a is None or b is None or abs(b - a) > tolerance * (abs(a) if relative else 1):
                out.append((before, a, b))
        if len(out) > tolerances["windows_out_share"] * len(expected["windows"]):
            drifts.append(_window_drift(name, out, tolerance, relative=relative))
    return drifts


def _window_drift(
    name: str, out: list[tuple[dict[str, Any], Any, Any]], tolerance: float, *, relative: bool
) -> Drift:
    worst = max(
        out, key=lambda w: float("inf") if w[1] is None or w[2] is None else abs(w[2] - w[1])
    )
    return Drift(
        figure=f"{name} over time",
        expected=text_of(worst[1]),
        actual=text_of(worst[2]),
        tolerance=f"{tolerance:.1%}" if relative else text_of(tolerance),
        where=f"frames {_spans([window for window, _, _ in out])}; worst at frame "
        f"{worst[0]['first_frame']}",
    )


def _spans(windows: list[dict[str, Any]], *, most: int = 5) -> str:
    """Frames of windows, with neighbours merged: `3-17, 40`."""
    spans: list[list[int]] = []
    for window in windows:
        first, last = window["first_frame"], window["first_frame"] + window["frames"] - 1
        if spans and spans[-1][1] == first - 1:
            spans[-1][1] = last
        else:
            spans.append([first, last])
    texts = [f"{first}-{last}" if last > first else str(first) for first, last in spans[:most]]
    return ", ".join(texts) + (f" and {len(spans) - most} more" if len(spans) > most else "")


def _frames(track: dict[str, Any]) -> str:
    return f"frames {track['first_frame']}-{track['last_frame']}"
