"""Clients of the stream that ask for everything, as fast as can be, and read nothing."""

import json
import socket

UPGRADE = (
    b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
_ALL_TOPICS = json.dumps(
    {"topics": {"state": 30, "objects": 60, "frame": 60, "depth": 30, "metrics": 10}}
).encode()


def deaf_client(url: str) -> socket.socket:
    """A connection to the console at `url`; closing it is left to the caller."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(30)
    connection.connect((host, int(port)))
    connection.sendall(UPGRADE + b"\r\n")
    assert connection.recv(12) == b"HTTP/1.1 101"
    connection.sendall(_masked(_ALL_TOPICS))
    return connection


def _masked(text: bytes) -> bytes:
    """A text frame of a WebSocket client, masked with zeros."""
    length = bytes([0x80 | 126]) + len(text).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text
