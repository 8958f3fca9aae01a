"""A real browser for pages: Debian's Chromium, driven by Playwright, and what its readers would meet."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DESK, PHONE = (1280, 900), (390, 844)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Every text with the colours it is painted in: [text, ratio, needed].
CONTRASTS = """
() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement, style = getComputedStyle(element);
    if (!node.data.trim() || !element.getClientRects().length) continue;
    const inPicture = element.closest("svg");
    const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    const needed = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    found.push([node.data.trim(), ratio(parse(inPicture ? style.fill : style.color), ground(element)), needed]);
  }
  return found;
}
"""


# Which stop this is; one that was there before, or none, ends the journey.
FOCUSED = """
() => {
  const at = document.activeElement, before = window.reached.indexOf(at);
  if (at === document.body || before >= 0) return Math.max(before, 0);
  return window.reached.push(at) - 1;
}
"""


@dataclass(frozen=True)
class Stop:
    """An element that the keyboard reached."""

    name: str
    outlined: bool
    page: Any
    number: int

    def matches(self, selector: str) -> bool:
        return bool(self.page.evaluate("([n, what]) => window.reached[n].matches(what)", [self.number, selector]))


class Reader:
    """One open page, and what went wrong or left the house while it was read."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda told: told.type in ("error", "warning") and self.complaints.append(told.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def faint(self) -> list[str]:
        """Texts that do not stand out enough (WCAG 2.2, AA)."""
        measured = self.page.evaluate(CONTRASTS)
        assert measured
        return [f"{text!r} has {ratio:.2f} of {needed}" for text, ratio, needed in measured if ratio < needed]

    def unfold(self) -> None:
        """Open all that is folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")

    def overflow(self) -> int:
        """Pixels that the page is wider than the screen."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def tab_stops(self, most: int = 400) -> list["Stop"]:
        """What the Tab key reaches, in its order, until it leaves the page."""
        stops: list[Stop] = []
        self.page.evaluate("window.reached = []")
        for _ in range(most):
            self.page.keyboard.press("Tab")
            number = self.page.evaluate(FOCUSED)
            if number < len(stops):
                break
            name, outlined = self.page.evaluate(
                "(n) => { const at = window.reached[n]; return [`${at.tagName} ${at.textContent.trim()}`, "
                "getComputedStyle(at).outlineStyle !== 'none'] }",
                number,
            )
            stops.append(Stop(name, outlined, self.page, number))
        return stops


class Browser:
    """Opens pages in as many ways as people do."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    @contextmanager
    def open(
        self, path: Path, size: tuple[int, int] = DESK, *, dark: bool = False, javascript: bool = True
    ) -> Iterator[Reader]:
        context = self._chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
        )
        try:
            reader = Reader(context.new_page())
            reader.page.goto(path.resolve().as_uri())
            yield reader
        finally:
            context.close()


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Start the browser, or skip with the reason. Close it before another module's tests: it keeps an event loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = os.environ.get("LEADSCORE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium is here (Debian: apt-get install chromium; LEADSCORE_CHROMIUM names another)")
    with playwright.sync_playwright() as driver:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses its sandbox to root
        chromium = driver.chromium.launch(executable_path=path, args=sandbox)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
