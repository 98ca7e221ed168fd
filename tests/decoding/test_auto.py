"""The decoder that suits the numbers, and the reason that is given."""

from __future__ import annotations

import pytest

from spex_api.decoding import auto
from spex_api.decoding.attribution import LIME, LeaveOneOut
from spex_api.decoding.auto import choose_decoder, takes_uniform_masks
from spex_api.decoding.contest import Contest
from spex_api.decoding.lasso import Lasso
from spex_api.decoding.proxyspex import ProxySPEX
from spex_api.decoding.spectral_gp import SpectralGP
from spex_api.decoding.spex import SPEX
from spex_api.decoding.walsh_hadamard import WalshHadamard
from spex_api.errors import UsageError


def test_a_decoder_is_returned_as_it_is():
    """A decoder object passes through untouched."""
    decoder = Lasso(degree=1)
    assert choose_decoder(decoder, num_features=9, num_queries=9) == (decoder, "as asked")


@pytest.mark.parametrize(
    ("name", "decoder"),
    [
        ("spectral_gp", SpectralGP()),
        ("spex", SPEX()),
        ("proxyspex", ProxySPEX()),
        ("lasso", Lasso()),
        ("walsh_hadamard", WalshHadamard()),
    ],
)
def test_a_name_chooses_whatever_the_numbers(name, decoder):
    """A decoder asked for by name is chosen at any number of samples."""
    for num_queries in (3, 400, 90_000):
        chosen, reason = choose_decoder(name, num_features=20, num_queries=num_queries)
        assert (chosen, reason) == (decoder, "as asked")


@pytest.mark.parametrize(
    ("num_queries", "decoder"),
    [
        (20, Contest((SpectralGP(), SPEX()))),
        (400, Contest((SpectralGP(), SPEX(), ProxySPEX()))),
        (501, Contest((SpectralGP(), SPEX()))),
        (4000, Contest((SpectralGP(), SPEX()))),
        (4001, SPEX()),
    ],
)
def test_auto_takes_the_process_until_it_costs_too_much(num_queries, decoder):
    """Up to 4,000 samples the Gaussian process has rivals to beat; then come coded queries."""
    chosen, reason = choose_decoder("auto", num_features=61, num_queries=num_queries)
    assert chosen == decoder
    assert reason.startswith(f"{num_queries:,} queries of 61 features: ")


def test_auto_takes_trees_only_where_they_are_installed(monkeypatch):
    """Without LightGBM nothing is missed, and nothing fails."""
    monkeypatch.setattr(auto, "find_spec", lambda _: None)
    chosen, _ = choose_decoder("auto", num_features=61, num_queries=400)
    assert chosen == Contest((SpectralGP(), SPEX()))


@pytest.mark.parametrize(
    ("num_features", "num_queries", "coded"),
    [(300, 1198, False), (300, 1300, False), (400, 1400, True), (400, 1700, False)],
)
def test_auto_turns_to_codes_where_queries_are_few_a_feature(num_features, num_queries, coded):
    """Below four a feature a code is asked for, if one fits beside what is held out."""
    chosen, reason = choose_decoder("auto", num_features=num_features, num_queries=num_queries)
    assert isinstance(chosen, SPEX) == coded
    assert ("so few a feature" in reason) == coded
    kept, _ = choose_decoder("auto", num_features=400, num_queries=1400, keep=0.9)
    assert isinstance(kept, Contest)


def test_auto_takes_the_exact_transform_of_a_whole_cube():
    """Where the queries are as many as the masks, nothing has to be estimated."""
    chosen, reason = choose_decoder("auto", num_features=5, num_queries=32)
    assert chosen == WalshHadamard()
    assert (
        reason
        == "32 queries of 5 features: all 32 masks are asked, which gives the exact transform."
    )
    assert isinstance(choose_decoder("auto", num_features=5, num_queries=31)[0], Contest)


def test_an_unknown_name_lists_the_known_ones():
    """The error names what was asked for and what there is."""
    with pytest.raises(UsageError, match=r"'lass'.*auto, spectral_gp, spex, proxyspex, lasso, wal"):
        choose_decoder("lass", num_features=61, num_queries=400)


@pytest.mark.parametrize("num_queries", [20, 4000, 4001, 90_000])
def test_auto_takes_no_code_for_biased_masks(num_queries):
    """Codes are of one half: with another probability a regression takes their place."""
    chosen, reason = choose_decoder("auto", num_features=61, num_queries=num_queries, keep=0.9)
    assert isinstance(chosen, Contest if num_queries <= 4000 else Lasso)
    assert num_queries <= 4000 or "probability 0.9 are of no code" in reason


@pytest.mark.parametrize("asked", ["spex", "walsh_hadamard", SPEX(), LeaveOneOut()])
def test_masks_of_ones_own_cannot_be_biased(asked):
    """The error says which decoder, why, and what to do."""
    with pytest.raises(UsageError, match=r"\(\) asks masks of its own.*Leave keep out, or take"):
        choose_decoder(asked, num_features=9, num_queries=600, keep=0.9)


def test_who_takes_uniform_masks():
    """All but a code, a cube, and the neighbours of the full mask."""
    assert all(map(takes_uniform_masks, (SpectralGP(), ProxySPEX(), Lasso(), LIME())))
    assert not any(map(takes_uniform_masks, (SPEX(), WalshHadamard(), LeaveOneOut())))
