"""`run.init_weights` of an encoder alone, or of the shipped bundle, gives a model its encoder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy import ToyOptions, ToyTask

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params
from robot_vision.model_store.store import find_bundle
from robot_vision.models.card import Card
from robot_vision.models.convert import TRAVELS, convert
from robot_vision.models.encoders.encoder import EncoderChoice, build_encoder
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.picture import PICTURE, noise_pictures
from robot_vision.models.registry import MODELS, register_model
from robot_vision.models.weights import Weights, read_weights, write_weights
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.run import Run, build_run
from robot_vision.training.engine.task import TASKS

NAME = "toy-with-encoder"
SMALL = {"name": "resnet18", "options": {"depths": [1, 1], "width": 4}}


class Spec(Params):
    encoder: EncoderChoice = EncoderChoice()


class Model(nn.Module):
    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.encoder = PictureEncoder(spec.encoder)
        self.head = nn.Linear(self.encoder.dim, 1)

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        return {"y": self.head(self.encoder(rgb).pooled)}


class EncoderTask(ToyTask):
    options = ToyOptions


@pytest.fixture(autouse=True)
def model() -> Iterator[None]:
    """Known to these tests only: others go over all that is registered."""
    TASKS.register(NAME)(EncoderTask)
    card = Card(
        name=NAME,
        about="An encoder.",
        task=NAME,
        spec=Spec(),
        tiny=Spec(),
        build=Model,
        example=noise_pictures,
        inputs=PICTURE,
        outputs={"y": "b 1"},
        most_parameters=1,
    )
    register_model(card)
    yield
    TASKS._items.pop(NAME)  # pyright: ignore[reportPrivateUsage]
    MODELS._items.pop(NAME)  # pyright: ignore[reportPrivateUsage]


def begun(encoder: dict[str, Any], source: Path | str) -> Run:
    values = {"task": NAME, "model": NAME, "spec": {"encoder": encoder}}
    return build_run(recipe_of(values, {"run.init_weights": str(source)}))


def written(file: Path, choice: dict[str, Any], **changes: Any) -> dict[str, Tensor]:
    """A file as `models convert` writes it."""
    torch.manual_seed(5)
    tensors = build_encoder(EncoderChoice(**choice)).state_dict()
    values = {"model": choice["name"], "travels": {TRAVELS: choice}} | changes
    write_weights(file, Weights(file=file, tensors=tensors, **values))
    return tensors


def assert_has(run: Run, tensors: dict[str, Tensor]) -> None:
    own = run.model.state_dict()
    assert all(torch.equal(own[f"encoder.net.{name}"], t) for name, t in tensors.items())


def test_a_converted_encoder_begins_a_model_and_the_rest_is_noted(tmp_path: Path) -> None:
    file = tmp_path / "encoder.safetensors"
    tensors = written(file, SMALL)
    run = begun(SMALL, file)
    assert_has(run, tensors)
    (note,) = run.notes
    assert "start fresh" in note
    assert "missing: head.bias, head.weight" in note


def test_a_public_file_is_converted_on_the_way(tmp_path: Path) -> None:
    file = tmp_path / "public.safetensors"
    own = written(file, SMALL, model="", travels={})
    assert_has(begun(SMALL, file), own)


def test_the_shipped_bundle_begins_any_model_with_its_encoder() -> None:
    run = begun({"name": "native-s"}, "native-s")
    bundle = read_weights(find_bundle("native-s").path / "model.safetensors")
    assert_has(run, convert(EncoderChoice(name="native-s"), bundle.tensors).renamed.tensors)
    assert "missing: head.bias, head.weight" in run.notes[0]


def test_weights_of_another_encoder_are_named(tmp_path: Path) -> None:
    file = tmp_path / "encoder.safetensors"
    written(file, SMALL)
    with pytest.raises(ConfigError, match=r"has the encoder 'resnet18', expected 'realtime'"):
        begun({"name": "realtime"}, file)
    says = r"native-s/model.safetensors: these weights do not fit .*missing: .* and \d+ more"
    with pytest.raises(ConfigError, match=says):
        begun(SMALL, "native-s")


def test_weights_of_a_whole_model_with_another_encoder_are_named(tmp_path: Path) -> None:
    file = tmp_path / "whole.safetensors"
    torch.manual_seed(0)
    tensors = Model(Spec(encoder=EncoderChoice(**SMALL))).state_dict()
    spec = {"encoder": SMALL}
    write_weights(file, Weights(file=file, tensors=tensors, model=NAME, spec=spec))
    assert begun(SMALL, file).notes == ()
    with pytest.raises(ConfigError, match=r"has the encoder 'resnet18', expected 'realtime'"):
        begun({"name": "realtime"}, file)


def test_the_same_encoder_with_other_options_is_named(tmp_path: Path) -> None:
    """All shapes fit, and the outputs would be wrong."""
    tiny = {"width_factor": 0.1, "depth_factor": 0.3}
    file = tmp_path / "encoder.safetensors"
    written(file, {"name": "efficientnet-b0", "options": tiny | {"padding": "same"}})
    says = r"with padding = 'same'; here it has padding = 'symmetric': set them in spec.encoder"
    with pytest.raises(ConfigError, match=says):
        begun({"name": "efficientnet-b0", "options": tiny}, file)
