"""Reports: the story is told, and nothing in it can act."""

from __future__ import annotations

import io
import math
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

import spex_api as spex
from spex_api.errors import BadRequest
from spex_api.report import story, terminal
from spex_api.testing import FunctionAdapter

HOSTILE = "<script>alert(1)</script> \x1b[31mred \u202eolleh ]] good \"quoted' &amp; [bold]x[/bold]"


def verdict(messages) -> dict[str, float]:
    value = 2.0 * ("good" in messages[-1].content) - ("alert" in messages[-1].content)
    return {"yes": -math.log1p(math.exp(-value)), "no": -math.log1p(math.exp(value))}


@pytest.fixture
def explanation() -> spex.Explanation:
    """An explanation of a hostile text by a model with a hostile name."""
    prompt = spex.Prompt.from_template("Good? {text}", text=HOSTILE)
    model = FunctionAdapter(verdict, model="<img src=x onerror=alert(1)>")
    return spex.explain_sync(
        prompt, model, score=spex.LabelLogOdds("yes", "no"), budget=spex.Budget(60)
    )


class Seen(HTMLParser):
    """Collects the tags, the attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Keeps the tag and the names of its attributes."""
        self.tags.append(tag)
        self.attributes.extend(name for name, _ in attrs)

    def handle_data(self, data):
        """Keeps the text."""
        self.text += data


def test_nothing_foreign_becomes_markup(explanation):
    """A hostile prompt and a hostile model's name are text, and only text."""
    seen = Seen(explanation.to_html())
    assert not {"img", "b", "link", "iframe"} & set(seen.tags)
    assert seen.tags.count("script") == 2  # the page's own facts and its script
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert "<script>alert(1)</script>" in seen.text
    assert "<img src=x onerror=alert(1)>" in seen.text


def test_nothing_is_loaded_from_anywhere(explanation):
    """The page forbids every request, and holds no address."""
    page = explanation.to_html()
    assert "default-src 'none'" in page
    assert not {"src", "href", "action", "data", "srcset"} & set(Seen(page).attributes)
    style = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_control_and_direction_characters_cannot_act(explanation):
    """Escape sequences and direction overrides are shown as what they are: not theirs to use."""
    console = Console(file=io.StringIO(), width=80, color_system=None)
    terminal.render(explanation, console)
    for text in (explanation.to_html(), console.file.getvalue()):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_the_terminal_tells_the_story(explanation):
    """The prompt, the strongest word with its value and interval, trust, and cost."""
    console = Console(file=io.StringIO(), width=100, color_system=None)
    terminal.render(explanation, console)
    told = console.file.getvalue()
    row = next(line for line in told.splitlines() if line.startswith("good "))
    value, low, high = (float(number) for number in re.findall(r"[+-]\d+\.\d+", row))
    assert low <= 2.0 <= high
    assert value == pytest.approx(2.0, abs=0.1)
    assert "[bold]x[/bold]" in told
    assert f"{explanation.faithfulness.value:.0%}" in told
    assert "60 requests" in told


def test_a_text_that_stands_twice_is_told_apart(explanation):
    """Of two features with one text, each says which it is; a text that stands once does not."""
    from dataclasses import replace  # noqa: PLC0415 - only here

    named = replace(explanation.interactions, names=("not", "good", "not"))
    other = replace(explanation, interactions=named)
    assert story.words(other, (0, 1)) == "not (1 of 2) + good"
    assert story.words(other, (1, 2)) == "good + not (2 of 2)"


def test_effects_are_banzhaf_values(explanation):
    """The tint of a feature is twice the mean difference that keeping it makes to the surrogate."""
    effects = story.effects(explanation)
    for feature, effect in enumerate(effects):
        assert effect == pytest.approx(-2 * explanation.transform.get((feature,), 0.0))


def test_bounds_are_warned_of(explanation):
    """From 5 % of bounds on, the story says how many there are; below, it does not."""
    from dataclasses import replace  # noqa: PLC0415 - only here

    for censored, warned in ((3, False), (4, True)):
        source = replace(explanation.provenance, censored=censored)
        told = story.trust(replace(explanation, provenance=source))
        assert ("of 60 answers 4 give only a bound" in told) is warned


def test_words_of_trust_follow_the_number(explanation):
    """A poor fit is called what it is."""
    from dataclasses import replace  # noqa: PLC0415 - only here

    poor = replace(
        explanation, faithfulness=replace(explanation.faithfulness, value=0.2), complete=False
    )
    assert "do not lean on it" in story.trust(poor)
    assert "budget ended" in story.trust(poor)
    assert "speaks for the model" in story.trust(explanation)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.8, "it accounts for 80%"),
        (-0.4, "worse than their mean does (R² -0.40 [-0.80, 0.10]): for small edits ask again"),
        (math.nan, "not measurable"),
    ],
)
def test_how_good_it_is_near_the_prompt_is_told_in_words(explanation, value, said):
    """A surrogate that is worse than a constant there is not told as a share of anything."""
    from dataclasses import replace  # noqa: PLC0415 - only here

    near = replace(explanation.faithfulness, value=value, low=-0.8, high=0.1)
    assert said in story.trust(replace(explanation, near=near))
    assert "Near the full prompt" not in story.trust(replace(explanation, near=None))


@pytest.mark.parametrize("index", ["FBII", "BII", "Fourier", "Möbius"])
def test_the_page_says_what_the_surrogate_says_of_nothing(explanation, index):
    """The sentence on the empty prompt is the surrogate's, whatever the index's baseline is."""
    from dataclasses import replace  # noqa: PLC0415 - only here

    found = spex.interactions(explanation.transform, index)
    page = Seen(replace(explanation, interactions=found).to_html()).text
    said = re.search(r"With\severything masked the surrogate says ([+-]\d+\.\d+)", page)
    nothing = [[0] * explanation.transform.num_features]
    assert said
    assert float(said[1]) == pytest.approx(explanation.predict(nothing)[0], abs=6e-4)
    if index in {"BII", "Fourier"}:
        assert float(said[1]) != pytest.approx(found.baseline, abs=0.1)


def test_refusals_are_told_where_there_are_some(explanation):
    """The page counts what the endpoint refused, and is silent where it refused nothing."""
    from dataclasses import replace  # noqa: PLC0415 - only here

    assert "refused" not in Seen(explanation.to_html()).text
    for refused, told in (
        (1, "1 mask was refused by the endpoint for good; it has no value"),
        (7, "7 masks were refused by the endpoint for good; they have no value"),
    ):
        source = replace(explanation.provenance, refused=refused)
        assert told in Seen(replace(explanation, provenance=source).to_html()).text


def test_many_refusals_are_warned_of(explanation):
    """From 5 % on the words of trust say how many masks were refused; below, they do not."""
    from dataclasses import replace  # noqa: PLC0415 - only here

    for refused, warned in ((3, False), (4, True)):
        source = replace(explanation.provenance, refused=refused)
        told = story.trust(replace(explanation, provenance=source))
        assert (f"Beware: {refused} masks were refused" in told) is warned


def test_a_whole_cube_with_holes_is_not_called_whole():
    """Of sixteen masks two are refused: fourteen have a value, and the story says so."""

    def picky(messages):
        if messages[-1].content in {"a c", "d"}:
            raise BadRequest("No.")
        return verdict(messages)

    prompt = spex.Prompt.from_template("{text}", text="a good c d")
    score = spex.LabelLogOdds("yes", "no")
    told = story.trust(spex.explain_sync(prompt, FunctionAdapter(picky), score=score))
    assert "On the 14 of all 16 masks that have a value, which it has seen," in told
    assert "Beware: 2 masks were refused" in told
    another = FunctionAdapter(verdict, endpoint="another:")
    whole = story.trust(spex.explain_sync(prompt, another, score=score))
    assert "On all 16 masks that there are," in whole
