"""Makes the gallery: asks, explains, and draws the reports of five explanations.

    python docs/gallery/make.py                     # draws all again from their explanations
    python docs/gallery/make.py long --ask          # explains one anew; answers on disk are reused

Four are of the embedded model. The fifth is of a picture and of a function that is planted, and
says so. An explanation is kept in `explanations/`, so that nothing is asked to draw it. Pictures
need Playwright and Chromium; pages (`--pages DIR`) need neither. What it prints of each explanation
is the caption that stands below its picture.
"""

from __future__ import annotations

import argparse
import ast
import io
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import spex_api as spex
from spex_api.cli.job import explained, job_of, read_job
from spex_api.events import ignore
from spex_api.report.page.markup import names_of, number
from spex_api.spec import check_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from spex_api.spec import ExplainSpec

__all__ = ["PIECES", "Piece", "caption", "draw", "page", "two_hops_spec"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PICTURES = ROOT / "docs" / "assets" / "explanations"
README_PICTURE = ROOT / "docs" / "assets" / "report.png"
NO_MODEL = "a sparse transform, no vision model"
_NOISE = 0.2
"""The standard deviation of what lies on the planted function, in nats."""
_STRONGEST, _LETTERS = 3, 32


@dataclass(frozen=True, slots=True)
class Piece:
    """One explanation of the gallery.

    Attributes:
        name: of its files.
        ask: explains anew.
        held: the feature that is held in the picture, by its beginning.
        width: of the page, in CSS pixels.
    """

    name: str
    ask: Callable[[], spex.Explanation]
    held: str
    width: int = 1120

    @property
    def file(self) -> Path:
        """Where its explanation is kept."""
        return HERE / "explanations" / f"{self.name}.json"

    def explanation(self) -> spex.Explanation:
        """What was found when it was last asked."""
        return spex.Explanation.from_json(self.file)

    def feature(self, explanation: spex.Explanation) -> int:
        """The number of the feature that is held.

        Raises:
            StopIteration: no feature begins like that.
        """
        names = explanation.interactions.names
        return next(at for at, name in enumerate(names) if name.startswith(self.held))


def caption(explanation: spex.Explanation) -> str:
    """What is told below the picture: its size, how faithful it is, and what is strongest."""
    found, faith, names = explanation.interactions, explanation.faithfulness, names_of(explanation)
    strongest = "; ".join(
        f"{' with '.join(_short(names[part]) for part in each)} {number(found[each], 2)}"
        for each in found.strongest()[:_STRONGEST]
    )
    return (
        f"{explanation.transform.num_features} parts, {explanation.usage.requests:,} questions. "
        f"R² {faith} on {faith.num_masks} masks that the fit has not seen; without interactions "
        f"{faith.additive:.2f}. Strongest: {strongest}."
    )


def _short(name: str) -> str:
    """A part's text, or its first words."""
    said = name.strip(" .,")
    return f"“{said if len(said) <= _LETTERS else said[:_LETTERS].rpartition(' ')[0] + ' …'}”"


def page(piece: Piece, folder: Path) -> Path:
    """Writes the piece's report into a folder."""
    path = folder / f"{piece.name}.html"
    piece.explanation().to_html(path)
    return path


def draw(pieces: Iterable[Piece], *, pages: Path) -> Iterator[Path]:
    """Draws the reports of pieces, each with a part held, and gives the pictures' files.

    Args:
        pieces: whose explanations are there.
        pages: the folder for the pages.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - who draws pages has none

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for piece in pieces:
            report = page(piece, pages)
            feature = piece.feature(piece.explanation())
            for target, look in _targets(piece):
                shown = _photographed(browser, report, feature, {"width": piece.width, **look})
                yield _saved(shown, target)
        browser.close()


def _targets(piece: Piece) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files of a piece's pictures, and how each is seen."""
    yield PICTURES / f"{piece.name}.png", {}
    if piece.name == "review":
        yield PICTURES / "review-dark.png", {"scheme": "dark"}
        yield README_PICTURE, {"scale": 2.0, "width": 1000, "until": ".board"}


def _photographed(browser: Any, report: Path, feature: int, look: dict[str, Any]) -> bytes:  # noqa: ANN401 - Playwright's own
    """The page from its head to the end of what a held part shows, as PNG."""
    sight = browser.new_page(
        viewport={"width": look["width"], "height": 900},
        device_scale_factor=look.get("scale", 1.5),
        color_scheme=look.get("scheme", "light"),
        reduced_motion="reduce",
    )
    sight.goto(report.as_uri())
    held = sight.locator(f"[data-f='{feature}']").first
    held.evaluate("part => part.scrollIntoView({ block: 'center' })")
    held.click()
    sight.mouse.move(0, 0)
    # Arcs are drawn in the next frame.
    sight.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
    box = sight.locator(look.get("until", "section.stage")).bounding_box()
    scrolled = sight.evaluate("window.scrollY")
    height = box["y"] + scrolled + box["height"] + 16
    clip = {"x": 0, "y": 0, "width": look["width"], "height": height}
    shown: bytes = sight.screenshot(full_page=True, clip=clip)
    sight.close()
    return shown


def _saved(shown: bytes, target: Path) -> Path:
    """Writes a picture in few colours, which is a third of the bytes and looks the same."""
    with Image.open(io.BytesIO(shown)) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    target.parent.mkdir(parents=True, exist_ok=True)
    few.save(target, optimize=True)
    return target


def _of_spec(path: Path) -> Callable[[], spex.Explanation]:
    return lambda: explained(read_job(path, {}), on_event=ignore)


def _two_hops() -> spex.Explanation:
    return explained(job_of(two_hops_spec()), on_event=ignore)


def two_hops_spec() -> ExplainSpec:
    """The second example's prompt as a spec, read from there: imported, it would ask."""
    tree = ast.parse((ROOT / "examples" / "02_two_hops.py").read_text(encoding="utf-8"))
    said = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("NOTES", "QUESTION")
    }
    messages = [
        {"role": "system", "content": said["NOTES"]},
        {"role": "user", "content": said["QUESTION"]},
        {"role": "assistant", "content": "City:"},
    ]
    tables = {
        "prompt": {"messages": messages, "split": "sentences", "of": "system"},
        "score": {"kind": "target_log_prob"},
        "budget": {"requests": 200},
    }
    return check_spec(tables, source="examples/02_two_hops.py")


def _image() -> spex.Explanation:
    """What a planted function of patches does, found again under noise, as a picture's report."""
    from lighthouse import GRID, painting, planted  # noqa: PLC0415 - a neighbour of the script

    function, noise = planted(), np.random.default_rng(0)

    def noisy(masks: Any) -> Any:  # noqa: ANN401 - arrays, as `explain_function` gives them
        return function(masks) + _NOISE * noise.standard_normal(len(masks))

    prompt = spex.Prompt.from_image("{image}\nIs this a lighthouse?", painting(), grid=GRID)
    found = spex.explain_function(
        noisy,
        num_features=prompt.num_features,
        budget=spex.Budget(requests=1000),
        order=3,
        ordered=True,
        names=prompt.features,
    )
    meaning = f"log-odds of a planted function ({NO_MODEL})"
    source = replace(found.provenance, model=NO_MODEL, meaning=meaning)
    return replace(found, prompt=prompt, provenance=source)


PIECES = {
    piece.name: piece
    for piece in (
        Piece("review", _of_spec(ROOT / "examples" / "review.toml"), held="not"),
        Piece("two_hops", _two_hops, held="The Maritime"),
        Piece("few_shot", _of_spec(HERE / "few_shot.toml"), held="The zip of the tent"),
        Piece("long", _of_spec(HERE / "long.toml"), held="waistcoat-pocket,"),
        Piece("image", _image, held="patch 2,3"),
    )
}


def main() -> None:
    """Explains what is to be asked again, and draws."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PIECES)}; all by default")
    parser.add_argument("--ask", action="store_true", help="explain anew first")
    parser.add_argument("--pages", type=Path, help="write the pages there, and draw no pictures")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in PIECES]:
        parser.error(f"there is no {unknown[0]!r} in the gallery")
    pieces = [PIECES[name] for name in options.names or PIECES]
    for piece in pieces:
        if options.ask:
            piece.ask().to_json(piece.file)
        sys.stdout.write(f"{piece.name}: {caption(piece.explanation())}\n")
    if options.pages:
        options.pages.mkdir(parents=True, exist_ok=True)
        made: Iterable[Path] = (page(piece, options.pages) for piece in pieces)
    else:
        made = draw(pieces, pages=Path(tempfile.mkdtemp()))
    for path in made:
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
