"""`policy.yaml`, the description that travels with a policy's files in its bundle."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from robot_vision.core.action_spec import ActionSpec
from robot_vision.core.config import MODEL_PARAMETERS, ServiceConfig, with_values

FileName = Annotated[str, Field(pattern=r"^\w[\w.\-]*$")]
# A policy says how sure detections must be, not which files the service opens.
_NAMES_OF_FILES = (*MODEL_PARAMETERS, "engine_cache_dir")
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class Vocabulary(BaseModel):
    """The words a policy was taught; all lower case. Word k has token k + 1, 0 is padding.

    `things` are those that name objects, `actions` those that say what to do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[str, ...]
    things: tuple[str, ...]
    actions: tuple[str, ...]
    max_words: int = Field(default=24, ge=1, le=128, description="longest instruction")


class PolicyManifest(BaseModel):
    """What a policy bundle says of itself.

    `perception` holds the parameters of the service (dotted names) that the policy was trained
    with: other thresholds show it other objects than it knows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str = "1"
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)] = Field(
        default="tokens",
        description="what runs it: a name in `robot_vision.policies.registry.POLICIES`",
    )
    architecture: str = Field(description="torch model in the registry")
    file: FileName = "policy.onnx"
    sha256: Sha256 = ""
    language_file: FileName = "language.onnx"
    language_sha256: Sha256 = ""
    # Further files that the networks read (weights kept beside them), and their sha256.
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = {}
    weights_file: FileName = "policy.safetensors"
    action_spec: ActionSpec
    vocabulary: Vocabulary
    class_names: tuple[str, ...] = Field(description="of the perception that it was trained on")
    perception: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    licence: str = "unknown"
    description: str = ""
    limits: str = ""

    @field_validator("perception")
    @classmethod
    def _perception_is_of_the_service(cls, values: dict[str, Any]) -> dict[str, Any]:
        forbidden = [name for name in values if name in _NAMES_OF_FILES]
        if forbidden:
            raise ValueError(f"a policy must not set {', '.join(forbidden)} of the service")
        with_values(ServiceConfig(), values)
        return values

    @property
    def policy_id(self) -> str:
        return f"{self.name}@{self.version}"
