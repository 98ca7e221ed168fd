"""What an in-house endpoint takes and gives, described once: a body with gaps, and paths.

Gaps are filled in the parsed body, value for value, and never in JSON text: whatever a prompt
holds, it stays one string. A filled text is not looked at again, so that a prompt about "{{model}}"
is sent as it is. What this module does not know: files, connections, and secrets, which headers
name by their environment variable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from spex_adapters._addresses import checked_address
from spex_adapters._refusing import refuse_beyond
from spex_api.completions import Capabilities
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spex_api.completions import CompletionRequest, JsonObject

__all__ = ["MISSING", "ReplyPaths", "Template", "at", "variables_in", "with_variables"]

MISSING: Final = object()
"""What stands at a path that leads nowhere; `None` may stand at one that does."""

_PLAIN: Final = Capabilities(top_logprobs=0)
_GAP = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TELLING = re.compile(r"auth|key|token|secret|password|cookie", re.IGNORECASE)
_GAPS: Final = (
    "prompt",
    "messages",
    "max_tokens",
    "temperature",
    "top_logprobs",
    "model",
)


@dataclass(frozen=True, slots=True)
class ReplyPaths:
    """Where things are in a reply: names and places in lists, joined by dots; "" where not told.

    Attributes:
        text: what the model wrote, as in "choices.0.message.content".
        model: who answered.
        finish_reason: why it stopped.
        input_tokens: how many it read.
        output_tokens: how many it wrote.
        tokens: the list of the answer's tokens, where there are log-probs.
        token: in an entry of that list, the token's text.
        logprob: in an entry, its log-prob in nats.
        top: in an entry, the likeliest tokens: entries of the same form, or text → log-prob.
    """

    text: str
    model: str = ""
    finish_reason: str = ""
    input_tokens: str = ""
    output_tokens: str = ""
    tokens: str = ""
    token: str = "token"  # noqa: S105 - a word of a reply
    logprob: str = "logprob"
    top: str = "top_logprobs"


@dataclass(frozen=True, slots=True)
class Template:
    """An endpoint of one's own: where it is, what it takes, and where its reply tells what.

    Attributes:
        url: the whole address that is posted to.
        body: JSON with gaps: "{{prompt}}" (the texts of all turns) or "{{messages}}" (role and
            content of each), and "{{max_tokens}}", "{{temperature}}", "{{top_logprobs}}",
            "{{model}}". A text that is one gap becomes the gap's value, of its own type.
        reply: where the reply tells what.
        model: the model's name.
        headers: what goes with a question; "${NAME}" stands for an environment variable's value.
        capabilities: what the endpoint can do. It takes a temperature where the body has a gap for
            one.

    Raises:
        UsageError: the address is one that we do not send prompts to, a gap has no meaning, the
            prompt has no gap, or a header holds a secret itself.
    """

    url: str
    body: JsonObject = field(repr=False)
    reply: ReplyPaths
    model: str = "template"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    capabilities: Capabilities = _PLAIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", checked_address(self.url, variable="the file's url"))
        gaps = set(_gaps_in(self.body))
        unknown = sorted(gaps - set(_GAPS))
        if unknown:
            raise UsageError(
                f"The body has a gap {{{{{unknown[0]}}}}}, which nothing fills.",
                advice=f"The gaps are {', '.join(_GAPS)}.",
            )
        if not gaps & {"prompt", "messages"}:
            raise UsageError(
                "The body has no gap for the prompt, so every question would be the same.",
                advice="Write {{prompt}} or {{messages}} where the prompt belongs.",
            )
        if "temperature" not in gaps:
            able = replace(self.capabilities, temperature=False)
            object.__setattr__(self, "capabilities", able)
        for name, value in self.headers.items():
            _check_header(name, value)
        if not self.reply.text:
            raise UsageError(
                "The reply's text has no path.", advice='Give one, as in text = "output.text".'
            )
        if self.capabilities.top_logprobs and not self.reply.tokens:
            raise UsageError(
                "The endpoint is said to give log-probs, but not where its reply tells the tokens.",
                advice='Give their path, as in tokens = "output.tokens".',
            )

    def fill(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of a request.

        Raises:
            UsageError: the request holds what the template has no words for.
        """
        refuse_beyond(
            request,
            self.capabilities,
            whom=f"The template of {self.url}",
            images=False,
            tools=False,
            advice="Choose a score that reads answers or their lists of likeliest tokens, and a "
            "prompt of plain texts.",
        )
        values = {
            "prompt": "\n\n".join(turn.content for turn in request.messages),
            "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_logprobs": min(request.top_logprobs, self.capabilities.top_logprobs),
            "model": self.model,
        }
        return {name: _filled(each, values) for name, each in self.body.items()}


def at(body: object, path: str) -> Any:  # noqa: ANN401 - parsed JSON
    """What stands at a path; `MISSING` where it leads nowhere.

    Args:
        body: parsed JSON.
        path: names and places in lists, joined by dots; a negative place counts from the end.
    """
    for step in path.split("."):
        if isinstance(body, dict) and step in body:
            body = body[step]
        elif isinstance(body, list) and re.fullmatch(r"-?\d{1,6}", step, re.ASCII):
            place = int(step)
            if not -len(body) <= place < len(body):
                return MISSING
            body = body[place]
        else:
            return MISSING
    return body


def variables_in(value: str) -> list[str]:
    """The environment variables that a header's value names."""
    return _VARIABLE.findall(value)


def with_variables(value: str, values: Mapping[str, str]) -> str:
    """A header's value with these in the place of the variables; none is looked at again."""
    return _VARIABLE.sub(lambda found: values[found[1]], value)


def _gaps_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from _GAP.findall(value)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _gaps_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _gaps_in(each)


def _filled(value: object, values: Mapping[str, object]) -> object:
    if isinstance(value, dict):
        return {name: _filled(each, values) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if not isinstance(value, str):
        return value
    whole = _GAP.fullmatch(value.strip())
    if whole:
        return values[whole[1]]
    return _GAP.sub(lambda gap: str(values[gap[1]]), value)


def _check_header(name: str, value: str) -> None:
    """A header that tells a secret must name it, or it would be in the file and in reprs."""
    carried = value.isprintable() and value.isascii()
    if not re.fullmatch(r"[!#$%&'*+.^_`|~\w-]+", name, re.ASCII) or not carried:
        raise UsageError(f"{name!r} is no header, or its value is none that a header can carry.")
    if _TELLING.search(name) and not variables_in(value):
        raise UsageError(
            f"The header {name!r} holds a secret itself.",
            advice="Put it into an environment variable, and write ${ITS_NAME} in its place.",
        )
