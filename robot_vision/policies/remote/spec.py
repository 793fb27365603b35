"""The part `remote` of a `policy.yaml`: which server, what it receives, what its answers mean.

Units, polarity and statistics have no defaults: nothing is assumed.
"""

from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float64
from pydantic import Field, FiniteFloat, ValidationError, model_validator

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.manifests.observation_spec import CameraName, ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.parameters.params import Params, faults_of, param
from robot_vision.datasets.meaning.meaning import (
    ActionMeaning,
    Column,
    GripperColumn,
    JointColumns,
    PoseColumns,
)

Key = Annotated[str, Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Numbers = Annotated[tuple[FiniteFloat, ...], Field(min_length=1, max_length=128)]
OURS = "robot_vision"


class ServerAddress(Params):
    """The server's address and time limits: not part of the policy's identity."""

    url: Annotated[str, Field(max_length=500)] = Field(
        description="scheme://host:port of the protocol"
    )
    token_variable: Annotated[str, Field(pattern=r"^([A-Z_][A-Z0-9_]*)?$", max_length=100)] = (
        param("", "environment variable with the token; empty: no token is sent")
    )
    ca_file: str = param("", "trusted certificates, as PEM; empty: the system's")
    limit_s: float = param(
        0.3, "longest wait of a decision for its answer; then the arm holds", unit="s", gt=0, le=10
    )
    give_up_s: float = param(
        5.0, "a connection without an answer for this long is replaced", unit="s", gt=0, le=120
    )
    connect_s: float = param(3.0, "longest time to connect", unit="s", gt=0, le=60)
    warm_up_s: float = param(
        60.0, "longest time for the first answer after connecting", unit="s", gt=0, le=600
    )
    most_answer_mib: int = param(8, "larger answers are rejected", unit="MiB", ge=1, le=256)


class SentCamera(Params):
    """A camera of the observation, as the server expects it."""

    camera: CameraName = Field(description="name of the camera in `observation`")
    key: Key = Field(description="the server's name for it")
    crop: tuple[Share, Share, Share, Share] | Literal["none"] = Field(
        description="left, top, right, bottom as fractions of the picture"
    )
    width_px: int = Field(ge=16, le=4096)
    height_px: int = Field(ge=16, le=4096)
    fit: Literal["stretch", "pad"] = Field(
        description="stretch: resize to that size; pad: keep the ratio and pad with black"
    )

    @model_validator(mode="after")
    def _crop_has_a_size(self) -> "SentCamera":
        if self.crop != "none" and not (
            self.crop[0] < self.crop[2] and self.crop[1] < self.crop[3]
        ):
            raise ValueError(f"crop {self.crop}: left must be below right, and top below bottom")
        return self


class SentState(Params):
    """A vector of the arm's state: each column belongs to exactly one part."""

    key: Key = Field(description="the server's name for it")
    width: int = Field(ge=1, le=128, description="length of the vector")
    tool: PoseColumns | None = None
    joints: JointColumns | None = None
    gripper: GripperColumn | None = None

    @model_validator(mode="after")
    def _every_number_is_said(self) -> "SentState":
        said: list[Column] = []
        if self.tool is not None:
            said += [*self.tool.position, *self.tool.rotation_columns]
        if self.joints is not None:
            said += self.joints.columns
            if not self.joints.names:
                raise ValueError("joints need `names`, the joint of each column")
        if self.gripper is not None:
            said.append(self.gripper.column)
        if sorted(map(str, said)) != sorted(map(str, range(self.width))):
            raise ValueError(
                f"state {self.key!r} has the columns 0 to {self.width - 1}, but its parts fill "
                f"{', '.join(map(str, said)) or 'none'}: expected each column exactly once"
            )
        return self


class Statistics(Params):
    """How the server's numbers are normalised, one value per column; `physical` ones are not."""

    kind: Literal["physical", "mean_std", "quantiles"]
    mean: Numbers | None = None
    std: Numbers | None = None
    q01: Numbers | None = None
    q99: Numbers | None = None
    plain_columns: tuple[Annotated[int, Field(ge=0, le=127)], ...] = Field(
        default=(), description="columns that are not normalised, such as the gripper"
    )

    @model_validator(mode="after")
    def _numbers_fit(self) -> "Statistics":
        names = {"physical": (), "mean_std": ("mean", "std"), "quantiles": ("q01", "q99")}
        given = [n for n in ("mean", "std", "q01", "q99") if getattr(self, n) is not None]
        if set(given) != set(names[self.kind]):
            raise ValueError(
                f"statistics of kind {self.kind} need "
                f"{' and '.join(names[self.kind]) or 'no numbers'}, got "
                f"{', '.join(given) or 'none'}"
            )
        return self

    def scale_of(
        self, width: int
    ) -> tuple[Float64[np.ndarray, " {width}"], Float64[np.ndarray, " {width}"]]:
        """Mean and scale of each column; raises `ValueError` if their number is not `width`."""
        if self.kind == "physical":
            return np.zeros(width), np.ones(width)
        if self.kind == "mean_std":
            mean, scale = np.array(self.mean), np.array(self.std)
        else:
            low, high = np.array(self.q01), np.array(self.q99)
            if low.shape != high.shape:
                raise ValueError(
                    f"q01 has {len(low)} numbers, q99 has {len(high)}; expected equal lengths"
                )
            mean, scale = (low + high) / 2, (high - low) / 2
        if mean.shape != (width,) or scale.shape != (width,):
            raise ValueError(
                f"statistics have {len(mean)} and {len(scale)} numbers, expected {width}"
            )
        plain = [column for column in self.plain_columns if column < width]
        mean[plain], scale[plain] = 0.0, 1.0
        return mean, scale


class AnsweredActions(Params):
    """The server's answer: rows of steps, their columns and meaning."""

    keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=16)] = Field(
        description="arrays of the answer to join, column after column"
    )
    width: int = Field(ge=1, le=128, description="total number of columns")
    meaning: ActionMeaning = Field(description="units, frames, reference of deltas, gripper")
    statistics: Statistics


class Mapping(Params):
    """Mapping of our observation to the server's input, and of its answer to ours."""

    cameras: Annotated[tuple[SentCamera, ...], Field(max_length=8)]
    state: Annotated[tuple[SentState, ...], Field(max_length=8)]
    prompt_key: Key | Literal["none"] = Field(description="null: the server takes no instruction")
    action: AnsweredActions


class RemoteSpec(Params):
    """`remote` of a `policy.yaml` of kind `remote`."""

    protocol: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
    server: ServerAddress
    mapping: Mapping | None = Field(
        default=None, description="needed by every protocol but our own, which needs none"
    )
    options: dict[str, Any] = Field(default={}, description="options of the protocol")
    expect: dict[Key, Any] = Field(
        default={},
        description="values the server must report about itself; dots address nested fields",
    )

    @model_validator(mode="after")
    def _mapping_where_needed(self) -> "RemoteSpec":
        if (self.protocol == OURS) == (self.mapping is not None):
            raise ValueError(
                "protocol robot_vision takes no mapping, as both sides use the same convention: "
                "remove it"
                if self.mapping is not None
                else f"protocol {self.protocol} needs `mapping`: cameras, state, prompt_key and "
                "action with its meaning and statistics"
            )
        return self


def remote_spec(manifest: PolicyManifest) -> RemoteSpec:
    """The `remote` section of a manifest. Raises `BundleError` naming every fault."""
    if manifest.remote is None:
        raise BundleError(f"policy {manifest.name!r} is of kind remote but has no `remote`")
    try:
        spec = RemoteSpec.model_validate(manifest.remote)
    except ValidationError as error:
        raise BundleError(f"policy {manifest.name!r}, remote: {faults_of(error)}") from error
    faults = _faults(spec, manifest.action_spec, manifest.observation)
    if faults:
        raise BundleError(f"policy {manifest.name!r}: {'; '.join(faults)}")
    return spec


def _faults(spec: RemoteSpec, action: ActionSpec, seen: ObservationSpec | None) -> list[str]:
    """Contradictions between `remote`, `action_spec` and `observation`."""
    duration_s = action.horizon * action.step_s
    faults = []
    if spec.server.limit_s > duration_s:
        faults.append(
            f"server.limit_s is {spec.server.limit_s:g}, but a chunk lasts {duration_s:g} s "
            f"({action.horizon} steps of {action.step_s:g} s), so a later answer is useless: "
            "lower server.limit_s"
        )
    if seen is None:
        return [*faults, "there is no `observation`; expected its cameras and state"]
    if seen.perception:
        faults.append(
            f"observation.perception is {seen.perception}; servers take no perception: remove it"
        )
    if spec.mapping is None:
        return faults
    if seen.words != "none":
        faults.append(
            f"observation.words is {seen.words!r}; the server reads the text itself: set none"
        )
    names = [camera.name for camera in seen.cameras]
    if sorted(camera.camera for camera in spec.mapping.cameras) != sorted(names):
        faults.append(
            f"mapping.cameras must list each camera of `observation` exactly once: {names}"
        )
    meaning = spec.mapping.action.meaning
    joints = meaning.joints.names if meaning.joints is not None else ()
    if meaning.joints is not None and not joints:
        faults.append("mapping.action.meaning.joints needs `names`")
    if joints != action.joint_names:
        faults.append(
            f"action_spec.joint_names is {action.joint_names}, but mapping.action.meaning.joints "
            f"is {joints}"
        )
    try:
        spec.mapping.action.statistics.scale_of(spec.mapping.action.width)
    except ValueError as error:
        faults.append(f"mapping.action: {error}")
    return faults
