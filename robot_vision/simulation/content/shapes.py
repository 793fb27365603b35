"""Parts of an object: visible meshes and collision primitives."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.content.meshes import Mesh, revolve


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A mesh in the object's frame. Metal parts stay grey regardless of the object's colour."""

    mesh: Mesh
    metal: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Collider:
    """A primitive that physics uses: MuJoCo's `size`, and a pose in the object's frame."""

    kind: str
    size_m: tuple[float, ...]
    position_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    quaternion_wxyz: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """An object's body: origin at its centre, z up in its usual pose."""

    parts: tuple[Part, ...]
    colliders: tuple[Collider, ...]
    mass_kg: float

    @property
    def half_size_m(self) -> Float[np.ndarray, "3"]:
        """Largest distance from the origin along each axis."""
        return np.abs(np.concatenate([p.mesh.vertices_m for p in self.parts])).max(axis=0)


# quaternion w x y z that lays the z axis along x
ALONG_X = (0.70710678, 0.0, 0.70710678, 0.0)


def ellipsoid(half_m: tuple[float, float, float]) -> Mesh:
    """Ellipsoid of the given half axes."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 16)
    unit = revolve(list(zip(np.cos(angle), np.sin(angle), strict=True)), segments=24)
    return replace(unit, vertices_m=unit.vertices_m * np.array(half_m))
