"""Segmenters: no character is lost or halved, whatever the script, and however long the text."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import sentencex
from hypothesis import given
from hypothesis import strategies as st

from spex_api.errors import PromptError
from spex_api.prompts import Prompt, sentences
from spex_api.prompts.segmenters import SPLITS, segment

EVERY_SPLIT = (*SPLITS, "characters:3", lambda text: re.findall(r"\w+|[^\w\s]", text) or [text])
SEEN_AS_ONE = (
    "a",
    "e\u0301",  # a letter and its accent
    "a\u0308\u0323",  # and two of them
    "👩‍👩‍👧‍👦",
    "👍🏽",
    "🇩🇪",
    "🇫🇷",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "ש",
    "م",
    "北",
    "、",
    "か\u3099",  # a kana and its voicing mark
    "ที่",
    "กำ",
    "한",
    "\u1112\u1161\u11ab",  # the same in its letters
    "क्षि",
)
BETWEEN = (" ", "\n", "\n\n", "\t", "\r\n", "\u3000", "\u2028")
MARKS = (". ", "! ", "。", "؟ ", "# ", "- ", "```\n", '"', "(", "\x00", "\u200b", "\ufeff")

mixed = st.lists(st.sampled_from(SEEN_AS_ONE + BETWEEN + MARKS), min_size=1, max_size=30).map(
    "".join
)
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
)
json_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
).filter(lambda value: isinstance(value, list | dict) and value)


def joined(text: str, split) -> str:
    return "".join(part.original for part in segment(text, split))


@given(mixed.filter(str.strip), st.sampled_from(EVERY_SPLIT))
def test_every_split_of_every_script_joins_to_the_original(text, split):
    """Accents, emoji, flags, right-to-left, Chinese, Thai and odd blanks; no feature is blank."""
    parts = segment(text, split)
    assert "".join(part.original for part in parts) == text
    assert all(part.text.strip() for part in parts if not part.pinned)


@given(st.lists(st.sampled_from(SEEN_AS_ONE), min_size=1, max_size=12))
def test_what_people_see_as_one_is_never_cut(seen):
    """One by one they are just the characters that were put together, accents, flags and all."""
    text = "".join(seen)
    assert [part.text for part in segment(text, "characters")] == seen
    ends = {0}
    for each in seen:
        ends.add(max(ends) + len(each))
    for split in ("words", "characters:3"):
        at = 0
        for part in segment(text, split):
            at += len(part.original)
            assert at in ends


@given(json_values, st.sampled_from([None, 0, 2]), st.booleans())
def test_json_joins_to_the_original(value, indent, plain):
    """However it is written: indented or not, with escapes or without."""
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    assert joined(text, "json") == text


@pytest.mark.parametrize("split", [*SPLITS, "json", ["a"], list])
@pytest.mark.parametrize("text", ["", " \n\t ", "\u3000"])
def test_an_empty_text_is_refused(text, split):
    """There is nothing to mask, and the sentence says so."""
    with pytest.raises(PromptError, match="empty, so there is nothing to mask"):
        segment(text, split)


@pytest.mark.parametrize("split", [*SPLITS, "json", ["a"], list])
def test_half_a_character_is_refused(split):
    """No endpoint takes it and no file holds it: said before anything is sent."""
    with pytest.raises(PromptError, match="half a character"):
        segment('["a \ud83d"]', split)


def test_half_a_character_is_refused_wherever_it_stands():
    """In a template, a system's message, a conversation, a mask, and what a function gives."""
    half = "\ud83d"
    for build in (
        lambda: Prompt.from_template(half + "{text}", text="a"),
        lambda: Prompt.from_template("{text}", text="a", system=half),
        lambda: Prompt.from_template("{text}", text="a", mask=half),
        lambda: Prompt.from_template("{text}", text="a", mask=lambda _: half).render([0]),
        lambda: Prompt.from_rag(half, ["a"]),
        lambda: Prompt.from_openai([{"role": "user", "content": half}] * 2),
    ):
        with pytest.raises(PromptError, match="half a character"):
            build()


@pytest.mark.parametrize("split", [*SPLITS, "json"])
def test_a_huge_text_is_split(split):
    """Three hundred thousand characters of several scripts, and nothing is lost."""
    line = "The quick brown fox — “said” she. Ça va? 北京是中国的首都。 กรุงเทพ 👩‍👩‍👧‍👦\n\n# Next\n"
    text = line * (300_000 // len(line))
    if split == "json":
        text = json.dumps([{"line": line, "at": [1, None, {}]}] * 3000)
    parts = segment(text, split)
    assert "".join(part.original for part in parts) == text
    assert len(parts) > 1000


def test_a_million_characters_without_a_blank_are_one_word():
    """And a million blanks between two words are a gap."""
    assert len(segment("x" * 1_000_000, "words")) == 1
    for split in ("words", "lines", "paragraphs"):
        text = "a" + "\n \n" * 300_000 + "b"
        assert [part.text for part in segment(text, split)] == ["a", "b"]


def test_long_texts_are_split_into_sentences_as_short_ones_are(monkeypatch):
    """The windows that keep it from taking quadratic time leave no mark, and none is too long."""
    words = "The Dr. fox e.g. jumps over U.S.A. etc. “Quoted? yes” (in. too) 3.5 said. Why? Çà!"
    text = " ".join(np.random.default_rng(0).choice(words.split(), 9000))
    told = sentencex.get_sentence_boundaries
    starts = sorted({each["start_index"] for each in told("en", text)})
    lengths = []

    def watched(language, window):
        lengths.append(len(window))
        return told(language, window)

    monkeypatch.setattr(sentencex, "get_sentence_boundaries", watched)
    found = [start for start, _ in sentences.sentences(text, "en")]
    assert found == starts
    assert len(found) > 400
    assert max(lengths) <= 10_000 < len(text)
    lengths.clear()
    assert [*sentences.sentences("`" * 50_000, "en")] == [(0, 50_000)]
    assert max(lengths) <= 10_000


def test_tokens_of_a_tokeniser_are_a_split():
    """A callable gives the pieces; the blanks at their ends belong to no feature."""
    parts = segment("never  fails", lambda _: ["never", "  fa", "ils"])
    assert [(part.text, part.gap) for part in parts] == [("never", "  "), ("fa", ""), ("ils", "")]
    with pytest.raises(PromptError, match="other than texts"):
        segment("never fails", lambda _: [7])
