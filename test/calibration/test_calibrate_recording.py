"""`robot-vision calibrate` from recordings: an arm that goes from rest to rest over a board."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation, Slerp
from typer.testing import CliRunner

from robot_vision.bench.calibrating.calibration_setups import (
    Disturbance,
    Setup,
    draw_setup,
    place_and_turn_errors,
)
from robot_vision.bench.calibrating.rendered_board import BoardRenderer
from robot_vision.calibration.boards.board_file import write_board
from robot_vision.calibration.fitting.hand_eye import other_from_carrier
from robot_vision.cli import app
from robot_vision.core.cameras.camera_file import read_camera_file
from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.errors import RobotVisionError

STORE = get_typestore(Stores.ROS2_JAZZY)
TYPES = STORE.types
S = 10**9
RGB, INFO = "/camera/image_raw", "/camera/camera_info"
START_NS = 1000 * S
REST_S, MOVE_S, PICTURE_S = 1.2, 0.4, 0.2
# A made-up robot that stands anywhere: three sliding and three turning joints.
AXES = (("prismatic", "1 0 0"), ("prismatic", "0 1 0"), ("prismatic", "0 0 1"))
TURNS = (("revolute", "0 0 1"), ("revolute", "0 1 0"), ("revolute", "1 0 0"))


def urdf() -> str:
    links = ["base", *(f"link_{number}" for number in range(5)), "tool"]
    joints = [
        f'<joint name="joint_{number}" type="{kind}"><parent link="{links[number]}"/>'
        f'<child link="{links[number + 1]}"/><axis xyz="{axis}"/>'
        '<limit lower="-9" upper="9" velocity="1" effort="1"/></joint>'
        for number, (kind, axis) in enumerate((*AXES, *TURNS))
    ]
    return (
        f'<robot name="slides">{"".join(f"""<link name="{n}"/>""" for n in links)}'
        f"{''.join(joints)}</robot>"
    )


def joints_at(pose: np.ndarray) -> np.ndarray:
    return np.concatenate([pose[:3, 3], Rotation.from_matrix(pose[:3, :3]).as_euler("ZYX")])


def header(stamp_ns: int, frame_id: str) -> Any:
    stamp = TYPES["builtin_interfaces/msg/Time"](sec=stamp_ns // S, nanosec=stamp_ns % S)
    return TYPES["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)


def place_and_turn(pose: np.ndarray) -> tuple[list[float], list[float]]:
    return pose[:3, 3].tolist(), Rotation.from_matrix(pose[:3, :3]).as_quat().tolist()


def poses_over_time(poses: list[np.ndarray]) -> list[tuple[int, np.ndarray, bool]]:
    """Stamp, pose, and whether it rests: every 20 ms, from one view of the set-up to the next."""
    found, time_s = [], 0.0
    for here, there in zip(poses, [*poses[1:], poses[-1]], strict=True):
        turns = Slerp([0, 1], Rotation.from_matrix([here[:3, :3], there[:3, :3]]))
        for step in range(round((REST_S + MOVE_S) / 0.02)):
            share = float(np.clip((step * 0.02 - REST_S) / MOVE_S, 0, 1))
            pose = np.eye(4)
            pose[:3, :3] = turns(share).as_matrix()
            pose[:3, 3] = (1 - share) * here[:3, 3] + share * there[:3, 3]
            found.append((START_NS + round((time_s + step * 0.02) * S), pose, share == 0))
        time_s += REST_S + MOVE_S
    return found


class Bag:
    """Writes what an arm and a camera publish."""

    def __init__(self, folder: Path) -> None:
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self._topics: dict[str, Any] = {}

    def put(self, topic: str, message: Any, stamp_ns: int) -> None:
        name = message.__msgtype__
        if topic not in self._topics:
            self._topics[topic] = self._writer.add_connection(topic, name, typestore=STORE)
        self._writer.write(self._topics[topic], stamp_ns, STORE.serialize_cdr(message, name))

    def close(self) -> None:
        self._writer.close()

    def put_arm(self, pose: np.ndarray, stamp_ns: int) -> None:
        place, turn = place_and_turn(pose)
        vector = TYPES["geometry_msgs/msg/Vector3"](*place)
        quaternion = TYPES["geometry_msgs/msg/Quaternion"](*turn)
        transform = TYPES["geometry_msgs/msg/TransformStamped"](
            header=header(stamp_ns, "base"),
            child_frame_id="tool",
            transform=TYPES["geometry_msgs/msg/Transform"](
                translation=vector, rotation=quaternion
            ),
        )
        self.put("/tf", TYPES["tf2_msgs/msg/TFMessage"](transforms=[transform]), stamp_ns)
        point = TYPES["geometry_msgs/msg/Point"](*place)
        stamped = TYPES["geometry_msgs/msg/PoseStamped"](
            header=header(stamp_ns, "base"),
            pose=TYPES["geometry_msgs/msg/Pose"](position=point, orientation=quaternion),
        )
        self.put("/tool_pose", stamped, stamp_ns)
        joints = TYPES["sensor_msgs/msg/JointState"](
            header=header(stamp_ns, ""),
            name=[f"joint_{number}" for number in range(6)],
            position=joints_at(pose),
            velocity=np.zeros(0),
            effort=np.zeros(0),
        )
        self.put("/joint_states", joints, stamp_ns)

    def put_picture(self, grey: np.ndarray, setup: Setup, stamp_ns: int) -> None:
        high, wide = grey.shape
        self.put(RGB, image(grey, stamp_ns), stamp_ns)
        camera = setup.camera
        lens = camera.intrinsics_px.ravel()
        info = TYPES["sensor_msgs/msg/CameraInfo"](
            header=header(stamp_ns, "camera"),
            height=high,
            width=wide,
            distortion_model="plumb_bob",
            d=np.asarray(camera.distortion, np.float64),
            k=lens,
            r=np.eye(3).ravel(),
            p=np.concatenate([camera.intrinsics_px, np.zeros((3, 1))], axis=1).ravel(),
            binning_x=0,
            binning_y=0,
            roi=TYPES["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
        )
        self.put(INFO, info, stamp_ns)


def image(grey: np.ndarray, stamp_ns: int) -> Any:
    high, wide = grey.shape
    return TYPES["sensor_msgs/msg/Image"](
        header=header(stamp_ns, "camera"),
        height=high,
        width=wide,
        encoding="mono8",
        is_bigendian=0,
        step=wide,
        data=grey.ravel(),
    )


def record(folder: Path, setup: Setup) -> None:
    """Pictures at 5 Hz; those in motion are smeared."""
    bag = Bag(folder)
    bag.put("/robot_description", TYPES["std_msgs/msg/String"](data=urdf()), START_NS)
    renderer, rng = BoardRenderer(setup.board, setup.camera), np.random.default_rng(7)
    moments = poses_over_time([view.base_from_tool for view in setup.views])
    seen, seen_at = np.zeros(0), np.zeros(0)
    for number, (stamp_ns, pose, rests) in enumerate(moments):
        bag.put_arm(pose, stamp_ns)
        if number % round(PICTURE_S / 0.02):
            continue
        if rests and not np.array_equal(pose, seen_at):
            carried = other_from_carrier([pose], setup.mount) @ setup.carrier_from_camera
            seen = renderer.picture(np.linalg.inv(carried[0]) @ setup.other_from_board, rng)
            seen_at = pose
        smeared = np.roll(seen, 9, axis=1) // 2 + seen // 2
        bag.put_picture(seen if rests else smeared, setup, stamp_ns)
    bag.close()


@pytest.fixture(scope="module", params=["tool", "base"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("recording")
    mount = request.param
    setup = draw_setup(4, mount=mount, views=11, disturbance=Disturbance(corner_px=0.0))
    record(folder / "bag", setup)
    write_board(folder / "board.yaml", setup.board.config)
    return setup, folder


def hand_eye(folder: Path, out: Path, *options: str, mount: str = "tool"):
    files = [str(folder / "bag"), "--board", str(folder / "board.yaml"), "--out", str(out)]
    return CliRunner().invoke(
        app, ["calibrate", "hand-eye", *files, "--mount", mount, *options], catch_exceptions=True
    )


@pytest.mark.parametrize("by", ["tf", "joints", "/tool_pose"])
def test_hand_eye_of_a_recording_is_that_of_the_truth(
    recorded: tuple[Setup, Path], by: str, tmp_path: Path
) -> None:
    setup, folder = recorded
    result = hand_eye(folder, tmp_path, "--rgb", RGB, "--tool-poses", by, mount=setup.mount)
    assert result.exit_code == 0, (result.output, result.exception)
    assert f"{len(setup.views)} pictures written to" in result.output
    assert "not at rest" in result.output
    written = yaml.safe_load((tmp_path / "hand_eye.yaml").read_text())
    pose = transform_from_quaternion(
        np.array(written["position_m"]), np.array(written["quaternion_xyzw"])
    )
    place_m, turn_deg = place_and_turn_errors(pose, setup.carrier_from_camera)
    assert place_m < 0.001
    assert turn_deg < 0.1
    assert len(list((tmp_path / "views").glob("*.png"))) == len(setup.views)


def test_a_lens_of_a_recording_is_that_of_the_truth(
    recorded: tuple[Setup, Path], tmp_path: Path
) -> None:
    setup, folder = recorded
    out = tmp_path / "camera.yaml"
    files = [str(folder / "bag"), "--board", str(folder / "board.yaml"), "--out", str(out)]
    # Eleven views in the middle of the picture: enough to see that the right ones were taken.
    loose = ["--set", "least_cover=0.1", "--set", "most_focal_error=0.1"]
    result = CliRunner().invoke(app, ["calibrate", "camera", *files, "--rgb", RGB, *loose])
    assert result.exit_code == 0, (result.output, result.exception)
    assert f"{len(setup.views)} pictures written to" in result.output
    focal_px = read_camera_file(out, frame_id="camera").k.ravel()[0]
    assert focal_px == pytest.approx(setup.camera.fx_px, rel=0.02)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), f"--rgb …: it is not in the recording; .* there are: {RGB} \\("),
        (("--rgb", INFO), "--rgb /camera/camera_info: it is sensor_msgs/msg/CameraInfo"),
        (("--rgb", RGB, "--tool-poses", "/tool"), "--tool-poses /tool: .* /tool_pose"),
        (("--rgb", RGB, "--tool-frame", "tool0"), "no transform names 'tool0'; frames are 'base"),
        (("--rgb", RGB, "--tool-poses", "/tool_pose", "--base-frame", "world"), "is in 'base'"),
        (
            ("--rgb", RGB, "--tool-poses", "joints", "--tool-frame", "hand"),
            "no chain of joints from 'base' to 'hand'",
        ),
        (
            ("--rgb", RGB, "--tool-poses", "joints", "--joint-states", "/js"),
            "--joint-states /js: .*/joint_states",
        ),
    ],
)
def test_what_is_not_recorded_is_named_with_what_is(
    recorded: tuple[Setup, Path], options: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    result = hand_eye(recorded[1], tmp_path / "out", *options)
    with pytest.raises(RobotVisionError, match=words):
        raise result.exception or AssertionError(result.output)
    assert not list(tmp_path.rglob("*.png"))


def test_pictures_of_a_camera_with_another_clock_are_refused(
    recorded: tuple[Setup, Path], tmp_path: Path
) -> None:
    setup, folder = recorded
    bag = Bag(tmp_path / "bag")
    for k in range(5):
        bag.put_arm(setup.views[0].base_from_tool, START_NS + k * S // 10)
        bag.put_picture(np.zeros((480, 640), np.uint8), setup, START_NS + (60 + k) * S)
    bag.close()
    (tmp_path / "board.yaml").write_bytes((folder / "board.yaml").read_bytes())
    result = hand_eye(tmp_path, tmp_path / "out", "--rgb", RGB)
    assert isinstance(result.exception, RobotVisionError)
    assert "not at rest ×5 (0 tool poses within 0.5 s" in str(result.exception)


def test_pictures_that_were_taken_before_are_kept(
    recorded: tuple[Setup, Path], tmp_path: Path
) -> None:
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "000.png").write_bytes(b"mine")
    result = hand_eye(recorded[1], tmp_path, "--rgb", RGB)
    assert "is not empty; expected --views" in str(result.exception)
    assert (tmp_path / "views" / "000.png").read_bytes() == b"mine"
