"""A refusal for good is kept as words: of which kind it was, its cause, and what to do about it.

It comes back as an error of the same class with the same cause, and says that it is from disk:
nothing was sent for it. What this module does not know: whether a refusal is one of this question
alone, and where it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from spex_api.errors import BadRequest, ContentFiltered, ContextTooLong

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Refused"]

_LONGEST: Final = 4096
"""Characters of a sentence that is kept."""

_Kind = Literal["bad_request", "content_filtered", "context_too_long"]
_KINDS: Final[dict[type[BadRequest], _Kind]] = {
    ContentFiltered: "content_filtered",
    ContextTooLong: "context_too_long",
    BadRequest: "bad_request",
}
"""The narrower first."""
_CLASSES: Final = {kind: refusal for refusal, kind in _KINDS.items()}

_Sentence = Annotated[str, Field(max_length=_LONGEST)]


class Refused(BaseModel):
    """A refusal, as it stands in a record.

    Attributes:
        kind: the nearest class of `BadRequest`.
        cause: the error's.
        advice: the error's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: _Kind
    cause: _Sentence
    advice: _Sentence = ""

    @classmethod
    def of(cls, error: BadRequest) -> Refused:
        """The refusal in this error; a class that another package made is kept as ours under it."""
        kind = next(kind for each, kind in _KINDS.items() if isinstance(error, each))
        return cls(kind=kind, cause=_kept(error.cause), advice=_kept(error.advice))

    def error(self, when: datetime) -> BadRequest:
        """The error again, which costs nothing now.

        Args:
            when: the endpoint refused.
        """
        from_disk = f"Refused on {when:%Y-%m-%d}, it is not sent again: a refresh asks anew."
        advice = f"{_printable(self.advice)} {from_disk}".lstrip()
        return _CLASSES[self.kind](_printable(self.cause), advice=advice, unbilled=True)


def _kept(sentence: str) -> str:
    """As much of it as is kept; half a character, which no file can hold, becomes a mark."""
    return sentence[:_LONGEST].encode("utf-8", "replace").decode()


def _printable(sentence: str) -> str:
    """The same without what acts on a terminal: a bundle may hold anything."""
    return "".join(each if each.isprintable() else " " for each in sentence)
