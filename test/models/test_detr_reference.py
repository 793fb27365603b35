"""DETR says what transformers' `DetrForObjectDetection` says of the same weights."""

import pytest
import torch

from robot_vision.models.detection.detr import Detr, DetrSpec
from robot_vision.models.detection.detr_names import DETR_LAYOUTS
from robot_vision.models.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, EncoderChoice
from robot_vision.models.encoders.layout import rename

transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: it is the reference of this test"
)

SMALL = {
    "block": "basic",
    "depths": (1, 2, 1, 1),
    "width": 8,
}


def reference() -> torch.nn.Module:
    """Random weights; norms have statistics as if they had been trained."""
    torch.manual_seed(0)
    backbone = transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 32, 64],
        depths=list(SMALL["depths"]),
        layer_type="basic",
        out_features=["stage4"],
    )
    config = transformers.DetrConfig(
        backbone_config=backbone,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        d_model=32,
        encoder_layers=2,
        decoder_layers=3,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        num_queries=7,
        num_labels=3,
    )
    model = transformers.DetrForObjectDetection(config).eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=draw) + 0.5)
            elif tensor.is_floating_point():
                tensor.add_(0.05 * torch.randn(tensor.shape, generator=draw))
    return model


def ours() -> Detr:
    spec = DetrSpec(
        encoder=EncoderChoice(name="resnet18", options=SMALL),
        classes=3,
        queries=7,
        width=32,
        heads=4,
        inner=48,
        encoder_layers=2,
        decoder_layers=3,
    )
    return Detr(spec).eval()


def test_its_weights_load_and_its_outputs_are_equal() -> None:
    theirs, model = reference(), ours()
    renamed = rename(tuple(model.state_dict()), model.spec, DETR_LAYOUTS[0], theirs.state_dict())
    assert (renamed.missing, renamed.unexpected) == ((), ())
    model.load_state_dict(renamed.tensors, strict=True)
    rgb = torch.randint(0, 256, (2, 96, 160, 3), dtype=torch.uint8)
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        expected = theirs(pixel_values=(rgb.permute(0, 3, 1, 2) / 255 - mean) / std)
        found = model(rgb)
    assert expected.logits.std() > 0.1  # weights that say something
    torch.testing.assert_close(found["logits"], expected.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(found["boxes"], expected.pred_boxes, rtol=0, atol=1e-5)
