"""The decoder that suits the numbers, and the reason that is given."""

from __future__ import annotations

import pytest

from spex_api.decoding.auto import choose_decoder
from spex_api.decoding.lasso import Lasso
from spex_api.decoding.spectral_gp import SpectralGP
from spex_api.errors import UsageError


def test_a_decoder_is_returned_as_it_is():
    """A decoder object passes through untouched."""
    decoder = Lasso(degree=1)
    assert choose_decoder(decoder, num_features=9, num_queries=9) == (decoder, "as asked")


@pytest.mark.parametrize(("name", "decoder"), [("spectral_gp", SpectralGP()), ("lasso", Lasso())])
def test_a_name_chooses_whatever_the_numbers(name, decoder):
    """A decoder asked for by name is chosen at any number of samples."""
    for num_queries in (3, 400, 90_000):
        chosen, reason = choose_decoder(name, num_features=20, num_queries=num_queries)
        assert (chosen, reason) == (decoder, "as asked")


@pytest.mark.parametrize(
    ("num_queries", "decoder"),
    [(20, SpectralGP()), (400, SpectralGP()), (4000, SpectralGP()), (4001, Lasso())],
)
def test_auto_takes_the_process_until_it_costs_too_much(num_queries, decoder):
    """Up to 4,000 samples the Gaussian process is chosen, then the sparse regression."""
    chosen, reason = choose_decoder("auto", num_features=61, num_queries=num_queries)
    assert chosen == decoder
    assert reason.startswith(f"{num_queries:,} queries of 61 features: ")


def test_an_unknown_name_lists_the_known_ones():
    """The error names what was asked for and what there is."""
    with pytest.raises(UsageError, match=r"'lass'.*auto, spectral_gp, lasso"):
        choose_decoder("lass", num_features=61, num_queries=400)
