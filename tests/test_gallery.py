"""The gallery: what its pictures show is what its explanations say, and all can be drawn again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from spex_api.cli.job import job_of, read_job

DOCS = Path(__file__).parent.parent / "docs"
GALLERY = DOCS / "gallery"
sys.path.insert(0, str(GALLERY))  # scripts stand beside one another, as they are run

import lighthouse  # noqa: E402 - from there
import make  # noqa: E402 - as above

sys.path.remove(str(GALLERY))

PIECES = list(make.PIECES.values())
KILOBYTE = 1000


@pytest.fixture(params=PIECES, ids=lambda piece: piece.name)
def piece(request):
    """Each of the five."""
    return request.param


def test_an_explanation_draws_its_page_without_a_model(piece, tmp_path):
    """The kept explanation is read, and its page has every part and the held one."""
    explanation = piece.explanation()
    text = make.page(piece, tmp_path).read_text(encoding="utf-8")
    for feature in range(explanation.transform.num_features):
        assert f'data-f="{feature}"' in text
    assert explanation.interactions.names[piece.feature(explanation)].startswith(piece.held)


def test_what_is_shown_held_has_partners(piece):
    """A part is held in the picture because some interaction of it is told apart from nothing."""
    explanation = piece.explanation()
    held, found = piece.feature(explanation), explanation.interactions
    sure = [
        support
        for support, interval in found.intervals.items()
        if len(support) > 1 and held in support and not interval.low <= 0 <= interval.high
    ]
    assert sure


def test_faithfulness_was_measured_on_unseen_masks(piece):
    """No explanation of the gallery is judged by masks that its fit has seen."""
    faith = piece.explanation().faithfulness
    assert not faith.exhaustive
    assert faith.num_masks >= 18
    assert faith.low <= faith.value <= faith.high


def test_the_caption_stands_below_the_picture(piece):
    """Each figure that the page tells of an explanation is what the explanation says."""
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    section = text.partition(f"assets/explanations/{piece.name}.png")[2].partition("\n## ")[0]
    assert make.caption(piece.explanation()) in " ".join(section.split())


def test_pictures_are_there_and_small(piece):
    """A picture opens, is large enough to read, and light enough for a page."""
    for target, _ in make._targets(piece):
        with Image.open(target) as picture:
            assert picture.width >= 1500
        assert target.stat().st_size < 400 * KILOBYTE
    assert piece.file.stat().st_size < 300 * KILOBYTE


@pytest.mark.parametrize("name", ["few_shot", "long"])
def test_a_spec_explains_what_is_kept(name):
    """The prompt of the kept explanation is the spec's, and so is what may be spent."""
    job = read_job(GALLERY / f"{name}.toml", {})
    explanation = make.PIECES[name].explanation()
    assert explanation.prompt == job.prompt
    assert explanation.usage.requests <= job.budget.requests


def test_two_hops_asks_what_the_example_asks():
    """The example's text stands in one place, and the kept explanation is of it."""
    spec, explanation = make.two_hops_spec(), make.PIECES["two_hops"].explanation()
    assert explanation.prompt == job_of(spec).prompt
    assert explanation.usage.requests <= spec.budget.requests


def test_the_picture_is_of_no_vision_model():
    """The page of the picture says so, as the picture does."""
    piece = make.PIECES["image"]
    assert "no vision model" in piece.explanation().provenance.model
    assert "no vision model" in lighthouse.LABEL


def test_what_was_planted_is_found():
    """The strongest interactions of the picture are the planted ones, within their intervals."""
    found = make.PIECES["image"].explanation().interactions
    columns = lighthouse.GRID[1]
    planted = {
        tuple(sorted((row - 1) * columns + column - 1 for row, column in places)): value
        for places, value in lighthouse.PLANTED.items()
        if places
    }
    assert set(found.strongest()[: len(planted)]) == set(planted)
    for support, value in planted.items():
        assert found.intervals[support].low <= value <= found.intervals[support].high


def test_the_painting_is_a_picture():
    """The script paints the picture that is sent, of a size that its grid divides."""
    rows, columns = lighthouse.GRID
    assert lighthouse.painting().startswith(b"\x89PNG")
    assert lighthouse.SIZE[0] % columns == lighthouse.SIZE[1] % rows == 0


def test_a_piece_is_drawn_offline(tmp_path, monkeypatch):
    """From page to picture, as the script does it, with Chromium and without a network."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed: `apt-get install chromium`.")
    monkeypatch.setattr(make, "PICTURES", tmp_path)
    drawn = list(make.draw([make.PIECES["image"]], pages=tmp_path))
    assert drawn == [tmp_path / "image.png"]
    with Image.open(drawn[0]) as picture:
        colours = picture.convert("RGB").getcolors(1 << 24)
    assert len(colours) > 50
