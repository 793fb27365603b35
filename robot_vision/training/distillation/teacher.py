"""A teacher: takes pictures of a batch, applies its own pre-processing, returns its answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Real, UInt8
from torch import Tensor

from robot_vision.core.cameras.placement import Placement, place
from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest

# Outputs by role of inputs by the name of their tensor, on the device that trains.
Run = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Taught:
    """A teacher's answers for a batch: outputs by role, and the pictures' place in its input."""

    outputs: Mapping[str, Tensor]
    placement: Placement


@dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """A frozen model. `identity` is the sha256 of its weights, `about` its description."""

    manifest: ModelManifest
    identity: str
    about: str
    run: Run

    @torch.no_grad()
    def answer(
        self,
        rgb: UInt8[Tensor, "b h w 3"],
        depth_m: Float32[Tensor, "b 1 h w"] | None = None,
        focal_px: Float32[Tensor, "b 1"] | None = None,
    ) -> Taught:
        """Answers for pictures of any size; without given depth, a depth input gets none."""
        image = self.manifest.input
        placement = place(image, width_px=rgb.shape[2], height_px=rgb.shape[1])
        inputs = {image.name: prepared(rgb, image, placement)}
        if image.depth_name:
            inputs[image.depth_name] = _placed_depth(rgb, depth_m, image, placement)
        if image.focal_name:
            unknown = torch.zeros(len(rgb), 1, device=rgb.device)
            scale = placement.width_px / placement.view_width_px
            inputs[image.focal_name] = unknown if focal_px is None else focal_px * scale
        if image.size_name:
            size = torch.tensor([[image.width_px, image.height_px]], device=rgb.device)
            inputs[image.size_name] = size.expand(len(rgb), -1)
        return Taught(outputs=self.run(inputs), placement=placement)

    def logits(self, taught: Taught) -> Float[Tensor, "b c"]:
        """Logits of the manifest's classes; probabilities as logarithms."""
        reading, classes = self.manifest.reading, len(self.manifest.classes)
        scores = taught.outputs["output"].flatten(1).float()
        first = int(reading.background == "first")
        if scores.shape[1] != classes + (reading.background != "none"):
            raise BundleError(
                f"teacher {self.manifest.name!r} has {scores.shape[1]} scores per picture; "
                f"expected one for each of its {classes} classes"
            )
        known = scores[:, first : first + classes]
        if reading.scores == "logits":
            return known
        return known.clamp(min=_LEAST_PROBABILITY).log()


def prepared(
    rgb: UInt8[Tensor, "b h w 3"], image: ModelInput, placement: Placement
) -> Real[Tensor, "b _ _ _"]:
    """Pixels as the service prepares them: placed, in the manifest's colours, scale and layout."""
    pixels = rgb.permute(0, 3, 1, 2)
    size = (placement.height_px, placement.width_px)
    if size != tuple(pixels.shape[2:]):
        mode = "bicubic" if image.resample == "antialiased_cubic" else "bilinear"
        smooth = image.resample != "linear"
        resized = F.interpolate(pixels.float(), size, mode=mode, antialias=smooth)
        pixels = resized.round().clamp(0, 255).to(torch.uint8)
    if size != (image.height_px, image.width_px):
        canvas = pixels.new_full(
            (len(rgb), 3, image.height_px, image.width_px), fill_value=image.pad_value
        )
        window = canvas[(..., *placement.window)]
        top, left = max(-placement.top_px, 0), max(-placement.left_px, 0)
        window[:] = pixels[..., top : top + window.shape[2], left : left + window.shape[3]]
        pixels = canvas
    if image.color == "bgr":
        pixels = pixels.flip(1)
    if image.dtype != "uint8":
        mean, std = (pixels.new_tensor(v, dtype=torch.float32) for v in (image.mean, image.std))
        per_channel = (slice(None), None, None)
        scaled = (pixels.float() * image.scale - mean[per_channel]) / std[per_channel]
        pixels = scaled.half() if image.dtype == "float16" else scaled
    return (pixels if image.layout == "nchw" else pixels.permute(0, 2, 3, 1)).contiguous()


def _placed_depth(
    rgb: UInt8[Tensor, "b h w 3"],
    depth_m: Float32[Tensor, "b 1 h w"] | None,
    image: ModelInput,
    placement: Placement,
) -> Float32[Tensor, "b 1 _h _w"]:
    canvas = torch.zeros(len(rgb), 1, image.height_px, image.width_px, device=rgb.device)
    if depth_m is not None:
        size = (placement.height_px, placement.width_px)
        canvas[(..., *placement.window)] = F.interpolate(depth_m, size, mode="nearest")
    return canvas
