"""A multi-task bundle in our native format that always sees the same object."""

from pathlib import Path

import numpy as np
from onnx_models import make_bundle

WIDTH_PX, HEIGHT_PX = 64, 48


def make_native_bundle(
    folder: Path, *, classes: tuple[str, ...] = ("cube", "cup"), channels: int = 8
) -> Path:
    """A model of 64×48 px that sees one object of the first class, always there.

    Its features have so many channels.
    """
    boxes = np.array([[[16, 12, 48, 36], [0, 0, 4, 4]]], np.float32)
    scores = np.zeros((1, 2, len(classes)), np.float32)
    scores[0, 0, 0] = 0.9
    names = ("boxes_xyxy", "scores", "mask_coefficients", "mask_prototypes", "features")
    outputs = {name: name for name in (*names, "embedding")} | {"depth_m": "metric_depth_m"}
    features = np.linspace(0, 1, channels * 3 * 4, dtype=np.float32).reshape(1, channels, 3, 4)
    make_bundle(
        folder,
        manifest={
            "task": "multitask",
            "format": "native",
            "classes": list(classes),
            "outputs": outputs,
            "input": {
                "name": "rgb",
                "width_px": WIDTH_PX,
                "height_px": HEIGHT_PX,
                "resize": "stretch",
                "dtype": "uint8",
                "layout": "nhwc",
                "depth_name": "depth_m",
            },
        },
        constants={
            "boxes_xyxy": boxes,
            "scores": scores,
            "mask_coefficients": np.ones((1, 2, 4), np.float32),
            "mask_prototypes": np.ones((1, 4, 12, 16), np.float32),
            "metric_depth_m": np.full((1, 1, 12, 16), 2.0, np.float32),
            "features": features,
            "embedding": np.ones((1, 16), np.float32) / 4,
        },
    )
    return folder
