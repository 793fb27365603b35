"""GR00T's server (N1.6 and later): ZeroMQ request and reply, msgpack with arrays as .npy.

An observation has `video` u8 [1,T,H,W,3], `state` f32 [1,T,D] and `language` [[text]] by the keys
of the model's modalities, which the server reports. The answer is (actions by key [1,T,D], info).
The token, if any, is part of each message; ZeroMQ does not encrypt it here.
"""

from time import monotonic
from typing import Any

import numpy as np

from robot_vision.core.errors import BundleError, MissingDependencyError
from robot_vision.core.files.foreign import brief
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.policies.remote.address import Address, address_of
from robot_vision.policies.remote.clients.client import CLIENTS
from robot_vision.policies.remote.clients.options import no_options
from robot_vision.policies.remote.errors import LostError, MismatchError, RemoteError
from robot_vision.policies.remote.messages import Answer, Request, ServerReport
from robot_vision.policies.remote.spec import RemoteSpec
from robot_vision.policies.remote.wire.packed import pack_npy, unpack_npy

# How often a wait checks whether to end.
_GLANCE_S = 0.1


class GrootClient:
    """See `client.Client`. Every connection has its own sockets, so a late reply reaches
    nobody."""

    def __init__(self, spec: RemoteSpec, manifest: PolicyManifest) -> None:
        no_options(spec)
        assert spec.mapping is not None  # held by `RemoteSpec`
        assert manifest.observation is not None
        if spec.mapping.prompt_key == "none":
            raise BundleError(
                "mapping.prompt_key is none; GR00T needs the key of its language input"
            )
        self.address: Address = address_of(spec.server, schemes=("tcp",), default_path="")
        if self.address.path:
            raise BundleError(f"server.url has the path {self.address.path}; expected none")
        self._prompt_key = spec.mapping.prompt_key
        self._steps = manifest.observation.steps
        self._most_bytes = spec.server.most_answer_mib * 2**20
        self._context: Any = None
        self._socket: Any = None
        self._watch: Any = None
        self._is_interrupted = False

    def connect(self, limit_s: float) -> ServerReport:
        zmq = _zmq()
        self._context = zmq.Context()
        made = self._context.socket(zmq.REQ)
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.MAXMSGSIZE, self._most_bytes)
        made.setsockopt(zmq.IPV6, int(":" in self.address.host))
        watch = made.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED)
        self._socket, self._watch = made, watch
        try:
            made.connect(str(self.address))
        except zmq.ZMQError as error:
            raise LostError(f"cannot connect: {error}") from error
        return self._report(self._call("get_modality_config", None, limit_s))

    def ask(self, request: Request, limit_s: float) -> Answer:
        observation = {
            "video": {key: shown[None] for key, shown in request.pictures.items()},
            "state": {key: rows[None] for key, rows in request.state.items()},
            "language": {self._prompt_key: [[request.text]]},
        }
        found = self._call("get_action", {"observation": observation, "options": None}, limit_s)
        actions = found[0] if isinstance(found, list) and found else found
        if not isinstance(actions, dict):
            raise RemoteError(
                f"the answer is a {type(actions).__name__}, expected a mapping of actions by key"
            )
        arrays = {str(k): v for k, v in actions.items() if isinstance(v, np.ndarray)}
        return Answer(arrays=arrays)

    def close(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            self._watch.close(0)
            self._socket.disable_monitor()
            self._socket.close(0)
            context.destroy(0)

    def interrupt(self) -> None:
        """ZeroMQ sockets belong to one thread, which checks this flag between polls."""
        self._is_interrupted = True

    def _call(self, endpoint: str, data: dict[str, Any] | None, limit_s: float) -> Any:
        zmq, made = _zmq(), self._socket
        message: dict[str, Any] = {"endpoint": endpoint}
        if data is not None:
            message["data"] = data
        if self.address.token:
            message["api_token"] = self.address.token
        try:
            made.send(pack_npy(message), zmq.NOBLOCK)
            self._wait(made, limit_s)
            parts = made.recv_multipart(zmq.NOBLOCK)
        except zmq.ZMQError as error:
            raise LostError(f"{error}") from error
        found = unpack_npy(b"".join(parts))
        if isinstance(found, dict) and "error" in found:
            raise RemoteError(f"the server reports an error: {brief(found['error'])}")
        return found

    def _wait(self, made: Any, limit_s: float) -> None:
        """Wait for the answer. ZeroMQ reconnects by itself, but loses what it sent."""
        zmq, until_s = _zmq(), monotonic() + limit_s
        poller = zmq.Poller()
        poller.register(made, zmq.POLLIN)
        poller.register(self._watch, zmq.POLLIN)
        while (left_s := until_s - monotonic()) > 0 and not self._is_interrupted:
            ready = dict(poller.poll(round(1e3 * min(left_s, _GLANCE_S)) + 1))
            if made in ready:
                return
            if ready:
                raise LostError("the server is not there, or the connection was closed")
        raise LostError(f"no answer within {limit_s:g} s")

    def _report(self, config: Any) -> ServerReport:
        if not isinstance(config, dict):
            raise LostError("it reports no modalities: is it a GR00T server?")
        parts = {name: part for name, part in config.items() if isinstance(part, dict)}
        keys = {name: _keys(part.get("modality_keys")) for name, part in parts.items()}
        language = keys.get("language")
        if language is not None and language != (self._prompt_key,):
            raise MismatchError(
                f"its language keys are {language}, but mapping.prompt_key is {self._prompt_key!r}"
            )
        for name in ("video", "state"):
            moments = parts.get(name, {}).get("delta_indices")
            if isinstance(moments, list) and len(moments) != self._steps:
                raise MismatchError(
                    f"its {name} has {len(moments)} steps, but observation.steps is {self._steps}"
                )
        ahead = parts.get("action", {}).get("delta_indices")
        return ServerReport(
            facts=config,
            camera_keys=keys.get("video"),
            state_keys=keys.get("state"),
            action_keys=keys.get("action"),
            horizon=len(ahead) if isinstance(ahead, list) else None,
        )


def _keys(found: Any) -> tuple[str, ...] | None:
    return tuple(map(str, found)) if isinstance(found, list) else None


def _zmq() -> Any:
    try:
        import zmq
    except ImportError as error:
        raise MissingDependencyError(
            "GR00T's protocol needs pyzmq: pip install 'robot_vision[remote,groot]'"
        ) from error
    return zmq


CLIENTS.register("groot")(GrootClient)
