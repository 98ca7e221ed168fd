"""A request into a route and a body, in the dialect of each kind of server.

A target is read in one of three ways: as the assistant's turn that the server goes on from and
tells of (vLLM, SGLang), as part of a prompt that is echoed (Together, Fireworks, completions), or
written under a grammar (llama.cpp). What this module does not know: connections, and replies.

SGLang's chat gives no log-probs of a prompt or of chosen tokens, and its `/generate` has no chat
template. So such a question takes two calls: the first has the template applied, with the numbers
of its tokens for an answer; the second asks about these. Its body holds both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from spex_adapters._chat import chat_body, grammar_of, vectors_body
from spex_adapters._refusing import refuse_beyond
from spex_api.completions import Ask, Message, Way
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from spex_adapters._servers import Server
    from spex_api.completions import CompletionRequest, JsonObject, Target

__all__ = ["CHAT", "GENERATE", "PIECES", "Route", "detokenize_body", "generate_body", "question"]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a question goes: a path from the address on, or from the address without /v1."""

    path: str
    at_root: bool = False


CHAT: Final = Route("/chat/completions")
GENERATE: Final = Route("/generate", at_root=True)
PIECES: Final = Route("/detokenize")
_COMPLETIONS: Final = Route("/completions")
_EMBEDDINGS: Final = Route("/embeddings")
_TOKENIZE: Final = {
    "vllm": Route("/tokenize", at_root=True),
    "llamacpp": Route("/tokenize", at_root=True),
    "sglang": Route("/tokenize"),
}
_SLACK: Final = 8
"""Tokens before a target that are told with it, where a boundary may have merged."""
_ADVICE: Final = (
    "Choose another score, or name the kind of server before its address, "
    "as in http:vllm+https://host/v1#model."
)
_FRAME: Final = 32
"""More tokens than a template puts after the last turn."""


def question(request: CompletionRequest, *, server: Server, model: str) -> tuple[Route, JsonObject]:
    """Where a request goes, and its whole body.

    Args:
        request: what is asked.
        server: who is asked.
        model: of the server.

    Raises:
        UsageError: this kind of server cannot be asked that.
    """
    two_steps = server.kind == "sglang" and bool(request.target or request.exact_tokens)
    _check(request, server, two_steps=two_steps)
    if request.ask is Ask.VECTORS:
        return _EMBEDDINGS, vectors_body(request, model=model)
    if request.ask is Ask.TOKENS:
        return _tokens(request, server, model)
    if server.kind == "completions":
        return _COMPLETIONS, _completions(request, server, model)
    if two_steps:
        return CHAT, _two_steps(request, server, model)
    return CHAT, _chat(request, server, model)


def generate_body(steps: JsonObject, prompt: list[int]) -> JsonObject:
    """The second of SGLang's two bodies.

    Args:
        steps: both, as `question` built them.
        prompt: the numbers of the prompt's tokens, from the first.
    """
    ids = [*prompt, *steps["append"]]
    start = max(0, len(ids) - steps["reach"]) if steps["reach"] else -1
    return {"input_ids": ids, "logprob_start_len": start, **steps["generate"]}


def detokenize_body(model: str, ids: list[int]) -> JsonObject:
    """SGLang's question for the piece of each token."""
    return {"model": model, "tokens": [[each] for each in ids], "skip_special_tokens": False}


def _check(request: CompletionRequest, server: Server, *, two_steps: bool) -> None:
    """Refuses what would not arrive, or not arrive whole."""
    whom, chat = f"A server of the kind {server.kind!r}", server.kind != "completions"
    images = chat and not two_steps  # the numbers of tokens hold no picture
    refuse_beyond(
        request, server.capabilities, whom=whom, images=images, tools=chat, advice=_ADVICE
    )
    forced = request.target is not None and request.target.way is Way.GRAMMAR
    if two_steps and request.num_samples > 1:
        raise UsageError(f"{whom} has no words for several scored answers.", advice=_ADVICE)
    if forced and request.tools:
        raise UsageError(f"{whom} takes no tools beside a grammar.", advice=_ADVICE)


def _tokens(request: CompletionRequest, server: Server, model: str) -> tuple[Route, JsonObject]:
    text = request.messages[-1].content
    if server.kind == "llamacpp":
        body: JsonObject = {"content": text, "with_pieces": True, "add_special": False}
    else:
        body = {"model": model, "prompt": text, "add_special_tokens": False}
        if server.kind == "vllm":
            body["return_token_strs"] = True
    return _TOKENIZE[server.kind], body


def _plain(request: CompletionRequest) -> CompletionRequest:
    """The request without what each server words in its own way."""
    return replace(request, target=None, exact_tokens=())


def _with_target(request: CompletionRequest, target: Target) -> CompletionRequest:
    """The request with the target as the assistant's turn, or as the rest of one that is begun."""
    *before, last = request.messages
    if last.role == "assistant":
        blocks = (*last.blocks, target.text) if last.blocks else ()
        turns = (*before, replace(last, content=last.content + target.text, blocks=blocks))
    else:
        turns = (*request.messages, Message("assistant", target.text))
    return replace(_plain(request), messages=turns, max_tokens=1, top_logprobs=0)


def _body(request: CompletionRequest, server: Server, model: str) -> JsonObject:
    return chat_body(
        _plain(request), model=model, length_field="max_tokens", longest_list=server.longest_list
    )


def _chat(request: CompletionRequest, server: Server, model: str) -> JsonObject:
    """A chat body, with what this server adds to the dialect."""
    target = request.target
    if target is not None and target.way is Way.GRAMMAR:
        body = _body(request, server, model)
        # What is left in memory of the question before is rounded otherwise, by up to 0.3 nats.
        return {**body, "logprobs": True, "grammar": grammar_of(target), "cache_prompt": False}
    asked = request if target is None else _with_target(request, target)
    body = _body(asked, server, model)
    if server.kind == "vllm" and asked.messages[-1].role == "assistant":
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    if server.kind == "sglang" and asked.messages[-1].role == "assistant":
        body["continue_final_message"] = True
    if target is not None:
        body |= _echo(target, server)
    elif server.kind == "together" and "logprobs" in body:
        body["logprobs"] = body.pop("top_logprobs")
    if request.exact_tokens:
        # The tokens that are named take the place of the likeliest, whatever list is asked for.
        body.pop("top_logprobs", None)
        body |= {
            "logprobs": True,
            "logprob_token_ids": list(request.exact_tokens),
            "return_tokens_as_token_ids": True,
        }
    return body


def _echo(target: Target, server: Server) -> JsonObject:
    """What asks for the log-probs of what was read."""
    if server.kind == "vllm":
        return {"prompt_logprobs": 0, "return_token_ids": True}
    if server.kind == "together":
        return {"echo": True, "logprobs": 1}
    last = len(target.text.encode()) + _FRAME  # no text has more tokens than bytes
    return {"echo_last": last, "logprobs": True, "raw_output": True}


def _completions(request: CompletionRequest, server: Server, model: str) -> JsonObject:
    """The body for a model without a chat template."""
    target = request.target
    prompt = "".join(turn.content for turn in request.messages)
    body: JsonObject = {
        "model": model,
        "prompt": prompt + (target.text if target else ""),
        "max_tokens": 1 if target else request.max_tokens,
        "temperature": request.temperature,
    }
    if target:
        body |= {"echo": True, "logprobs": 1}
    elif request.top_logprobs:
        body["logprobs"] = min(request.top_logprobs, server.longest_list)
    if request.num_samples > 1:
        body["n"] = request.num_samples
    return body


def _two_steps(request: CompletionRequest, server: Server, model: str) -> JsonObject:
    """What asks SGLang for the template's tokens, and what then asks about them."""
    target = request.target
    settings: JsonObject = {"return_logprob": True, "return_text_in_logprobs": True}
    append: list[int] = []
    reach = 0
    asked = replace(_plain(request), max_tokens=1, top_logprobs=0)
    if target is not None:
        # With the numbers of its tokens known, no boundary can merge.
        append = list(target.tokens)
        reach = len(append) + 1 if append else len(target.text.encode()) + _SLACK
        asked = asked if append else _with_target(request, target)
        settings["sampling_params"] = {"max_new_tokens": 0, "temperature": 0.0}
    else:
        settings["sampling_params"] = {
            "max_new_tokens": request.max_tokens,
            "temperature": request.temperature,
        }
        settings["top_logprobs_num"] = min(request.top_logprobs, server.longest_list)
        settings["token_ids_logprob"] = list(request.exact_tokens)
    chat = _body(asked, server, model)
    chat["return_prompt_token_ids"] = True
    if asked.messages[-1].role == "assistant":
        chat["continue_final_message"] = True
    return {"chat": chat, "generate": settings, "append": append, "reach": reach}
