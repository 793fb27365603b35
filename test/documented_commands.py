"""Commands as documents, images and workflows write them: one list of words each."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*(ROOT / name for name in ("README.md", "README.ko.md", "CONTRIBUTING.md"))]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))
WORKFLOWS = [ROOT / "examples/ci/replay.yml", ROOT / ".github/workflows/ci.yml"]
COMPOSE, DOCKERFILE = ROOT / "docker/compose.yaml", ROOT / "docker/Dockerfile"
_FENCE = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_SEPARATORS = {"&&", "||", ";", "|", "&"}
_ELLIPSES = {"…", "...", "…]"}


@dataclass(frozen=True, kw_only=True)
class Written:
    """`is_whole`: as somebody would type it; else only the beginning may be mentioned."""

    where: str
    words: tuple[str, ...]
    is_whole: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {' '.join(self.words)}"


def all_commands() -> list[Written]:
    written: list[Written] = []
    for path in DOCUMENTS:
        text = path.read_text()
        for block in _FENCE.findall(text):
            written += _commands(block, where=path.name)
        for code in _INLINE.findall(_FENCE.sub("", text)):
            written += _commands(code, where=path.name, is_whole=False)
    for path in WORKFLOWS:
        for script in _scripts(yaml.safe_load(path.read_text())):
            written += _commands(script, where=path.name)
    for service in yaml.safe_load(COMPOSE.read_text())["services"].values():
        words = tuple(_with_default(word) for word in service.get("command", ()))
        if words:
            written.append(Written(where=COMPOSE.name, words=words))
    for line in re.findall(r"^CMD (\[.*\])", DOCKERFILE.read_text(), re.MULTILINE):
        written.append(Written(where=DOCKERFILE.name, words=tuple(json.loads(line))))
    for path in (COMPOSE, DOCKERFILE):
        for line in re.findall(r"^#\s+(docker .*)", path.read_text(), re.MULTILINE):
            written += _commands(line.partition("   ")[0], where=path.name)
    return written


def after(program: str, *, among: list[Written]) -> list[Written]:
    """Commands that call the program, from the word after it on."""
    found = []
    for one in among:
        for at, word in enumerate(one.words):
            if word == program or word.endswith((f"/{program}", f" {program})")):
                rest = one.words[at + 1 :]
                found.append(Written(where=one.where, words=rest, is_whole=one.is_whole))
                break
    return found


def _commands(script: str, *, where: str, is_whole: bool = True) -> Iterator[Written]:
    joined = script.replace("\\\n", " ")
    for line in joined.splitlines():
        try:
            lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:  # no command: an apostrophe in words, a snippet of code
            continue
        start = 0
        for at, word in enumerate([*words, ";"]):
            if word in _SEPARATORS:
                kept = tuple(w for w in words[start:at] if w not in _ELLIPSES)
                if kept:
                    cut = len(kept) < at - start
                    yield Written(where=where, words=kept, is_whole=is_whole and not cut)
                start = at + 1


def _scripts(node: object) -> Iterator[str]:
    """Every `run:` of a workflow."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "run" and isinstance(value, str):
                yield value
            else:
                yield from _scripts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _scripts(value)


def _with_default(word: str) -> str:
    """`${NAME:-default}` of a compose file becomes its default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word)
