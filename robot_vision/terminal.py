"""What is printed: words of strangers never style, move or break the terminal.

Every table and line goes through a `Screen`. Names in files, instructions and class names are
shown as they are: no markup, no emoji codes, and what a terminal would obey as an escape.
"""

from io import StringIO
from typing import Any

from rich.console import Console
from rich.progress import TextColumn
from rich.text import Text

from robot_vision.core.foreign import plain

# Longer than any sheet of ours; rich takes a second for a million letters.
_LONGEST_TEXT = 100_000
_LINES = 10  # of progress, whatever the count


class Screen(Console):
    """A console that takes text literally; what is to be coloured says so with a style.

    `record` keeps what is printed, for `save_html`; `file` takes it instead of the terminal.
    """

    def __init__(
        self, *, stderr: bool = False, record: bool = False, file: StringIO | None = None
    ) -> None:
        super().__init__(
            stderr=stderr,
            record=record,
            file=file,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def render_str(self, text: str, **options: Any) -> Text:
        shown = plain(text[:_LONGEST_TEXT])
        left_out = len(text) - _LONGEST_TEXT
        if left_out > 0:
            shown += f"… ({left_out} letters more)"
        return super().render_str(shown, **options)


def say(text: str) -> None:
    """A line for the person at the terminal, on stderr."""
    Screen(stderr=True).print(text)


def say_progress(what: str, before: int, done: int, count: int) -> None:
    """A line where the step from `before` to `done` of `count` passes a tenth, or is the last."""
    if done == count or before * _LINES // count < done * _LINES // count:
        say(f"{what}: {done} of {count}")


def say_error(error: BaseException) -> None:
    """An error made for the user."""
    Screen(stderr=True).print(styled("error: ", "red").append(plain(error), ""))


def styled(text: object, style: str) -> Text:
    """Literal text in a style."""
    return Text(plain(text), style=style)


def text_column(template: str) -> TextColumn:
    """A column of a progress bar, as `{task.description}`; give the bar `plain` text."""
    return TextColumn(template, markup=False)
