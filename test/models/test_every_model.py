"""What every registered model must keep: tests find a model by its card."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params
from robot_vision.export.graph import export_graph
from robot_vision.export.parity import TOLERANCE, check_parity
from robot_vision.formats.registry import FORMATS
from robot_vision.models.card import Card, Size
from robot_vision.models.contract import check_shapes, parameters_of
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, load_exactly, read_weights, spec_of, write_weights
from robot_vision.training.engine.task import TASKS

every_model = pytest.mark.parametrize("name", list(MODELS))
MOST_TINY_PARAMETERS = 100_000
SIZE = Size(width_px=96, height_px=64)


def tiny(name: str) -> tuple[Card[Any], Params, nn.Module]:
    """A model with weights that differ from zero, also where training begins at zero."""
    card = MODELS.get(name)
    torch.manual_seed(0)
    model = card.build(card.tiny)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return card, card.tiny, model


def answers(card: Card[Any], model: nn.Module, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        return model(*card.arguments(inputs))


def rows(inputs: dict[str, Tensor], *numbers: int) -> dict[str, Tensor]:
    return {role: tensor[list(numbers)] for role, tensor in inputs.items()}


@every_model
def test_its_card_is_complete(name: str) -> None:
    card = MODELS.get(name)
    assert card.name == name
    assert card.about
    assert card.licence
    assert isinstance(card.tiny, type(card.spec))
    assert parameters_of(card) <= card.most_parameters
    assert sum(p.numel() for p in card.build(card.tiny).parameters()) <= MOST_TINY_PARAMETERS


@every_model
@pytest.mark.parametrize("batch", [1, 3])
def test_its_inputs_and_outputs_have_the_declared_shapes(name: str, batch: int) -> None:
    card, spec, model = tiny(name)
    inputs = card.example(spec, batch)
    outputs = answers(card, model.eval(), inputs)
    check_shapes(card, spec, inputs, outputs)
    assert all(t.isfinite().all() for t in outputs.values() if t.is_floating_point())
    assert all(len(t) == batch for t in outputs.values())


@every_model
def test_every_trainable_parameter_gets_a_gradient(name: str) -> None:
    card, spec, model = tiny(name)
    outputs = model.train()(*card.arguments(card.example(spec, 3)))
    draw = torch.Generator().manual_seed(1)
    total = sum(
        (value * torch.randn(value.shape, generator=draw)).sum()
        for value in outputs.values()
        if value.is_floating_point()
    )
    assert isinstance(total, Tensor)
    total.backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert [n for n, p in trained.items() if p.grad is None or not p.grad.any()] == []
    assert all(p.grad.isfinite().all() for p in trained.values() if p.grad is not None)


@every_model
def test_samples_of_a_batch_do_not_influence_each_other(name: str) -> None:
    card, spec, model = tiny(name)
    inputs = card.example(spec, 3)
    assert any(not torch.equal(tensor[1], tensor[2]) for tensor in inputs.values())
    model.eval()
    beside_one, beside_other = (
        answers(card, model, rows(inputs, 0, 1)),
        answers(card, model, rows(inputs, 0, 2)),
    )
    for role, value in beside_one.items():
        torch.testing.assert_close(value[0], beside_other[role][0], rtol=1e-4, atol=1e-5)


@every_model
def test_its_weights_survive_a_file(name: str, tmp_path: Path) -> None:
    card, spec, model = tiny(name)
    file = tmp_path / "weights.safetensors"
    described = spec.model_dump(mode="json")
    tensors = model.state_dict()
    write_weights(file, Weights(file=file, tensors=tensors, model=name, spec=described))
    read = read_weights(file)
    again = card.build(spec_of(read, card, {}))
    load_exactly(again, read, name=name)
    inputs = card.example(spec, 2)
    before, after = answers(card, model.eval(), inputs), answers(card, again.eval(), inputs)
    for role, value in before.items():
        torch.testing.assert_close(value, after[role], rtol=0, atol=0)


@every_model
def test_the_same_seed_gives_the_same_weights(name: str) -> None:
    card = MODELS.get(name)
    models = []
    for _ in range(2):
        torch.manual_seed(7)
        models.append(card.build(card.tiny).state_dict())
    assert all(torch.equal(tensor, models[1][layer]) for layer, tensor in models[0].items())


@every_model
def test_its_graphs_say_in_onnx_what_they_say_in_torch(name: str, tmp_path: Path) -> None:
    card, spec, model = tiny(name)
    if card.serving is None:
        pytest.skip("it is not served")
    graphs = card.serving.graphs(model.eval(), spec, SIZE)
    assert len({graph.file for graph in graphs}) == len(graphs)
    for graph in graphs:
        file = export_graph(graph, tmp_path / graph.file)
        samples = [noisy(graph.example, seed=seed) for seed in range(2)]
        assert check_parity(graph, file, samples, most=TOLERANCE) <= TOLERANCE
    if card.serving.image:
        image = card.serving.image(spec, SIZE)
        assert (image.width_px, image.height_px) == (SIZE.width_px, SIZE.height_px)
        named = {image.name, image.depth_name, image.focal_name, image.size_name} - {""}
        named |= {state.input for state in image.carried}
        if FORMATS.get(card.serving.format).asked_by_words:
            named |= {"prompt", "prompt_mask"}
        assert named == set(graphs[-1].example)


def noisy(example: dict[str, Tensor], *, seed: int) -> dict[str, np.ndarray]:
    """Values of the kinds of an example: pixels, flags and numbers, of one sample."""
    draw = torch.Generator().manual_seed(seed)
    values = {}
    for name, tensor in example.items():
        one = tensor[:1]
        if tensor.dtype == torch.uint8:
            one = torch.randint(0, 256, one.shape, dtype=torch.uint8, generator=draw)
        elif tensor.is_floating_point():
            one = one + torch.rand(one.shape, generator=draw)
        values[name] = one.numpy()
    return values


@every_model
def test_there_is_a_task_that_trains_it(name: str) -> None:
    assert MODELS.get(name).task in TASKS
