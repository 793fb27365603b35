"""A Korean page has what its English page has: code, headings, links, names, figures."""

import re
from collections import Counter
from difflib import ndiff

import pytest
from github_markdown import links_of
from site_map import ROOT, is_outside, linked_file

KOREAN = {  # page: its translation
    "README.md": "README.ko.md",
    **{
        f"docs/{path.name}": f"docs/ko/{path.name}"
        for path in sorted((ROOT / "docs/ko").glob("*.md"))
    },
}
_BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
_COMMENT = re.compile(r"(?:^|(?<=\s))# .*$", re.M)
_LANGUAGES = re.compile(r"^(?:English|\[English\]\(\S+\)) · (?:한국어|\[한국어\]\(\S+\))$", re.M)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def test_what_newcomers_read_is_translated() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("getting_started*.md")}
    assert pages == {path.name for path in (ROOT / "docs/ko").glob("*.md")}


@pytest.mark.parametrize("page", KOREAN)
def test_languages_link_to_each_other(page: str) -> None:
    for file, other in ((page, KOREAN[page]), (KOREAN[page], page)):
        lines = _LANGUAGES.findall((ROOT / file).read_text())
        assert len(lines) == 1, f"{file} needs one line 'English · 한국어' with a link to {other}"
        assert [linked_file(link, file=file) for link in links_of(lines[0])] == [other]


@pytest.mark.parametrize("page", KOREAN)
def test_a_korean_page_has_what_the_english_has(page: str) -> None:
    english, korean = (ROOT / page).read_text(), (ROOT / KOREAN[page]).read_text()
    found = differences(english, korean, page=page)
    assert not found, "\n".join(found)


CHANGES = [
    ("make demo ", "make show ", "code: 'make show      # …'"),
    ("\n## Where to go on", "\n### Where to go on", "headings: '###'"),
    ("(docs/soak.md)", "(docs/topics.md)", "links: 'docs/topics.md'"),
    ("`out/demo`", "`out/show`", "names: '`out/show`'"),
    ("16.9 ms", "17.9 ms", "figures: '17.9'"),
    ("| tracking |", "| tracking | new |", "cells in a row: '4'"),
    ("\n- Getting started:", "\n- new\n- Getting started:", "items: '-'"),
]


@pytest.mark.parametrize(("old", "new", "said"), CHANGES, ids=[said for _, _, said in CHANGES])
def test_a_change_of_the_english_page_alone_is_found(old: str, new: str, said: str) -> None:
    english, korean = (ROOT / "README.md").read_text(), (ROOT / "README.ko.md").read_text()
    assert old in english
    found = differences(english.replace(old, new), korean, page="README.md")
    assert f"{said} is in README.md, not in README.ko.md" in found


def differences(english: str, korean: str, *, page: str) -> list[str]:
    """What only one of the two pages has."""
    translation = KOREAN[page]
    wanted, found = parts_of(english, file=page), parts_of(korean, file=translation)
    wanted["links"] = sorted(KOREAN.get(link, link) for link in wanted["links"])
    # Korean writes "ten classes" as 10.
    common = Counter(found["figures"]) & Counter(wanted["figures"])
    found["figures"] = sorted(common.elements())
    places = {"-": f"{page}, not in {translation}", "+": f"{translation}, not in {page}"}
    return [
        f"{kind}: {line[2:]!r} is in {places[line[0]]}"
        for kind in wanted
        for line in ndiff(wanted[kind], found[kind])
        if line[0] in places
    ]


def parts_of(text: str, *, file: str) -> dict[str, list[str]]:
    """What a translation keeps: sorted where its sentences may have another order."""
    text = _LANGUAGES.sub("", text)
    code = "\n".join(_BLOCK.findall(text))
    prose = _BLOCK.sub("", text)
    rows = re.findall(r"^\|.*", prose, re.M)
    return {
        "code": _COMMENT.sub("# …", code).splitlines(),
        "headings": re.findall(r"^#+(?= )", prose, re.M),
        "cells in a row": [str(row.count("|") - 1) for row in rows],
        "items": re.findall(r"^-(?= )", prose, re.M),
        "links": sorted(_from_root(link, file=file) for link in links_of(prose)),
        "names": sorted(re.findall(r"`[^`\n]+`", prose)),
        "figures": sorted(_NUMBER.findall(prose)),
    }


def _from_root(link: str, *, file: str) -> str:
    name, mark, anchor = link.partition("#")
    return link if is_outside(link) else linked_file(name, file=file) + mark + anchor
