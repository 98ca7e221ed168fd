"""A spec's `[prices]` as a price.

What this module does not know: files, and what a price is of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.errors import SpecError
from spex_api.querying.pricing import Price

if TYPE_CHECKING:
    from spex_api.spec import PricesTable

__all__ = ["price_in"]


def price_in(table: PricesTable) -> Price | None:
    """The price that a table says, or None where it says none.

    Raises:
        SpecError: it says half of one.
    """
    if table.input is None and table.output is None:
        return None
    if table.input is None or table.output is None:
        raise SpecError("[prices] needs both input and output, in dollars a million tokens.")
    return Price(table.input, table.output, table.cache_read, table.cache_write)
