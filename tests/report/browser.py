"""Debian's Chromium, for tests of what a page does; a test without it is skipped."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Visit", "chromium", "visit"]

_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass
class Visit:
    """A page that was opened from a file, and what it did besides being seen.

    Attributes:
        page: Playwright's.
        requests: for whatever the page asked beyond its own file.
        complaints: on the console, and what its script threw.
    """

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """What the page's policy had to forbid."""
        return list(self.page.evaluate("window.violations"))

    def part(self, feature: int) -> Any:
        """The first element of a feature in the prompt."""
        return self.page.locator(f"[data-f='{feature}']").first

    def names(self, selector: str) -> list[int]:
        """The features of the elements that a selector finds in the prompt, each once."""
        script = "found => [...new Set(found.map(each => Number(each.dataset.f)))]"
        return list(self.page.eval_on_selector_all(f"{selector}[data-f]", script))

    def settle(self) -> None:
        """Waits until what was asked for is drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
        )

    def prediction(self) -> float:
        """The number that the page predicts, unrounded."""
        return float(self.page.locator("#now").get_attribute("data-value"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running browser."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed: `apt-get install chromium`.")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Opens a page from a file; any request beyond that file is noted and refused."""
    contexts = []

    def opened(html: str, **settings: Any) -> Visit:
        file = tmp_path / f"report_{len(contexts)}.html"
        file.write_text(html, encoding="utf-8")
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        seen = Visit(context.new_page())

        def asked(route: Any) -> None:
            if route.request.url == file.as_uri():
                route.continue_()
            else:
                seen.requests.append(route.request.url)
                route.abort()

        context.route("**/*", asked)
        seen.page.add_init_script(_WATCH)
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.goto(file.as_uri())
        return seen

    yield opened
    for context in contexts:
        context.close()
