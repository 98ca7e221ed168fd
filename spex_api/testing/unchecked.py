"""A share of hits that may be none at all: a mended answer is not what was looked for.

What this module does not know: who is asked, and how often.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from spex_api.completions import WITHHELD
from spex_api.errors import UsageError
from spex_api.prompts import Prompt
from spex_api.scores.draws import draws_of
from spex_api.scores.tool_calls import with_calls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from spex_api.completions import Capabilities, Completion, CompletionRequest, Message
    from spex_api.scores import LabelFrequency, Scored

__all__ = ["Unchecked", "read_prompt"]


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A frequency that does not mind answers without a hit, and keeps what was answered last.

    Attributes:
        score: the frequency.
        texts: of the answers that it read last, with the calls of tools behind them.
    """

    score: LabelFrequency
    texts: list[str] = field(default_factory=list)

    @property
    def meaning(self) -> str:
        """As the frequency has it."""
        return self.score.meaning

    @property
    def max_censored(self) -> float:
        """All may be missing."""
        return 1.0

    def requests(
        self, messages: tuple[Message, ...], capabilities: Capabilities
    ) -> tuple[CompletionRequest, ...]:
        """As the frequency asks.

        Raises:
            ScoreError: the endpoint cannot give what the frequency reads.
        """
        return self.score.requests(messages, capabilities)

    def value(self, completions: Sequence[Completion]) -> Scored:
        """As the frequency reads it."""
        told = (each for each in draws_of(completions) if each.outcome not in WITHHELD)
        self.texts[:] = [with_calls(each.text, each.tool_calls) for each in told]
        return self.score.value(completions)

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Lets everything pass."""


def read_prompt(path: Path) -> Prompt:
    """The prompt in a file.

    Raises:
        UsageError: there is none.
    """
    try:
        return TypeAdapter(Prompt).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(
            f"There is no prompt in {path}: {error}.",
            advice="Write the test anew, with explanation.to_pytest.",
        ) from error
