"""`models get`: turns a name into a bundle, as its source and its kind of model require."""

from dataclasses import dataclass, replace
from pathlib import Path

from robot_vision.core.errors import ConfigError
from robot_vision.foundation.convert import Converted, convert, unknown_kind
from robot_vision.foundation.download import Progress, download
from robot_vision.foundation.family import Asked, family_of
from robot_vision.foundation.hub import ONNX, PICKLED, SMALL, WEIGHTS, HubOptions, bring
from robot_vision.foundation.model_folder import UNKNOWN, ModelFolder, read_folder
from robot_vision.foundation.reference import Reference


@dataclass(frozen=True, kw_only=True, eq=False)
class Brought:
    """A model's local files: a folder, or an ONNX file to be identified by trying it."""

    folder: ModelFolder
    source: str
    licence: str
    onnx: Path | None = None


def bring_model(
    reference: Reference,
    options: HubOptions,
    *,
    sha256: str = "",
    licence: str = "",
    progress: Progress = lambda _done, _size: None,
) -> Brought:
    """Fetch missing files. Raises `DownloadError`; `ConfigError` for unusable models."""
    if reference.kind == "url":
        return _from_url(reference, sha256=sha256, licence=licence, progress=progress)
    if sha256:
        raise ConfigError("--sha256 is for a file from a URL; a hub's files come with theirs")
    if reference.kind == "folder":
        folder = read_folder(Path(reference.place))
        return _brought(folder, source=reference.place, licence=licence, reference=reference)
    folder = read_folder(bring(reference, SMALL, options))
    wanted = WEIGHTS if family_of(folder) is not None else ONNX
    path = bring(reference, (*SMALL, *wanted), options)
    folder = read_folder(path)
    if wanted is WEIGHTS and not folder.has(*WEIGHTS):
        folder = read_folder(bring(reference, (*SMALL, *PICKLED), options))
    commit = folder.path.name if folder.path.parent.name == "snapshots" else reference.revision
    source = f"{reference.place}@{commit}"
    return _brought(folder, source=source, licence=licence, reference=reference)


def make_bundle(brought: Brought, asked: Asked, out: Path) -> Converted:
    """The bundle of a folder of a known family."""
    asked = replace(asked, licence=brought.licence)
    return convert(brought.folder, asked, out, source=brought.source)


def _brought(folder: ModelFolder, *, source: str, licence: str, reference: Reference) -> Brought:
    listed = reference.known.licence if reference.known is not None else UNKNOWN
    said = licence or (folder.licence if folder.licence != UNKNOWN else listed)
    onnx = None
    if family_of(folder) is None:
        onnx = next((p for name in ONNX if (p := folder.path / name).is_file()), None)
        if onnx is None:
            raise ConfigError(unknown_kind(folder))
    return Brought(folder=folder, source=source, licence=said, onnx=onnx)


def _from_url(reference: Reference, *, sha256: str, licence: str, progress: Progress) -> Brought:
    url = reference.place
    if not url.partition("?")[0].endswith(".onnx"):
        raise ConfigError(
            f"{url!r}: a URL must name an ONNX file (….onnx). Weights without their config.json "
            "are not enough: give the folder, or hf:ORG/MODEL with --hub for a mirror"
        )
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ConfigError(
            f"--sha256 {sha256!r}: expected the 64 hexadecimal digits of the file, as its "
            "publisher gives them; nothing is fetched without"
        )
    file = download(url, sha256=sha256, progress=progress)
    return Brought(
        folder=read_folder(file.parent), source=url, licence=licence or UNKNOWN, onnx=file
    )
