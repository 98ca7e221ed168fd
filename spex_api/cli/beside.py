"""What stands beside the answers: what runs were about, and the journals of their batches.

Both are listed and thrown away with the answers; but a journal of a batch that is still open alone
says which answers are paid and not yet here, so it stays unless that is asked for. What this module
does not know: the answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spex_api.cli.lines import counted
from spex_api.cli.runs import KeptRun, kept_runs
from spex_api.errors import CacheError
from spex_api.querying.batches.journals import (
    KeptJournal,
    batches_folder,
    kept_journals,
    throw_away,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

__all__ = ["Beside"]


@dataclass(frozen=True, slots=True)
class Beside:
    """Runs and journals.

    Attributes:
        runs: what runs were about.
        journals: of batches.
        unreadable: files that are neither, as they were written.
        staying: journals of open batches, of what is to be deleted.
    """

    runs: list[KeptRun] = field(default_factory=list)
    journals: list[KeptJournal] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    staying: list[KeptJournal] = field(default_factory=list)

    @classmethod
    def found(cls) -> Beside:
        """All there are.

        Raises:
            BatchError: others may write to the folder of journals.
        """
        runs, strange = kept_runs()
        journals, torn = kept_journals(batches_folder())
        return cls(runs, journals, strange + torn)

    def chosen(
        self,
        *,
        model: str | None,
        since: datetime | None = None,
        before: datetime | None = None,
        open_too: bool = True,
    ) -> Beside:
        """Those of this model, as the list of answers names it, that were last used in this time.

        Args:
            model: the model; None for any.
            since: used then or later.
            before: used before.
            open_too: whether journals of open batches are among them, or only stay.
        """

        def fits(its: str, at: datetime) -> bool:
            in_time = (since is None or at >= since) and (before is None or at < before)
            return in_time and model in (None, its)

        journals = [each for each in self.journals if fits(each.model, each.at)]
        return Beside(
            [each for each in self.runs if fits(each.model, each.at)],
            [each for each in journals if open_too or not each.chunks],
            self.unreadable,
            [each for each in journals if each.chunks and not open_too],
        )

    def remove(self) -> None:
        """Deletes all of it, but for a journal that somebody has changed meanwhile.

        Raises:
            BatchError: a process follows the batches of a journal.
            CacheError: a file cannot be deleted.
        """
        for journal in self.journals:
            throw_away(journal)
        for run in self.runs:
            try:
                run.path.unlink(missing_ok=True)
            except OSError as error:
                raise CacheError(
                    f"{run.path} cannot be deleted: {error.strerror or error}.",
                    advice="Check the rights on its folder.",
                ) from None

    def told(self) -> dict[str, Any]:
        """All of it, for a machine."""
        return {
            "runs": [
                {
                    "name": run.name,
                    "model": run.model,
                    "at": run.at.isoformat(),
                    "replayable": run.spec is not None,
                }
                for run in self.runs
            ],
            "journals": list(map(_of_journal, self.journals)),
            "staying": list(map(_of_journal, self.staying)),
            "strange_files": [str(path) for path in self.unreadable],
        }

    def lines(self, most: int) -> list[str]:
        """The newest of it, for a person.

        Args:
            most: how many runs are named.
        """
        said: list[str] = []
        if self.runs:
            said.append(f"{counted(len(self.runs), 'run')}; again from disk: spex replay NAME")
        for run in self.runs[-most:][::-1]:
            note = "" if run.spec is not None else "  (by its file alone: prompts are not stored)"
            said.append(f"{run.at.date().isoformat()}  {run.name}  {run.model}{note}")
        if len(self.runs) > most:
            said.append(f"… and {len(self.runs) - most} before.")
        if self.journals:
            open_ones = sum(len(journal.chunks) for journal in self.journals)
            said.append(
                f"{counted(len(self.journals), 'journal')} of batches, with "
                f"{open_ones or 'none'} open{'; see: spex batch ls' if open_ones else ''}."
            )
        said += [f"{path} is not what was written there." for path in self.unreadable]
        return said

    def going(self) -> Iterator[str]:
        """What is to be deleted and what stays, for a person."""
        if self.runs:
            yield f"And {counted(len(self.runs), 'name of a run', 'names of runs')}."
        if self.journals:
            count = len(self.journals)
            yield f"And {counted(count, 'journal of batches', 'journals of batches')}."
        for journal in self.staying:
            count = len(journal.chunks)
            yield (
                f"The journal of the run {journal.name} stays, since "
                f"{counted(count, 'batch', 'batches')} of it {'is' if count == 1 else 'are'} not "
                "read yet: the command that sent them reads them. Or add --open-batches."
            )

    def __bool__(self) -> bool:
        return bool(self.runs or self.journals)


def _of_journal(journal: KeptJournal) -> dict[str, Any]:
    return {
        "run": journal.run,
        "model": journal.model,
        "endpoint": journal.endpoint,
        "at": journal.at.isoformat(),
        "open": len(journal.chunks),
    }
