"""A pipeline's arguments are a prompt whose parts come and go, and the call follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

from spex_api.claims import UNCHANGED, Arrangement
from spex_api.errors import PromptError, UsageError
from spex_api.pipelines.inputs import Inputs

DOCUMENTS = ["Leave is 25 days.", "The canteen\nopens at 11.", "Lyon is\tin France."]


def answer(question, documents, examples=(), *, style="short"):
    """A pipeline whose answer does not matter here."""


def inputs_of(inputs=None, vary="documents", function=answer) -> Inputs:
    given = {"question": "How long?", "documents": DOCUMENTS} if inputs is None else inputs
    return Inputs.of(function, given, vary)


def called(inputs: Inputs, mask) -> dict[str, object]:
    """What the function is called with under a mask, by way of the prompt."""
    _, named = inputs.call(inputs.features_in(inputs.prompt.render(mask)))
    return named


def test_each_part_is_a_feature_with_its_address():
    """In one line; what is not varied is pinned before or behind."""
    inputs = inputs_of()
    assert inputs.prompt.features == (
        "documents[0]: Leave is 25 days.",
        "documents[1]: The canteen opens at 11.",
        "documents[2]: Lyon is in France.",
    )
    shown = inputs.prompt.render([1, 1, 1])[0].content
    assert shown.startswith("question: How long?\ndocuments[0]: ")


@pytest.mark.parametrize("mask", [[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]])
def test_the_call_has_what_a_mask_keeps(mask):
    """The elements themselves, in their order, in a new list; the rest as it was given."""
    named = called(inputs_of(), mask)
    kept = [text for text, keep in zip(DOCUMENTS, mask, strict=True) if keep]
    assert named == {"question": "How long?", "documents": kept}
    assert named["documents"] is not DOCUMENTS


def test_a_question_is_the_same_by_mask_and_by_features():
    """So that whoever asks an arrangement asks what a mask asks."""
    inputs = inputs_of()
    for bits in range(1, 8):
        mask = [bits >> place & 1 for place in range(3)]
        features = tuple(np.flatnonzero(mask).tolist())
        assert inputs.asked(features) == inputs.prompt.render(mask)
    assert inputs.features_in(inputs.asked(())) == ()


def test_a_tuple_stays_one_and_elements_may_be_anything():
    """Objects without a hash and without a text of their own are handed on as they are."""
    things = ({"role": "user", "content": "Hi"}, [1, 2], object())
    inputs = inputs_of({"question": "?", "documents": things})
    documents = called(inputs, [1, 0, 1])["documents"]
    assert documents == (things[0], things[2])
    assert documents[1] is things[2]


def test_arguments_by_place_are_given_by_place():
    """Their names come from the function, as far as it names them."""
    inputs = inputs_of(("How long?", DOCUMENTS), vary=None)
    assert inputs.prompt.features[0].startswith("documents[0]")
    assert inputs.call((2,)) == (("How long?", [DOCUMENTS[2]]), {})
    many = inputs_of((["a", "b"], ["c"]), vary=None, function=lambda *lists: "")
    assert many.prompt.features == (
        "arguments[0][0]: a",
        "arguments[0][1]: b",
        "arguments[1][0]: c",
    )


def test_every_list_is_varied_unless_it_is_said():
    """Empty ones have nothing to be left out."""
    inputs = inputs_of({"question": "?", "documents": ["a"], "examples": ["b", "c"]}, vary=None)
    assert inputs.prompt.features == ("documents[0]: a", "examples[0]: b", "examples[1]: c")
    assert called(inputs, [0, 1, 0]) == {"question": "?", "documents": [], "examples": ["b"]}
    assert inputs_of({"question": "?", "documents": ["a", "b"], "examples": []}, vary=None)


def test_a_text_is_cut_by_a_segmenter():
    """And reads under a mask as a prompt would; with nothing left it is empty."""
    text = "I live in Lyon. How long is leave? Be brief."
    inputs = inputs_of({"question": text, "documents": ["a"]}, vary={"question": "sentences"})
    assert inputs.prompt.features[1] == "question[1]: How long is leave?"
    assert called(inputs, [1, 1, 1])["question"] == text
    assert called(inputs, [1, 0, 1])["question"] == "I live in Lyon. Be brief."
    assert called(inputs, [0, 0, 0])["question"] == ""
    pieces = inputs_of(
        {"question": "red: blue", "documents": []}, vary={"question": ["red", "blue"]}
    )
    assert called(pieces, [0, 0])["question"].strip() == ":"


def test_a_part_may_stand_elsewhere_in_its_list():
    """Moved first, left out then; places are those of the whole list."""
    inputs = inputs_of({"question": "?", "documents": list("abcd"), "examples": list("xy")}, None)
    order = inputs.arranged(Arrangement((1,), moved=((3, 0), (5, 0))))
    assert order == (3, 0, 2, 5, 4)
    assert inputs.features_in(inputs.asked(order)) == order
    assert inputs.call(order)[1] == {
        "question": "?",
        "documents": list("dac"),
        "examples": ["y", "x"],
    }
    assert inputs.arranged(UNCHANGED) == inputs.everything == tuple(range(6))
    assert inputs.places == {0: 4, 1: 4, 2: 4, 3: 4, 4: 2, 5: 2}


def test_a_part_without_a_list_stands_where_it_stands():
    """A sentence is not moved, and no place is beyond the list."""
    text = inputs_of({"question": "One. Two.", "documents": []}, vary={"question": "sentences"})
    with pytest.raises(UsageError, match="Part 0 cannot stand at place 1"):
        text.arranged(Arrangement(moved=((0, 1),)))
    with pytest.raises(UsageError, match="Part 0 cannot stand at place 3"):
        inputs_of().arranged(Arrangement(moved=((0, 3),)))


class Node:
    """As the libraries for retrieval have them."""

    def __init__(self, text):
        self.page_content = text


@dataclass
class Passage:
    """Without any field of a known name."""

    body: str


class Speechless:
    """Nothing tells it but its representation."""

    def __repr__(self):
        return "<speechless>"


@pytest.mark.parametrize(
    ("element", "shown"),
    [
        (Node("two\nlines"), "two lines"),
        (Passage("é"), '{"body": "é"}'),
        ({"content": "Hi"}, '{"content": "Hi"}'),
        (("a", 1), '["a", 1]'),
        (Speechless(), "<speechless>"),
        (3, "3"),
        ("half \ud83d", "half ?"),
    ],
)
def test_an_element_reads_as_one_line(element, shown):
    """By its text where it has one, as JSON where it can be, and by its representation else."""
    inputs = inputs_of({"question": "?", "documents": [element, "b"]})
    assert inputs.prompt.features[0] == f"documents[0]: {shown}"


def test_a_long_argument_that_stays_is_shown_cut():
    """It is called with whole."""
    inputs = inputs_of({"question": "x" * 9000, "documents": ["a", "b"]})
    assert len(inputs.prompt.render([1, 1])[0].content) < 2100
    assert called(inputs, [1, 0])["question"] == "x" * 9000


class Pair(NamedTuple):
    """Its places have names."""

    left: str
    right: str


@pytest.mark.parametrize(
    ("inputs", "vary", "said"),
    [
        ({"question": "?", "documents": []}, None, "None of the arguments 'question', 'documents'"),
        ({"question": "?", "documents": []}, "documents", "'documents' is empty"),
        ({"question": "?", "documents": ["a"]}, None, "only one part"),
        ({"question": "?", "documents": ["a"]}, "document", "no argument 'document'"),
        ({"question": "?", "documents": ["a"]}, "question", "not said how to cut it"),
        ({"question": "?", "documents": ["a"]}, (), "No argument is to be varied"),
        ({"question": 7, "documents": ["a"]}, ("question",), "'question' is a int, which has no"),
        ({"question": "?", "documents": Pair("a", "b")}, "documents", "is a Pair"),
        ({"question": "?", "documents": ["a", "b"]}, {"documents": "words"}, "cut into 'words'"),
        ({"question": "?", "papers": ["a", "b"]}, None, "does not take these inputs"),
        (["?", ["a"]], None, "The inputs are a list"),
    ],
)
def test_misuse_is_told_before_anything_is_asked(inputs, vary, said):
    """What is wrong, with its name."""
    with pytest.raises(UsageError, match=said):
        inputs_of(inputs, vary)


def test_a_text_is_cut_in_a_way_that_there_is():
    """The segmenters' own error."""
    with pytest.raises(PromptError, match="verses"):
        inputs_of({"question": "One. Two.", "documents": []}, vary={"question": "verses"})


def test_a_pipeline_is_a_function():
    """Its result is none."""
    with pytest.raises(UsageError, match="cannot be called"):
        inputs_of(function="answer")


def test_what_a_file_holds_of_it():
    """The function's address, its arguments as JSON, and how they are cut, as far as that goes."""
    described = inputs_of(vary={"documents": None, "question": "words"}).described(answer)
    assert described.function.endswith("test_inputs:answer")
    assert described.inputs == {"question": "How long?", "documents": DOCUMENTS}
    assert described.vary == {"documents": "", "question": "words"}
    odd = inputs_of({"question": "?", "documents": [Node("a"), Node("b")]})
    assert odd.described(partial(answer, style="long")).function == ""
    assert odd.described(lambda question, documents: "").function == ""
    assert odd.described(answer).inputs is None
    cut = inputs_of({"question": "a b", "documents": []}, vary={"question": ["a", "b"]})
    assert cut.described(answer).inputs is None
