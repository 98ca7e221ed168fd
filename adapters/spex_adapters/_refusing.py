"""A request that an endpoint has no words for is refused before anything is sent, never cut down.

What this module does not know: any dialect; `_beyond` compares a request with what an endpoint can
do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_adapters._beyond import beyond
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
    if what := beyond(request, able, images=images, tools=tools):
        raise UsageError(f"{whom} has no words for {what}.", advice=advice)
