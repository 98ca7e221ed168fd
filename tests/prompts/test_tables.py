"""`[prompt]` of a spec: each kind becomes the prompt that Python would make of it."""

from __future__ import annotations

import pytest

from spex_api.errors import PromptError, SpecError
from spex_api.prompt_table import PromptTable
from spex_api.prompts import Prompt
from spex_api.prompts.tables import dialect_of, prompt_of

ASKED = [{"role": "user", "content": "One. Two."}, {"role": "assistant", "content": "Three."}]
ASKED += [{"role": "user", "content": "Four. Five."}]
TOOL = {"type": "function", "function": {"name": "look"}}


def table(**said) -> PromptTable:
    return PromptTable.model_validate(said)


def test_a_text():
    """A template with a text, others, and a system's message."""
    found = table(
        template="{a} {text}", text="Ja. Nein.", texts={"a": "x"}, split="sentences", system="S"
    )
    assert prompt_of(found) == Prompt.from_template(
        "{a} {text}", text="Ja. Nein.", a="x", split="sentences", system="S"
    )
    other = table(template="{a} {b}", texts={"a": "x y", "b": "z"}, of="a", mask="token")
    assert prompt_of(other).features == ("x", "y")


def test_a_conversation():
    """Its places and roles, its tools, and its way of being split are told by the table."""
    assert prompt_of(table(messages=ASKED)) == Prompt.from_openai(ASKED)
    found = table(messages=ASKED, split="sentences", of=["assistant", 0], mask="token")
    assert prompt_of(found).features == ("One.", "Two.", "Three.")
    tools = prompt_of(table(messages=ASKED, tools=[TOOL], split="tools"))
    assert tools == Prompt.from_openai(ASKED, tools=[TOOL], split="tools")
    anthropic = prompt_of(table(messages=ASKED, system="Be brief."))
    assert anthropic == Prompt.from_anthropic("Be brief.", ASKED)


def test_documents():
    """With their titles, in a template, cut where that is asked for."""
    found = table(documents=["A. B.", "C."], question="Q?", titles=["x", "y"], split="sentences")
    assert prompt_of(found) == Prompt.from_rag(
        "Q?", ["A. B.", "C."], titles=["x", "y"], split="sentences"
    )
    assert prompt_of(
        table(documents=["A"], question="Q?", template="{question} {documents}")
    ) == Prompt.from_rag("Q?", ["A"], template="{question} {documents}")


def test_a_sentence_ends_as_its_language_ends_it():
    """`language` reaches the splitter, of each kind."""
    german = "Er kam am 3. Oktober an. Und ging."
    for said in (
        {"template": "{text}", "text": german},
        {"messages": [{"role": "user", "content": german}]},
        {"documents": [german], "question": "?"},
    ):
        found = {
            code: prompt_of(table(**said, split="sentences", language=code)).features
            for code in ("de", "en")
        }
        assert found["de"] == ("Er kam am 3. Oktober an.", "Und ging.")
        assert found["en"] != found["de"]


@pytest.mark.parametrize(
    ("said", "dialect"),
    [
        ({"messages": ASKED}, "openai"),
        ({"messages": [{"role": "system", "content": "x"}, *ASKED]}, "openai"),
        ({"messages": ASKED, "tools": [TOOL]}, "openai"),
        ({"messages": ASKED, "system": "x"}, "anthropic"),
        ({"messages": ASKED, "tools": [{"name": "look", "input_schema": {}}]}, "anthropic"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
            "anthropic",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "openai",
        ),
    ],
)
def test_the_dialect_is_told_by_the_shape(said, dialect):
    """By roles, blocks, tools, and a system's message beside the others."""
    assert dialect_of(**said) == dialect


def test_marks_of_both_dialects_are_named():
    """The key that decides is named; with it, the dialect's own words are refused or taken."""
    mixed = [{"role": "developer", "content": "x"}, *ASKED]
    with pytest.raises(SpecError, match=r"role 'developer' of message 0 .* system beside"):
        prompt_of(table(messages=mixed, system="y"))
    with pytest.raises(SpecError, match="system beside"):
        prompt_of(table(messages=mixed, system="y", messages_format="openai"))
    with pytest.raises(PromptError, match="Message 0"):
        prompt_of(table(messages=mixed, system="y", messages_format="anthropic"))


def test_what_is_no_picture_is_said():
    """A table that was tampered with is no trace."""
    with pytest.raises(SpecError, match="no base64"):
        prompt_of(table(image_data="é", question="?"))
    pytest.importorskip("PIL.Image")
    with pytest.raises(PromptError, match="cannot be read"):
        prompt_of(table(image_data="aGk=", question="?"))
