"""Where nobody says how a call is split, what there is to explain is found."""

from __future__ import annotations

import json

import pytest

from spex_api.calls.asked import asked_in
from spex_api.calls.suiting import documents_in, suiting, the_documents
from spex_api.errors import PromptError

DOCUMENTS = [f"[{n}] Leave\nIn year {n} it was {n + 10} days.\n\nAs agreed." for n in range(1, 6)]
QUESTION = "Question: how many days do we have?"


def call(*messages, **settings):
    told = [{"role": role, "content": content} for role, content in messages]
    return asked_in({"model": "m", "messages": told, **settings}, where="test")


def features(asked):
    found = suiting(asked)
    return asked.prompt(split=found.split, of=found.of).features


def test_a_conversation_is_its_messages():
    """Three or more beside the last question."""
    talk = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", QUESTION)]
    found = suiting(call(*talk))
    assert (found.split, found.of) == ("messages", None)
    assert "3 messages" in found.said
    assert features(call(*talk)) == ("Be brief.", "Hi", "Hello.")


def test_documents_in_the_users_message_are_the_features():
    """Each whole, however many passages it has; what is before them and the question stay."""
    text = "\n\n".join(["Answer from these.", *DOCUMENTS, QUESTION])
    found = suiting(call(("system", "Be brief."), ("user", text)))
    assert (found.split, found.of) == (DOCUMENTS, 1)
    assert "5 documents of the user's message" in found.said
    assert features(call(("system", "Be brief."), ("user", text))) == tuple(DOCUMENTS)


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("<doc id='1'>a</doc>\n<doc id='2'>b\n\nc</doc>\nWhich?", 2),
        ("<documents><document>a</document><document>b</document></documents>", 2),
        ("Document 1: a\nDocument 2: b\nDocument 3: c", 3),
        ("### Source 4\na\n### Source 5\nb", 2),
        ("[1] a\n[2] b\n\nWhich?", 2),
        ("[1] a\n[3] b", 0),
        ("See [1] and [2].", 0),
        ("<b>bold</b> words", 0),
        ("<br><br><p>a<p>b", 0),
        ("Nothing here.", 0),
        ("", 0),
    ],
)
def test_documents_are_known_by_their_elements_or_numbers(text, documents):
    """One name one after the other, or numbers that count up at the beginnings of lines."""
    found = documents_in(text)
    assert len(found) == documents
    assert all(each in text for each in found)
    assert not any("Which?" in each for each in found)


def test_the_documents_are_found_where_they_are():
    """In whichever message, though there are others; where there are none, that is said."""
    text = "\n\n".join([*DOCUMENTS[:2], QUESTION])
    talk = [("user", text), ("assistant", "Hm."), ("user", "Go on."), ("assistant", "So?")]
    asked = call(*talk, ("user", "How many days?"))
    found = the_documents(asked)
    assert (found.split, found.of) == (DOCUMENTS[:2], 0)
    assert the_documents(asked, of=0) == found
    with pytest.raises(PromptError, match="No documents can be told apart"):
        the_documents(asked, of="assistant")


def test_a_message_is_meant_by_place_or_role():
    """Of several of one role the last; what there is not is told with what there is."""
    asked = call(("system", "One. Two. Three."), ("user", "Hi"), ("user", "Four. Five. Six."))
    assert (
        suiting(asked, of=0).of == suiting(asked, of="system").of == suiting(asked, of=-3).of == 0
    )
    assert suiting(asked, of="user").of == 2
    with pytest.raises(PromptError, match=r"has 3, of the roles system, user"):
        suiting(asked, of="tool")


def test_passages_without_the_question():
    """Where nothing is numbered; a question within the passages is one of them."""
    passages = ["Leave was 25 days.", "Is it more? It was.", "Now it is 15 days."]
    text = "\n\n".join([*passages, QUESTION])
    assert features(call(("user", text))) == tuple(passages)
    no_question = "\n\n".join(passages)
    found = suiting(call(("user", no_question)))
    assert (found.split, found.of) == ("paragraphs", 0)


def test_a_long_instruction_before_a_short_question():
    """The longest text is what there is to explain, and the question is not."""
    rules = "\n\n".join(f"Rule {n}: in case {n} the answer is {n} days of leave." for n in range(9))
    found = suiting(call(("system", rules), ("user", "How many days? Be so kind. Thank you.")))
    assert (found.split, found.of) == ("paragraphs", 0)
    assert "the system's message" in found.said


def test_a_tools_result_in_json():
    """Its values are the features, and it stays JSON under every mask."""
    result = json.dumps([{"title": f"t{n}", "text": f"In year {n} it was {n}."} for n in range(8)])
    call_of = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    told = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": None, "tool_calls": [call_of]},
        {"role": "tool", "tool_call_id": "c", "content": result},
    ]
    found = suiting(asked_in({"model": "m", "messages": told}, where="test"))
    assert (found.split, found.of) == ("json", 2)


def test_a_short_question_is_its_words():
    """Where there is nothing else."""
    found = suiting(call(("user", "How many days?")))
    assert (found.split, found.of) == ("words", None)
    assert features(call(("user", "How many days?"))) == ("How", "many", "days?")
    assert suiting(call(("user", "One. Two. Three."))).split == "sentences"
    assert suiting(call(("user", "- one\n- two\n- three"))).split == "lines"
