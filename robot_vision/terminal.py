"""Terminal output: untrusted text never styles, moves or breaks the terminal.

Every table and line goes through a `Screen`. File names, instructions and class names are shown
literally: no markup, no emoji codes, and control characters as escapes.
"""

from io import StringIO
from typing import Any

from rich.console import Console
from rich.progress import TextColumn
from rich.text import Text

from robot_vision.core.files.foreign import plain

# Longer than any of our tables; rich takes a second for a million characters.
_LONGEST_TEXT = 100_000
_LINES = 10  # number of progress lines, whatever the count


class Screen(Console):
    """A console that prints text literally; colours need an explicit style.

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
            shown += f"… ({left_out} more characters)"
        return super().render_str(shown, **options)


def say(text: str) -> None:
    """A line for the user, on stderr."""
    Screen(stderr=True).print(text)


def say_progress(what: str, before: int, done: int, count: int) -> None:
    """A line where the step from `before` to `done` of `count` passes a tenth, or is the last."""
    if done == count or before * _LINES // count < done * _LINES // count:
        say(f"{what}: {done} of {count}")


def say_error(error: BaseException) -> None:
    """Print an error meant for the user."""
    Screen(stderr=True).print(styled("error: ", "red").append(plain(error), ""))


def styled(text: object, style: str) -> Text:
    """Literal text in a style."""
    return Text(plain(text), style=style)


def text_column(template: str) -> TextColumn:
    """A column of a progress bar, as `{task.description}`; give the bar `plain` text."""
    return TextColumn(template, markup=False)
