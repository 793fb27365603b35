"""`calibrate` from recordings: writes pictures of a board at rest to a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from robot_vision.terminal import say

if TYPE_CHECKING:
    from robot_vision.calibration.boards.sight import BoardFinder
    from robot_vision.core.parameters.groups.calibration_config import (
        CaptureConfig,
        HandEyeConfig,
        RecordedLensConfig,
    )
    from robot_vision.core.types import Camera
    from robot_vision.recorded_views.take import Taken


def is_recording(path: Path) -> bool:
    """Whether the source is a recording instead of a folder of pictures."""
    from robot_vision.recorded_views.pictures import is_recording

    return is_recording(path)


def steady_views(
    path: Path, rgb: str, folder: Path, *, finder: "BoardFinder", config: "RecordedLensConfig"
) -> None:
    """Pictures of a board at rest, for a lens calibration."""
    from robot_vision.recorded_views.pictures import IMAGE_TYPES, check_topic, topic_types
    from robot_vision.recorded_views.take import ViewWriter, take_steady
    from robot_vision.replay.reading.recording import Recording

    recording = Recording(path)
    check_topic(rgb, topic_types(recording), IMAGE_TYPES, option="--rgb")
    writer = ViewWriter(folder)
    _say(take_steady(recording, rgb, finder=finder, writer=writer, config=config), folder)


def views_at_rest(
    path: Path,
    rgb: str,
    folder: Path,
    *,
    finder: "BoardFinder",
    arm: dict[str, Any],
    capture: "CaptureConfig",
    hand_eye: "HandEyeConfig",
    camera: "Camera | None",
) -> "Camera":
    """Pictures and tool poses of an arm at rest, with `camera` or the recording's own."""
    from robot_vision.recorded_views.arm_source import ArmOptions, arm_source
    from robot_vision.recorded_views.pictures import (
        IMAGE_TYPES,
        check_topic,
        recorded_camera,
        topic_types,
    )
    from robot_vision.recorded_views.take import ViewWriter, take_at_rest
    from robot_vision.recorded_views.tool_poses import span_words, tool_poses
    from robot_vision.replay.reading.recording import Recording

    recording = Recording(path)
    types = topic_types(recording)
    check_topic(rgb, types, IMAGE_TYPES, option="--rgb")
    lens = camera or recorded_camera(recording, rgb, types)
    reports = tool_poses(recording, arm_source(recording, types, ArmOptions(**arm)))
    say(span_words(reports))
    taken = take_at_rest(
        recording,
        rgb,
        reports,
        finder=finder,
        writer=ViewWriter(folder),
        capture=capture,
        hand_eye=hand_eye,
    )
    _say(taken, folder)
    return lens


def _say(taken: "Taken", folder: Path) -> None:
    say(f"{taken.written} pictures written to {folder}")
    if taken.left_out:
        say(f"left out: {taken.words()}")
