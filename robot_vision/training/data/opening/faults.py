"""Faults of a set: gathered while it is read and checked, or raised at once."""

import logging
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import LONGEST_LINE, brief

_log = logging.getLogger(__name__)
MOST_EXAMPLES = 5


class Fault(Enum):
    """Kinds of faults, worst first: their descriptions, and whether training refuses them."""

    OUTSIDE = ("files that are not below the set", True)
    LABELS_UNREADABLE = ("labels that cannot be read", True)
    IMAGE_MISSING = ("images that are missing", True)
    IMAGE_UNREADABLE = ("images that cannot be read", True)
    CLASS_WITHOUT_NAME = ("class ids without a name", True)
    MASK_SIZE = ("masks of another size than their image", True)
    IMAGE_SIZE = ("images of another size than their labels say", False)
    NAME_TWICE = ("names that two classes share", False)
    IN_TWO_SPLITS = ("images in more than one of train, val and test", False)
    CLASS_EMPTY = ("classes without any example", False)
    LABELS_WITHOUT_IMAGE = ("labels without an image", False)
    IMAGE_WITHOUT_LABELS = ("images without labels", False)
    BOX_WITHOUT_AREA = ("boxes without area", False)
    BOX_BEYOND = ("boxes beyond their image", False)
    BOX_TWICE = ("duplicate boxes", False)
    PICTURE_TWICE = ("duplicate pictures", False)
    CLASS_RARE = ("classes with less than a hundredth of the examples of another", False)
    NAME_ALIKE = ("names that differ only in capitals, spaces or dashes", False)
    SIZES_VARY = ("images more than ten times as large as others", False)
    NOT_READ = ("links, and pictures of unsupported kinds", False)

    def __init__(self, words: str, is_refused: bool) -> None:
        self.words = words
        self.is_refused = is_refused


@dataclass(frozen=True, kw_only=True)
class Finding:
    """All faults of one kind in a set, with a few of them as examples."""

    fault: Fault
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        more = "; …" if self.count > len(self.examples) else ""
        return f"{self.fault.words}: {self.count} ({'; '.join(self.examples)}{more})"


class Faults:
    """Gathers the faults of the set in `root`; with `strict`, training's, it raises the first
    that training refuses, as `ConfigError`."""

    def __init__(self, root: Path, *, strict: bool) -> None:
        self._root = root
        self._strict = strict
        self._found: dict[Fault, dict[str, None]] = {}

    def add(self, fault: Fault, where: object, why: object = "") -> None:
        """Record a fault of a file or a name; repeated ones count once."""
        said = f"{self._short(where)}: {why}" if why else self._short(where)
        if self._strict and fault.is_refused:
            raise ConfigError(
                f"{self._root}: {fault.words}: {brief(said, most=LONGEST_LINE)}; "
                f"`robot-vision data check {self._root}` lists all faults"
            )
        self._found.setdefault(fault, {})[said] = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The faults found, worst first."""
        return tuple(
            Finding(
                fault=fault,
                count=len(self._found[fault]),
                examples=tuple(brief(said) for said in islice(self._found[fault], MOST_EXAMPLES)),
            )
            for fault in Fault
            if fault in self._found
        )

    def log(self) -> None:
        """Log the faults that training tolerates: a line for each kind."""
        for finding in self.findings:
            _log.warning("%s: %s", self._root, finding)

    def _short(self, where: object) -> str:
        if isinstance(where, Path) and where.is_relative_to(self._root):
            return str(where.relative_to(self._root))
        return str(where)
