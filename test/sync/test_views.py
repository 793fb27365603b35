"""Depth is on colour's view and in metres, or it is left out and reported."""

from typing import Any

import numpy as np
import pytest
from camera_numbers import message

from robot_vision.core.cameras.camera_info import calibration_of
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.sync.one_camera import OneCamera
from robot_vision.sync.views import DepthOrigin, Views

SIZE = (64, 48)


class Desk:
    """Views of one colour camera, and what they reported."""

    def __init__(self, **values: Any) -> None:
        self.notes: dict[str, str] = {}
        dotted = {name.replace("__", "."): value for name, value in values.items()}
        config = with_values(ServiceConfig(), dotted)
        self.views = Views(config, rgb_topic="rgb", depth_topic="depth", report=self._report)

    def _report(self, kind: str, detail: str) -> None:
        self.notes[kind] = detail

    def depth(
        self,
        depth_m: np.ndarray | None = None,
        *,
        frame_id: str = "color",
        color: Any = None,
        depth: Any = None,
        move: np.ndarray | None = None,
    ) -> np.ndarray | None:
        view = self.views.color_view(
            "color", size_px=SIZE, calibration=None if color is None else calibration_of(color)
        )
        origin = DepthOrigin(
            frame_id=frame_id,
            calibration=None if depth is None else calibration_of(depth),
            color_from_depth=lambda: move,
        )
        depth_m = np.ones((48, 64), np.float32) if depth_m is None else depth_m
        return self.views.depth(depth_m.astype(np.float32), view=view, origin=origin)


def info(focal_px: float = 60.0, *, size: tuple[int, int] = SIZE, cx: float | None = None) -> Any:
    centre = size[0] / 2 if cx is None else cx
    k = [[focal_px, 0, centre], [0, focal_px, size[1] / 2], [0, 0, 1]]
    return message(width=size[0], height=size[1], k=k)


def test_depth_of_the_same_view_passes_at_any_size() -> None:
    desk = Desk()
    for size in ((64, 48), (32, 24), (640, 480)):
        assert desk.depth(np.ones(size[::-1])) is not None
    for name in ("/color", ""):  # ROS 1's slash, and drivers that write nothing
        assert desk.depth(frame_id=name) is not None
    same = info(30.0, size=(32, 24))
    assert desk.depth(np.ones((24, 32)), color=info(), depth=same) is not None
    assert desk.notes == {}


def test_depth_of_another_aspect_shows_another_view() -> None:
    desk = Desk()
    assert desk.depth(np.ones((36, 64))) is None
    assert "64×36 px shows another view than colour of 64×48" in desk.notes["depth not aligned"]


def test_depth_of_another_frame_is_registered_by_the_transform() -> None:
    desk, move = Desk(), np.eye(4)
    move[0, 3] = 0.1
    found = desk.depth(frame_id="depth", color=info(), depth=info(), move=move)
    assert found is not None
    assert np.isnan(found[:, :6]).all()  # 0.1 m at 1 m are 6 px
    assert (found[:, 6:] == 1).all()
    assert "depth is in 'depth', colour in 'color'" in desk.notes["depth registered to colour"]


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, "camera_info of colour"),
        ({"color": info()}, "camera_info of depth"),
        ({"color": info(), "depth": info()}, "publish the static transform"),
    ],
)
def test_depth_of_another_frame_is_not_used_as_if_aligned(known: Any, words: str) -> None:
    desk = Desk()
    assert desk.depth(frame_id="depth", **known) is None
    assert words in desk.notes["depth in another frame"]
    trusting = Desk(camera__depth_aligned="yes")
    assert trusting.depth(frame_id="depth", **known) is not None
    assert trusting.notes == {}


def test_other_intrinsics_in_one_frame_are_registered_without_a_transform() -> None:
    desk = Desk()
    found = desk.depth(color=info(), depth=info(cx=40.0))
    assert found is not None
    assert np.isnan(found[:, -8:]).all()
    assert "other intrinsics" in desk.notes["depth registered to colour"]


def test_millimetres_are_not_taken_for_metres() -> None:
    desk = Desk()
    assert desk.depth(np.full((48, 64), 1500.0)) is None
    assert "median of 1500 m" in desk.notes["depth not in metres"]
    assert "depth.float_unit_m: 0.001" in desk.notes["depth not in metres"]


def test_depth_beyond_the_limits_is_reported_with_its_share() -> None:
    desk = Desk()
    depth_m = np.full((48, 64), 20.0)
    depth_m[:12] = 1.0
    assert desk.depth(depth_m) is not None
    assert "67% of it is not between" in desk.notes["depth out of range"]


def test_a_turned_camera_turns_depth_rgb_and_intrinsics() -> None:
    desk = Desk(camera__rotate=90)
    depth_m = np.ones((48, 64), np.float32)
    depth_m[0, 0] = 2.0
    found = desk.depth(depth_m, color=info(cx=20.0))
    assert found is not None
    assert found.shape == (64, 48)
    assert found[0, 47] == 2.0
    view = desk.views.color_view("color", size_px=SIZE, calibration=calibration_of(info(cx=20.0)))
    camera = desk.views.camera(view)
    assert camera is not None
    assert (camera.width_px, camera.height_px, camera.cy_px) == (48, 64, 20.0)
    assert camera is desk.views.camera(view)
    assert desk.views.frame_id("color") == "color_rotated_90"
    assert desk.views.rgb(np.zeros((48, 64, 3), np.uint8)).shape == (64, 48, 3)
    # x of the turned image points along −y of the camera.
    pose = desk.views.pose(np.eye(4))
    assert pose is not None
    np.testing.assert_allclose(pose[:3, 0], [0, -1, 0], atol=1e-12)


def test_two_cameras_on_one_topic_are_not_mixed() -> None:
    step_ns, one = 33_000_000, OneCamera()

    def problems(names: str, begin: int = 0) -> list[bool]:
        return [
            bool(one.problem(name, size_px=SIZE, stamp_ns=(begin + i) * step_ns))
            for i, name in enumerate(names)
        ]

    assert problems("ABABAABB") == [False, False, False, True, False, False, True, True]
    # One that went away leaves the topic to the other, and a change that stays is none.
    assert problems("B" * 90, begin=8)[-1] is False
    assert not any(problems("BBBCCC", begin=300))


def test_another_size_is_another_camera_too() -> None:
    one = OneCamera()
    sizes = [SIZE, (32, 24)] * 3
    words = [one.problem("A", size_px=s, stamp_ns=i) for i, s in enumerate(sizes)]
    assert [bool(word) for word in words] == [False, False, False, True, False, True]
    assert words[-1] == "'A' of 32×24 px between those of 'A' of 64×48 px: left out"
