"""How a text is spelt in a model's tokens, and whether two spellings are the same one.

Numbers decide where both sides tell them: a token that is part of a character has no text of its
own, only a mark in its place. What this module does not know: log-probs, and what a spelling is
compared for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.completions import Outcome
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Completion, TokenLogprob

__all__ = [
    "SpeltText",
    "TokenSpelling",
    "is_partial",
    "joined",
    "readable",
    "spell_answer",
    "without_end",
]

_PART: Final = "\ufffd"
"""Stands where a token holds only part of a character."""

_MARKS: Final = str.maketrans({"Ġ": " ", "▁": " ", "Ċ": "\n"})
"""How vocabularies write what a reader sees as a space or the end of a line."""


@dataclass(frozen=True, slots=True)
class TokenSpelling:
    """The tokens of a text, in their order.

    Attributes:
        pieces: the text of each.
        ids: the number of each in the vocabulary; empty where they are not known.
    """

    pieces: tuple[str, ...]
    ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.pieces:
            raise UsageError("A text is spelt in one token at least.")
        if self.ids and len(self.ids) != len(self.pieces):
            raise UsageError(
                f"A spelling of {len(self.pieces)} tokens has as many numbers, not {len(self.ids)}."
            )

    def __len__(self) -> int:
        return len(self.pieces)

    @classmethod
    def of(cls, tokens: Sequence[TokenLogprob]) -> TokenSpelling:
        """As an endpoint told it.

        Raises:
            UsageError: there are no tokens.
        """
        ids = tuple(token.token_id for token in tokens if token.token_id is not None)
        pieces = tuple(token.token for token in tokens)
        return cls(pieces, ids if len(ids) == len(pieces) else ())

    @property
    def whole_pieces(self) -> int:
        """How many tokens come before the first that is part of a character."""
        parts = (place for place, piece in enumerate(self.pieces) if is_partial(piece))
        return next(parts, len(self.pieces))

    def first(self, count: int) -> TokenSpelling:
        """The first so many of the tokens.

        Raises:
            UsageError: none is left.
        """
        return TokenSpelling(self.pieces[:count], self.ids[:count])

    def before(self, place: int) -> str:
        """The text of the tokens before this one."""
        return "".join(map(readable, self.pieces[:place]))

    def is_spelt_by(self, tokens: Sequence[TokenLogprob]) -> bool:
        """Whether these are the same tokens: by number where both sides tell, else by text."""
        if len(tokens) != len(self.pieces):
            return False
        told = tuple(token.token_id for token in tokens)
        if self.ids and None not in told:
            return told == self.ids
        mine, theirs = map(readable, self.pieces), (readable(token.token) for token in tokens)
        return all(one == other for one, other in zip(mine, theirs, strict=True))


@dataclass(frozen=True, slots=True)
class SpeltText:
    """A text, its tokens as far as they are known, and whether it is all that it is part of.

    Attributes:
        text: to be forced.
        spelling: its tokens; None where the endpoint tells of none.
        whole: whether the answer ended there, rather than being cut at its greatest length.
    """

    text: str
    spelling: TokenSpelling | None = None
    whole: bool = True


def readable(piece: str) -> str:
    """The text of a token, where a vocabulary writes a space or the end of a line by a mark."""
    return piece.translate(_MARKS)


def is_partial(piece: str) -> bool:
    """Whether a token holds part of a character only."""
    return _PART in piece


def joined(tokens: Sequence[TokenLogprob]) -> str:
    """The text of these tokens together."""
    return "".join(readable(token.token) for token in tokens)


def without_end(tokens: Sequence[TokenLogprob], text: str) -> Sequence[TokenLogprob]:
    """The tokens without those behind the text: the end of a turn is no part of an answer.

    Args:
        tokens: of an answer, in its order.
        text: what the endpoint says that the answer is.
    """
    kept = len(tokens)
    while kept and not _ends(text, tokens[kept - 1].token):
        kept -= 1
    return tokens[:kept]


def spell_answer(answer: Completion) -> SpeltText | None:
    """What an answer says, exactly as it was written; None where it says nothing.

    An answer that was cut within a character goes as far as the last whole one. Tokens that do not
    make up the text, as where a server hides part of what was written, are not told of.
    """
    text, tokens = answer.text, answer.tokens
    whole = answer.outcome is not Outcome.TRUNCATED
    if whole:
        tokens = tuple(without_end(tokens, text))
    elif text.endswith(_PART):
        text, tokens = _without_part(text, tokens)
    if not text:
        return None
    if not tokens:
        return SpeltText(text, whole=whole)
    spelling = TokenSpelling.of(tokens)
    if spelling.whole_pieces < len(spelling):
        return SpeltText(text, spelling, whole)
    # A server may tidy up the spaces around an answer; its tokens are what was written.
    said = joined(tokens)
    # And where the turn was begun for it, some say that again before what they wrote.
    if said.strip() != text.strip() and not text.endswith(said):
        return SpeltText(text, whole=whole)
    return SpeltText(said, spelling, whole)


def _ends(text: str, piece: str) -> bool:
    """Whether a text may end with a token."""
    return bool(piece) and (is_partial(piece) or text.endswith(readable(piece)))


def _without_part(
    text: str, tokens: tuple[TokenLogprob, ...]
) -> tuple[str, tuple[TokenLogprob, ...]]:
    """A text and its tokens up to the last token before those that are parts of characters."""
    kept = len(tokens)
    while kept and is_partial(tokens[kept - 1].token):
        kept -= 1
    if not kept:
        return text.rstrip(_PART), ()
    last = readable(tokens[kept - 1].token)
    place = text.rfind(last)
    return (text[: place + len(last)], tokens[:kept]) if place >= 0 else (text.rstrip(_PART), ())
