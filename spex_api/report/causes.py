"""Causes in words: what brings an outcome about, with the numbers of its trials.

What was not confirmed is called so, and unchanged repeats, which are the noise, stand beside every
number. What this module does not know: how a cause was found, and how it was tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

from spex_api.claims import UNCHANGED, Arrangement, Kind
from spex_api.report.naming import Names, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from spex_api.claims import Cause, Causes, Trial
    from spex_api.explanation import Explanation

__all__ = ["Tried", "changed", "method", "sentence", "tried", "verdict"]

_MOST_COMBINED: Final = 4
"""Of so many parts every combination that was asked is told in the sentence."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A row of the table of trials.

    Attributes:
        changed: what was changed, in words.
        flipped: of how many answers the outcome does not hold.
        asked: how many answers there are.
    """

    changed: str
    flipped: int
    asked: int


def verdict(causes: Causes) -> str:
    """What came of the test, in a sentence; where nothing is confirmed, what to do as well."""
    confirmed, others = len(causes.confirmed), len(causes.causes) - len(causes.confirmed)
    if not confirmed:
        tested = f": {_counted(others)} {_was(others)} tested" if others else ""
        return f"Nothing is confirmed{tested}. {causes.advice}".rstrip()
    said = f"{_counted(confirmed)} {_is(confirmed)} confirmed"
    return f"{said}, {others} {_is(others)} not." if others else f"{said}."


def method(explanation: Explanation) -> str:
    """The outcome, the noise, and how sure a confirmation is; "" where nothing was tested."""
    causes = explanation.causes
    if causes is None:
        return ""
    unchanged = causes.trial(UNCHANGED)
    noise = (
        "With everything in nothing was asked"
        if unchanged is None
        else f"With everything in it holds of {unchanged.holds} of {unchanged.asked} answers, and "
        "those of which it does not are the noise"
    )
    calls = "1 answer" if causes.calls == 1 else f"{causes.calls} answers"
    said = (
        f"Outcome: {causes.outcome or 'the answer is as the whole has it'}. An answer is flipped "
        f"where that does not hold. {noise}. The test took {calls}; where nothing is a cause, one "
        f"is confirmed with a probability of at most {causes.alpha:.0%}."
    )
    return f"{said} {Names.of(explanation).convention}".rstrip()


def sentence(explanation: Explanation, cause: Cause) -> str:
    """A cause in words, whether it is confirmed, and the numbers of its trials.

    Args:
        explanation: whose `causes` it is one of.
        cause: the cause.
    """
    names, causes = Names.of(explanation), explanation.causes
    state = "confirmed" if cause.confirmed else "not confirmed"
    if cause.kind is Kind.REDUNDANT:
        state = f"redundant, {state}"
    said = f"{_claim(cause, names)} ({state})"
    if causes is not None:
        numbers = "; ".join([*_NUMBERS[cause.kind](_Told(cause, causes, names)), _noise(causes)])
        said += f": {numbers}"
    held = sum(claim.confirmed for claim in cause.claims)
    if held and not cause.confirmed:
        said += f". Of its {len(cause.claims)} claims {held} {_is(held)} confirmed"
    return f"{said}."


def tried(explanation: Explanation) -> list[Tried]:
    """The table of trials, the unchanged one first."""
    causes = explanation.causes
    if causes is None:
        return []
    names = Names.of(explanation)
    return [
        Tried(changed(trial.arrangement, names), trial.flipped, trial.asked)
        for trial in causes.trials
    ]


def changed(arrangement: Arrangement, names: Names) -> str:
    """What an arrangement changes, in words."""
    if arrangement == UNCHANGED:
        return "everything in, unchanged"
    parts = []
    kept = [each for each in range(len(names.short)) if each not in arrangement.removed]
    if not kept:
        parts.append("with nothing left")
    elif len(arrangement.removed) > max(_MOST_COMBINED, len(kept)):
        parts.append(f"with {listed([names.short[each] for each in kept])} alone")
    elif arrangement.removed:
        parts.append("without " + listed([names.short[each] for each in arrangement.removed]))
    for feature, place in arrangement.moved:
        way = names.moved(feature, place)
        parts.append(f"moved {way}" if way.startswith("from") else f"{names.short[feature]} {way}")
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class _Told:
    """A cause with all that its sentence is made of."""

    cause: Cause
    causes: Causes
    names: Names

    def short(self, features: Sequence[int], joint: str = "and") -> str:
        return listed([self.names.short[each] for each in features], joint)

    def without(self, features: Sequence[int]) -> Trial | None:
        return self.causes.trial(Arrangement(tuple(sorted(features))))

    def flips(self, features: Sequence[int], what: str = "") -> list[str]:
        """How often removing these flips; nothing where that was not asked."""
        trial = self.without(features)
        return [f"removing {what or self.short(features)} flips {_share(trial)}"] if trial else []


def _alone(told: _Told) -> Iterator[str]:
    yield from told.flips(told.cause.features, "it" if len(told.cause.features) == 1 else "")


def _together(told: _Told) -> Iterator[str]:
    features = told.cause.features
    each = [said for feature in features for said in told.flips((feature,))]
    if each:
        yield ", ".join(each)
    yield from told.flips(features, "both" if len(features) == 2 else "all")


def _redundant(told: _Told) -> Iterator[str]:
    features = told.cause.features
    yield from told.flips(features, "both" if len(features) == 2 else "all")
    alone = [(feature, told.without((feature,))) for feature in features]
    known = [(feature, trial) for feature, trial in alone if trial is not None]
    shares = {_share(trial) for _, trial in known}
    if len(known) == len(features) and len(shares) == 1:
        yield f"{'either' if len(features) == 2 else 'any one'} alone {shares.pop()}"
    else:
        yield from (f"{told.short((feature,))} alone {_share(trial)}" for feature, trial in known)
    for chosen in _combined(features, fewest=2):
        yield from told.flips(chosen)


def _suppressor(told: _Told) -> Iterator[str]:
    holding = told.cause.suppressors
    held = tuple(each for each in told.cause.features if each not in holding)
    with_all = told.without((*holding, *held))
    said = told.flips(holding)
    if with_all:
        too = f"{told.short(held)} {_is(len(held))} removed too"
        said += [f"{'but ' if said else ''}{_share(with_all)} where {too}"]
    if said:
        yield ", ".join(said)
    yield from told.flips(held, f"{told.short(held)} alone")


def _position(told: _Told) -> Iterator[str]:
    for trial in told.causes.trials:
        for feature, place in trial.arrangement.moved:
            if feature in told.cause.features and not trial.arrangement.removed:
                way = told.names.moved(feature, place)
                which = "" if len(told.cause.features) == 1 else f"{told.short((feature,))} "
                yield f"{which}moved {way}, it flips {_share(trial)}"
    yield from told.flips(told.cause.features)


def _sufficient(told: _Told) -> Iterator[str]:
    features = told.cause.features
    others = tuple(each for each in range(len(told.names.short)) if each not in features)
    yield from told.flips(others, "all others")
    for feature in features if len(features) > 1 else ():
        too = told.without((*others, feature))
        if too is not None:
            yield f"and {told.short((feature,))} too {_share(too)}"
    nothing = told.without((*others, *features))
    if nothing is not None:
        yield f"with nothing left {_share(nothing)}"


def _mixed(told: _Told) -> Iterator[str]:
    features = told.cause.features
    if len(features) <= _MOST_COMBINED:
        for chosen in (*_combined(features, fewest=1), features):
            yield from told.flips(chosen)
    else:
        yield from told.flips(features, "all")


_NUMBERS: Final[dict[Kind, Callable[[_Told], Iterator[str]]]] = {
    Kind.ALONE: _alone,
    Kind.TOGETHER: _together,
    Kind.REDUNDANT: _redundant,
    Kind.SUPPRESSOR: _suppressor,
    Kind.POSITION: _position,
    Kind.SUFFICIENT: _sufficient,
    Kind.MIXED: _mixed,
}


def _claim(cause: Cause, names: Names) -> str:
    """What is claimed, in words; it begins a sentence."""
    full = [names.full(each) for each in cause.features]
    said = listed(full)
    match cause.kind:
        case Kind.ALONE:
            said = f"{said} brings it about alone"
        case Kind.TOGETHER:
            said = f"{said} need {'each other' if len(full) == 2 else 'one another'}"
        case Kind.REDUNDANT:
            said = f"{'either' if len(full) == 2 else 'any of'} {listed(full, 'or')} suffices"
        case Kind.SUPPRESSOR:
            holding = [names.full(each) for each in cause.suppressors]
            held = [names.full(each) for each in cause.features if each not in cause.suppressors]
            said = f"{listed(holding)} {'holds' if len(holding) == 1 else 'hold'} back "
            said += listed(held)
        case Kind.POSITION:
            said = f"it is where {said} {'stands' if len(full) == 1 else 'stand'}"
        case Kind.SUFFICIENT:
            said += f" {'suffices' if len(full) == 1 else 'suffice'}, whatever else is left out"
        case Kind.MIXED:
            said = f"{said} work in a way of their own"
    ours = said.startswith(("either", "any of", "it is", "part "))
    return said[0].upper() + said[1:] if ours else said


def _noise(causes: Causes) -> str:
    unchanged = causes.trial(UNCHANGED)
    return f"unchanged {_share(unchanged)}" if unchanged else "unchanged was not asked"


def _combined(features: Sequence[int], *, fewest: int) -> Iterator[tuple[int, ...]]:
    """All sets of the features but the whole one, the smallest first."""
    for size in range(fewest, len(features)):
        yield from combinations(features, size)


def _share(trial: Trial) -> str:
    return f"{trial.flipped} of {trial.asked}"


def _counted(count: int) -> str:
    return f"{count} cause" if count == 1 else f"{count} causes"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
