"""The pyramid's heads on every encoder that there is, whatever its strides."""

import pytest
import torch

from robot_vision.models.encoders.encoder import ENCODERS, EncoderChoice
from robot_vision.models.segmentation.fpn import Fpn, FpnSpec

SIDE_PX = 224  # a multiple of 14 and of 32: of all strides


@pytest.mark.parametrize("name", [n for n in ENCODERS if not ENCODERS.get(n).needs])
def test_heads_have_their_strides_on_any_encoder(name: str) -> None:
    choice = EncoderChoice(name=name, options=ENCODERS.get(name).tiny.model_dump())
    model = Fpn(FpnSpec(encoder=choice, classes=3, width=4)).eval()
    rgb = torch.randint(0, 256, (2, SIDE_PX, SIDE_PX, 3), dtype=torch.uint8)
    with torch.no_grad():
        answer = model(rgb)
    assert answer["output"].shape == (2, 3, SIDE_PX // 4, SIDE_PX // 4)
    assert answer["medium"].shape == (2, 3, SIDE_PX // 16, SIDE_PX // 16)
    assert answer["coarse"].shape == (2, 3)
