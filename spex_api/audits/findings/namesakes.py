"""What the parts of a prompt are called, so that parts of many prompts go by one name.

By what they say, by who says it, by their place, or by a column of the cases. What this module does
not know: what the parts do.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.report.naming import Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spex_api.audited import Audited
    from spex_api.explanation import Explanation
    from spex_api.prompts import Prompt
    from spex_api.transforms import Support

__all__ = ["DOCUMENT", "KEY", "POSITION", "ROLE", "TEXT", "Called", "called", "plain"]

TEXT: Final = "text"
ROLE: Final = "role"
DOCUMENT: Final = "document"
POSITION: Final = "position"
KEY: Final = ""
"""Of a column, whose name may be any of the above."""

_MARKS: Final = ".,;:!?…"


@dataclass(frozen=True, slots=True)
class Called:
    """The names of a case's parts, of one kind.

    Attributes:
        kind: one of this module's.
        names: one a feature; parts of one name are one part. "" for a part that has none.
        own: the names that are of this kind; the others are there as partners alone.
        shape: within which a name means the same.
    """

    kind: str
    names: tuple[str, ...]
    own: frozenset[str]
    shape: tuple[object, ...] = ()

    @property
    def features(self) -> dict[str, Support]:
        """The features behind each name."""
        behind: dict[str, list[int]] = {}
        for feature, name in enumerate(self.names):
            behind.setdefault(name, []).append(feature)
        return {name: tuple(features) for name, features in behind.items()}

    def own_features(self) -> Support:
        """The features whose names are of this kind."""
        return tuple(feature for feature, name in enumerate(self.names) if name in self.own)


def called(case: Audited, *, key: str | None = None) -> list[Called]:
    """What the parts of a case are called, in every way that is open to them.

    Args:
        case: one that was explained.
        key: a column; the parts that spell its entry are one part.
    """
    explanation = case.explanation
    if explanation is None:
        return []
    texts = _texts(explanation)
    plains = tuple(map(plain, texts))
    found = [_of_kind(TEXT, plains)]
    if explanation.prompt is not None:
        found += _by_role(explanation.prompt)
    found += _by_place(explanation)
    if key is not None and case.columns.get(key):
        spelled = _spelling(plains, plain(case.columns[key]))
        if spelled:
            # Braces, as in the template: no plain text has them around it.
            field = f"{{{key}}}"
            names = (field if place in spelled else name for place, name in enumerate(plains))
            found.append(Called(KEY, tuple(names), frozenset({field})))
    return found


def plain(text: str) -> str:
    """The text without case, and without marks and space around its words.

    Where there is no letter, as in "-5 %", only the marks of a sentence go.
    """
    words = unicodedata.normalize("NFC", text).casefold().split()
    return " ".join(filter(None, map(_bare, words))) or " ".join(words)


def _bare(word: str) -> str:
    if not any(map(str.isalpha, word)):
        return word.strip(_MARKS)
    first, last = 0, len(word)
    while first < last and _is_mark(word[first]):
        first += 1
    while last > first and _is_mark(word[last - 1]):
        last -= 1
    return word[first:last]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("P")


def _of_kind(kind: str, names: Iterable[str], shape: tuple[object, ...] = ()) -> Called:
    listed = tuple(names)
    return Called(kind, listed, frozenset(filter(None, listed)), shape)


def _texts(explanation: Explanation) -> Sequence[str]:
    """What each feature says: of several parts, as a document's number and its text, the longest.

    A pipeline's part says what stands behind its address.
    """
    if explanation.prompt is None:
        return Names.of(explanation).texts
    texts = [""] * explanation.prompt.num_features
    for _, parts in explanation.prompt.marked():
        for each in parts:
            if each.feature is not None:
                texts[each.feature] = max(texts[each.feature], each.part.text, key=len)
    return texts


def _roles(prompt: Prompt) -> list[str]:
    """Who says each feature; the first where several do."""
    roles = [""] * prompt.num_features
    for turn, parts in prompt.marked():
        for each in parts:
            if each.feature is not None and not roles[each.feature]:
                roles[each.feature] = turn.role
    return roles


def _by_role(prompt: Prompt) -> list[Called]:
    roles = _roles(prompt)
    # Where one role says everything, it would stand for the whole prompt.
    return [_of_kind(ROLE, roles)] if len(set(roles)) > 1 else []


def _by_place(explanation: Explanation) -> list[Called]:
    prompt = explanation.prompt
    if prompt is None:
        names = Names.of(explanation)
        return [_of_kind(POSITION, names.short, ("addresses",))] if names.addressed else []
    number = prompt.num_features
    if prompt.feature_of and set(Counter(prompt.feature_of).values()) == {2}:
        return [_of_kind(DOCUMENT, (f"document {place + 1}" for place in range(number)))]
    shape = tuple(_roles(prompt))
    return [_of_kind(POSITION, (f"part {place + 1} of {number}" for place in range(number)), shape)]


def _spelling(plains: Sequence[str], entry: str) -> set[int]:
    """The features that spell an entry, each time that it stands there."""
    found: set[int] = set()
    for start in range(len(plains)):
        said = ""
        for end in range(start, len(plains)):
            said = f"{said} {plains[end]}".strip()
            if said == entry:
                found.update(range(start, end + 1))
            if len(said) >= len(entry):
                break
    return found
