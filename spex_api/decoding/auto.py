"""Which decoder suits how many samples of how many features, with the reason in a sentence.

What this module does not know: the samples themselves.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from spex_api.decoding.attribution import LeaveOneOut
from spex_api.decoding.binomial import Binomial
from spex_api.decoding.contest import Contest
from spex_api.decoding.lasso import Lasso
from spex_api.decoding.proxyspex import ProxySPEX
from spex_api.decoding.spectral_gp import SpectralGP
from spex_api.decoding.spex import SPEX
from spex_api.decoding.walsh_hadamard import WalshHadamard
from spex_api.errors import UsageError
from spex_api.sampling.survey import num_fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spex_api.decoding.decoder import Decoder

__all__ = ["choose_decoder", "takes_uniform_masks"]

_DECODERS: Mapping[str, Callable[[], Decoder]] = {
    "spectral_gp": SpectralGP,
    "spex": SPEX,
    "proxyspex": ProxySPEX,
    "lasso": Lasso,
    "walsh_hadamard": WalshHadamard,
}
_MOST_FOR_A_PROCESS = 4000
_FOR_TREES = range(200, 501)
"""Boosted trees are seldom the best: of fewer samples hardly ever, and of more they are dear."""
_FEW_A_FEATURE = 4


def choose_decoder(
    name_or_decoder: str | Decoder,
    *,
    num_features: int,
    num_queries: int,
    keep: float = 0.5,
    coded: bool = True,
) -> tuple[Decoder, str]:
    """The decoder that is asked for, or with "auto" the one that suits the numbers, and why.

    A Gaussian process explains most from few samples, but costs their cube; beyond 4,000 coded
    queries and what SPEX makes of them take over, and below four a feature too, if a code fits: so
    few uniform masks show only interactions of features that matter alone. In between the process
    has a sparse regression for a rival, and of 200 to 500 samples boosted trees where they are
    installed; the answers decide (`contest`). Where all masks are asked nothing is estimated.

    Args:
        name_or_decoder: "auto", a decoder's name, or a decoder, which is returned as it is.
        num_features: how many features each mask has.
        num_queries: how many masks will be asked.
        keep: the probability with which they keep each feature. Codes are of one half, so with
            another a sparse regression takes the place of coded queries.
        coded: whether "auto" may take coded queries, which are whole or nothing.

    Raises:
        UsageError: no decoder has this name, or the one that has it asks masks of its own, which
            keep features as they must.
    """
    if not isinstance(name_or_decoder, str) or name_or_decoder in _DECODERS:
        asked = (
            _DECODERS[name_or_decoder]() if isinstance(name_or_decoder, str) else name_or_decoder
        )
        _check_keep(asked, keep)
        return asked, "as asked"
    if name_or_decoder != "auto":
        known = ", ".join(["auto", *_DECODERS])
        raise UsageError(
            f"There is no decoder {name_or_decoder!r}.", advice=f"Choose one of: {known}."
        )
    numbers = f"{num_queries:,} queries of {num_features:,} features"
    if num_queries >= 2 ** min(num_features, 60):
        return WalshHadamard(), (
            f"{numbers}: all {2**num_features:,} masks are asked, which gives the exact transform."
        )
    codes = coded and keep == 0.5
    if (
        codes
        and num_queries < _FEW_A_FEATURE * num_features
        and _has_code(num_features, num_queries)
    ):
        return SPEX(), (
            f"{numbers}: so few a feature show a Gaussian process only interactions of features "
            "that matter alone; coded queries tell others apart too."
        )
    if num_queries <= _MOST_FOR_A_PROCESS:
        return _contest(num_queries), (
            f"{numbers}: a Gaussian process in the Fourier domain explains most from up to "
            f"{_MOST_FOR_A_PROCESS:,}, unless a sparse fit predicts better."
        )
    if not codes:
        why = (
            f"masks that keep each feature with probability {keep:g} are of no code."
            if keep != 0.5
            else "a code cannot be looked at before all of it is asked."
        )
        return Lasso(), (
            f"{numbers}: beyond {_MOST_FOR_A_PROCESS:,} a Gaussian process takes too long, and "
            f"{why}"
        )
    return SPEX(), (
        f"{numbers}: beyond {_MOST_FOR_A_PROCESS:,} a Gaussian process takes too long, and coded "
        "queries let a sparse transform find interactions of up to five features."
    )


def _has_code(num_features: int, num_queries: int) -> bool:
    fitted = num_fitted(num_queries, several=False)
    return fitted > 0 and SPEX().plan(num_features, fitted, seed=0).aliasing is not None


def _contest(num_queries: int) -> Contest:
    """Who decodes uniform masks: of one code, SPEX is a sparse regression that grows."""
    rivals: list[Decoder] = [SpectralGP(), SPEX()]
    if num_queries in _FOR_TREES and find_spec("lightgbm") is not None:
        rivals.append(ProxySPEX())
    return Contest(tuple(rivals))


def takes_uniform_masks(decoder: Decoder) -> bool:
    """Whether a decoder takes any masks that are drawn one by one.

    Then a part of its plan is a plan as well, and masks may keep features with another probability
    than one half. A code, a whole cube and the neighbours of the full mask are what they are.
    """
    inner = decoder.decoder if isinstance(decoder, Binomial) else decoder
    return not isinstance(inner, (SPEX, WalshHadamard, LeaveOneOut))


def _check_keep(decoder: Decoder, keep: float) -> None:
    if keep != 0.5 and not takes_uniform_masks(decoder):
        raise UsageError(
            f"{decoder!r} asks masks of its own, a code or a whole set of which none may be left "
            f"out, so they cannot keep each feature with probability {keep:g}.",
            cost="Nothing was sent.",
            advice="Leave keep out, or take decoder='auto', 'spectral_gp', 'proxyspex' or 'lasso'.",
        )
