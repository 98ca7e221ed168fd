"""Records what a real model says to a prompt under many masks, so that decoders can be compared.

    python -m pip install -e ".[local]"
    python benchmarks/record.py tests/data/recorded/review_b_40_words.toml --masks 2600
    python benchmarks/record.py tests/data/audit/reviews.toml --masks 1000

Writes, beside the spec, an `.npz` (of an audit one a row, by its name) of `masks`
(num_masks, num_features) of 0 and 1 (1 = kept), `values` (num_masks,) in the score's unit, and
`full` and `empty`, the values of the whole prompt and of none of it. Where the cube has no more
masks than are asked for, all of them are recorded. Answers are kept on disk: a run that breaks off
goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spex_api import Budget, LabelLogOdds, measure
from spex_api.audits.job import read_audit_job
from spex_api.errors import SpecError
from spex_api.events import Event, Progress
from spex_api.prompts.tables import prompt_of
from spex_api.sampling.uniform import uniform_plan
from spex_api.spec import read_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.audit_spec import AuditSpec
    from spex_api.prompts.prompt import Prompt
    from spex_api.spec import ExplainSpec


def prompts_of(path: Path) -> Iterator[tuple[Path, Prompt, ExplainSpec | AuditSpec]]:
    """Each prompt of a spec, of one prompt or of many, and where its table belongs."""
    try:
        spec = read_spec(path)
    except SpecError:
        job = read_audit_job(path, {})
        for case in job.cases:
            prompt = prompt_of(job.spec.table_of(case.columns))
            yield path.with_name(f"{case.case_id}.npz"), prompt, job.spec
    else:
        yield path.with_suffix(".npz"), prompt_of(spec.prompt), spec


async def record(
    prompt: Prompt, spec: ExplainSpec | AuditSpec, num_masks: int, *, seed: int
) -> dict[str, np.ndarray]:
    """The table of a prompt: masks in the order of their plan, and their values."""
    masks = uniform_plan(prompt.num_features, num_masks, seed=seed).masks
    # Masks that begin alike one after the other: the engine then computes what differs alone.
    order = np.concatenate([[0, 1], 2 + np.lexsort(masks[2:, ::-1].T)])
    found = await measure(
        prompt,
        spec.model,
        masks[order],
        score=LabelLogOdds(*(spec.score.labels or ())),
        budget=Budget(requests=len(masks)),
        on_event=_tell,
    )
    values = np.empty(len(masks))
    values[order] = found.values
    # Log-odds have a variance only where they are bounds.
    if found.variances.any() or not np.isfinite(values).all():
        raise SystemExit("Some answers lack a label: this prompt is not fit to be recorded.")
    return {"masks": masks[2:], "values": values[2:], "full": values[0], "empty": values[1]}


def _tell(event: Event) -> None:
    if isinstance(event, Progress) and event.done % 100 == 0:
        print(f"\r{event.done} of {event.total}", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Records all prompts of a spec."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("--masks", type=int, default=2600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for path, prompt, spec in prompts_of(options.spec):
        table = asyncio.run(record(prompt, spec, options.masks, seed=options.seed))
        np.savez_compressed(path, **table)
        values = table["values"]
        print(
            f"\n{path.name}: {len(values)} masks of {table['masks'].shape[1]} features, "
            f"sd {values.std():.3f}, full {table['full']:.3f}, empty {table['empty']:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
