"""Policy bundles: folders of `policy.yaml` and its files, found by name and verified."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.parameters.values import load_yaml
from robot_vision.model_store.bundle_files import explain, sha256_of, sha256s, verify_files
from robot_vision.model_store.file_kinds import is_regular
from robot_vision.model_store.store import locate

POLICY_FILE = "policy.yaml"


@dataclass(frozen=True, kw_only=True)
class PolicyBundle:
    """A policy on disk: `path` is the folder, `manifest` what its `policy.yaml` says.

    The manifest has its identity, even if `policy.yaml` predates identities.
    """

    path: Path
    manifest: PolicyManifest

    @property
    def network_path(self) -> Path:
        return self.path / self.manifest.file

    @property
    def language_path(self) -> Path | None:
        """The text encoder; None if the policy has none."""
        name = self.manifest.language_file
        return None if name is None else self.path / name

    @property
    def tokenizer_path(self) -> Path | None:
        """The tokenizer for sentences; None if the policy takes none."""
        said = self.manifest.sentences
        return None if said is None else self.path / said.tokenizer_file


def find_policy(name_or_path: str | Path) -> PolicyBundle:
    """The policy of that name in the store, or the one in that folder, with its files verified.

    Searches as `find_bundle` does. Raises `BundleError` if it is missing, damaged or not what
    its manifest says.
    """
    bundle = open_policy(locate(str(name_or_path), POLICY_FILE))
    manifest = bundle.manifest
    verify_files(
        bundle.path,
        manifest.models,
        manifest.other_files,
        manifest=bundle.path / POLICY_FILE,
    )
    return bundle


def open_policy(folder: Path) -> PolicyBundle:
    """Read a policy's manifest, without checking its files.

    Raises `BundleError`, also if the manifest no longer matches its identity.
    """
    manifest_path = Path(folder) / POLICY_FILE
    if not is_regular(manifest_path):
        raise BundleError(f"{folder} is not a policy bundle: it has no {POLICY_FILE}")
    try:
        manifest = PolicyManifest.model_validate(load_yaml(manifest_path))
    except ConfigError as error:
        raise BundleError(str(error)) from error
    except ValidationError as error:
        raise BundleError(f"{manifest_path}: {explain(error)}") from error
    _check_identity(manifest, manifest_path)
    return PolicyBundle(path=Path(folder), manifest=manifest.identified())


def write_policy(folder: Path, manifest: PolicyManifest) -> PolicyBundle:
    """Write `policy.yaml` beside the files that it names, with their sha256 and the identity."""
    language, said = manifest.language_file, manifest.sentences
    if said is not None:
        sha256 = sha256_of(folder / said.tokenizer_file)
        said = said.model_copy(update={"tokenizer_sha256": sha256})
    manifest = manifest.model_copy(
        update={
            "sha256": "" if manifest.remote is not None else sha256_of(folder / manifest.file),
            "language_sha256": "" if language is None else sha256_of(folder / language),
            "files": sha256s(folder, manifest.models),
            "sentences": said,
        }
    ).identified()
    described = manifest.model_dump(mode="json")
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)
    (folder / POLICY_FILE).write_text(text, encoding="utf-8")
    return PolicyBundle(path=folder, manifest=manifest)


def _check_identity(manifest: PolicyManifest, path: Path) -> None:
    """Manual changes to statistics, a camera or a convention make it another policy."""
    try:
        computed = manifest.computed_identity
    except ValueError as error:
        raise BundleError(f"{path}: expected finite numbers in every field ({error})") from error
    for where, said in (
        ("identity", manifest.identity),
        ("action_spec.identity", manifest.action_spec.identity),
    ):
        if said and said != computed:
            raise BundleError(
                f"{path}: {where} is {said}, but weights, observation, statistics and convention "
                f"give {computed}: the file was changed after its export; export the policy again"
            )
