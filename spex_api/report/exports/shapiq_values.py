"""The interactions as shapiq has them, so that its plots and sums take them.

What this module does not know: what shapiq does with them.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from spex_api.errors import UsageError
from spex_api.report.exports.theirs import load

if TYPE_CHECKING:
    import shapiq

    from spex_api.explanation import Explanation

__all__ = ["to_shapiq"]

_SPELLINGS: Final = {"Möbius": "Moebius", "Mobius": "Moebius"}


def to_shapiq(explanation: Explanation) -> shapiq.InteractionValues:
    """The interactions, and the baseline as the value of the empty set.

    Features are players, by their numbers; sets that are not listed are worth 0. An index of order
    1 takes the name that shapiq gives it, SV or BV, and the budget is the number of masks that the
    fit has seen. shapiq has no intervals: those are in `to_pandas`.

    Raises:
        MissingExtra: shapiq is not installed.
        UsageError: the installed version of shapiq has no such index.
    """
    theirs = load("shapiq", asked="to_shapiq()")
    known = load("shapiq.game_theory.indices", asked="to_shapiq()")
    found = explanation.interactions
    index = _SPELLINGS.get(found.index, found.index)
    if not known.is_index_valid(index):
        raise UsageError(
            f"shapiq {version('shapiq')} has no index {found.index}.",
            advice="Explain again with another index, such as FBII: from the answers on disk that "
            "costs nothing. Or install a newer shapiq.",
        )
    values: shapiq.InteractionValues = theirs.InteractionValues(
        {(): found.baseline, **found},
        index=index,
        min_order=0,
        max_order=found.order,
        n_players=explanation.transform.num_features,
        estimated=True,
        estimation_budget=explanation.provenance.samples,
        baseline_value=found.baseline,
    )
    return values
