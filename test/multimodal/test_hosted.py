"""Models behind interfaces, against servers on loopback that speak them: what goes wrong, too."""

import json
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from asked_pictures import write_asked_set
from provider_server import KEY, Fault, Provider, serving

from robot_vision.core.errors import ConfigError
from robot_vision.multimodal.answerer import ANSWERERS, AnswerError, AnswererSpec, GivenUpError
from robot_vision.multimodal.hosted.key import Key, checked_url
from robot_vision.multimodal.pictures import open_pictures
from robot_vision.multimodal.question import Question, questions_about

VARIABLE = "LOOPBACK_API_KEY"
INTERFACES = ("openai", "together", "gemini")
FREE = {"usd_per_million_input_tokens": 0.0, "usd_per_million_output_tokens": 0.0}


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Question:
    folder = write_asked_set(tmp_path_factory.mktemp("hosted") / "set")
    (found,) = questions_about(open_pictures(folder, count=1), ["color"])
    return found


@pytest.fixture
def provider() -> Any:
    with serving(Provider(says=lambda *_: "It is green.")) as made:
        yield made


def spec_of(interface: str, provider: Provider, **options: Any) -> AnswererSpec:
    given = {"model": "eye/1", "url": provider.url, "key_variable": VARIABLE, **FREE, **options}
    return ANSWERERS.get(interface).spec.model_validate(given)


def ask(interface: str, provider: Provider, question: Question, **options: Any) -> Any:
    spec = spec_of(interface, provider, **options)
    answerer = ANSWERERS.get(interface).build(spec, [question])
    try:
        return answerer.ask(question, question.rgb())
    finally:
        answerer.close()


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("interface", INTERFACES)
def test_each_interface_is_spoken(interface: str, question: Question) -> None:
    seen: dict[str, Any] = {}

    def says(text: str, rgb: np.ndarray) -> str:
        seen.update(text=text, rgb=rgb)
        return "It is green."

    prices = {"usd_per_million_input_tokens": 2.0, "usd_per_million_output_tokens": 10.0}
    with serving(Provider(says=says)) as provider:
        spec = spec_of(interface, provider, **prices)
        reply = ask(interface, provider, question, **prices)
    assert reply.text == "It is green."
    assert seen["text"] == question.text
    assert seen["rgb"].shape == question.rgb().shape
    assert np.abs(seen["rgb"].astype(int) - question.rgb()).mean() < 6  # JPEG
    tokens = (900, 8) if interface == "gemini" else (1000, 3)
    assert (reply.input_tokens, reply.output_tokens) == tokens
    assert spec.usd_of(reply) == pytest.approx((2.0 * tokens[0] + 10.0 * tokens[1]) / 1e6)
    (request,) = provider.requests
    assert KEY not in request["path"]
    assert request["path"].count("eye") == (interface == "gemini")


@pytest.mark.usefixtures("key")
def test_large_pictures_are_sent_smaller(provider: Provider, question: Question) -> None:
    sizes: list[Any] = []
    provider.says = lambda _, rgb: str(sizes.append(rgb.shape))
    ask("openai", provider, question, picture_px=80)
    assert sizes == [(60, 80, 3)]


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("interface", INTERFACES)
def test_a_limit_of_rates_is_waited_for(
    interface: str, provider: Provider, question: Question
) -> None:
    limited = Fault(status=429, body=b'{"error": {"message": "slow down"}}')
    provider.faults = [Fault(status=429, headers={"Retry-After": "0.2"}), limited]
    began_s = time.monotonic()
    reply = ask(interface, provider, question)
    assert reply.text == "It is green."
    assert 0.2 <= reply.waited_s <= time.monotonic() - began_s
    assert len(provider.requests) == 3


@pytest.mark.usefixtures("key")
def test_a_limit_that_lasts_is_reported(provider: Provider, question: Question) -> None:
    text = b'{"error": {"message": "quota exceeded"}}'
    provider.faults = [Fault(status=429, body=text, headers={"Retry-After": "90"})]
    with pytest.raises(AnswerError, match=r"rate limit is reached.*quota.*wait 90 s more"):
        ask("openai", provider, question, most_wait_s=5)
    provider.faults = [Fault(status=503, headers={"Retry-After": "0.01"})] * 2
    with pytest.raises(AnswerError, match=r"server error \(HTTP 503\), tried 2 times"):
        ask("openai", provider, question, attempts=2)


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(body=b"{", after_s=0.0), "expected JSON"),
        (Fault(body=b"<html>"), "expected JSON"),
        (Fault(body=b"[1, 2]"), "does not match its interface"),
        (Fault(body=b'{"choices": [], "candidates": []}'), "does not match its interface"),
        (Fault(body=b"[" * 200_000), "nested too deeply|expected JSON"),
        (Fault(body=b" " * 4_100_000), "more than 4000000 bytes"),
        (Fault(body=b'{"cho', breaks_off=True), "ended early"),
        (
            Fault(status=400, body=b'{"error": {"message": "no images"}}'),
            "refuses the question.*no",
        ),
    ],
)
def test_broken_answers_are_put_into_words(
    interface: str, fault: Fault, words: str, provider: Provider, question: Question
) -> None:
    provider.faults = [fault]
    with pytest.raises(AnswerError, match=words) as caught:
        ask(interface, provider, question, answer_s=5)
    assert not isinstance(caught.value, GivenUpError)
    assert KEY not in str(caught.value)


@pytest.mark.usefixtures("key")
def test_an_answer_that_is_late_is_not_asked_for_again(
    provider: Provider, question: Question
) -> None:
    provider.faults = [Fault(after_s=20.0)]
    with pytest.raises(AnswerError, match=r"did not answer within 0\.4 s"):
        ask("gemini", provider, question, answer_s=0.4)
    assert len(provider.requests) == 1


@pytest.mark.usefixtures("key")
def test_nobody_at_the_address_is_reported(question: Question) -> None:
    with serving(Provider(says=lambda *_: "")) as provider:
        pass
    with pytest.raises(AnswerError, match="cannot be reached"):
        ask("openai", provider, question)


@pytest.mark.parametrize("interface", INTERFACES)
def test_a_refused_key_ends_the_asking_and_is_not_shown(
    interface: str, provider: Provider, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "sk-of-somebody-else-987"
    monkeypatch.setenv(VARIABLE, wrong)
    with pytest.raises(GivenUpError, match=f"refuses the key in {VARIABLE}") as caught:
        ask(interface, provider, question)
    assert wrong not in str(caught.value)
    assert len(provider.requests) == 1


@pytest.mark.usefixtures("key")
def test_a_redirect_is_not_followed(provider: Provider, question: Question) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(serving(Provider(says=lambda *_: "")))
        provider.faults = [Fault(status=307, headers={"Location": other.url})]
        with pytest.raises(GivenUpError, match="it redirects"):
            ask("openai", provider, question)
        assert other.requests == []


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("interface", "content", "words"),
    [
        ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}}, "refuses.*SAFETY"),
        ("gemini", {"candidates": [{"finishReason": "MAX_TOKENS"}]}, "without an answer: MAX"),
        ("openai", {"choices": [{"message": {"refusal": "I won't"}}]}, "refuses: I won't"),
    ],
)
def test_refusals_are_reported(
    interface: str, content: Any, words: str, provider: Provider, question: Question
) -> None:
    provider.faults = [Fault(body=json.dumps(content).encode())]
    with pytest.raises(AnswerError, match=words):
        ask(interface, provider, question)


@pytest.mark.usefixtures("key")
def test_without_prices_nothing_is_asked(provider: Provider, question: Question) -> None:
    with pytest.raises(ConfigError, match="price of eye/1 is not known"):
        ask("together", provider, question, usd_per_million_output_tokens=None)
    assert provider.requests == []


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    assert KEY not in repr(Key(VARIABLE))
    assert Key(VARIABLE).hidden_in(f"wrong key {KEY}!") == "wrong key [key hidden]!"
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(ConfigError, match=f"{VARIABLE} holds no key"):
        Key(VARIABLE)
    with pytest.raises(ConfigError, match=r"a text of \d+ characters") as caught:
        Key(KEY)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://example.com/v1", "ftp://localhost", "https://me:secret@host/v1", "x"]
)
def test_addresses_that_would_give_the_key_away_are_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://host/v1/", "http://127.0.0.1:8000/v1", "http://[::1]/v1"]
)
def test_safe_addresses_are_taken(url: str) -> None:
    assert checked_url(url) == url.rstrip("/")
