"""openpi's protocol: one WebSocket message of msgpack each way, the server's metadata first.

The observation is a flat map with the server's keys; the answer a map with `actions` [t, n]. A
text message instead of bytes is the server's traceback. The token goes as `Authorization: Api-Key
…`.
"""

from typing import Any

import numpy as np

from robot_vision.core.files.foreign import brief
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.policies.remote.address import Address, address_of
from robot_vision.policies.remote.clients.client import CLIENTS
from robot_vision.policies.remote.clients.options import no_options, one_step_alone
from robot_vision.policies.remote.clients.socket import MessageSocket
from robot_vision.policies.remote.contract import PART
from robot_vision.policies.remote.errors import LostError, RemoteError
from robot_vision.policies.remote.messages import Answer, Request, ServerReport
from robot_vision.policies.remote.spec import RemoteSpec
from robot_vision.policies.remote.wire.packed import pack, texts, unpack

# Sent by our own servers; openpi has no field for it.
HOLD_KEY = "hold_reason"


class OpenpiClient:
    """See `client.Client`."""

    def __init__(self, spec: RemoteSpec, manifest: PolicyManifest) -> None:
        no_options(spec)
        one_step_alone(manifest, spec.protocol)
        assert spec.mapping is not None  # held by `RemoteSpec`
        self.address: Address = address_of(spec.server, schemes=("ws", "wss"), default_path="")
        self._mapping = spec.mapping
        self._socket = MessageSocket(self.address, spec.server, scheme="Api-Key")

    def connect(self, limit_s: float) -> ServerReport:
        return report_of(self._socket.connect(limit_s))

    def ask(self, request: Request, limit_s: float) -> Answer:
        sent: dict[str, Any] = {key: shown[-1] for key, shown in request.pictures.items()}
        sent |= {key: rows[-1] for key, rows in request.state.items()}
        if self._mapping.prompt_key != "none":
            sent[self._mapping.prompt_key] = request.text
        found = unpack(self._socket.exchange(pack(sent), limit_s))
        if not isinstance(found, dict):
            raise RemoteError(
                f"the answer is a {type(found).__name__}, expected a map with actions"
            )
        arrays = {str(texts(k)): v for k, v in found.items() if isinstance(v, np.ndarray)}
        timing = texts(found.get("server_timing")) if "server_timing" in found else None
        infer_ms = timing.get("infer_ms") if isinstance(timing, dict) else None
        server_s = infer_ms / 1e3 if isinstance(infer_ms, int | float) else None
        hold = "" if arrays else brief(texts(found.get(HOLD_KEY)) or "")
        return Answer(arrays=arrays, hold_reason=hold, server_s=server_s)

    def close(self) -> None:
        self._socket.close()

    def interrupt(self) -> None:
        self._socket.close()


def report_of(metadata: bytes) -> ServerReport:
    """Read a server's first message; raises `LostError` if it is not valid."""
    try:
        facts = texts(unpack(metadata))
    except RemoteError as error:
        raise LostError(f"its first message cannot be read: {error}") from error
    if not isinstance(facts, dict):
        raise LostError("its first message is not a map: is it a policy server?")
    contract = facts.get(PART)
    if not isinstance(contract, dict):
        return ServerReport(facts=facts)
    return ServerReport(
        facts=facts,
        contract=contract,
        camera_keys=_keys(contract.get("camera_keys")),
        state_keys=_keys(contract.get("state_keys")),
    )


def _keys(found: Any) -> tuple[str, ...] | None:
    return tuple(map(str, found)) if isinstance(found, list) else None


CLIENTS.register("openpi")(OpenpiClient)
