"""Stacking of priors: weights that follow prediction, and intervals that own up to doubt."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.decoding import gp_averaging
from spex_api.decoding.gp_averaging import (
    Average,
    Candidate,
    MeanAverage,
    average,
    evenly_spread,
    stacking_weights,
)
from spex_api.decoding.gp_features import AdditiveKernel, LevelKernel
from spex_api.decoding.gp_kernels import ProductKernel, coordinates
from spex_api.decoding.gp_posterior import Evidence, maximize

RECORDED = Path(__file__).parents[1] / "data" / "recorded"


def evidence(*, num_samples=80, kernel=ProductKernel, interacting=True):
    """Noisy values of one feature and, where there is one, of an interaction of two others."""
    rng = np.random.default_rng(0)
    points = 1.0 - 2.0 * rng.integers(0, 2, (num_samples, 6))
    other = points[:, 1] * points[:, 2] if interacting else points[:, 1]
    values = points[:, 0] + other + 0.3 * rng.standard_normal(num_samples)
    values = (values - values.mean()) / values.std()
    return Evidence(points, values, np.zeros(num_samples), (kernel(6),), 1.0)


def candidate(one, *, rows=None):
    return Candidate(one, np.arange(len(one.values)) if rows is None else rows, 0.1, 50)


def fitted():
    """Two posteriors that disagree: one knows interactions."""
    parts = []
    for kernel in (ProductKernel, AdditiveKernel):
        one = evidence(kernel=kernel)
        parts.append(one.posterior(maximize(one, least_noise=0.1, max_steps=50).parameters))
    return parts


def objective(weights, predictions, values, variances):
    """What the weights minimise, by the docstring."""
    errors = values - weights @ predictions
    best = np.mean((values - predictions) ** 2 / (1 + variances), axis=1).min()
    last = np.eye(len(weights))[-1]
    penalty = gp_averaging._LEAN / len(values) * best * np.sum((weights - last) ** 2)
    return np.sum(errors**2 / (1 + variances)) + penalty


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_better_prediction_has_the_weight(best):
    """A prior that predicts well where the others know nothing gets nearly all of it."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal(400)
    predictions = 0.3 * rng.standard_normal((3, 400))
    predictions[best] = values + 0.1 * rng.standard_normal(400)
    weights = stacking_weights(predictions, values, np.zeros(400))
    assert weights[best] > 0.9


@pytest.mark.parametrize("num_samples", [6, 60])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_weights_predict_better(num_samples, seed):
    """On a fine grid of all weights, none has a smaller weighted error with its lean."""
    rng = np.random.default_rng(seed)
    values, variances = rng.standard_normal(num_samples), rng.random(num_samples)
    predictions = 0.5 * values + 0.7 * rng.standard_normal((3, num_samples))
    weights = stacking_weights(predictions, values, variances)
    reached = objective(weights, predictions, values, variances)
    steps = np.linspace(0, 1, 51)
    grid = [(a, b, 1 - a - b) for a, b in product(steps, steps) if a + b <= 1 + 1e-9]
    best = min(objective(np.array(each), predictions, values, variances) for each in grid)
    # Weights that are set to zero cost a little.
    assert reached <= best + 1e-3 * num_samples


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_weights_are_shares(num_priors, num_samples, seed):
    """Whatever is predicted, no weight is negative or next to nothing, and they add up to 1."""
    rng = np.random.default_rng(seed)
    values, variances = rng.standard_normal(num_samples), 3.0 * rng.random(num_samples)
    predictions = rng.standard_normal((num_priors, num_samples)) * rng.choice([0.1, 1.0, 10.0])
    weights = stacking_weights(predictions, values, variances)
    assert weights.sum() == pytest.approx(1.0)
    assert ((weights == 0) | (weights >= gp_averaging._NEGLIGIBLE)).all()


def test_few_samples_lean_to_the_last():
    """The same advantage of another prior counts for more the more samples tell of it."""
    last = []
    for count in (2, 10, 40, 200):
        values = np.resize([1.0, -1.0], count)
        predictions = np.stack([0.3 * values, np.zeros(count)])
        last.append(stacking_weights(predictions, values, np.zeros(count))[-1])
    assert last == sorted(last, reverse=True)
    assert last[0] > 0.8
    assert last[-1] < 0.1


def test_equal_predictions_are_the_last_ones():
    """Where nothing tells priors apart, the simplest has it all."""
    values = np.random.default_rng(5).standard_normal(50)
    weights = stacking_weights(np.tile(0.5 * values, (3, 1)), values, np.zeros(50))
    assert weights == pytest.approx([0.0, 0.0, 1.0], abs=0.01)


def test_samples_of_large_variance_decide_little():
    """What a prior gets wrong on samples that are known to be noisy is no fault of it."""
    rng = np.random.default_rng(6)
    values = rng.standard_normal(300)
    noisy = np.arange(300) < 100
    predictions = np.stack([values + 8.0 * noisy, np.zeros(300)])
    told = stacking_weights(predictions, values, np.where(noisy, 1e6, 0.0))
    assert told[0] > 0.9
    assert stacking_weights(predictions, values, np.zeros(300))[0] < 0.2


def test_weights_do_not_depend_on_the_order_of_the_others():
    """Renaming all priors but the last, to which the weights lean, renames the weights."""
    rng = np.random.default_rng(2)
    values = rng.standard_normal(50)
    predictions = values + rng.standard_normal((4, 50)) * [[1.0], [0.95], [1.1], [1.0]]
    order = [2, 0, 1, 3]
    weights = stacking_weights(predictions, values, np.zeros(50))
    assert (weights > 0).sum() >= 3
    found = stacking_weights(predictions[order], values, np.zeros(50))
    assert found == pytest.approx(weights[order])
    rows = rng.permutation(50)
    shuffled = stacking_weights(predictions[:, rows], values[rows], np.zeros(50))
    assert shuffled == pytest.approx(weights)


def test_no_fold_sees_what_it_predicts():
    """Changing a sample's value changes the fits of all folds but of the one that predicts it."""
    plain = evidence()
    values = plain.values.copy()
    values[7] += 5.0
    stacks = [average([candidate(each)]) for each in (plain, replace(plain, values=values))]
    unchanged = []
    for before, after in zip(stacks[0].folds, stacks[1].folds, strict=True):
        holds_it = not np.array_equal(before.values, after.values)
        same = np.array_equal(before.mean.predict(before.points), after.mean.predict(after.points))
        assert same == holds_it
        unchanged.append(same)
    assert sum(unchanged) == 1


@pytest.mark.parametrize("num_samples", [2, 3, 7, 81])
def test_every_sample_is_held_out_once(num_samples):
    """The folds together hold each sample with its mask and its variance, and none twice."""
    known = evidence(num_samples=num_samples)
    known = replace(known, variances=np.arange(num_samples) / 100.0)
    folds = average([candidate(known)]).folds
    place = np.concatenate([np.rint(100 * fold.variances) for fold in folds]).astype(int)
    assert sorted(place) == list(range(num_samples))
    assert (np.concatenate([fold.values for fold in folds]) == known.values[place]).all()
    assert (np.concatenate([fold.points for fold in folds]) == known.points[place]).all()
    sizes = [len(fold.values) for fold in folds]
    assert max(sizes) - min(sizes) <= 1


def test_many_samples_are_folded_in_part(monkeypatch):
    """Where folds are of some rows alone, they are distinct, and from first to last."""
    monkeypatch.setattr(gp_averaging, "_MOST_FOLDED", 30)
    known = replace(evidence(), variances=np.arange(80) / 100.0)
    stack = average([candidate(known)])
    place = np.concatenate([np.rint(100 * fold.variances) for fold in stack.folds])
    assert len(set(place)) == len(place) == 30
    assert {0, 79} <= set(place)
    assert (stack.fits[0].parameters == candidate(known).fit().parameters).all()
    assert len(stack.average.posteriors[0].mean.alpha) == 80


def test_a_search_that_rounding_stops_goes_on_in_double_precision():
    """Single precision finds the same maximum, also where its line search gets stuck (recorded)."""
    with np.load(RECORDED / "sentence_11_words.npz") as table:
        rows = np.random.default_rng(0).permutation(len(table["masks"]) - 500)[:750]
        masks, values = table["masks"][rows], table["values"][rows]
    values = (values - values.mean()) / values.std()
    kernels = (ProductKernel(11), LevelKernel(11))
    whole = Evidence(coordinates(masks, 0.5), values, np.zeros(750), kernels, 8.0)
    found = Candidate(whole, np.arange(750), 0.0211, 200).fit()
    exact = maximize(whole, least_noise=0.0211, max_steps=200)
    assert found.loss == pytest.approx(exact.loss, rel=1e-2)


@pytest.mark.parametrize(("length", "count"), [(1, 5), (10, 10), (10, 3), (1000, 999), (7, 1)])
def test_rows_are_evenly_spread(length, count):
    """As many distinct rows as asked, or all, from the first on, with gaps that differ by one."""
    rows = evenly_spread(length, count)
    assert len(rows) == min(length, count)
    assert rows[0] == 0
    gaps = np.diff(rows)
    assert len(rows) == 1 or (rows[-1] == length - 1 and gaps.min() >= 1)
    assert len(rows) == 1 or np.ptp(gaps) <= 1


def test_a_prior_that_knows_interactions_wins_where_there_are_some():
    """The stack keeps the prior that predicts, and drops one that is of no use."""
    priors = [evidence(kernel=kernel) for kernel in (ProductKernel, AdditiveKernel)]
    stack = average([candidate(each) for each in priors])
    assert stack.average.weights[0] > 0.85
    assert stack.average.weights.sum() == pytest.approx(1.0)
    assert len(stack.fits) == len(stack.average.posteriors) == len(stack.average.weights)
    for fold in stack.folds:
        assert (fold.mean.weights == stack.average.weights).all()
        assert len(fold.mean.means) == len(fold.mean.weights)


def test_a_prior_without_interactions_wins_where_there_are_none():
    """Of an additive function from few samples, the simple prior knows enough."""
    priors = [
        evidence(num_samples=25, kernel=kernel, interacting=False)
        for kernel in (ProductKernel, AdditiveKernel)
    ]
    assert average([candidate(each) for each in priors]).average.weights[-1] > 0.5


def test_a_prior_of_no_weight_is_dropped():
    """What is stacked are the priors of weight alone, in their order."""
    nothing = replace(evidence(kernel=AdditiveKernel), kernels=())
    rich = evidence()
    stack = average([candidate(nothing), candidate(replace(rich, kernels=())), candidate(rich)])
    assert stack.average.weights == pytest.approx([1.0])
    assert [part.mean.evidence.kernels for part in stack.average.posteriors] == [rich.kernels]
    assert len(stack.fits) == 1


def test_parameters_of_some_samples_give_the_posterior_of_all():
    """The fit is to the rows alone, folds are of the rows, and the posterior is of all samples."""
    rows = np.arange(0, 80, 2)
    whole = evidence()
    stack = average([candidate(whole, rows=rows)])
    alone = average([candidate(whole.take(rows))])
    assert (stack.fits[0].parameters == alone.fits[0].parameters).all()
    assert sum(len(fold.values) for fold in stack.folds) == 40
    expected = whole.posterior(stack.fits[0].parameters)
    assert (stack.average.posteriors[0].mean.alpha == expected.mean.alpha).all()


def test_the_average_of_means_is_weighted():
    """Coefficients, extensions and predictions are the weighted means of the parts'."""
    parts = [part.mean for part in fitted()]
    averaged = MeanAverage(parts, np.array([0.3, 0.7]))
    assert averaged.num_features == 6
    level = np.array(list(combinations(range(6), 2)), dtype=np.intp)
    points = 1.0 - 2.0 * np.random.default_rng(9).integers(0, 2, (10, 6))
    both = [[p.coefficients(level), p.extended(level)[1], p.predict(points)] for p in parts]
    coefficients, extended, predicted = (
        0.3 * first + 0.7 * second for first, second in zip(*both, strict=True)
    )
    assert averaged.coefficients(level) == pytest.approx(coefficients)
    children, found = averaged.extended(level)
    assert found == pytest.approx(extended)
    assert averaged.coefficients(children) == pytest.approx(found)
    assert averaged.predict(points) == pytest.approx(predicted)


def test_the_average_is_the_mixture():
    """Mean and covariance are those of draws from the mixture of the posteriors."""
    parts = fitted()
    supports = [(), (0,), (1, 2)]
    mixture = Average(parts, np.array([0.3, 0.7]))
    mean, covariance = mixture.moments(supports)
    rng = np.random.default_rng(3)
    draws = []
    for part, count in zip(parts, (60_000, 140_000), strict=True):
        draws.append(rng.multivariate_normal(*part.moments(supports), size=count))
    drawn = np.concatenate(draws)
    np.testing.assert_allclose(mean, drawn.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(covariance, np.cov(drawn.T), atol=0.01)
    assert covariance[2, 2] > max(part.moments(supports)[1][2, 2] for part in parts)
    assert mixture.mean.coefficients(np.array([[1, 2]])) == pytest.approx(mean[2:])
