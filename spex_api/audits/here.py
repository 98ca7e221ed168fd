"""All steps of an audit taken in this process.

What this module does not know: which steps, and when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spex_api.audits.inquiring import Inquiring
from spex_api.audits.rounds import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spex_api.audited import Audited
    from spex_api.audits.inquired import Inquired
    from spex_api.audits.terrain import Terrain
    from spex_api.events import EventHandler

__all__ = ["Here"]


@dataclass(frozen=True, slots=True)
class Here:
    """Takes the steps of any prompt in this process.

    Attributes:
        terrain: what all are asked under.
        listen: what a case, by its name, tells its events.
    """

    terrain: Terrain
    listen: Callable[[str], EventHandler]
    _inquiring: dict[str, Inquiring] = field(default_factory=dict)

    @property
    def at_once(self) -> int:
        """No more prompts than requests may be under way, and a few at the most."""
        return min(self.terrain.stack.concurrency, AT_ONCE)

    async def open(self, each: Inquired) -> None:
        """Makes the prompt, and asks what its score must know first.

        Raises:
            SpexError: any other prompt would meet it too.
        """
        await self._of(each).open()

    async def probe(self, each: Inquired) -> None:
        """Finds out by this prompt what the endpoint gives.

        Raises:
            SpexError: any other prompt would meet it too.
        """
        await self._of(each).probe()

    async def look(self, each: Inquired) -> None:
        """Asks up to the next look, and decodes.

        Raises:
            SpexError: any other prompt would meet it too.
        """
        await self._of(each).look()

    async def audited(self, every: Sequence[Inquired]) -> list[Audited]:
        """What came of them, one after another: what interactions are is computed here."""
        return [await self._of(each).audited() for each in every]

    def _of(self, each: Inquired) -> Inquiring:
        """Who asks this prompt; how far it is may have come from elsewhere."""
        case_id = each.case.case_id
        known = self._inquiring.get(case_id)
        if known is None:
            known = self._inquiring[case_id] = Inquiring(each, self.terrain, self.listen(case_id))
        known.follow(each)
        return known
