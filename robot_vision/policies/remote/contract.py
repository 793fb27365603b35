"""Compares a server's report with the bundle: a mismatch never moves the arm.

Servers may describe their numbers in a section `robot_vision` of their report: `step_s`,
`horizon`, `width`, `joint_names`, `gripper` (`closed`, `open`), `statistics` (`physical`, or the
SHA-256 of mean and scale), `observation`, `identity`. Our own servers report all of it.
"""

from collections.abc import Mapping
from typing import Any

from robot_vision.core.files.foreign import brief
from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.policies.remote.clients.client import dotted
from robot_vision.policies.remote.errors import MismatchError
from robot_vision.policies.remote.messages import ServerReport
from robot_vision.policies.remote.spec import RemoteSpec

PART = "robot_vision"
# Step durations that differ by less count as equal.
_STEP_SHARE = 0.02


def contract_of(spec: ActionSpec, **more: Any) -> dict[str, Any]:
    """The contract our own servers report for a policy that outputs physical steps of `spec`."""
    return {
        "step_s": spec.step_s,
        "horizon": spec.horizon,
        "width": spec.width,
        "joint_names": list(spec.joint_names),
        "gripper": {"closed": 0.0, "open": 1.0},
        "statistics": "physical",
        "identity": spec.identity,
        "policy": spec.model_id,
        **more,
    }


def check_report(
    report: ServerReport, spec: RemoteSpec, manifest: PolicyManifest
) -> tuple[str, ...]:
    """Return the names of what the server does not report, for which only the bundle is
    authoritative.

    Raises `MismatchError` listing every difference.
    """
    said = dict(report.contract or {})
    if report.horizon is not None:
        said.setdefault("horizon", report.horizon)
    wanted = _wanted(spec, manifest)
    wrong = [
        f"{name} is {_shown(said[name])}, policy.yaml expects {_shown(value)}"
        for name, value in wanted.items()
        if name in said and not _agree(name, said[name], value)
    ]
    wrong += _unexpected(report, spec.expect) + _other_keys(report, spec)
    if wrong:
        raise MismatchError(f"it is not the server that policy.yaml expects: {'; '.join(wrong)}")
    return tuple(name for name in wanted if name not in said)


def _wanted(spec: RemoteSpec, manifest: PolicyManifest) -> dict[str, Any]:
    action = manifest.action_spec
    wanted: dict[str, Any] = contract_of(action)
    del wanted["identity"], wanted["policy"]  # properties of the server's bundle, not of this one
    if spec.mapping is None:
        seen = manifest.observation
        return wanted | {"observation": None if seen is None else seen.model_dump(mode="json")}
    answered = spec.mapping.action
    gripper = answered.meaning.gripper
    wanted["width"] = answered.width
    if gripper == "none":
        del wanted["gripper"]
    else:
        wanted["gripper"] = {"closed": gripper.closed, "open": gripper.open}
    if answered.statistics.kind != "physical":
        mean, scale = answered.statistics.scale_of(answered.width)
        numbers = ActionStatistics(mean=tuple(mean.tolist()), scale=tuple(scale.tolist()))
        wanted["statistics"] = numbers.sha256
    if not action.joint_names:
        del wanted["joint_names"]
    return wanted


def _agree(name: str, said: Any, wanted: Any) -> bool:
    if name == "step_s":
        is_number = isinstance(said, int | float) and not isinstance(said, bool)
        return is_number and abs(said - wanted) <= _STEP_SHARE * wanted
    return said == wanted


def _unexpected(report: ServerReport, expect: Mapping[str, Any]) -> list[str]:
    found = []
    for path, value in expect.items():
        try:
            said = dotted(report.facts, path)
        except KeyError:
            there = brief(", ".join(map(str, report.facts))) or "nothing"
            found.append(
                f"it does not report {path}, expected {_shown(value)}; it reports {there}"
            )
            continue
        if said != value:
            found.append(f"{path} is {_shown(said)}, expected {_shown(value)}")
    return found


def _other_keys(report: ServerReport, spec: RemoteSpec) -> list[str]:
    """Cameras, states and actions by the server's names, if it reports which it has."""
    if spec.mapping is None:
        return []
    ours = {
        "cameras": (report.camera_keys, tuple(c.key for c in spec.mapping.cameras)),
        "states": (report.state_keys, tuple(s.key for s in spec.mapping.state)),
        "actions": (report.action_keys, spec.mapping.action.keys),
    }
    return [
        f"its {what} are {_shown(theirs)}, the mapping has {_shown(keys)}"
        for what, (theirs, keys) in ours.items()
        if theirs is not None and sorted(theirs) != sorted(keys)
    ]


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return brief(", ".join(map(str, value)) or "none")
    return brief(value)
