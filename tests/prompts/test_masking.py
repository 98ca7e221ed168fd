"""Mask styles: whatever is masked, the request is one, JSON is JSON, and code keeps its lines."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.errors import PromptError
from spex_api.prompts import Prompt
from tests.prompts.rules import anthropic_flaws
from tests.prompts.test_segmenters import EVERY_SPLIT, json_values, mixed

STYLES = ["drop", "token", "ellipsis", "placeholder", "<unk>", "\\1 {x}", " "]
STYLES += [str.upper, lambda text: "", lambda text: " "]
PYTHON = '''\
import os  # for the path

def area(width, height):
    """Two lines
    of words."""
    if width < 0:
        return None

    return (width *
            height)

print(area(2, 3))'''


def tokens(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


def masks_of(data, prompt: Prompt) -> list[bool]:
    size = prompt.num_features
    return data.draw(st.lists(st.booleans(), min_size=size, max_size=size))


def said(prompt: Prompt, mask) -> str:
    return prompt.render(mask)[-1].content


@given(mixed.filter(str.strip), st.sampled_from(EVERY_SPLIT), st.sampled_from(STYLES), st.data())
def test_every_mask_of_every_style_is_a_request(text, split, style, data):
    """It is never blank, even where nothing else is in the message; all kept is the original."""
    prompt = Prompt.from_template("{text}", text=text, split=split, mask=style)
    assert anthropic_flaws(prompt.render(masks_of(data, prompt))) == []
    assert anthropic_flaws(prompt.render([0] * prompt.num_features)) == []
    assert said(prompt, [1] * prompt.num_features) == text


@given(json_values, st.sampled_from(STYLES), st.sampled_from([None, 2]), st.data())
def test_json_stays_json_under_every_mask(value, style, indent, data):
    """Left out, a value takes its comma along; replaced, it is a string; the rest is untouched."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    prompt = Prompt.from_template("{text}", text=text, split="json", mask=style)
    mask = masks_of(data, prompt)
    told = json.loads(said(prompt, mask))
    assert type(told) is type(value)
    written = said(prompt, mask)
    at = 0
    for part, keep in zip(prompt.features, mask, strict=True):
        at = written.index(part, at) + len(part) if keep else at


@given(st.sampled_from(["drop", "token", "placeholder"]), st.data())
def test_a_mask_of_code_keeps_the_lines(style, data):
    """Dropped, what is left are lines of the code; replaced, each statement keeps its indentation.

    A statement in brackets, or a string over several lines, is one feature.
    """
    prompt = Prompt.from_template("{text}", text=PYTHON, split="code", mask=style)
    assert prompt.num_features == 7
    mask = masks_of(data, prompt)
    rows = said(prompt, mask).split("\n")
    if style == "drop":
        left = iter(PYTHON.split("\n"))
        assert all(row in left for row in rows if row.strip() not in ("", "…"))
        return
    features = [part.split("\n") for part in prompt.features]
    for number, (lines, keep) in enumerate(zip(features, mask, strict=True), start=1):
        stands = "[MASK]" if style == "token" else f"[{number}]"
        indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
        wanted = lines if keep else [indent + stands]
        for each in wanted:
            while rows[0] != each:
                assert not rows.pop(0).strip()
            rows.pop(0)
    assert not "".join(rows).strip()


@pytest.mark.parametrize(
    ("text", "dropped", "expected"),
    [
        ("He said: no, never!", "He", "said: no, never!"),
        ("He said: no, never!", "no", "He said:, never!"),
        ("He said: no, never!", "no ,", "He said: never!"),
        ("He said: no, never!", "never", "He said: no,!"),
        ("a (b, c) d.", "b ,", "a (c) d."),
        ("a (b) d", "b", "a () d"),
        ("a (b c) d", "c", "a (b) d"),
        ("a b. C d!", "b C d", "a.!"),
        ("« a b » c", "a", "« b » c"),
        ("a b\n\nc d", "b c", "a\n\nd"),
        ("a b？ c", "b", "a？ c"),
        ("don't go", "'", "dont go"),
        ("“a b”", "b", "“a”"),
        ("a  b c", "b", "a  c"),
    ],
)
def test_dropping_leaves_tidy_spacing_and_punctuation(text, dropped, expected):
    """No blank doubles, none before a comma or behind a bracket; a line break is never lost."""
    prompt = Prompt.from_template("{text}", text=text, split=tokens)
    assert set(dropped.split()) <= set(prompt.features)
    assert said(prompt, [part not in dropped.split() for part in prompt.features]) == expected


@given(
    st.lists(st.sampled_from(["ab", "cd", "ef,", "(gh", "ij)", "kl."]), min_size=1, max_size=9),
    st.data(),
)
def test_dropped_words_leave_single_blanks(words, data):
    """Words with a blank between them are, some of them dropped, words with a blank between."""
    prompt = Prompt.from_template("Say: {text}!", text=" ".join(words))
    mask = masks_of(data, prompt)
    left = [word for word, keep in zip(words, mask, strict=True) if keep]
    assert said(prompt, mask) == f"Say: {' '.join(left)}!"


@pytest.mark.parametrize("style", ["drop", "token", "ellipsis", "placeholder", str.upper])
@pytest.mark.parametrize("split", ["words", "lines", "characters:4", "sentences"])
def test_a_thousand_features(split, style):
    """Every other one masked, the kept ones stand in their order, and masks read differently."""
    text = "\n".join(f"w{at:03}." for at in range(1000))
    prompt = Prompt.from_template("{text}", text=text, split=split, mask=style)
    assert prompt.num_features in (1000, 2000)
    mask = [at % 2 == 0 for at in range(prompt.num_features)]
    written = said(prompt, mask)
    at = 0
    for part in prompt.features[::2]:
        at = written.index(part, at) + len(part)
    other = [*mask[:-2], not mask[-2], mask[-1]]
    if split != "characters:4" or style is not str.upper:
        assert prompt.reading(mask) != prompt.reading(other)


def test_a_function_is_given_the_bare_text():
    """It may leave a feature out by giving nothing; what it gives must be text."""
    prompt = Prompt.from_template("{text}", text="ab cd ef", mask=lambda text: text[:1] * 2)
    assert said(prompt, [0, 1, 0]) == "aa cd ee"
    gone = Prompt.from_template("{text}", text="ab cd ef", mask=lambda text: "")
    assert said(gone, [1, 0, 1]) == "ab ef"
    with pytest.raises(PromptError, match="no text"):
        said(Prompt.from_template("{text}", text="a b", mask=lambda text: 7), [0, 1])
