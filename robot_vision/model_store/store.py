"""Model bundles: folders of `model.yaml` and a model's file, found by name and verified."""

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import ValidationError

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.manifest import ModelManifest, PromptEncoder, TextEncoder
from robot_vision.core.parameters.values import load_yaml
from robot_vision.formats.check import check_manifest
from robot_vision.model_store.bundle_files import (
    copy_external_files,
    copy_file,
    explain,
    sha256_of,
    sha256s,
    verify_files,
)
from robot_vision.model_store.file_kinds import is_regular

_log = logging.getLogger(__name__)

MANIFEST_FILE = "model.yaml"
SEARCH_PATH_VARIABLE = "ROBOT_VISION_MODELS"
_SHIPPED = Path(__file__).parent / "bundles"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A model on disk: `path` is the folder, `manifest` what its `model.yaml` says."""

    path: Path
    manifest: ModelManifest

    @property
    def model_path(self) -> Path:
        return self.path / self.manifest.file


def find_bundle(name_or_path: str | Path) -> Bundle:
    """The bundle of that name in the store, or the one in that folder, with its file verified.

    Searches the bundles that ship with the package, then the folders in `ROBOT_VISION_MODELS`
    (separated as in PATH). Raises `BundleError` if it is missing, damaged or not what its
    manifest's sha256 says.
    """
    bundle = open_bundle(locate(str(name_or_path), MANIFEST_FILE))
    verify_bundle(bundle)
    return bundle


def list_bundles() -> list[Bundle]:
    """Every readable bundle in the store, by name; the first of a name wins."""
    found: dict[str, Bundle] = {}
    for name, folder in stored_folders(MANIFEST_FILE).items():
        try:
            found[name] = open_bundle(folder)
        except BundleError as error:
            _log.warning("left out of the list: %s", error)
    return [found[name] for name in sorted(found)]


def open_bundle(folder: Path) -> Bundle:
    """Read a bundle's manifest, without checking its model; raises `BundleError`."""
    manifest_path = Path(folder) / MANIFEST_FILE
    if not is_regular(manifest_path):
        raise BundleError(f"{folder} is not a model bundle: it has no {MANIFEST_FILE}")
    try:
        manifest = ModelManifest.model_validate(load_yaml(manifest_path))
        check_manifest(manifest)
    except ConfigError as error:
        raise BundleError(str(error)) from error
    except BundleError as error:
        raise BundleError(f"{manifest_path}: {error}") from error
    except ValidationError as error:
        raise BundleError(f"{manifest_path}: {explain(error)}") from error
    return Bundle(path=Path(folder), manifest=manifest)


def verify_bundle(bundle: Bundle) -> None:
    """Check that the model's files exist and match their sha256; raises `BundleError`."""
    manifest = bundle.manifest
    verify_files(
        bundle.path,
        manifest.models,
        manifest.other_files,
        manifest=bundle.path / MANIFEST_FILE,
    )


def write_bundle(folder: Path, manifest: ModelManifest, model_file: Path) -> Bundle:
    """Write a bundle: copies `model_file`, and files it reads, beside a `model.yaml` with sha256s.

    Text encoders named by the manifest are copied from beside `model_file`.
    The model keeps the name `manifest.file`. An existing bundle in `folder` is replaced. Raises
    `BundleError` if the manifest does not agree with its format, or `model_file` is not a model or
    reads anything outside its folder.
    """
    check_manifest(manifest)
    model_file, folder = Path(model_file), Path(folder)
    if not model_file.is_file():
        raise BundleError(f"{model_file} is not a file; expected a model to put in a bundle")
    reserved = (*manifest.models, *manifest.other_files, MANIFEST_FILE)
    copy_external_files(model_file, folder, reserved=reserved)
    copy_file(model_file, folder / manifest.file)
    text = manifest.text and _copied_text(manifest.text, model_file.parent, folder)
    prompt = manifest.prompt and _copied_prompt(manifest.prompt, model_file.parent, folder)
    manifest = manifest.model_copy(
        update={
            "sha256": sha256_of(folder / manifest.file),
            "text": text,
            "prompt": prompt,
            "files": sha256s(folder, list(manifest.models)),
        }
    )
    described = manifest.model_dump(mode="json", exclude_defaults=True)
    written = yaml.safe_dump(described, sort_keys=False, allow_unicode=True)
    (folder / MANIFEST_FILE).write_text(written, encoding="utf-8")
    return Bundle(path=folder, manifest=manifest)


def _copied_text(text: TextEncoder, source: Path, folder: Path) -> TextEncoder:
    """Its network, and those of its encoder of sentences, copied into `folder`."""
    copy_file(source / text.file, folder / text.file)
    tower = text.sentences
    if tower is not None:
        reserved = (text.file, tower.file, tower.tokenizer, MANIFEST_FILE)
        copy_external_files(source / tower.file, folder, reserved=reserved)
        for name in (tower.file, tower.tokenizer):
            copy_file(source / name, folder / name)
        known = {
            "sha256": sha256_of(folder / tower.file),
            "tokenizer_sha256": sha256_of(folder / tower.tokenizer),
        }
        tower = tower.model_copy(update=known)
    known = {"sha256": sha256_of(folder / text.file), "sentences": tower}
    return text.model_copy(update=known)


def _copied_prompt(prompt: PromptEncoder, source: Path, folder: Path) -> PromptEncoder:
    """Its network and tokenizer copied into `folder`, with their sha256s."""
    copy_external_files(source / prompt.file, folder, reserved=(prompt.file, MANIFEST_FILE))
    copy_file(source / prompt.file, folder / prompt.file)
    known = {"sha256": sha256_of(folder / prompt.file)}
    if prompt.tokenizer:
        copy_file(source / prompt.tokenizer, folder / prompt.tokenizer)
        known["tokenizer_sha256"] = sha256_of(folder / prompt.tokenizer)
    return prompt.model_copy(update=known)


def locate(name_or_path: str, manifest_file: str) -> Path:
    """The folder of that name in the store, or that folder; raises `BundleError`."""
    stored = stored_folders(manifest_file)
    if name_or_path in stored:
        return stored[name_or_path]
    with suppress(OSError, RuntimeError):  # too long a name, or an unknown user's home
        folder = Path(name_or_path).expanduser()
        if name_or_path and folder.is_dir():
            return folder
        if name_or_path and folder.is_file():
            raise BundleError(
                f"{name_or_path} is a file; expected a bundle: a folder with {manifest_file}"
                + (
                    f" (robot-vision models import {name_or_path} writes one)"
                    if folder.suffix == ".onnx"
                    else ""
                )
            )
    close = get_close_matches(name_or_path, stored, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise BundleError(
        f"no model bundle {name_or_path!r}: neither a folder nor in the store; "
        f"available: {', '.join(sorted(stored)) or 'none'}{hint} "
        f"(the store is the package and the folders in {SEARCH_PATH_VARIABLE})"
    )


def stored_folders(manifest_file: str) -> dict[str, Path]:
    """Folders of the store with such a manifest, by name; the first of a name wins."""
    extra = os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep)
    folders: dict[str, Path] = {}
    for root in [_SHIPPED, *(Path(entry).expanduser() for entry in extra if entry)]:
        for manifest in sorted(root.glob(f"*/{manifest_file}")):
            folders.setdefault(manifest.parent.name, manifest.parent)
    return folders
