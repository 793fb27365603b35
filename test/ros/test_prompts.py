"""Words to look for over real DDS: changed while it runs, from any publisher, nothing reloaded."""

import json
from array import array
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import pytest
from grounding_bundle import box_of, grounding_bundle, picture
from ros_harness import Rig, rig, wait_for_readers
from std_msgs.msg import String

pytestmark = pytest.mark.ros

RED, BLUE = (255, 0, 0), (0, 0, 255)
SCENE = picture({(0, 1): RED, (2, 3): BLUE})


@pytest.fixture
def words(tmp_path: Path) -> Path:
    return grounding_bundle(tmp_path / "words")


class Heard:
    """What `~/grounded/json` said last."""

    def __init__(self, r: Rig) -> None:
        self.last: dict[str, Any] = {}
        r.monitor.node.create_subscription(String, "/perception/grounded/json", self._keep, 10)

    def _keep(self, message: String) -> None:
        self.last = json.loads(message.data)

    def boxes(self) -> dict[str, list[int]]:
        return {
            row["class"]: np.round(row["box_xyxy_px"]).tolist() for row in self.last["objects"]
        }


def seen(r: Rig, heard: Heard, rgb: np.ndarray = SCENE) -> dict[str, Any]:
    """What words name in a frame of this picture."""
    height, width = rgb.shape[:2]
    stamp_ns = r.result_of(
        depth=False, height=height, width=width, step=3 * width, data=array("B", rgb.tobytes())
    )["stamp_ns"]
    r.wait_for(lambda: heard.last.get("stamp_ns") == stamp_ns)
    return heard.last


def test_words_of_the_topic_and_of_the_parameter_are_one(words: Path, native_bundle: Path) -> None:
    with rig(model=native_bundle, grounding_model=words, prompt="red") as r:
        heard = Heard(r)
        wait_for_readers(r)
        seen(r, heard)
        assert heard.boxes() == {"red": box_of(0, 1)}
        rmtree(words)  # nothing of it is loaded again
        prompts = r.monitor.node.create_publisher(String, "/perception/prompt", 1)
        r.wait_for(lambda: prompts.get_subscription_count() > 0)
        prompts.publish(String(data="  blue,red   unicorn "))
        r.wait_for(lambda: seen(r, heard)["prompt"] == "blue,red unicorn")
        assert heard.boxes() == {"blue": box_of(2, 3)}
        assert heard.last["phrases"][1]["unknown_words"] == ["unicorn"]
        assert r.node.get_parameter("prompt").value == "blue,red unicorn"
        r.wait_until_said("inputs", "unicorn")
        prompts.publish(String(data=""))
        r.wait_for(lambda: seen(r, heard)["prompt"] == "")
        assert heard.last["objects"] == heard.last["phrases"] == []


def test_words_that_are_too_many_change_nothing(words: Path, native_bundle: Path) -> None:
    with rig(model=native_bundle, grounding_model=words, prompt="red") as r:
        heard = Heard(r)
        wait_for_readers(r)
        prompts = r.monitor.node.create_publisher(String, "/perception/prompt", 1)
        r.wait_for(lambda: prompts.get_subscription_count() > 0)
        prompts.publish(String(data="blue " * 120))
        prompts.publish(String(data="blue " * 2000))
        assert seen(r, heard)["prompt"] == "red"


def test_the_model_of_words_comes_and_goes_and_tracks_live_on(
    words: Path, native_bundle: Path
) -> None:
    with rig(model=native_bundle) as r:
        heard = Heard(r)
        wait_for_readers(r)
        assert r.set_parameter("prompt", "blue").successful
        assert r.set_parameter("grounding_model", str(words)).successful
        assert seen(r, heard)["prompt"] == "blue"
        assert heard.boxes() == {"blue": box_of(2, 3)}
        assert r.set_parameter("grounding_model", "").successful
        heard.last = {}
        r.result_of()
        assert heard.last == {}
