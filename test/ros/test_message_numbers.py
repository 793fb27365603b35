"""Messages that never came are counted by their numbers, and only where these say something."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

import pytest

from robot_vision.ros.middleware.message_numbers import MessageNumbers, with_info


def missed(*numbers: int | None) -> list[int]:
    counted = MessageNumbers()
    return [counted.missed({"publication_sequence_number": number}) for number in numbers]


def test_gaps_are_what_was_missed() -> None:
    assert missed(7, 8, 12, 13) == [0, 0, 3, 0]


def test_a_middleware_without_numbers_says_nothing() -> None:
    assert missed(None, None) == [0, 0]
    counted = MessageNumbers()
    counted.missed({})
    assert not counted.are_sure


def test_a_publisher_that_begins_anew_or_a_second_one_is_not_a_loss() -> None:
    assert missed(900, 1, 2, 5) == [0, 0, 0, 0]
    assert sum(missed(*[n for k in range(50) for n in (k + 1, 1000 * k + 70_000)])) == 0


def test_while_the_numbers_say_nothing_somebody_else_must_report_losses() -> None:
    counted = MessageNumbers()
    sure = [counted.are_sure]
    for number in (900, 901, 1, *range(2, 200)):
        counted.missed({"publication_sequence_number": number})
        sure.append(counted.are_sure)
    assert sure[:4] == [False, True, True, False]
    assert sure[-1]
    assert 50 < sure.count(False) < 150


@pytest.mark.parametrize("has_info", [True, False])
def test_a_callback_gets_an_info_also_from_an_rclpy_that_has_none(has_info: bool) -> None:
    got: list[tuple[bytes, Mapping[str, Any]]] = []

    def on_message(message: bytes, info: Mapping[str, Any]) -> None:
        got.append((message, info))

    taken = with_info(on_message, has_info=has_info)
    info = {"publication_sequence_number": 7}
    called_with = (b"x", info) if has_info else (b"x",)
    signature(taken).bind(*called_with)  # so does rclpy learn with how many to call
    taken(*called_with)
    assert got == [(b"x", info if has_info else {})]
