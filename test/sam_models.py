"""Tiny SAMs with random weights, and bundles of them, for tests of what segments by prompts."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from references import transformers

SIDE_PX = 128


def save_tiny_sam(folder: Path, *, seed: int = 0) -> Any:
    """A SamModel as `save_pretrained` writes it; returns the model."""
    library = transformers()
    torch.manual_seed(seed)
    config = library.SamConfig(
        vision_config={
            "hidden_size": 32,
            "num_pos_feats": 8,
            "output_channels": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE_PX,
            "patch_size": 16,
            "window_size": 4,
            "global_attn_indexes": [1],
            "mlp_dim": 64,
        },
        prompt_encoder_config={
            "hidden_size": 16,
            "image_size": SIDE_PX,
            "patch_size": 16,
            "mask_input_channels": 8,
        },
        mask_decoder_config={
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "mlp_dim": 32,
            "iou_head_hidden_dim": 16,
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = library.SamModel(config).eval()
        _enliven(model)
        model.save_pretrained(folder)
        processor(model).save_pretrained(folder)
    return model


def processor(model: Any) -> Any:
    """The library's processor for pictures of that model."""
    del model
    square = {"height": SIDE_PX, "width": SIDE_PX}
    return transformers().SamImageProcessor(size={"longest_edge": SIDE_PX}, pad_size=square)


def picture(seed: int = 0, *, width_px: int = 100, height_px: int = 72) -> np.ndarray:
    """Discs of many colours on a slope of light."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height_px, :width_px]
    rgb = np.stack([x * 1.5, y * 2, x + y], axis=-1) % 256
    for _ in range(5):
        at = rng.uniform(0, 1, 2) * [width_px, height_px]
        inside = np.hypot(x - at[0], y - at[1]) < rng.uniform(5, 18)
        rgb[inside] = rng.uniform(0, 255, 3)
    return rgb.astype(np.uint8)


def _enliven(model: Any) -> None:
    """Weights as large as trained ones: the library's are so small that all masks are one number.

    Logits spread over some ten units, scores lie around 0.7.
    """
    generator = torch.Generator().manual_seed(7)
    decoder = model.mask_decoder
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                fan_in = parameter[0].numel()
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(noise * (1.2 / fan_in**0.5))
        for network in decoder.output_hypernetworks_mlps:
            network.proj_out.weight *= 60
        decoder.iou_prediction_head.proj_out.weight *= 0.3
        decoder.iou_prediction_head.proj_out.bias += 0.9
