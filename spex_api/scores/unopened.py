"""A score that must be opened before anything can be read by it.

What this module does not know: what it must know first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from spex_api.errors import ScoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Completion
    from spex_api.scores.score import Scored

__all__ = ["Unopened"]


class Unopened:
    """Reads nothing and looks at nothing, but says why.

    Attributes:
        missing: what is not known yet, in a sentence's end.
    """

    __slots__ = ()
    missing: ClassVar[str]

    def value(self, completions: Sequence[Completion]) -> Scored:  # noqa: ARG002 - as a score's
        """Nothing can be read before the score is opened.

        Raises:
            ScoreError: always.
        """
        raise self._unopened

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:  # noqa: ARG002 - as above
        """Nothing can be looked at before the score is opened.

        Raises:
            ScoreError: always.
        """
        raise self._unopened

    @property
    def _unopened(self) -> ScoreError:
        return ScoreError(
            f"{self!r} was not opened, so {self.missing}.",
            advice="Ask what `opening` asks, and use the score that `opened` returns.",
        )
