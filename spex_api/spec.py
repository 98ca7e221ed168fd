"""The TOML file of an explanation, as pydantic models.

What this module does not know: what prompts, scores and decoders are; it checks the words of the
file, and they check theirs.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spex_api.errors import SpecError
from spex_api.foreign_files import read_text
from spex_api.prompt_table import MISFIT, PromptTable
from spex_api.score_table import ScoreTable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "BudgetTable",
    "CacheTable",
    "DecodeTable",
    "ExplainSpec",
    "LimitsTable",
    "MasksTable",
    "PricesTable",
    "Table",
    "Tables",
    "VerifyTable",
    "check_spec",
    "check_tables",
    "first_fault",
    "read_spec",
    "read_tables",
]

Tables = dict[str, Any]
_Spec = TypeVar("_Spec", bound="Table")


class Table(BaseModel):
    """A table of a spec file: of known keys, and unchanging."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitsTable(Table):
    """`[limits]`: what the endpoint bears; what is left out is learned from its answers."""

    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    input_tokens_per_minute: float | None = Field(default=None, gt=0)
    output_tokens_per_minute: float | None = Field(default=None, gt=0)
    concurrency: int | None = Field(default=None, ge=1)


class BudgetTable(Table):
    """`[budget]`: what the run may take."""

    requests: int = Field(default=1000, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    usd: float | None = Field(default=None, ge=0)
    target_faithfulness: float | None = Field(default=None, gt=0, lt=1)


class PricesTable(Table):
    """`[prices]`: dollars a million tokens, where the price list is wrong or knows none."""

    input: float | None = Field(default=None, ge=0)
    output: float | None = Field(default=None, ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)


class CacheTable(Table):
    """`[cache]`: what is kept, and where.

    Attributes:
        store_prompts: whether what was asked is kept, or only its digest.
        store: the address of a store that several machines share. It says nothing of what is asked,
            and may hold a password: so it stands in nothing that is written of a run.
    """

    store_prompts: bool = True
    store: str | None = Field(default=None, exclude=True, repr=False)


class MasksTable(Table):
    """`[masks]`: how masks are drawn."""

    keep: float = Field(default=0.5, ge=0.5, le=0.95)


class DecodeTable(Table):
    """`[decode]`: how interactions are found and told."""

    decoder: str = "auto"
    index: str = "FBII"
    order: int = Field(default=2, ge=1)


class VerifyTable(Table):
    """`[verify]`: how much of the budget tests what the explanation claims; 0 tests nothing."""

    requests: int = Field(default=0, ge=0)


class ExplainSpec(Table):
    """A whole file."""

    model: str = "local"
    seed: int = Field(default=0, ge=0)
    prompt: PromptTable
    score: ScoreTable = ScoreTable()
    limits: LimitsTable = LimitsTable()
    budget: BudgetTable = BudgetTable()
    prices: PricesTable = PricesTable()
    cache: CacheTable = CacheTable()
    masks: MasksTable = MasksTable()
    decode: DecodeTable = DecodeTable()
    verify: VerifyTable = VerifyTable()


def read_spec(path: Path, overrides: Tables | None = None) -> ExplainSpec:
    """The spec in a file, with the files that its prompt names (beside the spec) read into it.

    Args:
        path: the file.
        overrides: tables whose keys go before the file's; None stands for no override.

    Raises:
        SpecError: the file cannot be read, is no TOML, or says something that is not understood.
    """
    tables = _load(path)
    changed = (overrides or {}).get("prompt", {})
    if changed.get("text") is not None and isinstance(tables.get("prompt"), dict):
        tables["prompt"].pop("text_file", None)
    if _names_prompts(tables):
        raise SpecError(
            f"{path} is the spec of an audit: it names prompts, of which there are many.",
            advice=f"Audit them: spex audit {path}",
        )
    spec = check_spec(_merged(tables, overrides or {}), source=str(path))
    return spec.model_copy(update={"prompt": spec.prompt.with_files_read(path)})


def check_spec(tables: Tables, *, source: str) -> ExplainSpec:
    """The spec that these tables say.

    Args:
        tables: as TOML gives them; a key that is None is not there.
        source: where they come from, for an error's text.

    Raises:
        SpecError: they say something that is not understood.
    """
    return check_tables(ExplainSpec, tables, source=source)


def read_tables(path: Path, overrides: Tables) -> Tables:
    """The tables in a file, and over them others.

    Args:
        path: the file.
        overrides: tables whose keys go before the file's; None stands for no override.

    Raises:
        SpecError: the file cannot be read, or is no TOML.
    """
    return _merged(_load(path), overrides)


def check_tables(kind: type[_Spec], tables: Tables, *, source: str) -> _Spec:
    """The spec of a kind that these tables say.

    Args:
        kind: the spec's model.
        tables: as TOML gives them; a key that is None is not there.
        source: where they come from, for an error's text.

    Raises:
        SpecError: they say something that is not understood.
    """
    try:
        return kind.model_validate(_merged({}, tables))
    except ValidationError as error:
        raise SpecError(f"{source}: {first_fault(error, kind)}") from None


def _names_prompts(tables: Tables) -> bool:
    prompt = tables.get("prompt")
    return "prompts" in tables or (isinstance(prompt, dict) and "prompts" in prompt)


def _merged(tables: Tables, overrides: Tables) -> Tables:
    merged = dict(tables)
    for key, value in overrides.items():
        if isinstance(value, dict):
            below = merged.get(key, {})
            merged[key] = _merged(below, value) if isinstance(below, dict) else below
        elif value is not None:
            merged[key] = value
    return merged


def _load(path: Path) -> Tables:
    try:
        return tomllib.loads(read_text(path, why="the spec"))
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path} is no TOML: {error}.") from None


def first_fault(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first thing wrong with tables, in a sentence that names the place.

    Args:
        error: pydantic's.
        kind: the model that they should have been of.
    """
    # A misspelt key is also a missing one: the misspelling is the fault to tell.
    fault = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    if fault["type"] == MISFIT:
        return fault["msg"]
    *above, key = (str(part) for part in fault["loc"])
    table = f"[{'.'.join(above)}]" if above else "the file"
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(key, _known_keys(kind, above), n=1, cutoff=0.5)
        hint = (
            f" Did you mean {near[0]!r}?"
            if near
            else f" It has {', '.join(_known_keys(kind, above))}."
        )
        return f"unknown key {key!r} in {table}.{hint}"
    if fault["type"] == "missing":
        return f"{table} lacks {key!r}."
    return f"{key!r} in {table}: {fault['msg']}, not {fault['input']!r}."


def _known_keys(kind: type[BaseModel], above: list[str]) -> list[str]:
    model = kind
    for part in above:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
