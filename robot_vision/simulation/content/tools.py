"""Hand tools: a coloured grip, and metal where a tool has metal."""

import numpy as np

from robot_vision.simulation.content.meshes import cuboid, lying, moved, revolve
from robot_vision.simulation.content.shapes import ALONG_X, Collider, Part, Shape


def screwdriver(rng: np.random.Generator) -> Shape:
    grip, shaft = rng.uniform(0.08, 0.11), rng.uniform(0.07, 0.12)
    radius, steel = rng.uniform(0.012, 0.017), rng.uniform(0.003, 0.0045)
    start = -(grip + shaft) / 2
    handle = [(0, 0), (0.8 * radius, 0.002), (radius, 0.02), (radius, 0.7 * grip)]
    handle += [(0.65 * radius, 0.85 * grip), (0.75 * radius, grip), (0, grip)]
    rod = [(0, 0), (steel, 0), (steel, shaft - 0.01), (0.4 * steel, shaft), (0, shaft)]
    return Shape(
        parts=(
            Part(mesh=moved(lying(revolve(handle, segments=10)), (start, 0, 0))),
            Part(mesh=moved(lying(revolve(rod, segments=8)), (start + grip, 0, 0)), metal=True),
        ),
        colliders=(
            Collider(
                kind="capsule",
                size_m=(radius, grip / 2 - radius),
                position_m=(start + grip / 2, 0, 0),
                quaternion_wxyz=ALONG_X,
            ),
            Collider(
                kind="capsule",
                size_m=(steel, shaft / 2),
                position_m=(start + grip + shaft / 2, 0, 0),
                quaternion_wxyz=ALONG_X,
            ),
        ),
        mass_kg=0.15,
    )


def hammer(rng: np.random.Generator) -> Shape:
    grip, head = rng.uniform(0.16, 0.22), rng.uniform(0.07, 0.1)
    radius, thick = rng.uniform(0.010, 0.014), rng.uniform(0.022, 0.03)
    profile = [
        (0, 0),
        (radius, 0.003),
        (1.1 * radius, 0.3 * grip),
        (0.8 * radius, grip),
        (0, grip),
    ]
    handle = moved(lying(revolve(profile, segments=10)), (-grip / 2, 0, 0))
    steel = moved(cuboid((thick, head, thick)), (grip / 2, 0, 0))
    return Shape(
        parts=(Part(mesh=handle), Part(mesh=steel, metal=True)),
        colliders=(
            Collider(kind="capsule", size_m=(radius, grip / 2), quaternion_wxyz=ALONG_X),
            Collider(
                kind="box",
                size_m=(thick / 2, head / 2, thick / 2),
                position_m=(grip / 2, 0, 0),
            ),
        ),
        mass_kg=0.3,
    )


def spanner(rng: np.random.Generator) -> Shape:
    length, jaw = rng.uniform(0.14, 0.2), rng.uniform(0.018, 0.024)
    half, thick = length / 2, rng.uniform(0.006, 0.009)
    disc = revolve([(0, -thick / 2), (jaw, -thick / 2), (jaw, thick / 2), (0, thick / 2)])
    prong = cuboid((1.3 * jaw, 0.45 * jaw, thick))
    meshes = (
        moved(disc, (jaw - half, 0, 0)),
        cuboid((length - 2 * jaw, 0.9 * jaw, 0.9 * thick)),
        moved(cuboid((0.9 * jaw, 2 * jaw, thick)), (half - 1.4 * jaw, 0, 0)),
        moved(prong, (half - 0.5 * jaw, 0.78 * jaw, 0)),
        moved(prong, (half - 0.5 * jaw, -0.78 * jaw, 0)),
    )
    return Shape(
        parts=tuple(Part(mesh=mesh) for mesh in meshes),
        colliders=(Collider(kind="box", size_m=(half, 0.7 * jaw, thick / 2)),),
        mass_kg=0.2,
    )


TOOLS = (screwdriver, hammer, spanner)
