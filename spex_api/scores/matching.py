"""Whether an answer is a hit, decided by its text, or by how it ended and what it calls.

Matchers are values: they compare, they print as Python, and the same matcher read tomorrow gives
the same counts. What this module does not know: how often an answer hits.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from spex_api.completions import WITHHELD
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.settings import check_labels, check_texts
from spex_api.scores.wording import folded, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.completions import Draw

__all__ = [
    "AnswerMatcher",
    "JsonField",
    "Matcher",
    "Pattern",
    "Predicate",
    "Refusal",
    "Says",
    "Words",
    "excerpt",
    "judged",
    "qualified_name",
    "same",
]

_MOST_BRACES = 100
"""Of text that only looks like JSON, so many beginnings are tried."""

_DECODER = json.JSONDecoder()

_EMPHASIS = re.compile(r"[*`]+|__")
"""Markdown's marks, which are no part of what is said."""


@runtime_checkable
class Matcher(Protocol):
    """Tells hits from misses."""

    @property
    def label(self) -> str:
        """What an answer that hits is or holds, in words for a report."""
        ...

    def matches(self, text: str) -> bool:
        """Whether the answer is a hit.

        Raises:
            ScoreError: it cannot be told.
        """
        ...


@runtime_checkable
class AnswerMatcher(Matcher, Protocol):
    """Tells hits from misses by more of an answer than its text."""

    def judges(self, answer: Draw) -> bool | None:
        """Whether the answer is a hit; None where it is neither a hit nor a miss."""
        ...


def judged(matcher: Matcher, answer: Draw) -> bool | None:
    """Whether an answer is a hit; None where it was withheld, and so as a rule is neither.

    Raises:
        ScoreError: it cannot be told.
    """
    if isinstance(matcher, AnswerMatcher):
        return matcher.judges(answer)
    return None if answer.outcome in WITHHELD else matcher.matches(answer.text)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Words:
    """Of these labels, the one that stands first in the answer; it hits where that is the first.

    A label stands anywhere in the answer, as a word or words of its own, without regard to case: so
    "The answer is **Yes**, not no." is a "yes". Of two that begin at one place the longer counts.
    Scripts without spaces have no words of their own, so there a label may stand anywhere.
    """

    labels: tuple[str, ...]

    def __init__(self, *labels: str) -> None:
        """Names the labels; the first is the one that hits.

        Raises:
            UsageError: there is none, one is empty, or two are the same but for case and spaces.
        """
        check_labels(labels)
        if not labels or not all(label.strip() for label in labels):
            raise UsageError("Words are looked for by one label at least, and none is empty.")
        if len({folded(label) for label in labels}) < len(labels):
            raise UsageError(f"The labels {', '.join(labels)} are not different words.")
        object.__setattr__(self, "labels", tuple(label.strip() for label in labels))

    def __repr__(self) -> str:
        return f"Words({', '.join(map(repr, self.labels))})"

    @property
    def label(self) -> str:
        """The first label, quoted."""
        return repr(self.labels[0])

    def found(self, text: str) -> str | None:
        """The label that stands first in the answer; None where none does."""
        plain = folded(text)
        places = [(place_of(folded(label), plain), label) for label in self.labels]
        standing = [(place, -len(folded(label)), label) for place, label in places if place >= 0]
        return min(standing)[2] if standing else None

    def matches(self, text: str) -> bool:
        """Whether the first label is the one."""
        return self.found(text) == self.labels[0]


@dataclass(frozen=True, slots=True, repr=False)
class Says:
    """Answers that say this text, wherever it stands in them.

    Without regard to case, spaces, line breaks and marks of emphasis, and as words of its own: "15
    days" is in "**15** Days", and not in "115 days".
    """

    text: str

    def __post_init__(self) -> None:
        check_texts(says=self.text)
        if not folded(self.text):
            raise UsageError("What an answer says is empty, so every answer would hit.")

    def __repr__(self) -> str:
        return f"Says({self.text!r})"

    @property
    def label(self) -> str:
        """The text, quoted."""
        return repr(self.text)

    def matches(self, text: str) -> bool:
        """Whether it stands in the answer."""
        wanted = folded(self.text)
        as_read = (text, _EMPHASIS.sub("", text))
        return any(place_of(wanted, folded(each)) >= 0 for each in as_read)


@dataclass(frozen=True, slots=True, repr=False)
class Pattern:
    """Answers in which a regular expression finds something.

    It is Python's `re.search`, so case counts unless the expression begins with `(?i)`. One with
    nested repeats, as `(a+)+$`, can take as good as for ever on an answer that almost fits.
    """

    regex: str

    def __post_init__(self) -> None:
        check_texts(pattern=self.regex)
        try:
            re.compile(self.regex)
        except re.error as error:
            raise UsageError(f"{self.regex!r} is no regular expression: {error}.") from error

    def __repr__(self) -> str:
        return f"Pattern({self.regex!r})"

    @property
    def label(self) -> str:
        """The expression between slashes."""
        return f"what /{self.regex}/ finds"

    def matches(self, text: str) -> bool:
        """Whether it finds anything; `re` keeps what it compiled."""
        return re.search(self.regex, text) is not None


@dataclass(frozen=True, slots=True, repr=False)
class JsonField:
    """Answers whose first JSON object has this value at this path.

    The object may stand in prose or in a code fence. Text is compared without regard to case, and
    numbers as numbers; `true` is no 1. An object that is cut off holds nothing.

    Attributes:
        path: keys with points between them, and numbers for the places in a list: "tags.0.name".
        equals: the value that hits.
    """

    path: str
    equals: str | float | bool | None

    def __post_init__(self) -> None:
        check_texts(field=self.path)
        if not self.path or not all(self.path.split(".")):
            raise UsageError(
                f"{self.path!r} is no path into a JSON object.",
                advice="Write keys with points between them, as in result.label or tags.0.",
            )
        if not isinstance(self.equals, str | int | float | None):
            raise UsageError(
                f"A JSON field is compared to text, a number, true, false or null, "
                f"not to {self.equals!r}."
            )

    def __repr__(self) -> str:
        return f"JsonField({self.path!r}, {self.equals!r})"

    @property
    def label(self) -> str:
        """The path and its value."""
        return f"{self.path} = {json.dumps(self.equals, ensure_ascii=False)}"

    def matches(self, text: str) -> bool:
        """Whether the value is there, and is the one."""
        value: Any = _first_object(text)
        for key in self.path.split("."):
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and _is_place(key, value):
                value = value[int(key)]
            else:
                return False
        return same(value, self.equals)


@dataclass(frozen=True, slots=True, repr=False)
class Predicate:
    """Answers of which a function of the user's says that they hit.

    Attributes:
        function: from the answer's text to whether it hits.
    """

    function: Callable[[str], object]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise UsageError(
                f"A predicate is a function of an answer's text, not {self.function!r}."
            )

    def __repr__(self) -> str:
        return f"Predicate({qualified_name(self.function)})"

    @property
    def label(self) -> str:
        """The function's name."""
        return f"what {qualified_name(self.function)} accepts"

    def matches(self, text: str) -> bool:
        """Whether the function says so.

        Raises:
            ScoreError: the function failed.
        """
        try:
            return bool(self.function(text))
        except Exception as error:
            raise ScoreError(
                f"{qualified_name(self.function)} failed on the answer {excerpt(text)}: "
                f"{type(error).__name__}: {error}."
            ) from error


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answers that the model declined to give, or that a filter took away: they hit.

    The only matcher that reads what was withheld: for every other, such an answer is neither a hit
    nor a miss. A refusal in the model's own words is an answer like any other; `Pattern` finds it.
    """

    @property
    def label(self) -> str:
        """What hits."""
        return "a refusal"

    def matches(self, text: str) -> bool:  # noqa: ARG002 - that there is a text is what counts
        """No: an answer with a text of its own was given."""
        return False

    def judges(self, answer: Draw) -> bool:
        """Whether it was withheld."""
        return answer.outcome in WITHHELD


def excerpt(text: str, length: int = 200) -> str:
    """The text's beginning, quoted."""
    return repr(text if len(text) <= length else text[: length - 1] + "…")


def qualified_name(function: object) -> str:
    """A function by its module and name; anything else that can be called by its type's."""
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None)
    name = getattr(named, "__qualname__", repr(named))
    return name if module in (None, "builtins") else f"{module}.{name}"


def _first_object(text: str) -> dict[str, Any] | None:
    place = text.find("{")
    for _ in range(_MOST_BRACES):
        if place < 0:
            return None
        try:
            value, _ = _DECODER.raw_decode(text, place)
        except json.JSONDecodeError as error:
            # What is cut off at the end may hold whole objects, which are not the answer's own.
            if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
                return None
        except RecursionError:
            return None
        else:
            return value if isinstance(value, dict) else None
        place = text.find("{", place + 1)
    return None


def _is_place(key: str, values: list[Any]) -> bool:
    return key.isascii() and key.isdecimal() and int(key) < len(values)


def same(value: object, wanted: object) -> bool:
    """Whether a value of JSON is the one: text without case, numbers as numbers, `true` no 1."""
    if isinstance(value, bool) or isinstance(wanted, bool) or wanted is None:
        return value is wanted
    if isinstance(value, str) and isinstance(wanted, str):
        return folded(value) == folded(wanted)
    numbers = isinstance(value, int | float) and isinstance(wanted, int | float)
    return numbers and value == wanted
