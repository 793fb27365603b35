"""Our own protocol: framed like openpi's, but observations include stamps, history and depth.

The server reports its whole contract and the identity of its policy.
"""

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.files.foreign import brief
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.policies.remote.address import Address, address_of
from robot_vision.policies.remote.clients.client import CLIENTS
from robot_vision.policies.remote.clients.openpi import report_of
from robot_vision.policies.remote.clients.options import no_options
from robot_vision.policies.remote.clients.socket import MessageSocket
from robot_vision.policies.remote.contract import PART
from robot_vision.policies.remote.errors import RemoteError
from robot_vision.policies.remote.messages import Answer, Request, ServerReport
from robot_vision.policies.remote.own import OWN_ANSWER, request_message
from robot_vision.policies.remote.spec import OURS, RemoteSpec
from robot_vision.policies.remote.wire.packed import pack, unpack

IDENTITY = f"{PART}.identity"
PATH = "/robot_vision"


class OwnClient:
    """See `client.Client`. Raises `BundleError` if the bundle does not say which policy it
    expects."""

    def __init__(self, spec: RemoteSpec, manifest: PolicyManifest) -> None:
        no_options(spec)
        if IDENTITY not in spec.expect:
            raise BundleError(
                f"remote.expect has no {IDENTITY!r}; expected the identity of the served policy, "
                "as printed by `robot-vision serve policy`"
            )
        assert manifest.observation is not None  # held by `remote_spec`
        self._seen = manifest.observation
        self.address: Address = address_of(spec.server, schemes=("ws", "wss"), default_path=PATH)
        self._socket = MessageSocket(self.address, spec.server, scheme="Bearer")

    def connect(self, limit_s: float) -> ServerReport:
        return report_of(self._socket.connect(limit_s))

    def ask(self, request: Request, limit_s: float) -> Answer:
        assert request.observation is not None
        seen = request.observation
        sent = request_message(seen, request.text, self._seen)
        found = unpack(self._socket.exchange(pack(sent), limit_s))
        if not isinstance(found, dict) or found.get("stamp_ns") != seen.stamp_ns:
            raise RemoteError("the answer is for another moment than requested")
        masked = found.get("masked")
        masks = [brief(m) for m in masked[:50]] if isinstance(masked, list) else []
        action = found.get(OWN_ANSWER)
        hold = "" if isinstance(action, np.ndarray) else brief(found.get("hold_reason") or "")
        if not hold and not isinstance(action, np.ndarray):
            raise RemoteError("the answer has neither an action nor a reason to hold")
        server_s = found.get("server_s")
        return Answer(
            arrays={OWN_ANSWER: action} if isinstance(action, np.ndarray) else {},
            hold_reason=hold,
            masked=tuple(masks),
            server_s=server_s if isinstance(server_s, float) else None,
        )

    def close(self) -> None:
        self._socket.close()

    def interrupt(self) -> None:
        self._socket.close()


CLIENTS.register(OURS)(OwnClient)
