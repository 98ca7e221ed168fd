"""The documentation: its code runs, its site builds, its links lead somewhere, all is its own."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

import spex_api as spex
from spex_api.cli.app import run
from spex_api.report.interplay import Interplay
from spex_api.report.plots.kinds import KINDS
from spex_api.spec import read_spec
from spex_api.testing import FaultServer, FunctionAdapter, known_words
from tests.code_blocks import Block, blocks, execute
from tests.report.browser import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chromium"]

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
NOT_RUN = "Not run by the tests: "
"""How a block's title begins that cannot be run by a test; the reader sees it."""
SCRIPTS = sorted(
    path for path in (DOCS / "pictures").glob("*.py") if "\nif __name__" in path.read_text("utf-8")
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a server on loopback that answers as OpenAI's would."""
    with FaultServer.in_thread() as server:
        yield server.openai_url


@pytest.fixture
def desk(endpoint, tmp_path, monkeypatch) -> Path:
    """A reader's folder, where `openai:` reaches the server on loopback and nobody else."""
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-reader")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def follow(block: Block, namespace: dict[str, object]) -> None:
    """Does what a reader would do with a block: saves a file, runs code, gives a command."""
    if block.title:
        Path(block.title).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        execute(block, namespace)
    if block.language == "console":
        for line in block.text.splitlines():
            mark, command, *arguments = shlex.split(line, comments=True)
            assert mark == "$", f"{block}: a command begins with $"
            assert obeyed(command, arguments) == 0, f"{block}: {line}"
    if block.language == "toml" and block.title == "pyproject.toml":
        entry = tomllib.loads(block.text)["project"]["entry-points"]["spex_api.adapters"]
        assert all(":" in place for place in entry.values())
    elif block.language == "toml":
        assert read_spec(Path(block.title)).prompt


def obeyed(command: str, arguments: list[str]) -> int:
    """The exit status of a command."""
    if command == "spex":
        return run(arguments)
    assert command == "python"
    return subprocess.run([sys.executable, *arguments], check=False).returncode


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_does_what_it_says(page, desk, monkeypatch, capsys):
    """In order and in one folder: Python runs, commands succeed, spec files are understood."""
    loaded = set(sys.modules)
    namespace: dict[str, object] = {}
    for block in blocks(page):
        if not block.title.startswith(NOT_RUN):
            follow(block, namespace)
    for name in set(sys.modules) - loaded:
        if getattr(sys.modules[name], "__file__", None) == str(desk / f"{name}.py"):
            monkeypatch.delitem(sys.modules, name)


def test_blocks_that_are_not_run_are_rare():
    """Every fence has a language that the test above knows; at most two blocks are not run."""
    every = [block for page in PAGES for block in blocks(page)]
    assert len(every) == sum(page.read_text("utf-8").count("\n```") for page in PAGES) / 2
    assert {block.language for block in every} == {"python", "console", "toml"}
    assert sum(block.title.startswith(NOT_RUN) for block in every) <= 2


def test_every_page_is_in_the_navigation():
    """No page is left out, and none that there is not is named."""
    nav = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"]
    assert sorted(page for entry in nav for page in entry.values()) == [p.name for p in PAGES]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_pictures_come_from_their_scripts(script, tmp_path, monkeypatch):
    """Each script draws its two pictures with the texts, and so the numbers, that are committed."""
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    monkeypatch.syspath_prepend(script.parent)
    for name in ("drawing", "flow"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    runpy.run_path(str(script), run_name="__main__")
    drawn = sorted(tmp_path.glob("*.svg"))
    assert [path.name for path in drawn] == [
        f"{script.stem}-{way}.svg" for way in ("dark", "light")
    ]
    for path in drawn:
        assert texts(path) == texts(DOCS / "assets" / "pictures" / path.name)


def texts(picture: Path) -> list[str]:
    """What a picture says in words and numbers."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.read_text("utf-8"))


def test_every_picture_has_its_script():
    """None is left over from a script that is gone."""
    names = {path.stem.rpartition("-")[0] for path in (DOCS / "assets" / "pictures").iterdir()}
    assert names == {script.stem for script in SCRIPTS}


def test_the_headings_of_a_report_are_told():
    """What the page on reports names is what a report has, and so are its words and its plots."""
    told = (DOCS / "reading-a-report.md").read_text(encoding="utf-8")
    prompt = spex.Prompt.from_template("Which? {text}", text="It never fails", split="words")
    model = FunctionAdapter(known_words())
    report = spex.explain_sync(prompt, model, score=["positive", "negative"]).to_html()
    headings = re.findall(r"^\| \*\*(.*?)\*\* \|", told, re.MULTILINE)
    assert len(headings) > 9
    assert [heading for heading in headings if f">{heading}" not in report] == []
    words = re.findall(r"^\| \*([a-z ]+)\* \| (.*) \|$", told, re.MULTILINE)
    assert words == [(str(word), word.meaning) for word in Interplay]
    assert set(re.findall(r"^\| `([a-z]+)` \|", told, re.MULTILINE)) == set(KINDS)


class Seen(HTMLParser):
    """What a page names, loads and links to."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what a tag says."""
        said = {name: value or "" for name, value in attrs}
        self.names |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.linked.append(said["href"])
        elif tag == "link" and said.get("rel") not in {"canonical", "next", "prev"}:
            self.loaded.append(said["href"])
        elif "src" in said:
            self.loaded.append(said["src"])
            if tag == "img" and not said.get("alt") and not said["src"].endswith("#only-dark"):
                self.silent.append(said["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site, outside the repository."""
    if importlib.util.find_spec("zensical") is None:
        pytest.skip("the site needs zensical, of the extra `dev`")
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(DOCS, folder / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "zensical.toml", folder)
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert "arning" not in built.stdout + built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def seen(site) -> dict[Path, Seen]:
    """What each built page names, loads and links to."""
    pages = {}
    for path in sorted(site.glob("*.html")):
        pages[path] = Seen()
        pages[path].feed(path.read_text(encoding="utf-8"))
    return pages


def test_the_site_has_every_page(site, seen):
    """A page of HTML for each of Markdown, and nothing of the scripts that draw."""
    assert {path.stem for path in seen} == {page.stem for page in PAGES} | {"404"}
    assert not list(site.rglob("*.py"))
    assert json.loads((site / "search.json").read_text(encoding="utf-8"))


def test_nothing_foreign_is_loaded(site, seen):
    """Scripts, styles, fonts and pictures stand in the site itself, and are there."""
    for path, page in seen.items():
        assert not page.silent, f"{path.name}: pictures without words"
        for address in page.loaded:
            parts = urlsplit(address)
            assert not parts.scheme or parts.scheme == "data", f"{path.name} loads {address}"
            assert not parts.netloc, f"{path.name} loads {address}"
            if parts.path and path.stem != "404":
                assert (path.parent / unquote(parts.path)).is_file(), f"{path.name}: {address}"
    for path in site.rglob("*.css"):
        for address in re.findall(r"url\(\s*[\"']?([^)\"']+)", path.read_text(encoding="utf-8")):
            assert not re.match(r"(https?:)?//", address), f"{path.name} loads {address}"


def test_every_link_leads_somewhere(seen):
    """Links within the site reach a page, and on it the heading that they name."""
    for path, page in seen.items():
        if path.stem == "404":
            continue
        for address in page.linked:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path.name}: {address}"
            if parts.fragment and target in seen:
                assert unquote(parts.fragment) in seen[target].names, f"{path.name}: {address}"


# The last test of this file: Playwright keeps a loop of its own in this thread from here on.
def test_pages_work_as_files(site, seen, chromium):
    """Opened from a folder they ask nothing of anyone, complain of nothing, and can be searched."""
    page = chromium.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in seen:
        if path.stem != "404":
            page.goto(path.as_uri())
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").press_sequentially("peeling")
    page.get_by_role("option", name="Decoding").wait_for()
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []
    assert complaints == []
    page.close()
