"""/diagnostics of the perception node: age and rate of results, losses and their causes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from robot_vision.core.parameters.config import NodeConfig
from robot_vision.ros.common.diagnostics import ERROR, OK, WARN, status_of, words_of
from robot_vision.ros.common.health import Report
from robot_vision.ros.messages.convert import stamp_from_ns


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """The node's own state: its lifecycle state, its models, why its topics are silent.

    `problem` is why the node is not in the state it should be in; `doing` is its slow task now.
    """

    name: str
    state: str
    config: NodeConfig
    problem: str = ""
    doing: str = ""
    model_id: str = ""
    provider: str = ""
    fallback_reason: str = ""
    silence: Mapping[str, str] = field(default_factory=dict)
    worst_offset_s: float = 0.0


def diagnostics(report: Report, state: NodeState, *, now_ns: int) -> DiagnosticArray:
    """The array with one status each for inputs, model and outputs."""
    status = [_model(report, state)]
    if state.state == "active":
        status += [_inputs(report, state), _outputs(report, state)]
    array = DiagnosticArray(status=status)
    array.header.stamp = stamp_from_ns(now_ns)
    return array


def _model(report: Report, state: NodeState) -> DiagnosticStatus:
    failed = report.drops.get("frame failed")
    if state.problem:
        level, text = ERROR, state.problem
    elif failed is not None and failed.recent:
        level, text = ERROR, f"the model fails: {failed.example}"
    elif state.fallback_reason:
        level, text = WARN, f"{state.model_id} on {state.provider}: {state.fallback_reason}"
    elif state.model_id:
        level, text = OK, f"{state.model_id} on {state.provider}"
    else:
        level, text = OK, "no model loaded"
    values = {
        "state": state.state,
        "doing": state.doing,
        "model": state.model_id,
        "provider": state.provider,
        "fallback_reason": state.fallback_reason,
        "device_parameter": state.config.device,
        "memory_rss_mb": f"{psutil.Process().memory_info().rss / 1e6:.1f}",
    }
    return status_of(
        state.name, "model", level, f"{state.doing}; {text}" if state.doing else text, values
    )


def _inputs(report: Report, state: NodeState) -> DiagnosticStatus:
    rates = ", ".join(f"{role} {hz:.1f} Hz" for role, hz in report.input_hz.items())
    problems = [f"{role}: {why}" for role, why in state.silence.items()]
    problems += [words_of(cause, why) for cause, why in report.drops.items() if why.recent]
    problems += [words_of(cause, why) for cause, why in report.notes.items() if why.recent]
    if any("out_of_tolerance" in cause and why.recent for cause, why in report.notes.items()):
        problems.append(
            f"depth is up to {state.worst_offset_s * 1e3:.1f} ms away from colour; "
            f"sync.tolerance_s allows {state.config.sync.tolerance_s * 1e3:.1f} ms"
        )
    level = ERROR if "rgb" in state.silence else WARN if problems else OK
    values = {f"{role}_hz": f"{hz:.2f}" for role, hz in report.input_hz.items()}
    values |= {f"dropped: {cause}": str(why.total) for cause, why in report.drops.items()}
    values |= {f"degraded: {cause}": str(why.total) for cause, why in report.notes.items()}
    values["worst_depth_offset_ms"] = f"{state.worst_offset_s * 1e3:.3f}"
    return status_of(state.name, "inputs", level, "; ".join([*problems, rates]), values)


def _outputs(report: Report, state: NodeState) -> DiagnosticStatus:
    limits = state.config.diagnostics
    age = report.stage_s.get("age", {})
    level, text = OK, f"{report.output_hz:.1f} Hz"
    if age:
        text += f", age p50 {age['p50'] * 1e3:.1f} ms, p95 {age['p95'] * 1e3:.1f} ms"
    if report.output_quiet_s > limits.silent_after_s:
        level, text = ERROR, f"no output for {report.output_quiet_s:.1f} s: see inputs and model"
    elif age and age["p95"] > limits.max_age_s:
        level = WARN
        text += f", above the limit of {limits.max_age_s * 1e3:.0f} ms"
    values = {"output_hz": f"{report.output_hz:.2f}", "outputs": str(report.outputs)}
    for stage, percentiles in report.stage_s.items():
        for name, seconds in percentiles.items():
            values[f"{stage}_{name}_ms"] = f"{seconds * 1e3:.3f}"
    return status_of(state.name, "outputs", level, text, values)
