"""Sequences: things move, the camera moves, every object keeps its id."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.geometry import transform_points
from robot_vision.simulation.frame import LabelledFrame, sense_rendering
from robot_vision.simulation.gl import mujoco
from robot_vision.simulation.look import Look, draw_look
from robot_vision.simulation.motion import (
    CameraPath,
    Carry,
    Push,
    draw_camera_path,
    draw_motions,
    extrapolate,
    park_gripper,
    velocity_in_world,
)
from robot_vision.simulation.palette import Split
from robot_vision.simulation.render import SceneRenderer
from robot_vision.simulation.scene import TIMESTEP_S, Content, Scene, build_scene, settle
from robot_vision.simulation.sensor import ColorSensor, DepthSensor, sense_color
from robot_vision.simulation.truth import Truth, observe
from robot_vision.simulation.viewpoint import Viewpoint, apply_viewpoint

# a steady camera whose depth is filtered, as drivers do by default
COLOR_SENSOR = ColorSensor(read_noise=0.002, shot_noise=0.005, jpeg_quality=78)
DEPTH_SENSOR = DepthSensor(noise_px=0.04, step_px=1 / 8, edge_px=0.4, grain_px=4.0, hole_share=0.7)
_CONTENT = Content(objects=(6, 9), distractors=(1, 3), spread_m=(0.2, 0.28), piled_share=0)
_PROBE_S = 1e-3
_WORLD, _NOISE = 7, 8  # streams of random numbers, apart from those of training sets


@dataclass(frozen=True, kw_only=True)
class SequenceRecipe:
    """Everything that a sequence depends on."""

    seconds: float
    fps: float
    seed: int
    split: Split = "test"
    size_px: tuple[int, int] = (640, 480)
    drop_share: float = 0.0
    start_ns: int = 1_700_000_000 * NS_PER_S
    content: Content = _CONTENT


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectMotion:
    """Velocities in camera axes: over ground, and of the position in camera coordinates."""

    velocity_mps: Float[np.ndarray, "3"]
    apparent_velocity_mps: Float[np.ndarray, "3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SequenceFrame:
    """A frame of a sequence. `motions` go with `frame.truths`; dropped frames are not recorded."""

    stamp_ns: int
    dropped: bool
    frame: LabelledFrame
    motions: list[ObjectMotion]


def simulate(recipe: SequenceRecipe) -> Iterator[SequenceFrame]:
    """Frames at `recipe.fps`; what moves, how it looks and the camera depend on the seed alone."""
    rng = np.random.default_rng([recipe.seed, _WORLD])
    scene = build_scene(rng, size_px=recipe.size_px, content=recipe.content)
    settle(scene, seconds=1.5)
    look = draw_look(scene, rng, split=recipe.split)
    path = draw_camera_path(scene, rng, size_px=recipe.size_px)
    motions = draw_motions(scene, rng, seconds=recipe.seconds, camera_azimuth_rad=path.azimuth_rad)
    steps = 0
    with SceneRenderer(scene, size_px=recipe.size_px) as renderer:
        renderer.upload_textures()
        for number in range(round(recipe.seconds * recipe.fps)):
            time_s = number / recipe.fps
            steps = _advance(scene, motions, steps=steps, until_s=time_s)
            now = extrapolate(scene, seconds=time_s - steps * TIMESTEP_S)
            noise = np.random.default_rng([recipe.seed, _NOISE, number])
            dropped = number > 0 and noise.random() < recipe.drop_share
            frame = _capture(now, renderer, path.at(time_s), look=look, rng=noise)
            yield SequenceFrame(
                stamp_ns=recipe.start_ns + round(time_s * NS_PER_S),
                dropped=dropped,
                frame=frame,
                motions=[_motion(now, truth, path, time_s=time_s) for truth in frame.truths],
            )


def _advance(scene: Scene, motions: list[Push | Carry], *, steps: int, until_s: float) -> int:
    """Step physics up to `until_s`; returns the steps made since the start."""
    while (steps + 1) * TIMESTEP_S <= until_s + 1e-9:
        park_gripper(scene)
        for motion in motions:
            motion.apply(scene, steps * TIMESTEP_S)
        mujoco.mj_step(scene.model, scene.data)
        steps += 1
    return steps


def _capture(
    scene: Scene,
    renderer: SceneRenderer,
    viewpoint: Viewpoint,
    *,
    look: Look,
    rng: np.random.Generator,
) -> LabelledFrame:
    apply_viewpoint(scene.model, viewpoint)
    ideal = renderer.render(scene.data, shadows=look.shadows)
    return LabelledFrame(
        rgb=sense_color(ideal.rgb, sensor=COLOR_SENSOR, rng=rng),
        jpeg_quality=COLOR_SENSOR.jpeg_quality,
        depth_m=sense_rendering(
            ideal, look=look, viewpoint=viewpoint, sensor=DEPTH_SENSOR, rng=rng
        ),
        depth_true_m=ideal.depth_m,
        viewpoint=viewpoint,
        look=look,
        truths=observe(scene, viewpoint, ideal.item_index),
    )


def _motion(scene: Scene, truth: Truth, path: CameraPath, *, time_s: float) -> ObjectMotion:
    item = scene.items[truth.item_index]
    place_m = scene.data.xpos[item.body_id]
    velocity = velocity_in_world(scene, item)
    before, now, after = (
        path.at(time_s + dt).camera_from_world for dt in (-_PROBE_S, 0, _PROBE_S)
    )
    ends_m = np.stack([place_m - velocity * _PROBE_S, place_m + velocity * _PROBE_S])
    moved_m = transform_points(after, ends_m[1:]) - transform_points(before, ends_m[:1])
    return ObjectMotion(
        velocity_mps=now[:3, :3] @ velocity,
        apparent_velocity_mps=moved_m[0] / (2 * _PROBE_S),
    )
