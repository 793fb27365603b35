"""The files of a bundle: each below its folder, and each matching the sha256 in its manifest."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from robot_vision.core.errors import BundleError, ForeignFileError
from robot_vision.core.files.foreign import inside, quoted
from robot_vision.model_store.file_kinds import external_files, is_regular

_MOST_LISTED = 5
_LONGEST_VALUE = 200


def verify_files(
    folder: Path, models: Mapping[str, str], others: Mapping[str, str], *, manifest: Path
) -> None:
    """Check `models` and the `others` that they read (names to sha256s); raises `BundleError`.

    Every file must lie below `folder` and match its sha256, and a model may read only
    `others`: a file without a sha256 in `manifest` is not part of the bundle.
    """
    for name, expected in {**others, **models}.items():
        _verify(folder, name, expected, manifest=manifest)
    for name in models:
        unlisted = [n for n in external_files(folder / name) if n not in others]
        if unlisted:
            names = _some(map(quoted, unlisted), ", ")
            raise BundleError(
                f"{folder / name} reads weights from {names}, whose sha256 {manifest} does not "
                "give: write the bundle again (`robot-vision models import`)"
            )


def copy_external_files(model_file: Path, folder: Path, *, reserved: Iterable[str]) -> None:
    """Copy the files that `model_file` reads into `folder`, under the names that it reads.

    Raises `BundleError` if one of these names is `reserved` for another file of the bundle.
    """
    names = external_files(model_file)
    for name in names:
        if Path(name) in map(Path, reserved):
            raise BundleError(
                f"{model_file} reads weights from {quoted(name)}, which is the name of another "
                "file of its bundle: export it with another name for its weights"
            )
    for name in names:
        copy_file(model_file.parent / name, folder / name)


def copy_file(source: Path, target: Path) -> None:
    """Copy unless it is already there: a bundle may be written where its model lies."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or not target.samefile(source):
        shutil.copyfile(source, target)


def sha256s(folder: Path, models: Iterable[str]) -> dict[str, str]:
    """Names and sha256s of the further files in `folder` that these models read."""
    names = {name for model in models for name in external_files(folder / model)}
    return {name: sha256_of(folder / name) for name in sorted(names)}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def explain(error: ValidationError) -> str:
    """Each rejected field of a manifest, with its value and what is expected."""
    return _some(
        f"{'.'.join(map(_part, e['loc']))} = {_short(repr(e['input']))}: {_short(e['msg'])}"
        for e in error.errors(include_url=False)
    )


def _verify(folder: Path, name: str, expected: str, *, manifest: Path) -> None:
    try:
        path = inside(folder, name)
    except ForeignFileError as error:
        raise BundleError(f"{manifest}: {error}") from error
    if not is_regular(path):
        present = _some((quoted(p.name)[1:-1] for p in sorted(folder.iterdir())), ", ")
        raise BundleError(
            f"{folder / quoted(name)[1:-1]} is missing, or not a regular file; the folder has: "
            f"{present}"
        )
    try:
        actual = sha256_of(path)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error}") from error
    if not expected:
        raise BundleError(f"{manifest} has no sha256; that of {path.name} is {actual}")
    if actual != expected:
        raise BundleError(
            f"{path} is damaged or was replaced: its sha256 is {actual}, {manifest.name} says "
            f"{expected}"
        )


def _part(part: int | str) -> str:
    text = str(part)
    return text if text.isprintable() and len(text) <= 60 else quoted(text)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _some(parts: Iterable[str], between: str = "; ") -> str:
    """The first few of many, as one text: an untrusted file must not fill a log."""
    listed = list(parts)
    more = [f"and {len(listed) - _MOST_LISTED} more"] if len(listed) > _MOST_LISTED else []
    return between.join(listed[:_MOST_LISTED] + more)
