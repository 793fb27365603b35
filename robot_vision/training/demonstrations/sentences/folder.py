"""A user's frozen sentence encoder in a folder: ONNX, or a transformers model."""

from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.identity import identity_of
from robot_vision.model_store.bundle_files import sha256_of
from robot_vision.model_store.file_kinds import external_files
from robot_vision.policies.language.sentences import MOST_TOKENIZER_BYTES, SentenceEncoder
from robot_vision.training.demonstrations.sentences.conversion import (
    CONFIG,
    converted,
    weights_of,
)

TOKENIZER = "tokenizer.json"
MOST_NETWORK_BYTES = 2**30
# Location in Hugging Face's folders.
_ONNX = ("model.onnx", "onnx/model.onnx")


@dataclass(frozen=True, kw_only=True, eq=False)
class SentenceFolder:
    """Network and tokenizer, and a hash over their sources and `max_tokens`."""

    name: str
    network: Path
    tokenizer: Path
    max_tokens: int
    sha256: str

    def encoder(self) -> SentenceEncoder:
        """Loaded and tested. Raises `BundleError`."""
        return SentenceEncoder(self.network, self.tokenizer, max_tokens=self.max_tokens)


def open_sentence_folder(
    folder: str | Path, *, max_tokens: int, cache_dir: str | Path
) -> SentenceFolder:
    """`model.onnx` beside `tokenizer.json`; else a transformers model, converted to ONNX once.

    If both exist, ONNX is used: it needs no transformers. Raises `ConfigError` for files
    missing or too large, `BundleError` if the conversion fails.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"options.sentences.folder = {str(folder)!r} is not a folder: expected one with "
            f"{TOKENIZER} and model.onnx, or a transformers model ({CONFIG}, model.safetensors)"
        )
    tokenizer = folder / TOKENIZER
    if not tokenizer.is_file():
        raise ConfigError(
            f"{folder} has no {TOKENIZER}: save the tokenizer with "
            "`AutoTokenizer.from_pretrained(…).save_pretrained(folder)` of transformers"
        )
    _check_size([tokenizer], MOST_TOKENIZER_BYTES)
    onnx = next((folder / name for name in _ONNX if (folder / name).is_file()), None)
    if onnx is not None:
        made_of = [onnx, *(onnx.parent / name for name in external_files(onnx))]
    else:
        made_of = weights_of(folder)
    _check_size(made_of, MOST_NETWORK_BYTES)
    sha256 = identity_of(
        {
            "files": {path.name: sha256_of(path) for path in (tokenizer, *made_of)},
            "max_tokens": max_tokens,
        }
    )
    if onnx is None:
        onnx = converted(folder, cache_dir, sha256, max_tokens=max_tokens)
    return SentenceFolder(
        name=folder.resolve().name,
        network=onnx,
        tokenizer=tokenizer,
        max_tokens=max_tokens,
        sha256=sha256,
    )


def _check_size(files: list[Path], most_bytes: int) -> None:
    size = sum(path.stat().st_size for path in files)
    if size > most_bytes:
        raise ConfigError(
            f"{files[0]} has {size / 2**20:.0f} MiB; expected {most_bytes / 2**20:.0f} at most: "
            "the encoder travels in the policy's bundle, and runs on the robot's CPU"
        )
