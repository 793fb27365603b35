from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from robot_vision.core.cameras.geometry import invert_transform, project, transform_points
from robot_vision.simulation.content.palette import is_held_out
from robot_vision.simulation.robot.arms.arms import ARMS, Arm
from robot_vision.simulation.robot.build import build_world
from robot_vision.simulation.robot.poses import tool_down
from robot_vision.simulation.robot.work.layout import draw_layout
from robot_vision.simulation.robot.work.task import KINDS
from robot_vision.simulation.robot.world import RobotWorld

SIZE_PX = (208, 160)


def make_world(seed: int = 0, arm: Arm = ARMS["seven"]) -> RobotWorld:
    return build_world(
        np.random.default_rng(seed), split="train", kind="pick", size_px=SIZE_PX, arm=arm
    )


@pytest.fixture
def world():
    with make_world() as world:
        yield world


@pytest.fixture(params=sorted(ARMS))
def any_arm(request: pytest.FixtureRequest):
    with make_world(arm=ARMS[request.param]) as world:
        yield world


@pytest.mark.parametrize(
    ("place_m", "yaw_rad"),
    [((0.3, 0.0, 0.3), 0.0), ((0.7, 0.35, 0.2), 0.5), ((0.7, -0.4, 0.03), -1.2),
     ((0.22, 0.4, 0.25), 1.0), ((0.7, 0.0, 0.4), 0.3)],
)  # fmt: skip
def test_the_tool_goes_where_it_is_commanded(
    any_arm: RobotWorld, place_m: tuple[float, float, float], yaw_rad: float
) -> None:
    world = any_arm
    target = tool_down(np.array([*place_m[:2], 0.4]), yaw_rad)
    world.command(target, 1.0)
    world.step(3.0)
    target = tool_down(np.array(place_m), yaw_rad)
    world.command(target, 0.0)
    world.step(2.0)
    np.testing.assert_allclose(world.base_from_tool, target, atol=2e-3)
    assert world.gripper_open < 0.02


def test_joints_keep_to_their_limits_whatever_is_commanded(any_arm: RobotWorld) -> None:
    world, arm = any_arm, any_arm.arm
    rng = np.random.default_rng(1)
    before = world.state(0).joint_position_rad
    for _ in range(60):
        place = rng.uniform([-1.5, -1.5, 0.2], [1.5, 1.5, 1.5])
        world.command(tool_down(place, rng.uniform(-3, 3)), rng.random())
        for _ in range(10):
            world.step(0.02)
            now = world.state(0).joint_position_rad
            assert (np.abs(now - before) / 0.02 <= 1.15 * arm.max_speed_radps).all()
            assert ((now >= arm.lowest_rad - 0.05) & (now <= arm.highest_rad + 0.05)).all()
            before = now


def test_a_stream_of_commands_is_followed_closely(world: RobotWorld) -> None:
    start = world.base_from_tool[:3, 3].copy()
    yaw = float(np.arctan2(world.base_from_tool[1, 0], world.base_from_tool[0, 0]))
    for i in range(100):
        place = start + np.array([0.0, 0.3 * i / 100 * min(1.0, i / 20), 0.0])
        world.command(tool_down(place, yaw), 1.0)
        world.step(0.01)
    # 0.3 m/s: 20 ms behind at most
    assert np.linalg.norm(world.base_from_tool[:3, 3] - place) < 0.3 * 0.03


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_commands_must_be_finite(world: RobotWorld, bad: float) -> None:
    pose = np.eye(4)
    pose[0, 3] = bad
    with pytest.raises(ValueError, match="finite"):
        world.command(pose, 1.0)
    with pytest.raises(ValueError, match="finite"):
        world.command(np.eye(4), bad)


def test_time_starts_at_zero_and_steps_add_up(world: RobotWorld) -> None:
    assert world.time_s == 0
    for _ in range(7):
        world.step(0.033)
    assert world.time_s == pytest.approx(7 * 0.033, abs=0.003)


def test_frames_show_things_where_they_are(world: RobotWorld) -> None:
    frame = world.frame(5)
    assert (frame.stamp_ns, frame.rgb.shape) == (5, (160, 208, 3))
    assert frame.depth_m is not None
    assert 0.7 < np.isfinite(frame.depth_m).mean() <= 1
    camera_from_base = invert_transform(world.base_from_camera)
    for index, item in enumerate(world.items):
        top = world.base_from_item(index)[:3, 3] + [0, 0, item.size_m.min() / 2]
        seen = transform_points(camera_from_base, top[None])
        column, row = np.rint(project(seen, camera=world.camera)[0]).astype(int)
        around = frame.depth_m[row - 3 : row + 4, column - 3 : column + 4]
        assert np.nanmedian(around) == pytest.approx(seen[0, 2], abs=0.08)


def test_the_wrist_camera_looks_at_the_tool_point(world: RobotWorld) -> None:
    frame = world.wrist_frame(1)
    tool = world.base_from_tool[:3, 3][None]
    pixel = project(
        transform_points(invert_transform(world.base_from_wrist_camera), tool),
        camera=world.wrist_camera,
    )[0]
    middle = np.array([world.wrist_camera.cx_px, world.wrist_camera.cy_px])
    np.testing.assert_allclose(pixel, middle, atol=2)
    assert frame.rgb.shape == (160, 208, 3)
    assert frame.frame_id != world.camera.frame_id


def test_the_same_seed_gives_the_same_world_and_frames() -> None:
    frames = []
    for _ in range(2):
        with make_world(4) as world:
            world.command(tool_down(np.array([0.5, 0, 0.2]), 0.0), 0.0)
            world.step(0.5)
            frames.append((world.frame(0), world.state(0)))
    assert np.array_equal(frames[0][0].rgb, frames[1][0].rgb)
    assert np.array_equal(frames[0][0].depth_m, frames[1][0].depth_m, equal_nan=True)
    assert np.array_equal(frames[0][1].joint_position_rad, frames[1][1].joint_position_rad)


def test_a_moved_camera_shows_another_picture_and_keeps_its_calibration(
    world: RobotWorld,
) -> None:
    before, calibration = world.frame(0), world.base_from_camera.copy()
    world.move_camera(np.array([0.1, 0.0, 0.0]), np.array([0.0, 0.0, 0.1]))
    after = world.frame(0)
    assert np.abs(before.rgb.astype(int) - after.rgb).mean() > 3
    np.testing.assert_array_equal(world.base_from_camera, calibration)


def test_lights_can_be_changed(world: RobotWorld) -> None:
    before = world.model.light_dir.copy()
    world.change_lights(np.random.default_rng(0))
    assert not np.allclose(before, world.model.light_dir)


@pytest.mark.parametrize("kind", KINDS)
def test_words_identify_all_objects_and_training_never_sees_held_out_ones(kind) -> None:
    shares_class = shares_color = held_out = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        things = draw_layout(rng, kind=kind, split="train")
        names = [(thing.class_name, thing.color_name) for thing in things]
        assert 1 <= len(names) <= 6
        assert len(set(names)) == len(names)
        assert not any(is_held_out(*name) for name in names)
        classes, colors = zip(*names, strict=True)
        shares_class += len(set(classes)) < len(classes)
        shares_color += len(set(colors)) < len(colors)
        tested = draw_layout(rng, kind=kind, split="test")
        held_out += any(is_held_out(t.class_name, t.color_name) for t in tested)
    assert shares_class > 20
    assert shares_color > 20
    assert held_out > 20


def test_the_drawn_arm_has_the_limits_that_are_declared(world: RobotWorld) -> None:
    arm = world.arm
    ranges = np.array([world.model.joint(name).range for name in arm.joint_names])
    np.testing.assert_allclose(ranges, np.stack([arm.lowest_rad, arm.highest_rad], axis=1))


def test_state_reports_the_stamp_it_is_asked_for(world: RobotWorld) -> None:
    state = world.state(123)
    assert state.stamp_ns == 123
    assert state.joint_position_rad.shape == (7,)
    assert replace(state, stamp_ns=1).gripper_open == pytest.approx(1.0, abs=0.02)
