"""What stands on disk for one question: all of it, the reply's body, and when that came.

A question that the endpoint refused for good has its refusal in the body's place. Never a header,
so never a key. A record proves its own key, which is made of the question alone; where the prompt
was to be kept out, its digest stands in the question's place, and only who asks again can tell what
it answers. What this module does not know: where records are kept, and any vendor's dialect.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from spex_api.completions import Completion, Fingerprint, JsonObject, canonical_json
from spex_api.errors import CacheCorrupt
from spex_api.querying.answers.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spex_api.errors import BadRequest
    from spex_api.querying.answers.store import AnswerStore, DiskStore
    from spex_api.querying.shared.store import PostgresStore

__all__ = [
    "RECORD_VERSION",
    "Keyed",
    "Ladder",
    "Record",
    "Selection",
    "fault",
    "faults",
    "read_record",
    "select",
    "write_record",
    "write_refusal",
]

RECORD_VERSION: Final = 3
"""1 had neither `record` nor `served`; it is read for ever. 2 is an answer, 3 a refusal."""
_OF_ANSWERS: Final = 2
_OF_REFUSALS: Final = 3

_LONGEST_HEAD: Final = 64
"""Within so many bytes of a record that we wrote, its question begins."""

_encoder: Final = json.JSONEncoder(ensure_ascii=False)

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a moment without its time zone")
    return text


class Ladder(BaseModel):
    """A question as its key is made of it, with the body or with the body's digest."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    body: JsonObject | None = None
    body_sha256: _Sha256 | None = None
    endpoint: str
    key_schema: int
    model: str
    sample_index: int

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if (self.body is None) == (self.body_sha256 is None):
            raise ValueError("either body or body_sha256")
        return self

    def canonical(self) -> str:
        """The ladder as canonical JSON.

        Raises:
            ValueError: a number in it is none that JSON has.
        """
        return canonical_json(self.model_dump(exclude_none=False, exclude=self._absent()))

    def _absent(self) -> set[str]:
        return {"body_sha256"} if self.body_sha256 is None else {"body"}


class Record(BaseModel):
    """What stands on disk for one question.

    Attributes:
        fingerprint: the question.
        raw: the reply's body, byte for byte; empty where the question was refused.
        at: when it came, in ISO 8601 with its time zone.
        record: the version of this format.
        served: the model that answered and its fingerprint, as the endpoint names them.
        refused: why there is no answer, where the endpoint refused the question for good.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    fingerprint: Ladder
    raw: str
    at: Annotated[str, AfterValidator(_moment)]
    record: int = 1
    served: str = ""
    refused: Refused | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        is_refusal = self.refused is not None
        has_answer = bool(self.raw or self.served)
        if is_refusal != (self.record == _OF_REFUSALS) or (is_refusal and has_answer):
            raise ValueError("either an answer or a refusal")
        return self

    @property
    def said(self) -> tuple[str, Refused | None]:
        """What the endpoint said: equal in two records that say the same."""
        return self.raw, self.refused

    @property
    def when(self) -> datetime:
        """When it came."""
        return datetime.fromisoformat(self.at)

    @property
    def is_newer(self) -> bool:
        """Whether a later version of this package wrote it."""
        return not 1 <= self.record <= RECORD_VERSION

    def to_bytes(self) -> bytes:
        """The record as `write_record` and `write_refusal` lay it out."""
        ladder = self.fingerprint.canonical()
        if self.refused is not None:
            return _refusal_laid_out(ladder, self.refused, at=self.at)
        return _laid_out(ladder, self.raw, at=self.at, served=self.served)

    def key(self) -> str | None:
        """The key that follows from the question; None where the prompt is not in the record.

        Raises:
            ValueError: the question holds a number that JSON does not have.
        """
        if self.fingerprint.body is None:
            return None
        return hashlib.sha256(self.fingerprint.canonical().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Keyed:
    """A question with what follows from it, worked out once.

    Attributes:
        fingerprint: the question.
        canonical: its canonical JSON.
        key: what its answer is kept under.
    """

    fingerprint: Fingerprint
    canonical: str
    key: str

    @classmethod
    def of(cls, fingerprint: Fingerprint) -> Keyed:
        """The question, keyed."""
        canonical = fingerprint.canonical()
        return cls(fingerprint, canonical, hashlib.sha256(canonical.encode()).hexdigest())

    def without_prompt(self) -> str:
        """Its canonical JSON with the body's digest in place of the body."""
        ladder = self.fingerprint.ladder()
        body = canonical_json(ladder.pop("body")).encode()
        return canonical_json({**ladder, "body_sha256": hashlib.sha256(body).hexdigest()})

    def is_answered_by(self, record: Record, stored: bytes) -> bool:
        """Whether this record, which was read from `stored`, answers this very question."""
        if record.fingerprint.body is None:
            return record.fingerprint.canonical() == self.without_prompt()
        # What we wrote ourselves is compared as it stands; that saves writing its JSON again.
        mark, question = b'"fingerprint":', self.canonical.encode()
        found = stored.find(mark, 0, _LONGEST_HEAD)
        if found >= 0 and stored.startswith(question + b",", found + len(mark)):
            return True
        return record.fingerprint.canonical() == self.canonical


def write_record(
    asked: Keyed, completion: Completion, *, with_prompt: bool = True, at: datetime | None = None
) -> bytes:
    """The record of an answer, in canonical JSON.

    Args:
        asked: the question.
        completion: the answer.
        with_prompt: whether the question's body is kept, or only its digest.
        at: when it came; now, where nothing is said.
    """
    return _laid_out(
        _ladder(asked, with_prompt=with_prompt),
        completion.raw,
        at=_written(at),
        served=completion.served,
    )


def write_refusal(
    asked: Keyed, error: BadRequest, *, with_prompt: bool = True, at: datetime | None = None
) -> bytes:
    """The record of a refusal for good, in canonical JSON.

    Args:
        asked: the question.
        error: the refusal.
        with_prompt: whether the question's body is kept, or only its digest.
        at: when it came; now, where nothing is said.
    """
    ladder = _ladder(asked, with_prompt=with_prompt)
    return _refusal_laid_out(ladder, Refused.of(error), at=_written(at))


def _ladder(asked: Keyed, *, with_prompt: bool) -> str:
    return asked.canonical if with_prompt else asked.without_prompt()


def _written(moment: datetime | None) -> str:
    return (moment or datetime.now(UTC)).isoformat(timespec="seconds")


def _laid_out(ladder: str, raw: str, *, at: str, served: str) -> bytes:
    """Canonical JSON, put together by hand: the question's is there already."""
    return (
        f'{{"at":{_quoted(at)},"fingerprint":{ladder},"raw":{_quoted(raw)},'
        f'"record":{_OF_ANSWERS},"served":{_quoted(served)}}}'
    ).encode()


def _refusal_laid_out(ladder: str, refused: Refused, *, at: str) -> bytes:
    return (
        f'{{"at":{_quoted(at)},"fingerprint":{ladder},"raw":"","record":{_OF_REFUSALS},'
        f'"refused":{canonical_json(refused.model_dump())},"served":""}}'
    ).encode()


def _quoted(text: str) -> str:
    return _encoder.encode(text)


def read_record(stored: bytes | str, *, key: str) -> Record:
    """The record in these bytes.

    Args:
        stored: what is on disk.
        key: what it is kept under, for an error's text.

    Raises:
        CacheCorrupt: it is no record, or one of a later version.
    """
    try:
        record = Record.model_validate_json(stored)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "JSON"
        raise CacheCorrupt(
            f"The record {key[:12]} is not what was written ({place[:60]}: {first['msg'][:120]})."
        ) from None
    if record.is_newer:
        raise CacheCorrupt(
            f"The record {key[:12]} has version {record.record}; {RECORD_VERSION} is the latest "
            "that is known here.",
            advice="Install the newest spex-api.",
        )
    return record


def fault(key: str, record: Record) -> str:
    """What is wrong with a record under this key, as the end of a sentence; empty where nothing.

    A record without its prompt proves nothing, and has no fault.
    """
    try:
        proved = record.key()
    except ValueError:
        return "its question is no JSON"
    return "" if proved in (None, key) else "it answers another question"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records are meant: those that meet all of it.

    Attributes:
        model: of this model, in the name that the endpoint knows.
        since: that came then or later.
        before: that came earlier than this.
        keys: under these keys, as those of one run.
    """

    model: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    keys: frozenset[str] | None = None

    def takes(self, key: str, record: Record) -> bool:
        """Whether this record is meant."""
        return (
            self.model in (None, record.fingerprint.model)
            and (self.since is None or record.when >= self.since)
            and (self.before is None or record.when < self.before)
            and (self.keys is None or key in self.keys)
        )


def select(
    store: AnswerStore,
    selection: Selection,
    *,
    on_fault: Callable[[str, CacheCorrupt], None] | None = None,
) -> Iterator[tuple[str, Record]]:
    """The records that are meant, sorted by key, each with its key.

    Args:
        store: where they are.
        selection: which are meant.
        on_fault: is told of a key whose record cannot be read, and the others come all the same.

    Raises:
        CacheCorrupt: a record that may be meant cannot be read, and nobody is to be told.
    """
    for key in store if selection.keys is None else sorted(selection.keys):
        try:
            stored = store.get(key)
            record = None if stored is None else read_record(stored, key=key)
        except CacheCorrupt as error:
            if on_fault is None:
                raise
            on_fault(key, error)
            continue
        if record is not None and selection.takes(key, record):
            yield key, record


def faults(store: DiskStore | PostgresStore) -> Iterator[tuple[str, str]]:
    """Each key under which something is wrong, and what; strange rows come first."""
    strange = store.strange_rows()
    for key in strange:
        yield key, "no record of ours: it was not read"
    told: list[tuple[str, str]] = []
    every = select(store, Selection(), on_fault=lambda key, error: told.append((key, error.cause)))
    for key, record in every:
        flaw = fault(key, record)
        if flaw:
            told.append((key, flaw))
    yield from ((key, flaw) for key, flaw in told if key not in strange)
