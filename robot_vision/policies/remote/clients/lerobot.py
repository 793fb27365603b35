"""LeRobot's asynchronous inference over gRPC, without pickle: see `wire/lerobot_bytes`.

`Ready`, `SendPolicyInstructions` (which policy the server loads), then for each observation
`SendObservations` and `GetActions`. An answer is a list of steps, one tensor each; answers to
another observation are rejected.
"""

from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from pydantic import Field

from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.files.foreign import brief
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.parameters.params import Params
from robot_vision.policies.remote.address import Address, address_of
from robot_vision.policies.remote.clients.client import CLIENTS
from robot_vision.policies.remote.clients.options import one_step_alone, options_of
from robot_vision.policies.remote.errors import LostError, RemoteError
from robot_vision.policies.remote.messages import Answer, Request, ServerReport
from robot_vision.policies.remote.spec import RemoteSpec
from robot_vision.policies.remote.wire.lerobot_bytes import (
    bytes_of,
    decoded,
    encoded,
    message,
    pieces,
)

_SERVICE = "/transport.AsyncInference/"
_ACTIONS = "actions"
_NS_PER_S = 1e9


class LerobotOptions(Params):
    policy_type: str = Field(max_length=100, description="act, smolvla, pi0, …")
    pretrained_name_or_path: str = Field(max_length=500, description="model that the server loads")
    device: str = Field(default="cuda", max_length=40)
    features: dict[str, Any] = Field(
        description="LeRobot's features of the observation: name, dtype, shape, names"
    )


class LerobotClient:
    """See `client.Client`. The answer's array is called `actions`.

    LeRobot's robots name each number of a state, as listed in `features[key].names`.
    """

    def __init__(self, spec: RemoteSpec, manifest: PolicyManifest) -> None:
        one_step_alone(manifest, spec.protocol)
        assert spec.mapping is not None  # held by `RemoteSpec`
        self._options = options_of(spec, LerobotOptions)
        self._mapping = spec.mapping
        self._horizon = manifest.action_spec.horizon
        self.address: Address = address_of(spec.server, schemes=("grpc", "grpcs"), default_path="")
        self._most_bytes = spec.server.most_answer_mib * 2**20
        self._channel: Any = None
        self._asked = 0

    def connect(self, limit_s: float) -> ServerReport:
        grpc, address = _grpc(), self.address
        bounds = [
            ("grpc.max_receive_message_length", self._most_bytes),
            ("grpc.enable_retries", 0),
            ("grpc.enable_http_proxy", 0),
        ]
        if address.is_encrypted:
            trusted = Path(address.ca_file).read_bytes() if address.ca_file else None
            credentials = grpc.ssl_channel_credentials(trusted)
            self._channel = grpc.secure_channel(address.netloc, credentials, bounds)
        else:
            self._channel = grpc.insecure_channel(address.netloc, bounds)
        self._call("Ready", b"", limit_s)
        setup = {
            "type": "RemotePolicyConfig",
            "policy_type": self._options.policy_type,
            "pretrained_name_or_path": self._options.pretrained_name_or_path,
            "lerobot_features": self._options.features,
            "actions_per_chunk": self._horizon,
            "device": self._options.device,
            "rename_map": {},
        }
        self._call("SendPolicyInstructions", message(encoded(setup)), limit_s)
        return ServerReport()

    def ask(self, request: Request, limit_s: float) -> Answer:
        self._asked, until_s = self._asked + 1, monotonic() + limit_s
        tensors = {key: shown[-1] for key, shown in request.pictures.items()}
        numbers: dict[str, Any] = {}
        for key, rows in request.state.items():
            names = self._names(key, rows.shape[1])
            numbers |= dict(zip(names, rows[-1].tolist(), strict=True))
        if self._mapping.prompt_key != "none":
            numbers[self._mapping.prompt_key] = request.text
        meta = {
            "type": "TimedObservation",
            "timestamp": request.stamp_ns / _NS_PER_S,
            "timestep": self._asked,
            "must_go": True,
            "scalar_data": numbers,
            "numpy_keys": list(tensors),
        }
        self._call("SendObservations", encoded(meta, tensors), limit_s)
        found = bytes_of(self._call("GetActions", b"", max(until_s - monotonic(), 0.0)))
        if not found:
            raise RemoteError("the answer has no actions: the server skipped the observation")
        return Answer(arrays={_ACTIONS: self._steps(found)})

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def interrupt(self) -> None:
        self.close()

    def _names(self, key: str, width: int) -> list[str]:
        feature = self._options.features.get(key)
        names = feature.get("names") if isinstance(feature, dict) else None
        if not isinstance(names, list) or len(names) != width:
            raise RemoteError(
                f"options.features.{key}.names must name the {width} numbers of the state"
            )
        return [str(name) for name in names]

    def _steps(self, data: bytes) -> np.ndarray:
        meta, tensors = decoded(data, kind="TimedActions")
        said = meta.get("actions")
        if not isinstance(said, list) or len(said) != len(tensors):
            raise RemoteError("the answer's steps do not match its header")
        first = said[0].get("timestep") if said and isinstance(said[0], dict) else None
        if first != self._asked:
            raise RemoteError(f"the answer begins at step {brief(first)}; expected {self._asked}")
        names = [f"action_{place}" for place in range(len(said))]
        rows = [tensors[name] for name in names if name in tensors and tensors[name].ndim == 1]
        if len(rows) != len(said) or len({len(row) for row in rows}) != 1:
            raise RemoteError("the answer's steps are not vectors of equal length")
        return np.stack(rows)

    def _call(self, name: str, sent: bytes, limit_s: float) -> bytes:
        grpc, channel = _grpc(), self._channel
        if channel is None:
            raise LostError("the connection is closed")
        headers = (
            (("authorization", f"Bearer {self.address.token}"),) if self.address.token else None
        )
        try:
            if name == "SendObservations":
                return channel.stream_unary(_SERVICE + name)(
                    pieces(sent), timeout=limit_s, metadata=headers
                )
            return channel.unary_unary(_SERVICE + name)(sent, timeout=limit_s, metadata=headers)
        except grpc.RpcError as error:
            code, words = error.code(), brief(error.details() or "")
            raise LostError(f"{name}: {code.name.lower().replace('_', ' ')}: {words}") from error
        except ValueError as error:  # the channel was closed by another thread
            raise LostError(f"{name}: {error}") from error


def _grpc() -> Any:
    try:
        import grpc
    except ImportError as error:
        raise MissingDependencyError(
            "LeRobot's protocol needs grpcio: pip install 'robot_vision[remote]'"
        ) from error
    return grpc


CLIENTS.register("lerobot")(LerobotClient)
