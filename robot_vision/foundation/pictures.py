"""Translates how a model's library prepares pictures into the input of a manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.foundation.model_folder import ModelFolder

# By Pillow's numbers; no model of the families uses the others (nearest, Lanczos, box).
_RESAMPLE = {2: "antialiased_linear", 3: "antialiased_cubic"}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))

Px = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What a library does if the processor's file leaves it open.

    `is_square`: whether a size given as one number is that of both sides, or of the shorter one.
    """

    size: int
    is_square: bool
    resample: int
    mean_std: tuple[tuple[float, ...], tuple[float, ...]]


def image_input(
    folder: ModelFolder,
    usual: Usual,
    *,
    camera_px: Px,
    size_px: Px | None = None,
    multiple: int = 1,
) -> ModelInput:
    """The input `pixels` for pictures of the camera's size (width, height).

    The whole picture is shown: where the library crops the centre, the size is such that
    the shorter side matches the crop. `size_px` overrides the size. Both are rounded to multiples.
    Raises `ConfigError` for a file with a step that is not supported.
    """
    width, height = size_px or _size(folder, usual, camera_px)
    width, height = (max(multiple, round(side / multiple) * multiple) for side in (width, height))
    return _input(folder, usual, (width, height), resize="stretch")


def cropped_input(folder: ModelFolder, usual: Usual) -> ModelInput:
    """As the library prepares pictures for a model that sees only a centre crop."""
    crop = _sides(folder.processor.get("crop_size", usual.size))
    is_cut = folder.processor.get("do_center_crop", True)
    return _input(folder, usual, crop, resize="crop" if is_cut else "stretch")


def square_input(folder: ModelFolder, usual: Usual, *, is_padded: bool) -> ModelInput:
    """A square: pictures are stretched to it, or padded in black below and to the right."""
    size = usual.size, usual.size
    image = _input(folder, usual, size, resize="letterbox_topleft" if is_padded else "stretch")
    return image.model_copy(update={"pad_value": 0})


def _input(folder: ModelFolder, usual: Usual, size: Px, *, resize: str) -> ModelInput:
    said = folder.processor
    mean, std = usual.mean_std
    number = said.get("resample", usual.resample)
    if number not in _RESAMPLE:
        raise ConfigError(
            f"{folder.path}: pictures are resampled by {quoted(number)}; expected 2 (bilinear) or "
            "3 (bicubic)"
        )
    is_scaled = said.get("do_rescale", said.get("rescale", True))
    normalises = said.get("do_normalize", True)
    return ModelInput.model_validate(
        {
            "name": "pixels",
            "width_px": size[0],
            "height_px": size[1],
            "resize": resize,
            "resample": _RESAMPLE[number],
            "scale": said.get("rescale_factor", 1 / 255) if is_scaled else 1.0,
            "mean": said.get("image_mean", mean) if normalises else (0.0, 0.0, 0.0),
            "std": said.get("image_std", std) if normalises else (1.0, 1.0, 1.0),
        }
    )


def _size(folder: ModelFolder, usual: Usual, camera_px: Px) -> Px:
    said = folder.processor
    if said.get("do_pad") and said.get("size_divisor"):
        raise ConfigError(
            f"{folder.path}: pictures are padded to multiples of {said['size_divisor']}, which is "
            "not done here; expected a model that takes pictures as they are resized"
        )
    if not said.get("do_resize", True):
        return camera_px
    if said.get("do_center_crop"):
        return _by_shorter(min(_sides(said.get("crop_size", usual.size))), camera_px)
    size = said.get("size", usual.size)
    if isinstance(size, int) and not usual.is_square:
        size = {"shortest_edge": size, "longest_edge": said.get("max_size")}
    if isinstance(size, Mapping) and "shortest_edge" in size:
        return _by_shorter(size["shortest_edge"], camera_px, longest=size.get("longest_edge"))
    if said.get("keep_aspect_ratio"):
        return _nearest_ratio(_sides(size), camera_px, multiple=said.get("ensure_multiple_of", 1))
    return _sides(size)


def _sides(size: Any) -> Px:
    """Width and height from one number, a pair (height first), or fields."""
    if isinstance(size, int):
        return size, size
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[1]), int(size[0])
    if isinstance(size, Mapping) and {"height", "width"} <= set(size):
        return int(size["width"]), int(size["height"])
    if isinstance(size, Mapping) and "shortest_edge" in size:
        return int(size["shortest_edge"]), int(size["shortest_edge"])
    raise ConfigError(f"size of pictures {quoted(size)}: expected height and width, or a number")


def _by_shorter(shorter: int, camera_px: Px, *, longest: int | None = None) -> Px:
    """The shorter side at this length, or less if the longer one would exceed `longest`."""
    low, high = min(camera_px), max(camera_px)
    exact = float(shorter)
    if longest and high / low * shorter > longest:
        exact = longest * low / high
        shorter = round(exact)
    other = int(exact * high / low)
    return (other, shorter) if camera_px[0] >= camera_px[1] else (shorter, other)


def _nearest_ratio(size: Px, camera_px: Px, *, multiple: int) -> Px:
    """Scaled by the side that changes least; both to the nearest multiple, as in DPT's library."""
    ratios = [wanted / given for wanted, given in zip(size, camera_px, strict=True)]
    ratio = ratios[0] if abs(1 - ratios[0]) < abs(1 - ratios[1]) else ratios[1]
    width, height = (max(1, round(ratio * side / multiple)) * multiple for side in camera_px)
    return width, height
