"""`bench multimodal`: local, hosted and trivial models on one set, as a user runs it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from asked_pictures import write_asked_set
from provider_server import KEY, Fault, Provider, serving
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.multimodal.results import Results, read_results

VARIABLE = "LOOPBACK_API_KEY"
PRICES = {"usd_per_million_input_tokens": 2.0, "usd_per_million_output_tokens": 10.0}
KINDS = ["--kind", "color", "--kind", "presence"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_asked_set(tmp_path_factory.mktemp("bench") / "set")


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


def models_file(folder: Path, *models: dict[str, Any]) -> Path:
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump({"models": list(models)}))
    return file


def hosted(provider: Provider, **options: Any) -> dict[str, Any]:
    return {
        "kind": "openai",
        "model": "eye",
        "url": provider.url,
        "key_variable": VARIABLE,
        **PRICES,
        **options,
    }


def bench(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["bench", "multimodal", *map(str, arguments)])


def looks(text: str, rgb: np.ndarray) -> str:
    """A model that sees: the color of the leftmost thing, whatever it is asked."""
    left = rgb[50, 25].astype(int)
    color = ("red", "green", "blue")[int(left.argmax())]
    return "yes" if text.startswith("Is") else color


def run(pictures: Path, out: Path, *arguments: object) -> Results:
    result = bench(pictures, "--out", out, *KINDS, *arguments)
    assert result.exit_code == 0, result.output
    return read_results(out)


@pytest.mark.usefixtures("key")
def test_models_stand_side_by_side(pictures: Path, tmp_path: Path) -> None:
    with serving(Provider(says=looks)) as provider:
        file = models_file(
            tmp_path,
            hosted(provider, name="a<b>"),
            hosted(provider, kind="gemini", model="g", name="gemini-like"),
        )
        out = tmp_path / "out"
        found = run(pictures, out, "--models", file, "--ask-providers")
    names = [model.name for model in found.models]
    assert names == ["nothing", "constant", "service", "a<b>", "gemini-like"]
    assert all(model.problem == "" for model in found.models)
    assert len(found.answers) == len(found.models) * len(found.questions)
    figures = {(names[f.model], f.kind): f.score for f in found.figures}
    assert figures["nothing", "color"] == 0.0
    assert figures["a<b>", "color"] >= figures["constant", "color"] > 0
    cost = found.costs[3]
    asked = len(found.questions)
    assert cost.input_tokens == 1000 * asked
    assert cost.usd == pytest.approx((2.0 * 1000 * asked + 10.0 * asked) / 1e6)
    assert cost.p50_s is not None
    assert cost.p50_s > 0
    html = (out / "report.html").read_text()
    assert "a&lt;b&gt;" in html
    assert "a<b>" not in html
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []
    lines = (out / "answers.jsonl").read_text().splitlines()
    assert len(lines) == len(found.answers)
    for written in out.rglob("*"):
        assert not written.is_file() or KEY.encode() not in written.read_bytes()


@pytest.mark.usefixtures("key")
def test_providers_are_asked_only_when_that_is_asked_for(pictures: Path, tmp_path: Path) -> None:
    with serving(Provider(says=looks)) as provider:
        file = models_file(tmp_path, hosted(provider))
        found = run(pictures, tmp_path / "out", "--models", file, "--no-trivial")
        assert provider.requests == []
    assert "--ask-providers asks it" in found.models[0].problem
    assert found.answers == ()


@pytest.mark.usefixtures("key")
def test_a_spent_budget_ends_the_asking(pictures: Path, tmp_path: Path) -> None:
    with serving(Provider(says=looks)) as provider:
        file = models_file(tmp_path, hosted(provider, name="first"), hosted(provider, name="next"))
        options = ("--models", file, "--ask-providers", "--no-trivial", "--most-usd", 0.004)
        found = run(pictures, tmp_path / "out", *options)
        assert len(provider.requests) == 2  # they make .00402, and the next model has none
    assert "0.0040 USD are spent, of 0.004" in found.models[0].problem
    assert found.models[1].problem == "not asked: 0.0040 USD are spent (--most-usd)"


@pytest.mark.usefixtures("key")
def test_a_model_whose_cost_is_unknown_is_asked_once(pictures: Path, tmp_path: Path) -> None:
    with serving(Provider(says=looks, counts_tokens=False)) as provider:
        file = models_file(tmp_path, hosted(provider))
        found = run(
            pictures, tmp_path / "out", "--models", file, "--ask-providers", "--no-trivial"
        )
        assert len(provider.requests) == 1
    assert "its cost is unknown" in found.models[0].problem


@pytest.mark.usefixtures("key")
def test_failures_are_reported_and_the_next_model_is_asked(pictures: Path, tmp_path: Path) -> None:
    with serving(Provider(says=looks)) as provider:
        provider.faults = [Fault(body=b"{"), Fault(body=b"{")]
        file = models_file(
            tmp_path,
            hosted(provider, name="stutters"),
            hosted(provider, name="keyless", key_variable="NOBODYS_API_KEY"),
            {"kind": "local", "name": "absent", "folder": str(tmp_path / "absent")},
            {"kind": "nothing"},
        )
        options = ("--models", file, "--ask-providers", "--no-trivial")
        found = run(pictures, tmp_path / "out", *options)
    stutters, keyless, absent, nothing = found.models
    assert (stutters.problem, nothing.problem) == ("", "")
    assert "NOBODYS_API_KEY holds no key" in keyless.problem
    assert "no config.json" in absent.problem
    broken = [answer for answer in found.answers if answer.problem]
    assert [(a.model, a.score) for a in broken] == [(0, 0.0), (0, 0.0)]
    assert found.costs[0].answered == found.costs[0].asked - 2


@pytest.mark.usefixtures("key")
def test_a_model_that_only_fails_is_given_up(pictures: Path, tmp_path: Path) -> None:
    with serving(Provider(says=looks)) as provider:
        provider.faults = [Fault(body=b"{")] * 50
        file = models_file(tmp_path, hosted(provider))
        found = run(
            pictures, tmp_path / "out", "--models", file, "--ask-providers", "--no-trivial"
        )
        assert len(provider.requests) == 5
    assert "5 in a row had no answer" in found.models[0].problem


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([], "lists no models"),
        ([{"kind": "oracle"}], "unknown kind of model 'oracle'; available:.*openai"),
        ([{"name": "x"}], "expected a `kind`"),
        ([{"kind": "openai"}], "model"),
        ([{"kind": "nothing"}, {"kind": "nothing"}], "several models are named nothing"),
        ([{"kind": "openai", "model": "m", "attempts": 0}], "attempts = 0"),
        ([{"kind": "openai", "model": "m", "api_key": KEY}], "has api_key; it may have"),
    ],
)
def test_a_bad_file_of_models_is_refused(
    models: list[Any], words: str, pictures: Path, tmp_path: Path
) -> None:
    file = models_file(tmp_path, *models)
    result = bench(pictures, "--out", tmp_path / "out", "--models", file, "--no-trivial")
    assert result.exit_code != 0
    said = f"{result.output} {result.exception}"
    assert re.search(words, said, re.DOTALL), said
    assert KEY not in said


def test_an_unknown_kind_of_question_is_refused(pictures: Path) -> None:
    result = bench(pictures, "--kind", "poetry")
    assert "unknown kind of question 'poetry'; available: caption" in str(result.exception)
