"""Files of a model from a hub, its mirror, or a folder of that shape; only what is safe to read.

First the small files are fetched, which say what the model is; weights only where it can be used.
Files lie in the cache of huggingface_hub, beside those of other programs.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError, MissingDependencyError
from robot_vision.core.foreign import brief
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
# Read as tensors alone, and only where there is nothing better.
PICKLED = ("pytorch_model.bin",)
ONNX = ("model.onnx", "model.onnx_data", "onnx/model.onnx", "onnx/model.onnx_data")
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """`hub`: a mirror's URL, or a folder that holds ORG/MODEL. `offline`: the cache alone."""

    hub: str = ""
    offline: bool = False


def bring(reference: Reference, patterns: Sequence[str], options: HubOptions) -> Path:
    """The folder of the model here, with those of its files that match.

    Without a connection what is in the cache serves. Raises `DownloadError` with what to do.
    """
    folder = Path(options.hub).expanduser() if options.hub else None
    if folder is not None and folder.is_dir():
        return _in_folder(folder, reference)
    if options.hub and not options.hub.startswith(("http://", "https://")):
        raise ConfigError(f"--hub {options.hub!r} is no folder; expected one, or a mirror's URL")
    path = Path(_snapshot(reference, list(patterns), options))
    for pattern in patterns:
        for file in path.glob(pattern):
            _check(file)
    return path


def _in_folder(root: Path, reference: Reference) -> Path:
    """ORG/MODEL below the root, or as the cache of huggingface_hub has it."""
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
    except Exception as error:  # its own, those of its HTTP client, those of the disk
        raise DownloadError(
            f"{reference.place}@{reference.revision} cannot be fetched: {brief(error)}. "
            f"{_advice(error)}"
        ) from error


def _advice(error: Exception) -> str:
    name = type(error).__name__
    if name == "GatedRepoError":
        return "Its owner asks for consent: accept it on its page, then `hf auth login`"
    if name in ("RepositoryNotFoundError", "RevisionNotFoundError"):
        return "Look at the name (hf:ORG/MODEL@REVISION); a private one needs `hf auth login`"
    return (
        "What came is kept, and the same command goes on. Without a network: --hub with a mirror "
        "or a folder, or the cache of a machine that has it (HF_HOME)"
    )


def _check(file: Path) -> None:
    """The hub names large files by their SHA-256, and its client does not look."""
    if (
        file.is_symlink()
        and _SHA256.match(name := file.resolve().name)
        and sha256_of(file) != name
    ):
        raise DownloadError(
            f"{file} is damaged: its sha256 is not {name}, by which the hub has it. Delete "
            f"{file.resolve()}, and run the same command again"
        )
