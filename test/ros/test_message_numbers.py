"""Messages that never came are counted by their numbers, and only where these say something."""

from robot_vision.ros.message_numbers import MessageNumbers


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


def test_a_publisher_that_begins_anew_or_a_second_one_is_no_loss() -> None:
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
