"""Arms of the simulated robot: dimensions, limits and drives of their joints.

All consist of primitive shapes, stand at the origin, and point the tool down in the home posture.
Speeds and torques are typical of their class.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.core.errors import ConfigError

Triple = tuple[float, float, float]
PerJoint = Float[np.ndarray, " j"]


@dataclass(frozen=True, kw_only=True)
class Cylinder:
    """Part of a link's shell, in the link's frame. `solid`: objects on the table collide with
    it."""

    start_m: Triple
    end_m: Triple
    radius_m: float
    material: str
    solid: bool = False


@dataclass(frozen=True, kw_only=True)
class ArmLink:
    """A link after a joint that turns about `axis` at `place_m` in the previous link."""

    place_m: Triple
    axis: Triple
    mass_kg: float
    cylinders: tuple[Cylinder, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Arm:
    """An arm from the base to the link that carries the hand; arrays have one row per joint."""

    name: str
    base: tuple[Cylinder, ...]
    links: tuple[ArmLink, ...]
    home_rad: PerJoint
    lowest_rad: PerJoint
    highest_rad: PerJoint
    max_speed_radps: PerJoint
    max_acceleration_radps2: PerJoint
    max_torque_nm: PerJoint
    stiffness_nmprad: PerJoint
    damping_nmsprad: PerJoint

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(f"joint{number + 1}" for number in range(len(self.links)))


def arm_named(name: str) -> Arm:
    """The arm of that name. Raises `ConfigError` for others."""
    if name not in ARMS:
        raise ConfigError(f"arm {name!r}; expected one of {', '.join(ARMS)}")
    return ARMS[name]


def _tube(
    start_m: Triple, end_m: Triple, radius_m: float, material: str, *, solid: bool = False
) -> Cylinder:
    return Cylinder(
        start_m=start_m, end_m=end_m, radius_m=radius_m, material=material, solid=solid
    )


def _link(place_m: Triple, axis: Triple, mass_kg: float, *cylinders: Cylinder) -> ArmLink:
    return ArmLink(place_m=place_m, axis=axis, mass_kg=mass_kg, cylinders=cylinders)


_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_O = (0.0, 0.0, 0.0)


def _seven() -> Arm:
    """Shoulder, elbow and wrist of a light-weight arm (reach 0.86 m and the hand)."""
    shoulder_m, upper_m, fore_m = 0.33 - 0.14, 0.44 / 2, 0.42 / 2
    return Arm(
        name="seven",
        base=(_tube(_O, (0, 0, 0.14), 0.085, "joints"),),
        links=(
            _link(
                (0, 0, 0.14), _Z, 3,
                _tube(_O, (0, 0, shoulder_m), 0.068, "shell"),
                _tube((0, -0.085, shoulder_m), (0, 0.085, shoulder_m), 0.07, "joints"),
            ),
            _link((0, 0, shoulder_m), _Y, 3, _tube((0, 0, 0.03), (0, 0, upper_m), 0.06, "shell")),
            _link(
                (0, 0, upper_m), _Z, 2.5,
                _tube(_O, (0, 0, upper_m - 0.03), 0.055, "shell"),
                _tube((0, -0.07, upper_m), (0, 0.07, upper_m), 0.062, "joints"),
            ),
            _link((0, 0, upper_m), _Y, 2.5, _tube((0, 0, 0.03), (0, 0, fore_m), 0.05, "shell")),
            _link(
                (0, 0, fore_m), _Z, 1.5,
                _tube(_O, (0, 0, fore_m - 0.03), 0.045, "shell"),
                _tube((0, -0.055, fore_m), (0, 0.055, fore_m), 0.05, "joints"),
            ),
            _link((0, 0, fore_m), _Y, 1.2, _tube(_O, (0, 0, 0.08), 0.045, "shell", solid=True)),
            _link((0, 0, 0.08), _Z, 0.4, _tube(_O, (0, 0, 0.03), 0.04, "joints", solid=True)),
        ),
        home_rad=np.array([0.0, 0.15, 0.0, 1.9, 0.0, np.pi - 2.05, 0.0]),
        lowest_rad=np.array([-2.9, -1.9, -2.9, 0.03, -2.9, -0.4, -3.0]),
        highest_rad=np.array([2.9, 1.9, 2.9, 2.75, 2.9, 2.9, 3.0]),
        max_speed_radps=np.array([2.1, 2.1, 2.1, 2.1, 2.6, 2.6, 2.6]),
        max_acceleration_radps2=np.array([15.0, 12.0, 15.0, 15.0, 20.0, 20.0, 20.0]),
        max_torque_nm=np.array([90.0, 90.0, 90.0, 90.0, 30.0, 30.0, 15.0]),
        stiffness_nmprad=np.array([4000.0, 4000.0, 3000.0, 3000.0, 1500.0, 1500.0, 800.0]),
        damping_nmsprad=np.array([300.0, 300.0, 200.0, 200.0, 80.0, 80.0, 40.0]),
    )  # fmt: skip


def _six() -> Arm:
    """Three parallel joints beside each other and a wrist with offsets: no redundant joint."""
    upper_m, fore_m, side_m = 0.45, 0.42, 0.13
    return Arm(
        name="six",
        base=(_tube(_O, (0, 0, 0.1), 0.08, "joints"),),
        links=(
            _link(
                (0, 0, 0.1), _Z, 4,
                _tube(_O, (0, 0, 0.13), 0.065, "shell"),
                _tube((0, 0, 0.1), (0, side_m + 0.06, 0.1), 0.065, "joints"),
            ),
            _link(
                (0, side_m, 0.1), _Y, 6,
                _tube(_O, (0, 0, upper_m), 0.055, "shell"),
                _tube((0, 0.05, upper_m), (0, -0.15, upper_m), 0.055, "joints"),
            ),
            _link(
                (0, -0.11, upper_m), _Y, 2.5,
                _tube(_O, (0, 0, fore_m), 0.045, "shell"),
                _tube((0, -0.04, fore_m), (0, 0.13, fore_m), 0.043, "joints"),
            ),
            _link((0, 0.1, fore_m), _Y, 1.2, _tube((-0.05, 0, 0), (0.05, 0, 0), 0.043, "joints")),
            _link(_O, _X, 1.2, _tube(_O, (0, 0, 0.095), 0.043, "shell", solid=True)),
            _link((0, 0, 0.095), _Z, 0.4, _tube(_O, (0, 0, 0.03), 0.04, "joints", solid=True)),
        ),
        home_rad=np.array([-0.3, 0.1, 1.9, np.pi - 2.0, 0.0, -0.3]),
        lowest_rad=np.array([-3.1, -2.2, 0.03, -1.5, -2.0, -6.2]),
        highest_rad=np.array([3.1, 2.2, 2.8, 3.1, 2.0, 6.2]),
        max_speed_radps=np.array([1.9, 1.9, 2.4, 2.9, 2.9, 2.9]),
        max_acceleration_radps2=np.array([12.0, 12.0, 15.0, 20.0, 20.0, 20.0]),
        max_torque_nm=np.array([150.0, 150.0, 120.0, 30.0, 30.0, 20.0]),
        stiffness_nmprad=np.array([5000.0, 5000.0, 4000.0, 1500.0, 1500.0, 800.0]),
        damping_nmsprad=np.array([350.0, 350.0, 250.0, 80.0, 80.0, 40.0]),
    )  # fmt: skip


ARMS = {arm.name: arm for arm in (_seven(), _six())}
SEVEN = ARMS["seven"]
