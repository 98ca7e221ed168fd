"""What OpenAI's own models must be told, and which of them give no log-probs, or embeddings alone.

Log-probs come only while a model does not reason, and from gpt-5.5 on it does unless told not to;
with an answer of a token or a few there is no room for thoughts either. From gpt-5.6 on, writing to
the prompt cache costs a quarter more than reading the prompt, and happens unasked: masked prompts,
no two of which are alike, would pay for it and gain nothing.

Where several answers can be drawn at once, the input is billed once. The rules are of November
2026, by name, and a probe knows better. What this module does not know: other vendors' models.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from spex_api.completions import JsonObject

__all__ = ["embeds", "gives_logprobs", "samples_at_once", "settings"]

_DRAWS: Final = {
    ".openai.com": 128,
    ".openai.azure.com": 128,
    ".mistral.ai": 8,
    ".together.xyz": 8,
    ".together.ai": 8,
    ".fireworks.ai": 8,
}
"""How many answers are asked for at once, by the host: 128 is OpenAI's limit. The others document
that they draw several and not how many; eight is no large share of what a question may take."""

_NAME = re.compile(r"gpt-(\d+)(?:\.(\d+))?(?![\w.])", re.ASCII)
_NEVER = re.compile(
    r"o\d|gpt-5(?![.\d])|gpt-6-astra\b|gpt-6\.1-sol\b|gpt-\d.*-(chat|pro)\b", re.ASCII
)


def gives_logprobs(model: str) -> bool:
    """Whether a model of OpenAI's may give log-probs, by its name."""
    return not _NEVER.match(_family(model))


def embeds(model: str) -> bool:
    """Whether a model gives embeddings, by its name."""
    return "embed" in _family(model)


def samples_at_once(host: str) -> int:
    """How many answers a question may draw at a host; one where nothing is known of it.

    Args:
        host: its name, with a dot before it.
    """
    return next((most for ending, most in _DRAWS.items() if host.endswith(ending)), 1)


def settings(model: str) -> JsonObject:
    """What goes into the body besides the question, by the model's name."""
    found = _NAME.match(_family(model))
    version = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    told: JsonObject = {}
    if version >= (5, 5) and gives_logprobs(model):
        told["reasoning_effort"] = "none"
    if version >= (5, 6):
        told["prompt_cache_options"] = {"mode": "explicit"}
    return told


def _family(model: str) -> str:
    """The name of the model that a fine-tuned one was made of, or its own."""
    return model.lower().removeprefix("ft:").partition(":")[0]
