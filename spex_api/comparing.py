"""The same call before and after a change: what appeared, what vanished, what changed for sure.

What this module does not know: why something was changed, and which of the two is right.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex_api.claims import UNCHANGED
from spex_api.errors import UsageError
from spex_api.indices import interactions
from spex_api.interaction_changes import Change, Fate, changes
from spex_api.matched_parts import matched
from spex_api.report.causes import sentence
from spex_api.report.naming import Names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spex_api.claims import Cause
    from spex_api.explanation import Explanation
    from spex_api.fidelity import Faithfulness
    from spex_api.indices import Interactions
    from spex_api.matched_parts import Pair

__all__ = ["Change", "Comparison", "Difference", "Fate", "Number", "compare"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is told of both.

    Attributes:
        what: what it is.
        before: as it was; None where it was not known.
        after: as it is.
    """

    what: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is told of both, and is not the same.

    Attributes:
        what: what it is.
        before: as it was; "" where it was not known.
        after: as it is.
    """

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two explanations of one call, side by side.

    Attributes:
        parts: which part is which, in the order of the second explanation, those that are gone
            last.
        numbers: what the whole and the empty prompt are worth, and the like; the same ones among
            them.
        changes: the interactions, those that changed the most first.
        causes_before: sentences of causes that were confirmed and are not any more.
        causes_after: of those that are confirmed and were not.
        causes_still: of those that were confirmed and are.
        differences: what else differs: the answer, the model, the score, the seed and so on.
        warnings: what forbids to lean on it, a sentence each.
    """

    parts: tuple[Pair, ...]
    numbers: tuple[Number, ...]
    changes: tuple[Change, ...]
    causes_before: tuple[str, ...]
    causes_after: tuple[str, ...]
    causes_still: tuple[str, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]

    def of(self, fate: Fate) -> tuple[Change, ...]:
        """The interactions of which this became."""
        return tuple(change for change in self.changes if change.fate is fate)


def compare(before: Explanation, after: Explanation) -> Comparison:
    """Compares two explanations of the same call, before and after a change.

    Parts are matched by their texts, edited ones by how much of the text is left, and what is left
    over by its place. The first explanation's index is taken for both.

    Args:
        before: the first explanation.
        after: the second.

    Raises:
        UsageError: their values are no values of one thing: the scores, or their units, differ; or
            the features have no names and differ in number.
    """
    _check_scores(before, after)
    parts = _parts(before, after)
    now, recomputed = _by_the_same_index(before, after)
    gone, come, still = _causes(before, after, parts)
    return Comparison(
        parts=parts,
        numbers=tuple(_numbers(before, after, now)),
        changes=changes(before, after, parts, now=now),
        causes_before=gone,
        causes_after=come,
        causes_still=still,
        differences=tuple(_differences(before, after)),
        warnings=tuple(_warnings(before, after, recomputed=recomputed)),
    )


def _check_scores(before: Explanation, after: Explanation) -> None:
    """Lets pass explanations by one kind of score in one unit.

    Raises:
        UsageError: they are not.
    """
    old, new = before.provenance, after.provenance
    if (_kind(old.score), _unit(old.meaning)) != (_kind(new.score), _unit(new.meaning)):
        raise UsageError(
            f"The first explanation's values are {old.meaning}, the second's {new.meaning}: these "
            "cannot be compared.",
            advice="Explain both by the same score; the answers are on disk, so where it reads "
            "them too, that costs nothing.",
        )


def _kind(score: str) -> str:
    return score.partition("(")[0]


def _unit(meaning: str) -> str:
    """The first words, which name the quantity, and the last ones where they name a unit."""
    quantity = re.split(r" (?:of|in|where) ", meaning, maxsplit=1)[0]
    last = meaning.rpartition(", ")[2]
    return f"{quantity}, {last}" if last.startswith(("in ", "as ", "on ")) else quantity


def _parts(before: Explanation, after: Explanation) -> tuple[Pair, ...]:
    """Which part is which.

    Raises:
        UsageError: there are no texts to go by, and the numbers of features differ.
    """
    old, new = before.transform.num_features, after.transform.num_features
    names = Names.of(before).texts, Names.of(after).texts
    if any(names[0]) and any(names[1]):
        return matched(*names)
    if old != new:
        raise UsageError(
            f"The first explanation has {old} features and the second {new}, and they have no "
            "names: nobody can tell which is which.",
            advice="Explain with names, one a feature.",
        )
    return matched([str(number) for number in range(old)], [str(number) for number in range(new)])


def _by_the_same_index(before: Explanation, after: Explanation) -> tuple[Interactions, bool]:
    """The second's interactions by the first's index, and whether they had to be computed for it.

    The covariance behind intervals is in no file, so there are none then.
    """
    old, new = before.interactions, after.interactions
    if (old.index, old.order) == (new.index, new.order):
        return new, False
    return interactions(after.transform, old.index, old.order, names=new.names), True


def _causes(
    before: Explanation, after: Explanation, parts: Sequence[Pair]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Sentences of causes that are confirmed no more, that are only now, and that still are."""
    moved = {pair.before: pair.after for pair in parts if pair.before is not None}
    stayed = {pair.after: pair.after for pair in parts if pair.after is not None}
    old = before.causes.confirmed if before.causes else ()
    new = after.causes.confirmed if after.causes else ()
    then = {_by_parts_of_now(each, moved) for each in old}
    now = {_by_parts_of_now(each, stayed) for each in new}
    return (
        tuple(sentence(before, each) for each in old if _by_parts_of_now(each, moved) not in now),
        tuple(sentence(after, each) for each in new if _by_parts_of_now(each, stayed) not in then),
        tuple(sentence(after, each) for each in new if _by_parts_of_now(each, stayed) in then),
    )


def _by_parts_of_now(cause: Cause, numbers: Mapping[int, int | None]) -> tuple[object, ...]:
    """What makes two causes the same one; a part that is gone is no part of now."""
    parts = frozenset(numbers[feature] for feature in cause.features)
    holding = frozenset(numbers[feature] for feature in cause.suppressors)
    return (cause.kind, len(cause.features), parts, holding)


def _numbers(before: Explanation, after: Explanation, now: Interactions) -> Iterator[Number]:
    yield Number("Whole prompt", before.provenance.full, after.provenance.full)
    yield Number("Everything masked", before.provenance.empty, after.provenance.empty)
    yield Number("Baseline of the index", before.baseline, now.baseline)
    yield Number("Held-out R²", _known(before.faithfulness), _known(after.faithfulness))


def _known(faithfulness: Faithfulness) -> float | None:
    return faithfulness.value if math.isfinite(faithfulness.value) else None


def _differences(before: Explanation, after: Explanation) -> Iterator[Difference]:
    """What is told of both and is not the same."""
    for what, *told in (
        ("Answer", _answer(before), _answer(after)),
        ("Outcome", _outcome(before), _outcome(after)),
        *zip(_LABELS, _told(before), _told(after), strict=True),
    ):
        old, new = told
        if old != new:
            yield Difference(what, old, new)


_LABELS = (
    "Model",
    "Endpoint",
    "Served",
    "Score",
    "Value",
    "Index",
    "Decoder",
    "Seed",
    "Kept",
    "Masks planned",
    "Version",
)


def _told(explanation: Explanation) -> tuple[str, ...]:
    source, found = explanation.provenance, explanation.interactions
    return (
        source.model,
        source.endpoint,
        ", ".join(sorted(name or "?" for name in source.served)),
        source.score,
        source.meaning,
        f"{found.index}, order {found.order}",
        explanation.decoder,
        str(source.seed),
        f"{source.keep:g}",
        str(source.planned),
        source.version,
    )


def _answer(explanation: Explanation) -> str:
    """What was mostly answered to the whole, where that is known."""
    whole = explanation.causes.trial(UNCHANGED) if explanation.causes else None
    if whole is None or not whole.answers:
        return ""
    ((text, _),) = Counter(whole.answers).most_common(1)
    return text


def _outcome(explanation: Explanation) -> str:
    return explanation.causes.outcome if explanation.causes else ""


def _warnings(before: Explanation, after: Explanation, *, recomputed: bool) -> Iterator[str]:
    old, new = before.interactions, after.interactions
    if before.provenance.score != after.provenance.score:
        yield "The scores are of one kind but differ in a setting, so values may differ by that."
    if recomputed:
        yield (
            f"The second explanation is by {new.index} of order {new.order}: its interactions were "
            f"computed anew by {old.index} of order {old.order}, without intervals."
        )
    without = [
        f"the {which} ({explanation.decoder})"
        for which, explanation in (("first", before), ("second", after))
        if explanation.interactions and not explanation.interactions.intervals
    ]
    if without:
        yield (
            f"There are no intervals in {' and '.join(without)}, so of interactions it cannot be "
            "told which changes are real."
        )
    for which, explanation in (("first", before), ("second", after)):
        if explanation.faithfulness.value < 0.5:
            yield (
                f"The {which} explanation is hardly faithful (R² {explanation.faithfulness}): do "
                "not lean on its interactions."
            )
        if not explanation.complete:
            yield f"The {which} explanation is partial: its budget ended first."
    if (before.causes is None) != (after.causes is None):
        which = "second" if before.causes else "first"
        yield f"Causes were not put to the test in the {which} explanation."
