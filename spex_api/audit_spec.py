"""The TOML file of an audit: that of an explanation, with the prompts' file in place of the text.

`prompts` stands at the top or in `[prompt]`. Read, the spec holds the rows themselves, so that it
alone says what was audited. What this module does not know: how rows are read from a file, and what
prompts are made of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, ValidationError

from spex_api.errors import SpecError
from spex_api.prompt_table import PromptTable
from spex_api.prompts.template import parse
from spex_api.score_table import ScoreTable
from spex_api.spec import (
    BudgetTable,
    CacheTable,
    DecodeTable,
    LimitsTable,
    MasksTable,
    PricesTable,
    Table,
    Tables,
    check_tables,
    first_fault,
    read_tables,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["AuditSpec", "AuditTable", "check_audit_spec", "read_audit_spec"]

_OF_A_ROW: Final = ("messages", "documents", "titles", "question", "system", "tools")
"""Keys of `[prompt]` that a row's columns may say, where there is no template."""
_LISTS: Final = frozenset({"messages", "documents", "titles", "tools"})


class AuditPrompt(Table):
    """`[prompt]` of an audit: as of an explanation, but for what the rows say.

    Attributes:
        prompts: the file with a row a prompt, from the spec's folder.
        template: the message, with columns' names in braces. Without one, a row has `messages`, or
            `documents` and perhaps `question`, `titles`, `system` or `tools`.
        texts: of the template, those that are the same for all.
        of: the name of the text that is split.
        system: the system's message, where all have the same.
        question: about the documents, where all have the same.
        split: how.
        mask: how masked parts are written.
        language: of the text, for splitting into sentences.
    """

    prompts: str | None = None
    template: str | None = None
    texts: dict[str, str] = Field(default_factory=dict)
    of: str | int | list[str | int] | None = None
    system: str | None = None
    question: str | None = None
    split: str | list[str] | None = None
    mask: str = "drop"
    language: str = "en"


class AuditTable(Table):
    """`[audit]`: what makes many prompts one audit.

    Attributes:
        id: the column that names a case; where no row has it they are numbered.
        groups: columns by whose values the cases are compared.
        key: a column, or a name of the template, by which parts are the same.
        most: how many masks a prompt may be asked at the most; by default twenty a feature, at
            least 300 and at most 4,000.
    """

    id: str = "id"
    groups: list[str] = Field(default_factory=list)
    key: str | None = None
    most: Annotated[int, Field(ge=20)] | None = None


class AuditSpec(Table):
    """A whole file; `cases` are the rows, once they are read."""

    model: str = "local"
    seed: int = Field(default=0, ge=0)
    prompts: str | None = None
    prompt: AuditPrompt = AuditPrompt()
    score: ScoreTable = ScoreTable()
    limits: LimitsTable = LimitsTable()
    budget: BudgetTable = BudgetTable()
    prices: PricesTable = PricesTable()
    cache: CacheTable = CacheTable()
    masks: MasksTable = MasksTable()
    decode: DecodeTable = DecodeTable()
    audit: AuditTable = AuditTable()
    cases: list[dict[str, str]] | None = None

    def names_needed(self) -> tuple[str, ...]:
        """The names in the template for which a row must have a column.

        Raises:
            PromptError: the template cannot be read.
        """
        if self.prompt.template is None:
            return ()
        names = dict.fromkeys(name for _, name in parse(self.prompt.template) if name)
        return tuple(name for name in names if name not in self.prompt.texts)

    def table_of(self, columns: Mapping[str, str]) -> PromptTable:
        """`[prompt]` of one row: what an explanation of that prompt alone would have.

        Args:
            columns: of the row.

        Raises:
            SpecError: keys do not fit together.
        """
        said = self.prompt.model_dump(exclude={"prompts"}, exclude_defaults=True)
        if self.prompt.template is not None:
            filled = {name: columns[name] for name in self.names_needed()}
            said["texts"] = {**self.prompt.texts, **filled}
        else:
            said |= _said_by(columns)
        try:
            return PromptTable.model_validate(said)
        except ValidationError as error:
            raise SpecError(first_fault(error, PromptTable), cost="Nothing was sent.") from None


def read_audit_spec(path: Path, overrides: Tables | None = None) -> AuditSpec:
    """The spec in a file; the prompts' file is named from where we stand, not from the spec.

    Args:
        path: the file.
        overrides: tables whose keys go before the file's; None stands for no override.

    Raises:
        SpecError: the file cannot be read, is no TOML, says something that is not understood, or
            names no prompts.
    """
    spec = check_audit_spec(read_tables(path, overrides or {}), source=str(path))
    if spec.prompts is None:
        raise SpecError(
            f"{path} names no prompts: it is the spec of one explanation.",
            advice='Write prompts = "cases.jsonl" in [prompt] in place of the text, or explain the '
            "one: spex explain.",
        )
    return spec.model_copy(update={"prompts": str(path.parent / spec.prompts)})


def check_audit_spec(tables: Tables, *, source: str) -> AuditSpec:
    """The spec that these tables say.

    Args:
        tables: as TOML gives them; a key that is None is not there.
        source: where they come from, for an error's text.

    Raises:
        SpecError: they say something that is not understood.
    """
    spec = check_tables(AuditSpec, tables, source=source)
    within = spec.prompt.prompts
    if within is not None and spec.prompts is not None:
        raise SpecError(f"{source} names prompts twice, at the top and in [prompt].")
    inner = spec.prompt.model_copy(update={"prompts": None})
    return spec.model_copy(update={"prompts": within or spec.prompts, "prompt": inner})


def _said_by(columns: Mapping[str, str]) -> dict[str, Any]:
    """What a row says of its prompt: lists are written as JSON.

    Raises:
        SpecError: it says nothing, or a list is none.
    """
    said: dict[str, Any] = {}
    for key in _OF_A_ROW:
        if key not in columns:
            continue
        said[key] = columns[key]
        if key in _LISTS:
            try:
                said[key] = json.loads(columns[key])
            except (ValueError, RecursionError):
                raise SpecError(f"{key!r} holds no JSON list.", cost="Nothing was sent.") from None
    if not said.keys() & {"messages", "documents"}:
        raise SpecError(
            "There is no template, and the row has neither 'messages' nor 'documents'.",
            cost="Nothing was sent.",
            advice="Write a template in [prompt] whose names in braces are columns.",
        )
    return said
