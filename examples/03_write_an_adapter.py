"""An adapter of one's own, in about thirty lines: here for a model that runs in this process.

    python examples/03_write_an_adapter.py [requests]

Needs no key, no download and no network. In a package of your own, these lines of its
pyproject.toml make the model known by name, to `spex explain` and everyone else:

    [project.entry-points."spex_api.adapters"]
    house = "your_package.your_module:connect"

    spex explain --text "…" --ask "…" --labels positive,negative --model house:critic-1

Then let `spex_api.testing.adapter_contract` check it: `checks_of(subject)` is what a test needs.
"""

import json
import math
import sys

import spex_api as spex
from spex_api.completions import (
    Capabilities,
    Completion,
    CompletionRequest,
    Message,
    TokenLogprob,
    Usage,
)
from spex_api.errors import MalformedReply, UsageError
from spex_api.events import EventHandler

WORTH = {"thin": -0.8, "cheap": -0.7, "fails": -1.4, "impress": 0.9, "good": 0.7}


async def house_endpoint(body: dict) -> str:
    """Stands for your endpoint: a critic who knows that "never fails" is praise."""
    words = [word.strip(".,:").lower() for word in body["input"].split()]
    score = sum(WORTH.get(word, 0.0) for word in words)
    score += 3.1 * ("never" in words and "fails" in words)
    return json.dumps({"positive": 1 / (1 + math.exp(-score)), "read": len(words)})


class HouseAdapter:
    """One model of the house. Everything but `complete` is pure, and building it opens nothing."""

    endpoint = "house"  # who answers: with model and body it makes the key of an answer on disk
    capabilities = Capabilities(top_logprobs=2, concurrency=8, free=True, temperature=False)

    def __init__(self, model: str) -> None:
        """Remembers the model's name."""
        self.model = model

    def body(self, request: CompletionRequest) -> dict:
        """What goes out: all that decides the answer, nothing secret, and no more than is known."""
        turns = tuple(Message(turn.role, turn.content) for turn in request.messages)
        asked = request.max_tokens, request.temperature, request.top_logprobs, request.sample_index
        if request != CompletionRequest(turns, *asked):
            raise UsageError("The house reads plain texts, and answers plain questions.")
        return {"model": self.model, "input": "\n".join(turn.content for turn in turns)}

    async def complete(self, request: CompletionRequest) -> Completion:
        """Asks, once. Failures are raised as kinds of spex_api.errors.AdapterError."""
        return self.read(await house_endpoint(self.body(request)))

    def read(self, raw: str) -> Completion:
        """What a reply says; it is kept on disk as `raw`, and read from there again."""
        try:
            told = json.loads(raw)
            chance, read = float(told["positive"]), int(told["read"])
            top = (("positive", math.log(chance)), ("negative", math.log1p(-chance)))
        except (ValueError, KeyError, TypeError):
            raise MalformedReply(f"This is no reply of the house: {raw[:60]!r}.") from None
        best = max(top, key=lambda pair: pair[1])
        tokens, usage = (TokenLogprob(*best, top),), Usage(1, input_tokens=read, output_tokens=1)
        return Completion(best[0], tokens, model=self.model, usage=usage, raw=raw)

    async def aclose(self) -> None:
        """Would close connections."""


def connect(model: str, *, on_event: EventHandler) -> HouseAdapter:  # noqa: ARG001
    """What the entry point names: the adapter of `house:MODEL`."""
    return HouseAdapter(model or "critic-1")


if __name__ == "__main__":
    prompt = spex.Prompt.from_template(
        "Is this movie review positive or negative? Answer with one word.\nReview: {text}",
        text="The plot is thin and the jokes are cheap, but her acting never fails to impress.",
        split="words",
    )
    explanation = spex.explain_sync(
        prompt,
        connect("critic-1", on_event=print),
        score=spex.LabelLogOdds("positive", "negative"),
        budget=spex.Budget(requests=int(sys.argv[1]) if len(sys.argv) > 1 else 200),
    )
    print(f"Held-out R²: {explanation.faithfulness}")
    for words, value, _ in explanation.interactions.top(6):
        print(f"{value:+.2f}  {' + '.join(map(str, words))}")
    print(f"{explanation.usage.sent} questions were asked of {explanation.provenance.model}.")
