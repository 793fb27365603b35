"""Random changes of training samples: the choices of a recipe."""

from robot_vision.core.parameters.params import Params, param


class Augmentation(Params):
    """Random changes of the training samples."""

    flip: float = param(0.5, "probability of mirroring", ge=0, le=1)
    flip_vertical: float = param(
        0.0, "probability of turning upside down, for cameras that look straight down", ge=0, le=1
    )
    scale_min: float = param(0.7, "smallest zoom", gt=0, le=4)
    scale_max: float = param(1.25, "largest zoom", gt=0, le=4)
    shift: float = param(0.1, "largest shift, as a part of the size", ge=0, le=0.5)
    small_objects: float = param(
        0.0, "a crop is around an object drawn by its area to the power of minus this", ge=0, le=2
    )
    sought: list[str] = param(
        [], "classes that crops are around four times as often as around others"
    )
    color: float = param(0.5, "probability of each change of colour and sharpness", ge=0, le=1)
    hue: float = param(
        0.0,
        "part of samples whose hues are all shifted, so that colour does not identify shapes",
        ge=0,
        le=1,
    )
    gamma: float = param(0.0, "part of samples with a changed tone curve", ge=0, le=1)
    clahe: float = param(0.0, "part of samples whose local contrast is equalised", ge=0, le=1)
    noise: float = param(0.0, "part of samples with a camera's noise", ge=0, le=1)
    cut_out: float = param(
        0.0, "part of samples with a rectangle of colour and depth cut out", ge=0, le=1
    )
    depth_withheld: float = param(0.35, "part of samples without sensor depth", ge=0, le=1)
    depth_holes: float = param(0.3, "part of samples with additional holes", ge=0, le=1)
