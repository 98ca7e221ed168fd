"""What a score must know first is asked first: the answer to the whole prompt, as a rule.

It goes through the same policies as all else, so it is budgeted, on disk, and found by a replay.
What this module does not know: what a score makes of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from spex_api.completions import Ask, Usage
from spex_api.errors import BadRequest, ScoreError
from spex_api.scores import Opening

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spex_api.completions import Completion, CompletionRequest, Message
    from spex_api.querying.adapter import Adapter
    from spex_api.scores import Score

__all__ = ["Opened", "open_score"]

_MOST_ROUNDS: Final = 8
"""A score that asks for more does not end."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A score that knows what it must, and what it took to know it.

    Attributes:
        score: asks for nothing more before masks are asked.
        usage: what the answers took.
        served: the model behind each of them that a model gave, by its name and fingerprint.
    """

    score: Score
    usage: Usage = field(default_factory=Usage)
    served: tuple[str, ...] = ()


async def open_score(
    score: Score,
    adapter: Adapter,
    messages: tuple[Message, ...],
    *,
    tools: tuple[str, ...] = (),
) -> Opened:
    """Asks what the score must know, as often as it has something to ask.

    Args:
        score: any score; one that opens with nothing is left as it is.
        adapter: the whole stack.
        messages: the whole prompt.
        tools: the prompt's tools.

    Raises:
        ScoreError: the answers do not hold what the score needs.
        CacheMiss: an answer is missing, and no connection may be opened.
        BadRequest: the endpoint refused all that was asked.
        AdapterError: the endpoint failed. What was answered before is on disk.
    """
    usage, served = Usage(), list[str]()
    for _ in range(_MOST_ROUNDS):
        if not isinstance(score, Opening):
            return Opened(score, usage, tuple(served))
        requests = score.opening(messages, adapter.capabilities)
        if not requests:
            return Opened(score, usage, tuple(served))
        answers = await _answers(adapter, [each.with_tools(tools) for each in requests])
        for request, answer in zip(requests, answers, strict=True):
            if answer is None:
                continue
            usage += answer.usage
            # Who cuts a text into tokens is the endpoint, and names no model.
            if request.ask is not Ask.TOKENS:
                served.append(answer.served)
        score = score.opened(answers, adapter.capabilities)
    raise ScoreError(f"{score!r} asks again and again before it will read a value.")


async def _answers(
    adapter: Adapter, requests: Iterable[CompletionRequest]
) -> list[Completion | None]:
    """The answers; None for what is refused for good, unless all of it is."""
    answers: list[Completion | None] = []
    refusal: BadRequest | None = None
    for request in requests:
        try:
            answers.append(await adapter.complete(request))
        except BadRequest as error:
            refusal = refusal or error
            answers.append(None)
    if refusal is not None and not any(answers):
        raise refusal
    return answers
