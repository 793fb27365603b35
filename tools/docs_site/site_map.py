"""Where each file of the repository is on the website, and how pages link to each other."""

import os
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
DOCS = PurePosixPath("docs")
HOME = "README.md"
HOME_PAGES = {HOME: "index.md", "README.ko.md": "ko/index.md"}


class BrokenLinkError(Exception):
    """A document links to a file that the repository does not have."""


def page_of(file: str) -> str:
    """The page of a file, relative to the site: README.md is the home page, docs/ its root."""
    path = PurePosixPath(file)
    if file in HOME_PAGES:
        return HOME_PAGES[file]
    if path.is_relative_to(DOCS):
        return str(path.relative_to(DOCS))
    return f"repository/{file}" if path.suffix == ".md" else f"repository/{file}.md"


def documents() -> list[str]:
    """Every document that the website has whether or not another links to it."""
    below = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / DOCS).rglob("*.md"))
    return [*HOME_PAGES, "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", *below]


def is_outside(target: str) -> bool:
    """Whether a link leaves the repository, or stays on its page."""
    return "://" in target or target.startswith(("#", "mailto:"))


def linked_file(target: str, *, file: str) -> str:
    """The file that a link of another file leads to. Raises `BrokenLinkError`."""
    name = target.partition("#")[0]
    path = os.path.normpath((PurePosixPath(file).parent / name).as_posix())
    if path.startswith("..") or not (ROOT / path).exists():
        raise BrokenLinkError(f"{file} links to {target}: {path} does not exist")
    return path


def moved_link(target: str, *, file: str) -> str:
    """The link as it is on the website."""
    if is_outside(target):
        return target
    anchor = target.partition("#")[1] + target.partition("#")[2]
    page = page_of(linked_file(target, file=file))
    here = PurePosixPath(page_of(file)).parent
    return os.path.relpath(page, here) + anchor
