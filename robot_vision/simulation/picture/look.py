"""Appearance of a scene in one view: colours, textures, lights, panel and gripper.

A settled scene is shown several times, each time with another look, so that physics and
compilation run only once.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.content.palette import Split, draw_color_name, draw_rgb
from robot_vision.simulation.content.textures import object_texture, surface_texture
from robot_vision.simulation.picture.gl import MjModel, mujoco
from robot_vision.simulation.picture.scene import (
    LIGHTS,
    OBJECT_TEXTURE_PX,
    PARKED_M,
    SURFACE_TEXTURE_PX,
    SURFACES,
    Scene,
)
from robot_vision.simulation.picture.viewpoint import towards

HELD_OUT_LIGHT_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class LightRange:
    """Positions of a light and its colour cast: red over blue, or the reverse."""

    turns: tuple[float, float] = (0.0, 1.0)
    elevation_deg: tuple[float, float] = (30, 88)
    warmth: tuple[float, float] = (-0.12, 0.12)


TRAIN_LIGHT = LightRange(turns=(0.0, 0.8))
# lower, from other directions and with stronger colours than any light in training
HELD_OUT_LIGHTS = (
    LightRange(turns=(0.8, 1.0), elevation_deg=(15, 30), warmth=(0.14, 0.26)),
    LightRange(turns=(0.8, 1.0), elevation_deg=(15, 30), warmth=(-0.26, -0.14)),
)
FILL_LIGHT = LightRange()


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """Random appearance of a view: colour name and shininess (0 to 1) per item."""

    color_names: tuple[str, ...]
    shine: Float[np.ndarray, " items"]
    shadows: bool


def draw_look(scene: Scene, rng: np.random.Generator, *, split: Split) -> Look:
    """Paint and light `scene` at random, in place; textures must be uploaded afterwards."""
    paint_surfaces(scene.model, rng, split=split)
    color_names, shine = [], []
    for index, item in enumerate(scene.items):
        color_name = (
            draw_color_name(item.class_name, split=split, rng=rng) if item.class_name else ""
        )
        shine.append(paint_item(scene.model, f"item{index}", color_name, rng, split=split))
        color_names.append(color_name)
    light_room(scene.model, rng, split=split)
    return Look(
        color_names=tuple(color_names), shine=np.array(shine), shadows=bool(rng.random() < 0.75)
    )


def place_panel(scene: Scene, rng: np.random.Generator, *, eye_m: Float[np.ndarray, "3"]) -> None:
    """In some views, place a board behind the objects, opposite the camera."""
    body = scene.model.body("panel").mocapid[0]
    scene.data.mocap_pos[body] = PARKED_M
    if rng.random() < 0.35:
        azimuth = np.arctan2(-eye_m[1], -eye_m[0]) + rng.normal(0, 0.25)
        distance_m = scene.spread_m + rng.uniform(0.15, 0.8)
        scene.data.mocap_pos[body] = [
            distance_m * np.cos(azimuth), distance_m * np.sin(azimuth), rng.uniform(-0.1, 0.5),
        ]  # fmt: skip
        scene.data.mocap_quat[body] = [np.cos(azimuth / 2), 0, 0, np.sin(azimuth / 2)]


def place_gripper(scene: Scene, rng: np.random.Generator, *, share: float = 0.3) -> None:
    """In a `share` of the views, let the gripper reach down between the objects."""
    body = scene.model.body("gripper").mocapid[0]
    scene.data.mocap_pos[body] = PARKED_M
    if rng.random() >= share:
        return
    objects = np.array([scene.data.xpos[item.body_id][:2] for item in scene.items])
    places = rng.uniform(-1, 1, (12, 2)) * scene.spread_m
    clearance = np.linalg.norm(places[:, None] - objects[None], axis=2).min(axis=1)
    scene.data.mocap_pos[body] = [*places[clearance.argmax()], rng.uniform(0.03, 0.22)]
    tilt, axis, yaw = rng.normal(0, 0.25), rng.uniform(0, np.pi), rng.uniform(0, np.pi)
    lean = [np.cos(tilt / 2), np.sin(tilt / 2) * np.cos(axis), np.sin(tilt / 2) * np.sin(axis), 0]
    turn = np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
    mujoco.mju_mulQuat(scene.data.mocap_quat[body], np.array(lean), turn)
    for name in ("gripper", "arm"):
        shade = rng.choice([rng.uniform(0.05, 0.3), rng.uniform(0.6, 1.0)])
        tint = 1 + rng.uniform(-1, 1, 3) * rng.choice([0.03, 0.5])
        scene.model.mat_rgba[scene.model.material(name).id, :3] = np.clip(shade * tint, 0, 1)


def paint_surfaces(model: MjModel, rng: np.random.Generator, *, split: Split) -> None:
    """Paint table, floor, walls and panel at random, in place."""
    for name in SURFACES:
        _set_texture(model, name, surface_texture(SURFACE_TEXTURE_PX, split=split, rng=rng))
        material = model.material(name).id
        model.mat_specular[material] = rng.uniform(0, 0.3)
        model.mat_shininess[material] = rng.uniform(0, 0.5)


def paint_item(
    model: MjModel, name: str, color_name: str, rng: np.random.Generator, *, split: Split
) -> float:
    """Paint an item in a shade of a named colour (any, if empty); returns its shininess (0 to
    1)."""
    rgb = draw_rgb(color_name, rng) if color_name else rng.uniform(0.03, 1, 3)
    _set_texture(model, name, object_texture(OBJECT_TEXTURE_PX, rgb, split=split, rng=rng))
    return _set_gloss(model, name, rng)


def _set_gloss(model: MjModel, name: str, rng: np.random.Generator) -> float:
    material = model.material(name).id
    specular = rng.uniform(0.5, 1.0) if rng.random() < 0.25 else rng.uniform(0, 0.4)
    model.mat_specular[material] = specular
    model.mat_shininess[material] = rng.uniform(0.2, 0.9)
    steel = model.material(f"{name}_metal").id
    model.mat_rgba[steel, :3] = rng.uniform(0.35, 0.8) + rng.uniform(-0.02, 0.02, 3)
    return float(specular)


def _set_texture(model: MjModel, name: str, rgb: np.ndarray) -> None:
    texture = model.texture(name).id
    start = model.tex_adr[texture]
    model.tex_data[start : start + rgb.size] = rgb.ravel()


def light_room(model: MjModel, rng: np.random.Generator, *, split: Split) -> None:
    """One main light, up to two weaker ones, and ambient light."""
    ambient = rng.uniform(0.12, 0.42)
    model.vis.headlight.ambient[:] = ambient * _tint(rng, FILL_LIGHT)
    model.vis.headlight.diffuse[:] = rng.uniform(0, 0.15)
    model.vis.headlight.specular[:] = 0
    main = TRAIN_LIGHT if split == "train" else _draw_held_out_or_not(rng)
    strength = (1.0 - ambient) * rng.uniform(0.6, 1.1)
    for index in range(LIGHTS):
        model.light_active[index] = index == 0 or rng.random() < 0.4
        light = main if index == 0 else FILL_LIGHT
        _aim_light(model, index, rng, light=light)
        model.light_diffuse[index] = strength * _tint(rng, light)
        model.light_specular[index] = strength * rng.uniform(0.2, 0.8)
        model.light_ambient[index] = 0
        model.light_castshadow[index] = index == 0
        strength *= rng.uniform(0.3, 0.6)


def _draw_held_out_or_not(rng: np.random.Generator) -> LightRange:
    draw = rng.random() / HELD_OUT_LIGHT_SHARE
    return HELD_OUT_LIGHTS[int(draw * len(HELD_OUT_LIGHTS))] if draw < 1 else TRAIN_LIGHT


def _aim_light(model: MjModel, index: int, rng: np.random.Generator, *, light: LightRange) -> None:
    azimuth, elevation = (
        2 * np.pi * rng.uniform(*light.turns),
        np.deg2rad(rng.uniform(*light.elevation_deg)),
    )
    source = towards(azimuth, elevation)
    spot = index == 0 and rng.random() < 0.4
    kind = mujoco.mjtLightType.mjLIGHT_SPOT if spot else mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    model.light_type[index] = kind
    model.light_pos[index] = source * rng.uniform(1.2, 2.5)
    model.light_dir[index] = -source
    model.light_cutoff[index] = rng.uniform(35, 70)
    model.light_exponent[index] = rng.uniform(0, 6)
    model.light_attenuation[index] = [1, 0, 0]


def _tint(rng: np.random.Generator, light: LightRange) -> Float[np.ndarray, "3"]:
    warmth = rng.uniform(*light.warmth)
    return np.array([1 + warmth, 1.0, 1 - warmth])
