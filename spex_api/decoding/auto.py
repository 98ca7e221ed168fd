"""Which decoder suits how many samples of how many features, with the reason in a sentence.

What this module does not know: the samples themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.decoding.attribution import LeaveOneOut
from spex_api.decoding.lasso import Lasso
from spex_api.decoding.proxyspex import ProxySPEX
from spex_api.decoding.spectral_gp import SpectralGP
from spex_api.decoding.spex import SPEX
from spex_api.decoding.walsh_hadamard import WalshHadamard
from spex_api.errors import UsageError

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


def choose_decoder(
    name_or_decoder: str | Decoder, *, num_features: int, num_queries: int, keep: float = 0.5
) -> tuple[Decoder, str]:
    """The decoder that is asked for, or with "auto" the one that suits the numbers, and why.

    A Gaussian process explains most from few samples, but costs their cube; beyond 4,000 coded
    queries and what SPEX makes of them take over. Where all masks are asked nothing is estimated.

    Args:
        name_or_decoder: "auto", a decoder's name, or a decoder, which is returned as it is.
        num_features: how many features each mask has.
        num_queries: how many masks will be asked.
        keep: the probability with which they keep each feature. Codes are of one half, so with
            another a sparse regression takes the place of coded queries.

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
    if num_queries <= _MOST_FOR_A_PROCESS:
        return SpectralGP(), (
            f"{numbers}: a Gaussian process in the Fourier domain explains most from up to "
            f"{_MOST_FOR_A_PROCESS:,}."
        )
    if keep != 0.5:
        return Lasso(), (
            f"{numbers}: beyond {_MOST_FOR_A_PROCESS:,} a Gaussian process takes too long, and "
            f"masks that keep each feature with probability {keep:g} are of no code."
        )
    return SPEX(), (
        f"{numbers}: beyond {_MOST_FOR_A_PROCESS:,} a Gaussian process takes too long, and coded "
        "queries let a sparse transform find interactions of up to five features."
    )


def takes_uniform_masks(decoder: Decoder) -> bool:
    """Whether a decoder takes any masks that are drawn one by one.

    Then a part of its plan is a plan as well, and masks may keep features with another probability
    than one half. A code, a whole cube and the neighbours of the full mask are what they are.
    """
    return not isinstance(decoder, (SPEX, WalshHadamard, LeaveOneOut))


def _check_keep(decoder: Decoder, keep: float) -> None:
    if keep != 0.5 and not takes_uniform_masks(decoder):
        raise UsageError(
            f"{decoder!r} asks masks of its own, a code or a whole set of which none may be left "
            f"out, so they cannot keep each feature with probability {keep:g}.",
            cost="Nothing was sent.",
            advice="Leave keep out, or take decoder='auto', 'spectral_gp', 'proxyspex' or 'lasso'.",
        )
