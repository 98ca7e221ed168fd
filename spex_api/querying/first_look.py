"""Before a run spends its budget, a twentieth of it at the most finds out what the endpoint gives.

The probe's masks are the plan's own, so only its repeats cost anything. A small budget goes without
those: then the noise is not known.

What this module does not know: what a probe asks, and what makes an endpoint unfit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import CacheMiss
from spex_api.events import Notice
from spex_api.querying.probe import extra_requests, probe
from spex_api.querying.seconding import num_requests

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.querying.budget import Budget
    from spex_api.querying.probing.probed import Probed
    from spex_api.querying.value_function import ValueFunction

__all__ = ["FirstLook"]

_LARGEST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What is asked before all else.

    Attributes:
        function: what will be evaluated.
        extra: how many requests of the budget its repeats take; 0 for none.
        num_masks: how many masks are left to be planned.
    """

    function: ValueFunction
    extra: int
    num_masks: int

    @classmethod
    def within(cls, budget: Budget, function: ValueFunction) -> FirstLook:
        """The look that a budget affords.

        Raises:
            ScoreError: the endpoint does not even claim to give what the score reads.
        """
        question = function.question(np.ones(function.prompt.num_features, dtype=np.uint8))
        each = num_requests(function.score, function.second, question)
        extra = extra_requests(question, each)
        if extra > _LARGEST_SHARE * budget.requests:
            extra = 0
        opened = function.opened.usage.requests if function.opened else 0
        return cls(function, extra, max(budget.requests - extra - opened, 0) // each)

    async def take(self, masks: NDArray[np.uint8]) -> Probed:
        """Asks, and tells the warnings.

        Args:
            masks: those of the plan, which will be asked next.

        Raises:
            EndpointUnfit: what the endpoint answers cannot be trusted.
            ScoreError: the answers do not hold what the score reads.
            CacheMiss: answers are missing, and no connection may be opened; it counts them all.
            AdapterError: the endpoint failed. What was answered before is on disk.
        """
        function = self.function
        try:
            probed = await probe(
                function.adapter,
                function.prompt,
                function.score,
                masks=masks,
                meter=function.meter,
                repeats=self.extra > 0,
                require=True,
                second=function.second,
            )
        except CacheMiss:
            await function.evaluate(masks)  # counts all that is missing, where the plan lacks some
            raise
        # Those of the plan's masks will be met again, on disk: each is to count once.
        function.meter.cached -= (
            probed.requests - probed.extra.requests - probed.extra_second.requests
        )
        for warning in probed.warnings:
            function.on_event(Notice(str(warning)))
        return probed
