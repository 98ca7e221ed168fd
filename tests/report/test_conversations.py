"""Reports of conversations: a feature of several parts has one tint, and is stored whole."""

from __future__ import annotations

import base64
import io
import math
import re

import pytest
from rich.console import Console

import spex_api as spex
from spex_api.report.terminal import render as print_story
from spex_api.testing import FunctionAdapter

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "bad film"},
    {"role": "assistant", "content": "negative"},
    {"role": "user", "content": "good film"},
    {"role": "assistant", "content": "positive"},
    {"role": "user", "content": "And this one?"},
]


@pytest.fixture(scope="module")
def explanation() -> spex.Explanation:
    def leaning(messages):
        said = " ".join(message.content for message in messages)
        yes = 0.4 + 0.3 * ("positive" in said) - 0.2 * ("negative" in said)
        return {"yes": math.log(yes), "no": math.log(1 - yes)}

    prompt = spex.Prompt.from_openai(CHAT, split="few_shot")
    score = spex.LabelLogOdds("yes", "no")
    return spex.explain_sync(prompt, FunctionAdapter(leaning), score=score)


def test_all_parts_of_a_feature_have_its_tint(explanation):
    """A question and its answer are tinted alike, and all that is pinned is not tinted at all."""
    spans = re.findall(
        r'class="f ?(\w*)" data-f="(\d)" title="([^"]+)">([^<]+)</span>', explanation.to_html()
    )
    tints = {text: (effect, tint, feature) for tint, feature, effect, text in spans}
    assert set(tints) == {"bad film", "negative", "good film", "positive"}
    assert tints["bad film"] == tints["negative"] != tints["good film"] == tints["positive"]
    assert tints["good film"][0].startswith("+")


def test_a_terminal_shows_every_part(explanation):
    """The conversation is drawn whole, turn by turn."""
    console = Console(record=True, width=100, file=None, quiet=False)
    with console.capture() as shown:
        print_story(explanation, console)
    for message in CHAT:
        assert message["content"] in shown.get()


def test_it_is_stored_whole(explanation):
    """A file gives the same prompt back, and the same page."""
    back = spex.Explanation.from_json(explanation.to_json())
    assert back.prompt == explanation.prompt
    assert back.to_html() == explanation.to_html()


def test_a_picture_is_drawn_with_its_patches_tinted(tmp_path):
    """The bytes that were sent, a cell a patch; the page still loads nothing."""
    buffer = io.BytesIO()
    image = pytest.importorskip("PIL.Image").new("RGB", (40, 20), "red")
    image.save(buffer, "PNG")
    prompt = spex.Prompt.from_image("Is it red? {image}", buffer.getvalue(), grid=(1, 2))

    def leaning(messages):
        pictures = [block for block in messages[-1].blocks if not isinstance(block, str)]
        yes = 0.3 if pictures[0].data == sent else 0.6
        return {"yes": math.log(yes), "no": math.log(1 - yes)}

    sent = base64.b64encode(buffer.getvalue()).decode()
    score = spex.LabelLogOdds("yes", "no")
    page = spex.explain_sync(prompt, FunctionAdapter(leaning), score=score).to_html()
    assert f'src="data:image/png;base64,{sent}"' in page
    assert "img-src data:" in page
    assert 'class="patches" viewBox="0 0 2 1"' in page
    assert len(re.findall(r'data-f="[01]"><title>patch 1,[12]: [+−\d]', page)) == 2
    assert not re.search(r"(src|href)=\"(?!data:)", page)
