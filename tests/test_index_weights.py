"""Each weight against the definition of its index for a parity, in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest

from spex_api.errors import UsageError
from spex_api.index_weights import INDICES, check_index

DEGREES = [1, 2, 3, 4, 5, 6, 7, 11, 16, 19, 20]


def solved(matrix, right):
    """The solution of a regular linear system, by Gauss and Jordan."""
    rows = [
        [Fraction(x) for x in row] + [Fraction(y)] for row, y in zip(matrix, right, strict=True)
    ]
    for place in range(len(rows)):
        pivot = next(row for row in rows[place:] if row[place])
        rows.remove(pivot)
        pivot = [x / pivot[place] for x in pivot]
        rows = [[x - row[place] * y for x, y in zip(row, pivot, strict=True)] for row in rows]
        rows.insert(place, pivot)
    return [row[-1] for row in rows]


def mean_derivative(set_size, support_size, share):
    """Of a parity: Δ_T is `(−2)^t (−1)^a` where the context keeps a; each has its share."""
    others = support_size - set_size
    return sum(
        comb(others, kept) * (-2) ** set_size * (-1) ** kept * share(kept, others)
        for kept in range(others + 1)
    )


def nearest(support_size, order, *, kernel, exact):
    """The coefficients of `Σ_t a_t C(k, t)`, nearest to `(−1)^k` for k = 0 … support_size.

    `kernel` is the weight of all masks that keep k, `exact` are the k where both are equal.
    """
    order = min(order, support_size)
    basis = [[comb(k, t) for t in range(order + 1)] for k in range(support_size + 1)]
    normal = [
        [
            sum(kernel(k) * basis[k][t] * basis[k][u] for k in range(support_size + 1))
            for u in range(order + 1)
        ]
        + [basis[k][t] for k in exact]
        for t in range(order + 1)
    ]
    right = [
        sum(kernel(k) * basis[k][t] * (-1) ** k for k in range(support_size + 1))
        for t in range(order + 1)
    ]
    bounds = [basis[k] + [0] * len(exact) for k in exact]
    return solved(normal + bounds, right + [(-1) ** k for k in exact])[: order + 1]


def faith_shapley(support_size, order):
    def kernel(kept):
        inside = 0 < kept < support_size
        return Fraction(support_size - 1, kept * (support_size - kept)) if inside else 0

    return nearest(support_size, order, kernel=kernel, exact=(0, support_size))


def faith_banzhaf(support_size, order):
    return nearest(support_size, order, kernel=lambda k: comb(support_size, k), exact=())


@pytest.mark.parametrize("support_size", DEGREES)
def test_mean_derivatives_of_a_parity(support_size):
    """Fourier, Möbius, BII, SII and STII of a parity are right to the last digits at any degree."""
    shares = {
        "Möbius": lambda kept, others: kept == 0,
        "BII": lambda kept, others: Fraction(1, 2**others),
        "SII": lambda kept, others: Fraction(1, (others + 1) * comb(others, kept)),
    }
    for set_size in range(1, min(support_size, 5) + 1):
        for index, share in shares.items():
            truth = mean_derivative(set_size, support_size, share)
            said = INDICES[index].weight(set_size, support_size, 5)
            assert said == pytest.approx(float(truth), rel=1e-14, abs=0)
        taylor = mean_derivative(
            set_size,
            support_size,
            lambda kept, _, t=set_size: Fraction(t, support_size * comb(support_size - 1, kept)),
        )
        said = INDICES["STII"].weight(set_size, support_size, set_size)
        assert said == pytest.approx(float(taylor), rel=1e-14, abs=0)
        below = INDICES["STII"].weight(set_size, support_size, set_size + 1)
        assert below == (-2) ** set_size
        assert INDICES["Fourier"].weight(set_size, support_size, 5) == (set_size == support_size)


@pytest.mark.parametrize("order", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("support_size", DEGREES)
def test_nearest_polynomials_of_a_parity(support_size, order):
    """FBII and FSII of a parity solve their least squares, to the last digits at any degree."""
    for index, fit in (("FBII", faith_banzhaf), ("FSII", faith_shapley)):
        for set_size, truth in enumerate(fit(support_size, order)):
            said = INDICES[index].weight(set_size, support_size, order)
            assert said == pytest.approx(float(truth), rel=1e-14, abs=0), (index, set_size)


@pytest.mark.parametrize("support_size", DEGREES)
@pytest.mark.parametrize(
    ("index", "orders"), [("SV", [1]), ("STII", range(1, 21)), ("FSII", range(1, 21))]
)
def test_weights_add_up_to_the_parity_of_all(index, orders, support_size):
    """The weights of all sets, the empty one too, add up to `χ_S(1) = (−1)^s`."""
    weight = INDICES[index].weight
    # There are weights of up to C(s, t) 2^t, 3^s in all, each right to its last digits.
    error = 1e-15 * 3.0**support_size
    for order in orders:
        total = sum(
            comb(support_size, set_size) * weight(set_size, support_size, order)
            for set_size in range(min(order, support_size) + 1)
        )
        assert total == pytest.approx((-1) ** support_size, abs=error)


def test_the_empty_set_is_the_masked_value_or_the_mean():
    """SII, STII, FSII and Möbius give it χ_S(0) = 1; BII and Fourier nothing; FBII to its order."""
    for size in (1, 2, 3, 7):
        for index in ("SV", "SII", "STII", "FSII", "Möbius"):
            assert INDICES[index].weight(0, size, 2) == 1.0
        for index in ("BV", "BII", "Fourier"):
            assert INDICES[index].weight(0, size, 2) == 0.0
            assert INDICES[index].weight(0, 0, 2) == 1.0
        assert INDICES["FBII"].weight(0, size, 2) == (size <= 2)


def test_values_have_one_order():
    """SV and BV are of order 1 whatever is asked; the other indices are of the order asked."""
    orders = {index: check_index(index, 3)[1] for index in INDICES}
    assert orders == {index: 1 if index in ("SV", "BV") else 3 for index in INDICES}


def test_mobius_may_be_spelt_without_the_umlaut():
    """Mobius and Moebius are the Möbius transform."""
    assert check_index("Mobius", 2) == check_index("Moebius", 2) == check_index("Möbius", 2)


def test_an_unknown_index_is_told_the_known_ones():
    """The message gives the wrong name, and every right one."""
    with pytest.raises(UsageError, match="no index 'Shapely'") as caught:
        check_index("Shapely", 2)
    assert all(index in str(caught.value) for index in INDICES)


@pytest.mark.parametrize("index", ["FBII", "SV"])
def test_an_order_is_at_least_one(index):
    """No order, no interactions: also where the order is fixed."""
    with pytest.raises(UsageError, match="not 0"):
        check_index(index, 0)
