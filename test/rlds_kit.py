"""Datasets in RLDS as TensorFlow Datasets writes them, by a writer that is the tests' own."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Value = Sequence[bytes] | np.ndarray
NAME, WIDTH, HEIGHT = "toy", 48, 32


def slow_crc32c(data: bytes) -> int:
    """Bit by bit, as its definition says."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked_crc(data: bytes) -> bytes:
    crc = slow_crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + masked_crc(head) + data + masked_crc(data)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def chunk(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def feature(value: Value) -> bytes:
    """A `Feature`: bytes, floats or integers by what `value` holds."""
    if not isinstance(value, np.ndarray):
        return chunk(1, b"".join(chunk(1, item) for item in value))
    flat = value.reshape(-1)
    if value.dtype.kind == "f":
        return chunk(2, chunk(1, flat.astype("<f4").tobytes()))
    return chunk(3, chunk(1, b"".join(varint(int(item)) for item in flat)))


def example(features: Mapping[str, Value]) -> bytes:
    entries = (
        chunk(1, chunk(1, name.encode()) + chunk(2, feature(value)))
        for name, value in features.items()
    )
    return chunk(1, b"".join(entries))


def rgb_of(episode: int, step: int, camera: int = 0) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), (20 * episode, 10 * step, 100 * camera), np.uint8)


def depth_mm_of(step: int) -> np.ndarray:
    depth_mm = np.full((HEIGHT, WIDTH), 500 + 10 * step, np.uint16)
    depth_mm[0, 0] = 0
    return depth_mm


def png(pixels: np.ndarray) -> bytes:
    """Colour is RGB, as everywhere but in OpenCV."""
    image = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    return cv2.imencode(".png", image)[1].tobytes()


def actions_of(episode: int, steps: int) -> np.ndarray:
    return (np.arange(steps * 3, dtype=np.float32).reshape(steps, 3) + 100 * episode) / 8


def episode(index: int, steps: int, **others: Value) -> dict[str, Value]:
    """Colour of two cameras, depth of the first, three actions, words, flags."""
    first = np.zeros(steps, np.int64)
    first[:1] = 1
    return {
        "steps/is_first": first,
        "steps/observation/image": [png(rgb_of(index, s)) for s in range(steps)],
        "steps/observation/wrist_image": [png(rgb_of(index, s, 1)) for s in range(steps)],
        "steps/observation/depth": [png(depth_mm_of(s)) for s in range(steps)],
        "steps/action": actions_of(index, steps),
        "steps/language_instruction": [f"task {index}".encode()] * steps,
        **others,
    }


def image(dtype: str, *shape: int) -> dict[str, Any]:
    return {"image": {"shape": {"dimensions": [str(s) for s in shape]}, "dtype": dtype}}


def tensor(dtype: str, *shape: int, encoding: str = "none") -> dict[str, Any]:
    shown = {"dimensions": [str(side) for side in shape]} if shape else {}
    return {"tensor": {"shape": shown, "dtype": dtype, "encoding": encoding}}


OBSERVATION = {
    "image": image("uint8", HEIGHT, WIDTH, 3),
    "wrist_image": image("uint8", HEIGHT, WIDTH, 3),
    "depth": image("uint16", HEIGHT, WIDTH, 1),
}
STEPS = {
    "action": tensor("float32", 3),
    "is_first": tensor("bool"),
    "language_instruction": {"text": {}},
}


def group(features: Mapping[str, Any]) -> dict[str, Any]:
    return {"featuresDict": {"features": dict(features)}}


def described(
    steps: Mapping[str, Any] = STEPS,
    observation: Mapping[str, Any] = OBSERVATION,
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What `features.json` says."""
    of_step = group({**steps, "observation": group(observation)})
    all_steps = {"sequence": {"feature": of_step, "length": "-1"}}
    return group({"steps": all_steps, "episode_metadata": group(metadata or {})})


def write_shard(path: Path, examples: Sequence[Mapping[str, Value]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(record(example(features)) for features in examples))


def write_set(
    root: Path, splits: Mapping[str, Sequence[Sequence[Mapping[str, Value]]]], features: Any
) -> Path:
    """A dataset of version 1.0.0; `splits` has for each the examples of each of its shards."""
    folder = root / NAME / "1.0.0"
    for split, shards in splits.items():
        for number, examples in enumerate(shards):
            name = f"{NAME}-{split}.tfrecord-{number:05d}-of-{len(shards):05d}"
            write_shard(folder / name, examples)
    info = {
        "name": NAME,
        "fileFormat": "tfrecord",
        "splits": [
            {"name": split, "shardLengths": [str(len(shard)) for shard in shards]}
            for split, shards in splits.items()
        ],
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    if features is not None:
        (folder / "features.json").write_text(json.dumps(features))
    return folder
