"""Records the perception node's inputs and outputs, as serialized bytes, beside the pipeline.

Callbacks only put bytes into a bounded queue; a thread writes them. Messages that do not fit into
the queue are dropped and counted: recording never delays anything.
"""

import importlib
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic, time_ns
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from robot_vision.replay.writing.ros_types import output_types
from robot_vision.replay.writing.rotating import RecordedTopic, RotatingRecording

_NOT_RECORDED = ("/parameter_events", "/rosout", "/clock")
_TRANSFORMS = {"/tf": "tf2_msgs/msg/TFMessage", "/tf_static": "tf2_msgs/msg/TFMessage"}
_QUEUE_DEPTH = 20
_FOLLOW_S = 0.2
_MOST_TOPICS = 200
# A chunk is written at least this often: a process that dies loses no more.
_FLUSH_S = 1.0


class Recorder:
    """Follows the topics of `target` ("/perception") from construction to `close`.

    `counts` has readable messages by topic; `dropped` those lost because the buffer or the disk
    was full; `failure` is why writing ended early, if it did.
    """

    def __init__(
        self,
        node: Node,
        recording: RotatingRecording,
        *,
        target: str,
        exclude: str,
        buffer_bytes: int,
        log: Callable[[str], Any],
    ) -> None:
        self._node = node
        self._recording = recording
        self._target = target
        self._exclude = re.compile(exclude) if exclude else None
        self._buffer_bytes = buffer_bytes
        self._log = log
        self._queue: SimpleQueue[tuple[RecordedTopic, int, bytes] | None] = SimpleQueue()
        self._waiting_bytes = 0
        self._lock = Lock()
        self._subscriptions: dict[str, Any] = {}
        self.counts: Counter[str] = Counter()
        self._not_taken: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.failure = ""
        self._has_said = False
        self._thread = Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()
        self._timer = node.create_timer(_FOLLOW_S, self.follow)

    def follow(self) -> None:
        """Subscribe to topics of the node that are not recorded yet.

        Topics without publishers must wait: the QoS follows the publishers' offer.
        """
        for topic, type_name in self._topics().items():
            if topic not in self._subscriptions and self._node.count_publishers(topic):
                if len(self._subscriptions) >= _MOST_TOPICS:
                    self._say_once(
                        f"{topic} is not recorded: {_MOST_TOPICS} topics are recorded already"
                    )
                    return
                self._subscriptions[topic] = self._subscribe(topic, type_name)

    def _say_once(self, words: str) -> None:
        if not self._has_said:
            self._has_said = True
            self._log(words)

    @property
    def topics(self) -> list[str]:
        """The recorded topics."""
        return sorted(name for name, made in self._subscriptions.items() if made is not None)

    def close(self) -> None:
        """Write the queue and finish the files."""
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions.values():
            if subscription is not None:
                self._node.destroy_subscription(subscription)
        self._queue.put(None)
        self._thread.join()

    def _topics(self) -> dict[str, str]:
        namespace, _, name = self._target.rpartition("/")
        topics: dict[str, str] = {}
        for ask in (
            self._node.get_subscriber_names_and_types_by_node,
            self._node.get_publisher_names_and_types_by_node,
        ):
            try:
                topics |= {topic: types[0] for topic, types in ask(name, namespace or "/")}
            except RuntimeError:  # the node does not exist (any more)
                return {}
        if not topics:
            return {}
        wanted = {**topics, **_TRANSFORMS}
        return {
            topic: type_name
            for topic, type_name in wanted.items()
            if topic not in _NOT_RECORDED
            and not (self._exclude is not None and self._exclude.search(topic))
        }

    def _subscribe(self, topic: str, type_name: str) -> Any | None:
        package, _, name = type_name.split("/")
        if type_name not in output_types().fielddefs:
            self._log(f"{topic} is not recorded: the definition of {type_name} is not known")
            return None
        try:
            kind = getattr(importlib.import_module(f"{package}.msg"), name)
        except (ImportError, AttributeError):
            self._log(f"{topic} is not recorded: {type_name} is not installed")
            return None
        qos = self._qos(topic)
        latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        recorded = RecordedTopic(name=topic, type_name=type_name, latched=latched)

        def take(data: Any) -> None:  # bytes, as the subscription is raw
            self._take(recorded, data)

        self._log(f"recording {topic}")
        return self._node.create_subscription(kind, topic, take, qos, raw=True)

    def _qos(self, topic: str) -> QoSProfile:
        """The strongest QoS that all publishers offer, as `ros2 bag record` requests.

        With keep-last histories a slow reliable reader loses messages but blocks no publisher.
        """
        offers = [p.qos_profile for p in self._node.get_publishers_info_by_topic(topic)]
        reliable = all(o.reliability == ReliabilityPolicy.RELIABLE for o in offers) and offers
        latched = all(o.durability == DurabilityPolicy.TRANSIENT_LOCAL for o in offers) and offers
        is_static = topic == "/tf_static"
        return QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=_QUEUE_DEPTH,
            reliability=ReliabilityPolicy.RELIABLE
            if reliable or is_static
            else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL
            if latched or is_static
            else DurabilityPolicy.VOLATILE,
        )

    def _take(self, topic: RecordedTopic, data: bytes) -> None:
        with self._lock:
            if self._waiting_bytes + len(data) > self._buffer_bytes or self.failure:
                self._not_taken[topic.name] += 1
                return
            self._waiting_bytes += len(data)
        self._queue.put((topic, time_ns(), data))

    def _write(self) -> None:
        next_flush_s = monotonic() + _FLUSH_S
        while True:
            with suppress(Empty):
                item = self._queue.get(timeout=max(next_flush_s - monotonic(), 0.0))
                if item is None:
                    break
                self._append(*item)
            if monotonic() >= next_flush_s:
                next_flush_s = monotonic() + _FLUSH_S
                self._try(self._recording.flush)
                self._count()
        self._try(self._recording.close, always=True)
        self._count()

    def _append(self, topic: RecordedTopic, log_ns: int, data: bytes) -> None:
        if self.failure:
            with self._lock:
                self._not_taken[topic.name] += 1
        self._try(lambda: self._recording.write(topic, log_ns=log_ns, data=bytes(data)))
        with self._lock:
            self._waiting_bytes -= len(data)

    def _try(self, work: Callable[[], None], *, always: bool = False) -> None:
        """Do `work` unless writing has ended; its failure ends writing."""
        if self.failure and not always:
            return
        try:
            work()
        except OSError as error:
            if not self.failure:
                self.failure = f"recording ended: {error}"
                self._log(self.failure)

    def _count(self) -> None:
        self.counts = self._recording.counts
        with self._lock:
            self.dropped = self._not_taken + self._recording.lost


def record(
    folder: Path,
    *,
    target: str,
    exclude: str,
    split_bytes: int,
    max_bytes: int,
    buffer_bytes: int,
    duration_s: float,
    log: Callable[[str], Any],
) -> Recorder:
    """Record until `duration_s` is over (0: until Ctrl-C or SIGTERM); returns the counts.

    Ends when nothing more can be written: `failure` of what is returned says why.
    """
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.utilities import ok, try_shutdown

    from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
    from robot_vision.ros.middleware.rclpy_internals import RCLError
    from robot_vision.ros.middleware.shared_memory import clean_shared_memory

    recording = RotatingRecording(folder, split_bytes=split_bytes, max_bytes=max_bytes)
    use_shared_memory_profile()
    clean_shared_memory(log=log)
    rclpy.init()
    node = rclpy.create_node("robot_vision_recorder")
    recorder = Recorder(
        node,
        recording,
        target=target,
        exclude=exclude,
        buffer_bytes=buffer_bytes,
        log=log,
    )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    end_ns = time_ns() + round(duration_s * 1e9) if duration_s else None
    try:
        while ok() and not recorder.failure and (end_ns is None or time_ns() < end_ns):
            executor.spin_once(timeout_sec=0.2)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RCLError:
        # The wait fails if a signal shuts the context down while it begins.
        if ok():
            raise
    recorder.close()
    node.destroy_node()
    try_shutdown()
    return recorder
