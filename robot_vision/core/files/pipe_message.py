"""Messages between a process and its child over pipes: a JSON header and blocks of bytes."""

import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

# Length of the header and number of blocks; then each block, preceded by its length.
_HEAD = struct.Struct("<II")
_BLOCK = struct.Struct("<Q")
_LONGEST_HEADER = 1_000_000
_MOST_BLOCKS = 64
_LONGEST_BLOCK = 400_000_000


def write_message(out: BinaryIO, header: dict[str, Any], blocks: Sequence[bytes] = ()) -> None:
    """Raises `OSError` if nobody reads."""
    text = json.dumps(header).encode()
    out.write(_HEAD.pack(len(text), len(blocks)) + text)
    for block in blocks:
        out.write(_BLOCK.pack(len(block)))
        out.write(block)
    out.flush()


def read_message(source: BinaryIO) -> tuple[dict[str, Any], list[bytes]] | None:
    """None if the other end is gone; raises `ValueError` for anything that is not a message."""
    head = source.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, count = _HEAD.unpack(head)
    if length > _LONGEST_HEADER or count > _MOST_BLOCKS:
        raise ValueError(f"a message of {length} bytes and {count} blocks is not one of ours")
    header = json.loads(source.read(length))
    blocks = []
    for _ in range(count):
        (size,) = _BLOCK.unpack(source.read(_BLOCK.size))
        if size > _LONGEST_BLOCK:
            raise ValueError(f"a block of {size} bytes is not one of ours")
        blocks.append(source.read(size))
    return header, blocks
