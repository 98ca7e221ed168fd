"""What each kind of server can do beyond OpenAI's chat dialect, and how it says so: one table.

The rows hold what the servers document, as of November 2026; what a given server truly does, a
probe finds out. What this module does not know: bodies and replies, which `_questions` and
`_replies` hold, and who runs the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from spex_adapters._addresses import checked_address
from spex_api.completions import Capabilities, Way
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEY", "NAMES", "SERVERS", "Place", "Server", "place"]

KEY: Final = "SPEX_HTTP_API_KEY"
NAMES: Final = "http:https://host/v1#model, or http:vllm+https://host/v1#model"
_FORM: Final = f"Name it as in {NAMES}; in a shell, put it between quotes."


@dataclass(frozen=True, slots=True)
class Server:
    """A kind of server.

    Attributes:
        kind: what it is called before the "+" of a model's name.
        longest_list: of likeliest tokens.
        ways: how the log-prob of a given text can be had there, the best first.
        exact_tokens: whether it gives the log-probs of tokens by their number.
        samples_at_once: how many answers one question may draw.
        tokenizes: whether it tells the pieces of a text, with their numbers.
        embeds: whether it has a route for embeddings; a model for chat mostly gives none.
        hosts: how the names of hosts end that are known to be of this kind.
        documented: where this is written.
    """

    kind: str
    longest_list: int
    ways: tuple[Way, ...] = ()
    exact_tokens: bool = False
    samples_at_once: int = 1
    tokenizes: bool = False
    embeds: bool = True
    hosts: tuple[str, ...] = ()
    documented: str = ""

    @property
    def capabilities(self) -> Capabilities:
        """The same in the words of everyone else."""
        return Capabilities(
            top_logprobs=self.longest_list,
            ways=self.ways,
            exact_tokens=self.exact_tokens,
            samples_at_once=self.samples_at_once,
            tokenizes=self.tokenizes,
            embeds=self.embeds,
        )


SERVERS: Final[Mapping[str, Server]] = MappingProxyType(
    {
        row.kind: row
        for row in (
            Server(
                "openai",
                longest_list=20,
                documented="OpenAI API reference, chat completions; what any server takes that "
                "calls itself compatible, and no more",
            ),
            Server(
                "vllm",
                longest_list=20,  # --max-logprobs; a server may be started with more
                ways=(Way.PROMPT_LOGPROBS, Way.STEPS),
                exact_tokens=True,
                samples_at_once=128,
                tokenizes=True,
                documented="vllm/entrypoints/openai/chat_completion/protocol.py, and "
                "docs.vllm.ai, OpenAI-Compatible Server",
            ),
            Server(
                "sglang",
                longest_list=100,  # no limit is documented; a hundred tokens are 8 kB
                ways=(Way.PROMPT_LOGPROBS, Way.STEPS),
                exact_tokens=True,
                samples_at_once=128,
                tokenizes=True,
                documented="docs.sglang.io, Sampling Parameters (/generate); "
                "sglang/srt/entrypoints/openai/serving_tokenize.py",
            ),
            Server(
                "llamacpp",
                longest_list=100,  # 2,000 are given too, at 80 bytes each
                ways=(Way.GRAMMAR, Way.STEPS),
                tokenizes=True,
                documented="llama.cpp, tools/server/README.md",
            ),
            Server(
                "together",
                longest_list=20,
                ways=(Way.ECHO,),
                samples_at_once=128,
                hosts=(".together.xyz", ".together.ai"),
                documented="togethercomputer/openapi, openapi.yaml",
            ),
            Server(
                "fireworks",
                longest_list=5,
                ways=(Way.ECHO,),
                samples_at_once=128,
                hosts=(".fireworks.ai",),
                documented="docs.fireworks.ai, api-reference/post-chatcompletions",
            ),
            Server(
                "completions",
                longest_list=5,
                ways=(Way.ECHO, Way.STEPS),
                samples_at_once=128,
                documented="OpenAI API reference, completions; vLLM and others keep its echo",
            ),
        )
    }
)
"""Each kind by its name. "completions" is for models without a chat template: the texts of the
messages, joined, are the prompt."""


@dataclass(frozen=True, slots=True)
class Place:
    """A model at an address, and what kind of server is there."""

    server: Server
    url: str
    model: str

    @property
    def root(self) -> str:
        """The address without its version: where a server's own routes are."""
        return self.url.removesuffix("/v1")


def place(name: str) -> Place:
    """The address, model and kind of server in a name such as "vllm+https://host/v1#model".

    Raises:
        UsageError: a part is missing, the kind is none of ours, or the address is one that we do
            not send prompts to.
    """
    address, mark, model = name.strip().partition("#")
    kind, plus, url = address.partition("+")
    if "://" in kind or not plus:
        kind, url = "", address
    if "://" not in url or not mark or not model.strip():
        raise UsageError(
            "The name does not hold an address, a # and a model.",
            advice=_FORM,
        )
    if kind and kind not in SERVERS:
        raise UsageError(
            f"{kind!r} is no kind of server that is known here.",
            advice=f"The kinds are {', '.join(sorted(SERVERS))}. {_FORM}",
        )
    checked = checked_address(url, variable="the model's name")
    return Place(SERVERS[kind or _kind_of(checked)], checked, model.strip())


def _kind_of(url: str) -> str:
    host = "." + (urlsplit(url).hostname or "")
    return next((s.kind for s in SERVERS.values() if host.endswith(s.hosts or ("/",))), "openai")
