"""A model that is a function, and functions that are planted.

Nothing here sends anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spex_api.completions import Capabilities, Completion, TokenLogprob, Usage
from spex_api.errors import UsageError
from spex_api.transforms import FourierTransform, Support

if TYPE_CHECKING:
    from spex_api.completions import CompletionRequest, JsonObject
    from spex_api.testing.dialects import Answer

__all__ = ["FunctionAdapter", "planted_transform"]

_FREE = Capabilities(concurrency=4, free=True)


@dataclass(frozen=True, slots=True)
class FunctionAdapter:
    """A model that is a function from a conversation to the log-probs of first tokens.

    >>> model = FunctionAdapter(lambda messages: {"yes": -0.1, "no": -2.4})

    Attributes:
        answer: the function. What it raises gets through, so that failures can be played.
        model: the model's name.
        endpoint: who answers, for the key of an answer.
        capabilities: what it claims to be able to do.
        requests: every request that it was asked, in order.
    """

    answer: Answer
    model: str = "function"
    endpoint: str = "function:"
    capabilities: Capabilities = _FREE
    requests: list[CompletionRequest] = field(default_factory=list, repr=False)

    def body(self, request: CompletionRequest) -> JsonObject:
        """The request as JSON."""
        return {
            "messages": [[message.role, message.content] for message in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_logprobs": request.top_logprobs,
            **({"tools": list(request.tools)} if request.tools else {}),
        }

    async def complete(self, request: CompletionRequest) -> Completion:
        """Calls the function."""
        self.requests.append(request)
        listed = dict(self.answer(request.messages))
        return self.read(json.dumps(listed))

    def read(self, raw: str) -> Completion:
        """The answer in JSON of tokens and log-probs; without any, it has no log-probs."""
        listed = json.loads(raw)
        ranked = tuple(sorted(listed.items(), key=lambda pair: -pair[1]))
        first = tuple(TokenLogprob(token, value, ranked) for token, value in ranked[:1])
        return Completion(
            text=ranked[0][0] if ranked else "",
            tokens=first,
            finish_reason="length",
            model=self.model,
            usage=Usage(requests=1, input_tokens=1, output_tokens=1),
            raw=raw,
        )

    async def aclose(self) -> None:
        """Has nothing to give back."""


def planted_transform(
    num_features: int, num_terms: int, *, degree: int = 3, seed: int = 0
) -> FourierTransform:
    """A sparse function with as many standard normal coefficients as asked, and a constant.

    Args:
        num_features: how many features its masks have.
        num_terms: how many supports, the constant's not counted.
        degree: each support has 1 … `degree` features, drawn uniformly.
        seed: of the draw.

    Raises:
        UsageError: there are not so many supports of features to be had.
    """
    rng = np.random.default_rng(seed)
    supports: set[Support] = set()
    for _ in range(100 * num_terms):
        if len(supports) == num_terms:
            break
        size = int(rng.integers(1, min(degree, num_features) + 1))
        chosen: list[int] = rng.choice(num_features, size=size, replace=False).tolist()
        supports.add(tuple(sorted(chosen)))
    if len(supports) < num_terms:
        raise UsageError(f"{num_features} features hardly have {num_terms} supports to plant.")
    values = rng.standard_normal(num_terms + 1)
    planted: dict[Support, float] = {(): float(values[0])}
    planted.update(zip(sorted(supports), map(float, values[1:]), strict=True))
    return FourierTransform(planted, num_features)
