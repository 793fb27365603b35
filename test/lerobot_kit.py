"""LeRobot datasets as others write them, in all the ways that their files differ.

Each picture says by its colour of which episode and frame it is, each row by its numbers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FPS = 10
WIDTH_PX, HEIGHT_PX = 48, 32
KEY = "observation.images.top"
_NUMBERED = {"timestamp": "float32"} | dict.fromkeys(
    ("frame_index", "episode_index", "index", "task_index"), "int64"
)
_STORED_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a set is written. `episodes` are lengths by number, in the order of the files.

    `tasks` are words by index, in the order of the file; episode n is of task n modulo tasks.
    `features` and `columns` (values of the frames of all episodes in turn) come beside.
    """

    version: str = "v3.0"
    dtype: str = "video"
    episodes: Mapping[int, int] = field(default_factory=lambda: {0: 3, 1: 4})
    tasks: Mapping[int, str] = field(default_factory=lambda: {0: "pick", 1: "place"})
    channels_first: bool = False
    names: Any = None
    encoding: str = ".png"
    shuffled: bool = False
    features: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Sequence[Any] | pa.Array] = field(default_factory=dict)

    @property
    def numbers(self) -> list[int]:
        return sorted(self.episodes)

    def task_of(self, number: int) -> int:
        return sorted(self.tasks)[number % len(self.tasks)]

    def rows(self) -> list[tuple[int, int]]:
        """Episode and frame of all rows, by index."""
        return [(n, f) for n in self.numbers for f in range(self.episodes[n])]


def color_of(number: int, frame: int) -> tuple[int, int, int]:
    return 30 + 20 * frame, 200 - 30 * number, 90


def picture_of(number: int, frame: int) -> np.ndarray:
    return np.full((HEIGHT_PX, WIDTH_PX, 3), color_of(number, frame), np.uint8)


def write_lerobot(root: Path, layout: Layout) -> Path:
    """Write the set; returns `root`."""
    is_v3 = layout.version == "v3.0"
    _write_json(root / "meta/info.json", _info(layout, is_v3=is_v3))
    table = _table(layout)
    (_write_v3 if is_v3 else _write_v2)(root, layout, table)
    return root


def _info(layout: Layout, *, is_v3: bool) -> dict[str, Any]:
    shape = [3, HEIGHT_PX, WIDTH_PX] if layout.channels_first else [HEIGHT_PX, WIDTH_PX, 3]
    features: dict[str, Any] = {
        name: {"dtype": dtype, "shape": [1], "names": None} for name, dtype in _NUMBERED.items()
    }
    features["observation.state"] = {"dtype": "float32", "shape": [2]}
    features["action"] = {"dtype": "float32", "shape": [2], "names": layout.names}
    features[KEY] = {"dtype": layout.dtype, "shape": shape, "names": None}
    data, video = (
        ("data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
         "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4")
        if is_v3
        else ("data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
              "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4")
    )  # fmt: skip
    return {
        "codebase_version": layout.version,
        "robot_type": "arm",
        "total_episodes": len(layout.episodes),
        "total_frames": sum(layout.episodes.values()),
        "total_tasks": len(layout.tasks),
        "chunks_size": 1000,
        "fps": FPS,
        "splits": {"train": f"0:{len(layout.episodes)}"},
        "data_path": data,
        "video_path": video if layout.dtype == "video" else None,
        "features": features | dict(layout.features),
    }


def _table(layout: Layout) -> pa.Table:
    rows = layout.rows()
    numbers = np.array([number for number, _ in rows])
    frames = np.array([frame for _, frame in rows])
    vector = np.stack([numbers, frames], axis=1).astype(np.float32).tolist()
    columns: dict[str, Any] = {
        "timestamp": pa.array((frames / FPS).astype(np.float32)),
        "frame_index": pa.array(frames),
        "episode_index": pa.array(numbers),
        "index": pa.array(np.arange(len(rows))),
        "task_index": pa.array([layout.task_of(int(number)) for number in numbers]),
        "observation.state": pa.array(vector, pa.list_(pa.float32(), 2)),
        "action": pa.array(vector, pa.list_(pa.float32())),
    }
    if layout.dtype == "image":
        stored = [{"bytes": _encoded(layout, n, f), "path": f"{n}-{f}.png"} for n, f in rows]
        columns[KEY] = pa.array(stored, _STORED_IMAGE)
    return pa.table(columns | dict(layout.columns))


def _encoded(layout: Layout, number: int, frame: int) -> bytes:
    bgr = np.ascontiguousarray(picture_of(number, frame)[..., ::-1])
    return cv2.imencode(layout.encoding, bgr)[1].tobytes()


def _write_v2(root: Path, layout: Layout, table: pa.Table) -> None:
    _write_lines(
        root / "meta/tasks.jsonl",
        [{"task_index": index, "task": words} for index, words in layout.tasks.items()],
    )
    _write_lines(
        root / "meta/episodes.jsonl",
        [
            {"episode_index": n, "tasks": [layout.tasks[layout.task_of(n)]], "length": length}
            for n, length in layout.episodes.items()
        ],
    )
    of = np.array(table["episode_index"])
    for number in layout.numbers:
        part = table.take(pa.array(np.flatnonzero(of == number)))
        _write_table(part, root / f"data/chunk-000/episode_{number:06d}.parquet")
        if layout.dtype == "video":
            path = root / f"videos/chunk-000/{KEY}/episode_{number:06d}.mp4"
            write_video(path, [picture_of(number, f) for f in range(layout.episodes[number])])


def _write_v3(root: Path, layout: Layout, table: pa.Table) -> None:
    words = pa.table(
        {"task_index": list(layout.tasks), "__index_level_0__": list(layout.tasks.values())}
    )
    _write_table(words, root / "meta/tasks.parquet")
    order = np.arange(len(table))
    if layout.shuffled:  # whole episodes: within one, frames keep their order
        of = np.array(table["episode_index"])
        order = np.concatenate([np.flatnonzero(of == n) for n in layout.episodes])
    _write_table(table.take(pa.array(order)), root / "data/chunk-000/file-000.parquet")
    first, first_frame = 0, {}
    for number in layout.numbers:
        first_frame[number] = first
        first += layout.episodes[number]
    shown = [(n, f) for n in layout.episodes for f in range(layout.episodes[n])]
    if layout.dtype == "video":
        path = root / f"videos/{KEY}/chunk-000/file-000.mp4"
        write_video(path, [picture_of(n, f) for n, f in shown])
    rows = [
        {
            "episode_index": number,
            "tasks": [layout.tasks[layout.task_of(number)]],
            "length": length,
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": first_frame[number],
            "dataset_to_index": first_frame[number] + length,
            f"videos/{KEY}/chunk_index": 0,
            f"videos/{KEY}/file_index": 0,
            f"videos/{KEY}/from_timestamp": shown.index((number, 0)) / FPS,
            f"videos/{KEY}/to_timestamp": (shown.index((number, 0)) + length) / FPS,
        }
        for number, length in layout.episodes.items()
    ]
    _write_table(pa.Table.from_pylist(rows), root / "meta/episodes/chunk-000/file-000.parquet")


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    *,
    codec: str = "libvpx-vp9",
    pixels: str = "yuv420p",
    rate: int = FPS,
) -> None:
    """A video of RGB [h, w, 3], or of 12-bit codes [h, w] where `pixels` is `gray12le`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    form = "gray12le" if pixels == "gray12le" else "rgb24"
    with av.open(str(path), "w", format="mp4", options={"strict": "experimental"}) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=form)))
        out.mux(stream.encode(None))


def _write_table(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _write_lines(path: Path, lines: Sequence[Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
