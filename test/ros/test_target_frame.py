"""3-D output in another frame, by tf2 where there is one."""

import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.node import Node
from rclpy.time import Time
from ros_harness import FRAME_ID, rig, wait_for_readers

from robot_vision.core.parameters.config import TransformConfig

pytestmark = pytest.mark.ros


def test_without_tf2_the_node_says_what_to_install(native_bundle: Path) -> None:
    try:
        import tf2_ros  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("tf2_ros is installed")
    with rig(model=native_bundle, target_frame="base", autostart=False) as r:
        r.node.trigger_configure()
        assert r.node.state == "unconfigured"
        r.wait_until_said("model", "target_frame is 'base', but tf2_ros is not installed")


class NoTransform(Exception):
    pass


S = 1_000_000_000


class Buffer:
    """Stands in for tf2's: one transform, known for stamps from `first_ns` to `newest_ns`.

    Where there is none at all, `newest_ns` is None. tf2 answers to stamp 0 with the newest.
    """

    first_ns: int = 0
    newest_ns: int | None = 2**62

    def __init__(self, node: Any) -> None:
        del node

    def lookup_transform(self, target: str, source: str, time: Any) -> Any:
        newest_ns, stamp_ns = self.newest_ns, time.nanoseconds
        if newest_ns is None:
            raise NoTransform(f"{target} from {source}")
        if stamp_ns and not self.first_ns <= stamp_ns <= newest_ns:
            raise NoTransform(f"extrapolation of {target} from {source}")
        half = 0.5**0.5
        return SimpleNamespace(
            header=SimpleNamespace(stamp=Time(nanoseconds=stamp_ns or newest_ns).to_msg()),
            transform=SimpleNamespace(
                translation=SimpleNamespace(x=1.0, y=0.0, z=0.5),
                rotation=SimpleNamespace(x=0.0, y=0.0, z=half, w=half),
            ),
        )


class Listener:
    def __init__(self, buffer: Buffer, node: Any) -> None:
        del buffer, node

    def unregister(self) -> None:
        pass


@pytest.fixture
def tf2(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(
        Buffer=Buffer, TransformListener=Listener, TransformException=NoTransform
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", stand_in)


@pytest.fixture
def node(tf2: None) -> Iterator[Node]:  # noqa: ARG001
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node("looks_up", context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def looked_up(node: Node, stamp_ns: int, **limits: float) -> tuple[np.ndarray | None, list[str]]:
    from robot_vision.ros.common.tf import TargetFrame

    said: list[str] = []
    target = TargetFrame(node, "base", TransformConfig(**limits))
    return target.from_camera("camera", stamp_ns, report=said.append), said


@pytest.mark.parametrize(("late_s", "fits"), [(0.05, True), (0.2, False), (15.0, False)])
def test_a_transform_that_is_too_old_is_refused_with_its_age(
    node: Node, monkeypatch: pytest.MonkeyPatch, late_s: float, fits: bool
) -> None:
    monkeypatch.setattr(Buffer, "newest_ns", 100 * S)
    pose, said = looked_up(node, 100 * S + round(late_s * S), stale_s=0.1)
    assert (pose is not None) == fits
    assert fits == (not said)
    if said:
        assert f"is {late_s:.3f} s older than the frame; at most transforms.stale_s" in said[0]


def test_a_frame_from_before_all_transforms_is_refused(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Buffer, "first_ns", 100 * S)
    pose, said = looked_up(node, 40 * S)
    assert pose is None
    assert "older than what /tf remembers" in said[0]


def test_a_frame_waits_for_the_transform_of_its_stamp(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Buffer, "newest_ns", 100 * S)
    stamp_ns = 100 * S + S // 10
    Timer(0.05, lambda: monkeypatch.setattr(Buffer, "newest_ns", stamp_ns)).start()
    pose, said = looked_up(node, stamp_ns, stale_s=0.05, wait_s=1.0)
    assert pose is not None
    assert not said


def test_a_transform_that_comes_between_two_looks_is_taken(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Buffer, "newest_ns", 100 * S)
    look = Buffer.lookup_transform

    def comes(buffer: Buffer, target: str, source: str, time: Any) -> Any:
        try:
            return look(buffer, target, source, time)
        finally:
            monkeypatch.setattr(Buffer, "newest_ns", 101 * S)

    monkeypatch.setattr(Buffer, "lookup_transform", comes)
    pose, said = looked_up(node, 100 * S + S // 2)
    assert pose is not None
    assert not said


@pytest.mark.usefixtures("tf2")
def test_objects_are_given_in_the_target_frame(native_bundle: Path) -> None:
    with rig(model=native_bundle, target_frame="base") as r:
        wait_for_readers(r)
        r.result_of()
        result = r.result_of()
    assert result["frame_id"] == "base"
    assert result["objects"][0]["position_m"] == pytest.approx([1.0, 0.0, 2.0], abs=0.05)


@pytest.mark.usefixtures("tf2")
@pytest.mark.parametrize(
    ("newest_ns", "reason"),
    [(None, f"no transform from {FRAME_ID} to base"), (S, "s older than the frame; at most")],
)
def test_without_a_fitting_transform_nothing_has_a_place_and_it_says_so(
    native_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    newest_ns: int | None,
    reason: str,
) -> None:
    monkeypatch.setattr(Buffer, "newest_ns", newest_ns)
    with rig(model=native_bundle, target_frame="base") as r:
        wait_for_readers(r)
        r.result_of()
        result = r.result_of()
        # Never in a frame that nobody asked for.
        assert result["frame_id"] == "base"
        assert [thing["position_m"] for thing in result["objects"]] == [None]
        assert result["objects"][0]["box_xyxy_px"]
        r.wait_until_said("inputs", reason)
