"""Documents as GitHub shows them, for Python-Markdown: links that leave docs/, lists, tables."""

import re
from collections.abc import Callable, Iterator

_LINK = re.compile(r"(?P<before>\]\()(?P<target>[^)\s]+)(?P<after>\))")
_FENCE = re.compile(r"^\s*(```+|~~~+)")
_ITEM = re.compile(r"^\s*(?:[-*]|\d+\.) ")
_CODE = re.compile(r"(`+)(?:.+?)\1")


def with_links(text: str, moved: Callable[[str], str]) -> str:
    """The text with every link's target replaced by `moved(target)`; code stays as it is."""
    return "\n".join(
        line if is_code else _outside_code(line, lambda part: _relinked(part, moved))
        for line, is_code in _lines(text)
    )


def links_of(text: str) -> list[str]:
    """Targets of all links, in order."""
    found: list[str] = []

    def keep(target: str) -> str:
        found.append(target)
        return target

    with_links(text, keep)
    return found


def for_python_markdown(text: str) -> str:
    """Blank lines before lists and tables, and four spaces where GitHub takes two or three."""
    out: list[str] = []
    width = 0  # of the marker of the list that we are in; 0 outside
    for line, is_code in _lines(text):
        before = out[-1] if out else ""
        indent = len(line) - len(line.lstrip())
        is_item, is_row = bool(_ITEM.match(line)), line.startswith("|")
        if not is_code and is_item and indent == 0:
            width = 2 if line[0] in "-*" else 3
        elif line.strip() and indent == 0 and not is_item:
            width = width if before.strip() and not is_row and not is_code else 0
        begins_list = is_item and before.strip() and not _ITEM.match(before) and not _in_list(out)
        begins_table = is_row and before.strip() and not before.startswith("|")
        if not is_code and (begins_list or begins_table):
            out.append("")
        if width and indent:
            line = " " * (4 * max(indent // width, 1) + indent % width * is_code) + line.lstrip()
        out.append(line)
    return "\n".join(out)


def _in_list(lines: list[str]) -> bool:
    """Whether the last paragraph began as an item of a list."""
    for line in reversed(lines):
        if not line.strip():
            return False
        if _ITEM.match(line):
            return True
    return False


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is within a block of code or one of its fences."""
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence):
                fence = ""
            yield line, True
        else:
            fence = mark[1] if mark else ""
            yield line, bool(mark)


def _outside_code(line: str, change: Callable[[str], str]) -> str:
    parts: list[str] = []
    start = 0
    for code in _CODE.finditer(line):
        parts += [change(line[start : code.start()]), code[0]]
        start = code.end()
    # A link whose words are code spans both: its target lies outside.
    return "".join([*parts, change(line[start:])])


def _relinked(part: str, moved: Callable[[str], str]) -> str:
    return _LINK.sub(lambda m: m["before"] + moved(m["target"]) + m["after"], part)
