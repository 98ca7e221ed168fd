"""Samples → Recovery: the sparse Fourier transform. One algorithm a file, named as in its paper."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.decoding.attribution import LIME, Banzhaf, LeaveOneOut
    from spex_api.decoding.auto import choose_decoder
    from spex_api.decoding.binomial import Binomial
    from spex_api.decoding.decoder import Decoder, Recovery, Status
    from spex_api.decoding.lasso import Lasso
    from spex_api.decoding.proxyspex import ProxySPEX
    from spex_api.decoding.shapley_regression import FaithBanzhaf, FaithShapley, KernelSHAP
    from spex_api.decoding.spectral_gp import SpectralGP
    from spex_api.decoding.spex import SPEX
    from spex_api.decoding.walsh_hadamard import WalshHadamard

__all__ = [
    "LIME",
    "SPEX",
    "Banzhaf",
    "Binomial",
    "Decoder",
    "FaithBanzhaf",
    "FaithShapley",
    "KernelSHAP",
    "Lasso",
    "LeaveOneOut",
    "ProxySPEX",
    "Recovery",
    "SpectralGP",
    "Status",
    "WalshHadamard",
    "choose_decoder",
]

_HOMES = {
    "Banzhaf": "attribution",
    "Binomial": "binomial",
    "Decoder": "decoder",
    "FaithBanzhaf": "shapley_regression",
    "FaithShapley": "shapley_regression",
    "KernelSHAP": "shapley_regression",
    "LIME": "attribution",
    "Lasso": "lasso",
    "LeaveOneOut": "attribution",
    "ProxySPEX": "proxyspex",
    "Recovery": "decoder",
    "SPEX": "spex",
    "SpectralGP": "spectral_gp",
    "Status": "decoder",
    "WalshHadamard": "walsh_hadamard",
    "choose_decoder": "auto",
}


def __getattr__(name: str) -> object:
    """Loads a decoder, and with it SciPy's solvers, when it is first named."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
