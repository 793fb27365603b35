"""Pages that are made from the code, and documents as the website needs them."""

import re
from pathlib import Path

import pytest
import topic_page
import typer.main
from command_pages import command_list, command_pages
from github_markdown import for_python_markdown, links_of, with_links
from parameter_pages import NODES, parameter_pages
from pymdownx.slugs import slugify
from python_page import python_page
from site_map import (
    HOME,
    ROOT,
    BrokenLinkError,
    documents,
    is_outside,
    linked_file,
    moved_link,
)
from topic_page import TopicsError, topics_of, topics_page

import robot_vision as rv
from robot_vision.cli import app
from robot_vision.core.parameters.values import flatten

_FENCED = re.compile(r"^```.*?^```", re.M | re.S)
_FILE = re.compile(r"(?<![\w./-])((?:[\w-]+/)+[\w-]+\.(?:py|yaml|xml|json5?))\b")
# A module or room, as the pages for developers name them.
_MODULE = re.compile(r"`((?:[\w*]+/)+[\w*]*(?:\.[a-z]+)?)`")
_FOR_DEVELOPERS = ("ARCHITECTURE.md", "docs/extending.md")
_ELSEWHERE = {
    "tools/export_onnx.py": "YOLOX's",
    "tools/weigh_lightning.py": "of an earlier commit, which the document names",
    "config/NODE.yaml": "any node's",
    "robot_vision/commands/NAME.py": "a new one",
    "models/parts/model.yaml": "the reader's",
}


def test_the_page_of_topics_is_that_of_the_code() -> None:
    fresh = topics_page()
    command = "python tools/docs_site/topic_page.py > docs/topics.md"
    assert (ROOT / "docs/topics.md").read_text() == fresh, f"run: {command}"


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ("perception", {"rgb", "/tf_static", "~/prompt", "~/reset", "~/objects/json", "~/trace"}),
        ("policy", {"joint_states", "instruction", "~/enable", "~/command/pose", "~/action_spec"}),
        ("robot_sim", {"policy/command/twist", "wrist/rgb", "~/task", "/clock"}),
    ],
)
def test_topics_are_found_in_the_code(node: str, names: set[str]) -> None:
    assert names <= {topic.name for topic in topics_of(node)}


def test_a_topic_without_words_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = topic_page.WORDS.read_text().replace("  ~/trace: where", "  ~/track: where")
    (tmp_path / "words.yaml").write_text(words)
    monkeypatch.setattr(topic_page, "WORDS", tmp_path / "words.yaml")
    with pytest.raises(TopicsError, match=r"~/trace.*without code: \['~/track'\]"):
        topics_page()


def test_files_that_documents_name_are_there() -> None:
    package = ROOT / "robot_vision"
    rooms = {path.name for path in package.iterdir() if path.is_dir()}
    ours = {*rooms, "robot_vision", "test", "tools", "config", "docs", "examples", "launch"}
    pages = [page for page in documents() if page != "CHANGELOG.md"]  # which is of its time
    named = {(page, name) for page in pages for name in _FILE.findall((ROOT / page).read_text())}
    named |= {
        (page, name.rstrip("/"))
        for page in _FOR_DEVELOPERS
        for name in _MODULE.findall((ROOT / page).read_text())
    }
    assert len(named) > 300
    assert {
        (page, name)
        for page, name in named
        if name.partition("/")[0] in ours
        and name not in _ELSEWHERE
        and not any([*home.glob(name), *home.glob(f"{name}.py")] for home in (ROOT, package))
    } == set()


@pytest.mark.parametrize("node", NODES)
def test_a_page_has_every_parameter(node: str) -> None:
    page = parameter_pages()[node]
    names = re.findall(r"^\| `([\w.]+)` \|", page, re.M)
    assert sorted(names) == sorted(flatten(NODES[node]))


def test_every_command_has_its_place() -> None:
    root = typer.main.get_command(app)
    pages, listed = command_pages(), command_list()
    assert set(pages) == set(root.commands)  # pyright: ignore[reportAttributeAccessIssue]
    assert "`--golden`" in pages["replay"]
    assert "## robot-vision bench tracker" in pages["bench"]
    for page, anchor in re.findall(r"commands_(\w+)\.md#([\w-]+)", listed):
        assert anchor in anchors_of(pages[page])


def test_every_python_name_has_its_place() -> None:
    page = python_page()
    assert re.findall(r"^## rv\.(\w+)", page, re.M) == list(rv.__all__)
    assert "rv.load(" in page
    perception = page.partition("## rv.Perception\n")[2].partition("\n## ")[0]
    assert "| `detections` | `Detections` |" in perception, "an inherited field"


def anchors_of(text: str) -> set[str]:
    """Of the headings, as the website and GitHub name them."""
    slug = slugify(case="lower")
    prose = _FENCED.sub("", text)
    headings = re.findall(r"^#+ (.*)", prose, re.M)
    named = set(re.findall(r'<a id="([^"]+)">', prose))
    return named | {slug(re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading), "-") for heading in headings}


@pytest.mark.parametrize("file", documents())
def test_links_lead_somewhere(file: str) -> None:
    for target in links_of((ROOT / file).read_text()):
        name, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = linked_file(target, file=file) if name else file
        if anchor and linked.endswith(".md"):
            assert anchor in anchors_of((ROOT / linked).read_text()), target


def test_links_are_found() -> None:
    assert len(links_of((ROOT / HOME).read_text())) > 10
    assert links_of("a [b](c.md#d) `[e](f)`\n```\n[g](h)\n```\n![i](j.png)") == [
        "c.md#d",
        "j.png",
    ]


def test_a_link_to_nothing_is_an_error() -> None:
    with pytest.raises(BrokenLinkError, match=r"docs/a.md links to nowhere.md: docs/nowhere.md"):
        linked_file("nowhere.md", file="docs/a.md")
    with pytest.raises(BrokenLinkError, match="does not exist"):
        linked_file("../../outside", file="docs/a.md")


def test_links_move_with_their_pages() -> None:
    assert moved_link("docs/policy.md#safety", file=HOME) == "policy.md#safety"
    assert moved_link("../README.md", file="docs/policy.md") == "index.md"
    assert moved_link("../../README.ko.md", file="docs/ko/getting_started.md") == "index.md"
    assert moved_link("README.ko.md", file=HOME) == "ko/index.md"
    target = "../config/perception.yaml"
    assert moved_link(target, file="docs/policy.md") == "repository/config/perception.yaml.md"
    assert moved_link("docs/policy.md", file="ARCHITECTURE.md") == "../policy.md"
    assert is_outside("https://example.org")
    assert (
        with_links("see [x](a.md) and `[x](a.md)`", str.upper) == "see [x](A.MD) and `[x](a.md)`"
    )


def test_lists_and_tables_are_read_as_on_github() -> None:
    text = "words:\n- one\n  goes on\n- two\n  ```\n  code\n  ```\nwords\n| a |\n|---|\n| b |"
    assert for_python_markdown(text).split("\n") == [
        "words:",
        "",
        "- one",
        "    goes on",
        "- two",
        "    ```",
        "    code",
        "    ```",
        "words",
        "",
        "| a |",
        "|---|",
        "| b |",
    ]


def test_messages_of_the_page_of_symptoms_are_those_of_the_code() -> None:
    """The first column of its tables: what nodes say, `…` for what differs."""
    code = "\n".join(p.read_text() for p in (ROOT / "robot_vision").rglob("*.py"))
    code = re.sub(r'"\s*\n\s*f?"', "", code)  # texts that go on in the next line
    page = (ROOT / "docs/troubleshooting.md").read_text()
    cells = re.findall(r"^\| (.*?) \|", page, re.M)
    said = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    assert len(said) > 15
    for text in said:
        for part in text.split("…"):
            assert part.strip() in code, f"nothing says {part.strip()!r}"
