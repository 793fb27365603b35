"""Shapes as cards declare them: read without running anything, checked with named faults."""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.contract import check_shapes, gmacs_of, parameters_of, parse_shape


class Spec(Params):
    classes: int = param(4, "kinds")
    widths: tuple[int, int] = param((3, 5), "not one dimension")
    free: bool = param(False, "not a dimension")


class Attends(nn.Module):
    """Two linear layers around fused attention of eight tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.before(x)
        return {"y": self.after(nn.functional.scaled_dot_product_attention(x, x, x))}


CARD: Card[Any] = Card(
    name="toy",
    about="A toy.",
    paper="none",
    task="none",
    spec=Spec(),
    tiny=Spec(),
    build=lambda _: Attends(),
    example=lambda _, batch: {"x": torch.zeros(batch, 8, 16)},
    inputs={"image": "b h w 3"},
    outputs={"grid": "b classes h/8 w/8", "big": "b 1 h*2 w*2"},
    most_parameters=1000,
)


def tensors(**changes: tuple[int, ...]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    shapes = {"image": (2, 16, 24, 3), "grid": (2, 4, 2, 3), "big": (2, 1, 32, 48)} | changes
    found = {name: torch.zeros(shape) for name, shape in shapes.items()}
    return {"image": found.pop("image")}, found


def test_what_fits_is_accepted() -> None:
    check_shapes(CARD, Spec(), *tensors())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grid": (2, 5, 2, 3)}, r"'toy', output 'grid'.*'b classes h/8 w/8'.*classes = 4"),
        ({"grid": (2, 4, 2)}, r"4 dimensions; found \[2, 4, 2\]"),
        ({"grid": (3, 4, 2, 3)}, r"\[2, 4, 2, 3\] with b = 2.*found \[3, 4, 2, 3\]"),
        ({"image": (2, 20, 24, 3)}, r"\[2, 4, \?, 3\] with .*h = 20.*found \[2, 4, 2, 3\]"),
        ({"image": (2, 16, 24, 4)}, r"input 'image'.*found \[2, 16, 24, 4\]"),
        ({"big": (2, 1, 32, 47)}, r"output 'big'.*\[2, 1, 32, 48\]"),
    ],
)
def test_what_does_not_is_named_with_both_shapes(
    changes: dict[str, tuple[int, ...]], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        check_shapes(CARD, Spec(), *tensors(**changes))


def test_outputs_that_are_not_declared_are_named() -> None:
    inputs, outputs = tensors()
    outputs["more"] = torch.zeros(2)
    with pytest.raises(
        ConfigError, match=r"declares the outputs grid, big; found grid, big, more"
    ):
        check_shapes(CARD, Spec(), inputs, outputs)


def test_a_name_that_stands_nowhere_alone_is_unknown() -> None:
    card = replace(CARD, outputs={"grid": "b n/2", "big": "b 1 h w"})
    inputs, outputs = tensors(grid=(2, 4), big=(2, 1, 16, 24))
    with pytest.raises(ConfigError, match="n = unknown"):
        check_shapes(card, Spec(), inputs, outputs)


def test_a_fault_in_the_declaration_names_the_model() -> None:
    card = replace(CARD, outputs={"grid": "b h-8", "big": "b"})
    with pytest.raises(
        ConfigError, match="'toy', output 'grid': 'h-8' in the shape 'b h-8' is no"
    ):
        check_shapes(card, Spec(), *tensors())


def test_values_of_other_kinds_are_not_dimensions() -> None:
    card = replace(CARD, inputs={"image": "b h w free"}, outputs={"grid": "b h", "big": "widths"})
    inputs, outputs = tensors(grid=(2, 16), big=(7,))
    check_shapes(card, Spec(), inputs, outputs)


names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
factors = st.integers(1, 64)


@given(name=names, factor=factors, times=st.integers(1, 100))
def test_names_divided_and_multiplied_are_what_they_say(
    name: str, factor: int, times: int
) -> None:
    divided, multiplied = parse_shape(f"{name}/{factor} {name}*{factor}")
    assert divided.size({name: times * factor}) == times
    assert multiplied.size({name: times}) == times * factor
    assert divided.size({}) is None


@given(number=st.integers(0, 10**6))
def test_numbers_are_themselves(number: int) -> None:
    assert [d.size({}) for d in parse_shape(f"{number} b")] == [number, None]


@given(text=st.text(max_size=12))
def test_any_other_text_is_refused_and_never_run(text: str) -> None:
    dimension = re.compile(r"[0-9]+|[a-z_][A-Za-z0-9_]*([*/]0*[1-9][0-9]*)?")
    if all(dimension.fullmatch(word) for word in text.split()):
        assert len(parse_shape(text)) == len(text.split())
    else:
        with pytest.raises(ConfigError, match="is not a dimension"):
            parse_shape(text)


def test_fused_attention_is_counted() -> None:
    linear, attention = 2 * 8 * 16 * 16, 2 * 8 * 8 * 16
    assert gmacs_of(CARD) * 1e9 == pytest.approx(linear + attention)


def test_counting_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    assert parameters_of(CARD) == 2 * (16 * 16 + 16)
    gmacs_of(CARD)
    assert torch.equal(torch.rand(3), expected)
