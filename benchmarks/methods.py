"""Every method that can be trained on given uniform masks: ours, and the peers.

SPEX is not among them: it asks coded masks, which a table of uniform ones does not hold.

What this module does not know: what they are trained on, and how they are scored.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import peers
import proxies
from ledger import Decoded, timed

from spex_api.decoding import LIME, Lasso, ProxySPEX, SpectralGP
from spex_api.decoding.ridge import additive_ridge

if TYPE_CHECKING:
    from spex_api.decoding import Decoder
    from spex_api.samples import Samples
    from spex_api.transforms import FourierTransform

__all__ = ["ADDITIVE", "METHODS", "OURS", "PEERS", "PUBLISHED", "decoded_by"]


def decoded_by(decoder: Decoder, samples: Samples) -> Decoded:
    """What a decoder of ours answers, and its status."""

    def decode() -> tuple[FourierTransform, str]:
        recovery = decoder.decode(samples)
        return recovery.transform, str(recovery.status)

    return timed(decode)


def _additive(samples: Samples) -> Decoded:
    return timed(lambda: (additive_ridge(samples), ""))


PUBLISHED = "ProxySPEX (spectralexplain)"
"""Its grid takes minutes, so it is measured on little."""

OURS = {
    "SpectralGP": partial(decoded_by, SpectralGP()),
    "our ProxySPEX": partial(decoded_by, ProxySPEX()),
    "our Lasso": partial(decoded_by, Lasso()),
    "our additive ridge": _additive,
}
"""The first is what we claim."""

PEERS = {
    "ridge, order 1": partial(peers.ridge, order=1),
    "ridge, order 2": partial(peers.ridge, order=2),
    "LASSO, order 1": partial(peers.lasso, order=1),
    "LASSO, order 2": partial(peers.lasso, order=2),
    "LIME": partial(decoded_by, LIME()),
    "ProxySHAP (shapiq)": proxies.proxyshap,
    "ProxySPEX (shapiq)": proxies.proxyspex_given,
    "ProxySHAP (shapiq), grid": proxies.proxyshap_searched,
    PUBLISHED: peers.proxyspex_published,
}

METHODS = {**OURS, **PEERS}

ADDITIVE = ("our additive ridge", "ridge, order 1")
"""What a method that knows no interactions reaches, which must be beaten at 2n queries too."""
