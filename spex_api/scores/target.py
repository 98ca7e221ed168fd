"""The log-prob of the model's own answer, or of a given text, by the best way that there is.

What is asked first settles the text, its tokens and the way:

1. without a given text, the whole prompt is asked, and its answer is the target;
2. where the endpoint tells how it cuts a text into tokens and their numbers are not known yet, it
   is asked for them;
3. a grammar without numbers is tried on the whole prompt, since a text can be spelt in several ways
   ("P", "ari", "s"), and each has a log-prob of its own. Where it is spelt otherwise than the model
   wrote it, the steps are taken one by one if they can be, and else it is said.

What this module does not know: how a log-prob is read (`target_reading`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from spex_api.completions import WITHHELD, CompletionRequest, Way
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.settings import check_counts, check_share, check_texts
from spex_api.scores.target_draft import TargetDraft
from spex_api.scores.token_spelling import SpeltText, TokenSpelling, spell_answer
from spex_api.scores.unopened import Unopened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Capabilities, Completion, Message
    from spex_api.scores.score import Score

__all__ = ["TargetLogProb"]

_MAX_TOKENS: Final = 32
_MOST_CENSORED: Final = 0.5
_USUAL: Final = 3
"""Characters a token, to plan with where the tokens are not known yet: rather too few."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class TargetLogProb(Unopened):
    """`log p(target)` as the answer, in nats: the sum over its tokens, or their mean.

    The target is the model's answer to the whole prompt at temperature 0, exactly as it was
    written, without the token that ends the turn; or a given text. Every mask is asked for the
    log-prob of that one text, in those tokens. Which way it is asked for, and what could not be
    had, stands in the `meaning` of the score that `opened` returns: at worst it is the log-prob of
    the first token alone.
    """

    missing: ClassVar[str] = (
        "how its target is spelt, and how its log-prob can be had, is not known"
    )

    target: str | None
    per_token: bool
    way: Way | None
    max_tokens: int
    max_censored: float

    def __init__(
        self,
        target: str | None = None,
        *,
        per_token: bool = False,
        way: Way | str | None = None,
        max_tokens: int = _MAX_TOKENS,
        max_censored: float = _MOST_CENSORED,
    ) -> None:
        """Names the text, or leaves it to the model.

        Args:
            target: the text, exactly as the model would write it; None for its own answer.
            per_token: whether the sum is divided by the number of tokens.
            way: how it is asked for; None for the best way that the endpoint has.
            max_tokens: how much of the model's own answer is taken, from its beginning; a given
                text is taken whole.
            max_censored: the share of censored or missing values above which a run is an error.

        Raises:
            UsageError: the text is empty, no way is called so, or no token may be written.
        """
        check_texts(target="…" if target is None else target)
        check_share(max_censored)
        if target == "":
            raise UsageError(
                "The target is empty, so there is no token whose log-prob could be had.",
                advice="Give a text, or leave it out for the model's own answer.",
            )
        check_counts(max_tokens=max_tokens)
        try:
            chosen = None if way is None else Way(way)
        except ValueError:
            raise UsageError(
                f"The log-prob of a text cannot be asked for by {way!r}.",
                advice=f"The ways are {', '.join(repr(str(each)) for each in Way)}.",
            ) from None
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "per_token", per_token)
        object.__setattr__(self, "way", chosen)
        object.__setattr__(self, "max_tokens", max_tokens)
        object.__setattr__(self, "max_censored", max_censored)

    def __repr__(self) -> str:
        said = [] if self.target is None else [repr(self.target)]
        if self.per_token:
            said.append("per_token=True")
        if self.way is not None:
            said.append(f"way={str(self.way)!r}")
        if self.max_tokens != _MAX_TOKENS:
            said.append(f"max_tokens={self.max_tokens!r}")
        if self.max_censored != _MOST_CENSORED:
            said.append(f"max_censored={self.max_censored!r}")
        return f"TargetLogProb({', '.join(said)})"

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit."""
        what = "the answer to the whole prompt" if self.target is None else repr(self.target)
        return f"{'mean log-prob a token' if self.per_token else 'log-prob'} of {what}, in nats"

    def opening(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """The whole prompt, for its answer; or what must be known of a given text.

        Raises:
            ScoreError: the endpoint gives no log-probs, or not in the way that is wanted.
        """
        self._require(capabilities)
        if self.target is None:
            shown = min(1, capabilities.top_logprobs)
            return (CompletionRequest(messages, self.max_tokens, top_logprobs=shown),)
        draft = self._draft(SpeltText(self.target), capabilities)
        draft.settled()  # a way that cannot be gone is refused before anything is asked
        return draft.opening(messages, capabilities)

    def opened(self, completions: Sequence[Completion | None], capabilities: Capabilities) -> Score:
        """The score that knows its text; it may have more to ask before its way is settled.

        Raises:
            ScoreError: there is no answer to the whole prompt, or the way that is wanted fails.
        """
        if self.target is not None:
            # A given text is asked for once under the whole prompt, even where all is settled.
            draft = self._draft(SpeltText(self.target), capabilities)
            return draft.opened(completions, capabilities)
        answer = completions[0]
        if answer is None or answer.outcome in WITHHELD:
            raise ScoreError(
                "The whole prompt got no answer: the model declined, or a filter took it away, so "
                "there is none whose log-prob could be explained.",
                advice="Give a target, or change what is asked.",
            )
        spelt = spell_answer(answer)
        if spelt is None:
            raise ScoreError(
                f"The answer to the whole prompt is empty in its first {self.max_tokens} tokens, "
                "so there is no text whose log-prob could be explained.",
                advice="Give a target, or raise max_tokens.",
            )
        return self._draft(spelt, capabilities).settled()

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What a mask may take, to plan with: the questions themselves are known once it is opened.

        Raises:
            ScoreError: the endpoint gives no log-probs, or not in the way that is wanted.
        """
        self._require(capabilities)
        text = self.target or "x" * (_USUAL * self.max_tokens)
        pieces = tuple(text[at : at + _USUAL] for at in range(0, len(text), _USUAL))
        spelt = SpeltText(text, TokenSpelling(pieces))
        return self._draft(spelt, capabilities).requests(messages, capabilities)

    def _draft(self, target: SpeltText, capabilities: Capabilities) -> TargetDraft:
        known = target.spelling is not None and bool(target.spelling.ids)
        return TargetDraft(
            target,
            ways=capabilities.ways,
            wanted=self.way,
            per_token=self.per_token,
            max_censored=self.max_censored,
            cut=known or not capabilities.tokenizes,
        )

    def _require(self, capabilities: Capabilities) -> None:
        """Refuses an endpoint that cannot give what is wanted."""
        if self.way is not None and self.way not in capabilities.ways:
            ways = ", ".join(repr(str(each)) for each in capabilities.ways)
            raise ScoreError(
                f"This endpoint does not tell the log-prob of a text by {str(self.way)!r}.",
                advice=f"Leave out the way, or name one that it has: {ways}."
                if ways
                else "Leave out the way: then what its lists of likeliest tokens show is read.",
            )
        if not capabilities.ways and capabilities.top_logprobs < 1:
            raise ScoreError(
                "This endpoint gives no log-probs, and the log-prob of a text is made of them.",
                advice="Use an endpoint that gives them, or a sampled score.",
            )
