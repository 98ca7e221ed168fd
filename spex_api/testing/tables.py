"""A script from JSON, for a server that runs in a process of its own.

::

    {"rows": [{"fault": "RATE_LIMITED", "numbers": [1, 2]},
              {"fault": "retry_after", "with": [0.5], "attempts": [1]},
              {"fault": "SERVER_ERROR", "every": 7},
              {"fault": "CONTENT_FILTERED", "holding": "bomb"}],
     "limits": {"requests": 600}, "drift": {"after": 20, "model": "m2"},
     "batch": {"polls": 3}, "headers": {"x-ratelimit-limit-requests": "600"},
     "words": {"good": 1.0, "never fails": 3.0}}

Every part may be left out. What this module does not know: how a script is played.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spex_api.errors import UsageError
from spex_api.testing import faults
from spex_api.testing.dialects import WORDS, Answer, known_words
from spex_api.testing.script import BatchPlan, Drift, Enforced, Fault, Route, Row, Script, holding

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["read_table"]

_ALL = range(1, 2**62)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Row(_Strict):
    fault: str
    arguments: Annotated[list[float | str], Field(alias="with")] = []
    numbers: list[int] | None = None
    every: Annotated[int, Field(ge=1)] | None = None
    attempts: list[int] | None = None
    holding: str | None = None
    route: Route = Route.QUESTION

    def row(self) -> Row:
        numbers: Container[int] | None = self.numbers
        if self.every:
            numbers = _ALL[self.every - 1 :: self.every]
        return Row(
            _fault(self.fault, self.arguments),
            numbers=numbers,
            attempts=self.attempts,
            when=None if self.holding is None else holding(self.holding),
            route=self.route,
        )


class _Table(_Strict):
    rows: list[_Row] = []
    limits: Enforced | None = None
    drift: Drift | None = None
    batch: BatchPlan = BatchPlan()
    headers: dict[str, str] = {}
    words: dict[str, float] | None = None


def read_table(text: str) -> tuple[Script, Answer]:
    """The script and the model that a JSON text describes.

    Raises:
        UsageError: it is no such table, or names a fault that there is not.
    """
    try:
        table = _Table.model_validate_json(text)
    except ValidationError as refused:
        first = refused.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "table"
        raise UsageError(f"The table of faults cannot be read: {place}: {first['msg']}.") from None
    script = Script(
        tuple(row.row() for row in table.rows),
        limits=table.limits,
        drift=table.drift,
        batch=table.batch,
        headers=table.headers,
    )
    return script, known_words(WORDS if table.words is None else table.words)


def _fault(name: str, arguments: list[float | str]) -> Fault:
    found: Any = getattr(faults, name, None) if name in faults.__all__ else None
    if isinstance(found, Fault) and not arguments:
        return found
    if found is None or isinstance(found, Fault):
        raise UsageError(
            f"There is no fault {name!r} with {len(arguments)} arguments.",
            advice="The names are those of spex_api.testing.faults.",
        )
    try:
        made = found(*arguments)
    except TypeError as refused:
        raise UsageError(f"The fault {name!r} is not made of that: {refused}.") from None
    if not isinstance(made, Fault):
        raise UsageError(f"{name!r} makes no fault.")
    return made
