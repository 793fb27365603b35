"""Goals of one action: only the newest counts, and nothing waits for the server.

Called from the stream's thread; answers arrive in the executor's. A goal that is rejected or fails
stays the `problem` until `clear`.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol, runtime_checkable

# Of rclpy's GoalStatus.
_ABORTED = 6


@runtime_checkable
class GoalClient(Protocol):
    """The used part of `rclpy.action.ActionClient`."""

    def server_is_ready(self) -> bool: ...

    def send_goal_async(self, goal: Any) -> Any: ...


class Goals:
    """`failure(result)` returns why an aborted goal is a fault, empty if it is not.

    `answer_s` is how long a server may take to accept a goal.
    """

    def __init__(
        self,
        client: GoalClient,
        name: str,
        *,
        failure: Callable[[Any], str],
        answer_s: float,
    ) -> None:
        self._client, self._name = client, name
        self._failure, self._answer_s = failure, answer_s
        self._lock = Lock()
        self._number = 0  # of the newest goal; answers to older ones are ignored
        self._handle: Any = None
        self._asked_s: float | None = None
        self._failed = ""
        self._silent = ""

    @property
    def problem(self) -> str:
        """Why goals are not followed; empty while they are."""
        with self._lock:
            return self._failed or self._silent

    def look(self, now_s: float) -> None:
        """Detect a server that is absent or does not answer; `now_s` is of a steady clock."""
        is_ready = self._client.server_is_ready()
        with self._lock:
            if not is_ready:
                self._silent = f"no server of the action {self._name}"
                self._asked_s = self._handle = None
            elif self._asked_s is not None and now_s - self._asked_s > self._answer_s:
                self._silent = f"{self._name} does not answer a goal for {self._answer_s:g} s"
            else:
                self._silent = ""

    def send(self, goal: Any, now_s: float) -> bool:
        """Send a goal that replaces the previous one; False while that one is not answered yet.

        Nothing is sent while there is a problem.
        """
        with self._lock:
            if self._failed or self._silent or self._asked_s is not None:
                return False
            self._number += 1
            self._asked_s, number = now_s, self._number
        future = self._client.send_goal_async(goal)
        future.add_done_callback(lambda done: self._answered(done, number))
        return True

    def cancel(self) -> None:
        """Cancel the newest goal, even before it is accepted."""
        with self._lock:
            self._number += 1
            handle, self._handle, self._asked_s = self._handle, None, None
        if handle is not None:
            handle.cancel_goal_async()

    def clear(self) -> None:
        """Forget the failure: goals are sent again."""
        with self._lock:
            self._failed = ""

    def _answered(self, future: Any, number: int) -> None:
        if future.cancelled() or future.exception() is not None:
            self._fail(f"{self._name}: the goal was not sent: {future.exception()}", number)
            return
        handle = future.result()
        if not handle.accepted:
            self._fail(f"{self._name} rejected the goal", number)
            return
        with self._lock:
            is_newest = number == self._number
            if is_newest:
                self._handle, self._asked_s = handle, None
        if not is_newest:
            handle.cancel_goal_async()  # commands ended while it was in transit
            return
        handle.get_result_async().add_done_callback(lambda done: self._ended(done, number))

    def _ended(self, future: Any, number: int) -> None:
        if future.cancelled() or future.exception() is not None:
            return  # the server is gone; `look` detects that
        answer = future.result()
        why = self._failure(answer.result) if answer.status == _ABORTED else ""
        if why:
            self._fail(f"{self._name} aborted the goal: {why}", number)
            return
        with self._lock:
            if number == self._number:
                self._handle = None

    def _fail(self, why: str, number: int) -> None:
        with self._lock:
            if number == self._number:
                self._failed, self._handle, self._asked_s = why, None, None
