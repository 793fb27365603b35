"""3-D output in another frame, by tf2 where there is one."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ros_harness import FRAME_ID, rig, wait_for_readers

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


class Buffer:
    """Stands in for tf2's: knows one transform, and nothing at exact stamps."""

    known = True

    def __init__(self, node: Any) -> None:
        del node

    def lookup_transform(self, target: str, source: str, time: Any) -> Any:
        if time.nanoseconds or not self.known:
            raise NoTransform(f"{target} from {source}")
        half = 0.5**0.5
        translation = SimpleNamespace(x=1.0, y=0.0, z=0.5)
        rotation = SimpleNamespace(x=0.0, y=0.0, z=half, w=half)
        return SimpleNamespace(
            transform=SimpleNamespace(translation=translation, rotation=rotation)
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


@pytest.mark.usefixtures("tf2")
def test_objects_are_given_in_the_target_frame(native_bundle: Path) -> None:
    with rig(model=native_bundle, target_frame="base") as r:
        wait_for_readers(r)
        r.result_of()
        result = r.result_of()
    assert result["frame_id"] == "base"
    assert result["objects"][0]["position_m"] == pytest.approx([1.0, 0.0, 2.0], abs=0.05)


@pytest.mark.usefixtures("tf2")
def test_without_a_transform_they_stay_in_the_camera_and_it_says_so(
    native_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Buffer, "known", False)
    with rig(model=native_bundle, target_frame="base") as r:
        wait_for_readers(r)
        assert r.result_of()["frame_id"] == FRAME_ID
        r.wait_until_said("inputs", f"no transform from {FRAME_ID} to base")
