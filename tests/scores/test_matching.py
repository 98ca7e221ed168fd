"""Whether an answer hits is decided by its words, a pattern, a field or a function."""

from __future__ import annotations

import pytest

from spex_api.errors import ScoreError, UsageError
from spex_api.scores import JsonField, Pattern, Predicate, Says, Words


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("Yes", True),
        (" yes.", True),
        ("The answer is **Yes**, not no.", True),
        ("No, not yes.", False),
        ("yesterday", False),
        ("", False),
        ("non-yes", False),
    ],
)
def test_the_first_label_that_stands_in_the_answer_decides(text, hits):
    """As a word of its own, whatever its case, and before any other label."""
    assert Words("yes", "no").matches(text) is hits


def test_labels_of_scripts_without_spaces_stand_anywhere():
    """There are no words there to be told apart."""
    assert Words("是", "否").matches("答案是。")
    assert not Words("是", "否").matches("否")


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("You have 15 days of leave.", True),
        ("You have **15** Days.", True),
        ("15\u00a0days", True),
        ("15\ndays, no more", True),
        ("115 days", False),
        ("1.15 days", False),
        ("15 daysailers", False),
        ("15 or so days", False),
        ("", False),
    ],
)
def test_an_answer_says_a_text_wherever_it_stands(text, hits):
    """Case, spaces and emphasis do not matter; the ends of words and numbers do."""
    assert Says(" 15  days").matches(text) is hits


def test_what_is_said_is_no_blank():
    """An empty text is in every answer, so it is refused at once."""
    with pytest.raises(UsageError, match="every answer would hit"):
        Says(" \n")
    with pytest.raises(UsageError, match="says as text"):
        Says(15)


def test_a_pattern_is_searched_for():
    """A regular expression of Python's; a broken one is refused at once."""
    assert Pattern(r"refund of \$\d+").matches("You get a refund of $15 today.")
    assert not Pattern(r"^no").matches("yes, no")
    with pytest.raises(UsageError):
        Pattern("(")


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ('{"label": {"name": "spam"}}', True),
        ('Sure:\n```json\n{"label": {"name": "spam"}}\n```', True),
        ('{"label": {"name": "ham"}}', False),
        ('{"label": "spam"}', False),
        ("spam", False),
    ],
)
def test_a_field_of_the_first_json_object_decides(text, hits):
    """Its path is dotted; an answer without it is a miss."""
    assert JsonField("label.name", "spam").matches(text) is hits


def test_a_predicate_is_the_users_own_and_its_failure_is_told():
    """What it raises is one of our errors, with the text."""
    assert Predicate(str.isupper).matches("YES")

    def broken(text):
        raise KeyError(text)

    with pytest.raises(ScoreError, match="KeyError"):
        Predicate(broken).matches("YES")


def test_matchers_are_values():
    """They compare, and print as the Python that makes them."""
    for matcher in (Words("yes", "no"), Says("a b"), Pattern("a+"), JsonField("a.b", 1)):
        assert eval(repr(matcher)) == matcher  # noqa: S307 - our own repr
