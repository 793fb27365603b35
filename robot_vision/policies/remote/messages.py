"""Requests to and answers from a server, independent of the protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.types import Observation


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """An observation in the server's units. Pictures and states are oldest first, newest last.

    Keys are the server's. Our own protocol sends the `observation` itself.
    """

    stamp_ns: int
    text: str
    pictures: Mapping[str, UInt8[np.ndarray, "t h w 3"]] = field(default_factory=dict)
    state: Mapping[str, Float32[np.ndarray, "t n"]] = field(default_factory=dict)
    observation: Observation | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """Arrays by the server's keys, or the server's reason to hold."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    hold_reason: str = ""
    masked: tuple[str, ...] = ()
    server_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class ServerReport:
    """A server's report on connection; None for what it does not report.

    `facts` are plain JSON values, for `expect`. `contract` is reported by our own servers.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    contract: Mapping[str, Any] | None = None
    camera_keys: tuple[str, ...] | None = None
    state_keys: tuple[str, ...] | None = None
    action_keys: tuple[str, ...] | None = None
    horizon: int | None = None
