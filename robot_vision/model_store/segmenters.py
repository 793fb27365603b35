"""Bundles for promptable segmentation: `segmenter.yaml` beside an encoder and a decoder."""

import logging
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.segmenter_manifest import SegmenterManifest
from robot_vision.core.parameters.values import load_yaml
from robot_vision.model_store.bundle_files import (
    copy_external_files,
    copy_file,
    explain,
    sha256_of,
    sha256s,
    verify_files,
)
from robot_vision.model_store.file_kinds import is_regular
from robot_vision.model_store.store import locate, stored_folders

_log = logging.getLogger(__name__)

SEGMENTER_FILE = "segmenter.yaml"


@dataclass(frozen=True, kw_only=True)
class SegmenterBundle:
    """The pair on disk: `path` is the folder, `manifest` what its `segmenter.yaml` says."""

    path: Path
    manifest: SegmenterManifest

    @property
    def encoder_path(self) -> Path:
        return self.path / self.manifest.encoder_file

    @property
    def decoder_path(self) -> Path:
        return self.path / self.manifest.decoder_file


def is_segmenter(name_or_path: str | Path) -> bool:
    """Whether this is the name or the folder of such a bundle."""
    name = str(name_or_path)
    return name in stored_folders(SEGMENTER_FILE) or is_regular(Path(name) / SEGMENTER_FILE)


def find_segmenter(name_or_path: str | Path) -> SegmenterBundle:
    """The bundle of that name in the store, or the one in that folder, with its files verified.

    Searches as `find_bundle` does. Raises `BundleError` if it is missing or damaged.
    """
    bundle = open_segmenter(locate(str(name_or_path), SEGMENTER_FILE))
    verify_files(
        bundle.path,
        bundle.manifest.models,
        bundle.manifest.files,
        manifest=bundle.path / SEGMENTER_FILE,
    )
    return bundle


def list_segmenters() -> list[SegmenterBundle]:
    """Every readable bundle of that kind in the store, by name."""
    found: dict[str, SegmenterBundle] = {}
    for name, folder in stored_folders(SEGMENTER_FILE).items():
        try:
            found[name] = open_segmenter(folder)
        except BundleError as error:
            _log.warning("left out of the list: %s", error)
    return [found[name] for name in sorted(found)]


def open_segmenter(folder: Path) -> SegmenterBundle:
    """Read a bundle's manifest, without checking its files; raises `BundleError`."""
    manifest_path = Path(folder) / SEGMENTER_FILE
    if not is_regular(manifest_path):
        raise BundleError(
            f"{folder} is not a bundle of encoder and decoder: it has no {SEGMENTER_FILE}"
        )
    try:
        manifest = SegmenterManifest.model_validate(load_yaml(manifest_path))
    except ConfigError as error:
        raise BundleError(str(error)) from error
    except ValidationError as error:
        raise BundleError(f"{manifest_path}: {explain(error)}") from error
    return SegmenterBundle(path=Path(folder), manifest=manifest)


def write_segmenter(
    folder: Path, manifest: SegmenterManifest, *, encoder: Path, decoder: Path
) -> SegmenterBundle:
    """Write a bundle: copies both files, and those that they read, beside a manifest with sha256s.

    Raises `BundleError` if a file is missing, or reads anything outside its folder.
    """
    pairs = ((Path(encoder), manifest.encoder_file), (Path(decoder), manifest.decoder_file))
    for source, name in pairs:
        if not source.is_file():
            raise BundleError(f"{source} is not a file; expected a model to put in a bundle")
        copy_external_files(source, folder, reserved=(*manifest.models, SEGMENTER_FILE))
        copy_file(source, folder / name)
    manifest = manifest.model_copy(
        update={
            "encoder_sha256": sha256_of(folder / manifest.encoder_file),
            "decoder_sha256": sha256_of(folder / manifest.decoder_file),
            "files": sha256s(folder, list(manifest.models)),
        }
    )
    described = manifest.model_dump(mode="json")
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)
    (folder / SEGMENTER_FILE).write_text(text, encoding="utf-8")
    return SegmenterBundle(path=Path(folder), manifest=manifest)
