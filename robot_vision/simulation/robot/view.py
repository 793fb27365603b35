"""Output of the robot's cameras: pictures and depth from the sensor models."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, UInt8

from robot_vision.core.types import Camera
from robot_vision.simulation.picture.gl import MjData, MjModel, mujoco
from robot_vision.simulation.picture.render import metres, open_renderer
from robot_vision.simulation.picture.sensor import (
    ColorSensor,
    DepthSensor,
    draw_color_sensor,
    draw_depth_sensor,
    sense_color,
    sense_depth,
)
from robot_vision.simulation.picture.viewpoint import Viewpoint, look_at, pinhole

# centre of the fixed camera's view, in the base frame
LOOKED_AT_M = np.array([0.5, 0.0, 0.04])


@dataclass(frozen=True, kw_only=True, eq=False)
class Sensors:
    """One camera's colour and depth sensor."""

    color: ColorSensor
    depth: DepthSensor


def draw_sensors(rng: np.random.Generator, *, nearest_m: float | None = None) -> Sensors:
    """A random RGB-D camera; `nearest_m` overrides its minimum range."""
    color, depth = draw_color_sensor(rng), draw_depth_sensor(rng)
    if nearest_m is not None:
        depth = DepthSensor(**{**vars(depth), "min_m": nearest_m})
    return Sensors(color=color, depth=depth)


def draw_fixed_viewpoint(rng: np.random.Generator, *, size_px: tuple[int, int]) -> Viewpoint:
    """Opposite the arm, 0.95 to 1.1 m from the table's centre, looking down on it."""
    azimuth, elevation = np.deg2rad(rng.uniform(-16, 16)), np.deg2rad(rng.uniform(38, 52))
    return _viewpoint(
        size_px,
        azimuth_rad=azimuth,
        elevation_rad=elevation,
        distance_m=rng.uniform(0.95, 1.1),
        target_m=LOOKED_AT_M + rng.uniform(-0.02, 0.02, 3),
        fov_y_rad=float(np.deg2rad(rng.uniform(40, 44))),
        roll_rad=float(np.deg2rad(rng.normal(0, 1))),
    )


def usual_viewpoint(size_px: tuple[int, int]) -> Viewpoint:
    """The nominal pose: the mean of those that `draw_fixed_viewpoint` draws."""
    return _viewpoint(
        size_px,
        azimuth_rad=0.0,
        elevation_rad=float(np.deg2rad(45)),
        distance_m=1.025,
        target_m=LOOKED_AT_M,
        fov_y_rad=float(np.deg2rad(42)),
        roll_rad=0.0,
    )


def _viewpoint(
    size_px: tuple[int, int],
    *,
    azimuth_rad: float,
    elevation_rad: float,
    distance_m: float,
    target_m: Float64[np.ndarray, "3"],
    fov_y_rad: float,
    roll_rad: float,
) -> Viewpoint:
    direction = np.array(
        [
            np.cos(elevation_rad) * np.cos(azimuth_rad),
            np.cos(elevation_rad) * np.sin(azimuth_rad),
            np.sin(elevation_rad),
        ]
    )
    return Viewpoint(
        camera=pinhole(size_px, fov_y_rad),
        world_from_camera=look_at(target_m + distance_m * direction, target_m, roll_rad=roll_rad),
        fov_y_rad=fov_y_rad,
    )


class Eyes:
    """Renders a model's cameras. Holds an OpenGL context of the thread that made it."""

    def __init__(self, model: MjModel, *, size_px: tuple[int, int]) -> None:
        self._model = model
        self._renderer: Any = open_renderer(model, size_px=size_px)
        flags = self._renderer.scene.flags
        for off in ("mjRND_SHADOW", "mjRND_REFLECTION", "mjRND_SKYBOX", "mjRND_HAZE"):
            flags[getattr(mujoco.mjtRndFlag, off)] = False

    def close(self) -> None:
        self._renderer.close()

    def look(
        self, data: MjData, *, camera_name: str, size_px: tuple[int, int], depth: bool = True
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"] | None]:
        """Exact colour and depth (metres, 0: nothing); kinematics must be up to date."""
        mujoco.mj_camlight(self._model, data)
        self._renderer.update_scene(data, camera=camera_name)
        width_px, height_px = size_px
        view = mujoco.MjrRect(0, 0, width_px, height_px)
        rgb = np.empty((height_px, width_px, 3), np.uint8)
        clip = np.empty((height_px, width_px), np.float32) if depth else None
        context = self._renderer._mjr_context  # the only way to render both at once
        mujoco.mjr_render(view, self._renderer.scene, context)
        mujoco.mjr_readPixels(rgb, clip, view, context)
        return np.ascontiguousarray(rgb[::-1]), None if clip is None else metres(clip[::-1])

    def bodies(
        self, data: MjData, *, camera_name: str, size_px: tuple[int, int]
    ) -> Int32[np.ndarray, "h w"]:
        """Ground truth: the body at each pixel, 0 (the world) for none."""
        scene = self._renderer.scene
        self._renderer.update_scene(data, camera=camera_name)
        segment, colour = mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR
        scene.flags[segment] = scene.flags[colour] = True
        width_px, height_px = size_px
        view = mujoco.MjrRect(0, 0, width_px, height_px)
        code_rgb = np.empty((height_px, width_px, 3), np.uint8)
        context = self._renderer._mjr_context
        mujoco.mjr_render(view, scene, context)
        mujoco.mjr_readPixels(code_rgb, None, view, context)
        scene.flags[segment] = scene.flags[colour] = False
        body_of_code = np.zeros(scene.ngeom + 1, np.int32)
        for geom in scene.geoms[: scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                body_of_code[geom.segid + 1] = self._model.geom_bodyid[geom.objid]
        code = code_rgb[::-1].astype(np.int32) @ np.array([1, 256, 65536], np.int32)
        return body_of_code[np.minimum(code, scene.ngeom)]


def sense(
    rgb: UInt8[np.ndarray, "h w 3"],
    depth_m: Float32[np.ndarray, "h w"] | None,
    *,
    camera: Camera,
    sensors: Sensors,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"] | None]:
    """Colour, and depth (metres, NaN where invalid) if any, as the sensors return them."""
    if depth_m is None:
        return sense_color(rgb, sensor=sensors.color, rng=rng), None
    matt: Float[np.ndarray, "h w"] = np.zeros(depth_m.shape)
    sensed_m = sense_depth(
        depth_m, rgb=rgb, shine=matt, focal_px=camera.fx_px, sensor=sensors.depth, rng=rng
    )
    sensed_m[sensed_m == 0] = np.nan
    return sense_color(rgb, sensor=sensors.color, rng=rng), sensed_m
