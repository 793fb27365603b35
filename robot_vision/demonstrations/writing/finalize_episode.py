"""Makes an open episode part of a dataset: completely, or not at all.

The files are put in place first; the episode exists from the moment its row is in
`meta/episodes`. `info.json` and `stats.json` are derived and come last. An interrupted
step is repeated from the open episode, which is removed only at the end.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robot_vision.datasets.lerobot.files.images import decode_depth_mm
from robot_vision.datasets.lerobot.files.json_files import read_model
from robot_vision.datasets.lerobot.files.paths import fill
from robot_vision.datasets.lerobot.files.video import VideoReader, count_frames
from robot_vision.datasets.lerobot.form import layout
from robot_vision.datasets.lerobot.form.schema import (
    NUMBERED,
    CameraFormat,
    DatasetFormat,
    EpisodeRecord,
)
from robot_vision.demonstrations.writing.files import put, write_json
from robot_vision.demonstrations.writing.index import DatasetIndex
from robot_vision.demonstrations.writing.open_episode import open_episode_schema
from robot_vision.demonstrations.writing.stats import Stats, image_stats, sampled, vector_stats
from robot_vision.demonstrations.writing.tables import episode_columns, row_schema
from robot_vision.demonstrations.writing.video import remux

# Depth is read by row group: few rows, so that one image costs little.
_ROWS_PER_GROUP = 32


def finalize_episode(
    folder: Path, index: DatasetIndex, *, interrupted: bool = False
) -> int | None:
    """Add the open episode in `folder`; returns its number, or None if it has no frame.

    Raises `DatasetError` if its files cannot be read; then it is left unchanged.
    """
    if not (folder / "rows.arrows").exists():  # interrupted while it was opened
        shutil.rmtree(folder)
        return None
    record = read_model(folder / "episode.json", EpisodeRecord)
    last = index.last_record()
    if last is not None and record.recording_id == last.recording_id:
        shutil.rmtree(folder)
        return index.episodes - 1
    form = index.form
    counts = [_count_rows(folder)]
    counts += [count_frames(folder / f"{camera.name}.mp4") for camera in form.cameras]
    frames = min(counts)
    if frames == 0:
        shutil.rmtree(folder)
        return None
    if interrupted:
        record = record.model_copy(update={"lost_frames": max(counts) - frames})
    _place(folder, index, record, frames)
    shutil.rmtree(folder)
    return index.episodes - 1


def _place(folder: Path, index: DatasetIndex, record: EpisodeRecord, frames: int) -> None:
    form, number = index.form, index.episodes
    chunk_index, file_index = index.next_place()
    place = {"chunk_index": chunk_index, "file_index": file_index}
    task_index = index.task_index(record.instruction)
    constants = {"episode_index": number, "task_index": task_index}

    rows = folder / "data.parquet"
    stats = _write_rows(folder, rows, form, constants, frames, index.frames)
    row: dict[str, Any] = {"episode_index": number, "tasks": [record.instruction]}
    row |= {"length": frames, "data/chunk_index": chunk_index, "data/file_index": file_index}
    row |= {"dataset_from_index": index.frames, "dataset_to_index": index.frames + frames}
    for camera in form.cameras:
        plain = folder / f"{camera.name}-plain.mp4"
        remux(folder / f"{camera.name}.mp4", plain, frames=frames, fps=form.fps)
        stats[camera.color_key] = _video_stats(plain, frames, form.fps)
        key = camera.color_key
        put(plain, index.root / fill(layout.VIDEO_V30, video_key=key, **place))
        row |= {f"videos/{key}/{name}": value for name, value in place.items()}
        row |= {f"videos/{key}/from_timestamp": 0.0}
        row |= {f"videos/{key}/to_timestamp": frames / form.fps}
    write_json(index.root / layout.record_path(number), record.model_dump())
    put(rows, index.root / fill(layout.DATA_V30, **place))
    index.append(row | episode_columns(stats), stats)


def _write_rows(
    folder: Path,
    path: Path,
    form: DatasetFormat,
    constants: dict[str, int],
    frames: int,
    first_index: int,
) -> dict[str, Stats]:
    """Write the episode's rows with their numbers; returns statistics of everything but videos."""
    schema = row_schema(form.features())
    depths = [camera for camera in form.cameras if camera.has_depth]
    # For every feature, as LeRobot does: it does not append to a dataset that lacks some.
    kept: dict[str, list[np.ndarray]] = {
        name: []
        for name, feature in form.features().items()
        if feature["dtype"] not in ("video", "image") and name not in NUMBERED
    }
    images: dict[str, list[np.ndarray]] = {camera.depth_key: [] for camera in depths}
    looked_at = set(sampled(frames))
    with path.open("wb") as file, pq.ParquetWriter(file, schema, compression="snappy") as writer:
        for first, part in _parts(folder, form, frames):
            numbers = np.arange(first, first + part.num_rows)
            writer.write_table(_numbered(part, schema, constants, numbers, form.fps, first_index))
            for name, values in kept.items():
                values.append(_matrix(part[name]))
            for camera in depths:
                images[camera.depth_key] += _depths(part, camera, looked_at, first)
    stats = {name: vector_stats(np.concatenate(values)) for name, values in kept.items()}
    return (
        stats
        | _number_stats(frames, constants, first_index, form.fps)
        | {key: image_stats(depth_mm, unit=1.0) for key, depth_mm in images.items()}
    )


def _parts(folder: Path, form: DatasetFormat, frames: int) -> Iterator[tuple[int, pa.Table]]:
    """The first `frames` rows, a row group at a time, each with the number of its first row."""
    first = 0
    waiting: list[pa.RecordBatch] = []
    for batch in _batches(folder):
        waiting.append(batch)
        done = first + len(waiting) == frames
        if done or len(waiting) == _ROWS_PER_GROUP:
            yield first, pa.Table.from_batches(waiting, open_episode_schema(form))
            first += len(waiting)
            waiting = []
        if done:
            return


def _batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """Rows up to where the file was truncated, if it was."""
    with (
        (folder / "rows.arrows").open("rb") as file,
        contextlib.suppress(pa.ArrowException, OSError),
    ):
        yield from pa.ipc.open_stream(file)


def _count_rows(folder: Path) -> int:
    return sum(batch.num_rows for batch in _batches(folder))


def _numbered(
    part: pa.Table,
    schema: pa.Schema,
    constants: dict[str, int],
    numbers: np.ndarray,
    fps: int,
    first_index: int,
) -> pa.Table:
    columns = {name: part[name] for name in part.column_names}
    columns["timestamp"] = pa.array((numbers / fps).astype(np.float32))
    columns["frame_index"] = pa.array(numbers)
    columns["index"] = pa.array(numbers + first_index)
    for name, value in constants.items():
        columns[name] = pa.array(np.full(len(numbers), value))
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _number_stats(
    frames: int, constants: dict[str, int], first_index: int, fps: int
) -> dict[str, Stats]:
    numbers = np.arange(frames, dtype=np.float64)
    columns = {"timestamp": numbers / fps, "frame_index": numbers, "index": numbers + first_index}
    columns |= {name: np.full(frames, float(value)) for name, value in constants.items()}
    return {name: vector_stats(values[:, None]) for name, values in columns.items()}


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), np.float64).reshape(len(column), -1)


def _depths(
    part: pa.Table, camera: CameraFormat, looked_at: set[int], first: int
) -> list[np.ndarray]:
    images = part[camera.depth_key]
    return [
        decode_depth_mm(images[row]["bytes"].as_py(), of=camera.depth_key)
        for row in range(part.num_rows)
        if first + row in looked_at
    ]


def _video_stats(path: Path, frames: int, fps: int) -> Stats:
    """Statistics of frames spread over the video, which also proves that it can be decoded."""
    reader = VideoReader(path, fps=fps)
    try:
        return image_stats([reader.frame(number / fps) for number in sampled(frames)], unit=255.0)
    finally:
        reader.close()
