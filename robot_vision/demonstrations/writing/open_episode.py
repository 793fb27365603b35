"""An episode being recorded: complete on disk up to its last frame at any time.

The operator's success mark is written first at its end, in space reserved for it: a full disk
can lose the end of a video, but never the mark.

A folder `.recording/<id>/` has `episode.json`, the rows as an Arrow stream (one batch per frame)
and a fragmented video per camera. Whether it ended properly or was interrupted, `finalize_episode`
reads it the same way.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from robot_vision.core.files.disk import reserve_room
from robot_vision.core.types import Frame
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.form.schema import (
    ACTION,
    NUMBERED,
    ROBOT_STAMP,
    STAMP,
    STATE,
    TARGET,
    TAUGHT,
    CameraFormat,
    CameraRecord,
    DatasetFormat,
    EpisodeRecord,
)
from robot_vision.datasets.lerobot.sample import Sample, pose_vector, state_vector
from robot_vision.demonstrations.writing.depth_png import depth_mm_from_m, encode_depth
from robot_vision.demonstrations.writing.files import write_json
from robot_vision.demonstrations.writing.tables import row_schema
from robot_vision.demonstrations.writing.video import VideoWriter

NO_STAMP = -1
# For `episode.json` as it is written at the end.
_ROOM_BYTES = 64 << 10


def open_episode_schema(form: DatasetFormat) -> pa.Schema:
    """Columns known before an episode has its number."""
    features = form.features()
    return row_schema({name: features[name] for name in features if name not in NUMBERED})


class OpenEpisode:
    """Takes samples until `close`. `frames` counts them."""

    def __init__(self, folder: Path, form: DatasetFormat, record: EpisodeRecord) -> None:
        folder.mkdir(parents=True)
        self._room = reserve_room(folder, size_bytes=_ROOM_BYTES)
        self.folder = folder
        self.record = record
        self.frames = 0
        self._form = form
        self._schema = open_episode_schema(form)
        self._write_record()
        self._file = (folder / "rows.arrows").open("wb", buffering=0)
        self._rows = pa.ipc.new_stream(self._file, self._schema)
        self._videos = {
            camera.name: VideoWriter(
                folder / f"{camera.name}.mp4",
                fps=form.fps,
                width_px=camera.width_px,
                height_px=camera.height_px,
            )
            for camera in form.cameras
        }

    def add(self, sample: Sample) -> None:
        """Append a sample; raises `DatasetError`, storing nothing of it, if it does not fit."""
        row = self._row(sample)
        if self.frames == 0:
            self._first(sample)
        for name, video in self._videos.items():
            video.add(sample.frames[name].rgb)
        self._rows.write_batch(pa.RecordBatch.from_pylist([row], schema=self._schema))
        self.frames += 1

    def mark(self, *, success: bool | None, notes: dict[str, int]) -> None:
        """Record how it ended; `record` has it even if this raises `OSError`."""
        self.record = self.record.model_copy(update={"success": success, "notes": notes})
        self._room.close()
        self._write_record()

    def close(self) -> str:
        """Finish the files; accepts nothing more. Returns why an end could not be written, if so.

        The files remain readable up to what was written.
        """
        problem = ""
        ends = [video.close for video in self._videos.values()]
        for end in (self._room.close, *ends, self._rows.close, self._file.close):
            try:
                end()
            except OSError as error:  # each one is tried: none may keep its file open
                problem = problem or str(error)
        return problem

    def _write_record(self) -> None:
        write_json(self.folder / "episode.json", self.record.model_dump())

    def _first(self, sample: Sample) -> None:
        cameras = {
            camera.name: _camera_record(sample, camera.name) for camera in self._form.cameras
        }
        self.record = self.record.model_copy(
            update={"start_stamp_ns": sample.stamp_ns, "cameras": cameras}
        )
        self._write_record()

    def _row(self, sample: Sample) -> dict[str, Any]:
        state = state_vector(sample.robot)
        names = self._form.state_names
        if len(state) != len(names):
            raise DatasetError(
                f"the state has {len(state)} numbers, the dataset {len(names)}: {', '.join(names)}"
            )
        _finite("state", state)
        _finite("action", sample.action)
        _finite("target pose", sample.base_from_target)
        row: dict[str, Any] = {
            STATE: state,
            ACTION: sample.action.astype(np.float32),
            TARGET: pose_vector(sample.base_from_target),
            STAMP: sample.stamp_ns,
            ROBOT_STAMP: sample.robot.stamp_ns,
        }
        if self._form.taught_steps:
            row[TAUGHT] = _taught(sample, self._form.taught_steps)
        for camera in self._form.cameras:
            row |= self._camera_row(camera, sample)
        return row

    def _camera_row(self, camera: CameraFormat, sample: Sample) -> dict[str, Any]:
        frame = sample.frames.get(camera.name)
        if frame is None:
            raise DatasetError(f"no image of {camera.name!r}; given: {sorted(sample.frames)}")
        shape = (camera.height_px, camera.width_px, 3)
        if frame.rgb.shape != shape:
            raise DatasetError(
                f"an image of {camera.name!r} has shape {frame.rgb.shape}, the dataset {shape}"
            )
        known = self.record.cameras.get(camera.name)
        if known is not None and _intrinsics(frame) != known.intrinsics_px:
            raise DatasetError(
                f"the intrinsics of {camera.name!r} changed within an episode; start a new one"
            )
        pose = sample.base_from_camera.get(camera.name)
        row: dict[str, Any] = {
            camera.stamp_key: frame.stamp_ns,
            camera.pose_key: np.full(16, np.nan) if pose is None else pose.ravel(),
        }
        if camera.has_depth:
            stamp_ns = frame.depth_stamp_ns if frame.depth_m is not None else NO_STAMP
            row[camera.depth_stamp_key] = frame.stamp_ns if stamp_ns is None else stamp_ns
            row[camera.depth_key] = {"bytes": _depth_png(camera, frame), "path": None}
        return row


def _taught(sample: Sample, steps: int) -> np.ndarray:
    if sample.taught is None or len(sample.taught) != steps:
        has = 0 if sample.taught is None else len(sample.taught)
        raise DatasetError(f"a chunk of {has} steps is taught, the dataset has {steps}")
    _finite("taught chunk", sample.taught)
    return sample.taught.ravel()


def _depth_png(camera: CameraFormat, frame: Frame) -> bytes:
    shape = (camera.depth_height_px, camera.depth_width_px)
    if frame.depth_m is None:
        return encode_depth(np.zeros(shape, np.uint16))
    if frame.depth_m.shape != shape:
        raise DatasetError(
            f"depth of {camera.name!r} has shape {frame.depth_m.shape}, the dataset {shape}"
        )
    return encode_depth(depth_mm_from_m(frame.depth_m))


def _camera_record(sample: Sample, name: str) -> CameraRecord:
    frame, pose = sample.frames[name], sample.base_from_camera.get(name)
    return CameraRecord(
        frame_id=frame.frame_id,
        intrinsics_px=_intrinsics(frame),
        distortion=[] if frame.camera is None else frame.camera.distortion.tolist(),
        distortion_model="plumb_bob" if frame.camera is None else frame.camera.distortion_model,
        base_from_camera=None if pose is None else pose.tolist(),
    )


def _intrinsics(frame: Frame) -> list[list[float]] | None:
    return None if frame.camera is None else frame.camera.intrinsics_px.tolist()


def _finite(what: str, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise DatasetError(f"the {what} is not finite: {values.tolist()}")
