"""OpenVLA's REST server: POST /act with a picture and an instruction as JSON; the reply is an
action.

Arrays use json-numpy's encoding, both ways; an OpenVLA-OFT server also takes more pictures and the
state, and returns a list of steps. It reports nothing about itself: `unnorm_key`, an option here,
names the statistics it should use.
"""

import socket
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer
from typing import Any

import numpy as np
from pydantic import Field

from robot_vision.core.files.foreign import brief
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.parameters.params import Params
from robot_vision.policies.remote.address import Address, address_of
from robot_vision.policies.remote.clients.client import CLIENTS
from robot_vision.policies.remote.clients.options import one_step_alone, options_of
from robot_vision.policies.remote.errors import LostError, RemoteError
from robot_vision.policies.remote.messages import Answer, Request, ServerReport
from robot_vision.policies.remote.spec import RemoteSpec
from robot_vision.policies.remote.wire.json_arrays import dump, load

_ACTIONS = "actions"


class OpenvlaOptions(Params):
    unnorm_key: str = Field(
        max_length=200,
        description="dataset whose statistics the server uses; empty: it has only one set",
    )


class OpenvlaClient:
    """See `client.Client`. The answer's array is called `actions`."""

    def __init__(self, spec: RemoteSpec, manifest: PolicyManifest) -> None:
        one_step_alone(manifest, spec.protocol)
        assert spec.mapping is not None  # held by `RemoteSpec`
        self._options = options_of(spec, OpenvlaOptions)
        self.address: Address = address_of(
            spec.server, schemes=("http", "https"), default_path="/act"
        )
        self._tls = self.address.tls()
        self._prompt_key = spec.mapping.prompt_key
        self._most_bytes = spec.server.most_answer_mib * 2**20
        self._asking: HTTPConnection | None = None

    def connect(self, limit_s: float) -> ServerReport:
        made = self._made(limit_s)
        try:
            made.connect()
        except (OSError, HTTPException) as error:
            raise LostError(f"cannot connect: {_words(error)}") from error
        finally:
            made.close()
        return ServerReport()

    def ask(self, request: Request, limit_s: float) -> Answer:
        sent: dict[str, Any] = {key: shown[-1] for key, shown in request.pictures.items()}
        sent |= {key: rows[-1] for key, rows in request.state.items()}
        if self._prompt_key != "none":
            sent[self._prompt_key] = request.text
        if self._options.unnorm_key:
            sent["unnorm_key"] = self._options.unnorm_key
        found = load(self._post(dump(sent), limit_s))
        if isinstance(found, str):
            if found.strip().lower() == "error":
                raise RemoteError("the server reports an error; see its log")
            found = load(found.encode())  # doubly encoded, unless json-numpy is patched in
        return Answer(arrays={_ACTIONS: _rows(found)})

    def close(self) -> None:
        """No connection is kept between requests: the server would close an idle one."""

    def interrupt(self) -> None:
        if self._asking is not None:
            _shut(self._asking)

    def _made(self, limit_s: float) -> HTTPConnection:
        host, port = self.address.host, self.address.port
        if self._tls is None:
            return HTTPConnection(host, port, timeout=limit_s)
        return HTTPSConnection(host, port, timeout=limit_s, context=self._tls)

    def _post(self, body: bytes, limit_s: float) -> bytes:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if self.address.token:
            headers["Authorization"] = f"Bearer {self.address.token}"
        self._asking = asking = self._made(limit_s)
        # Socket time-outs restart with each byte; this one counts from the start.
        timer = Timer(limit_s, _shut, (asking,))
        timer.daemon = True
        timer.start()
        try:
            asking.request("POST", self.address.path, body, headers)
            response = asking.getresponse()
            found = response.read(self._most_bytes + 1)
        except (OSError, HTTPException, ValueError) as error:
            raise LostError(_words(error)) from error
        finally:
            timer.cancel()
            asking.close()
        if len(found) > self._most_bytes:
            raise LostError(f"its answer is larger than {self._most_bytes} bytes")
        if response.length:
            raise LostError(f"its answer ended {response.length} bytes too early")
        if response.status != 200:
            text = brief(found[:200].decode("utf-8", "replace"))
            raise RemoteError(f"it returned status {response.status}: {text}")
        return found


def _shut(connection: HTTPConnection) -> None:
    made = connection.sock
    if made is not None:
        with suppress(OSError):  # already closed
            made.shutdown(socket.SHUT_RDWR)


def _rows(found: Any) -> np.ndarray:
    """Steps: an array, a list of arrays, a list of numbers, or one of these under `action(s)`."""
    if isinstance(found, dict):
        names = [name for name in ("actions", "action") if name in found]
        if not names:
            raise RemoteError(f"the answer has no actions; it has {brief(', '.join(found))}")
        found = found[names[0]]
    try:
        array = np.asarray(found, np.float64)
    except (TypeError, ValueError) as error:
        raise RemoteError(f"the answer is not an array of numbers: {brief(error)}") from error
    if array.ndim not in (1, 2):
        raise RemoteError(f"the answer has the shape {array.shape}, expected steps of numbers")
    return array


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {brief(error)}" if str(error) else type(error).__name__


CLIENTS.register("openvla")(OpenvlaClient)
