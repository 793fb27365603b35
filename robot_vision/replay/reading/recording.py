"""A recording: one file, or the files of a split bag one after another."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile

from robot_vision.codecs.unpack import Unpacker
from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.natural import natural
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits
from robot_vision.core.parameters.values import load_yaml
from robot_vision.replay.reading.containers.mcap import McapFile
from robot_vision.replay.reading.containers.ros1 import Ros1File
from robot_vision.replay.reading.containers.sqlite import SqliteFile
from robot_vision.replay.reading.messages import (
    BagError,
    Container,
    Problems,
    RawMessage,
    refuse_lfs_pointer,
)

PLAIN = (".mcap", ".db3", ".bag")
PACKED = (".zstd", ".zst")
# ROS 1 calls a bag that was never closed `run.bag.active`.
SUFFIXES = (*PLAIN, ".bag.active", *(plain + packed for plain in PLAIN for packed in PACKED))


class Recording:
    """Messages of a rosbag2 directory, a single file of one, or a ROS 1 bag.

    Damage never raises: everything readable is read, the rest is reported in `problems`.
    """

    def __init__(self, path: Path, limits: InputLimits = DEFAULT_LIMITS) -> None:
        self.path = path
        self._limits = limits
        self._problems_on_opening = Problems()
        self._compressed_messages = False
        self._paths = self._find_files(path)
        for file in self._paths:
            refuse_lfs_pointer(file)
        self.is_ros1 = _is_ros1(self._paths[0])
        self.size_bytes = sum(file.stat().st_size for file in self._paths)
        self._read_before = 0
        self._current: Container | None = None

    @property
    def done(self) -> float:
        """Share of the recording read so far, 0 to 1."""
        current = self._current
        inside = current.read_bytes / max(current.size_bytes, 1) if current else 0.0
        size = current.size_bytes if current else 0
        return min((self._read_before + inside * size) / max(self.size_bytes, 1), 1.0)

    def messages(self, problems: Problems) -> Iterator[RawMessage]:
        """All messages, file by file, in the order of recording."""
        for kind, seen in self._problems_on_opening.as_dict().items():
            problems.add(kind, seen["first"], times=seen["count"])
        self._read_before = 0
        unpacker = Unpacker(self.size_bytes, self._limits)
        for path in self._paths:
            with _Opened(path, unpacker, problems) as container:
                self._current = container
                messages = container.messages(problems)
                if self._compressed_messages:
                    messages = _decompressed(messages, unpacker, problems)
                yield from messages
                self._read_before += path.stat().st_size
                self._current = None

    def _find_files(self, path: Path) -> list[Path]:
        if path.is_file():
            if not path.name.endswith(SUFFIXES):
                raise BagError(
                    f"{path}: expected a recording ({', '.join(SUFFIXES)}), a video, or a folder "
                    "of images; to replay one picture, give a folder that holds it"
                )
            return [path]
        if not path.is_dir():
            raise BagError(f"{path} does not exist")
        files = (f for f in path.iterdir() if f.name.endswith(SUFFIXES) and f.is_file())
        present = _once(sorted(files, key=natural))
        if not present:
            raise BagError(f"{path} contains no file ending in {', '.join(SUFFIXES)}")
        if len({_is_ros1(file) for file in present}) > 1:
            names = ", ".join(file.name for file in present[:6])
            raise BagError(
                f"{path} contains recordings of ROS 1 and ROS 2 ({names}); name one of the files"
            )
        return self._by_metadata(path, present)

    def _by_metadata(self, path: Path, present: list[Path]) -> list[Path]:
        """The files in the order of metadata.yaml; without it, by name."""
        try:
            info = load_yaml(path / "metadata.yaml")["rosbag2_bagfile_information"]
            # Names only: a recording's files lie in its folder, and no others are opened.
            names = [Path(name).name for name in info["relative_file_paths"]]
            self._compressed_messages = (info.get("compression_mode") or "").lower() == "message"
        except (ConfigError, KeyError, TypeError, AttributeError) as error:
            detail = f"{path.name}/metadata.yaml: {error!r}; files taken by name"
            self._problems_on_opening.add("metadata unreadable", detail)
            return present
        listed = [self._listed(path / name) for name in dict.fromkeys(names)]
        return list(dict.fromkeys(file for file in listed if file is not None)) or present

    def _listed(self, file: Path) -> Path | None:
        """The file named in the metadata, or its decompressed version."""
        if file.is_file():
            return file
        for other in _plain_and_packed(file):
            if other.is_file():
                detail = f"{file.name} is missing; {other.name} is used"
                self._problems_on_opening.add("file packed otherwise than listed", detail)
                return other
        self._problems_on_opening.add("file missing", f"{file}")
        return None


def _is_ros1(path: Path) -> bool:
    return ".bag" in path.suffixes[-2:]


def _plain(path: Path) -> Path:
    """The name without a compression suffix."""
    return path.with_suffix("") if path.suffix in PACKED else path


def _plain_and_packed(path: Path) -> list[Path]:
    plain = _plain(path)
    return [plain, *(plain.with_name(plain.name + ending) for ending in PACKED)]


def _once(files: list[Path]) -> list[Path]:
    """Leave out compressed copies of files that are there."""
    return [file for file in files if _plain(file) == file or _plain(file) not in files]


class _Opened:
    """A container by the file's suffix, decompressed first if needed."""

    def __init__(self, path: Path, unpacker: Unpacker, problems: Problems) -> None:
        self._path = path
        self._unpacker = unpacker
        self._problems = problems
        self._unpacked: Path | None = None

    def __enter__(self) -> Container:
        path = self._path
        if path.suffix in PACKED:
            path = self._unpacked = _unpack(path, self._unpacker, self._problems)
        if path.suffix == ".mcap":
            return McapFile(path, self._unpacker)
        if _is_ros1(path):
            return Ros1File(path, self._unpacker)
        return SqliteFile(path, self._unpacker)

    def __exit__(self, *exc: object) -> None:
        if self._unpacked is not None:
            self._unpacked.unlink(missing_ok=True)


def _decompressed(
    messages: Iterator[RawMessage], unpacker: Unpacker, problems: Problems
) -> Iterator[RawMessage]:
    """Messages of a recording with per-message compression."""
    for message in messages:
        try:
            data = unpacker.unpack(message.data, "zstd")
        except ForeignFileError as error:
            detail = f"{message.topic} at log time {message.log_ns} ns: {error}"
            problems.add("message damaged", detail)
            continue
        yield replace(message, data=data)


def _unpack(path: Path, unpacker: Unpacker, problems: Problems) -> Path:
    """A temporary copy of a file compressed as a whole, as far as it can be decompressed."""
    with NamedTemporaryFile(suffix=Path(path.stem).suffix, delete=False) as file:
        plain = Path(file.name)
    try:
        unpacker.unpack_file(path, plain)
    except ForeignFileError as error:
        problems.add("file damaged", f"{path.name}: {error}")
    except BaseException:
        plain.unlink(missing_ok=True)
        raise
    return plain
