"""Shapes without a label: clutter that a detector must learn to ignore."""

from collections.abc import Callable

import numpy as np

from robot_vision.simulation.content.meshes import cuboid, extrude, lying, moved, revolve, tube
from robot_vision.simulation.content.shapes import ALONG_X, Collider, Part, Shape, ellipsoid


def _cone(rng: np.random.Generator) -> Shape:
    radius, height = rng.uniform(0.025, 0.05), rng.uniform(0.06, 0.13)
    half = height / 2
    profile = [(0, -half), (radius, -half), (radius * rng.uniform(0, 0.3), half), (0, half)]
    return Shape(
        parts=(Part(mesh=revolve(profile)),),
        colliders=(
            Collider(kind="cylinder", size_m=(radius, 0.2 * half), position_m=(0, 0, -0.8 * half)),
            Collider(kind="cylinder", size_m=(0.45 * radius, 0.8 * half)),
        ),
        mass_kg=0.15,
    )


def _torus(rng: np.random.Generator) -> Shape:
    radius = rng.uniform(0.03, 0.055)
    thick = radius * rng.uniform(0.22, 0.4)
    around = np.linspace(-np.pi, np.pi, 13)
    profile = [(radius - thick * np.cos(a), thick * np.sin(a)) for a in -around]
    return Shape(
        parts=(Part(mesh=revolve(profile)),),
        colliders=(Collider(kind="cylinder", size_m=(radius + thick, thick)),),
        mass_kg=0.12,
    )


def _prism(rng: np.random.Generator) -> Shape:
    corners, radius = int(rng.choice([3, 5, 6])), rng.uniform(0.03, 0.055)
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return _plate_like(radius * np.stack([np.cos(angle), np.sin(angle)], 1), rng)


def _star(rng: np.random.Generator) -> Shape:
    corners, radius = int(rng.integers(4, 8)), rng.uniform(0.035, 0.06)
    angle = np.linspace(0, 2 * np.pi, 2 * corners, endpoint=False)
    reach = np.where(np.arange(2 * corners) % 2, radius * rng.uniform(0.4, 0.6), radius)
    return _plate_like(np.stack([reach * np.cos(angle), reach * np.sin(angle)], 1), rng)


def _plate_like(outline_m: np.ndarray, rng: np.random.Generator) -> Shape:
    thickness = rng.uniform(0.012, 0.05)
    radius = float(np.linalg.norm(outline_m, axis=1).max())
    return Shape(
        parts=(Part(mesh=extrude(outline_m, thickness)),),
        colliders=(Collider(kind="cylinder", size_m=(0.8 * radius, thickness / 2)),),
        mass_kg=0.1,
    )


def _egg(rng: np.random.Generator) -> Shape:
    half = tuple(np.array([1.0, rng.uniform(0.4, 0.6), rng.uniform(0.3, 0.5)]) * 0.05)
    return Shape(
        parts=(Part(mesh=ellipsoid(half)),),
        colliders=(Collider(kind="ellipsoid", size_m=half),),
        mass_kg=0.1,
    )


def _angle_piece(rng: np.random.Generator) -> Shape:
    leg, thick = rng.uniform(0.06, 0.11), rng.uniform(0.018, 0.03)
    places = ((0.0, 0.0, 0.0), ((leg - thick) / 2, leg / 2, 0.0))
    if rng.random() < 0.5:
        places = ((0.0, 0.0, 0.0), (0.0, leg / 2, 0.0))
    sizes = ((leg, thick, thick), (thick, leg, thick))
    pairs = list(zip(sizes, places, strict=True))
    return Shape(
        parts=tuple(Part(mesh=moved(cuboid(size), place)) for size, place in pairs),
        colliders=tuple(
            Collider(kind="box", size_m=tuple(np.array(size) / 2), position_m=place)
            for size, place in pairs
        ),
        mass_kg=0.1,
    )


def _cable(rng: np.random.Generator) -> Shape:
    along = np.linspace(0, 1, 24)
    length, sway = rng.uniform(0.25, 0.45), rng.uniform(0.02, 0.06)
    y = sway * np.sin(2 * np.pi * rng.uniform(0.8, 1.8) * along + rng.uniform(0, 6))
    path = np.stack([length * (along - 0.5), y, 0 * along], axis=1)
    radius = rng.uniform(0.0025, 0.005)
    return Shape(
        parts=(Part(mesh=tube(path, np.full(24, radius), plane_normal=(0, 0, 1), segments=8)),),
        colliders=(Collider(kind="box", size_m=(length / 2, sway, radius)),),
        mass_kg=0.05,
    )


def _sheet(rng: np.random.Generator) -> Shape:
    size = (rng.uniform(0.08, 0.25), rng.uniform(0.06, 0.18), 0.002)
    return Shape(
        parts=(Part(mesh=cuboid(size)),),
        colliders=(Collider(kind="box", size_m=tuple(np.array(size) / 2)),),
        mass_kg=0.02,
    )


def _rod(rng: np.random.Generator) -> Shape:
    radius, half = rng.uniform(0.004, 0.008), rng.uniform(0.08, 0.15)
    profile = [(0, -half), (radius, -half), (radius, half), (0, half)]
    return Shape(
        parts=(Part(mesh=lying(revolve(profile, segments=10))),),
        colliders=(Collider(kind="capsule", size_m=(radius, half), quaternion_wxyz=ALONG_X),),
        mass_kg=0.05,
    )


MAKERS: dict[str, Callable[[np.random.Generator], Shape]] = {
    "cone": _cone,
    "torus": _torus,
    "prism": _prism,
    "star": _star,
    "egg": _egg,
    "angle piece": _angle_piece,
    "cable": _cable,
    "sheet": _sheet,
    "rod": _rod,
}


def make_distractor(rng: np.random.Generator) -> Shape:
    """A random shape that belongs to no class."""
    makers = list(MAKERS.values())
    return makers[int(rng.integers(len(makers)))](rng)
