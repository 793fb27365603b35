"""/diagnostics of the policy node: whether the arm follows, why not, and how old commands are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.results.policy_status import PolicyStatus, ServerStatus
from robot_vision.ros.common.diagnostics import ERROR, OK, WARN, status_of, words_of
from robot_vision.ros.common.health import Report
from robot_vision.ros.common.stream import Evenness
from robot_vision.ros.messages.convert import stamp_from_ns
from robot_vision.ros.policy.server_words import words_of_server


@dataclass(frozen=True, kw_only=True)
class PolicyState:
    """The node's own state. `problem` is why it is not in the state that it should be in.

    `status` and `evenness` are None while the node is not active. `age_s` has percentiles of the
    time from a camera's stamp to the first command made from it.
    """

    name: str
    state: str
    config: PolicyNodeConfig
    problem: str = ""
    doing: str = ""
    policy_id: str = ""
    provider: str = ""
    server: ServerStatus | None = None
    silence: Mapping[str, str] = field(default_factory=dict)
    status: PolicyStatus | None = None
    age_s: Mapping[str, float] = field(default_factory=dict)
    evenness: Evenness | None = None


def policy_diagnostics(report: Report, state: PolicyState, *, now_ns: int) -> DiagnosticArray:
    """The array with one status each for policy, inputs and commands."""
    parts = [_policy(report, state)]
    if state.state == "active" and state.status is not None:
        parts += [_inputs(report, state, state.status), _commands(report, state, state.status)]
    array = DiagnosticArray(status=parts)
    array.header.stamp = stamp_from_ns(now_ns)
    return array


def _policy(report: Report, state: PolicyState) -> DiagnosticStatus:
    failed = report.drops.get("policy failed")
    if state.problem:
        level, text = ERROR, state.problem
    elif failed is not None and failed.recent:
        level, text = ERROR, f"the policy fails: {failed.example}"
    elif state.policy_id:
        level, text = OK, f"{state.policy_id} on {state.provider}"
        if state.server is not None:
            level = OK if state.server.state == "ready" else WARN
            text += f"; {words_of_server(state.server)}"
    else:
        level, text = OK, "no policy loaded"
    values = {
        "state": state.state,
        "doing": state.doing,
        "policy": state.policy_id,
        "provider": state.provider,
    }
    text = f"{state.doing}; {text}" if state.doing else text
    return status_of(state.name, "policy", level, text, values)


def _inputs(report: Report, state: PolicyState, now: PolicyStatus) -> DiagnosticStatus:
    rates = ", ".join(f"{role} {hz:.1f} Hz" for role, hz in report.input_hz.items() if hz)
    problems = [f"{role}: {why}" for role, why in state.silence.items()]
    problems += [words_of(cause, why) for cause, why in report.drops.items() if why.recent]
    problems += [words_of(cause, why) for cause, why in report.notes.items() if why.recent]
    problems += now.camera_warnings
    if now.masked:
        problems.append(f"masked: {', '.join(now.masked)}")
    level = ERROR if state.silence else WARN if problems else OK
    values = {f"{role}_hz": f"{hz:.2f}" for role, hz in report.input_hz.items()}
    values |= {f"dropped: {cause}": str(why.total) for cause, why in report.drops.items()}
    values |= {f"noted: {cause}": str(why.total) for cause, why in report.notes.items()}
    return status_of(state.name, "inputs", level, "; ".join([*problems, rates]), values)


def _commands(report: Report, state: PolicyState, now: PolicyStatus) -> DiagnosticStatus:
    age = state.age_s
    if not now.enabled:
        level, text = OK, "disabled: nothing is commanded until ~/enable"
    elif now.holding:
        level, text = WARN, f"holding: {'; '.join(now.reasons)}"
    else:
        level, text = OK, "following the policy"
    if age:
        text += f"; camera to command p50 {age['p50'] * 1e3:.1f} ms, p95 {age['p95'] * 1e3:.1f} ms"
        if age["p95"] > state.config.max_age_s:
            level = max(level, WARN)
            text += f", above the limit of {state.config.max_age_s * 1e3:.0f} ms"
    values = {"enabled": str(now.enabled).lower(), "holding": str(now.holding).lower()}
    if state.evenness is not None:
        text += f"; {state.evenness.hz:.1f} Hz"
        values |= _evenness(state.evenness)
    values |= {f"age_{name}_ms": f"{seconds * 1e3:.3f}" for name, seconds in age.items()}
    for stage, percentiles in report.stage_s.items():
        for name, seconds in percentiles.items():
            values[f"{stage}_{name}_ms"] = f"{seconds * 1e3:.3f}"
    if now.joint_warnings:
        values["joint space"] = "; ".join(now.joint_warnings)
    values |= {f"intervened: {why}": str(count) for why, count in now.interventions.items()}
    return status_of(state.name, "commands", level, text, values)


def _evenness(evenness: Evenness) -> dict[str, str]:
    values = {
        "command_hz": f"{evenness.hz:.2f}",
        "commands": str(evenness.ticks),
        "late": str(evenness.late),
        "scheduling": evenness.scheduling,
        "late_percent": f"{100 * evenness.late / max(evenness.ticks, 1):.3f}",
    }
    for name, seconds in evenness.lateness_s.items():
        values[f"lateness_{name}_ms"] = f"{seconds * 1e3:.3f}"
    return values
