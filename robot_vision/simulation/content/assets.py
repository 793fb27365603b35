"""The classes of objects: their visible shapes and collision shapes."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.content.meshes import cuboid, revolve, tube
from robot_vision.simulation.content.shapes import ALONG_X, Collider, Part, Shape, ellipsoid
from robot_vision.simulation.content.tools import TOOLS


def _ball(rng: np.random.Generator) -> Shape:
    radius = rng.uniform(0.022, 0.045)
    return Shape(
        parts=(Part(mesh=ellipsoid((radius, radius, radius))),),
        colliders=(Collider(kind="sphere", size_m=(radius,)),),
        mass_kg=0.08,
    )


def _banana(rng: np.random.Generator) -> Shape:
    length, bend = rng.uniform(0.14, 0.2), rng.uniform(0.9, 1.5)
    thickness = rng.uniform(0.014, 0.019)
    radius = length / bend
    angle = np.linspace(-bend / 2, bend / 2, 15)
    path = np.stack([radius * np.sin(angle), radius * np.cos(angle), 0 * angle], axis=1)
    path[:, 1] -= path[:, 1].mean()
    along = np.linspace(-1, 1, len(path))
    width = thickness * np.sqrt(np.clip(1 - 0.93 * np.abs(along) ** 3.5, 0.04, 1))
    middle = (path[:-1] + path[1:]) / 2
    step = np.linalg.norm(np.diff(path, axis=0), axis=1)
    colliders = []
    for i in range(1, len(middle) - 1, 2):
        direction = path[i + 1] - path[i]
        yaw = np.arctan2(direction[1], direction[0])
        # capsules lie along z: first rotate onto x, then by yaw
        quaternion = _multiply((np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)), ALONG_X)
        colliders.append(
            Collider(
                kind="capsule",
                size_m=(float(width[i : i + 2].mean()), float(step[i])),
                position_m=tuple(middle[i]),
                quaternion_wxyz=quaternion,
            )
        )
    return Shape(
        parts=(Part(mesh=tube(path, width, plane_normal=(0, 0, 1))),),
        colliders=tuple(colliders),
        mass_kg=0.12,
    )


def _multiply(
    p: tuple[float, float, float, float], q: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Product of quaternions w x y z."""
    a, b, c, d = p
    w, x, y, z = q
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def _block(rng: np.random.Generator) -> Shape:
    edge = rng.uniform(0.03, 0.06)
    return _cuboid_shape(edge * rng.uniform(0.95, 1.05, 3), mass_kg=0.08)


def _box(rng: np.random.Generator) -> Shape:
    size = np.array([rng.uniform(0.11, 0.2), rng.uniform(0.05, 0.12), rng.uniform(0.035, 0.08)])
    if rng.random() < 0.5:
        size = size[[1, 2, 0]]
    return _cuboid_shape(size, mass_kg=0.25)


def _cuboid_shape(size_m: Float[np.ndarray, "3"], *, mass_kg: float) -> Shape:
    return Shape(
        parts=(Part(mesh=cuboid(size_m.tolist())),),
        colliders=(Collider(kind="box", size_m=tuple(size_m / 2)),),
        mass_kg=mass_kg,
    )


def _can(rng: np.random.Generator) -> Shape:
    radius, height = rng.uniform(0.029, 0.042), rng.uniform(0.085, 0.135)
    half, rim = height / 2, 0.9 * radius
    outside = [(0, -half + 0.003), (rim, -half), (radius, -half + 0.006)]
    wall = [(radius, half - 0.006), (rim, half)]
    lid = [(rim, half), (0.86 * radius, half), (0.85 * radius, half - 0.004), (0, half - 0.004)]
    return Shape(
        parts=(
            Part(mesh=revolve([*outside, *wall])),
            Part(mesh=revolve(lid), metal=True),
        ),
        colliders=(Collider(kind="cylinder", size_m=(radius, half)),),
        mass_kg=0.3,
    )


def _bottle(rng: np.random.Generator) -> Shape:
    radius, height = rng.uniform(0.028, 0.042), rng.uniform(0.18, 0.27)
    half, neck = height / 2, radius * rng.uniform(0.32, 0.48)
    shoulder, top = rng.uniform(0.1, 0.35) * height, rng.uniform(0.28, 0.4) * height
    profile = [
        (0, -half),
        (0.9 * radius, -half),
        (radius, -half + 0.008),
        (radius, shoulder - 0.02),
        (0.92 * radius, shoulder),
        (0.6 * radius + 0.4 * neck, (shoulder + top) / 2),
        (neck, max(top, shoulder + 0.02)),
        (neck, half - 0.022),
        (1.2 * neck, half - 0.02),
        (1.2 * neck, half),
        (0, half),
    ]
    body = (shoulder + half) / 2
    return Shape(
        parts=(Part(mesh=revolve(profile)),),
        colliders=(
            Collider(
                kind="cylinder", size_m=(radius, body), position_m=(0, 0, shoulder / 2 - half / 2)
            ),
            Collider(
                kind="cylinder",
                size_m=(1.2 * neck, (half - shoulder) / 2),
                position_m=(0, 0, (half + shoulder) / 2),
            ),
        ),
        mass_kg=0.4,
    )


def _rim(radius_m: float, height_m: float, thickness_m: float) -> list[Collider]:
    """A ring of upright capsules, so that objects can fall into hollow ones."""
    return [
        Collider(
            kind="sphere",
            size_m=(thickness_m,),
            position_m=(radius_m * np.cos(a), radius_m * np.sin(a), height_m),
        )
        for a in np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ]


def _mug(rng: np.random.Generator) -> Shape:
    radius, height = rng.uniform(0.034, 0.046), rng.uniform(0.075, 0.11)
    half, wall, flare = height / 2, 0.004, rng.uniform(0.95, 1.12)
    profile = [
        (0, -half),
        (0.92 * radius, -half),
        (radius, -half + 0.006),
        (flare * radius, half),
        (flare * radius - wall, half),
        (radius - wall, -half + 0.01),
        (0, -half + 0.007),
    ]
    reach, angle = rng.uniform(0.026, 0.036), np.linspace(-1.45, 1.45, 11)
    path = np.stack(
        [radius - 0.003 + reach * np.cos(angle), 0 * angle, 0.62 * half * np.sin(angle)], axis=1
    )
    handle = tube(path, np.full(len(path), rng.uniform(0.0045, 0.0065)), segments=8)
    return Shape(
        parts=(Part(mesh=revolve(profile)), Part(mesh=handle)),
        colliders=(
            Collider(kind="cylinder", size_m=(radius, half)),
            Collider(
                kind="box",
                size_m=(reach / 2, 0.005, 0.5 * half),
                position_m=(radius + reach / 2, 0, 0),
            ),
        ),
        mass_kg=0.3,
    )


def _bowl(rng: np.random.Generator) -> Shape:
    radius, height = rng.uniform(0.06, 0.095), rng.uniform(0.04, 0.065)
    half, wall = height / 2, 0.004
    angle = np.linspace(0.12, np.pi / 2, 9)
    outer = [(radius * np.sin(a), half - height * np.cos(a)) for a in angle]
    inner = [(r - wall * r / radius, z + wall * (half - z) / height) for r, z in reversed(outer)]
    foot = 0.45 * radius
    return Shape(
        parts=(Part(mesh=revolve([(0, -half), *outer, *inner, (0, inner[-1][1])])),),
        colliders=(
            Collider(kind="cylinder", size_m=(foot, 0.006), position_m=(0, 0, 0.006 - half)),
            *_rim(0.72 * radius, -0.35 * half, 0.009),
            *_rim(0.97 * radius, half - 0.009, 0.009),
        ),
        mass_kg=0.3,
    )


def _plate(rng: np.random.Generator) -> Shape:
    radius, height, wall = rng.uniform(0.08, 0.125), rng.uniform(0.014, 0.024), 0.004
    half, flat = height / 2, rng.uniform(0.55, 0.7)
    profile = [
        (0, -half),
        (flat * radius, -half),
        (0.8 * radius, -0.2 * half),
        (radius, half - wall / 2),
        (radius, half),
        (0.79 * radius, -0.2 * half + wall),
        (flat * radius, -half + wall),
        (0, -half + wall),
    ]
    return Shape(
        parts=(Part(mesh=revolve(profile, segments=36)),),
        colliders=(
            Collider(kind="cylinder", size_m=(0.8 * radius, wall), position_m=(0, 0, wall - half)),
            *_rim(0.95 * radius, half - 0.005, 0.005),
        ),
        mass_kg=0.4,
    )


def _tool(rng: np.random.Generator) -> Shape:
    return TOOLS[int(rng.integers(len(TOOLS)))](rng)


MAKERS: dict[str, Callable[[np.random.Generator], Shape]] = {
    "ball": _ball,
    "banana": _banana,
    "block": _block,
    "bottle": _bottle,
    "bowl": _bowl,
    "box": _box,
    "can": _can,
    "mug": _mug,
    "plate": _plate,
    "tool": _tool,
}


def make_shape(class_name: str, rng: np.random.Generator) -> Shape:
    """A random instance of a class."""
    return MAKERS[class_name](rng)
