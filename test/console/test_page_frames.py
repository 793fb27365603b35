"""The pages as they are served: one head and one bar around the body of each."""

import re

import httpx
import pytest
from console_rig import console_rig

from robot_vision.console.serving.pages import PAGES, STATIC, Page, page_html


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Page) -> None:
    html = page_html(page)
    for name in re.findall(r'(?:href|src)="/static/([^"]+)"', html):
        assert (STATIC / name).is_file(), name
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    if page.link:
        assert page.skip[0] in ids


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_bar_links_all_pages_and_marks_this_one(page: Page) -> None:
    html = page_html(page)
    bars = re.findall(r"<nav.*?</nav>", html, re.DOTALL)
    if not page.link:
        assert bars == []
        return
    (bar,) = bars
    links = dict(re.findall(r'<a href="([^"]+)"( aria-current="page")?>', bar))
    assert list(links) == [other.path for other in PAGES if other.link]
    assert [path for path, current in links.items() if current] == [page.path]


def test_pages_are_served() -> None:
    with console_rig(feed=False) as rig:
        for page in PAGES:
            answer = httpx.get(f"{rig.url}{page.path}")
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/html")
            assert answer.text == page_html(page)
