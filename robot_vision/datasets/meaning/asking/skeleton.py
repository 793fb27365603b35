"""A YAML file to fill in: known fields are set, missing ones are empty."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from robot_vision.datasets.meaning.asking.draft import CHOICES
from robot_vision.datasets.meaning.asking.study import Study
from robot_vision.datasets.meaning.asking.suggest import Suggestion

_HEAD = """\
# What the numbers of {of} mean.
# Fill in the empty fields; the choices, and what the data suggest, follow the #.
# Then: robot-vision demonstrations study {of} --meaning THIS_FILE
"""


def skeleton(study: Study, *, of: str) -> str:
    """The text of the file; reading it back gives the draft of the study."""
    draft = _with_empty(study.draft, study.missing)
    lines = _lines(draft, "", study.suggested)
    return _HEAD.format(of=of) + "\n".join(lines) + "\n"


def _with_empty(draft: Mapping[str, Any], missing: tuple[str, ...]) -> dict[str, Any]:
    found = {k: dict(v) if isinstance(v, Mapping) else v for k, v in draft.items()}
    for name in missing:
        *path, last = name.split(".")
        at = found
        for part in path:
            at[part] = dict(at.get(part) or {})
            at = at[part]
        for each in last.split("|"):
            at[each] = None
    return found


def _lines(
    draft: Mapping[str, Any], where: str, suggested: Mapping[str, Suggestion]
) -> Iterator[str]:
    indent = "  " * where.count(".")
    either = suggested.get(f"{where}tool|joints")
    for name, value in draft.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from _lines(value, f"{where}{name}.", suggested)
        elif value is None:
            found = suggested.get(f"{where}{name}")
            found = either if name in ("tool", "joints") else found
            hint = f"; suggested: {found.text}" if found else ""
            words = CHOICES.get(name) or CHOICES["tool|joints"]
            yield f"{indent}{name}:  # {words}{hint}"
        else:
            value = list(value) if isinstance(value, tuple) else value
            yield f"{indent}{name}: {_plain(value)}"


def _plain(value: Any) -> str:
    """As a single line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
