"""Twenty reviews, one budget, and the evidence for whoever checks it.

    python examples/05_audit.py            asks the embedded model: some ten minutes on two cores
    python examples/05_audit.py --replay   rebuilds it from reviews.spex.zip: no model, no key

Ten of the reviews are by learners of English. What moves the model's "positive" in all of them, and
is it something else where the English is? With `SPEX_OFFLINE=1` it replays in any case. What the
audit came to, and all that it stands on, is in one file, which anyone can check.
"""

import os
import sys
import tempfile
from pathlib import Path

import spex_api as spex
from spex_api.audits.job import audited, read_audit_job

HERE = Path(__file__).parent
COMMITTED = HERE / "reviews.spex.zip"


def fresh() -> Path:
    """Audits the reviews, and bundles the evidence."""
    job = read_audit_job(HERE / "audit.toml", {})
    audit = audited(job, processes=os.cpu_count() or 1)
    folder = Path(tempfile.mkdtemp(prefix="spex-audit-"))
    bundled = spex.write_bundle(audit, folder / COMMITTED.name, pages=False)
    print(f"Bundled {bundled}\n")
    return bundled.path


def main(bundle: Path) -> None:
    """Rebuilds an audit from its bundle alone, and tells it."""
    found = spex.replay(bundle)
    for finding in found.audit.findings:
        where = " and ".join(f"{column} = {level}" for column, level in finding.among.items())
        reach = finding.interval
        told = f"{reach.low:+.2f} to {reach.high:+.2f}" if reach else "too few to tell"
        what = " + ".join(finding.parts)
        print(f"{finding.value:+.2f} ({told})  {finding.kind} {what}  {where or 'in all'}")
    print()
    for case in sorted(found.audit.cases, key=lambda case: case.known)[:3]:
        print(f"Explained least: {case.case_id}, {case.known:.2f}")
    print(found.audit.ending)
    print(*found.sentences, sep="\n")


if __name__ == "__main__":
    replays = "--replay" in sys.argv[1:] or os.environ.get("SPEX_OFFLINE", "0") not in ("", "0")
    main(COMMITTED if replays else fresh())
