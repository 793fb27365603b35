"""One demonstration of a dataset, and its cameras."""

from dataclasses import dataclass

from robot_vision.core.cameras.camera_check import checked_camera
from robot_vision.core.errors import CameraError
from robot_vision.core.types import Camera
from robot_vision.datasets.lerobot.form.schema import CameraFormat, EpisodeRecord


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One demonstration. `tasks` are its instructions, of which foreign datasets may
    have several or none; `record` has cameras, success and notes, and is None in foreign
    datasets."""

    index: int
    length: int
    tasks: tuple[str, ...]
    first_index: int
    record: EpisodeRecord | None

    @property
    def instruction(self) -> str:
        return "; ".join(self.tasks)


def frame_id_of(episode: Episode, name: str) -> str:
    """The frame of a camera; its name if no frame was recorded."""
    record = episode.record.cameras.get(name) if episode.record else None
    return record.frame_id if record else name


def camera_of(episode: Episode, camera: CameraFormat) -> tuple[Camera | None, str]:
    """The camera in an episode; None, with the problem, if it is unknown."""
    record = episode.record.cameras.get(camera.name) if episode.record else None
    if record is None or record.intrinsics_px is None:
        return None, ""
    try:
        known = checked_camera(
            frame_id=record.frame_id,
            width_px=camera.width_px,
            height_px=camera.height_px,
            intrinsics_px=record.intrinsics_px,
            distortion=record.distortion,
            distortion_model=record.distortion_model,
        )
    except CameraError as error:
        return None, f"the intrinsics of {camera.name!r} are {error}"
    return known, ""
