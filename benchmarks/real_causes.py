"""Causes in real pipelines on the embedded model: found, and held against exhaustive asking.

    python benchmarks/real_causes.py [--runs 200] [--seeds 3]

Each pipeline finds those notes of twenty that share most with a question, and has the model answer
from them. What brings its outcome about is established first, by asking without each note, and
where none turns the outcome without each two and each three: the smallest sets whose removal does.
Then `explain_pipeline` looks for the cause with a budget of its own, and tests what it finds: it is
right where the smallest sets that turn the outcome in its tests are exactly those.

What this script does not know: how causes are looked for, and how they are tested.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations

import openai
import spex_adapters
from spex_adapters.local import serve
from tables import markdown

import spex_api as spex

_LARGEST = 3

_OTHERS = (
    "Sick leave: send a doctor's note to your manager on the third day.",
    "Parental leave: twelve weeks at full pay, shared as the parents wish.",
    "Travel: trains are booked in second class; flights need approval.",
    "Expenses: hand in receipts by the fifth day of the next month.",
    "Working hours: the week has 38 hours; core time is from ten to three.",
    "Remote work: up to two days a week after the first three months.",
    "Overtime: is paid or taken as free time within a quarter of a year.",
    "Pension: the company adds five percent of the salary from the second year.",
    "Canteen: opens at half past eleven; guests pay at the desk.",
    "Parking: spaces are given by lot every January.",
    "Security: badges are worn where they can be seen.",
    "Laptops: are replaced every four years by the help desk.",
    "Passwords: are at least fourteen characters long and never shared.",
    "Training: each employee has a budget of 900 euros a year.",
    "Fire drill: leave by the stairs and meet at the flag pole.",
    "Holidays: the office is closed on all public holidays of the state.",
    "Bicycles: the company pays half of a leased bicycle.",
    "Leaving the company: hand in badge and laptop on the last day.",
    "Post: is collected at four in the afternoon.",
)
_OLD = "Annual leave (2019 edition): every employee has 25 days of annual leave a year."
_NEW = "Annual leave (2024 edition, in force): every employee has 15 days of annual leave a year."
_LETTER = "Welcome to the company: every employee has 25 days of annual leave a year."
_FAQ = (
    "Days of annual leave: an employee who does not know how many days of leave are left asks the "
    "personnel office."
)
_QUESTION = "How many days of annual leave does an employee have?"
_SYSTEM = (
    "You are the assistant of the personnel office. Answer in one short sentence, from the notes "
    "below."
)


@dataclass(frozen=True)
class Case:
    """A pipeline, and what its users complain about.

    Attributes:
        name: in the table.
        planted: notes by their place among the twenty.
        says: what the outcome is told by: that the answer says it, or that it does not.
        count: how many notes the model is shown.
    """

    name: str
    planted: dict[int, str]
    says: str
    count: int

    @property
    def notes(self) -> list[str]:
        """All twenty."""
        others = iter(_OTHERS)
        return [self.planted.get(place) or next(others) for place in range(20)]


CASES = (
    Case("an outdated edition", {3: _OLD, 12: _NEW}, "25 days", 4),
    Case("an outdated edition, and a letter that repeats it", {3: _OLD, 9: _LETTER, 13: _NEW},
         "25 days", 5),
    Case("a note in the way of the right one", {5: _FAQ, 12: _NEW}, "15", 1),
)  # fmt: skip


@dataclass
class Assistant:
    """The pipeline, whose model's answers to equal prompts are equal, and asked for once."""

    client: openai.OpenAI
    model: str
    case: Case
    known: dict[str, str] = field(default_factory=dict)

    def answer(self, question: str, notes: list[str]) -> str:
        """What it says."""
        listed = "\n".join(f"- {note}" for note in found(question, notes, self.case.count))
        if listed not in self.known:
            reply = self.client.chat.completions.create(
                model=self.model,
                messages=[
                    {"role": "system", "content": _SYSTEM},
                    {"role": "user", "content": f"Notes:\n{listed}\n\nQuestion: {question}"},
                ],
                max_tokens=30,
                temperature=0,
            )
            self.known[listed] = reply.choices[0].message.content or ""
        return self.known[listed]

    def says_it(self, removed: tuple[int, ...]) -> bool:
        """Whether its answer without these notes says what is looked for."""
        kept = [note for place, note in enumerate(self.case.notes) if place not in removed]
        return self.case.says in self.answer(_QUESTION, kept)


def found(question: str, notes: list[str], count: int) -> list[str]:
    """The notes that share most with the question, rare words weighing more."""
    spread = Counter(word for note in notes for word in set(_words(note)))

    def shared(note: str) -> float:
        own = Counter(_words(note))
        return sum(
            math.log(1 + len(notes) / spread[word]) * own[word] / (own[word] + 1)
            for word in sorted(set(_words(question)) & own.keys())
        )

    return sorted(notes, key=shared, reverse=True)[:count]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def established(assistant: Assistant) -> list[tuple[int, ...]]:
    """The smallest sets of notes whose removal turns the outcome, by asking under all of them."""
    whole = assistant.says_it(())
    for size in range(1, _LARGEST + 1):
        turning = [
            removed
            for removed in combinations(range(20), size)
            if assistant.says_it(removed) != whole
        ]
        if turning:
            return turning
    return []


def confirmed(explanation: spex.Explanation) -> list[tuple[int, ...]]:
    """The same as it was found and confirmed: of the confirmed cause, as it was tested."""
    causes = explanation.causes
    if causes is None or not causes.confirmed:
        return []
    parts = set(causes.confirmed[0].features)
    turning = [
        trial.arrangement.removed
        for trial in causes.trials
        if parts.issuperset(trial.arrangement.removed)
        and not trial.arrangement.moved
        and 2 * trial.flipped > trial.asked
    ]
    fewest = min(map(len, turning), default=0)
    return sorted(removed for removed in turning if len(removed) == fewest)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    settings = parser.parse_args()
    rows = []
    with serve() as served:
        client = openai.OpenAI(base_url=served.base_url, api_key=served.api_key)
        for case in CASES:
            assistant = Assistant(spex_adapters.record(client), served.model, case)
            truth = established(assistant)
            right, runs, kinds = 0, [], Counter[str]()
            for seed in range(settings.seeds):
                explanation = spex.explain_pipeline_sync(
                    assistant.answer,
                    {"question": _QUESTION, "notes": case.notes},
                    score=case.says,
                    budget=spex.Budget(requests=settings.runs),
                    seed=seed,
                )
                runs.append(explanation.usage.requests + explanation.causes.calls)
                right += confirmed(explanation) == truth
                kinds.update(f"{each.kind}" for each in explanation.causes.confirmed)
            rows.append(
                [
                    case.name,
                    " or ".join("+".join(map(str, removed)) for removed in truth),
                    f"{right} of {settings.seeds}",
                    "; ".join(f"{kind} ({count})" for kind, count in kinds.items()),
                    f"{sum(runs) / len(runs):.0f}",
                ]
            )
    print(markdown(["case", "turned by removing", "found and confirmed", "as", "runs"], rows))


if __name__ == "__main__":
    main()
