"""The features of a dataset: from `features.json`, or inferred from a first episode."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from robot_vision.codecs.header import PNG_MAGIC, read_header
from robot_vision.core.errors import EncodingError, ForeignFileError
from robot_vision.core.files.foreign import read_json
from robot_vision.datasets.rlds.example import Read, Values

FILE = "features.json"
STEPS = "steps/"
_MOST_DEPTH = 16
_HEADER_BYTES = 64 * 1024
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
# TFDS writes booleans and integers as int64, floats as f32, text and encoded pictures as bytes.
FeatureKind = Literal["image", "tensor", "text"]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """`shape` is that of one step, 0 for a varying side; `encoding` is TFDS's of tensors."""

    name: str
    kind: FeatureKind
    shape: tuple[int, ...] = ()
    dtype: str = ""
    encoding: str = "none"

    @property
    def short(self) -> str:
        """The name without `steps/` and `observation/`."""
        return self.name.removeprefix(STEPS).removeprefix("observation/")

    @property
    def words(self) -> list[str]:
        """The parts of the short name."""
        return self.short.lower().replace("/", "_").split("_")

    @property
    def channels(self) -> int:
        """1 if there is no colour axis."""
        return self.shape[-1] if len(self.shape) == 3 else 1


def described_features(folder: Path) -> list[Feature]:
    """The features in `features.json`; none if it is missing or of an older kind.

    Raises `ForeignFileError` if it cannot be read.
    """
    path = folder / FILE
    return list(_walk(read_json(path), "", 0)) if path.exists() else []


def _walk(node: Any, name: str, depth: int) -> Iterator[Feature]:
    if not isinstance(node, dict):
        return
    if depth > _MOST_DEPTH:
        raise ForeignFileError(f"{FILE}: features within features, {_MOST_DEPTH} deep")
    inner = node.get("featuresDict", {})
    members = inner.get("features", {}) if isinstance(inner, dict) else {}
    for key, member in members.items() if isinstance(members, dict) else ():
        yield from _walk(member, f"{name}/{key}" if name else key, depth + 1)
    if isinstance(sequence := node.get("sequence"), dict) and name == STEPS[:-1]:
        yield from _walk(sequence.get("feature"), name, depth + 1)
    if isinstance(image := node.get("image"), dict):
        yield _feature(name, "image", image)
    if isinstance(tensor := node.get("tensor"), dict):
        yield _feature(name, "tensor", tensor)
    if isinstance(node.get("text"), dict):
        yield Feature(name=name, kind="text")


def _feature(name: str, kind: FeatureKind, about: Mapping[str, Any]) -> Feature:
    shape = about.get("shape")
    sides = shape.get("dimensions", []) if isinstance(shape, dict) else []
    dtype = str(about.get("dtype", ""))
    is_text = kind == "tensor" and dtype in ("string", "object")
    return Feature(
        name=name,
        kind="text" if is_text else kind,
        shape=tuple(_side(side) for side in sides) if isinstance(sides, list) else (),
        dtype=dtype,
        encoding=str(about.get("encoding", "none")).lower(),
    )


def _side(text: Any) -> int:
    """JSON holds 64-bit integers as texts; -1 is a side that varies."""
    try:
        return max(int(text), 0)
    except (TypeError, ValueError):
        return 0


def seen_features(example: Mapping[str, Values], *, steps: int, read: Read) -> list[Feature]:
    """The features of an example, inferred from its values."""
    return [_seen(name, values, steps, read) for name, values in sorted(example.items())]


def _seen(name: str, values: Values, steps: int, read: Read) -> Feature:
    if values.kind == "bytes":
        return _seen_bytes(name, values, read)
    dtype = {"float": "float32", "int": "int64"}[values.kind]
    size_bytes = sum(span.size for span in values.spans)
    count = size_bytes // 4 if values.kind == "float" else 0
    width = count // steps if steps and name.startswith(STEPS) else count
    return Feature(name=name, kind="tensor", shape=(width,) if width > 1 else (), dtype=dtype)


def _seen_bytes(name: str, values: Values, read: Read) -> Feature:
    first = next((span for span in values.spans if span.size), None)
    head = read(first.begin, min(first.size, _HEADER_BYTES)) if first else b""
    try:
        header = read_header(head)
    except EncodingError:
        return Feature(name=name, kind="text")
    is_png = head.startswith(PNG_MAGIC)
    bits, channels = (head[24], _PNG_CHANNELS.get(head[25], 3)) if is_png else (8, 3)
    return Feature(
        name=name,
        kind="image",
        shape=(header.height_px, header.width_px, channels),
        dtype="uint16" if bits == 16 else "uint8",
    )
