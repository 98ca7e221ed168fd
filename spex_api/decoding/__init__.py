"""Samples → Recovery: the sparse Fourier transform. One algorithm a file, named as in its paper."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.decoding.auto import choose_decoder
    from spex_api.decoding.decoder import Decoder, Recovery, Status
    from spex_api.decoding.lasso import Lasso
    from spex_api.decoding.spectral_gp import SpectralGP

__all__ = ["Decoder", "Lasso", "Recovery", "SpectralGP", "Status", "choose_decoder"]

_HOMES = {
    "Decoder": "decoder",
    "Lasso": "lasso",
    "Recovery": "decoder",
    "SpectralGP": "spectral_gp",
    "Status": "decoder",
    "choose_decoder": "auto",
}


def __getattr__(name: str) -> object:
    """Loads a decoder, and with it SciPy's solvers, when it is first named."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
