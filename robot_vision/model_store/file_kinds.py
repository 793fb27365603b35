"""Kinds of model file: which can run code when loaded, and whether content matches the name."""

import pickletools
from pathlib import Path
from typing import Literal

from robot_vision.core.errors import BundleError, ForeignFileError
from robot_vision.core.files.code_permission import OPTION, code_is_permitted
from robot_vision.core.files.foreign import inside, quoted
from robot_vision.model_store.onnx_needs import read_needs

Kind = Literal["onnx", "safetensors", "program", "pickle", "engine", "other"]

_KIND_OF_SUFFIX: dict[str, Kind] = {
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    ".pt2": "program",
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib"), "pickle"),
    **dict.fromkeys((".engine", ".plan", ".trt"), "engine"),
}
WHAT_A_KIND_CAN_DO: dict[Kind, str] = {
    "onnx": ".onnx: a graph of ONNX Runtime's own operators; runs no code of its author",
    "safetensors": ".safetensors: weights of one of our models; runs no code of its author",
    "program": f".pt2: can run any code when loaded; refused without {OPTION}",
    "pickle": ".pt, .pth, .bin, .pkl: can run any code when loaded; always refused",
    "engine": ".engine, .plan, .trt: a TensorRT engine, for one kind of GPU; can run any code "
    f"when loaded; refused without {OPTION}",
}
RUNS_CODE: tuple[Kind, ...] = ("program", "pickle", "engine")
_MAY_BE_ALLOWED: tuple[Kind, ...] = ("program", "engine")
_CONVERT = "Convert it to ONNX or safetensors"
_ONNX_OF_ENGINE = (
    "Import the ONNX file that it was built from: with --device tensorrt its engine is built "
    "where it runs, and kept"
)

# Operators whose domain is one of these come with ONNX Runtime.
_BUILT_IN_DOMAINS = {
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.preview",
    "com.microsoft",
    "com.microsoft.nchwc",
    "com.ms.internal.nhwc",
}
# They pass the file's content, or another file that it names, to another program.
_UNSAFE_OPERATORS = {"EPContext", "PythonOp", "PythonOpGrad", "Snpe"}
_LONGEST_HEADER = 100 * 2**20  # of safetensors, as in its own reader


def is_regular(path: Path) -> bool:
    """Whether it is a regular file; the name is untrusted."""
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def kind_of(file: Path) -> Kind:
    """The kind of file, by its name."""
    return _KIND_OF_SUFFIX.get(file.suffix.lower(), "other")


def external_files(file: Path) -> tuple[str, ...]:
    """Names of the files beside `file` from which it reads its weights, after checking it.

    Raises `BundleError` if its content is not what its name says, or requires what is never
    allowed: custom operators, programs, files outside its own folder.
    """
    _refuse_disguise(file)
    if kind_of(file) != "onnx":
        return ()
    needs = read_needs(file)
    for domain, name in sorted(needs.operators - needs.functions):
        if domain not in _BUILT_IN_DOMAINS:
            raise BundleError(
                f"{file} needs the operator {quoted(name)} of domain {quoted(domain)}, which ONNX "
                "Runtime does not have. Libraries of custom operators can run any code and are "
                "never loaded; export the model with standard operators"
            )
        if name in _UNSAFE_OPERATORS:
            raise BundleError(
                f"{file} has the operator {quoted(name)}, which passes a program or another file "
                "to the device: it can run any code and is always refused; export the model with "
                "standard operators"
            )
    return tuple(_checked_name(file, name) for name in sorted(needs.external_files))


def refuse_code(file: Path) -> None:
    """Raise `BundleError` if loading `file` can run code and that is not allowed."""
    kind = kind_of(file)
    if kind not in RUNS_CODE or (kind in _MAY_BE_ALLOWED and code_is_permitted()):
        return
    instead = _ONNX_OF_ENGINE if kind == "engine" else _CONVERT
    but = f"; or pass {OPTION} on the command line if you trust its author"
    raise BundleError(
        f"{file} was not loaded: this kind of file ({file.suffix}) can run any code when it is "
        f"loaded. {instead}{but if kind in _MAY_BE_ALLOWED else ''}"
    )


def _refuse_disguise(file: Path) -> None:
    """Keep a program or pickle named like a harmless kind away from every loader."""
    kind = kind_of(file)
    if kind not in ("onnx", "safetensors"):
        return
    try:
        with file.open("rb") as opened:
            start = opened.read(64)
    except OSError as error:
        raise BundleError(f"cannot read {file}: {error}") from error
    found = _program_in(start)
    if found:
        raise BundleError(
            f"{file} is not {kind}, whatever its name says, but {found}: this kind of file can "
            f"run any code when it is loaded, and was not opened. {_CONVERT}"
        )
    if kind == "safetensors" and not _has_safetensors_header(file, start):
        raise BundleError(f"{file} is not a safetensors file: it does not begin with a header")


def _program_in(start: bytes) -> str:
    """The kind of program a file with this beginning is, as text; empty if unknown."""
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "a zip archive, as PyTorch writes its programs and pickles"
    if start.startswith(b"\x7fELF"):
        return "a program for Linux"
    # Protocols 2 to 5 begin with their number; older ones with their first object.
    if (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05") or _begins_old_pickle(start):
        return "a pickle"
    return ""


def _begins_old_pickle(start: bytes) -> bool:
    """Whether the first operations of a pickle of protocol 0 or 1 import something."""
    try:
        for number, (operation, _, _) in enumerate(pickletools.genops(start)):
            if operation.name in ("GLOBAL", "INST"):
                return True
            if number > 8:
                return False
    except ValueError:  # not a pickle, or the end of the piece that was read
        return False
    return False


def _has_safetensors_header(file: Path, start: bytes) -> bool:
    length = int.from_bytes(start[:8], "little")
    most = min(file.stat().st_size - 8, _LONGEST_HEADER)
    return len(start) > 8 and 2 <= length <= most and start[8:9] == b"{"


def _checked_name(file: Path, name: str) -> str:
    """A name of external data that is a regular file below the model's folder."""
    about = f"{file} reads weights from {quoted(name)}"
    # ONNX Runtime interprets names with asterisks as memory addresses.
    if name.startswith("/") or ".." in name.split("/") or set(name) & set("*\\\0"):
        raise BundleError(f"{about}, which is not in its folder: it was not opened")
    try:
        path = inside(file.parent, name)
    except ForeignFileError as error:
        raise BundleError(
            f"{about}, which a link puts outside its folder: it was not opened (if the link "
            "is yours, copy the folder with `cp -rL`)"
        ) from error
    if not is_regular(path):
        raise BundleError(f"{about}, which is missing: it belongs beside the model")
    return name
