"""Parameters of point clouds."""

from robot_vision.core.parameters.params import Params, Uptake, param


class PointsConfig(Params):
    """The clouds of `~/points` and `~/objects/points`."""

    uptake = Uptake.CONFIGURE

    stride: int = param(
        1, "use every n-th row and column of the depth image", unit="px", ge=1, le=64
    )
