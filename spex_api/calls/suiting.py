"""Which parts of a call suit as its features, where nobody said.

The messages, where there are several beside the last question. Else the documents, passages or
sentences of the text that holds the most; what reads as the question there stays pinned. What this
module does not know: how a text is cut once it is said how, and what an explanation costs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from spex_api.errors import PromptError
from spex_api.prompts.parts import SYSTEM
from spex_api.prompts.segmenters import Segment, segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.calls.asked import Asked
    from spex_api.prompts.parts import Turn

__all__ = ["DOCUMENTS", "Suiting", "documents_in", "suiting", "the_documents"]

DOCUMENTS: Final = "documents"
"""A way to split that a conversation has where one of its messages quotes documents."""

_FEWEST: Final = 3
"""Of fewer features, an explanation says hardly more than leaving one out does."""
_MUCH_LONGER: Final = 4
"""So many times the user's last message: then the other one is what there is to explain."""

_OPENING = re.compile(r"<(?P<tag>[A-Za-z][\w.-]*)(?:\s[^<>]*)?>")
_CLOSING = re.compile(r"</(?P<tag>[A-Za-z][\w.-]*)>")
_NUMBERED = re.compile(
    r"^[ \t>*#-]*(?:\[(?P<bare>\d{1,4})\]|"
    r"(?:document|doc|source|passage|context|chunk|excerpt|result|article)s?[ \t]*[#\[(]*"
    r"(?P<named>\d{1,4})\b)",
    re.IGNORECASE | re.MULTILINE,
)
_ASKS = re.compile(
    r"^\W{0,9}(?:[\w' ]{0,24}\b)?(?:question|query|task|answer)\W{0,9}:|\?[ \t]{0,9}$|"
    r"^\W{0,9}answer the\b",
    re.IGNORECASE | re.MULTILINE,
)
"""What reads as a question. No repeat is without a bound: on a long rule of dashes that takes for
ever."""


@dataclass(frozen=True, slots=True)
class Suiting:
    """How a call is split.

    Attributes:
        split: the name of a way to split, or the pieces of a text, as a spec has it.
        of: the place of the message that is split; None for the user's last, or for all.
        said: which these are, in a sentence.
    """

    split: str | list[str]
    of: int | None
    said: str


def suiting(asked: Asked, *, of: int | str | None = None) -> Suiting:
    """The features that suit a call.

    Args:
        asked: the call.
        of: the message that is to be split, by its place or role, where somebody said which.

    Raises:
        PromptError: it holds something that cannot be told in our words, or there is no such
            message.
    """
    turns = asked.turns
    if of is not None:
        return _of_one(turns, _meant(turns, of))
    whole = _num_messages(asked)
    if whole >= _FEWEST:
        return Suiting(
            "messages", None, f"The features are its {whole} messages but for the last question."
        )
    for at in _by_promise(turns):
        if _cut(turns[at]) is not None:
            return _of_one(turns, at)
    if whole > 1:
        return Suiting("messages", None, f"The features are its {whole} other messages.")
    return Suiting("words", None, "The features are the words of the user's last message.")


def the_documents(asked: Asked, *, of: int | str | None = None) -> Suiting:
    """The documents that a call quotes in one of its messages.

    Args:
        asked: the call.
        of: the message, by its place or role, where somebody said which.

    Raises:
        PromptError: no documents can be told apart there, or there is no such message.
    """
    turns = asked.turns
    for at in _by_promise(turns) if of is None else [_meant(turns, of)]:
        texts = _texts(turns[at])
        pieces = documents_in(texts[0]) if len(texts) == 1 else []
        if pieces:
            said = f"The features are the {len(pieces)} documents of {_who(turns, at)}."
            return Suiting(pieces, at, said)
    raise PromptError(
        "No documents can be told apart in the call: none of its messages has several elements of "
        "one name, or stretches that begin with numbers counting up.",
        advice="Split it into paragraphs, lines or sentences.",
    )


def documents_in(text: str) -> list[str]:
    """The documents that a text quotes, as they stand there; empty where it quotes none.

    They are elements of one name one after the other, as `<document>…</document>`, or stretches
    that begin with a number in brackets or after such a word as "Document", counted upwards.

    Raises:
        Nothing.
    """
    elements = list(_elements(text))
    for tag in dict.fromkeys(tag for tag, _ in elements):
        same = [element for each, element in elements if each == tag]
        if len(same) > 1:
            return same
    # A list within one element, as <documents>…</documents>.
    if len(elements) == 1 and len(elements[0][1]) > len(text) / 2:
        inner = elements[0][1]
        return documents_in(inner[inner.index(">") + 1 : inner.rindex("<")])
    heads = list(_NUMBERED.finditer(text))
    numbers = [int(each["bare"] or each["named"]) for each in heads]
    if len(heads) < 2 or any(after != before + 1 for before, after in pairwise(numbers)):
        return []
    starts = [each.start() for each in heads]
    found = [text[start:stop].strip() for start, stop in pairwise(starts)]
    return [*found, _without_question(text[starts[-1] :])]


def _elements(text: str) -> Iterator[tuple[str, str]]:
    """The outermost elements of a text, each with its name."""
    last = {closing["tag"]: closing.start() for closing in _CLOSING.finditer(text)}
    end = 0
    for opening in _OPENING.finditer(text):
        tag = opening["tag"]
        if end <= opening.start() < last.get(tag, -1):
            end = text.index(f"</{tag}>", opening.end()) + len(tag) + 3
            yield tag, text[opening.start() : end]


def _of_one(turns: tuple[Turn, ...], at: int) -> Suiting:
    """The parts of one message; words, where there is nothing larger."""
    split, named = _cut(turns[at]) or ("words", "words")
    return Suiting(split, at, f"The features are the {named} of {_who(turns, at)}.")


def _meant(turns: tuple[Turn, ...], of: int | str) -> int:
    """The place of the message that is meant, the last one of a role."""
    places = range(len(turns))
    those = [at for at in places if of in (at, at - len(turns), turns[at].role)]
    if not those:
        roles = ", ".join(dict.fromkeys(turn.role for turn in turns))
        raise PromptError(
            f"No message is meant by {of!r}: the call has {len(turns)}, of the roles {roles}.",
            advice="Give its place, counted from 0, or its role.",
        )
    return those[-1]


def _who(turns: tuple[Turn, ...], at: int) -> str:
    role = turns[at].role
    if sum(turn.role == role for turn in turns) == 1:
        return f"the {role}'s message"
    return f"message {at}, counted from 0, which is the {role}'s"


def _num_messages(asked: Asked) -> int:
    """How many features its messages would be."""
    try:
        return asked.prompt(split="messages").num_features
    except PromptError:
        return 0


def _by_promise(turns: tuple[Turn, ...]) -> Iterator[int]:
    """The places of messages whose text may be split: the user's last first, or the longest."""
    lengths = {
        at: sum(map(len, _texts(turn)))
        for at, turn in enumerate(turns)
        if turn.role in ("user", "tool", *SYSTEM)
    }
    last = max((at for at in lengths if turns[at].role == "user"), default=-1)
    longest_first = sorted(lengths, key=lambda at: -lengths[at])
    if last >= 0 and lengths[longest_first[0]] < _MUCH_LONGER * lengths[last]:
        yield last
        longest_first.remove(last)
    yield from longest_first


def _cut(turn: Turn) -> tuple[str | list[str], str] | None:
    """How a message's text is split, and what its pieces are; None where they are too few."""
    texts = _texts(turn)
    if not texts:
        return None
    if len(texts) == 1:
        pieces = documents_in(texts[0])
        if len(pieces) >= _FEWEST:
            return pieces, f"{len(pieces)} documents"
        if _is_json(texts[0]):
            return ("json", "JSON values") if _count(texts, "json") >= _FEWEST else None
        passages = [part.text for part in segment(texts[0], "paragraphs") if not part.pinned]
        stating = _without_ends(passages)
        if _FEWEST <= len(stating) < len(passages):
            return stating, f"{len(stating)} passages beside the question"
    for split in ("paragraphs", "lines", "sentences"):
        if (count := _count(texts, split)) >= _FEWEST:
            return split, f"{count} {split}"
    return None


def _texts(turn: Turn) -> list[str]:
    return [part.text for part in turn.segments if isinstance(part, Segment) and part.text.strip()]


def _count(texts: list[str], split: str) -> int:
    return sum(not part.pinned for text in texts for part in segment(text, split))


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _without_question(text: str) -> str:
    """A stretch up to where a passage asks something; all of it where none does."""
    passages = segment(text, "paragraphs")
    asking = (at for at, part in enumerate(passages) if at and _ASKS.search(part.text))
    return "".join(part.original for part in passages[: next(asking, None)]).strip()


def _without_ends(passages: list[str]) -> list[str]:
    """Passages without those that ask something before and behind the others."""
    asks = [_ASKS.search(each) is not None for each in passages]
    if all(asks):
        return []
    return passages[asks.index(False) : len(asks) - asks[::-1].index(False)]
