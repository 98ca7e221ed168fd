"""A request that an endpoint has no words for is refused before anything is sent, never cut down.

A question that lost a part on its way would share its body, and so its answer on disk, with another
question. What this module does not know: any dialect; it compares a request with what an endpoint
says that it can do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.completions import Ask, Image, Way
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from spex_api.completions import Capabilities, CompletionRequest

__all__ = ["refuse_beyond"]


def refuse_beyond(
    request: CompletionRequest,
    able: Capabilities,
    *,
    whom: str,
    images: bool = True,
    tools: bool = True,
    advice: str = "Choose another score, or another endpoint.",
) -> None:
    """Nothing, where all that a request asks for can be said.

    Args:
        request: what is asked.
        able: what the endpoint can do.
        whom: the endpoint or the dialect, for the sentence.
        images: whether it takes images.
        tools: whether it takes tools, and turns that call them.
        advice: what to do otherwise.

    Raises:
        UsageError: it asks for something else, which the sentence names.
    """
    if _is_plain(request):
        return
    if what := _beyond(request, able, images=images, tools=tools):
        raise UsageError(f"{whom} has no words for {what}.", advice=advice)


def _is_plain(request: CompletionRequest) -> bool:
    """Whether every dialect has words for it, as for nearly all that is asked."""
    further = request.target or request.exact_tokens or request.tools or request.num_samples > 1
    return (
        request.ask is Ask.CHAT
        and not further
        and not any(
            turn.blocks or turn.tool_calls or turn.answers or turn.role == "tool"
            for turn in request.messages
        )
    )


def _beyond(request: CompletionRequest, able: Capabilities, *, images: bool, tools: bool) -> str:
    """What a request asks for beyond an endpoint's words, as a noun; "" for nothing."""
    chat = request.ask is Ask.CHAT
    flaws = (
        (request.ask is Ask.TOKENS and not able.tokenizes, "how it cuts a text into tokens"),
        (request.ask is Ask.VECTORS and not able.embeds, "embeddings"),
        (_shows(request) and not (images and chat), "images"),
        (_calls(request) and not (tools and chat), "tools"),
        (request.exact_tokens and not able.exact_tokens, "the log-probs of tokens by their number"),
        (request.num_samples > max(able.samples_at_once, 1), "so many answers at once"),
        (_forces(request, able), f"the log-prob of a text by {_way(request)!r}"),
        (_mixes(request), "two kinds of question at once"),
    )
    return next((what for flawed, what in flaws if flawed), "")


def _shows(request: CompletionRequest) -> bool:
    return any(isinstance(block, Image) for turn in request.messages for block in turn.blocks)


def _calls(request: CompletionRequest) -> bool:
    turns = request.messages
    return bool(request.tools) or any(
        turn.role == "tool" or turn.tool_calls or turn.answers for turn in turns
    )


def _way(request: CompletionRequest) -> str:
    return request.target.way.value if request.target else ""


def _forces(request: CompletionRequest, able: Capabilities) -> bool:
    """Token by token is asked in plain questions, so no endpoint has words of its own for it."""
    target = request.target
    return target is not None and (target.way is Way.STEPS or target.way not in able.ways)


def _mixes(request: CompletionRequest) -> bool:
    several = request.num_samples > 1
    if request.ask is not Ask.CHAT:
        return several or request.target is not None or bool(request.exact_tokens)
    return request.target is not None and (several or bool(request.exact_tokens))
