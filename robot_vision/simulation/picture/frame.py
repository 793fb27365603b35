"""One labelled frame of a training set, from a settled scene."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.simulation.content.palette import Split
from robot_vision.simulation.picture.gl import mujoco
from robot_vision.simulation.picture.look import Look, draw_look, place_gripper, place_panel
from robot_vision.simulation.picture.render import Rendering, SceneRenderer
from robot_vision.simulation.picture.scene import Scene
from robot_vision.simulation.picture.sensor import (
    DepthSensor,
    draw_color_sensor,
    draw_depth_sensor,
    sense_color,
    sense_depth,
)
from robot_vision.simulation.picture.truth import Truth, observe
from robot_vision.simulation.picture.viewpoint import Viewpoint, apply_viewpoint, draw_viewpoint


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledFrame:
    """A frame as the sensors return it, and the ground truth. Depths in metres, 0 for none."""

    rgb: UInt8[np.ndarray, "h w 3"]
    jpeg_quality: int
    depth_m: Float32[np.ndarray, "h w"]
    depth_true_m: Float32[np.ndarray, "h w"]
    viewpoint: Viewpoint
    look: Look
    truths: list[Truth]


def make_frame(
    scene: Scene,
    renderer: SceneRenderer,
    rng: np.random.Generator,
    *,
    split: Split,
    size_px: tuple[int, int],
) -> LabelledFrame:
    """Show `scene` with a new appearance from a new viewpoint."""
    look = draw_look(scene, rng, split=split)
    centre_m, radius_m = scene.extent()
    viewpoint = draw_viewpoint(rng, size_px=size_px, centre_m=centre_m, radius_m=radius_m)
    apply_viewpoint(scene.model, viewpoint)
    place_panel(scene, rng, eye_m=viewpoint.world_from_camera[:3, 3])
    place_gripper(scene, rng)
    mujoco.mj_kinematics(scene.model, scene.data)
    renderer.upload_textures()
    ideal = renderer.render(scene.data, shadows=look.shadows)
    color = draw_color_sensor(rng)
    return LabelledFrame(
        rgb=sense_color(ideal.rgb, sensor=color, rng=rng),
        jpeg_quality=color.jpeg_quality,
        depth_m=sense_rendering(
            ideal, look=look, viewpoint=viewpoint, sensor=draw_depth_sensor(rng), rng=rng
        ),
        depth_true_m=ideal.depth_m,
        viewpoint=viewpoint,
        look=look,
        truths=observe(scene, viewpoint, ideal.item_index),
    )


def sense_rendering(
    ideal: Rendering,
    *,
    look: Look,
    viewpoint: Viewpoint,
    sensor: DepthSensor,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "h w"]:
    """Depth as the sensor returns it; items are shiny as in their look, the room is matt."""
    shine = np.append(look.shine, 0.0)[ideal.item_index]
    return sense_depth(
        ideal.depth_m,
        rgb=ideal.rgb,
        shine=shine,
        focal_px=viewpoint.camera.fx_px,
        sensor=sensor,
        rng=rng,
    )
