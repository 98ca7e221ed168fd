"""Many prompts under one budget: asked in rounds, each as far as it pays more than elsewhere.

All share one cap, one limiter and one cache. What comes out depends on the rows, the settings and
the answers alone: a run that was broken off goes on from the disk and ends alike. What this module
does not know: how one prompt is asked (`inquiring`), when which is (`rounds`), and what is written.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import reduce
from importlib.metadata import version
from operator import add
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from spex_api.audited import Audit, Audited, Standing
from spex_api.audits.board import Board
from spex_api.audits.cases import ID, Case, cases_of, check_columns, read_cases
from spex_api.audits.findings.finding import find_findings
from spex_api.audits.inquired import Inquired
from spex_api.audits.rounds import Rounds
from spex_api.audits.taking import open_steps
from spex_api.audits.terrain import Brief
from spex_api.errors import UsageError
from spex_api.events import EventHandler, ignore
from spex_api.indices import check_index
from spex_api.prompts import Prompt
from spex_api.prompts.template import parse
from spex_api.provenance import Cost
from spex_api.querying.asking import check_asked
from spex_api.querying.budget import Budget
from spex_api.querying.pace.limits import Limits
from spex_api.querying.policy import Meter
from spex_api.querying.stack import Terms
from spex_api.sampling.uniform import HALF, check_keep
from spex_api.scores import as_score
from spex_api.stopping import check_target
from spex_api.synchronous import synchronous

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from spex_api.audited import Finding
    from spex_api.decoding.decoder import Decoder
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.cache import AnswerStore
    from spex_api.querying.pricing import Price
    from spex_api.scores import Score

__all__ = ["audit", "audit_sync"]

DEFAULT_BUDGET = Budget()
NO_LIMITS = Limits()

_FEWEST_MASKS: Final = 20


async def audit(
    prompts: str | Path | Iterable[Mapping[str, object] | str | Case],
    model: str | Adapter,
    *,
    template: str | Callable[[Mapping[str, str]], Prompt],
    split: str | list[str] = "words",
    of: str | None = None,
    mask: str = "drop",
    system: str | None = None,
    language: str = "en",
    score: Score | str | Sequence[str] = "auto",
    budget: Budget = DEFAULT_BUDGET,
    most: int | None = None,
    target_faithfulness: float | None = None,
    groups: Sequence[str] = (),
    key: str | None = None,
    named_by: str = ID,
    index: str = "FBII",
    order: int = 2,
    decoder: str | Decoder = "auto",
    seed: int = 0,
    keep: float = HALF,
    limits: Limits = NO_LIMITS,
    concurrency: int | None = None,
    price: Price | None = None,
    mode: str = "live",
    store_prompts: bool = True,
    store: AnswerStore | None = None,
    processes: int = 0,
    scheduler: str | None = None,
    recorded: Audit | None = None,
    on_event: EventHandler = ignore,
) -> Audit:
    """Explains many prompts under one budget, each as far as that gains more than elsewhere.

    A prompt that goes wrong is listed with what went wrong, and the others go on. Broken off, the
    same call goes on from what is on disk, and pays for nothing twice.

    Args:
        prompts: a row a prompt: a file (JSONL, CSV, Parquet; see `spex_api.audits.cases`), mappings
            from columns to values, or plain texts, which are rows with `text` alone.
        model: as for `explain`.
        template: the message, with columns' names in braces; or a function that makes the prompt of
            a row, for conversations, documents and whatever else `Prompt` can be made of.
        split: how the text of a template is split.
        of: the name of that text, where the template names several and none is called "text".
        mask: how its masked parts are written.
        system: the system's message beside a template.
        language: of the text.
        score: as for `explain`; what is chosen is chosen for each prompt.
        budget: the cap of all prompts together.
        most: how many masks a prompt may be asked at the most; by default twenty a feature, at
            least 300 and at most 4,000. What is on disk serves another budget, but not another
            `most`.
        target_faithfulness: R² from 0 to 1 at which a prompt is asked no more, once the lower end
            of its held-out interval reaches it.
        groups: columns by whose values the cases are compared.
        key: a column by which parts of different prompts are the same.
        named_by: the column that names a case.
        index: as for `explain`.
        order: as for `explain`.
        decoder: as for `explain`; "auto" asks no coded masks, which are whole or nothing.
        seed: of everything that is drawn; each case's masks are its own.
        keep: as for `explain`.
        limits: what the endpoint bears in a minute.
        concurrency: how many requests may be under way at once.
        price: what the model costs.
        mode: "live", "refresh" or "replay", as for `explain`.
        store_prompts: whether what was asked is kept on disk, or only its digest.
        store: where answers are kept, in place of the folder on disk; it stays open.
        processes: how many processes decode; 0 decodes in threads. A script that takes some must
            begin its work under `if __name__ == "__main__":`.
        scheduler: the address of a Dask scheduler, as "tcp://host:8786", whose workers ask and
            decode. It takes a store that all of them share (`PostgresStore`); each worker reads
            keys and passwords in its own environment. The result is the same to the byte.
        recorded: of a replay: the audit that is rebuilt. What its budget left out and what failed
            in it is not on disk, and is left out again.
        on_event: is told what happens.

    Raises:
        UsageError: something is asked for that there is not, or a row cannot be read; nothing was
            sent.
        CacheMiss: an answer is missing, and no connection may be opened.
        WorkersFailed: the scheduler or all of its workers are gone.
        AdapterError: the endpoint refuses all that is asked, or is gone; what was answered before
            is on disk.
        SpexError: of the first prompt, where none could be explained.
    """
    _check(index, order, keep=keep, most=most, target=target_faithfulness, processes=processes)
    check_asked(None, model, budget)
    cases = _cases(prompts, named_by=named_by)
    check_columns(cases, groups, why="cases are grouped by")
    if key is not None:
        check_columns(cases, [key], why="is the key")
    settings = {"split": split, "mask": mask, "of": of, "system": system, "language": language}
    make = _Template(template, settings) if isinstance(template, str) else template
    if isinstance(make, _Template):
        check_columns(cases, make.names, why="the template names")
    terms = Terms(limits, concurrency, price, mode, store_prompts=store_prompts, store=store)
    brief = Brief(
        model=model,
        budget=budget,
        terms=terms,
        score=as_score(score),
        make=make,
        decoder=decoder,
        index=index,
        order=order,
        seed=seed,
        keep=keep,
        most=most,
        target=target_faithfulness,
    )
    known = {each.case_id: each for each in recorded.cases} if recorded else {}
    board = Board(Meter(), on_event)
    async with open_steps(
        brief, board, scheduler=scheduler, processes=processes, recorded=known
    ) as steps:
        every = [Inquired(case, board.meter_of(case.case_id)) for case in cases]
        rounds = Rounds(every, steps, board, budget, targeted=target_faithfulness is not None)
        await rounds.run()
        audited = await steps.audited(every)
    sent = Cost(sent=board.meter.sent, cached=board.cached)
    return _audit(audited, sent, budget, findings=find_findings(audited, key=key, groups=groups))


audit_sync = synchronous(audit, name="audit_sync")


@dataclass(frozen=True, slots=True)
class _Template:
    """Makes the prompt of a row by a template."""

    template: str
    settings: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it needs."""
        return tuple(dict.fromkeys(name for _, name in parse(self.template) if name))

    def __call__(self, columns: Mapping[str, str]) -> Prompt:
        texts = {name: columns[name] for name in self.names}
        return Prompt.from_template(self.template, **self.settings, **texts)


def _check(
    index: str,
    order: int,
    *,
    keep: float,
    most: int | None,
    target: float | None,
    processes: int,
) -> None:
    """Lets pass what can be asked for.

    Raises:
        UsageError: something cannot.
    """
    check_index(index, order)
    check_keep(keep)
    if target is not None:
        check_target(target)
    if most is not None and most < _FEWEST_MASKS:
        raise UsageError(f"A prompt is asked {_FEWEST_MASKS} masks at least, not {most}.")
    if processes < 0:
        raise UsageError(f"There are no {processes} processes.", advice="0 decodes in threads.")


def _cases(
    prompts: str | Path | Iterable[Mapping[str, object] | str | Case], *, named_by: str
) -> tuple[Case, ...]:
    if isinstance(prompts, str | Path):
        return read_cases(Path(prompts), named_by=named_by)
    rows = list(prompts)
    if rows and all(isinstance(row, Case) for row in rows):
        return tuple(row for row in rows if isinstance(row, Case))
    return cases_of((row.row if isinstance(row, Case) else row for row in rows), named_by=named_by)


def _audit(
    cases: list[Audited], sent: Cost, budget: Budget, *, findings: tuple[Finding, ...]
) -> Audit:
    explained = [case.explanation for case in cases if case.explanation is not None]
    took = reduce(add, (each.usage for each in explained)) if explained else Cost()
    ended = [case for case in cases if case.standing is Standing.ENDED]
    failed = [case for case in cases if case.standing is Standing.FAILED]
    return Audit(
        cases=tuple(cases),
        findings=findings,
        usage=replace(took, sent=sent.sent, cached=sent.cached),
        complete=not ended and not failed,
        ending=_ending(cases, took.requests, budget.requests),
        version=version("spex-api"),
    )


def _ending(cases: list[Audited], requests: int, budget: int) -> str:
    """How it ended, in a sentence."""
    counts = Counter(case.standing for case in cases)
    how = "; ".join(f"{counts[each]:,}: {each}" for each in Standing if counts[each])
    known = [
        (case.explanation.faithfulness.value, case.case_id)
        for case in cases
        if case.explanation is not None and math.isfinite(case.explanation.faithfulness.value)
    ]
    said = f"Took {requests:,} of {budget:,} requests. Of {len(cases):,} prompts {how}."
    if known:
        worst, name = min(known)
        mean = fmean(value for value, _ in known)
        said += f" Mean faithfulness {mean:.2f}, the worst {worst:.2f} ({name})."
    return said
