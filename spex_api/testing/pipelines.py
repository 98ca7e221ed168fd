"""Pipelines over documents whose cause is planted, for tests of what finds causes.

A question about annual leave is answered from a company's documents. A rule decides from the
documents that are there which of two answers comes, and so which of them are to blame is known.
What this module does not know: how a cause is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from spex_api.claims import Kind
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from spex_api.claims import Cause

__all__ = ["PlantedPipeline", "planted_pipeline"]

_QUESTION = "How many days of annual leave do I have in Lyon?"
_RIGHT = "15 days"
_WRONG = "25 days"

_ANNEX = f"Annex C of the works agreement: {_WRONG} of annual leave."
_HANDBOOK = f"Handbook 2019, leave: every employee has {_WRONG} of annual leave."
_INTRANET = f"Intranet, often asked: How much leave do I have? {_WRONG} a year."
_PLANTED: dict[Kind, tuple[tuple[str, ...], ...]] = {
    Kind.ALONE: ((_HANDBOOK,),),
    Kind.TOGETHER: (
        (_ANNEX, "The site in Lyon comes under annex C of the works agreement."),
        (
            _ANNEX,
            "Region South comes under annex C of the works agreement.",
            "The site in Lyon belongs to region South.",
        ),
    ),
    Kind.REDUNDANT: (
        (_HANDBOOK, _INTRANET),
        (_HANDBOOK, _INTRANET, f"Welcome to Lyon! Do not forget to plan your {_WRONG} of leave."),
    ),
    Kind.SUPPRESSOR: (
        (
            f"Handbook 2024, leave: every employee has {_RIGHT} of annual leave.",
            "Notice: the handbook of 2024 is a draft and not in force.",
        ),
    ),
}
"""What is planted by kind, one set of documents a number of parts; of a suppressor the last one is
that which holds back the other."""

_SITES = ("Lyon", "Porto", "Gdańsk", "Leeds", "Turin", "Ghent", "Aarhus", "Graz")
_OTHERS = (
    "Canteen, {site}: open from 11:30 to 14:00, payment by badge only.",
    "Travel to {site}: second class by train, flights for more than six hours.",
    "Sick leave, {site}: call your manager before 9:00; a certificate from the third day.",
    "Badges, {site}: a lost badge is reported at the reception and replaced the same day.",
    "Parking, {site}: forty places, given by the distance to your home.",
    "Remote work, {site}: two days a week, agreed within the team.",
    "Laptops, {site}: replaced every four years; the old one can be bought.",
    "Fire drill, {site}: the first Tuesday of May; the meeting point is the car park.",
)


@dataclass(frozen=True, slots=True, eq=False)
class PlantedPipeline:
    """A question answered from documents, with a cause that is known; `answer` is the pipeline.

    Attributes:
        kind: how the planted documents work; None: nothing depends on any document.
        features: their places among the documents, ascending.
        suppressors: of these, those that hold back the others.
        documents: all that there are.
        noise: the probability with which an answer is the other one.
        seed: of the noise. It depends on which documents are there and on how often these have been
            asked, and on no order: whoever asks one thing twice gets what everybody gets.
        asked: which documents were there in each call, in order.
    """

    kind: Kind | None
    features: tuple[int, ...]
    suppressors: tuple[int, ...]
    documents: tuple[str, ...]
    noise: float
    seed: int
    asked: list[tuple[int, ...]] = field(default_factory=list, repr=False)

    @property
    def inputs(self) -> dict[str, str | list[str]]:
        """The arguments of `answer`, unchanged."""
        return {"question": _QUESTION, "documents": list(self.documents)}

    @property
    def looked_for(self) -> str:
        """What a ticket is about: the wrong answer, or the right one where that is held back."""
        return _RIGHT if self.kind is Kind.SUPPRESSOR else _WRONG

    async def answer(self, question: str, documents: Sequence[str]) -> str:  # noqa: ARG002
        """The pipeline: one of two answers, by the documents and by chance."""
        kept = tuple(place for place, text in enumerate(self.documents) if text in documents)
        repeat = self.asked.count(kept)
        self.asked.append(kept)
        bits = sum(1 << place for place in kept)
        flipped = np.random.default_rng([self.seed, bits, repeat]).random() < self.noise
        return f"You have {_WRONG if self.rule(kept) != flipped else _RIGHT} of annual leave."

    def rule(self, kept: Collection[int]) -> bool:
        """Whether the outcome holds where these documents are there, but for the noise."""
        there = set(self.features).intersection(kept)
        if self.kind is Kind.SUPPRESSOR:
            return there != set(self.features).difference(self.suppressors)
        return bool(there) if self.kind is Kind.REDUNDANT else len(there) == len(self.features)

    def holds(self, answer: str) -> bool:
        """Whether an answer is the outcome: it is wrong."""
        return _RIGHT not in answer

    def is_planted(self, cause: Cause) -> bool:
        """Whether it is the planted one: these documents, working in this way."""
        return (cause.kind, cause.features, cause.suppressors) == (
            self.kind,
            self.features,
            self.suppressors,
        )


def planted_pipeline(
    kind: Kind | None,
    *,
    num_parts: int = 0,
    num_documents: int = 20,
    noise: float = 0.0,
    seed: int = 0,
) -> PlantedPipeline:
    """A pipeline whose answer has a cause of this kind, or none.

    Args:
        kind: how the parts of the cause work; None: the answer is the same whatever is there.
        num_parts: how many documents the cause has; 0: as few as it can.
        num_documents: how many there are in all.
        noise: the probability with which an answer is the other one, at most 1/2.
        seed: of the places of the documents, and of the noise.

    Raises:
        UsageError: there is no such cause to plant, or no such number of documents or noise.
    """
    planted: tuple[str, ...] = ()
    if kind is not None:
        by_number = {len(texts): texts for texts in _PLANTED.get(kind, ())}
        chosen = by_number.get(num_parts or min(by_number, default=0))
        if chosen is None:
            raise UsageError(
                f"There is no cause of kind {kind.name} with {num_parts} parts to plant.",
                advice="Plant ALONE, TOGETHER or REDUNDANT with 2 or 3 parts, or SUPPRESSOR.",
            )
        planted = chosen
    others = [text.format(site=site) for text, site in product(_OTHERS, _SITES)]
    if not len(planted) < num_documents <= len(planted) + len(others):
        raise UsageError(
            f"A planted pipeline has {len(planted) + 1} to {len(planted) + len(others)} documents, "
            f"not {num_documents}."
        )
    if not 0.0 <= noise <= 0.5:
        raise UsageError(f"The noise is a probability up to one half, not {noise}.")
    rng = np.random.default_rng(seed)
    documents: list[str] = rng.permutation(others)[: num_documents - len(planted)].tolist()
    places: list[int] = rng.choice(num_documents, size=len(planted), replace=False).tolist()
    for place, text in sorted(zip(places, planted, strict=True)):
        documents.insert(place, text)
    return PlantedPipeline(
        kind,
        features=tuple(sorted(places)),
        suppressors=tuple(places[-1:]) if kind is Kind.SUPPRESSOR else (),
        documents=tuple(documents),
        noise=noise,
        seed=seed,
    )
