"""Threads around the pipeline: read-ahead (all frames, or only the newest), write-behind."""

import threading
from collections.abc import Callable, Iterator
from math import inf
from queue import Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")

# Bytes of decoded frames in each of the two queues: about 100 of VGA with depth, one of 20
# megapixels.
MOST_WAITING_BYTES = 200_000_000


def weightless(_: object) -> int:
    """For items that are only counted."""
    return 0


class HeavyQueue(Queue[T]):
    """A queue of at most `size` items, fewer if they exceed `most_bytes`."""

    def __init__(self, size: int, *, weigh: Callable[[T], int], most_bytes: float) -> None:
        super().__init__(size)
        self._weigh = weigh
        self._most_bytes = most_bytes
        self._held_bytes = self._newest_bytes = 0

    def _qsize(self) -> int:
        # `Queue` asks before it knows the next item: assume the size of the last one.
        is_heavy = self._held_bytes + self._newest_bytes > self._most_bytes
        return self.maxsize if self.queue and is_heavy else len(self.queue)

    def _put(self, item: T) -> None:
        self._newest_bytes = self._weigh(item)
        self._held_bytes += self._newest_bytes
        super()._put(item)

    def _get(self) -> T:
        item = super()._get()
        self._held_bytes -= self._weigh(item)
        return item


class NewestWins(Generic[T]):
    """Holds one item: the newest."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: list[T] = []
        self._ended = False
        self.closed = threading.Event()

    def put(self, item: T) -> bool:
        """Store an item; returns whether it replaced one that was not taken."""
        with self._changed:
            replaced = bool(self._items)
            self._items = [item]
            self._changed.notify()
        return replaced

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()

    def take(self) -> T | None:
        """Wait for the item; None after the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            return self._items.pop() if self._items else None


def fed(slot: NewestWins[T], feed: Callable[[], None]) -> Iterator[T]:
    """Yield items of `slot` while `feed` fills it in a thread; re-raises its error, if any."""
    failure: list[BaseException] = []

    def guarded() -> None:
        try:
            feed()
        except BaseException as error:  # handed to the consumer, who raises it
            failure.append(error)
        finally:
            slot.end()

    thread = threading.Thread(target=guarded, name="replay-reader", daemon=True)
    thread.start()
    try:
        while (item := slot.take()) is not None:
            yield item
    finally:
        slot.closed.set()
        thread.join()
    if failure:
        raise failure[0]


def read_ahead(
    items: Iterator[T],
    *,
    size: int,
    weigh: Callable[[T], int] = weightless,
    most_bytes: float = inf,
) -> Iterator[T]:
    """Iterate in a thread, up to this many items or bytes ahead: decoding overlaps with the
    models."""
    queue: Queue[tuple[T | None, BaseException | None]] = HeavyQueue(
        size,
        weigh=lambda entry: 0 if entry[0] is None else weigh(entry[0]),
        most_bytes=most_bytes,
    )
    stop = threading.Event()

    def put(item: T | None, error: BaseException | None = None) -> None:
        while not stop.is_set():
            try:
                return queue.put((item, error), timeout=0.1)
            except Full:
                continue
        return None

    def read() -> None:
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # handed to the consumer, who raises it
            put(None, error)

    thread = threading.Thread(target=read, name="replay-reader", daemon=True)
    thread.start()
    try:
        while True:
            item, error = queue.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stop.set()
        thread.join()


class WriteBehind(Generic[T]):
    """Passes items to `write` in a thread, in order; `put` waits while `size` items are pending,
    or fewer that exceed `most_bytes`.

    Errors of `write` are raised by the next `put`, or on leaving the context.
    """

    def __init__(
        self,
        write: Callable[[T], None],
        *,
        size: int,
        weigh: Callable[[T], int] = weightless,
        most_bytes: float = inf,
    ) -> None:
        self._write = write
        self._queue: Queue[T | None] = HeavyQueue(
            size,
            weigh=lambda item: 0 if item is None else weigh(item),
            most_bytes=most_bytes,
        )
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="replay-writer", daemon=True)

    def __enter__(self) -> "WriteBehind[T]":
        self._thread.start()
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        self._queue.put(None)
        self._thread.join()
        if kind is None:
            self._raise()

    def put(self, item: T) -> None:
        self._raise()
        self._queue.put(item)

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._failure is None:
                try:
                    self._write(item)
                except BaseException as error:  # handed to the producer, who raises it
                    self._failure = error
