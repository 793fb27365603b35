"""Parameters: bounds hold, errors name the parameter, every parameter is described."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import flatten, load_yaml, with_values


def described(model: type, prefix: str = "") -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            found |= described(field.annotation, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = field.description
    return found


def test_every_parameter_has_a_description() -> None:
    descriptions = described(ServiceConfig)
    assert set(descriptions) == set(flatten(ServiceConfig()))
    assert [name for name, text in descriptions.items() if not text] == []


def test_flat_values_rebuild_the_same_config() -> None:
    config = with_values(ServiceConfig(), {"sync.tolerance_s": 0.05, "device": "cpu"})
    assert with_values(ServiceConfig(), flatten(config)) == config
    assert config.sync.tolerance_s == 0.05


@given(st.floats(min_value=1.0001, max_value=1e6))
def test_values_out_of_bounds_are_named(value: float) -> None:
    with pytest.raises(ConfigError, match=r"sync\.tolerance_s = .*less than or equal to 1"):
        with_values(ServiceConfig(), {"sync.tolerance_s": value})


@pytest.mark.parametrize("name", ["modle", "sync.tolerance", "sync", "model.name", "a.b.c", ""])
def test_unknown_names_list_what_is_available(name: str) -> None:
    with pytest.raises(ConfigError, match=r"sync\.tolerance_s"):
        with_values(ServiceConfig(), {name: 1})


@pytest.mark.parametrize(
    ("text", "said"),
    [("- a\n- b\n", "expected a mapping"), ("a: [", "expected YAML"), ("3", "int")],
)
def test_bad_yaml_is_an_error_that_names_the_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_yaml(path)
    assert "bad.yaml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_yaml(tmp_path / "absent.yaml")


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert load_yaml(path) == {}
