"""Answers to a probe's questions → findings: are the numbers there, sane, moved, repeatable?

What this module does not know: how an answer came, and what came with it.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from spex_api.errors import ScoreError
from spex_api.querying.probing.answer import Answer, Asked, noise_floor, value_of
from spex_api.querying.probing.probed import Judgement, Verdict
from spex_api.querying.probing.sanity import Flaw, same_list, stretch
from spex_api.scores import Labelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.completions import TokenLogprob
    from spex_api.scores import Score

__all__ = ["flawed", "judge"]

_LOGPROBS = "log-probs"
_UNSCALED = (0.5, 2.0)
"""A server that divides by a temperature of 0 stretches tenfold at least; noise does not double."""
_BEYOND_NOISE = 3.0
"""Standard deviations of a difference."""


_MASKED = frozenset({Asked.FULL, Asked.EMPTY, Asked.RANDOM})
"""Each under a mask of its own."""


def judge(answers: Sequence[Answer], score: Score | None) -> tuple[Judgement, ...]:
    """All findings that the answers give.

    Args:
        answers: the first of them is not refused.
        score: what reads their values; None where none are read.
    """
    answered = [answer for answer in answers if answer.completions]
    found = list(_content(answered))
    if score is not None and not any(finding.verdict is Verdict.FATAL for finding in found):
        found += [*_labels(answered, score), *_sensitivity(answered), *_repeatability(answered)]
    return tuple(found)


def flawed(flaw: Flaw, *, about: str = _LOGPROBS, share: str = "") -> Judgement:
    """The finding that a flaw is."""
    verdict = Verdict.FATAL if flaw.is_fatal else Verdict.WARNING
    return Judgement(about, verdict, f"{flaw}{share}", flaw.remedy)


def _content(answers: Sequence[Answer]) -> Iterator[Judgement]:
    """The log-probs themselves, where any were asked for."""
    asking = [each for each in answers if each.question[0].top_logprobs > 0]
    if not asking:
        return
    counts = Counter(flaw for each in asking for flaw in each.flaws)
    for flaw, count in counts.items():
        share = f" ({count} of {len(asking)} answers.)" if count < len(asking) else ""
        yield flawed(flaw, share=share)
    if any(flaw.is_fatal for flaw in counts):
        return
    masked = {each.question: each.completions[0] for each in asking if each.asked in _MASKED}
    if same_list(list(masked.values())):
        yield flawed(Flaw.CONSTANT)
        return
    longest = max((len(first.top) for first in _firsts(asking)), default=0)
    yield Judgement(
        _LOGPROBS,
        Verdict.OK,
        f"Log-probs are there and consistent, in lists of up to {longest} tokens.",
    )
    yield from _temperature(asking)


def _temperature(answers: Sequence[Answer]) -> Iterator[Judgement]:
    by_kind = {each.asked: each.completions[0] for each in reversed(answers)}
    if Asked.FULL not in by_kind or Asked.WARM not in by_kind:
        return
    factor = stretch(by_kind[Asked.FULL], by_kind[Asked.WARM])
    if factor is None:
        return
    if not _UNSCALED[0] <= factor <= _UNSCALED[1]:
        yield flawed(Flaw.SCALED, about="temperature")
        return
    yield Judgement(
        "temperature", Verdict.OK, "Log-probs are the model's own: the temperature leaves them."
    )


def _labels(answers: Sequence[Answer], score: Score) -> Iterator[Judgement]:
    """Whether the answers hold what the score reads, for each label where it has labels."""
    asked = [each for each in answers if each.asked in _MASKED]
    masked = [each for each in asked if not each.is_withheld]
    if not masked and all(each.value is None for each in asked):
        yield Judgement(
            "labels",
            Verdict.FATAL,
            f"Each of {len(asked)} answers was declined by the model or taken away by a filter.",
            "Change what is asked, or ask another model.",
        )
        return
    try:
        score.check([each.together for each in masked or asked])
    except ScoreError as error:
        yield Judgement("labels", Verdict.FATAL, error.cause, error.advice)
        return
    if not (masked and isinstance(score, Labelled)):
        return
    found = [score.found(each.together) for each in masked]
    total = len(masked)
    rare = {label: sum(label in labels for labels in found) for label in score.labels}
    missing = [f"{label!r} in {n} of {total}" for label, n in rare.items() if n < total]
    if not missing:
        yield Judgement(
            "labels", Verdict.OK, f"Every label is listed under all {total} masks that were asked."
        )
        return
    bounds = sum(set(labels) != set(score.labels) for labels in found) / total
    yield Judgement(
        "labels",
        Verdict.WARNING,
        f"Of the masks that were asked, the lists hold {', '.join(missing)}: {bounds:.0%} of the "
        "values are only bounds, or are not there.",
        "Ask in the prompt for exactly these labels, or use a server with longer lists.",
    )


def _sensitivity(answers: Sequence[Answer]) -> Iterator[Judgement]:
    """Whether masking moves the value by more than asking again does."""
    full, empty = value_of(answers, Asked.FULL), value_of(answers, Asked.EMPTY)
    masked = [each.value for each in answers if each.asked in (Asked.EMPTY, Asked.RANDOM)]
    moves = [abs(value - full) for value in masked if value is not None and full is not None]
    if not moves or full is None:
        return
    # A difference of two values has twice the variance of one.
    least = _BEYOND_NOISE * math.sqrt(2.0) * (noise_floor(answers) or 0.0)
    if max(moves) <= least:
        yield Judgement(
            "sensitivity",
            Verdict.WARNING,
            f"No mask moved the value by more than {max(moves):.3g}, which is no more than asking "
            "again may: an explanation would be one of noise.",
            "Check that the answer depends on the text, or mask larger parts.",
        )
    elif empty is not None and abs(empty - full) <= least:
        yield Judgement(
            "sensitivity",
            Verdict.WARNING,
            f"With everything masked the value is about that of the whole prompt ({full:.3g}), "
            f"though other masks move it by up to {max(moves):.3g}: what there is to explain is "
            "not their difference.",
        )
    else:
        yield Judgement(
            "sensitivity",
            Verdict.OK,
            f"Masking moves the value by up to {max(moves):.3g}.",
        )


def _repeatability(answers: Sequence[Answer]) -> Iterator[Judgement]:
    floor = noise_floor(answers)
    if floor is None:
        return
    if any(each.variance for each in answers):
        said = f"By its samples, one value has a standard deviation of {floor:.3g}."
    else:
        count = sum(each.asked in (Asked.FULL, Asked.REPEAT) for each in answers)
        said = (
            f"The same question got the same value {count} times."
            if floor == 0.0
            else f"Asked {count} times, the same question got values with a standard deviation of "
            f"{floor:.3g}: no smaller effect can be told from noise by one answer."
        )
    yield Judgement("repeatability", Verdict.OK, said)


def _firsts(answers: Sequence[Answer]) -> list[TokenLogprob]:
    every = [each for answer in answers for each in answer.completions]
    return [each.tokens[0] for each in every if each.tokens]
