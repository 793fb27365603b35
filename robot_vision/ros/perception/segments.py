"""`~/segment`: segments what programs point at and holds it, without delaying the pipeline.

Requests come as JSON on `~/segment/request` (std_msgs/String); answers go out on
`~/segment/json` (String) and `~/segment/mask` (Image, mono8: a thing's label, 0 nothing), both
with the stamp of the frame. The models run in a thread of their own that takes the newest frame.
"""

import os
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Condition, Thread, get_native_id
from time import monotonic
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import String

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.groups.segment_config import SegmentConfig
from robot_vision.core.types import Perception
from robot_vision.model_store.segmenters import find_segmenter
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.live import LiveMessages
from robot_vision.ros.middleware.bounded import WORDS_BYTES, bounded
from robot_vision.segment.live.answers import answer_json, answer_labels
from robot_vision.segment.live.holding import Answer, Holder
from robot_vision.segment.live.requests import LiveRequest, read_request
from robot_vision.segment.segmenter import Segmenter

_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_MOST_WAITING = 16
_NICER = 10
_POLL_S = 0.2


class Segments:
    """Serves from construction to `close`. Loads its bundle first: raises `BundleError`."""

    def __init__(
        self,
        node: LifecycleNode,
        config: SegmentConfig,
        *,
        health: Health,
        log: Callable[[str], object],
    ) -> None:
        self._node, self._config, self._health, self._log = node, config, health, log
        bundle = find_segmenter(config.model)
        segmenter = Segmenter(bundle, device=config.device, threads=config.threads)
        self.model_id, self.provider = bundle.manifest.model_id, segmenter.provider
        self._holder = Holder(segmenter, config)
        self._messages = LiveMessages()
        self._news = Condition()
        self._newest: Perception | None = None
        self._requests: deque[LiveRequest] = deque()
        self._refused: deque[str] = deque(maxlen=_MOST_WAITING)
        self._stopping = False
        self._json: Any = node.create_lifecycle_publisher(String, "~/segment/json", _QOS)
        self._mask: Any = node.create_lifecycle_publisher(Image, "~/segment/mask", _QOS)
        take = bounded(String, self._on_request, most_bytes=WORDS_BYTES, refuse=self._refuse)
        self._subscription: Any = node.create_subscription(
            String,
            "~/segment/request",
            take,
            _QOS,
            raw=True,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )
        self._thread = Thread(target=self._run, name="segments", daemon=True)
        self._thread.start()

    def on_perception(self, perception: Perception, stage_s: Mapping[str, float]) -> None:
        """In the pipeline's thread: store and return."""
        del stage_s
        with self._news:
            self._newest = perception
            self._news.notify()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self, limit_s: float | None = None) -> bool:
        """End after the present run of a network; returns whether it ended within `limit_s`."""
        with self._news:
            self._stopping = True
            self._news.notify()
        self._thread.join(limit_s)
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._node.destroy_lifecycle_publisher(self._json)
            self._node.destroy_lifecycle_publisher(self._mask)
            self._subscription = None
        return not self._thread.is_alive()

    def _on_request(self, message: Any) -> None:
        try:
            request = read_request(message.data)
        except ConfigError as error:
            self._refuse(str(error))
            return
        with self._news:
            if len(self._requests) < _MOST_WAITING:
                self._requests.append(request)
                return
        self._refuse(f"{_MOST_WAITING} requests are waiting already: ask again in a second")

    def _refuse(self, why: str) -> None:
        """Queue a refusal: it is published with the next frame's stamp."""
        self._refused.append(why)
        self._health.noted("segment request refused", why)

    def _run(self) -> None:
        """Serve at low priority: the pipeline's threads go first."""
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICER)
        due_s = 0.0
        while not self._stopping:
            perception, requests = self._wait(due_s)
            if perception is None:
                continue
            due_s = monotonic() + 1 / self._config.rate_hz
            try:
                self._serve(perception, requests)
            except Exception as error:  # whatever fails, the next frame is served
                what = f"{type(error).__name__}: {error}"
                if self._health.noted("segmenting failed", what) and not self._stopping:
                    self._log(traceback.format_exc())

    def _wait(self, due_s: float) -> tuple[Perception | None, list[LiveRequest]]:
        """The newest frame, at most at `rate_hz`; none while there is nothing to do."""
        with self._news:
            wait_s = max(due_s - monotonic(), 0)
            if wait_s:
                self._news.wait_for(lambda: self._stopping, wait_s)
            self._news.wait_for(lambda: self._stopping or self._newest is not None, _POLL_S)
            perception, self._newest = self._newest, None
            requests = list(self._requests)
            if perception is None or self._stopping:
                return None, []
            self._requests.clear()
        if self._holder.is_idle and not requests and not self._refused:
            return None, []
        return perception, requests

    def _serve(self, perception: Perception, requests: list[LiveRequest]) -> None:
        refused = tuple(self._refused.popleft() for _ in range(len(self._refused)))
        if refused:
            self._publish(Answer(perception=perception, problems=refused))
        for answer in self._holder.step(perception, requests):
            self._publish(answer)

    def _publish(self, answer: Answer) -> None:
        for problem in answer.problems:
            self._health.noted("segment", problem)
        frame = answer.perception.frame
        if self._mask.get_subscription_count():
            image = self._messages.image(
                "segment/mask",
                answer_labels(answer),
                encoding="mono8",
                stamp_ns=answer.perception.stamp_ns,
                frame_id=frame.frame_id,
            )
            self._mask.publish(image)
        self._json.publish(String(data=answer_json(answer, model_id=self.model_id)))
