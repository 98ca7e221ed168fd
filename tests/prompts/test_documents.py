"""Retrieved documents: each a feature, their numbers stable, and some cut into sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from spex_api.completions import Message
from spex_api.errors import PromptError
from spex_api.prompts import Prompt
from tests.prompts.rules import anthropic_flaws

STORED = TypeAdapter(Prompt)
DOCUMENTS = ["Rome is big. It is old.", "Oslo is cold.", "Kyiv is green. It is far."]
texts = st.text(min_size=1, max_size=20).filter(str.strip)


def said(prompt: Prompt, mask: list[int]) -> str:
    return prompt.render(mask)[-1].content


def test_documents_are_features_and_keep_their_numbers():
    """The second is left out: the third is still [3], and the question stays."""
    prompt = Prompt.from_rag("Which is old?", DOCUMENTS, system="Be brief.")
    assert prompt.num_features == 3
    assert prompt.features[1] == "[2] → Oslo is cold."
    assert prompt.render([1, 0, 1]) == (
        Message("system", "Be brief."),
        Message(
            "user",
            "[1] Rome is big. It is old.\n\n[3] Kyiv is green. It is far.\n\n"
            "Question: Which is old?",
        ),
    )
    assert said(prompt, [0, 0, 0]).strip() == "Question: Which is old?"


def test_titles_stand_over_the_texts_and_go_with_them():
    """A heading is part of its document."""
    prompt = Prompt.from_rag("?", ["a b", "c"], titles=["One", "Two"])
    assert said(prompt, [1, 1]) == "[1] One\na b\n\n[2] Two\nc\n\nQuestion: ?"
    assert said(prompt, [1, 0]) == "[1] One\na b\n\nQuestion: ?"
    token = Prompt.from_rag("?", ["a b", "c"], titles=["One", "Two"], mask="placeholder")
    assert said(token, [1, 0]) == "[1] One\na b\n\n[2]\n\nQuestion: ?"


def test_the_sentences_of_those_that_matter():
    """The first and the last are cut, their headings pinned; the second is masked as a whole."""
    prompt = Prompt.from_rag("?", DOCUMENTS).refined([0, 2], split="sentences")
    assert prompt.features == (
        "Rome is big.",
        "It is old.",
        "[2] → Oslo is cold.",
        "Kyiv is green.",
        "It is far.",
    )
    assert said(prompt, [0, 1, 0, 1, 0]) == "[1] It is old.\n\n[3] Kyiv is green.\n\nQuestion: ?"
    assert said(prompt, [1] * 5) == said(Prompt.from_rag("?", DOCUMENTS), [1] * 3)


def test_documents_can_be_split_at_once():
    """`split="sentences"` is `refined` over all of them."""
    prompt = Prompt.from_rag("?", DOCUMENTS, split="sentences")
    assert prompt == Prompt.from_rag("?", DOCUMENTS).refined(range(3))
    assert prompt.num_features == 5


def test_refining_twice_cuts_finer():
    """Sentences of a document, then the words of one sentence."""
    prompt = Prompt.from_rag("?", DOCUMENTS).refined([0]).refined([1], split="words")
    assert prompt.features == (
        "Rome is big.",
        "It",
        "is",
        "old.",
        "[2] → Oslo is cold.",
        "[3] → Kyiv is green. It is far.",
    )


def test_a_template_says_where_they_go():
    """The question may come first."""
    prompt = Prompt.from_rag("Q?", ["a", "b"], template="{question}\n\n{documents}")
    assert said(prompt, [0, 1]) == "Q?\n\n[2] b"


@given(
    st.lists(texts, min_size=1, max_size=5),
    st.sampled_from(["drop", "token", "ellipsis", "placeholder"]),
    st.sampled_from(["documents", "words", "lines"]),
    st.data(),
)
def test_any_mask_of_any_documents_is_a_question(documents, style, split, data):
    """It holds under any mask, all kept is the same whatever is cut, and a file gives it back."""
    prompt = Prompt.from_rag("Q?", documents, mask=style, split=split)
    size = prompt.num_features
    mask = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    assert anthropic_flaws(prompt.render(mask)) == []
    parts = [f"[{number}] {text}" for number, text in enumerate(documents, start=1)]
    assert said(prompt, [1] * size) == "\n\n".join(parts) + "\n\nQuestion: Q?"
    assert STORED.validate_json(STORED.dump_json(prompt)) == prompt


@pytest.mark.parametrize(
    ("documents", "settings", "word"),
    [
        ([], {}, "no documents"),
        ("one text", {}, "no documents"),
        (["a", " "], {}, "Document 2"),
        (["a"], {"titles": ["x", "y"]}, "2 titles for 1"),
        (["a"], {"template": "{documents}"}, "question"),
        (["a"], {"template": "{question}"}, "documents"),
        (["a"], {"split": "syllables"}, "syllables"),
    ],
)
def test_misuse_is_named(documents, settings, word):
    """Each misuse gets a sentence that names what is wrong."""
    with pytest.raises(PromptError, match=word):
        Prompt.from_rag("Q?", documents, **settings)
