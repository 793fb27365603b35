"""Sequences: objects and the camera move, every object keeps its id."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.core.cameras.geometry import transform_points
from robot_vision.core.clock import NS_PER_S
from robot_vision.simulation.content.palette import Split
from robot_vision.simulation.moving.motion import (
    CameraPath,
    draw_camera_path,
    draw_motions,
)
from robot_vision.simulation.moving.timeline import Timeline
from robot_vision.simulation.picture.frame import LabelledFrame, sense_rendering
from robot_vision.simulation.picture.look import Look, draw_look
from robot_vision.simulation.picture.render import SceneRenderer
from robot_vision.simulation.picture.scene import Content, Item, Scene, build_scene, settle
from robot_vision.simulation.picture.sensor import ColorSensor, DepthSensor, sense_color
from robot_vision.simulation.picture.truth import observe
from robot_vision.simulation.picture.viewpoint import Viewpoint, apply_viewpoint

# a steady camera with filtered depth, the default of drivers
COLOR_SENSOR = ColorSensor(read_noise=0.002, shot_noise=0.005, jpeg_quality=78)
DEPTH_SENSOR = DepthSensor(noise_px=0.04, step_px=1 / 8, edge_px=0.4, grain_px=4.0, hole_share=0.7)
_CONTENT = Content(objects=(6, 9), distractors=(1, 3), spread_m=(0.2, 0.28), piled_share=0)
_WORLD, _NOISE = 7, 8  # random streams, separate from those of training sets


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
    """Velocities in camera axes: over ground, and of the position in camera coordinates.

    Both are averages over `timeline.AVERAGED_S`, around the stamp.
    """

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
    """Frames at `recipe.fps`; motion, appearance and camera depend only on the seed."""
    rng = np.random.default_rng([recipe.seed, _WORLD])
    scene = build_scene(rng, size_px=recipe.size_px, content=recipe.content)
    settle(scene, seconds=1.5)
    look = draw_look(scene, rng, split=recipe.split)
    path = draw_camera_path(scene, rng, size_px=recipe.size_px)
    motions = draw_motions(scene, rng, seconds=recipe.seconds, camera_azimuth_rad=path.azimuth_rad)
    timeline = Timeline(scene, motions)
    with SceneRenderer(scene, size_px=recipe.size_px) as renderer:
        renderer.upload_textures()
        for number in range(round(recipe.seconds * recipe.fps)):
            time_s = number / recipe.fps
            noise = np.random.default_rng([recipe.seed, _NOISE, number])
            dropped = number > 0 and noise.random() < recipe.drop_share
            now = timeline.at(time_s)
            frame = _capture(now, renderer, path.at(time_s), look=look, rng=noise)
            yield SequenceFrame(
                stamp_ns=recipe.start_ns + round(time_s * NS_PER_S),
                dropped=dropped,
                frame=frame,
                motions=[
                    _motion(timeline, path, scene.items[truth.item_index], time_s=time_s)
                    for truth in frame.truths
                ],
            )


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


def _motion(timeline: Timeline, path: CameraPath, item: Item, *, time_s: float) -> ObjectMotion:
    (start_s, start_m), (end_s, end_m) = timeline.places_around(item, time_s)
    span_s = end_s - start_s
    first, now, last = (path.at(t).camera_from_world for t in (start_s, time_s, end_s))
    moved_m = transform_points(last, end_m[None]) - transform_points(first, start_m[None])
    return ObjectMotion(
        velocity_mps=now[:3, :3] @ (end_m - start_m) / span_s,
        apparent_velocity_mps=moved_m[0] / span_s,
    )
