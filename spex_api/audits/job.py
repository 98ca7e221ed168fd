"""What an audit from a file works on: a spec and its rows, as the values that `audit` takes.

What this module does not know: what is done with an audit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spex_api.audit_spec import AuditSpec, read_audit_spec
from spex_api.audits.auditing import audit_sync
from spex_api.audits.cases import Case, check_columns, read_cases
from spex_api.errors import PromptError, SpecError
from spex_api.events import EventHandler, ignore
from spex_api.prompts.tables import prompt_of
from spex_api.querying.budget import Budget
from spex_api.querying.pace.limits import Limits
from spex_api.querying.price_table import price_in
from spex_api.scores.tables import score_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spex_api.audited import Audit
    from spex_api.prompts import Prompt
    from spex_api.querying.cache import AnswerStore
    from spex_api.querying.pricing import Price
    from spex_api.scores import Score
    from spex_api.spec import Tables

__all__ = ["AuditJob", "audit_job_of", "audited", "read_audit_job"]


@dataclass(frozen=True, slots=True)
class AuditJob:
    """Many prompts, one model, one score and one budget.

    Attributes:
        spec: the file and the flags, merged, and the rows.
        cases: the rows.
        score: the number in an answer.
        budget: the cap of all together.
        limits: what the endpoint bears in a minute.
        price: what the model costs, where the user says so.
    """

    spec: AuditSpec
    cases: tuple[Case, ...]
    score: Score
    budget: Budget
    limits: Limits
    price: Price | None


@dataclass(frozen=True, slots=True)
class _PromptOf:
    """Makes the prompt of a row.

    Attributes:
        spec: without the rows, so that it weighs little where it is sent to others.
    """

    spec: AuditSpec

    def __call__(self, columns: Mapping[str, str]) -> Prompt:
        """The prompt of a row.

        Raises:
            PromptError: the row cannot be read, or its text not be split or masked.
        """
        try:
            return prompt_of(self.spec.table_of(columns))
        except SpecError as error:  # of this row: the spec itself fits, as the first row shows
            raise PromptError(error.cause, advice=error.advice) from None


def read_audit_job(path: Path, overrides: Tables) -> AuditJob:
    """The job of a spec file with flags that go before it.

    Raises:
        SpecError: the file, the flags or a row say something that is not understood.
        MissingExtra: the rows are Parquet, and pyarrow is not installed.
    """
    spec = read_audit_spec(path, overrides)
    cases = read_cases(Path(spec.prompts or ""), named_by=spec.audit.id)
    rows = [case.row for case in cases]
    return audit_job_of(spec.model_copy(update={"prompts": None, "cases": rows}))


def audit_job_of(spec: AuditSpec) -> AuditJob:
    """The job that a spec with its rows describes.

    Raises:
        UsageError: the spec names something that there is not, or lacks its rows.
    """
    if not spec.cases:
        raise SpecError("The spec of an audit lacks its rows.")
    cases = tuple(
        Case(row["id"], {k: v for k, v in row.items() if k != "id"}) for row in spec.cases
    )
    check_columns(cases, spec.names_needed(), why="the template names")
    spec.table_of(cases[0].columns)  # what does not fit together in one fits in none
    caps = spec.budget
    return AuditJob(
        spec=spec,
        cases=cases,
        score=score_of(spec.score),
        budget=Budget(requests=caps.requests, tokens=caps.tokens, usd=caps.usd),
        limits=Limits(**spec.limits.model_dump(exclude={"concurrency"})),
        price=price_in(spec.prices),
    )


def audited(
    job: AuditJob,
    *,
    mode: str = "live",
    store: AnswerStore | None = None,
    processes: int = 0,
    scheduler: str | None = None,
    recorded: Audit | None = None,
    on_event: EventHandler = ignore,
) -> Audit:
    """The audit of a job, which carries its spec.

    Args:
        job: what to audit.
        mode: what is done with the answers on disk.
        store: where answers are kept, in place of the folder on disk.
        processes: how many decode; 0 decodes in threads.
        scheduler: the address of a Dask scheduler whose workers ask and decode, or None.
        recorded: of a replay: the audit that is rebuilt.
        on_event: is told what happens.
    """
    spec = job.spec
    audit = audit_sync(
        job.cases,
        spec.model,
        template=_PromptOf(spec.model_copy(update={"cases": None})),
        score=job.score,
        budget=job.budget,
        most=spec.audit.most,
        target_faithfulness=spec.budget.target_faithfulness,
        groups=spec.audit.groups,
        key=spec.audit.key,
        index=spec.decode.index,
        order=spec.decode.order,
        decoder=spec.decode.decoder,
        seed=spec.seed,
        keep=spec.masks.keep,
        limits=job.limits,
        concurrency=spec.limits.concurrency,
        price=job.price,
        mode=mode,
        store_prompts=spec.cache.store_prompts,
        store=store,
        processes=processes,
        scheduler=scheduler,
        recorded=recorded,
        on_event=on_event,
    )
    if recorded is not None:
        # As it was written: a later version has keys more, and an old bundle stays what it was.
        return replace(audit, spec=recorded.spec)
    return replace(audit, spec=spec.model_dump(mode="json"))
