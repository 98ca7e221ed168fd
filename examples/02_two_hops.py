"""Does a model put two sentences together, or copy a city that stands in the text?

    python examples/02_two_hops.py [requests] [contexts]

The question takes two hops: the partner of this year is the Maritime Gallery, and the Maritime
Gallery stands in Lisbon. The value is the log-prob of the model's own answer, as each sentence is
left out or kept. The strongest interaction is then checked by asking the model itself, with the two
sentences in and out among random others. Runs on the embedded model, without a key.

What it shows of this model: it answers right, and for the wrong reason. The sentence with the first
hop hardly moves the answer. Two sentences name Lisbon, and either is enough: together they give
about as much as one of them, so their interaction takes back what the second would add. The model
copies the city that stands in the text. A test that only looks at the answer passes; put another
city into the sentence about the journey, and it may not.
"""

import sys

import numpy as np

import spex_api as spex

requests = int(sys.argv[1]) if len(sys.argv) > 1 else 200
contexts = int(sys.argv[2]) if len(sys.argv) > 2 else 50

NOTES = (
    "The harbour museum opened its doors in the spring of 1931. Its first director was a retired "
    "captain named Olaf Brandt. The collection began with forty ship models and a broken anchor. "
    "Every year the museum lends one model to a partner abroad. This year it lends the model of "
    "the Aurora. The Aurora was a schooner with two masts and a green hull. The model was built by "
    "the carpenter Emil Sandberg in 1902. It took him three winters and eleven hundred small "
    "nails. The partner that receives the Aurora this year is the Maritime Gallery. The Maritime "
    "Gallery stands near the old fish market of Lisbon. Its curator has asked for the model four "
    "times before. The insurance was signed on a rainy Tuesday. The crate was lined with felt and "
    "sealed with red wax. A driver collected it at six in the morning. The journey to Lisbon takes "
    "three days by road and ferry. A second crate with spare rigging will follow in June. The "
    "museum café sells postcards of every ship in the hall. Visitors like the one with the "
    "lighthouse best."
)
QUESTION = (
    "In which city will the model of the Aurora be shown this year? Answer with the name of the "
    "city only."
)

prompt = spex.Prompt.from_openai(
    [
        {"role": "system", "content": NOTES},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "City:"},  # the answer's beginning; the model goes on
    ],
    split="sentences",
    of="system",
)
score = spex.TargetLogProb()  # the log-prob of what the model answers to the whole prompt

explanation = spex.explain_sync(prompt, "local", score=score, budget=spex.Budget(requests))
fit = explanation.faithfulness
print(f"{explanation.provenance.meaning}; {prompt.num_features} sentences")
print(f"Held-out R² {fit}; of sentences taken alone {fit.additive:.2f}")
for sentences, value, interval in explanation.interactions.top(6):
    print(f"{value:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]  {' + '.join(sentences)}")

hop = next(place for place, text in enumerate(prompt.features) if text.startswith("The partner"))
print(f"{explanation.interactions[(hop,)]:+.2f} for the sentence with the first hop")

pairs = [each for each in explanation.interactions.top(200) if len(each.features) == 2]
if not pairs:
    sys.exit("From so few questions no two sentences are seen to work together.")
strongest = pairs[0]
pair = [prompt.features.index(sentence) for sentence in strongest.features]
masks = np.random.default_rng(0).integers(0, 2, (contexts, 4, prompt.num_features))
masks[:] = masks[:, :1]  # four times the same context
masks[:, :, pair] = [[1, 1], [1, 0], [0, 1], [0, 0]]  # with the two sentences in and out
found = spex.measure_sync(prompt, "local", masks.reshape(4 * contexts, -1), score=score)
both, first, second, neither = found.values.reshape(contexts, 4).T

print(f"\nThe two sentences in and out, in {contexts} random contexts, by the model itself:")
print(f"  neither {neither.mean():+.2f}, one {first.mean():+.2f} or {second.mean():+.2f}, ", end="")
print(f"both {both.mean():+.2f}")
print(f"  interaction {(both - first - second + neither).mean():+.2f}, ", end="")
print(f"explained as {strongest.value:+.2f}", end=" ")
print(f"[{strongest.interval.low:+.2f}, {strongest.interval.high:+.2f}]")
