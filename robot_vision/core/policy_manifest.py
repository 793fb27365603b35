"""`policy.yaml`, the description that travels with a policy's files in its bundle."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from robot_vision.core.action_spec import ActionSpec

FileName = Annotated[str, Field(pattern=r"^\w[\w.\-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class Vocabulary(BaseModel):
    """The words a policy was taught; all lower case. Word k has token k + 1, 0 is padding.

    `things` are those that name objects, `actions` those that say what to do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[str, ...]
    things: tuple[str, ...]
    actions: tuple[str, ...]
    max_words: int = Field(24, ge=1, le=128, description="longest instruction")


class PolicyManifest(BaseModel):
    """What a policy bundle says of itself.

    `perception` holds the parameters of the service (dotted names) that the policy was trained
    with: other thresholds show it other objects than it knows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str = "1"
    architecture: str = Field(description="torch model in the registry")
    file: FileName = "policy.onnx"
    sha256: Sha256 = ""
    language_file: FileName = "language.onnx"
    language_sha256: Sha256 = ""
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        {}, description="further files that the networks read (weights beside them): sha256s"
    )
    weights_file: FileName = "policy.safetensors"
    action_spec: ActionSpec
    vocabulary: Vocabulary
    class_names: tuple[str, ...] = Field(description="of the perception that it was trained on")
    perception: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    licence: str = "unknown"
    description: str = ""
    limits: str = ""

    @property
    def policy_id(self) -> str:
        return f"{self.name}@{self.version}"
