"""A language model of a dozen tokens behind every way of asking, so that the truth is known."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from spex_api.completions import (
    Ask,
    Completion,
    CompletionRequest,
    Message,
    Outcome,
    TokenLogprob,
    Way,
)

END = "<|end|>"
VOCABULARY: tuple[bytes, ...] = (
    b"P",
    b"ari",
    b"s",
    b"Paris",
    b" ",
    b"is",
    b" is",
    b"big",
    b" big",
    b"\n",
    b"\n\n",
    b"\xc3",
    b"\xa9",
    END.encode(),
)


def cut(text: str, *, oddly: bool = False) -> tuple[int, ...]:
    """The text in the longest tokens that fit, the model's own spelling; or oddly, the shortest."""
    left, ids = text.encode(), []
    while left:
        fitting = [number for number, piece in enumerate(VOCABULARY) if left.startswith(piece)]
        choose = min if oddly else max
        best = choose(fitting, key=lambda number: len(VOCABULARY[number]))
        ids.append(best)
        left = left[len(VOCABULARY[best]) :]
    return tuple(ids)


def piece(number: int) -> str:
    """A token's text, with a mark in the place of part of a character."""
    return VOCABULARY[number].decode(errors="replace")


def text_of(ids: tuple[int, ...]) -> str:
    """The text of several tokens."""
    return b"".join(VOCABULARY[number] for number in ids).decode(errors="replace")


def logprobs(context: str, before: tuple[int, ...]) -> list[float]:
    """What the model thinks of each token after a prompt and what was said: made up, but fixed."""
    digest = hashlib.sha256(repr((context, before)).encode()).digest()
    weights = [math.exp(byte / 40) for byte in digest[: len(VOCABULARY)]]
    return [math.log(weight / math.fsum(weights)) for weight in weights]


def truth(context: str, ids: tuple[int, ...]) -> float:
    """The log-prob of these tokens after a prompt."""
    return math.fsum(logprobs(context, ids[:place])[ids[place]] for place in range(len(ids)))


@dataclass
class ToyServer:
    """Answers as a server would.

    Attributes:
        tells_ids: whether tokens come with their numbers.
        longest_list: how many likely tokens it lists.
        respells: whether a grammar without numbers is spelt in the shortest tokens.
        says: what it answers to the whole prompt, in its own spelling.
    """

    tells_ids: bool = True
    longest_list: int = len(VOCABULARY)
    respells: bool = False
    says: str = "Paris is big"

    def answer(self, request: CompletionRequest) -> Completion:
        """The answer to a request of any kind."""
        if request.ask is Ask.TOKENS:
            ids = cut(request.messages[-1].content)
            return Completion("", tuple(TokenLogprob(piece(n), math.nan, token_id=n) for n in ids))
        *before, last = request.messages
        begun = cut(last.content) if last.role == "assistant" else ()
        context = "|".join(turn.content for turn in (before if begun else request.messages))
        target = request.target
        if target is None:
            written = (*cut(self.says), len(VOCABULARY) - 1)
            if begun or request.max_tokens == 1:
                written = (self._likeliest(context, begun),)
            return self._written(context, begun, written[: request.max_tokens], request)
        if target.way is Way.GRAMMAR:
            ids = target.tokens or cut(target.text, oddly=self.respells)
            return self._written(context, (), ids, request)
        ids = target.tokens or cut(target.text)
        read = [TokenLogprob("<s>", math.nan, token_id=99 if self.tells_ids else None)]
        read.append(TokenLogprob("user", -3.0, token_id=98 if self.tells_ids else None))
        read += [self._token(context, ids[:place], n, 0, ()) for place, n in enumerate(ids)]
        return Completion("", prompt_tokens=tuple(read), model="toy")

    def _likeliest(self, context: str, before: tuple[int, ...]) -> int:
        thought = logprobs(context, before)
        return max(range(len(thought)), key=thought.__getitem__)

    def _written(
        self,
        context: str,
        begun: tuple[int, ...],
        ids: tuple[int, ...],
        request: CompletionRequest,
    ) -> Completion:
        shown = min(request.top_logprobs, self.longest_list)
        tokens = tuple(
            self._token(context, begun + ids[:place], n, shown, request.exact_tokens)
            for place, n in enumerate(ids)
        )
        ended = ids[-1] == len(VOCABULARY) - 1
        text = text_of(ids[:-1] if ended else ids)
        outcome = Outcome.ANSWERED if ended else Outcome.TRUNCATED
        return Completion(text, tokens, outcome=outcome, model="toy")

    def _token(
        self,
        context: str,
        before: tuple[int, ...],
        number: int,
        shown: int,
        exact: tuple[int, ...],
    ) -> TokenLogprob:
        thought = logprobs(context, before)
        ranked = sorted(range(len(thought)), key=lambda n: -thought[n])
        return TokenLogprob(
            piece(number),
            thought[number],
            () if exact else tuple((piece(n), thought[n]) for n in ranked[:shown]),
            token_id=number if self.tells_ids else None,
            exact=tuple((n, thought[n]) for n in exact),
        )


def ask(text: str) -> tuple[Message, ...]:
    """One question of the user's."""
    return (Message("user", text),)
