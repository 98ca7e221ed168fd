"""Counts decoded by their binomial likelihood, by any decoder."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from spex_api.decoding import SPEX, Lasso, ProxySPEX, SpectralGP, Status, WalshHadamard
from spex_api.decoding.auto import takes_uniform_masks
from spex_api.decoding.binomial import Binomial, additive_log_odds, working_samples
from spex_api.decoding.contest import Contest
from spex_api.decoding.repeats import without_repeats
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.fidelity import r_squared
from spex_api.samples import Draws, Samples
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from spex_api.decoding import Recovery

PLANTED = FourierTransform(
    {(): 1.4, (0,): 0.7, (1,): -0.6, (2,): 0.5, (3,): -0.4, (0, 1): 0.6, (2, 4): -0.4}, 8
)


def counted(
    function: FourierTransform = PLANTED, *, count: int = 400, trials: int = 3, seed: int = 0
) -> Samples:
    """Smoothed logits of answers drawn from a function, and the counts behind them."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, size=(count, function.num_features))
    hits = rng.binomial(trials, expit(function(masks))).astype(np.float64)
    return of_counts(masks, hits, np.full(count, float(trials)))


def of_counts(masks, hits, trials) -> Samples:
    hits, trials = np.asarray(hits, dtype=float), np.asarray(trials, dtype=float)
    values = np.log((hits + 0.5) / (trials - hits + 0.5))
    misses = trials - hits
    variances = (trials + 1) * (trials + 2) / (trials * (hits + 1) * (misses + 1))
    return Samples.from_arrays(masks, values, variances, draws=Draws(hits, trials))


def without_noise_model(samples: Samples) -> Samples:
    return Samples.from_arrays(samples.masks, samples.values)


@cache
def fitted(seed: int) -> Recovery:
    """The process on 250 masks of the planted function, which two tests look at."""
    return SpectralGP().decode(counted(count=250, seed=seed))


def test_working_values_are_those_of_fisher_scoring():
    """At η = 0 a hit is two nats up, a miss two down, and the variance is 4/k."""
    samples = of_counts([[0, 1], [1, 0], [1, 1]], [0, 1, 4], [1, 1, 4])
    working = working_samples(samples, np.zeros(3))
    assert working.values.tolist() == [-2.0, 2.0, 2.0]
    assert working.variances.tolist() == [4.0, 4.0, 1.0]
    assert working.draws is None


def test_repeated_without_a_penalty_they_solve_the_likelihood_equations():
    """Where least squares no longer moves, the counts are those expected: Xᵀ(s − k p) = 0."""
    samples = counted(trials=20)
    columns = np.column_stack([np.ones(len(samples)), samples.signs])
    log_odds = np.zeros(len(samples))
    for _ in range(25):
        working = working_samples(samples, log_odds)
        weighted = columns.T / working.variances
        log_odds = columns @ np.linalg.solve(weighted @ columns, weighted @ working.values)
    draws = samples.draws
    score = columns.T @ (draws.hits - draws.trials * expit(log_odds))
    assert np.abs(score).max() < 1e-8


def test_working_values_hardly_depend_on_where_they_are_taken():
    """In the mean they are the truth but for half the squared step, however large the noise is."""
    truth = 1.0
    hits, trials = np.arange(4.0), np.full(4, 3.0)
    chances = np.array([1, 3, 3, 1]) * expit(truth) ** hits * expit(-truth) ** (3 - hits)
    samples = of_counts(np.eye(4), hits, trials)
    for step in (-0.2, 0.0, 0.2):
        mean = chances @ working_samples(samples, np.full(4, truth + step)).values
        assert abs(mean - truth) <= step**2 / 2 + 1e-12
    assert abs(chances @ samples.values - truth) > 0.1


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50), st.floats(-1e6, 1e6)), min_size=1)
)
def test_working_values_are_finite_and_bounded(rows):
    """However far out a fit is, an answer is worth no more than its draws allow."""
    trials, hits, log_odds = map(np.array, zip(*rows, strict=True))
    samples = of_counts(np.ones((len(rows), 1)), np.minimum(hits, trials), trials)
    working = working_samples(samples, log_odds)
    limit = np.log(2 * trials.max() + 1) + 2
    assert np.abs(working.values).max() <= limit + np.exp(limit) + 2
    assert (working.variances * trials).max() <= np.exp(limit) + 3
    assert (working.variances * trials).min() >= 4 - 1e-9


def test_the_mean_is_not_pulled_towards_zero():
    """Of three draws at p = 0.92 smoothed logits lose a third of the log-odds; counts do not."""
    samples = counted(FourierTransform({(): 2.5, (0,): 0.3}, 8), count=300)
    assert abs(SpectralGP().decode(samples).transform[()] - 2.5) < 0.3
    assert SpectralGP().decode(without_noise_model(samples)).transform[()] < 1.75


def test_held_out_masks_are_predicted_better_than_from_smoothed_logits():
    """Over three draws of the answers the likelihood is ahead in each, and by much."""
    unseen = np.random.default_rng(99).integers(0, 2, size=(1000, 8))
    gains = []
    for seed in range(3):
        smoothed = without_noise_model(counted(count=250, seed=seed))
        scores = [
            r_squared(PLANTED(unseen), each.transform(unseen))
            for each in (fitted(seed), SpectralGP().decode(smoothed))
        ]
        gains.append(scores[0] - scores[1])
    assert min(gains) > 0
    assert np.mean(gains) > 0.1


def test_intervals_hold_what_was_planted():
    """Of 90 % intervals of planted coefficients, three quarters and more hold them."""
    held = []
    for seed in range(4):
        recovery = fitted(seed)
        errors = dict(zip(recovery.transform, np.sqrt(np.diag(recovery.covariance)), strict=True))
        held += [
            abs(recovery.transform[support] - PLANTED[support]) <= 1.645 * errors[support]
            for support in PLANTED
            if support in errors
        ]
    assert len(held) > 20
    assert np.mean(held) >= 0.75


@pytest.mark.parametrize("decoder", [SpectralGP(), Lasso(), SPEX(), ProxySPEX()], ids=repr)
def test_decoders_turn_to_it_where_there_are_draws(decoder):
    """Whoever asks for a decoder by name gets the likelihood, and is told."""
    samples = counted(count=120)
    recovery = decoder.decode(samples)
    assert recovery.choice.decoder == Binomial(decoder)
    assert recovery.choice.reason == (
        "The values are shares of sampled answers, fitted as binomial counts."
    )
    assert recovery.transform != decoder.decode(without_noise_model(samples)).transform


def test_a_contest_is_held_once_and_its_winner_named():
    """The reason says who predicted hidden answers best, and how all were fitted."""
    recovery = Contest((SpectralGP(), SPEX())).decode(counted(count=200))
    assert recovery.choice.decoder in (Binomial(SpectralGP()), Binomial(SPEX()))
    assert recovery.choice.reason.startswith("Of 40 answers hidden from them, they explained: ")
    assert recovery.choice.reason.endswith(" fitted as binomial counts.")


def test_other_samples_pass_untouched():
    """Values without counts are decoded as they are, by who was asked."""
    samples = without_noise_model(counted(count=100))
    recovery = Binomial(Lasso()).decode(samples)
    assert recovery.transform == Lasso().decode(samples).transform
    assert recovery.choice is None


def test_it_is_deterministic_and_plans_as_its_decoder_does():
    """The same counts give the same bits, and the masks are the decoder's."""
    samples, binomial = counted(count=100), Binomial(SpectralGP())
    assert binomial.decode(samples).transform == SpectralGP().decode(samples).transform
    plan = binomial.plan(8, 40, 3)
    assert np.array_equal(plan.masks, SpectralGP().plan(8, 40, 3).masks)
    assert takes_uniform_masks(binomial)
    assert not takes_uniform_masks(Binomial(SPEX()))


def test_rounds_end_where_the_fit_has_settled():
    """What is nearly additive is decoded once, and more rounds are asked for nothing."""

    class Counting(Lasso):
        calls = 0

        def decode(self, samples):
            type(self).calls += 1
            return super().decode(samples)

    Binomial(Counting()).decode(counted(FourierTransform({(): 0.5, (0,): 0.3}, 8)))
    assert Counting.calls == 1
    strong = FourierTransform({(): 0.5, (0,): 1.5, (1, 2): 2.0}, 8)
    Binomial(Counting()).decode(counted(strong, trials=20))
    assert 2 <= Counting.calls - 1 <= 3


@pytest.mark.parametrize("share", [0, 1])
def test_what_is_unanimous_is_constant(share):
    """Where every answer under every mask hits, or none does, nothing moves the answer."""
    trials = np.tile([3.0, 2.0], 30)
    masks = np.random.default_rng(0).integers(0, 2, size=(60, 5))
    recovery = SpectralGP().decode(of_counts(masks, share * trials, trials))
    assert recovery.status is Status.CONSTANT
    assert np.sign(recovery.transform[()]) == 2 * share - 1
    assert abs(recovery.transform[()]) < logit(0.999)


def test_too_few_samples_are_the_decoders_affair():
    """One mask is refused as it would be without counts."""
    with pytest.raises(BudgetTooSmall, match="at least two samples, not 1"):
        SpectralGP().decode(of_counts([[0, 1]], [1], [3]))


def test_misuse_is_told():
    """Working values take counts, and a fit takes a round."""
    with pytest.raises(UsageError, match="have none"):
        working_samples(without_noise_model(counted(count=9)), np.zeros(9))
    with pytest.raises(UsageError, match="at least one round, not 0"):
        Binomial(Lasso(), max_rounds=0)
    assert repr(Binomial(Lasso())) == "Binomial(decoder=Lasso())"


def test_a_whole_cube_of_counts_is_no_exact_transform():
    """Where all masks have few draws, an estimate is nearer than the transform of their noise."""
    masks = np.array([[place >> bit & 1 for bit in range(6)] for place in range(64)])
    function = FourierTransform({(): 1.0, (0,): 0.8, (1,): -0.6, (0, 1): 0.5, (3,): 0.4}, 6)
    hits = np.random.default_rng(0).binomial(3, expit(function(masks)))
    recovery = WalshHadamard().decode(of_counts(masks, hits, np.full(64, 3)))
    exact = WalshHadamard().decode(without_noise_model(of_counts(masks, hits, np.full(64, 3))))
    scores = [r_squared(function(masks), each.transform(masks)) for each in (recovery, exact)]
    assert scores[0] > scores[1] + 0.1
    assert recovery.choice.decoder == Binomial(SpectralGP())
    assert "not exact ones" in recovery.choice.reason
    assert recovery.status is not Status.EXACT


def test_the_additive_fit_is_that_of_the_counts():
    """Single features of an additive function come back, constant and all."""
    function = FourierTransform({(): 1.8, (0,): 0.7, (1,): -0.6}, 4)
    found = additive_log_odds(counted(function, count=3000))
    assert set(found) == {(), (0,), (1,), (2,), (3,)}
    assert all(abs(found[support] - function.get(support, 0.0)) < 0.1 for support in found)
    with pytest.raises(UsageError, match="have none"):
        additive_log_odds(without_noise_model(counted(count=9)))


def test_the_draws_of_a_mask_that_was_asked_twice_are_put_together():
    """Decoders that take every mask once take counts too."""
    distinct = without_repeats(of_counts([[1, 0], [0, 1], [1, 0]], [1, 2, 3], [3, 3, 4]))
    assert distinct.masks.tolist() == [[0, 1], [1, 0]]
    assert distinct.draws.hits.tolist() == [2.0, 4.0]
    assert distinct.draws.trials.tolist() == [3.0, 7.0]
