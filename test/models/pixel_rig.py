"""Small policies from pixels, and inputs for them."""

from typing import Any

import torch
from torch import Tensor

from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.policies.chunk_serving import example_of
from robot_vision.models.policies.pixel_spec import PartChoice, PixelPolicySpec
from robot_vision.models.policies.pixels import PixelPolicy

ENCODER = EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4})
FRONT = CameraInput(name="front", width_px=48, height_px=32, has_depth=True)
WRIST = CameraInput(name="wrist", width_px=32, height_px=32)
ALL = ObservationSpec(cameras=(FRONT, WRIST), steps=2, perception=("features", "tracks"))
_SMALL: dict[str, Any] = {
    "observation": ALL,
    "encoder": ENCODER,
    "head": PartChoice(name="mlp", options={"hidden": 16, "blocks": 1}),
    "width": 16,
    "grid_rows": 2,
    "grid_columns": 3,
    "depth_width": 4,
    "words": 9,
    "max_words": 5,
    "features_channels": 4,
    "features_rows": 3,
    "features_columns": 5,
    "max_tracks": 3,
    "track_width": 6,
    "horizon": 3,
}


def spec_of(**changes: Any) -> PixelPolicySpec:
    return PixelPolicySpec.model_validate(_SMALL | changes)


def policy_of(**changes: Any) -> PixelPolicy:
    torch.manual_seed(0)
    return PixelPolicy(spec_of(**changes)).eval()


def inputs_of(policy: PixelPolicy, batch: int = 2, *, seed: int = 0) -> dict[str, Tensor]:
    """Everything seen, other values with other seeds."""
    draw = torch.Generator().manual_seed(seed)
    found = example_of(policy.input_shapes, batch)
    for name, value in found.items():
        if value.dtype == torch.uint8:
            found[name] = torch.randint(0, 256, value.shape, dtype=torch.uint8, generator=draw)
        elif value.dtype == torch.bool:
            found[name] = torch.ones_like(value)
        else:
            found[name] = torch.rand(value.shape, generator=draw)
    return found


def without_memory(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in inputs.items() if not name.startswith("past_")}
