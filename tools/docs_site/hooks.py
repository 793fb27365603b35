"""What mkdocs calls while it builds the website: pages that are made, links that are moved.

The home pages are README.md and, in Korean, README.ko.md. `reference/` is made from the code,
`repository/` has the files that documents link to. Nothing of it is committed.
"""

import re
from pathlib import Path
from typing import Any

from command_pages import command_list, command_pages
from github_markdown import for_python_markdown, links_of, with_links
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from parameter_pages import parameter_pages
from python_page import python_page
from site_map import HOME_PAGES, ROOT, documents, is_outside, linked_file, moved_link, page_of

_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".xml": "xml", ".sh": "sh"}
_MOST_BYTES = 200_000


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation's Reference with the pages that are made."""
    for entry in config.nav or []:
        if "Reference" in entry:
            entry["Reference"] = _reference_nav()
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files below docs/."""
    for name, content in _reference().items():
        files.append(File.generated(config, name, content=content))
    todo = documents()
    seen = set(todo)
    for file in todo:  # grows while it is gone through
        if not file.startswith("docs/"):
            page = File.generated(config, page_of(file), content=_content(file))
            files.append(page)
        if not file.endswith(".md"):
            continue
        for target in links_of((ROOT / file).read_text()):
            linked = "" if is_outside(target) else linked_file(target, file=file)
            if linked and not linked.startswith("docs/") and linked not in seen:
                seen.add(linked)
                todo.append(linked)
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Documents are written for GitHub: move their links, and what Python-Markdown reads else."""
    name = page.file.src_uri
    homes = {home: file for file, home in HOME_PAGES.items()}
    if name in homes:
        file = homes[name]
    elif name.startswith("repository/"):
        file = name.removeprefix("repository/")
    elif name.startswith("reference/"):
        return markdown
    else:
        file = f"docs/{name}"
    if (ROOT / file).is_file():
        markdown = with_links(markdown, lambda target: moved_link(target, file=file))
    return for_python_markdown(markdown)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Browsers choose fonts and break lines by the language of a page."""
    if page.file.src_uri.startswith("ko/"):
        return output.replace('<html lang="en"', '<html lang="ko"', 1)
    return output


def _content(file: str) -> str:
    """A document as it is; any other file as a block of code, a folder as a list of its files."""
    path = ROOT / file
    if path.is_dir():
        names = sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())
        return f"# {file}\n\n" + "\n".join(f"- `{name}`" for name in names) + "\n"
    text = path.read_text()
    if path.suffix == ".md":
        return text
    if len(text) > _MOST_BYTES:
        text = text[:_MOST_BYTES] + "\n…\n"
    fence = "`" * (max(map(len, re.findall("`+", text)), default=2) + 1)
    fence = fence if len(fence) > 2 else "```"
    return f"# {file}\n\n{fence}{_LANGUAGES.get(Path(file).suffix, 'text')}\n{text}{fence}\n"


def _reference() -> dict[str, str]:
    pages = {f"reference/parameters_{n}.md": text for n, text in parameter_pages().items()}
    pages["reference/commands.md"] = command_list()
    pages |= {f"reference/commands_{name}.md": text for name, text in command_pages().items()}
    pages["reference/python.md"] = python_page()
    return pages


def _reference_nav() -> list[Any]:
    def titled(kind: str) -> list[Any]:
        pages = sorted(name for name in _reference() if name.startswith(f"reference/{kind}_"))
        return [{n.removeprefix(f"reference/{kind}_").removesuffix(".md"): n} for n in pages]

    return [
        {"Topics and services": "topics.md"},
        {"Parameters": titled("parameters")},
        {"Commands": ["reference/commands.md", *titled("commands")]},
        {"Python": ["python.md", "reference/python.md"]},
    ]
