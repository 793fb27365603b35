"""A native model as ONNX: pixels in, probabilities out, any batch, one size or any."""

import logging
import warnings
from pathlib import Path

import torch

from robot_vision.models.multitask.native import OUTPUTS, NativeModel, ServedNative

INPUTS = ("rgb", "depth_m", "focal_px")
# In a graph no output may be called as an input is: this one is called otherwise.
TENSOR_OF_ROLE = {role: "metric_depth_m" if role in INPUTS else role for role in OUTPUTS}
OPSET = 18
SIZE_STEP_PX = 32


def export_onnx(
    model: NativeModel, file: Path, *, width_px: int, height_px: int, any_size: bool = False
) -> Path:
    """Write `model` (its weights on the CPU) as ONNX with a free batch; returns `file`.

    With `any_size`, width and height may be any multiples of 32; else they are fixed.
    """
    served = ServedNative(model).cpu().eval()
    rgb = torch.zeros(2, height_px, width_px, 3, dtype=torch.uint8)
    depth_m = torch.ones(2, 1, height_px, width_px)
    focal_px = torch.ones(2, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            served,
            (rgb, depth_m, focal_px),
            input_names=list(INPUTS),
            output_names=list(TENSOR_OF_ROLE.values()),
            dynamic_shapes=_free_dimensions(any_size),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    file.parent.mkdir(parents=True, exist_ok=True)
    program.save(file, external_data=False)
    return file


def _free_dimensions(any_size: bool) -> dict[str, dict[int, torch.export.Dim]]:
    batch = torch.export.Dim("batch", min=1, max=256)
    rgb, depth_m = {0: batch}, {0: batch}
    if any_size:
        height, width = (
            SIZE_STEP_PX * torch.export.Dim(name, min=2, max=128) for name in ("rows", "columns")
        )
        rgb |= {1: height, 2: width}
        depth_m |= {2: height, 3: width}
    return {"rgb": rgb, "depth_m": depth_m, "focal_px": {0: batch}}
