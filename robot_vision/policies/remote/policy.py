"""A policy whose decisions come from a server, within the time limits of the service."""

from dataclasses import replace
from time import perf_counter

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.results.policy_status import ServerStatus
from robot_vision.core.timing import timed
from robot_vision.core.types import Decision, Instruction, Observation, RobotState
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.language.words import NoWords
from robot_vision.policies.registry import POLICIES
from robot_vision.policies.remote.clients.client import CLIENTS
from robot_vision.policies.remote.contract import check_report
from robot_vision.policies.remote.errors import RemoteError
from robot_vision.policies.remote.link import Handshake, Link
from robot_vision.policies.remote.messages import Answer, Request
from robot_vision.policies.remote.observed import blank_arm, blank_request, request_of
from robot_vision.policies.remote.own import OWN_ANSWER, blank_observation
from robot_vision.policies.remote.spec import remote_spec
from robot_vision.policies.remote.steps import chunk_of


class RemotePolicy:
    """A bundle of kind `remote`. See `core.interfaces.Policy`.

    Raises `BundleError` if the bundle is invalid, or its server is reachable but made for another
    robot. A server that is not reachable yet is not an error: the arm holds, and reports it, until
    it is.
    """

    def __init__(self, bundle: PolicyBundle, *, threads: int = 0, spin: bool = True) -> None:  # noqa: ARG002 (one shape for all)
        manifest = self.manifest = bundle.manifest
        self.spec: ActionSpec = manifest.action_spec
        self._remote = remote_spec(manifest)
        assert manifest.observation is not None  # held by `remote_spec`
        self.observation: ObservationSpec = manifest.observation
        client = CLIENTS.get(self._remote.protocol)(self._remote, manifest)
        self.provider = f"{self._remote.protocol} at {client.address}"
        self._words = NoWords()
        handshake = Handshake(
            check=lambda report: check_report(report, self._remote, manifest),
            trial=self._trial(),
            judge=self._judge,
        )
        server = self._remote.server
        self._link = Link(client, server, handshake)
        self._link.wait_until_settled(server.connect_s)
        status = self._link.status()
        if status.state == "refused":
            self._link.close()
            raise BundleError(f"policy {manifest.name!r}: {status.server}: {status.problem}")

    def instruct(self, text: str) -> Instruction:
        """The text as it is: the server interprets it."""
        return self._words.instruct(text)

    def decide(self, observation: Observation, instruction: Instruction) -> Decision:
        """The server's chunk, or the reason there is none within `server.limit_s`."""
        stamp_ns, stage_s = observation.stamp_ns, dict[str, float]()
        if instruction.problem:
            return Decision(stamp_ns=stamp_ns, action=None, hold_reason=instruction.problem)
        try:
            with timed(stage_s, "policy_inputs"):
                request = self._request(observation, instruction)
            with timed(stage_s, "policy_server"):
                answer = self._link.ask(request)
            if isinstance(answer, str):
                raise RemoteError(answer)
            if answer.hold_reason:
                raise RemoteError(answer.hold_reason)
            action = self._action(answer, observation.robot)
        except (RemoteError, ValueError) as error:
            return Decision(
                stamp_ns=stamp_ns, action=None, hold_reason=str(error), stage_s=stage_s
            )
        if answer.server_s is not None:
            stage_s["policy_network"] = answer.server_s
        return Decision(stamp_ns=stamp_ns, action=action, stage_s=stage_s, masked=answer.masked)

    def status(self) -> ServerStatus:
        """The connection and its figures."""
        found = self._link.status()
        latency_s = found.latency_s
        return ServerStatus(
            server=self.provider,
            state=found.state,
            problem=found.problem,
            reconnects=found.reconnects,
            answers=found.answers,
            late_answers=found.late,
            failed_requests=found.failed,
            latency_ms={name: round(value * 1e3, 1) for name, value in latency_s.items()},
            steps_past_on_arrival=round(latency_s.get("p50", 0.0) / self.spec.step_s, 2),
            unsaid=found.unsaid,
        )

    def news(self) -> tuple[str, ...]:
        """Connection events since the last call, as text."""
        return self._link.news()

    @property
    def warm_up_s(self) -> float:
        """Time limit of the first answer after connecting."""
        return self._remote.server.warm_up_s

    def ask_blank(self, text: str) -> tuple[float, str]:
        """Send black pictures; returns the seconds, and why there is no answer. Nothing moves."""
        started_s = perf_counter()
        answer = self._link.ask(replace(self._trial(), text=text))
        problem = answer if isinstance(answer, str) else answer.hold_reason
        return perf_counter() - started_s, problem

    def close(self) -> None:
        self._link.close()

    def _trial(self) -> Request:
        mapping = self._remote.mapping
        if mapping is None:
            blank = blank_observation(self.observation, self.spec)
            return Request(stamp_ns=0, text="wait", observation=blank)
        return blank_request(self.observation, mapping)

    def _judge(self, answer: Answer) -> None:
        """Raises if the trial's answer has the wrong form; a joint policy needs no arm yet."""
        names = self.spec.joint_names
        arm = RobotState(
            stamp_ns=0,
            joint_position_rad=np.zeros(len(names)),
            joint_names=names,
            base_from_tool=blank_arm(None).base_from_tool,
            gripper_open=1.0,
        )
        self._action(answer, arm)

    def _request(self, observation: Observation, instruction: Instruction) -> Request:
        mapping, stamp_ns = self._remote.mapping, observation.stamp_ns
        if mapping is None:
            return Request(stamp_ns=stamp_ns, text=instruction.text, observation=observation)
        return request_of(observation, instruction.text, seen=self.observation, mapping=mapping)

    def _action(self, answer: Answer, robot: RobotState) -> np.ndarray:
        """In units of our statistics, as one of our networks would output it."""
        mapping, spec = self._remote.mapping, self.spec
        if mapping is not None:
            physical = chunk_of(answer.arrays, mapping.action, spec=spec, robot=robot)
        else:
            physical = answer.arrays.get(OWN_ANSWER, np.zeros((0, 0)))
        if physical.shape != (spec.horizon, spec.width):
            raise RemoteError(
                f"the server returned actions of shape {physical.shape}; policy.yaml expects "
                f"{spec.horizon} steps of {spec.width}: is the server for another robot?"
            )
        mean, scale = np.array(spec.statistics.mean), np.array(spec.statistics.scale)
        return ((physical.astype(np.float64) - mean) / scale).astype(np.float32)


POLICIES.register("remote")(RemotePolicy)
