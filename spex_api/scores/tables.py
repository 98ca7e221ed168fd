"""A spec's `[score]` as a score.

What this module does not know: files, and how any score reads an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spex_api.errors import SpecError
from spex_api.scores.auto import Auto
from spex_api.scores.frequency import LabelFrequency
from spex_api.scores.judge import Judge
from spex_api.scores.label import LabelLogOdds
from spex_api.scores.matching import JsonField, Matcher, Pattern, Refusal, Says
from spex_api.scores.numeric import Numeric
from spex_api.scores.similarity import Similarity
from spex_api.scores.target import TargetLogProb
from spex_api.scores.tool_called import ToolCalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.score_table import ScoreKind, ScoreTable
    from spex_api.scores.score import Score

__all__ = ["score_of"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of score: what makes it, which keys it needs, and which it takes besides."""

    make: Callable[..., Score]
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()


def score_of(table: ScoreTable) -> Score:
    """The score that a table describes.

    Raises:
        SpecError: a key is missing that its kind needs, or is there that it does not take.
        UsageError: the score refuses what it is given.
    """
    name = table.kind or ("label_log_odds" if table.labels else "auto")
    kind = _KINDS[name]
    told = table.model_dump(exclude={"kind", "max_censored"}, exclude_none=True)
    takes = kind.needs | kind.takes
    for key in told:
        if key not in takes:
            raise SpecError(
                f"[score] has {key!r}, which {name} does not take.",
                advice=_advice(key, name, takes),
            )
    for key in sorted(kind.needs - told.keys()):
        raise SpecError(f"[score] lacks {key!r}, which {name} needs.")
    return kind.make(**told, max_censored=table.max_censored)


def _advice(key: str, name: ScoreKind, takes: frozenset[str]) -> str:
    others = [kind for kind, each in _KINDS.items() if key in each.needs | each.takes]
    said = f"It takes {', '.join(sorted(takes))}. " if takes else ""
    return f"{said}Leave {key} out of {name}, or set kind to one that has it: {', '.join(others)}."


def _auto(*, labels: list[str] | None = None, **settings: Any) -> Score:  # noqa: ANN401 - checked
    return Auto(tuple(labels or ()), **settings)


def _log_odds(*, labels: list[str], **settings: Any) -> Score:  # noqa: ANN401 - as above
    return LabelLogOdds(*labels, **settings)


def _frequency(
    *,
    labels: list[str] | None = None,
    says: str | None = None,
    pattern: str | None = None,
    field: str | None = None,
    equals: str | float | bool | None = None,
    refusal: bool | None = None,
    tool: str | None = None,
    **settings: Any,  # noqa: ANN401 - as above
) -> Score:
    matchers: list[Matcher] = []
    if says is not None:
        matchers.append(Says(says))
    if pattern is not None:
        matchers.append(Pattern(pattern))
    if (field is None) is not (equals is None):
        raise SpecError(
            "[score] has one of 'field' and 'equals', and a hit is a field that equals something."
        )
    if field is not None:
        matchers.append(JsonField(field, equals))
    if refusal:
        matchers.append(Refusal())
    if tool is not None:
        matchers.append(ToolCalled(tool))
    if len(matchers) > 1:
        raise SpecError("[score] tells hits in more than one way.", advice="Keep one.")
    return LabelFrequency(*(labels or ()), match=next(iter(matchers), None), **settings)


def _similarity(*, embeddings: str | None = None, **settings: Any) -> Score:  # noqa: ANN401 - as above
    return Similarity(model=embeddings, **settings)


def _judge(*, judge: str, **settings: Any) -> Score:  # noqa: ANN401 - as above
    return Judge(judge, **settings)


_KINDS: Final[dict[ScoreKind, _Kind]] = {
    "auto": _Kind(_auto, takes=frozenset({"labels", "max_tokens"})),
    "label_log_odds": _Kind(_log_odds, needs=frozenset({"labels"})),
    "label_frequency": _Kind(
        _frequency,
        takes=frozenset(
            {
                "labels",
                "says",
                "pattern",
                "field",
                "equals",
                "refusal",
                "tool",
                "samples",
                "scale",
                "temperature",
                "max_tokens",
            }
        ),
    ),
    "target_log_prob": _Kind(
        TargetLogProb, takes=frozenset({"target", "per_token", "way", "max_tokens"})
    ),
    "numeric": _Kind(
        Numeric, needs=frozenset({"low", "high"}), takes=frozenset({"samples", "max_tokens"})
    ),
    "similarity": _Kind(
        _similarity, takes=frozenset({"to", "embeddings", "samples", "max_tokens"})
    ),
    "judge": _Kind(
        _judge,
        needs=frozenset({"judge", "rubric"}),
        takes=frozenset({"low", "high", "samples", "grades", "max_tokens"}),
    ),
}
