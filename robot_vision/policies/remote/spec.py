"""The part `remote` of a `policy.yaml`: which server, what it is shown, what its answers mean.

Nothing about units, polarity and statistics has a default: what is not said is not assumed.
"""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from robot_vision.core.action_spec import ActionSpec
from robot_vision.core.errors import BundleError
from robot_vision.core.observation_spec import CameraName, ObservationSpec
from robot_vision.core.params import Params, faults_of, param
from robot_vision.core.policy_manifest import PolicyManifest
from robot_vision.datasets.meaning.meaning import (
    ActionMeaning,
    Column,
    GripperColumn,
    JointColumns,
    PoseColumns,
)

Key = Annotated[str, Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Numbers = Annotated[tuple[Number, ...], Field(min_length=1, max_length=128)]
OURS = "robot_vision"


class ServerAddress(Params):
    """Where the server is and how long it may take: no part of the policy's identity."""

    url: Annotated[str, Field(max_length=500)] = Field(
        description="scheme://host:port of the protocol"
    )
    token_variable: Annotated[str, Field(pattern=r"^([A-Z_][A-Z0-9_]*)?$", max_length=100)] = (
        param("", "environment variable that holds the token; empty: none is sent")
    )
    ca_file: str = param("", "certificates to trust, as PEM; empty: the system's")
    limit_s: float = param(
        0.3, "a decision waits for its answer so long, then the arm holds", unit="s", gt=0, le=10
    )
    give_up_s: float = param(
        5.0, "a connection that owes an answer so long is made anew", unit="s", gt=0, le=120
    )
    connect_s: float = param(3.0, "longest time to connect", unit="s", gt=0, le=60)
    warm_up_s: float = param(
        60.0, "longest time for the first answer after connecting", unit="s", gt=0, le=600
    )
    most_answer_mib: int = param(8, "longer answers are refused", unit="MiB", ge=1, le=256)


class SentCamera(Params):
    """A camera of the observation as the server takes it."""

    camera: CameraName = Field(description="name of the camera in `observation`")
    key: Key = Field(description="what the server calls it")
    crop: tuple[Share, Share, Share, Share] | Literal["none"] = Field(
        description="left, top, right, bottom as shares of the picture"
    )
    width_px: int = Field(ge=16, le=4096)
    height_px: int = Field(ge=16, le=4096)
    fit: Literal["stretch", "pad"] = Field(
        description="stretch: to that size; pad: the ratio is kept, the rest is black"
    )

    @model_validator(mode="after")
    def _crop_has_a_size(self) -> "SentCamera":
        if self.crop != "none" and not (
            self.crop[0] < self.crop[2] and self.crop[1] < self.crop[3]
        ):
            raise ValueError(f"crop {self.crop}: left must be below right, and top below bottom")
        return self


class SentState(Params):
    """A vector of the arm's state: each of its numbers is in exactly one of the parts."""

    key: Key = Field(description="what the server calls it")
    width: int = Field(ge=1, le=128, description="how many numbers it has")
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
                raise ValueError("joints need `names`: which joint is in which column")
        if self.gripper is not None:
            said.append(self.gripper.column)
        if sorted(map(str, said)) != sorted(map(str, range(self.width))):
            raise ValueError(
                f"state {self.key!r} has the columns 0 to {self.width - 1}, but its parts take "
                f"{', '.join(map(str, said)) or 'none'}: each has to be said once"
            )
        return self


class Statistics(Params):
    """How the server's numbers were normalised, a number a column; `physical` are not."""

    kind: Literal["physical", "mean_std", "quantiles"]
    mean: Numbers | None = None
    std: Numbers | None = None
    q01: Numbers | None = None
    q99: Numbers | None = None
    plain_columns: tuple[Annotated[int, Field(ge=0, le=127)], ...] = Field(
        default=(), description="columns that are not normalised, such as a gripper's"
    )

    @model_validator(mode="after")
    def _numbers_fit(self) -> "Statistics":
        names = {"physical": (), "mean_std": ("mean", "std"), "quantiles": ("q01", "q99")}
        given = [n for n in ("mean", "std", "q01", "q99") if getattr(self, n) is not None]
        if set(given) != set(names[self.kind]):
            raise ValueError(
                f"statistics of kind {self.kind} take {' and '.join(names[self.kind]) or 'none'}, "
                f"got {', '.join(given) or 'none'}"
            )
        return self

    def scale_of(self, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and scale of each column; raises `ValueError` where they are not `width`."""
        if self.kind == "physical":
            return np.zeros(width), np.ones(width)
        if self.kind == "mean_std":
            mean, scale = np.array(self.mean), np.array(self.std)
        else:
            low, high = np.array(self.q01), np.array(self.q99)
            if low.shape != high.shape:
                raise ValueError(f"statistics have {len(low)} numbers of q01, {len(high)} of q99")
            mean, scale = (low + high) / 2, (high - low) / 2
        if mean.shape != (width,) or scale.shape != (width,):
            raise ValueError(f"statistics have {len(mean)} and {len(scale)} numbers, not {width}")
        plain = [column for column in self.plain_columns if column < width]
        mean[plain], scale[plain] = 0.0, 1.0
        return mean, scale


class AnsweredActions(Params):
    """What the server's answer holds: rows of steps, their columns, and what they mean."""

    keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=16)] = Field(
        description="arrays of the answer that are joined, column after column"
    )
    width: int = Field(ge=1, le=128, description="columns of all of them")
    meaning: ActionMeaning = Field(description="units, frames, what deltas start from, gripper")
    statistics: Statistics


class Mapping(Params):
    """Our observation as the server takes it, and its answer as we do."""

    cameras: Annotated[tuple[SentCamera, ...], Field(max_length=8)]
    state: Annotated[tuple[SentState, ...], Field(max_length=8)]
    prompt_key: Key | Literal["none"] = Field(description="none: the server takes no words")
    action: AnsweredActions


class RemoteSpec(Params):
    """`remote` of a `policy.yaml` of kind `remote`."""

    protocol: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
    server: ServerAddress
    mapping: Mapping | None = Field(
        default=None, description="needed by every protocol but our own, which needs none"
    )
    options: dict[str, Any] = Field(default={}, description="what the protocol asks for")
    expect: dict[Key, Any] = Field(
        default={}, description="what the server has to say of itself; dots lead into parts"
    )

    @model_validator(mode="after")
    def _mapping_where_needed(self) -> "RemoteSpec":
        if (self.protocol == OURS) == (self.mapping is not None):
            raise ValueError(
                "protocol robot_vision takes no mapping: both sides mean the same"
                if self.mapping is not None
                else f"protocol {self.protocol} needs `mapping`: cameras, state, prompt_key and "
                "action with its meaning and statistics"
            )
        return self


def remote_spec(manifest: PolicyManifest) -> RemoteSpec:
    """What a manifest says of its server. Raises `BundleError` that names every fault."""
    if manifest.remote is None:
        raise BundleError(f"policy {manifest.name!r} is of kind remote and has no `remote`")
    try:
        spec = RemoteSpec.model_validate(manifest.remote)
    except ValidationError as error:
        raise BundleError(f"policy {manifest.name!r}, remote: {faults_of(error)}") from error
    faults = _faults(spec, manifest.action_spec, manifest.observation)
    if faults:
        raise BundleError(f"policy {manifest.name!r}: {'; '.join(faults)}")
    return spec


def _faults(spec: RemoteSpec, action: ActionSpec, seen: ObservationSpec | None) -> list[str]:
    """What `remote` says otherwise than `action_spec` and `observation`."""
    duration_s = action.horizon * action.step_s
    faults = []
    if spec.server.limit_s > duration_s:
        faults.append(
            f"server.limit_s is {spec.server.limit_s:g}, but a chunk lasts {duration_s:g} s "
            f"({action.horizon} steps of {action.step_s:g} s): a later answer is of no use"
        )
    if seen is None:
        return [*faults, "there is no `observation`: which cameras and state it takes"]
    if seen.perception:
        faults.append(f"observation.perception is {seen.perception}: a server takes none of it")
    if spec.mapping is None:
        return faults
    if seen.words != "none":
        faults.append(f"observation.words is {seen.words!r}; the server reads words: say none")
    names = [camera.name for camera in seen.cameras]
    if sorted(camera.camera for camera in spec.mapping.cameras) != sorted(names):
        faults.append(f"mapping.cameras must send each camera of `observation` once: {names}")
    meaning = spec.mapping.action.meaning
    joints = meaning.joints.names if meaning.joints is not None else ()
    if meaning.joints is not None and not joints:
        faults.append("mapping.action.meaning.joints needs `names`")
    if joints != action.joint_names:
        faults.append(
            f"action_spec.joint_names is {action.joint_names}, the meaning's joints are {joints}"
        )
    try:
        spec.mapping.action.statistics.scale_of(spec.mapping.action.width)
    except ValueError as error:
        faults.append(f"mapping.action: {error}")
    return faults
