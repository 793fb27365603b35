"""The simulated robot: a table with objects, the arm, a fixed RGB-D camera and a wrist camera.

The world's frame is the arm's base frame: x away from the arm over the table, y left of the arm,
z up, origin on the table top.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int32

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import Camera, Frame, RobotState
from robot_vision.simulation.content.palette import Split
from robot_vision.simulation.picture.gl import MjModel, mujoco
from robot_vision.simulation.picture.look import light_room
from robot_vision.simulation.picture.viewpoint import Viewpoint, apply_viewpoint
from robot_vision.simulation.robot.arms.arm import FINGERS, TOOL, WRIST_CAMERA
from robot_vision.simulation.robot.arms.arms import Arm
from robot_vision.simulation.robot.arms.drive import TICK_S, Drive
from robot_vision.simulation.robot.view import Eyes, Sensors, sense
from robot_vision.simulation.robot.work.layout import Placed

TIMESTEP_S = 0.0025
NOTHING, ROBOT = -1, -2
_FIXED_CAMERA = "camera"
_SETTLE_S = 0.3
_OPTICAL_FROM_MUJOCO = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True, kw_only=True, eq=False)
class RobotItem:
    """Ground truth of an object on the table. `size_m` is its full extent along its own axes.

    `corners_m` are the surface points, in its own frame, that its silhouette needs.
    """

    class_name: str
    color_name: str
    size_m: Float[np.ndarray, "3"]
    corners_m: Float[np.ndarray, "n 3"]
    body_id: int


class RobotWorld:
    """Physics, the arm's controller and the cameras of one episode; a context manager.

    Rendering opens an OpenGL context in the thread that first requests a frame, and is bound to
    it.
    """

    def __init__(
        self,
        model: MjModel,
        *,
        arm: Arm,
        items: tuple[RobotItem, ...],
        split: Split,
        viewpoint: Viewpoint,
        wrist_camera: Camera,
        sensors: tuple[Sensors, Sensors],
        rng: np.random.Generator,
    ) -> None:
        self.model, self.data = model, mujoco.MjData(model)
        self.arm, self.items, self.split = arm, items, split
        self.camera, self.wrist_camera = viewpoint.camera, wrist_camera
        self._viewpoint = self._calibrated = viewpoint
        self._sensors, self._rng = sensors, rng
        self._drive = Drive(model, self.data, arm)
        self._eyes: Eyes | None = None
        self._site = int(model.site(TOOL).id)
        self._finger_geoms = np.array([model.geom(name).id for name in FINGERS])
        self._hand_bodies = [int(model.body(name).id) for name in ("hand", *FINGERS)]
        self._item_of_body = np.full(model.nbody, -1)
        for index, item in enumerate(items):
            self._item_of_body[item.body_id] = index
        self._until_tick_s = 0.0
        self._owed_s = 0.0

    def __enter__(self) -> "RobotWorld":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the OpenGL context, if one was opened."""
        if self._eyes is not None:
            self._eyes.close()
            self._eyes = None

    @property
    def time_s(self) -> float:
        return float(self.data.time)

    @property
    def base_from_camera(self) -> Float[np.ndarray, "4 4"]:
        """As calibrated: `move_camera` does not change it."""
        return self._calibrated.world_from_camera

    @property
    def base_from_wrist_camera(self) -> Float[np.ndarray, "4 4"]:
        """Current pose of the wrist camera's optical frame."""
        camera = self.model.camera(WRIST_CAMERA).id
        pose = np.eye(4)
        pose[:3, :3] = self.data.cam_xmat[camera].reshape(3, 3)
        pose[:3, 3] = self.data.cam_xpos[camera]
        return pose @ _OPTICAL_FROM_MUJOCO

    @property
    def base_from_tool(self) -> Float[np.ndarray, "4 4"]:
        return self._drive.tool_pose(self.data)

    @property
    def base_from_commanded(self) -> Float[np.ndarray, "4 4"]:
        """The last commanded tool pose."""
        return self._drive.base_from_target

    @property
    def tool_velocity(self) -> Float[np.ndarray, "6"]:
        """Velocity of the tool point in base axes: m/s, then rad/s."""
        velocity = np.zeros(6)
        site = mujoco.mjtObj.mjOBJ_SITE
        mujoco.mj_objectVelocity(self.model, self.data, site, self._site, velocity, 0)
        return np.r_[velocity[3:], velocity[:3]]

    @property
    def gripper_open(self) -> float:
        """Measured: 0 closed to 1 open."""
        return self._drive.gripper_measured

    @property
    def held_item(self) -> int:
        """Row of the item that both fingers touch, −1 for none."""
        contact = self.data.contact
        geoms = contact.geom[contact.dist < 1e-3] if self.data.ncon else np.zeros((0, 2), int)
        touched = []
        for finger in self._finger_geoms:
            others = np.r_[geoms[geoms[:, 0] == finger, 1], geoms[geoms[:, 1] == finger, 0]]
            touched.append({int(i) for i in self._item_of_body[self.model.geom_bodyid[others]]})
        both = (touched[0] & touched[1]) - {-1}
        return min(both) if both else -1

    @property
    def touched_items(self) -> set[int]:
        """Rows of the items that fingers or hand touch."""
        if not self.data.ncon:
            return set()
        bodies = self.model.geom_bodyid[self.data.contact.geom]
        by_hand = np.isin(bodies, self._hand_bodies).any(axis=1)
        return {int(i) for i in self._item_of_body[bodies[by_hand]].ravel()} - {-1}

    def base_from_item(self, index: int) -> Float[np.ndarray, "4 4"]:
        """Ground truth: pose of an item's frame (at its centre)."""
        body = self.items[index].body_id
        pose = np.eye(4)
        pose[:3, :3] = self.data.xmat[body].reshape(3, 3)
        pose[:3, 3] = self.data.xpos[body]
        return pose

    def state(self, stamp_ns: int) -> RobotState:
        """The arm's reported state."""
        return RobotState(
            stamp_ns=stamp_ns,
            joint_position_rad=self._drive.joint_position_rad,
            base_from_tool=self.base_from_tool,
            gripper_open=self.gripper_open,
            joint_names=self.arm.joint_names,
        )

    def command(self, base_from_tool: Float[np.ndarray, "4 4"], gripper_open: float) -> None:
        """Set the command that the arm's controller follows from now on."""
        if not (np.isfinite(base_from_tool).all() and np.isfinite(gripper_open)):
            raise ValueError(
                f"commands must be finite; got pose {base_from_tool.tolist()}, "
                f"gripper {gripper_open}"
            )
        self._drive.base_from_target = np.array(base_from_tool, np.float64)
        self._drive.joint_target_rad = None
        self._drive.gripper_open = float(gripper_open)

    def command_joints(self, position_rad: Float[np.ndarray, " j"], gripper_open: float) -> None:
        """Command joint positions from now on, instead of tool poses."""
        count = len(self.arm.links)
        if position_rad.shape != (count,) or not (
            np.isfinite(position_rad).all() and np.isfinite(gripper_open)
        ):
            raise ValueError(
                f"expected {count} finite joint positions and a finite gripper; got "
                f"{position_rad.tolist()}, gripper {gripper_open}"
            )
        self._drive.joint_target_rad = np.array(position_rad, np.float64)
        self._drive.gripper_open = float(gripper_open)

    def step(self, seconds: float) -> None:
        """Advance time: physics, and the arm's controller every `TICK_S`."""
        self._owed_s += seconds
        while self._owed_s > TIMESTEP_S / 2:
            if self._until_tick_s <= TIMESTEP_S / 2:
                self._drive.tick()
                self._until_tick_s += TICK_S
            mujoco.mj_step(self.model, self.data)
            self._owed_s -= TIMESTEP_S
            self._until_tick_s -= TIMESTEP_S
        mujoco.mj_kinematics(self.model, self.data)

    def frame(self, stamp_ns: int | None = None, *, depth: bool = True) -> Frame:
        """The fixed camera's current picture; the stamp defaults to simulated time."""
        return self._see(_FIXED_CAMERA, self.camera, self._sensors[0], stamp_ns, depth)

    def wrist_frame(self, stamp_ns: int | None = None, *, depth: bool = True) -> Frame:
        """The wrist camera's current picture."""
        return self._see(WRIST_CAMERA, self.wrist_camera, self._sensors[1], stamp_ns, depth)

    def shown(self) -> Int32[np.ndarray, "h w"]:
        """Ground truth of the fixed camera's picture: the row of the item at each pixel, `ROBOT`
        for the arm, `NOTHING` otherwise.
        """
        bodies = self._opened_eyes().bodies(
            self.data,
            camera_name=_FIXED_CAMERA,
            size_px=(self.camera.width_px, self.camera.height_px),
        )
        base = int(self.model.body("base").id)
        is_robot = self.model.body_rootid == self.model.body_rootid[base]
        return np.where(is_robot, ROBOT, self._item_of_body).astype(np.int32)[bodies]

    def _opened_eyes(self) -> Eyes:
        if self._eyes is None:
            self._eyes = Eyes(self.model, size_px=(self.camera.width_px, self.camera.height_px))
        return self._eyes

    def _see(
        self,
        camera_name: str,
        camera: Camera,
        sensors: Sensors,
        stamp_ns: int | None,
        has_depth: bool,
    ) -> Frame:
        if stamp_ns is None:
            stamp_ns = round(self.time_s * NS_PER_S)
        size_px = (camera.width_px, camera.height_px)
        rgb, depth_m = self._opened_eyes().look(
            self.data, camera_name=camera_name, size_px=size_px, depth=has_depth
        )
        rgb, depth_m = sense(rgb, depth_m, camera=camera, sensors=sensors, rng=self._rng)
        return Frame(
            stamp_ns=stamp_ns,
            frame_id=camera.frame_id,
            rgb=rgb,
            camera=camera,
            depth_m=depth_m,
            depth_stamp_ns=stamp_ns if has_depth else None,
        )

    def move_camera(
        self, translation_m: Float[np.ndarray, "3"], rotation_rad: Float[np.ndarray, "3"]
    ) -> None:
        """Move the fixed camera in its own axes (rotation vector); the calibration stays."""
        moved = np.eye(4)
        angle = float(np.linalg.norm(rotation_rad))
        quaternion, rotation = np.zeros(4), np.zeros(9)
        axis = rotation_rad / angle if angle else np.array([1.0, 0.0, 0.0])
        mujoco.mju_axisAngle2Quat(quaternion, axis, angle)
        mujoco.mju_quat2Mat(rotation, quaternion)
        moved[:3, :3], moved[:3, 3] = rotation.reshape(3, 3), translation_m
        self._viewpoint = replace(
            self._viewpoint, world_from_camera=self._viewpoint.world_from_camera @ moved
        )
        apply_viewpoint(self.model, self._viewpoint)

    def change_lights(self, rng: np.random.Generator) -> None:
        """Change the lights, also to positions and colours not used in training."""
        light_room(self.model, rng, split="test")

    def settle(self, placed: list[Placed], base_from_tool: Float[np.ndarray, "4 4"]) -> None:
        """Place objects and arm, let objects come to rest, and start at time 0."""
        for item, place in zip(self.items, placed, strict=True):
            start = self.model.jnt_qposadr[self.model.body_jntadr[item.body_id]]
            self.data.qpos[start : start + 7] = [*place.place_m, *place.quaternion_wxyz]
        apply_viewpoint(self.model, self._viewpoint)
        self._drive.place(base_from_tool)
        mujoco.mj_forward(self.model, self.data)
        self.step(_SETTLE_S)
        self.data.qvel[:] = 0
        self.data.time = 0.0
        mujoco.mj_forward(self.model, self.data)
