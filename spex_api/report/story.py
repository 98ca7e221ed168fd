"""The sentences and tints that every report shares."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Literal

from spex_api.indices import interactions

if TYPE_CHECKING:
    from spex_api.explanation import Explanation
    from spex_api.fidelity import Faithfulness
    from spex_api.transforms import Support

__all__ = [
    "by_order",
    "cost",
    "effects",
    "grade",
    "harmless",
    "near",
    "provenance",
    "trust",
    "words",
]

_GOOD, _FAIR = 0.8, 0.5
_JUDGEMENTS = {
    "good": "it speaks for the model",
    "fair": "its strongest parts can be trusted, its details cannot",
    "poor": "do not lean on it: ask more, or choose larger features",
}
_DOUBTFUL = 0.05
_HEADINGS = {1: "alone", 2: "two together", 3: "three together"}


def effects(explanation: Explanation) -> list[float]:
    """What keeping each feature does on average over all contexts: its Banzhaf value."""
    alone = interactions(explanation.transform, "BV")
    return [alone.get((feature,), 0.0) for feature in range(explanation.transform.num_features)]


def by_order(explanation: Explanation, count: int) -> list[tuple[str, list[Support]]]:
    """The strongest interactions of each order, each list under its heading."""
    found = explanation.interactions
    lists: dict[int, list[Support]] = {}
    for support in found.strongest():
        of_size = lists.setdefault(len(support), [])
        if len(of_size) < count:
            of_size.append(support)
    return [(_HEADINGS.get(size, f"{size} together"), lists[size]) for size in sorted(lists)]


def words(explanation: Explanation, support: Support) -> str:
    """The features of an interaction as they are written; which one, where a text stands twice."""
    names = explanation.interactions.names
    return " + ".join(_told_apart(names, feature) for feature in support)


def _told_apart(names: tuple[str, ...], feature: int) -> str:
    if not names:
        return str(feature)
    same = [place for place, name in enumerate(names) if name == names[feature]]
    which = f" ({same.index(feature) + 1} of {len(same)})" if len(same) > 1 else ""
    return names[feature] + which


def trust(explanation: Explanation) -> str:
    """How far the explanation can be trusted, in a sentence or two."""
    faith = explanation.faithfulness
    if not math.isfinite(faith.value):
        return " ".join(filter(None, (explanation.status, explanation.ending)))
    judgement = _JUDGEMENTS[grade(faith)]
    said = (
        f"{_measured_on(explanation)}, the explanation accounts for {faith.value:.0%} of the "
        f"answer's variation (R² {faith}{_at_most(faith)}; features alone, without interactions: "
        f"{faith.additive:.2f}): {judgement}."
    )
    said += "".join(f" {each}" for each in (near(explanation), explanation.ending) if each)
    source = explanation.provenance
    doubtful = source.censored + source.without_value
    if doubtful > _DOUBTFUL * explanation.usage.requests:
        said += (
            f" Beware: of {explanation.usage.requests} answers {source.censored} give only a bound "
            f"of the value, and {source.without_value} none."
        )
    if source.refused > _DOUBTFUL * (explanation.usage.requests + source.refused):
        said += f" Beware: {_refused(source.refused)}"
    if source.withheld:
        said += (
            f" Of {explanation.usage.requests} answers {source.withheld} were withheld: the model "
            "declined them, or a filter took them away."
        )
    if source.noise_floor is not None:
        said += f" Asked again and again, the whole prompt {_noise(source.noise_floor)}."
    said += "".join(f" Beware: {warning}" for warning in source.warnings)
    if not explanation.complete:
        said += " The budget ended before the plan was done."
    return said


def grade(faith: Faithfulness) -> Literal["good", "fair", "poor"]:
    """How good an R² is, as a share of what the luck of few draws leaves to be explained."""
    known = faith.value / faith.ceiling if faith.ceiling else faith.value
    return "good" if known >= _GOOD else "fair" if known >= _FAIR else "poor"


def _at_most(faith: Faithfulness) -> str:
    if faith.ceiling is None:
        return ""
    return (
        f" of the shares of sampled answers, of about {faith.ceiling:.2f} that draws so few allow"
    )


def _noise(floor: float) -> str:
    if floor == 0:
        return "gets the same value"
    return f"gets values with a standard deviation of {floor:.2g}"


def near(explanation: Explanation) -> str:
    """How faithful it is near the full prompt, in a sentence; empty where nobody looked."""
    faith = explanation.near
    if faith is None:
        return ""
    where = f"Near the full prompt, on {faith.num_masks} masks with one to three parts removed"
    if not math.isfinite(faith.value):
        return f"{where}, it is not measurable: the values there do not vary."
    if faith.value < 0:
        return (
            f"{where}, it predicts worse than their mean does (R² {faith}): for small edits ask "
            "again with a larger keep."
        )
    return f"{where}, it accounts for {faith.value:.0%} (R² {faith})."


def _measured_on(explanation: Explanation) -> str:
    faith, planned = explanation.faithfulness, explanation.provenance.planned
    if not faith.exhaustive:
        return f"On {faith.num_masks} masks that it has not seen"
    if faith.num_masks == planned:
        return f"On all {planned} masks that there are"
    return f"On the {faith.num_masks} of all {planned} masks that have a value, which it has seen"


def _refused(count: int) -> str:
    subject, verb = ("1 mask was", "it has") if count == 1 else (f"{count} masks were", "they have")
    return f"{subject} refused by the endpoint for good; {verb} no value and no part in the fit."


def cost(explanation: Explanation) -> str:
    """What it took."""
    usage = explanation.usage
    dollars = "price not known" if usage.usd is None else f"{usage.usd:.2f} dollars"
    return (
        f"{usage.requests} requests, {usage.input_tokens:,} tokens in, {usage.output_tokens:,} "
        f"out, {dollars}"
    )


def provenance(explanation: Explanation) -> list[tuple[str, str]]:
    """Where the numbers come from, line by line."""
    source = explanation.provenance
    lines = [
        ("Value", source.meaning),
        ("Whole prompt", _number(source.full)),
        ("Everything masked", _number(source.empty)),
        ("Model", source.model),
        ("Served", ", ".join(f"{name or '?'} ×{count}" for name, count in source.served.items())),
        ("Endpoint", source.endpoint),
        ("Score", source.score),
        ("Chosen", source.chosen),
        ("Decoder", f"{explanation.decoder} ({explanation.reason})"),
        ("Decoding", explanation.status),
        ("Masks", f"{source.planned} planned, {source.samples} fitted"),
        ("Kept", f"each part with probability {source.keep:g}" if source.keep != 0.5 else ""),
        ("Only bounds", f"{source.censored} values; {source.without_value} answers without one"),
        ("Refused", _refused(source.refused) if source.refused else ""),
        ("Seed", str(source.seed)),
        ("Written by", f"spex-api {source.version}"),
    ]
    return [(name, text) for name, text in lines if text]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


def harmless(text: str) -> str:
    """Text whose control and direction characters cannot act on a terminal or a page."""
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
        else "�"
        for character in text
    )
