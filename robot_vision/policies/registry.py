"""Registry of policy kinds, filled by the modules of `robot_vision.policies`."""

from typing import Protocol, runtime_checkable

from robot_vision.core.errors import BundleError, UnknownNameError
from robot_vision.core.interfaces import Policy
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.registry import Registry
from robot_vision.model_store.policies import PolicyBundle, find_policy


@runtime_checkable
class BundledPolicy(Policy, Protocol):
    """A policy from a bundle, with the bundle's manifest."""

    manifest: PolicyManifest


@runtime_checkable
class BuildPolicy(Protocol):
    """Loads and warms up a bundle of one kind; raises `BundleError` if that fails.

    `threads` 0: all cores; with `spin` they busy-wait within a run.
    """

    def __call__(self, bundle: PolicyBundle, *, threads: int, spin: bool) -> BundledPolicy: ...


POLICIES: Registry[BuildPolicy] = Registry("kind of policy", package="robot_vision.policies")


def load_policy(name: str, *, threads: int = 0, spin: bool = True) -> BundledPolicy:
    """Load a policy by name or folder; raises `BundleError` if that fails."""
    bundle = find_policy(name)
    try:
        build = POLICIES.get(bundle.manifest.kind)
    except UnknownNameError as error:
        raise BundleError(f"policy {bundle.manifest.name!r} in {bundle.path}: {error}") from error
    return build(bundle, threads=threads, spin=spin)
