"""Models of timm and transformers as encoders: what is absent or unknown is named."""

from pathlib import Path
from typing import Any

import pytest
import references
import torch
from encoder_kit import encode, pictures

from robot_vision.core.errors import ConfigError
from robot_vision.models.convert import convert
from robot_vision.models.encoders import foreign
from robot_vision.models.encoders.encoder import EncoderChoice, build_encoder


@pytest.mark.parametrize("name", ["timm", "transformers"])
def test_where_the_package_is_absent_the_command_that_installs_it_is_given(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=rf"encoder '{name}' needs {name}: pip install {name}$"):
        build_encoder(EncoderChoice(name=name))


def built(name: str, **options: Any) -> Any:
    return build_encoder(EncoderChoice(name=name, options=options)).eval()


@pytest.mark.parametrize(
    ("model", "arguments", "strides"),
    [
        ("test_vit", {"dynamic_img_size": True}, (16,)),
        ("test_convnext", {}, (4, 8, 16, 32)),
        ("test_efficientnet", {}, (4, 8, 16, 32)),
    ],
)
def test_models_of_timm_by_name(
    model: str, arguments: dict[str, Any], strides: tuple[int, ...]
) -> None:
    timm = references.timm()
    encoder = built("timm", model=model, arguments=arguments)
    assert encoder.strides == strides
    reference = timm.create_model(model, pretrained=False, **arguments).eval()
    choice = EncoderChoice(name="timm", options={"model": model, "arguments": arguments})
    encoder.load_state_dict(convert(choice, reference.state_dict()).renamed.tensors)
    x = pictures(2, 96, 64)
    with torch.no_grad():
        pooled = reference.forward_head(reference.forward_features(x), pre_logits=True)
    found = encode(encoder, x)
    torch.testing.assert_close(found.pooled, pooled, rtol=0, atol=1e-5)
    shapes = [tuple(m.shape[1:]) for m in found.maps]
    declared = zip(encoder.strides, encoder.channels, strict=True)
    assert shapes == [(c, 96 // s, 64 // s) for s, c in declared]


def test_timm_says_what_is_wrong_and_fetches_nothing() -> None:
    references.timm()
    with pytest.raises(ConfigError, match=r"timm's 'no_such_net' with \{\}: Unknown model"):
        built("timm", model="no_such_net")
    with pytest.raises(ConfigError, match="model = 'hf-hub:timm/resnet18': String should match"):
        built("timm", model="hf-hub:timm/resnet18")


def test_backbones_of_transformers_by_kind_and_by_folder(tmp_path: Path) -> None:
    transformers = references.transformers()
    small: dict[str, Any] = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
    by_kind = built("transformers", model="convnext", arguments=small)
    assert by_kind.strides == (4, 8, 16, 32)
    transformers.ConvNextConfig(**small).save_pretrained(tmp_path)
    by_folder = built("transformers", model=str(tmp_path))
    by_folder.load_state_dict(by_kind.state_dict())
    x = pictures(1, 64, 96)
    one, other = encode(by_kind, x), encode(by_folder, x)
    assert torch.equal(one.pooled, other.pooled)
    assert [m.shape[1] for m in one.maps] == [8, 8, 16, 16]


def test_transformers_says_what_is_wrong_and_fetches_nothing() -> None:
    references.transformers()
    with pytest.raises(ConfigError, match=r"transformers' 'facebook/no_such' .* as a backbone: "):
        built("transformers", model="facebook/no_such")
