"""The same question asked again, for another answer to it.

What this module does not know: why anyone asks again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.completions import CompletionRequest

__all__ = ["afresh"]


def afresh(question: tuple[CompletionRequest, ...], times: int) -> tuple[CompletionRequest, ...]:
    """The same question, kept under another key: `sample_index` is never sent.

    Args:
        question: what is asked under one mask.
        times: which repeat it is; 0 is the question itself.
    """
    stride = 1 + max(request.sample_index for request in question)
    return tuple(
        replace(request, sample_index=request.sample_index + times * stride) for request in question
    )
