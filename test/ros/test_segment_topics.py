"""`~/segment` over real DDS: things are pointed at, held, released; what is wrong is said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from color_segmenter import write_color_segmenter
from native_bundle import HEIGHT_PX, WIDTH_PX, make_native_bundle
from ros_harness import FRAME_ID, Rig, rig, wait_for_readers
from sensor_msgs.msg import Image
from std_msgs.msg import String
from test_frame_class_topics import picture

from robot_vision.ros.messages.convert import ns_from_stamp

pytestmark = pytest.mark.ros

SLOW_S = 240.0
_JSON, _MASK = "/perception/segment/json", "/perception/segment/mask"
# Where the bundle of the tests always sees its object, and so where its track is.
LEFT, TOP, RIGHT, BOTTOM = 16, 12, 48, 36


class Asker:
    """A program that points at things, and hears what is said of them."""

    def __init__(self, r: Rig) -> None:
        self._rig = r
        node = r.monitor.node
        self.said: list[dict[str, Any]] = []
        self.masks: list[Image] = []
        self._requests = node.create_publisher(String, "/perception/segment/request", 10)
        node.create_subscription(String, _JSON, lambda m: self.said.append(json.loads(m.data)), 10)
        node.create_subscription(Image, _MASK, self.masks.append, 10)
        answers = [p for p in r.node.publishers if p.topic_name in (_JSON, _MASK)]
        met = [publisher.get_subscription_count for publisher in (self._requests, *answers)]
        r.wait_for(lambda: len(met) == 3 and all(count() for count in met))

    def ask(self, request: dict[str, Any] | str) -> None:
        text = request if isinstance(request, str) else json.dumps(request)
        self._requests.publish(String(data=text))

    def hears(self, condition: Any) -> dict[str, Any]:
        """Send frames until something is said for which the condition holds."""
        found: list[dict[str, Any]] = []

        def looked() -> bool:
            self._rig.camera.send(**picture(red_block()))
            found.extend(said for said in self.said if condition(said))
            self._rig.monitor.spin_until(lambda: False, timeout_s=0.1)
            return bool(found)

        held = self._rig.monitor.spin_until(looked, timeout_s=SLOW_S)
        assert held, f"not within {SLOW_S} s; it said {self.said[-3:]}"
        return found[-1]


def red_block() -> np.ndarray:
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
    rgb[TOP:BOTTOM, LEFT:RIGHT] = (220, 30, 30)
    return rgb


def test_a_thing_is_pointed_at_held_and_released(tmp_path: Path) -> None:
    bundle = write_color_segmenter(tmp_path / "segmenter").path
    model = make_native_bundle(tmp_path / "native")
    with rig(model=model, segment__model=bundle, segment__embed_period_s=0.3) as r:
        wait_for_readers(r)
        asker = Asker(r)
        asker.ask({"op": "hold", "id": "block", "points": [[32, 24]]})
        # Its first frames may come before there is a track: it is held by its mask until then.
        held = asker.hears(
            lambda said: said["segments"] and said["segments"][0]["track_id"] is not None
        )
        (thing,) = held["segments"]
        assert (held["request"], held["problems"], held["frame_id"]) == ("", [], FRAME_ID)
        assert (thing["id"], thing["label"]) == ("block", 1)
        assert thing["box_xyxy_px"] == pytest.approx([LEFT, TOP, RIGHT - 1, BOTTOM - 1], abs=1)

        carried = asker.hears(lambda said: said["segments"] and said["segments"][0]["mask_age_s"])
        assert carried["segments"][0]["how"] == "carried"
        masks = {ns_from_stamp(m.header.stamp): m for m in asker.masks}
        mask = masks[held["stamp_ns"]]
        assert (mask.encoding, mask.width, mask.height) == ("mono8", WIDTH_PX, HEIGHT_PX)
        labels = np.frombuffer(mask.data, np.uint8).reshape(HEIGHT_PX, WIDTH_PX)
        assert np.count_nonzero(labels == 1) == thing["area_px"]

        asker.ask({"op": "everything", "id": "all"})
        assert len(asker.hears(lambda said: said["request"] == "all")["segments"]) >= 2
        asker.ask({"op": "hold", "points": [[32, 24]], "colour": "red"})
        refused = asker.hears(lambda said: any("colour" in text for text in said["problems"]))
        assert "the request was not understood" in refused["problems"][0]
        asker.ask("{")
        asker.hears(lambda said: any("Invalid JSON" in text for text in said["problems"]))
        asker.said.clear()
        asker.ask({"op": "release", "id": "block"})
        asker.hears(lambda said: not said["segments"] and not said["problems"])


def test_a_bundle_that_is_none_is_said_when_the_node_is_configured(tmp_path: Path) -> None:
    model = make_native_bundle(tmp_path / "native")
    with rig(model=model, segment__model=tmp_path / "nothing") as r:
        r.wait_for(lambda: "no model bundle" in r.node.problem, timeout_s=SLOW_S)
        r.wait_for(lambda: r.node.state == "unconfigured", timeout_s=SLOW_S)
