"""Options of a protocol, checked against its schema."""

from typing import TypeVar

from pydantic import ValidationError

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.parameters.params import Params, faults_of
from robot_vision.policies.remote.spec import RemoteSpec

OptionsT = TypeVar("OptionsT", bound=Params)


def options_of(spec: RemoteSpec, schema: type[OptionsT]) -> OptionsT:
    """Raises `BundleError` with each invalid or missing option."""
    try:
        return schema.model_validate(spec.options)
    except ValidationError as error:
        fields = ", ".join(schema.model_fields) or "none"
        raise BundleError(
            f"remote.options of protocol {spec.protocol}: {faults_of(error)}; available: {fields}"
        ) from error


def no_options(spec: RemoteSpec) -> None:
    """Raises `BundleError` if a protocol without options is given some."""
    options_of(spec, Params)


def one_step_alone(manifest: PolicyManifest, protocol: str) -> None:
    """Raises `BundleError` if a protocol without history is given several steps."""
    seen = manifest.observation
    if seen is not None and seen.steps != 1:
        raise BundleError(
            f"observation.steps is {seen.steps}; protocol {protocol} supports only 1"
        )
