"""TensorRT engines as files: the plan, and the metadata that Ultralytics writes before it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.errors import BundleError

_LONGEST_HEADER = 2**20
_LENGTH_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class EngineFile:
    """`plan` is what TensorRT reads; `metadata` maps names to text, as in ONNX files."""

    plan: bytes
    metadata: Mapping[str, str]


def read_engine(path: Path) -> EngineFile:
    """The plan in `path` and its metadata; raises `BundleError` if it cannot be read.

    Ultralytics begins a file with the length of a JSON object (four bytes, little-endian) and
    that object. A plan of TensorRT begins with `ftrt`, which is not a valid length.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error}") from error
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    end = _LENGTH_BYTES + length
    has_header = content[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{" and length <= _LONGEST_HEADER
    if not has_header:
        return EngineFile(plan=content, metadata={})
    if len(content) < end:
        raise BundleError(f"{path} ends within its metadata: copy it again")
    try:
        found = json.loads(content[_LENGTH_BYTES:end])
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{path} begins with metadata that are not valid JSON: {error}"
        ) from error
    return EngineFile(plan=content[end:], metadata={k: str(v) for k, v in found.items()})
