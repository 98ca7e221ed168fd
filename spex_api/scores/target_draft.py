"""A target whose tokens or way are not settled yet: what is asked to settle them, and the choice.

What this module does not know: where the text came from, and how a log-prob is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from spex_api.completions import WITHHELD, Ask, CompletionRequest, Message, Way
from spex_api.errors import ScoreError
from spex_api.scores.forced_target import ForcedTarget
from spex_api.scores.target_reading import written
from spex_api.scores.token_spelling import SpeltText, TokenSpelling, is_partial, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Capabilities, Completion
    from spex_api.scores.score import Scored

__all__ = ["TargetDraft"]

_FIRST_ALONE: Final = "this endpoint tells no more of a given text"
_UNVERIFIED: Final = (
    "in the tokens that the server spelt it in; whether they are the model's own is not known"
)
_WITHIN: Final = "what follows is part of a character, which cannot be asked for token by token"


@dataclass(frozen=True, slots=True)
class TargetDraft:
    """What is known of a target so far; once it is settled, a `ForcedTarget` takes its place.

    Attributes:
        target: the text, and its tokens as far as they are known.
        ways: how its log-prob may be asked for, the best first.
        wanted: the one of them that must be taken, where one must.
        per_token: whether the sum is divided by the number of tokens.
        max_censored: the share of censored or missing values above which a run is an error.
        cut: whether the endpoint said how it cuts the text, or has no need or no means to.
    """

    target: SpeltText
    ways: tuple[Way, ...]
    wanted: Way | None
    per_token: bool
    max_censored: float
    cut: bool

    def settled(self) -> ForcedTarget | TargetDraft:
        """The score itself, where nothing is left to be found out; else the draft.

        Raises:
            ScoreError: the way that must be taken cannot be.
        """
        if self.wanted is Way.STEPS and self.cut and not self._can_step:
            raise ScoreError(
                "A text is asked for token by token where the texts of its tokens are known, and "
                "this endpoint does not tell them.",
                advice="Leave out the way, for the best that there is.",
            )
        untried = self.way is Way.GRAMMAR and (not self._ids or self._splits)
        return self.forced if self.cut and not untried else self

    @property
    def forced(self) -> ForcedTarget:
        """The score as far as it is known."""
        target, way, note = self.target, self.way, ""
        spelling = target.spelling
        if way is None and (spelling is None or len(spelling) > 1):
            note = _FIRST_ALONE
        if way is Way.STEPS and spelling is not None and spelling.whole_pieces < len(spelling):
            whole = spelling.first(spelling.whole_pieces)
            target, note = SpeltText(whole.before(len(whole)), whole, whole=False), _WITHIN
        return ForcedTarget(target, way, self.per_token, self.max_censored, note)

    @property
    def meaning(self) -> str:
        """What the value is, and in which unit, as far as that is settled."""
        return self.forced.meaning

    def opening(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """How the text is cut into tokens; then what every mask will be asked, of the whole prompt.

        Raises:
            ScoreError: the endpoint gives no log-probs.
        """
        if not self.cut:
            return (CompletionRequest((Message("user", self.target.text),), ask=Ask.TOKENS),)
        asked = self.forced.requests(messages, capabilities)
        if self.way is Way.GRAMMAR and self._splits and not self.wanted:
            # llama.cpp refuses such a grammar; a refusal of all that is asked would end the run.
            asked += (CompletionRequest(messages, top_logprobs=capabilities.top_logprobs),)
        return asked

    def opened(
        self,
        completions: Sequence[Completion | None],
        capabilities: Capabilities,  # noqa: ARG002 - the ways that are left are known
    ) -> ForcedTarget | TargetDraft:
        """The score, or a draft that knows more.

        Raises:
            ScoreError: the way that must be taken cannot be.
        """
        answer = completions[0]
        if not self.cut:
            known = self.target if answer is None else _with_ids(self.target, answer)
            return replace(self, target=known, cut=True).settled()
        if self.way is not Way.GRAMMAR:
            return self.forced
        if answer is None and self._splits and not self.wanted:
            return self._others.settled()
        if answer is None or answer.outcome in WITHHELD:
            raise ScoreError(
                "The whole prompt got no answer, though the answer was given with it: the model "
                "declined, or a filter took it away.",
                advice="Give another target, or change what is asked.",
            )
        return self._tried(answer)

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """What a mask takes, as far as that is settled.

        Raises:
            ScoreError: the endpoint gives no log-probs.
        """
        return self.forced.requests(messages, capabilities)

    def value(self, completions: Sequence[Completion]) -> Scored:
        """The log-prob in the answers; NaN where they hold none."""
        return self.forced.value(completions)

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Looks for the target's log-prob in at least one answer.

        Raises:
            ScoreError: no answer holds it.
        """
        self.forced.check(answers)

    @property
    def way(self) -> Way | None:
        """The one that must be taken, or the best that can be; None for the first token alone."""
        can = (way for way in self.ways if way is not Way.STEPS or self._can_step)
        best = next(can, None)
        # While it is not cut, no step can be taken yet.
        return best if self.wanted is None or not (self.cut or self._can_step) else self.wanted

    @property
    def _can_step(self) -> bool:
        """Whether the texts of its first tokens are known."""
        spelling = self.target.spelling
        whole = spelling.pieces[: spelling.whole_pieces] if spelling else ()
        return bool(whole) and all(whole)

    @property
    def _ids(self) -> tuple[int, ...]:
        return self.target.spelling.ids if self.target.spelling else ()

    @property
    def _splits(self) -> bool:
        """Whether a character is parted between tokens whose numbers are known."""
        spelling = self.target.spelling
        if spelling is None or not spelling.ids:
            return False
        return spelling.whole_pieces < len(spelling)

    @property
    def _others(self) -> TargetDraft:
        """The same without a grammar."""
        return replace(self, ways=tuple(way for way in self.ways if way is not Way.GRAMMAR))

    def _tried(self, answer: Completion) -> ForcedTarget | TargetDraft:
        """What a grammar without numbers came to.

        Raises:
            ScoreError: it is the way that must be taken, and it was not kept.
        """
        spelling, text = self.target.spelling, self.target.text
        if spelling is not None and spelling.is_spelt_by(answer.tokens[: len(spelling)]):
            return self.forced
        own = written(answer, text)
        others = self._others
        if own and (self.wanted or others.way is None):
            # Still the log-prob of one spelling, the same under every mask: more than the first
            # token alone would be.
            told = TokenSpelling.of(own)
            note = _UNVERIFIED
            if spelling is not None:
                note = f"spelt {' + '.join(map(repr, told.pieces))}, not in the model's own tokens"
            return replace(self.forced, target=replace(self.target, spelling=told), note=note)
        if self.wanted is None:
            return others.settled()
        raise ScoreError(
            f"Made to answer {text!r}, the endpoint answered {answer.text[:80]!r}: it keeps to no "
            "grammar, or tells no log-probs.",
            advice="Leave out the way, for the best that there is.",
        )


def _with_ids(target: SpeltText, cut: Completion) -> SpeltText:
    """The text with the tokens that it is cut into, where these are the ones that it has."""
    if not cut.tokens:
        return target
    told = TokenSpelling.of(cut.tokens)
    if target.spelling is not None:
        # What the model wrote may be cut otherwise: then its own tokens count.
        same = target.spelling.is_spelt_by(cut.tokens)
        known = replace(target.spelling, ids=told.ids) if same else target.spelling
        return replace(target, spelling=known)
    # A server may give numbers alone, and some vocabularies begin every text with a space.
    bare = not any(told.pieces) or any(map(is_partial, told.pieces))
    same = joined(cut.tokens).strip() == target.text.strip()
    return replace(target, spelling=told) if bare or same else target
