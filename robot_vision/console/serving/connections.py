"""Tracks connections and closes old ones when full: newcomers are admitted, so that hold gets
through.

Three groups: connections that have not yet sent a whole request, those that are being answered or
are WebSockets, and those that have shown the token. Only the last are never closed for others.
"""

import asyncio
from collections import Counter

Client = tuple[str, int]


class Connections:
    """Limits on connections, in total and per address. For one event loop.

    A connection that arrives when all places are taken is admitted, and the oldest without the
    token is closed. Clients with the token leave places free, which they need to connect
    themselves.
    """

    def __init__(self, *, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        # This many newcomers get time to send their request, however many more arrive.
        self._newcomers = max(1, most // 8)
        self._waiting: dict[Client, asyncio.Transport] = {}
        self._asking: dict[Client, asyncio.Transport] = {}
        self._trusted: dict[Client, asyncio.Transport] = {}
        self._per_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._asking) + len(self._trusted)

    def came(self, client: Client, transport: asyncio.Transport) -> None:
        """A connection was accepted."""
        self._waiting[client] = transport
        address = client[0]
        self._per_address[address] += 1
        strangers = len(self._waiting) + len(self._asking)
        if self._per_address[address] > self._most_per_address:
            self._drop_oldest(address)
        elif strangers > max(self._most - len(self._trusted), self._newcomers):
            self._drop_oldest()

    def asks(self, client: Client | None) -> None:
        """A whole request came."""
        if client in self._waiting:
            self._asking[client] = self._waiting.pop(client)

    def was_answered(self, client: Client | None) -> None:
        """The connection is waiting for its next request."""
        if client in self._asking:
            self._waiting[client] = self._asking.pop(client)

    def trust(self, client: Client | None) -> None:
        """A request on this connection had the token."""
        for group in (self._waiting, self._asking):
            if client in group:
                self._trusted[client] = group.pop(client)
                self._leave_address(client)
        if len(self._trusted) > self._most:
            oldest = next(iter(self._trusted))
            self._trusted.pop(oldest).abort()

    def left(self, client: Client | None, transport: asyncio.BaseTransport) -> None:
        """A connection was closed."""
        if client is None:
            return
        if self._trusted.get(client) is transport:
            del self._trusted[client]
        for group in (self._waiting, self._asking):
            if group.get(client) is transport:
                del group[client]
                self._leave_address(client)

    def _drop_oldest(self, address: str | None = None) -> None:
        """Newcomers replace newcomers; a connection being served is closed only if these are
        few."""
        groups = [self._waiting, self._asking]
        if len(self._waiting) <= self._newcomers:
            groups.reverse()
        for group in groups:
            oldest = next((client for client in group if address in (None, client[0])), None)
            if oldest is not None:
                transport = group[oldest]
                self.left(oldest, transport)
                transport.abort()
                return

    def _leave_address(self, client: Client) -> None:
        self._per_address[client[0]] -= 1
        if self._per_address[client[0]] <= 0:
            del self._per_address[client[0]]
