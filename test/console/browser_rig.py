"""Pages in a real browser: what they say is read as a person would, and what they complain of."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
JPEG_QUALITY = 62
WAIT_MS = 60_000

# Contrast of each text with what is behind it, by WCAG 2.1; colours with alpha are blended.
_CONTRASTS = """() => {
  const channels = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => {
    const mix = [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
    return [...mix, 1];
  };
  const ground = (element) => {
    if (!element) return [255, 255, 255, 1];
    const color = channels(getComputedStyle(element).backgroundColor);
    return color[3] >= 1 ? color : over(color, ground(element.parentElement));
  };
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((value) => {
      const c = value / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const texts = [...element.childNodes].filter((n) => n.nodeType === 3 && n.data.trim());
    if (!texts.length || !element.checkVisibility() || element.closest('svg')) continue;
    const below = ground(element);
    const [a, b] = [luminance(over(channels(getComputedStyle(element).color), below)),
      luminance(below)].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), texts[0].data.trim()]);
  }
  return found;
}"""


class Complaints(list[str]):
    """What a page writes to its console: errors, warnings, violations of the security policy."""

    def listen(self, page: Any) -> None:
        page.on("console", lambda message: self._add(message.type, message.text))
        page.on("pageerror", lambda error: self.append(f"exception: {error}"))

    def _add(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.append(f"{kind}: {text}")


@contextmanager
def opened(
    chromium: Any, url: str, *, size: Any = DESKTOP, theme: str = "light", quiet: bool = True
) -> Iterator[Any]:
    """A page in a profile of its own. With `quiet` it must end without a complaint."""
    context = chromium.new_context(
        viewport=size, color_scheme=theme, reduced_motion="reduce", accept_downloads=True
    )
    context.set_default_timeout(WAIT_MS)
    page, complaints = context.new_page(), Complaints()
    complaints.listen(page)
    try:
        page.goto(url)
        yield page
        assert not quiet or complaints == []
    finally:
        context.close()


def wait_for_text(page: Any, selector: str, text: str, *, timeout_ms: float = WAIT_MS) -> None:
    """Until an element that is shown has the text in it."""
    page.locator(selector, has_text=text).first.wait_for(timeout=timeout_ms)


def wait_until_true(page: Any, expression: str, *, timeout_s: float = WAIT_MS / 1e3) -> None:
    """Until JavaScript is true. The page's policy forbids Playwright's own way, which is eval."""
    until_s = monotonic() + timeout_s
    while not page.evaluate(expression):
        assert monotonic() < until_s, f"not within {timeout_s} s: {expression}"
        page.wait_for_timeout(20)


def low_contrasts(page: Any, *, least: float = 4.5) -> list[tuple[float, str]]:
    """Texts that are shown with less contrast than `least`."""
    return [(ratio, text) for ratio, text in page.evaluate(_CONTRASTS) if ratio < least]


def overflow_px(page: Any) -> int:
    """How far the page is wider than the screen."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def shoot(page: Any, path: Path) -> None:
    """The whole page: the screen becomes as high as it is, as views out of sight rest."""
    for _ in range(2):
        height_px = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height_px})
        page.wait_for_timeout(1500)
    page.screenshot(path=path, type="jpeg", quality=JPEG_QUALITY)
