"""A run has a name, such as review-3f9a2c, and a small file beside the answers says what it was.

The name is the spec file's and the beginning of a digest of all that the spec says, flags and files
among it: the same spec is the same run. The file holds the spec, and so the prompt; where prompts
are not to be stored it holds neither. No key is in a spec. What this module does not know: the
answers, and what a run found.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from spex_api.completions import JsonObject, canonical_json
from spex_api.errors import SpecError
from spex_api.querying.answers.store import answers_folder
from spex_api.querying.batches.journal_file import replace_whole
from spex_api.querying.unasked import Ranges  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from pathlib import Path

    from spex_api.spec import ExplainSpec

__all__ = ["KeptRun", "find_run", "keep_run", "kept_runs", "runs_folder"]

_SHOWN: Final = 6
_KEPT: Final = 32
"""Digits of the digest: in a name that is printed, and in a file's."""
_LONGEST_WORD: Final = 24
_LONGEST_FILE: Final = 256 * 2**20
"""Bytes: no spec is that long."""
_UNNAMED: Final = "prompt"


class KeptRun(BaseModel):
    """What stands in a run's file.

    Attributes:
        word: what the digits of its name follow.
        digest: of the spec.
        at: when it was last run.
        model: who answered, as the list of answers names it.
        spec: the whole spec, as an explanation carries it; None where prompts are not stored.
        unasked: the masks that its budget left out, as an explanation carries them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["spex-api run 1"] = "spex-api run 1"
    word: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,23}$")]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    at: AwareDatetime
    model: str
    spec: JsonObject | None = None
    unasked: Ranges = ()

    @classmethod
    def of(
        cls, spec: ExplainSpec, *, source: Path | None, model: str, unasked: Ranges = ()
    ) -> KeptRun:
        """What is kept of a run.

        Args:
            spec: the file and the flags, merged.
            source: the file, if there was one.
            model: who answered.
            unasked: the masks that its budget left out.
        """
        return cls(
            word=_word(source),
            digest=_digest(spec),
            at=datetime.now(UTC),
            model=model,
            spec=spec.model_dump(mode="json") if spec.cache.store_prompts else None,
            unasked=unasked,
        )

    @property
    def name(self) -> str:
        """As it is printed: the same for the same spec."""
        return f"{self.word}-{self.digest[:_SHOWN]}"

    @property
    def path(self) -> Path:
        """Its file; the whole name is the file's."""
        return runs_folder() / f"{self.word}-{self.digest}.json"


def runs_folder() -> Path:
    """Where runs are kept, beside the answers."""
    return answers_folder() / "runs"


def keep_run(spec: ExplainSpec, *, source: Path | None, model: str, unasked: Ranges = ()) -> str:
    """Writes down what a run was about, as `KeptRun.of` says it, and gives its name.

    Raises:
        OSError: it cannot be written.
    """
    run = KeptRun.of(spec, source=source, model=model, unasked=unasked)
    run.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_whole(run.path, run.model_dump_json().encode())
    return run.name


def kept_runs() -> tuple[list[KeptRun], list[Path]]:
    """All runs, the oldest first, and the files that are none as they were written."""
    found: list[KeptRun] = []
    unreadable: list[Path] = []
    for path in sorted(runs_folder().glob("[!.]*.json")):
        run = _read(path)
        if run is None:
            unreadable.append(path)
        else:
            found.append(run)
    return sorted(found, key=lambda each: each.at), unreadable


def find_run(name: str) -> KeptRun:
    """The run of this name, or the one whose name begins so.

    Raises:
        SpecError: there is none, or more than one, or its file is not what was written.
    """
    beginning = name.lower()
    paths = sorted(path for path in runs_folder().glob("[!.]*.json"))
    paths = [path for path in paths if path.stem.startswith(beginning)] if beginning else []
    if not paths:
        raise SpecError(
            f"There is no file {name}, and no run of that name.",
            advice="The runs are listed by: spex cache ls. A spec file does as well: spex replay "
            "SPEC.toml.",
        )
    if len(paths) > 1:
        told = ", ".join(path.stem[: -_KEPT + 2 * _SHOWN] for path in paths[:4])
        more = f" and {len(paths) - 4} more" if len(paths) > 4 else ""
        raise SpecError(
            f"{len(paths)} runs are called {name}…: {told}{more}.",
            advice="Give as much of the name as tells them apart.",
        )
    run = _read(paths[0])
    if run is None:
        raise SpecError(
            f"{paths[0]} does not say what was written of the run {name}.",
            safe="The answers are on disk.",
            advice="Give the spec file instead: spex replay SPEC.toml.",
        )
    return run


def _read(path: Path) -> KeptRun | None:
    """What stands in a file; None where that is not what was written."""
    try:
        if path.is_symlink() or path.stat().st_size > _LONGEST_FILE:
            return None
        run = KeptRun.model_validate_json(path.read_bytes())
    except (OSError, ValidationError, RecursionError):
        return None
    return run if run.path.name == path.name else None


def _word(source: Path | None) -> str:
    """The file's name in plain letters, digits and dashes."""
    stem = _UNNAMED if source is None else source.stem
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_WORD].rstrip("-") or _UNNAMED


def _digest(spec: ExplainSpec) -> str:
    """Of all that the spec says.

    What is as it is by default is left out: a version that knows more keys names the same runs.
    """
    said = canonical_json(spec.model_dump(mode="json", exclude_defaults=True))
    return hashlib.sha256(said.encode()).hexdigest()[:_KEPT]
