"""Prompts: splitting loses nothing, and every mask reads as it should."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.completions import Message
from spex_api.errors import PromptError
from spex_api.prompts import Prompt
from spex_api.prompts.segmenters import SPLITS, segment

TEXT = "Her acting never fails to impress"
TEMPLATE = "Positive or negative?\nReview: {text}"

blank = st.text(" \t\n", max_size=3)
word = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=6)
texts = st.tuples(blank, st.lists(st.tuples(word, blank), min_size=1, max_size=9)).map(
    lambda parts: parts[0] + "".join(w + g for w, g in parts[1])
)


def words_prompt(mask: str = "drop") -> Prompt:
    return Prompt.from_template(TEMPLATE, text=TEXT, mask=mask)


def said(prompt: Prompt, mask: list[int]) -> str:
    return prompt.render(mask)[-1].content.split("Review: ")[1]


@given(texts, st.sampled_from(SPLITS))
def test_segments_join_to_the_original(text, split):
    """Every split of every text, joined, is the text, character for character."""
    assert "".join(part.original for part in segment(text, split)) == text


@given(st.text(max_size=80).filter(str.strip), st.sampled_from(SPLITS))
def test_any_unicode_joins_to_the_original(text, split):
    """Combining marks, emoji, right-to-left text and control characters included."""
    assert "".join(part.original for part in segment(text, split)) == text


@given(texts, st.sampled_from(["drop", "token", "ellipsis", "<unk>"]))
def test_all_kept_is_the_original(text, mask):
    """`render(all kept)` is the template with its text, byte for byte, in every mask style."""
    prompt = Prompt.from_template("A {{brace}} and: {text}!", text=text, mask=mask)
    everything = prompt.render([1] * prompt.num_features)
    assert everything == (Message("user", "A {brace} and: " + text + "!"),)


@given(texts, st.data())
def test_drop_keeps_just_the_kept_words(text, data):
    """The words that are left after dropping are those that were kept, in order; "…" for none."""
    prompt = Prompt.from_template("{text}", text=text)
    mask = data.draw(
        st.lists(st.booleans(), min_size=prompt.num_features, max_size=prompt.num_features)
    )
    kept = [w for w, keep in zip(prompt.features, mask, strict=True) if keep]
    said = prompt.render(mask)[0].content
    assert "".join(said.split()) == ("".join("".join(kept).split()) or "…")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("drop", "Her never fails"),
        ("token", "Her [MASK] never fails [MASK] [MASK]"),
        ("<unk>", "Her <unk> never fails <unk> <unk>"),
        ("ellipsis", "Her … never fails …"),
    ],
)
def test_mask_styles(style, expected):
    """Dropping leaves no blank at the end; a token stands for each word, "…" for each stretch."""
    assert said(words_prompt(style), [1, 0, 1, 1, 0, 0]) == expected


def test_nothing_kept():
    """An empty review is a review of no words."""
    assert said(words_prompt(), [0] * 6) == ""


def test_sentences_survive_abbreviations():
    """A sentence does not end at "Dr."."""
    prompt = Prompt.from_template(
        "{text}", text="Dr. Smith went home. He was late! Why?", split="sentences"
    )
    assert prompt.features == ("Dr. Smith went home.", "He was late!", "Why?")


def test_paragraphs_and_lines():
    """A blank line parts paragraphs, a line break lines; white space is no feature."""
    text = "One\ntwo.\n \n\nThree.\n"
    assert Prompt.from_template("{text}", text=text, split="lines").features == (
        "One",
        "two.",
        "Three.",
    )
    assert Prompt.from_template("{text}", text=text, split="paragraphs").features == (
        "One\ntwo.",
        "Three.",
    )


def test_pieces_by_hand_pin_what_lies_between():
    """Only the listed pieces are masked; the words between them stay under every mask."""
    prompt = Prompt.from_template("{text}", text=TEXT, split=["never fails", "impress"])
    assert prompt.features == ("never fails", "impress")
    assert prompt.render([0, 0])[0].content == "Her acting to "
    assert prompt.render([1, 1])[0].content == TEXT


def test_other_texts_and_the_system_message_are_pinned():
    """Only the text named by `of` is split."""
    prompt = Prompt.from_template(
        "{question}\n{context}", of="context", system="Be brief.", question="Who?", context="A b"
    )
    assert prompt.features == ("A", "b")
    assert prompt.render([0, 1]) == (Message("system", "Be brief."), Message("user", "Who?\nb"))


@pytest.mark.parametrize(
    ("template", "texts", "settings", "word"),
    [
        ("{text}", {"text": "  \n"}, {}, "empty"),
        ("{text}", {"text": "a b"}, {"split": "syllables"}, "syllables"),
        ("{text}", {"text": "a b"}, {"split": ["b", "a"]}, "Piece 2"),
        ("{text}", {"text": "a b"}, {"split": []}, "empty"),
        ("{text}", {"text": "a b"}, {"mask": ""}, "mask"),
        ("{txt}", {"text": "a b"}, {}, "txt"),
        ("no place", {"text": "a b"}, {}, "no place {text}"),
        ("{a} {b}", {"a": "x", "b": "y"}, {}, "Which text"),
        ("{text} {text}", {"text": "a b"}, {}, "twice"),
        ("{text.__class__}", {"text": "a b"}, {}, "plain name"),
        ("{text", {"text": "a b"}, {}, "cannot be read"),
    ],
)
def test_misuse_is_named(template, texts, settings, word):
    """Each misuse gets a sentence that names what is wrong."""
    with pytest.raises(PromptError, match=word):
        Prompt.from_template(template, **settings, **texts)


def test_a_prompt_of_words_loads_nothing_that_it_does_not_need():
    """Neither Pillow nor what finds sentences and headings, in a fresh interpreter."""
    code = (
        "from spex_api import Prompt; Prompt.from_template('{text}', text='a b').render([0, 1]);"
        "import sys; print([m for m in ('PIL', 'sentencex', 'markdown_it') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_mask_of_another_length_is_refused():
    """A mask has one entry a feature."""
    with pytest.raises(PromptError, match="2 entries"):
        words_prompt().render([1, 0])


@pytest.mark.parametrize(
    "build",
    [
        lambda: Prompt.from_template("{text}", text=3),
        lambda: Prompt.from_template(None, text="a"),
        lambda: Prompt.from_template("{text}", text="a", system=3),
        lambda: Prompt.from_template("{text}", text="a", mask=None),
        lambda: Prompt.from_template("{text}", text="a", mask="blur"),
        lambda: Prompt.from_template("{text}", text="a", split=3),
        lambda: Prompt.from_template("{text}", text="a", split=[1]),
        lambda: Prompt.from_template("{text}", text="a", split=lambda _: None),
        lambda: Prompt.from_template("{text}", text="a", split="sentences", language=None),
        lambda: Prompt.from_openai([{"role": "user", "content": "a"}], split="words", of=1.5),
        lambda: Prompt.from_openai([{"role": "user", "content": "a"}], split="words", of=[None]),
        lambda: Prompt.from_rag("q", [{"text": "a"}]),
        lambda: Prompt.from_rag(None, ["a"]),
        lambda: Prompt.from_rag("q", ["a"], titles=[None]),
        lambda: Prompt.from_rag("q", ["a", "b"], titles="xy"),
        lambda: Prompt.from_rag("q", ["a"], template=3),
        lambda: Prompt.from_rag("q", ["a"]).refined(1),
        lambda: Prompt.from_rag("q", ["a"]).refined([0.5]),
        lambda: Prompt.from_rag("q", ["a"]).refined("0"),
    ],
)
def test_what_is_no_text_is_told_in_a_sentence(build):
    """Another kind of thing is refused in our words, never by a traceback of somebody else's."""
    with pytest.raises(PromptError):
        build()
