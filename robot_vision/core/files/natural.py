"""Natural sort order of file names: 2 before 10."""

import re
from pathlib import Path

_DIGITS = re.compile(r"([0-9]+)")


def natural(path: Path) -> tuple[tuple[tuple[str, int, str], ...], str]:
    """A sort key for names; digits within it compare as numbers."""
    parts = _DIGITS.split(path.name)
    texts, digits = parts[::2], [*parts[1::2], ""]
    numbers = [digit.lstrip("0") for digit in digits]
    key = tuple((t, len(n), n) for t, n in zip(texts, numbers, strict=True))
    return key, path.name
