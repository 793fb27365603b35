"""`policy.yaml`, the description that travels with a policy's files in its bundle."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from robot_vision.core.cameras.camera_mount import CameraMount
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.manifests.identity import identity_of
from robot_vision.core.manifests.observation_spec import CameraName, ObservationSpec
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.core.parameters.config import MODEL_PARAMETERS, ServiceConfig
from robot_vision.core.parameters.values import with_values

FileName = Annotated[str, Field(pattern=r"^\w[\w.\-]*$")]
# A policy sets detection thresholds, not which files the service opens.
_NAMES_OF_FILES = (*MODEL_PARAMETERS, "engine_cache_dir")
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


def _is_numbers(values: object, count: int) -> bool:
    return (
        isinstance(values, list | tuple)
        and len(values) == count
        and all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    )


class Sentences(BaseModel):
    """The frozen encoder of sentences: `language_file` is its network, this its tokenizer.

    At most `max_tokens` tokens become `width` numbers each. `name` is only for people.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    tokenizer_file: FileName = "tokenizer.json"
    tokenizer_sha256: Sha256 = ""
    width: int = Field(ge=1, le=8192)
    max_tokens: int = Field(ge=2, le=512)


class PolicyManifest(BaseModel):
    """The description of a policy bundle.

    `perception` holds the service parameters (dotted names) that the policy was trained with:
    other thresholds would show it different objects. `observation` is what a policy sees besides
    or instead of perception. `camera_mounts` hold the poses of cameras that the network relies on.
    `identity` is empty in older bundles.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str = "1"
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)] = Field(
        default="tokens",
        description="implementation: a name in `robot_vision.policies.registry.POLICIES`",
    )
    architecture: str = Field(description="torch model in the registry")
    file: FileName = "policy.onnx"
    sha256: Sha256 = ""
    language_file: FileName | None = Field(
        default="language.onnx", description="text encoder; null: none"
    )
    language_sha256: Sha256 = ""
    # Further files that the networks read (weights kept beside them), and their sha256.
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = {}
    weights_file: FileName = "policy.safetensors"
    action_spec: ActionSpec
    observation: ObservationSpec | None = None
    camera_mounts: dict[CameraName, CameraMount] = {}
    remote: dict[str, Any] | None = Field(
        default=None, description="the deciding server, for kind `remote`: `policies/remote/spec`"
    )
    identity: Sha256 = Field(default="", description="expected value of `computed_identity`")
    vocabulary: Vocabulary | None = None
    sentences: Sentences | None = None
    class_names: tuple[str, ...] = Field(
        default=(), description="hash of the perception that it was trained on"
    )
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
            raise ValueError(
                f"perception must not set {', '.join(forbidden)}; a policy may only set other "
                "service parameters"
            )
        with_values(ServiceConfig(), values)
        return values

    @model_validator(mode="after")
    def _decided_here_or_by_a_server(self) -> "PolicyManifest":
        if (self.kind == "remote") != (self.remote is not None):
            raise ValueError(
                f"kind is {self.kind!r}; the field `remote` (a server) must be set for kind "
                "remote and no other"
            )
        return self

    @model_validator(mode="after")
    def _metrics_are_of_its_actions(self) -> "PolicyManifest":
        """Those that are read again: `meaning` and `mean_action`."""
        meaning, mean = self.metrics.get("meaning", {}), self.metrics.get("mean_action")
        if not isinstance(meaning, dict):
            raise ValueError(f"metrics.meaning is {quoted(meaning)}; expected the fields of one")
        count = len(self.action_spec.statistics.mean)
        if mean is not None and not _is_numbers(mean, count):
            raise ValueError(
                f"metrics.mean_action is {quoted(mean)}; expected {count} finite numbers, as in "
                "action_spec.statistics"
            )
        return self

    @model_validator(mode="after")
    def _words_have_an_encoder(self) -> "PolicyManifest":
        words = "vocabulary" if self.observation is None else self.observation.words
        takes_words = words == "vocabulary"
        if (words == "sentence") != (self.sentences is not None):
            raise ValueError(
                f"words are {words!r}; set `sentences`, the encoder, for words 'sentence' only"
            )
        if self.sentences is not None and self.language_file is None:
            raise ValueError("a policy that takes sentences needs a language_file, their encoder")
        if takes_words and (self.vocabulary is None or self.language_file is None):
            raise ValueError("a policy that takes words needs a vocabulary and a language_file")
        if not takes_words and self.vocabulary is not None:
            raise ValueError(
                "a vocabulary is given, but the policy takes no words from it: remove it"
            )
        return self

    @property
    def policy_id(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def models(self) -> dict[str, str]:
        """The bundle's networks: names of files and their sha256; none if a server decides."""
        if self.remote is not None:
            return {}
        models = {self.file: self.sha256}
        if self.language_file is not None:
            models[self.language_file] = self.language_sha256
        return models

    @property
    def other_files(self) -> dict[str, str]:
        """Further files that the networks read, and the tokenizer, with their sha256."""
        said = self.sentences
        tokenizer = {} if said is None else {said.tokenizer_file: said.tokenizer_sha256}
        return {**self.files, **tokenizer}

    @property
    def computed_identity(self) -> str:
        """The hash over everything that determines the actions, without names and figures.

        It covers the sha256 of the weights, the observation and the words, the parameters of
        perception, and the action spec with its statistics.
        """
        described = self.model_dump(
            mode="json",
            include={"kind", "observation", "vocabulary", "class_names", "perception"},
        )
        convention = self.action_spec.model_dump(
            mode="json",
            # The observation, in `described`, says which perception outputs are used.
            exclude={"model_id", "identity", "joint_space", "takes_of_perception"},
        )
        weights = {**self.models, **self.other_files}
        if self.sentences is not None:  # keeps the identity of policies older than this field
            described["sentences"] = self.sentences.model_dump(mode="json", exclude={"name"})
        if self.camera_mounts:
            described["camera_mounts"] = self.model_dump(mode="json")["camera_mounts"]
        if self.remote is not None:  # the server's address does not change its answers
            described["remote"] = {k: v for k, v in self.remote.items() if k != "server"}
        return identity_of({**described, "convention": convention, "weights": weights})

    def identified(self) -> "PolicyManifest":
        """A copy with its identity set, also in the action spec."""
        identity = self.computed_identity
        spec = self.action_spec.model_copy(update={"identity": identity})
        return self.model_copy(update={"identity": identity, "action_spec": spec})
