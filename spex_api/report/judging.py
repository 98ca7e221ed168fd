"""How an answer was judged, in code that judges it again.

A score is known by how it is written in Python, perhaps in a file of somebody else's. So it is read
word by word and never run: scores, matchers, plain values, and functions by their names. What this
module does not know: who answers.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import spex_api.scores as known
from spex_api.errors import SpexError
from spex_api.report.literals import literal
from spex_api.scores import LabelFrequency, Matcher, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from spex_api.claims import Causes, Trial

__all__ = ["Judge", "Written", "judge_of", "read_score", "told"]

_FUNCTIONS: Final = ("Function", "Predicate")
"""What is made of a function of the user's."""


@dataclass(frozen=True, slots=True)
class Written:
    """A score or a matcher, and the code that makes it.

    Attributes:
        code: an expression.
        value: what it makes; None where it needs a function of the user's.
        names: what of `spex_api.scores` the code names.
        functions: what the code calls the user's functions, and where each stands, as
            "module:name".
    """

    code: str
    value: Any
    names: frozenset[str] = frozenset()
    functions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judge:
    """What tells the answers of which an outcome holds from the others.

    Attributes:
        matcher: where a text tells.
        negated: whether the outcome holds of those that do not match.
        threshold: where a value tells.
        above: whether it holds above.
    """

    matcher: Written | None = None
    negated: bool = False
    threshold: float = math.nan
    above: bool = True


def judge_of(causes: Causes, score: str) -> Judge | None:
    """What judges the recorded answers as they were judged; None where nothing does.

    By the texts where a matcher of the score gives all the counts, else by the values.

    Args:
        causes: with the answers of their trials.
        score: that gave the values, as it is written in Python.
    """
    matcher = _matcher(score)
    if matcher is not None and matcher.value is not None and all(map(_has_texts, causes.trials)):
        for negated in (False, True):
            if all(_is_counted(trial, matcher, negated=negated) for trial in causes.trials):
                return Judge(matcher, negated)
    lines = (
        [(causes.threshold, causes.above)]
        if causes.threshold is not None
        else _between(causes.trials)
    )
    for threshold, above in lines:
        if all(_is_parted(trial, threshold, above=above) for trial in causes.trials):
            return Judge(threshold=threshold, above=above)
    return None


def read_score(text: str) -> Written | None:
    """A score from its `repr`; None where it is not understood."""
    try:
        return _read(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, TypeError, KeyError, SpexError, RecursionError):
        return None


def told(trial: Trial) -> tuple[str, ...]:
    """The answers of a trial that can be told."""
    if len(trial.values) != len(trial.answers):
        return trial.answers
    pairs = zip(trial.answers, trial.values, strict=True)
    return tuple(text for text, value in pairs if math.isfinite(value))


def _has_texts(trial: Trial) -> bool:
    return len(told(trial)) == trial.asked


def _is_counted(trial: Trial, matcher: Written, *, negated: bool) -> bool:
    """Whether the matcher counts what was counted."""
    try:
        hits = sum(map(matcher.value.matches, told(trial)))
    except SpexError:
        return False
    counted: int = trial.asked - hits if negated else hits
    return trial.holds == counted


def _is_parted(trial: Trial, threshold: float, *, above: bool) -> bool:
    values = [each for each in trial.values if math.isfinite(each) and each != threshold]
    return len(values) == trial.asked and trial.holds == sum(
        (value > threshold) == above for value in values
    )


def _between(trials: Sequence[Trial]) -> Iterator[tuple[float, bool]]:
    """Half way between neighbouring values, the widest gap first, and either side of it."""
    values = sorted({each for trial in trials for each in trial.values if math.isfinite(each)})
    gaps = sorted(pairwise(values), key=lambda gap: gap[0] - gap[1])
    for low, high in gaps:
        yield (low + high) / 2, True
        yield (low + high) / 2, False


def _matcher(score: str) -> Written | None:
    """What tells hits: the score itself, or what a share of hits counts; else None."""
    whole = read_score(score)
    if whole is None or isinstance(whole.value, Matcher):
        return whole
    if not isinstance(whole.value, LabelFrequency):
        return None
    if whole.value.match is None:
        labels = whole.value.labels
        code = f"Words({', '.join(map(literal, labels))})"
        return Written(code, Words(*labels), frozenset({"Words"}))
    call = ast.parse(score, mode="eval").body
    settings = call.keywords if isinstance(call, ast.Call) else []
    return next((_read(each.value) for each in settings if each.arg == "match"), None)


def _read(node: ast.expr) -> Written:
    """One expression.

    Raises:
        ValueError: it is none of ours.
    """
    if not isinstance(node, ast.Call):
        value = ast.literal_eval(node)
        return Written(literal(value), value)
    name = _named(node)
    if name not in known.__all__:
        raise ValueError(name)
    first = list(map(_function, node.args[:1])) if name in _FUNCTIONS else []
    args = [*first, *map(_read, node.args[len(first) :])]
    settings = {str(each.arg): _read(each.value) for each in node.keywords}
    parts = [*args, *settings.values()]
    codes = [
        *(each.code for each in args),
        *(f"{key}={each.code}" for key, each in settings.items()),
    ]
    make: Callable[..., Any] = getattr(known, name)
    is_whole = all(each.value is not None or each.code == "None" for each in parts)
    return Written(
        f"{name}({', '.join(codes)})",
        make(*(each.value for each in args), **{key: each.value for key, each in settings.items()})
        if is_whole
        else None,
        frozenset({name}).union(*(each.names for each in parts)),
        {called: place for each in parts for called, place in each.functions.items()},
    )


def _named(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _function(node: ast.expr) -> Written:
    """A function of the user's, by its name; it is not looked for, let alone called.

    Raises:
        ValueError: it is no name.
    """
    module, point, name = ast.unparse(node).rpartition(".")
    if not point or not all(each.isidentifier() for each in (*module.split("."), name)):
        raise ValueError(name)
    return Written(name, None, functions={name: f"{module}:{name}"})
