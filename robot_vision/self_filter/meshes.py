"""The points of a mesh that a URDF names, where its file can be found: STL and OBJ.

ROS packages are found as ROS does, by `share/PACKAGE` below each of AMENT_PREFIX_PATH. The
description comes from the network: no more of a file is read than `_MOST_BYTES`.
"""

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
from jaxtyping import Float64

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.foreign import inside, quoted

Points = Float64[np.ndarray, "n 3"]

_MOST_BYTES = 50_000_000
_STL_HEAD_BYTES = 84
_STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read_mesh(uri: str) -> Points:
    """Corners of the mesh at `uri` (package://, file:// or a path), in the file's unit.

    Raises `ValueError` that says why there are none.
    """
    path = _find(uri)
    readers = {".stl": _stl, ".obj": _obj}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{quoted(uri)} is none of {', '.join(readers)}")
    try:
        if not path.is_file():
            raise ValueError(f"{quoted(uri)} is no file here: {path}")
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{quoted(uri)} has more than {_MOST_BYTES} bytes")
        return reader(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{quoted(uri)} cannot be read: {error}") from error


def _find(uri: str) -> Path:
    address = urlparse(uri)
    name = unquote(address.path).lstrip("/")
    if address.scheme in ("", "file"):
        return Path("/", name)
    if address.scheme != "package":
        raise ValueError(f"{quoted(uri)} is no package://, no file:// and no path")
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for prefix in prefixes:
        share = Path(prefix, "share")
        try:
            found = inside(share, f"{address.netloc}/{name}")
        except ForeignFileError:
            continue
        if found.is_file():
            return found
    raise ValueError(f"{quoted(uri)} is in no package of AMENT_PREFIX_PATH")


def _stl(data: bytes) -> Points:
    if len(data) >= _STL_HEAD_BYTES:
        count = int.from_bytes(data[80:84], "little")
        if len(data) == _STL_HEAD_BYTES + count * _STL_TRIANGLE.itemsize:
            triangles = np.frombuffer(data, _STL_TRIANGLE, offset=_STL_HEAD_BYTES)
            return triangles["corners"].reshape(-1, 3).astype(np.float64)
    return _vertices(data, "vertex")


def _obj(data: bytes) -> Points:
    return _vertices(data, "v")


def _vertices(data: bytes, word: str) -> Points:
    """Points of lines that begin with `word`, as text formats have them."""
    lines = (line.split() for line in data.decode("utf-8").splitlines())
    points = [[float(part) for part in line[1:4]] for line in lines if line[:1] == [word]]
    if not points or any(len(point) != 3 for point in points):
        raise ValueError(f"no lines of {word!r} with three numbers: no mesh, or a damaged one")
    return np.array(points)
