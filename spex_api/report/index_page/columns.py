"""By which columns people choose among the cases: those with few entries.

What this module does not know: what the columns mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.report.story import harmless

if TYPE_CHECKING:
    from spex_api.audited import Audit, Audited

__all__ = ["Columns"]

_MOST_LEVELS: Final = 20
_LONGEST: Final = 40
"""Characters of an entry by which anything is chosen."""
_MOST_COLUMNS: Final = 6
_MOST_SHOWN: Final = 3
"""So many columns fit beside the rest of the table."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns with few entries, each with these; nothing in them can act.

    Attributes:
        names: those that make slices first.
        levels: of each column, in the order of the alphabet.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, audit: Audit) -> Columns:
        """The columns of an audit's cases."""
        sliced = [name for finding in audit.findings for name in finding.among]
        all_names = dict.fromkeys(
            [*sliced, *(name for case in audit.cases for name in case.columns)]
        )
        kept = {name: levels for name in all_names if (levels := _levels(audit, name)) is not None}
        names = tuple(kept)[:_MOST_COLUMNS]
        return cls(names, tuple(kept[name] for name in names))

    @property
    def shown(self) -> tuple[str, ...]:
        """Those that the table has room for."""
        return self.names[:_MOST_SHOWN]

    def entries(self, case: Audited) -> list[str]:
        """What the case says in each of the columns."""
        return [harmless(case.columns.get(name, "")) for name in self.names]


def _levels(audit: Audit, name: str) -> tuple[str, ...] | None:
    """The entries of a column; None where nothing is chosen by them."""
    entries = {case.columns.get(name, "") for case in audit.cases} - {""}
    if not 2 <= len(entries) <= min(_MOST_LEVELS, len(audit.cases) // 2):
        return None
    if any(len(entry) > _LONGEST for entry in entries):
        return None
    return tuple(sorted(map(harmless, entries)))
