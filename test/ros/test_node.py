"""The node over real DDS: what goes in, what comes out, and what it says when nothing does."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from native_bundle import make_native_bundle
from onnx_models import make_bundle
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_harness import FRAME_ID, rig, wait_for_readers
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from robot_vision.core.types import Perception
from robot_vision.ros.messages.convert import ns_from_stamp

pytestmark = pytest.mark.ros


def test_a_frame_comes_out_with_its_stamp_and_an_object_in_metres(native_bundle: Path) -> None:
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        r.result_of()
        result = r.result_of()
    assert result["frame_id"] == FRAME_ID
    assert result["model"] == "tiny@1"
    assert result["depth_source"] in ("sensor", "fused")
    assert result["age_ms"] > 0
    (cube,) = result["objects"]
    assert cube["class"] == "cube"
    assert cube["position_m"] == pytest.approx([0, 0, 1.5], abs=0.05)
    np.testing.assert_allclose(cube["box_xyxy_px"], [16, 12, 48, 36], atol=1)
    assert {"transport", "wait", "decode", "inference", "lift", "track"} <= set(result["stage_ms"])


def test_every_output_has_the_stamp_of_the_frame(native_bundle: Path) -> None:
    heard: dict[str, Image] = {}
    with rig(model=native_bundle) as r:
        for topic in ("features", "embedding", "depth/image", "overlay"):

            def keep(message: Image, topic: str = topic) -> None:
                heard[topic] = message

            r.monitor.node.create_subscription(Image, f"/perception/{topic}", keep, 5)
        wait_for_readers(r)
        stamp_ns = r.camera.send()
        r.wait_for(lambda: len(heard) == 4)
    assert {ns_from_stamp(m.header.stamp) for m in heard.values()} == {stamp_ns}
    assert {m.header.frame_id for m in heard.values()} == {FRAME_ID}
    features, embedding, depth = heard["features"], heard["embedding"], heard["depth/image"]
    assert (features.height, features.width, features.encoding) == (3, 4, "32FC8")
    grid = np.frombuffer(features.data, np.float32).reshape(3, 4, 8)
    expected = np.linspace(0, 1, 8 * 3 * 4, dtype=np.float32).reshape(8, 3, 4)
    np.testing.assert_array_equal(grid, expected.transpose(1, 2, 0))
    vector = np.frombuffer(embedding.data, np.float32)
    assert (embedding.encoding, np.linalg.norm(vector)) == ("32FC16", pytest.approx(1))
    depth_m = np.frombuffer(depth.data, np.float32)
    assert depth.encoding == "32FC1"
    assert np.nanmedian(depth_m) == pytest.approx(1.5, abs=0.01)
    assert heard["overlay"].encoding == "rgb8"


def test_bad_frames_are_counted_by_cause_and_the_next_good_one_is_served(
    native_bundle: Path,
) -> None:
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        # A report has one example per cause, its latest: the next one waits for this report.
        r.camera.send(encoding="yuv9")
        r.wait_until_said("inputs", "image unreadable", "'yuv9' is not supported")
        for wrong in (
            {"step": 7},
            {"data": b"\x00" * 10},
            {"width": 0, "step": 0},
            {"stamp_ns": 0},
        ):
            r.camera.send(**wrong)
            r.monitor.spin(0.2)
        assert r.result_of()["objects"]
        r.wait_until_said("inputs", "rgb without stamp", "header.stamp is 0")
        values = r.values("inputs")
    # Where the machine is busy a frame may be lost on the way, which is counted as well.
    lost = int(values.get("dropped: rgb lost in transport", "0"))
    assert 4 - lost <= int(values["dropped: image unreadable"]) <= 4
    assert values["dropped: rgb without stamp"] == "1"


def test_without_depth_or_intrinsics_it_goes_on_in_2d_and_says_so(native_bundle: Path) -> None:
    with rig(model=native_bundle, depth__mode="sensor") as r:
        wait_for_readers(r)
        alone = r.result_of(depth=False, info=False)
        assert alone["objects"][0]["position_m"] is None
        r.wait_until_said("inputs", "no intrinsics", "depth absent")
        assert r.result_of()["objects"][0]["position_m"] is not None


def test_depth_outside_the_tolerance_is_reported_with_its_distance(native_bundle: Path) -> None:
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        r.camera.send()
        r.monitor.spin(0.1)
        for _ in range(3):
            r.camera.send(depth_shift_ns=45_000_000)
            r.monitor.spin(0.1)
        r.wait_until_said("inputs", "depth is up to 45.0 ms away", "allows 20.0 ms")


def test_stamps_that_jump_back_and_another_resolution_restart_tracking(
    native_bundle: Path,
) -> None:
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        now_ns = r.camera.now_ns()
        first = r.result_of(stamp_ns=now_ns)
        second = r.result_of(stamp_ns=now_ns - 10**9)
        assert second["epoch"] == first["epoch"] + 1
        small = {"width": 32, "height": 24, "step": 96, "data": b"\x50" * (96 * 24)}
        third = r.result_of(stamp_ns=now_ns - 9 * 10**8, **small)
        assert third["epoch"] == second["epoch"] + 1
        r.wait_until_said("inputs", "camera_info is for 64×48 px, the image has 32×24")


def test_a_qos_mismatch_names_both_sides(native_bundle: Path) -> None:
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    with rig(
        qos=best_effort,
        model=native_bundle,
        input__reliability="reliable",
        diagnostics__silent_after_s=0.5,
    ) as r:
        r.wait_until_said(
            "inputs",
            "QoS incompatible",
            "/camera on /rgb: it offers best_effort",
            "request reliable",
        )


def test_a_topic_without_publisher_is_reported_with_those_that_could_be_meant(
    native_bundle: Path,
) -> None:
    with rig(
        model=native_bundle, diagnostics__silent_after_s=0.5, input__depth_transport="compressed"
    ) as r:
        r.monitor.node.create_publisher(Image, "/front/rgb", 1)
        r.wait_until_said(
            "inputs",
            "no publisher on /depth/compressedDepth",
            "set input.depth_transport: raw",
            "/camera publishes /rgb, but nothing came",
        )
        r.wait_until_said("outputs", "no output for")


def test_models_swap_while_it_runs_and_a_bad_one_changes_nothing(
    native_bundle: Path, tmp_path: Path
) -> None:
    other = make_native_bundle(tmp_path / "other", classes=("ball", "cup"))
    broken = make_bundle(
        tmp_path / "broken",
        manifest={
            "task": "detection",
            "format": "yolov8",
            "classes": ["a"],
            "input": {"name": "images", "width_px": 32, "height_px": 32},
        },
        constants={"output0": np.zeros((1, 9, 9), np.float32)},
    ).path
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        assert r.result_of()["objects"][0]["class"] == "cube"
        refused = r.set_parameter("model", str(broken))
        assert not refused.successful
        assert "broken" in refused.reason
        missing = r.set_parameter("model", "no-such-model")
        assert "no model bundle 'no-such-model'" in missing.reason
        assert r.result_of()["model"] == "tiny@1"
        assert r.set_parameter("model", str(other)).successful
        result = r.result_of()
        assert (result["model"], result["objects"][0]["class"]) == ("other@1", "ball")
        fixed = r.set_parameter("tracker.name", "bytetrack")
        assert "clean up the node first" in fixed.reason
        assert r.set_parameter("sync.tolerance_s", 0.01).successful


def test_selection_changes_without_a_reload_and_tracks_live_on(native_bundle: Path) -> None:
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        before = r.result_of()
        assert r.set_parameter("detector.score_threshold", 0.5).successful
        unknown = r.set_parameter("detector.classes", ["horse"])
        assert not unknown.successful
        assert "horse" in unknown.reason
        after = r.result_of()
        assert after["epoch"] == before["epoch"]
        assert [o["id"] for o in after["objects"]] == [o["id"] for o in before["objects"]]
        assert r.set_parameter("detector.score_threshold", 0.99).successful
        last = r.result_of()
        assert last["epoch"] == before["epoch"]
        assert all(o["unseen_s"] > 0 for o in last["objects"])


def test_a_reset_forgets_what_is_tracked(native_bundle: Path) -> None:
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        r.result_of()
        (before,) = r.result_of()["objects"]
        client = r.monitor.node.create_client(Trigger, "/perception/reset")
        r.wait_for(client.service_is_ready)
        future = client.call_async(Trigger.Request())
        r.wait_for(future.done)
        answer = future.result()
        assert answer is not None
        assert answer.success, answer.message
        r.result_of()
        (after,) = r.result_of()["objects"]
    assert after["id"] > before["id"]


def test_a_listener_has_the_frame_that_was_published_and_costs_none_when_it_fails(
    native_bundle: Path,
) -> None:
    heard: dict[int, float] = {}
    with rig(model=native_bundle) as r:

        def listen(perception: Perception, stage_s: Mapping[str, float]) -> None:
            heard[perception.stamp_ns] = stage_s["age"]
            raise RuntimeError("a listener of this test")

        r.node.add_listener(listen)
        wait_for_readers(r)
        stamps = [r.result_of()["stamp_ns"] for _ in range(3)]
        r.wait_until_said("inputs", "listener failed", "RuntimeError: a listener of this test")
        r.node.remove_listener(listen)
        last = r.result_of()["stamp_ns"]
    assert set(stamps) <= set(heard)
    assert last not in heard
    assert all(age_s > 0 for age_s in heard.values())


def test_transitions_load_subscribe_stop_and_let_go(native_bundle: Path) -> None:
    with rig(model=native_bundle, autostart=False) as r:
        r.wait_until_said("model", "no model loaded")
        r.forget_said()
        assert r.node.state == "unconfigured"
        r.node.trigger_configure()
        r.wait_until_said("model", "tiny@1 on cpu")
        assert r.camera.rgb.get_subscription_count() == 0
        r.node.trigger_activate()
        wait_for_readers(r)
        r.result_of()
        r.node.trigger_deactivate()
        r.wait_for(lambda: r.camera.rgb.get_subscription_count() == 0)
        r.node.trigger_activate()
        wait_for_readers(r)
        r.result_of()
        r.node.trigger_deactivate()
        r.node.trigger_cleanup()
        r.wait_until_said("model", "no model loaded")
        r.node.trigger_configure()
        assert r.node.state == "inactive"


def test_a_model_that_cannot_be_loaded_leaves_the_node_unconfigured_with_the_reason() -> None:
    with rig(model="no-such-model", autostart=False) as r:
        r.node.trigger_configure()
        assert r.node.state == "unconfigured"
        r.wait_until_said("model", "no model bundle 'no-such-model'")
