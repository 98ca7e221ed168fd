"""A call that was made before, as what `spex explain` works on: the tables of a spec.

What the call says of its answer goes into the score, and its messages into the prompt, so that the
run has a name and is replayed like any other. What this module does not know: how a call is read,
and what suits as its features.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spex_api.calls.file import calls_file, find_call, read_calls
from spex_api.calls.naming import model_name
from spex_api.calls.reading import asked_by, file_and_which, read_request
from spex_api.calls.spans import read_span
from spex_api.calls.suiting import DOCUMENTS, suiting, the_documents
from spex_api.errors import SpecError, UsageError
from spex_api.querying.adapter import load_adapter
from spex_api.scores.frequency import SAMPLES
from spex_api.scores.matching import Says
from spex_api.spec import BudgetTable

if TYPE_CHECKING:
    from spex_api.calls.asked import Asked
    from spex_api.calls.call import Call
    from spex_api.spec import Tables

__all__ = ["Recorded", "recorded", "with_call"]

_LAST: Final = "last"
_SHORTEST: Final = 256
"""Tokens that an answer may take where the call sets no limit and its answer was short."""
_FEW: Final = 2
"""Answers under each mask where an endpoint draws them one by one: of as many questions, more masks
with few answers each show more than few masks with many."""
_UNKNOWN: Final = 1024
"""Tokens, where nothing is known of its answer."""

_TEST_SHARE: Final = 0.05
_LEAST_TEST: Final = 20
_FEWEST_TO_TEST: Final = 100
"""Of a smaller budget all is needed to explain."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call to explain.

    Attributes:
        asked: what it asked.
        source: what the run is named after.
    """

    asked: Asked
    source: Path

    def tables(
        self, overrides: Tables, *, why: str | None, beside_a_spec: bool
    ) -> tuple[Tables, tuple[str, ...]]:
        """The tables of a spec that explains it, and what was chosen, in sentences.

        Args:
            overrides: what other flags say, which go before the call's.
            why: the text whose presence in the answer is explained.
            beside_a_spec: whether a file says the rest: how it is split, and the score where no
                flag does.

        Raises:
            SpecError: flags do not go together, or nobody can be asked where the call went.
            PromptError: the call holds something that cannot be told in our words.
        """
        prompt, score = overrides["prompt"], overrides["score"]
        if not (prompt["template"] is None and prompt["text"] is None):
            raise SpecError(
                "--text and --ask say what is asked, and so does the call.", advice="Keep one."
            )
        if why is not None and score["labels"]:
            raise SpecError(
                "--why and --labels both say what is looked for in the answer.", advice="Keep one."
            )
        said = {**prompt, **self.asked.table}
        notices = list(self.asked.notices)
        if prompt["split"] == DOCUMENTS:
            found = the_documents(self.asked, of=prompt["of"])
            said |= {"split": found.split, "of": found.of}
            notices.insert(0, found.said)
        elif prompt["split"] is None and not beside_a_spec:
            found = suiting(self.asked, of=prompt["of"])
            said |= {"split": found.split, "of": found.of}
            notices.insert(0, f"{found.said} Choose others by --split.")
        model = overrides["model"] or model_name(self.asked)
        tables = {**overrides, "model": model, "prompt": said}
        if why is not None:
            tables["score"], how = self._says(why, model)
            notices.insert(0, how)
        elif score["labels"] or not beside_a_spec:
            tables["score"] = {**score, "kind": "auto"}
        if overrides["verify"]["requests"] is None and not beside_a_spec:
            tables["verify"] = {"requests": _usual_test(overrides["budget"]["requests"])}
        return tables, tuple(notices)

    def _says(self, why: str, model: str) -> tuple[Tables, str]:
        """The table of the score that looks for a text, and how it does, in a sentence."""
        length, reason = self._length()
        score: Tables = {"kind": "label_frequency", "says": why, "max_tokens": length}
        temperature = self.asked.temperature
        if temperature == 0:
            score |= {"temperature": 0, "samples": 1, "scale": "probability"}
            drawn = "the likeliest one under each mask, since the call's temperature is 0"
        else:
            score["temperature"] = temperature
            at_once = load_adapter(model).capabilities.samples_at_once
            if at_once == 1:
                score["samples"] = _FEW
            at = "" if temperature is None else f", at the call's temperature {temperature:g}"
            drawn = f"the share of {score.get('samples', SAMPLES)} answers under each mask{at}"
        said = self.asked.answer
        then = "" if not said or Says(why).matches(said) else " The answer of then does not say it."
        return score, (
            f"What is explained is whether the answer says {why!r}: {drawn}; each of at most "
            f"{length} tokens{reason}.{then}"
        )

    def _length(self) -> tuple[int, str]:
        """How long an answer may be, and why where the call does not say."""
        if self.asked.max_tokens is not None:
            return self.asked.max_tokens, ""
        if self.asked.answered is None:
            return _UNKNOWN, ", since the call sets no limit"
        length = max(2 * self.asked.answered, _SHORTEST)
        return length, f", since the call sets no limit and its answer took {self.asked.answered}"


def recorded(
    *,
    call: str | None,
    request: str | None,
    span: str | None,
    recorded_in: Path | None,
) -> Recorded | None:
    """The call that a command is given, in whichever form; None where it is given none.

    Args:
        call: the id of a recorded call or its beginning, or "last".
        request: a file with a saved request.
        span: a file with spans.
        recorded_in: where calls are recorded, where that is not the usual place.

    Raises:
        SpecError: it is given several, or the file is not what it should be.
        UsageError: there is no such call.
        CacheCorrupt: the call cannot be read.
    """
    given = {"--call": call, "--request": request, "--span": span}
    told = [flag for flag, value in given.items() if value is not None]
    if len(told) > 1:
        raise SpecError(f"{told[0]} and {told[1]} both name a call to explain.", advice="Keep one.")
    if recorded_in is not None and call is None:
        raise SpecError("--calls-file says where --call is looked for, and that is not given.")
    if call is not None:
        found = _last(recorded_in) if call == _LAST else find_call(call, path=recorded_in)
        return Recorded(asked_by(found), Path(f"call-{found.id.removeprefix('c-')}"))
    if request is not None:
        return Recorded(read_request(request), file_and_which(request)[0])
    if span is not None:
        return Recorded(read_span(span), file_and_which(span)[0])
    return None


def _usual_test(requests: int | None) -> int:
    """How many of the requests test what is claimed: a twentieth, of few none."""
    cap = BudgetTable().requests if requests is None else requests
    return max(_LEAST_TEST, ceil(_TEST_SHARE * cap)) if cap >= _FEWEST_TO_TEST else 0


def with_call(
    made: Recorded | None, overrides: Tables, *, why: str | None, beside_a_spec: bool
) -> tuple[Tables, tuple[str, ...]]:
    """What flags say, with the call where there is one, and what was chosen, in sentences.

    Args:
        made: the call.
        overrides: what the flags say.
        why: the text whose presence in the answer is explained.
        beside_a_spec: whether a file says the rest.

    Raises:
        SpecError: flags do not go together, or nobody can be asked where the call went.
        PromptError: the call holds something that cannot be told in our words.
    """
    if made is not None:
        return made.tables(overrides, why=why, beside_a_spec=beside_a_spec)
    if why is not None:
        raise SpecError(
            "--why is asked of a call, and none is given.",
            advice="Name one by --call, --request or --span; of a spec, set says in [score], with "
            'kind = "label_frequency".',
        )
    return overrides, ()


def _last(path: Path | None) -> Call:
    """The newest call.

    Raises:
        UsageError: there is none.
    """
    newest = deque(read_calls(path), maxlen=1)
    if not newest:
        raise UsageError(f"{path or calls_file()} holds no call yet.")
    return newest[0]
