"""Fetches a model's files from a hub, its mirror, or a folder of that layout; only safe ones.

The small files that identify the model come first; weights only if the model can be used.
Files go to the cache of huggingface_hub, shared with other programs.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError, MissingDependencyError
from robot_vision.core.files.foreign import brief
from robot_vision.foundation.download import DownloadError
from robot_vision.foundation.reference import Reference
from robot_vision.model_store.bundle_files import sha256_of

SMALL = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "README.md",
)
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "model-?????-of-?????.safetensors")
# Read as tensors only, and only if there is nothing better.
PICKLED = ("pytorch_model.bin",)
ONNX = ("model.onnx", "model.onnx_data", "onnx/model.onnx", "onnx/model.onnx_data")
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """`hub`: a mirror's URL, or a folder that holds ORG/MODEL. `offline`: the cache only."""

    hub: str = ""
    offline: bool = False


def bring(reference: Reference, patterns: Sequence[str], options: HubOptions) -> Path:
    """The local folder of the model, with those of its files that match.

    Without a connection the cache is used. Raises `DownloadError` with what to do.
    """
    folder = Path(options.hub).expanduser() if options.hub else None
    if folder is not None and folder.is_dir():
        return _in_folder(folder, reference)
    if options.hub and not options.hub.startswith(("http://", "https://")):
        raise ConfigError(
            f"--hub {options.hub!r} is not a folder; expected one, or a mirror's URL"
        )
    path = Path(_snapshot(reference, list(patterns), options))
    for pattern in patterns:
        for file in path.glob(pattern):
            _check(file)
    return path


def _in_folder(root: Path, reference: Reference) -> Path:
    """ORG/MODEL below the root, or the layout of huggingface_hub's cache."""
    plain = root / reference.place
    if plain.is_dir():
        return plain
    cached = root / f"models--{reference.place.replace('/', '--')}"
    named = cached / "refs" / reference.revision
    commit = named.read_text().strip() if named.is_file() else reference.revision
    if (cached / "snapshots" / commit).is_dir():
        return cached / "snapshots" / commit
    raise DownloadError(
        f"{root} has neither {reference.place} nor {cached.name} with revision "
        f"{reference.revision!r}: expected a folder with one folder for each model"
    )


def _snapshot(reference: Reference, patterns: list[str], options: HubOptions) -> str:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingDependencyError(
            f"models from a hub need huggingface_hub ({error}): pip install "
            "'robot_vision[foundation]', or give the folder of a model that you have"
        ) from error
    fetch: Callable[..., Any] = snapshot_download
    try:
        return fetch(
            reference.place,
            revision=reference.revision,
            allow_patterns=patterns,
            endpoint=options.hub or None,
            local_files_only=options.offline,
        )
    except Exception as error:  # errors of its own, of its HTTP client, and of the disk
        raise DownloadError(
            f"{reference.place}@{reference.revision} cannot be fetched: {brief(error)}. "
            f"{_advice(error)}"
        ) from error


def _advice(error: Exception) -> str:
    name = type(error).__name__
    if name == "GatedRepoError":
        return "Its owner requires consent: accept the terms on its page, then run `hf auth login`"
    if name in ("RepositoryNotFoundError", "RevisionNotFoundError"):
        return "Check the name (hf:ORG/MODEL@REVISION); a private one needs `hf auth login`"
    return (
        "Files already downloaded are kept, and the same command resumes. Without a network: "
        "--hub with a mirror or a folder, or the cache of a machine that has it (HF_HOME)"
    )


def _check(file: Path) -> None:
    """The hub names large files by their SHA-256, but its client does not check it."""
    if (
        file.is_symlink()
        and _SHA256.match(name := file.resolve().name)
        and sha256_of(file) != name
    ):
        raise DownloadError(
            f"{file} is damaged: its sha256 is not {name}, the name the hub gives it. Delete "
            f"{file.resolve()}, and run the same command again"
        )
