"""`train`, `evaluate` and `export` serve perception unless the policy is named."""

import pytest
from typer.testing import CliRunner

from robot_vision.cli import app


@pytest.mark.parametrize("command", ["train", "evaluate", "export"])
def test_perception_is_the_default_and_policy_a_variant(command: str) -> None:
    plain = CliRunner().invoke(app, [command, "perception", "--help"])
    policy = CliRunner().invoke(app, [command, "policy", "--help"])
    group = CliRunner().invoke(app, [command, "--help"])
    assert [plain.exit_code, policy.exit_code, group.exit_code] == [0, 0, 0]
    assert "policy" in group.output
    assert "perception" in group.output


def test_an_option_before_the_recipe_is_still_perceptions() -> None:
    result = CliRunner().invoke(app, ["train", "--out", "nowhere", "no_such_recipe.yaml"])
    assert result.exit_code != 0
    assert "No such option" not in result.output
    assert "no_such_recipe" in str(result.exception)
