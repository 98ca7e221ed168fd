"""What a request asks for and an endpoint has no words for: it is told, never dropped in silence.

A question that lost a part on its way would share its body, and so its answer on disk, with another
question. What this module does not know: any dialect; it compares a request with what an endpoint
says that it can do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.completions import Ask, Image, Way

if TYPE_CHECKING:
    from spex_api.completions import Capabilities, CompletionRequest

__all__ = ["beyond"]


def beyond(
    request: CompletionRequest, able: Capabilities, *, images: bool = True, tools: bool = True
) -> str:
    """What a request asks for beyond an endpoint's words, as a noun; "" where it asks for nothing.

    Args:
        request: what is asked.
        able: what the endpoint can do.
        images: whether it takes images.
        tools: whether it takes tools, and turns that call them.
    """
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
