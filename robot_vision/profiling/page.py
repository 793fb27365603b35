"""A profile's tables as a page at their full width, independent of the terminal."""

from html import escape
from io import StringIO
from pathlib import Path

from robot_vision.core.files.foreign import plain
from robot_vision.profiling.profile import Profile
from robot_vision.profiling.tables import tables
from robot_vision.terminal import Screen

_COLUMNS = 150
# Braces that are rich's stand twice in what `save_html` formats.
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TITLE</title>
<style>
{stylesheet}
body {{ color: {foreground}; background: {background}; margin: 1.5rem; }}
main {{ overflow-x: auto; }}
pre {{ font: 13px/1.15 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }}
</style>
<main><pre><code>{code}</code></pre></main>
</html>
"""


def write_page(file: Path, profile: Profile, *, rows: int) -> None:
    """Write the tables with at most so many rows of layers and operators."""
    screen = Screen(record=True, file=StringIO())
    screen.width = _COLUMNS
    for part in tables(profile, most=rows):
        screen.print(part)
    title = escape(f"Profile of {plain(profile.target)}").replace("{", "{{").replace("}", "}}")
    file.parent.mkdir(parents=True, exist_ok=True)
    screen.save_html(str(file), code_format=_PAGE.replace("TITLE", title))
