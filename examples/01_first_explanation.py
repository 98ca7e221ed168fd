"""Which words of a review, alone and together, moved a real model's verdict?

    python examples/01_first_explanation.py [requests]

Runs on the embedded model, without a key. With one, name a hosted model instead of "local", such as
"openai:gpt-4.1-mini".
"""

import sys

import spex_api as spex

requests = int(sys.argv[1]) if len(sys.argv) > 1 else 300

prompt = spex.Prompt.from_template(
    "Is this movie review positive or negative? Answer with one word.\nReview: {text}",
    text="The plot is thin and the jokes are cheap, but her acting never fails to impress.",
    split="words",
)
explanation = spex.explain_sync(
    prompt,
    "local",
    score=spex.LabelLogOdds("positive", "negative"),
    budget=spex.Budget(requests=requests),
)

print(f"Held-out R²: {explanation.faithfulness}")
for words, value, interval in explanation.interactions.top(8):
    reach = f"[{interval.low:+.2f}, {interval.high:+.2f}]" if interval else ""
    print(f"{value:+.2f} {reach:>16}  {' + '.join(map(str, words))}")

without_fails = [[word != "fails" for word in prompt.features]]
print(f'Without "fails" the surrogate says {explanation.predict(without_fails)[0]:+.2f};')
print(f"the model said {explanation.provenance.full:+.2f} to the whole review.")
print(f"{explanation.usage.requests} answers, of which {explanation.usage.sent} were asked now.")
