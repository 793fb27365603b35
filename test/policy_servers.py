"""Small policy servers, each written from the public description of its protocol, with faults.

They share no code with the clients under test: msgpack, JSON, .npy, safetensors and protocol
buffers are written here by other means, or by hand.
"""

import base64
import io
import json
import pickle
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any, ClassVar

import grpc
import msgpack
import numpy as np
import safetensors.numpy
import zmq
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

FAULTS = ("half", "nan", "steps", "width", "keys", "text", "garbage", "objects")


@dataclass(eq=False)
class Behaviour:
    """Answers `rows` after `delay_s`, or as its `fault` says; `seen` has the requests."""

    rows: np.ndarray
    delay_s: float = 0.0
    fault: str = ""
    token: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, request: dict[str, Any]) -> np.ndarray:
        self.seen.append(request)
        sleep(self.delay_s)
        rows = self.rows
        if self.fault == "nan":
            rows = rows.copy()
            rows[0, 0] = np.nan
        if self.fault == "steps":
            rows = rows[:-1]
        if self.fault == "width":
            rows = np.concatenate([rows, rows], axis=1)
        return rows


class OpenpiServer:
    """Metadata first, then msgpack both ways; arrays are maps of bytes, type and shape."""

    def __init__(self, behaviour: Behaviour, port: int = 0) -> None:
        self.behaviour = behaviour
        self._server = serve(
            self._handle, "127.0.0.1", port, compression=None, process_request=self._admit
        )
        self.port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self._connections: list[Any] = []
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _admit(self, connection: Any, request: Any) -> Any:
        wanted = f"Api-Key {self.behaviour.token}"
        if self.behaviour.token and request.headers.get("Authorization") != wanted:
            return connection.respond(401, "no\n")
        return None

    def _handle(self, connection: Any) -> None:
        self._connections.append(connection)
        try:
            connection.send(msgpack.packb(self.behaviour.metadata))
            for message in connection:
                request = msgpack.unpackb(message, object_hook=_openpi_array)
                rows = self.behaviour.answer(request)
                self._send(connection, rows)
        except (ConnectionClosed, OSError):
            pass

    def _send(self, connection: Any, rows: np.ndarray) -> None:
        fault = self.behaviour.fault
        if fault == "half":  # a frame that says 1000 bytes, and the end after 10
            connection.socket.sendall(b"\x82\x7e\x03\xe8" + bytes(10))
            connection.close_socket()
        elif fault == "text":
            connection.send("Traceback (most recent call last):\n  …\nKeyError: 'state'")
        elif fault == "garbage":
            connection.send(b"\xc1" * 50)
        elif fault == "objects":
            array = {b"__ndarray__": True, b"data": b"", b"dtype": "|O8", b"shape": (1,)}
            connection.send(msgpack.packb({"actions": array}))
        else:
            key = "motions" if fault == "keys" else "actions"
            answer = {key: _openpi_map(rows), "server_timing": {"infer_ms": 1.5}}
            connection.send(msgpack.packb(answer))

    def kill(self) -> None:
        self._server.shutdown()
        for connection in self._connections:
            connection.close_socket()
        self._thread.join()


class GrootServer:
    """A reply socket: endpoint and data in, arrays as .npy out."""

    def __init__(self, behaviour: Behaviour, port: int = 0) -> None:
        self.behaviour = behaviour
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(f"tcp://127.0.0.1:{port or '*'}")
        self.url = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = int(self.url.rsplit(":", 1)[1])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            if self._socket.poll(20):
                request = msgpack.unpackb(self._socket.recv(), object_hook=_npy_array)
                reply = self._reply(request)
                if not self._ended.is_set():
                    self._socket.send(reply)

    def _reply(self, request: dict[str, Any]) -> bytes:
        behaviour = self.behaviour
        if behaviour.token and request.get("api_token") != behaviour.token:
            return msgpack.packb({"error": "Unauthorized: Invalid API token"})
        if request["endpoint"] == "get_modality_config":
            modalities = {
                "video": {"delta_indices": [0], "modality_keys": ["front"]},
                "state": {"delta_indices": [0], "modality_keys": ["tool", "gripper"]},
                "action": {
                    "delta_indices": list(range(len(behaviour.rows))),
                    "modality_keys": ["tool", "gripper"],
                },
                "language": {"delta_indices": [0], "modality_keys": ["task"]},
            } | behaviour.metadata
            packed = {
                name: {"__ModalityConfig_class__": True, "as_json": config}
                for name, config in modalities.items()
            }
            return msgpack.packb(packed)
        rows = behaviour.answer(request["data"]["observation"]).astype(np.float32)
        fault = behaviour.fault
        if fault == "text":
            return msgpack.packb({"error": "Video key 'wrist' must be in observation"})
        if fault == "garbage":
            return b"\xc1" * 50
        if fault == "objects":
            file = io.BytesIO()
            np.save(file, np.array([{}], object), allow_pickle=True)
            return msgpack.packb([{"tool": _npy_map(file.getvalue())}, {}])
        parts = {"tool": rows[None, :, :6], "gripper": rows[None, :, 6:]}
        if fault == "keys":
            parts = {"left_arm": rows[None]}
        packed = {name: _npy_map(_npy(part)) for name, part in parts.items()}
        whole = msgpack.packb([packed, {}])
        return whole[: len(whole) // 2] if fault == "half" else whole

    def kill(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()
        self._context.term()


class OpenvlaServer:
    """POST /act: JSON with arrays as base 64 in, an array out."""

    def __init__(self, behaviour: Behaviour, port: int = 0) -> None:
        self.behaviour = behaviour
        handler = type("Handler", (_OpenvlaHandler,), {"behaviour": behaviour})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def kill(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _OpenvlaHandler(BaseHTTPRequestHandler):
    behaviour: ClassVar[Behaviour]

    def do_POST(self) -> None:
        behaviour = self.behaviour
        wanted = f"Bearer {behaviour.token}"
        if behaviour.token and self.headers.get("Authorization") != wanted:
            self.send_error(401)
            return
        length = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(length), object_hook=_json_array)
        rows = behaviour.answer(request)
        fault = behaviour.fault
        data = base64.b64encode(rows.astype("<f4").tobytes()).decode()
        shape, dtype = list(rows.shape), "<f4"
        if fault == "objects":
            dtype = "|O"
        answer: Any = {"__numpy__": data, "dtype": dtype, "shape": shape}
        if fault == "keys":
            answer = {"motion": answer}
        body = json.dumps("error" if fault == "text" else answer).encode()
        body = b"\xff" * 50 if fault == "garbage" else body
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "half" else body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to the terminal."""


class LerobotServer:
    """gRPC's generic handlers; `data` is JSON and safetensors, or pickle where that is asked."""

    def __init__(self, behaviour: Behaviour, port: int = 0) -> None:
        self.behaviour = behaviour
        self._newest: tuple[int, np.ndarray] = (0, np.zeros((0, 0)))
        handlers = {
            "Ready": grpc.unary_unary_rpc_method_handler(lambda _, context: self._let_in(context)),
            "SendPolicyInstructions": grpc.unary_unary_rpc_method_handler(self._setup),
            "SendObservations": grpc.stream_unary_rpc_method_handler(self._observe),
            "GetActions": grpc.unary_unary_rpc_method_handler(self._act),
        }
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("transport.AsyncInference", handlers),)
        )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.url = f"grpc://127.0.0.1:{self.port}"
        self._server.start()

    def _let_in(self, context: Any) -> bytes:
        wanted = ("authorization", f"Bearer {self.behaviour.token}")
        if self.behaviour.token and wanted not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
        return b""

    def _setup(self, request: bytes, _: Any) -> bytes:
        meta, _ = _lerobot_parts(_fields(request)[1])
        assert meta["type"] == "RemotePolicyConfig"
        self.behaviour.metadata["setup"] = meta
        return b""

    def _observe(self, stream: Any, _: Any) -> bytes:
        found = [_fields(piece) for piece in stream]
        assert found[-1][1] == 3, "the last piece says END"
        meta, tensors = _lerobot_parts(b"".join(piece[2] for piece in found))
        assert meta["type"] == "TimedObservation"
        rows = self.behaviour.answer(meta["scalar_data"] | tensors)
        self._newest = (meta["timestep"], rows)
        return b""

    def _act(self, _: bytes, context: Any) -> bytes:
        timestep, rows = self._newest
        fault = self.behaviour.fault
        if fault == "text":
            context.abort(grpc.StatusCode.INTERNAL, "CUDA out of memory")
        steps = [{"timestamp": 0.0, "timestep": timestep + k} for k in range(len(rows))]
        tensors = {f"action_{k}": row.astype(np.float32) for k, row in enumerate(rows)}
        if fault == "keys":
            tensors = {f"motion_{k}": row for k, row in enumerate(rows)}
        text = json.dumps({"type": "TimedActions", "actions": steps}).encode()
        data = struct.pack(">I", len(text)) + text + safetensors.numpy.save(tensors)
        if fault == "objects":
            data = pickle.dumps([{"action": rows}])
        if fault == "garbage":
            data = b"\xff" * 50
        data = data[: len(data) // 2] if fault == "half" else data
        return b"\x0a" + _varint(len(data)) + data

    def kill(self) -> None:
        self._server.stop(0).wait()


SERVERS: dict[str, Callable[..., Any]] = {
    "openpi": OpenpiServer,
    "groot": GrootServer,
    "openvla": OpenvlaServer,
    "lerobot": LerobotServer,
}


def _openpi_array(found: dict[Any, Any]) -> Any:
    if b"__ndarray__" in found:
        return np.ndarray(buffer=found[b"data"], dtype=found[b"dtype"], shape=found[b"shape"])
    return found


def _openpi_map(rows: np.ndarray) -> dict[bytes, Any]:
    return {
        b"__ndarray__": True,
        b"data": rows.tobytes(),
        b"dtype": rows.dtype.str,
        b"shape": rows.shape,
    }


def _npy_array(found: dict[str, Any]) -> Any:
    if "__ndarray_class__" in found:
        return np.load(io.BytesIO(found["as_npy"]), allow_pickle=False)
    return found


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npy_map(data: bytes) -> dict[str, Any]:
    return {"__ndarray_class__": True, "as_npy": data}


def _json_array(found: dict[str, Any]) -> Any:
    if "__numpy__" in found:
        data = base64.b64decode(found["__numpy__"])
        return np.frombuffer(data, found["dtype"]).reshape(found["shape"])
    return found


def _lerobot_parts(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    (length,) = struct.unpack(">I", data[:4])
    tensors = data[4 + length :]
    return json.loads(data[4 : 4 + length]), safetensors.numpy.load(tensors) if tensors else {}


def _fields(message: bytes) -> dict[int, Any]:
    """Numbers and bytes of a protocol buffer by the numbers of their fields."""
    found: dict[int, Any] = {}
    place = 0
    while place < len(message):
        tag, place = _read(message, place)
        value, place = _read(message, place)
        if tag & 7 == 2:
            value, place = message[place : place + value], place + value
        found[tag >> 3] = value
    return found


def _read(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])
