"""The connection to a server: one thread connects, asks and reconnects; nothing blocks on it.

The deciding thread hands over a request and waits for the answer within its own limit. Later
answers are dropped and counted: their chunks would begin in the past.
"""

import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.foreign import brief
from robot_vision.core.timing import Percentiles
from robot_vision.policies.remote.clients.client import Client
from robot_vision.policies.remote.errors import LostError, MismatchError, RemoteError
from robot_vision.policies.remote.messages import Answer, Request, ServerReport
from robot_vision.policies.remote.spec import ServerAddress

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_MOST_NEWS = 50
_LONGEST_WORDS = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class Handshake:
    """What happens on every new connection before it is used.

    `check` compares the server's report and returns what it omits; `trial` is sent once, and its
    answer must pass `judge`. That answer never reaches the arm.
    """

    check: Callable[[ServerReport], tuple[str, ...]]
    trial: Request
    judge: Callable[[Answer], None]


@dataclass(frozen=True, kw_only=True)
class LinkStatus:
    """State: `connecting`, `ready`, `unreachable`, `lost` or `refused`; and figures so far.

    `problem` says why it is not ready. Times are those of answers that arrived in time.
    """

    state: str
    problem: str
    server: str
    reconnects: int
    answers: int
    late: int
    failed: int
    latency_s: dict[str, float]
    unsaid: tuple[str, ...]


@dataclass(eq=False)
class _Order:
    """A request that a thread waits for, until it has an outcome."""

    request: Request
    asked_s: float
    is_taken: bool = False
    outcome: Answer | str | None = None


class Link:
    """Connects from construction to `close`."""

    def __init__(self, client: Client, server: ServerAddress, handshake: Handshake) -> None:
        self._client, self._server, self._handshake = client, server, handshake
        self._changed = Condition()
        self._order: _Order | None = None
        self._is_closing = False
        self._state, self._problem = "connecting", "not connected yet"
        self._connects = self._answers = self._late = self._failed = 0
        self._latency = Percentiles()
        self._unsaid: tuple[str, ...] = ()
        self._news: deque[str] = deque(maxlen=_MOST_NEWS)
        self._lost_s: float | None = None
        self._thread = Thread(target=self._run, name="policy server", daemon=True)
        self._thread.start()

    # Called by the deciding thread -----------------------------------------------------------

    def ask(self, request: Request) -> Answer | str:
        """The answer, or why there is none in time. Never takes longer than `limit_s`."""
        limit_s = self._server.limit_s
        asked_s = monotonic()
        with self._changed:
            if self._state != "ready":
                return f"{self._words()}: the arm holds"
            if self._order is not None and self._order.is_taken:
                owed_s = asked_s - self._order.asked_s
                return f"{self._late_words()}: an answer has been due for {owed_s:.2g} s"
            order = _Order(request=request, asked_s=asked_s)
            self._order = order
            self._changed.notify_all()
            self._changed.wait_for(lambda: order.outcome is not None, timeout=limit_s)
            if order.outcome is None:
                order.outcome = self._late_words()
                if not order.is_taken:
                    self._order = None
            return order.outcome

    def wait_until_settled(self, limit_s: float) -> None:
        """Return once the first attempt has ended, or after the time limit."""
        with self._changed:
            self._changed.wait_for(lambda: self._state != "connecting", timeout=limit_s)

    def status(self) -> LinkStatus:
        with self._changed:
            return LinkStatus(
                state=self._state,
                problem=self._problem,
                server=self._name,
                reconnects=max(self._connects - 1, 0),
                answers=self._answers,
                late=self._late,
                failed=self._failed,
                latency_s=self._latency.summary(),
                unsaid=self._unsaid,
            )

    def news(self) -> tuple[str, ...]:
        """Changes since the last call, for the log."""
        with self._changed:
            news = tuple(self._news)
            self._news.clear()
            return news

    def close(self) -> None:
        """Close promptly, whatever the server does."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._client.interrupt()
        self._thread.join(timeout=2.0)

    @property
    def _name(self) -> str:
        return f"the server at {self._client.address}"

    @property
    def _gone(self) -> str:
        return "lost" if self._connects else "unreachable"

    def _words(self) -> str:
        return f"{self._name} is {self._state}: {self._problem}"

    def _late_words(self) -> str:
        return f"{self._name} did not answer within {self._server.limit_s:g} s"

    # Run in its own thread --------------------------------------------------------------------

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._is_closing:
            try:
                self._connect()
                pause_s = _FIRST_PAUSE_S
                self._serve()
            except MismatchError as error:
                self._lose("refused", str(error))
                pause_s = _LONGEST_PAUSE_S
            except RobotVisionError as error:
                self._lose(self._gone, str(error))
            except Exception as error:  # treat a client's fault like its server's: hold, continue
                where = traceback.format_exc(limit=-2).replace("\n", " ")
                self._lose(self._gone, f"{type(error).__name__}: {error} ({where})")
            with self._changed:
                self._changed.wait_for(lambda: self._is_closing, timeout=pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self._client.close()

    def _connect(self) -> None:
        report = self._client.connect(self._server.connect_s)
        with self._changed:
            if self._state == "connecting":
                self._problem = "it has not answered the first request yet"
        unsaid = self._handshake.check(report)
        answer = self._client.ask(self._handshake.trial, self._server.warm_up_s)
        self._judge_trial(answer)
        with self._changed:
            self._connects += 1
            self._unsaid = unsaid
            self._state, self._problem = "ready", ""
            self._news.append(self._welcome())
            self._lost_s = None
            self._changed.notify_all()

    def _judge_trial(self, answer: Answer) -> None:
        """An answer that does not fit is meant for another robot; a hold proves nothing."""
        if answer.hold_reason:
            return
        try:
            self._handshake.judge(answer)
        except (RemoteError, ValueError) as error:
            raise MismatchError(f"its first answer does not fit: {error}") from error

    def _welcome(self) -> str:
        again = "connected to"
        if self._lost_s is not None and self._connects > 1:
            again = f"reconnected after {monotonic() - self._lost_s:.2g} s to"
        words = f"{again} {self._name}"
        if self._connects > 1:
            return words
        if self._client.address.shows_token:
            words += "; the token is sent unencrypted: anyone on the network path can read it"
        if self._unsaid:
            words += (
                f"; it does not report its {', '.join(self._unsaid)}: the values of policy.yaml "
                "are used unchecked"
            )
        return words

    def _serve(self) -> None:
        while (order := self._next()) is not None:
            try:
                answer = self._client.ask(order.request, self._server.give_up_s)
            except LostError as error:
                self._finish(order, f"{self._name} is lost: {brief(error, most=_LONGEST_WORDS)}")
                raise
            except RemoteError as error:
                self._finish(order, f"{self._name}: {brief(error, most=_LONGEST_WORDS)}")
            except BaseException as error:
                self._finish(order, f"{self._name} is lost: {type(error).__name__}: {error}")
                raise
            else:
                self._finish(order, answer)

    def _next(self) -> _Order | None:
        with self._changed:
            while not self._is_closing:
                order = self._order
                if order is not None and not order.is_taken:
                    order.is_taken = True
                    return order
                self._changed.wait()
            return None

    def _finish(self, order: _Order, outcome: Answer | str) -> None:
        with self._changed:
            self._order = None
            took_s = monotonic() - order.asked_s
            if isinstance(outcome, str):
                self._failed += 1
            elif order.outcome is not None:
                self._late += 1
                if self._late == 1:
                    self._news.append(
                        f"an answer of {self._name} arrived after {took_s:.2g} s and was dropped "
                        f"(limit {self._server.limit_s:g} s); further late answers are only "
                        "counted"
                    )
            else:
                self._answers += 1
                self._latency.add(took_s)
            if order.outcome is None:
                order.outcome = outcome
            self._changed.notify_all()

    def _lose(self, state: str, problem: str) -> None:
        """The connection is unusable; logged once while nothing changes."""
        self._client.close()
        problem = brief(problem, most=_LONGEST_WORDS)
        with self._changed:
            if self._is_closing:
                return
            is_new = (state, problem) != (self._state, self._problem)
            self._state, self._problem = state, problem
            self._lost_s = self._lost_s or monotonic()
            if is_new:
                self._news.append(f"{self._words()}; reconnecting")
            self._changed.notify_all()
