"""The node with a model that carries state, over real DDS: stamps that go back end it."""

from pathlib import Path

import numpy as np
import pytest
from counting_bundle import make_counting_bundle
from ros_harness import Rig, rig, wait_for_readers
from sensor_msgs.msg import Image

from robot_vision.ros.messages.convert import ns_from_stamp

pytestmark = pytest.mark.ros


def count_at(r: Rig, heard: dict[int, int], stamp_ns: int) -> int:
    """Send a frame; what the model has counted when it saw it."""
    r.camera.send(stamp_ns=stamp_ns)
    r.wait_for(lambda: stamp_ns in heard)
    return heard.pop(stamp_ns)


def test_state_goes_on_from_frame_to_frame_and_ends_when_stamps_go_back_or_parameters_change(
    native_bundle: Path, tmp_path: Path
) -> None:
    heard: dict[int, int] = {}

    def keep(message: Image) -> None:
        heard[ns_from_stamp(message.header.stamp)] = int(
            np.frombuffer(message.data, np.float32)[0]
        )

    counting = make_counting_bundle(tmp_path / "counting")
    with rig(model=native_bundle, feature_model=counting) as r:
        r.monitor.node.create_subscription(Image, "/perception/features", keep, 5)
        wait_for_readers(r)
        start_ns, step_ns = r.camera.now_ns(), 20_000_000
        onward = [count_at(r, heard, start_ns + k * step_ns) for k in range(3)]
        assert onward == [onward[0] + k for k in range(3)]
        assert count_at(r, heard, start_ns - step_ns) == 1
        assert count_at(r, heard, start_ns) == 2
        assert r.set_parameter("detector.score_threshold", 0.4).successful
        assert count_at(r, heard, start_ns + step_ns) == 1
