"""`/api/stream`: each viewer gets the newest data of its topics at its rates, and nothing queues
up.

A viewer has no queue: messages are chosen when they can be sent. They are made just after a
frame's result arrived, while the pipeline waits for the next frame.
"""

import asyncio
import json
import math
from collections import Counter
from contextlib import suppress

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from robot_vision.console.pictures.encoded_pictures import Renditions, message_text
from robot_vision.console.problems import in_words
from robot_vision.console.schema import State, Subscription, Topic
from robot_vision.console.serving.rates import Rates
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.console.state.state_views import Views
from robot_vision.core.parameters.console_config import LimitsConfig

_TRY_AGAIN_LATER = 1013
_POLICY_VIOLATION = 1008
_WRONG_MESSAGES = 20
# A message may be sent this share of its period early rather than a frame late.
_EARLY = 0.25
# Messages of timed topics may be sent this much late, to follow a result as well.
_LATE = 0.25
_STATE_PERIOD_S = 0.1
_CLOSE_S = 1.0
# Topics that are always sent; the others only with new data.
_BY_CLOCK: tuple[Topic, ...] = ("state", "metrics")
_ENDS = (WebSocketDisconnect, asyncio.TimeoutError, RuntimeError)


class Viewers:
    """All clients of the stream, in one event loop."""

    def __init__(
        self,
        snapshots: Snapshots,
        views: Views,
        renditions: Renditions,
        limits: LimitsConfig,
    ) -> None:
        self._snapshots = snapshots
        self.views = views
        self.renditions = renditions
        self.limits = limits
        self._viewers: set[Viewer] = set()
        self._state: tuple[float, State] | None = None
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._viewers)

    async def serve(self, socket: WebSocket) -> None:
        """One client, from its connection to its end."""
        await socket.accept()
        most = self.limits.viewers
        if len(self._viewers) >= most:
            await socket.close(_TRY_AGAIN_LATER, f"{most} viewers are already connected")
            return
        viewer = Viewer(socket, self)
        self._viewers.add(viewer)
        try:
            await viewer.run()
        finally:
            self._viewers.discard(viewer)
            self.wishes_changed()

    def wishes_changed(self) -> None:
        """Inform the writers which topics are watched, and register for their notifications."""
        wanted: frozenset[Topic] = frozenset(
            topic for viewer in self._viewers for topic in viewer.rates
        )
        self._snapshots.wanted = wanted
        if wanted:
            loop = asyncio.get_running_loop()
            self._snapshots.on_news = lambda: self._wake(loop)
        else:
            self._snapshots.on_news = None
            self.renditions.forget()

    def state(self) -> State:
        """The state, read at most every 0.1 s for all viewers together."""
        now_s = asyncio.get_running_loop().time()
        if self._state is None or now_s - self._state[0] >= _STATE_PERIOD_S:
            self._state = (now_s, self.views.state(viewers=len(self)))
        return self._state[1]

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called from the writers' threads."""
        with suppress(RuntimeError):  # the loop has just ended
            loop.call_soon_threadsafe(self._announce)

    def _announce(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for viewer in self._viewers:
            viewer.hear_of_news(now_s)


class Viewer:
    """One client: its subscription, when each topic is due, and what it missed."""

    def __init__(self, socket: WebSocket, viewers: Viewers) -> None:
        self._socket = socket
        self._viewers = viewers
        self.rates: dict[Topic, float] = {}
        self._due_s: dict[Topic, float] = {}
        self._sent: dict[Topic, int] = {}
        self._metrics_after: tuple[int, int] | None = None
        self._dropped: Counter[str] = Counter()
        self._problem = ""
        self._parting = ""
        self._awake = asyncio.Event()
        self._has_news = False
        self._is_over = False

    async def run(self) -> None:
        """Run until the client leaves, is too slow, or sends too many invalid messages."""
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._talk())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                with suppress(*_ENDS):
                    task.result()
        finally:
            # `wait_for` swallows a cancellation that coincides with its result.
            self._is_over = True
            self._awake.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._socket.application_state == WebSocketState.CONNECTED:
                with suppress(*_ENDS):
                    await asyncio.wait_for(self._close(), _CLOSE_S)

    def hear_of_news(self, now_s: float) -> None:
        """A result arrived: wake up if a topic may be waiting for it."""
        if any(self._early_s(topic) <= now_s for topic in self.rates):
            self._has_news = True
            self._awake.set()

    async def _close(self) -> None:
        await self._socket.close(_POLICY_VIOLATION, self._parting)

    async def _listen(self) -> None:
        wrong, messages_hz = 0, self._viewers.limits.messages_hz
        rate = Rates(messages_hz)
        self._parting = f"{_WRONG_MESSAGES} messages were not understood"
        while wrong < _WRONG_MESSAGES:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if not rate.take(""):
                self._parting = f"more than {messages_hz:g} messages per second"
                return
            try:
                text = message.get("text") or message.get("bytes") or ""
                self._subscribe(Subscription.model_validate_json(text))
            except ValidationError as error:
                wrong += 1
                self._problem = in_words(error.errors())
            self._awake.set()

    def _subscribe(self, wanted: Subscription) -> None:
        now_s = asyncio.get_running_loop().time()
        self._due_s = {topic: self._due_s.get(topic, now_s) for topic in wanted.topics}
        self._sent = {topic: n for topic, n in self._sent.items() if topic in wanted.topics}
        self.rates = dict(wanted.topics)
        if "metrics" not in self.rates:
            self._metrics_after = None
        self._viewers.wishes_changed()

    async def _talk(self) -> None:
        now_s = asyncio.get_running_loop().time
        while not self._is_over:
            woken_s, news, self._has_news = now_s(), self._has_news, False
            self._awake.clear()
            if self._problem:
                problem, self._problem = self._problem, ""
                await self._send(json.dumps({"topic": "error", "data": {"detail": problem}}))
            for topic in [t for t in self.rates if self._is_ready(t, woken_s, news=news)]:
                if topic in self.rates:
                    self._count_missed(topic, now_s(), busy_since_s=woken_s)
                    self._due_s[topic] = max(self._due_s[topic] + self._period_s(topic), now_s())
                    await self._tell(topic)
            for topic in self.rates:
                self._count_missed(topic, now_s(), busy_since_s=woken_s)
            due_s = min((self._latest_s(topic) for topic in self.rates), default=math.inf)
            await self._sleep_until(due_s)

    async def _sleep_until(self, due_s: float) -> None:
        """Sleep until something is due, a result arrives, or the subscription changes."""
        alarm = None
        if not math.isinf(due_s):
            alarm = asyncio.get_running_loop().call_at(due_s, self._awake.set)
        try:
            await self._awake.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    async def _tell(self, topic: Topic) -> None:
        if topic == "state":
            state = self._viewers.state().model_copy(update={"dropped": dict(self._dropped)})
            await self._send(message_text(topic, state.model_dump_json()))
        elif topic == "metrics":
            after, metrics = self._viewers.views.metrics(after=self._metrics_after)
            self._metrics_after = after
            await self._send(message_text(topic, metrics.model_dump_json()))
        else:
            rendition = await self._viewers.renditions.newest(topic)
            if rendition is not None:
                self._sent[topic] = rendition.version
                await self._send(rendition.message)

    async def _send(self, message: str | bytes) -> None:
        """Raises `asyncio.TimeoutError` if the client does not read for too long."""
        if isinstance(message, str):
            sending = self._socket.send_text(message)
        else:
            sending = self._socket.send_bytes(message)
        await asyncio.wait_for(sending, self._viewers.limits.send_s)

    def _is_ready(self, topic: Topic, now_s: float, *, news: bool) -> bool:
        if not self._has_new(topic):
            return False
        if topic not in self._sent and topic not in _BY_CLOCK:
            return True
        return now_s >= (self._early_s(topic) if news else self._latest_s(topic))

    def _has_new(self, topic: Topic) -> bool:
        if topic in _BY_CLOCK:
            return True
        return self._viewers.renditions.version(topic) not in (0, self._sent.get(topic))

    def _early_s(self, topic: Topic) -> float:
        """When new data of a topic may be sent at once."""
        return self._due_s[topic] - _EARLY * self._period_s(topic)

    def _latest_s(self, topic: Topic) -> float:
        """When to send even if no further result has arrived."""
        if topic in _BY_CLOCK:
            return self._due_s[topic] + _LATE * self._period_s(topic)
        return self._due_s[topic] + self._period_s(topic) if self._has_new(topic) else math.inf

    def _count_missed(self, topic: Topic, now_s: float, *, busy_since_s: float) -> None:
        """Count messages that fell due while another was blocked; they are not sent later."""
        period_s = self._period_s(topic)
        missed = int((now_s - max(self._due_s[topic], busy_since_s)) / period_s)
        if missed > 0 and self._has_new(topic):
            self._due_s[topic] += missed * period_s
            self._dropped[topic] += missed
            self._viewers.dropped[topic] += missed

    def _period_s(self, topic: Topic) -> float:
        return 1 / self.rates[topic]
