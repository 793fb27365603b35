"""`train` and `export` serve every task; `evaluate` perception, unless the policy is named."""

import pytest
from typer.testing import CliRunner

from robot_vision.cli import app


def test_evaluate_is_perceptions_unless_the_policy_is_named() -> None:
    plain = CliRunner().invoke(app, ["evaluate", "perception", "--help"])
    policy = CliRunner().invoke(app, ["evaluate", "policy", "--help"])
    group = CliRunner().invoke(app, ["evaluate", "--help"])
    assert [plain.exit_code, policy.exit_code, group.exit_code] == [0, 0, 0]
    assert "policy" in group.output
    assert "perception" in group.output


@pytest.mark.parametrize("command", ["train", "export"])
def test_one_command_serves_every_task(command: str) -> None:
    """What is trained or exported is in the recipe: no variant is named."""
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    assert CliRunner().invoke(app, [command, "policy", "nowhere", "--out", "x"]).exit_code != 0


def test_an_option_may_stand_before_the_recipe() -> None:
    result = CliRunner().invoke(app, ["train", "--out", "nowhere", "no_such_recipe.yaml"])
    assert result.exit_code != 0
    assert "No such option" not in result.output
    assert "no_such_recipe" in str(result.exception)
