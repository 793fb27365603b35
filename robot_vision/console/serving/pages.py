"""The console's pages: the head and the bar that they share, around a body from `static/`."""

from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parents[1] / "static"


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page at `path`, whose body is the file `body`.

    CSS knows it by its `name`. `link` is its name in the bar; a page without one has no bar.
    `skip` is for keyboards: the id of the element that they jump to, and the words for it.
    """

    path: str
    body: str
    name: str
    title: str
    styles: tuple[str, ...]
    modules: tuple[str, ...]
    link: str = ""
    skip: tuple[str, str] = ("", "")


PAGES = (
    Page(
        path="/",
        body="index.html",
        name="live",
        title="live",
        link="Live",
        styles=("live.css", "words_panel.css", "segment.css"),
        modules=("live.js",),
        skip=("control", "Skip to arm control"),
    ),
    Page(
        path="/analyze",
        body="analyze.html",
        name="analyze",
        title="analyse",
        link="Analyse",
        styles=("analyze.css", "segment.css"),
        modules=("analyze.js", "segment_picture.js"),
        skip=("choose", "Skip to choosing a picture"),
    ),
    Page(
        path="/why",
        body="why.html",
        name="why",
        title="why",
        link="Why",
        styles=("why.css",),
        modules=("why.js",),
        skip=("ways", "Skip to choosing methods"),
    ),
    Page(
        path="/models",
        body="models.html",
        name="models",
        title="models",
        link="Models",
        styles=("models.css",),
        modules=("models.js",),
        skip=("picture-choice", "Skip to choosing a picture"),
    ),
    Page(
        path="/login",
        body="login.html",
        name="login",
        title="log in",
        styles=("analyze.css",),
        modules=("login.js",),
    ),
)


def page_html(page: Page) -> str:
    """The whole page."""
    bar = f"{_skip_link(page)}{_bar(page)}" if page.link else ""
    body = (STATIC / page.body).read_text(encoding="utf-8")
    return f"""\
<!doctype html>
<html lang="en" data-theme="light">
{_head(page)}
<body data-page="{page.name}">
{bar}{body}</body>
</html>
"""


def _head(page: Page) -> str:
    styles = "\n".join(f'<link rel="stylesheet" href="/static/{name}">' for name in page.styles)
    modules = "\n".join(
        f'<script type="module" src="/static/{name}"></script>' for name in page.modules
    )
    return f"""\
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<title>robot_vision: {page.title}</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/base.css">
{styles}
<script src="/static/theme.js"></script>
{modules}
</head>"""


def _skip_link(page: Page) -> str:
    target, words = page.skip
    return f'<a class="skip" href="#{target}">{words}</a>\n'


def _bar(page: Page) -> str:
    links = "\n".join(
        f'    <a href="{other.path}"{_current(other is page)}>{other.link}</a>'
        for other in PAGES
        if other.link
    )
    return f"""\
<header class="bar">
  <h1>robot_vision</h1>
  <nav aria-label="Pages">
{links}
  </nav>
  <p class="pill" id="link" data-level="warn"><svg></svg><span>Connecting</span></p>
  <p class="facts" id="facts"></p>
  <button type="button" class="theme" id="theme" title="Light or dark">Dark</button>
</header>
"""


def _current(is_current: bool) -> str:
    return ' aria-current="page"' if is_current else ""
