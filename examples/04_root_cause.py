"""From a ticket to a confirmed cause to a test that keeps it fixed.

    python examples/04_root_cause.py [runs]

The ticket: "The assistant told a new colleague that she has 25 days of annual leave. It is 15." The
pipeline is a small one: it finds the five notes of twenty that share most with the question, and
asks a model. Here that is the embedded one, behind a client of OpenAI's, so there is no key and no
bill; yours is whatever you call in `answer`.

What it shows: the old number stands in two notes. To take out either changes
nothing, which is all that leaving out one at a time can see; only without both is the answer right.
"""

import atexit
import math
import re
import sys
from collections import Counter
from contextlib import ExitStack
from functools import cache

import openai
import spex_adapters
from spex_adapters.local import serve

import spex_api as spex

QUESTION = "How many days of annual leave does an employee have?"
NOTES = [
    "Sick leave: send a doctor's note to your manager on the third day.",
    "Parental leave: twelve weeks at full pay, shared as the parents wish.",
    "Travel: trains are booked in second class; flights need approval.",
    "Annual leave (2019 edition): every employee has 25 days of annual leave a year.",
    "Expenses: hand in receipts by the fifth day of the next month.",
    "Working hours: the week has 38 hours; core time is from ten to three.",
    "Remote work: up to two days a week after the first three months.",
    "Overtime: is paid or taken as free time within a quarter of a year.",
    "Pension: the company adds five percent of the salary from the second year.",
    "Welcome to the company: every employee has 25 days of annual leave a year.",
    "Canteen: opens at half past eleven; guests pay at the desk.",
    "Parking: spaces are given by lot every January.",
    "Security: badges are worn where they can be seen.",
    "Annual leave (2024 edition, in force): every employee has 15 days of annual leave a year.",
    "Laptops: are replaced every four years by the help desk.",
    "Passwords: are at least fourteen characters long and never shared.",
    "Training: each employee has a budget of 900 euros a year.",
    "Fire drill: leave by the stairs and meet at the flag pole.",
    "Holidays: the office is closed on all public holidays of the state.",
    "Bicycles: the company pays half of a leased bicycle.",
]


def words(text: str) -> list[str]:
    """Its words, in small letters."""
    return re.findall(r"[a-z0-9]+", text.lower())


def found(question: str, notes: list[str], count: int = 5) -> list[str]:
    """The notes that share most with the question, rare words weighing more."""
    spread = Counter(word for note in notes for word in set(words(note)))

    def shared(note: str) -> float:
        own = Counter(words(note))
        return sum(
            math.log(1 + len(notes) / spread[word]) * own[word] / (own[word] + 1)
            for word in set(words(question)) & own.keys()
        )

    return sorted(notes, key=shared, reverse=True)[:count]


@cache
def assistant() -> tuple[openai.OpenAI, str]:
    """The embedded model behind a recorded client of OpenAI's, started once; and its name."""
    running = ExitStack()
    atexit.register(running.close)
    served = running.enter_context(serve())
    client = openai.OpenAI(base_url=served.base_url, api_key=served.api_key)
    return spex_adapters.record(client), served.model


def answer(question: str, notes: list[str]) -> str:
    """The pipeline, as it runs in production."""
    client, model = assistant()
    listed = "\n".join(f"- {note}" for note in found(question, notes))
    reply = client.chat.completions.create(
        model=model,
        messages=[
            {
                "role": "system",
                "content": "You are the assistant of the personnel office. Answer in one short "
                "sentence, from the notes below.",
            },
            {"role": "user", "content": f"Notes:\n{listed}\n\nQuestion: {question}"},
        ],
        max_tokens=30,
        temperature=0,
    )
    return reply.choices[0].message.content


def main(runs: int) -> None:
    """From the ticket to the test."""
    print("The ticket:", answer(QUESTION, NOTES))
    explanation = spex.explain_pipeline_sync(
        answer,
        {"question": QUESTION, "notes": NOTES},
        score="25 days",  # why does the answer say this?
        budget=spex.Budget(requests=runs),
    )
    for cause in explanation.causes.confirmed:
        print(f"\nConfirmed: {cause.kind}")
        for feature in cause.features:
            print("  ", explanation.prompt.features[feature])
    explanation.to_html("report.html")
    explanation.to_pytest("test_leave_days.py")
    print("\nreport.html has the proof; test_leave_days.py keeps it fixed:")
    print("  python -m pytest test_leave_days.py            by the recorded answers")
    print("  python -m pytest test_leave_days.py --live     asks the pipeline again")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
