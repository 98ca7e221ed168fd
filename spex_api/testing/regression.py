"""What a test that `Explanation.to_pytest` writes stands on: recorded answers, and asking again.

The recorded answers are judged without the network and without a key. What this module does not
know: what was found, and which answers are the unwanted ones; the test says both.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spex_api.claims import Arrangement
from spex_api.errors import UsageError
from spex_api.testing.live import OPTION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    import pytest

    from spex_api.scores import Matcher, Score

__all__ = ["Again", "AskedModel", "AskedPipeline", "Recorded", "flipped", "load", "only_live"]

Holds = Callable[[Any], bool]
"""Whether the outcome holds of an answer, by its text or its value."""

_TIMES: Final = 3
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was answered under one arrangement.

    Attributes:
        changed: what was changed, in words.
        holds: whether the outcome holds of most answers, as it was found; None of just half.
        answers: each text, and how often it was given.
        values: of the answers, where no text tells.
        removed: the parts that were left out, counted from 0.
        moved: parts that stood elsewhere: (part, place), both counted from 0.
    """

    changed: str
    holds: bool | None
    answers: Mapping[str, int] = field(default_factory=dict)
    values: Sequence[float] = ()
    removed: Sequence[int] = ()
    moved: Sequence[tuple[int, int]] = ()

    def __str__(self) -> str:
        return self.changed

    def mostly(self, holds: Holds) -> bool | None:
        """Whether the outcome holds of most recorded answers; None of just half, or of none."""
        told = [*self.values]
        texts = [text for text, count in self.answers.items() for _ in range(count)]
        return _most([holds(each) for each in (*told, *texts)])

    @property
    def arrangement(self) -> Arrangement:
        """What was changed."""
        return Arrangement(tuple(self.removed), tuple(self.moved))


@dataclass(frozen=True, slots=True)
class Again:
    """Fresh answers under one arrangement.

    Attributes:
        answers: what was answered, as texts or values.
        holding: of how many the outcome holds.
    """

    answers: tuple[object, ...]
    holding: int

    @classmethod
    def of(cls, answers: Iterable[object], holds: Holds) -> Again:
        """These answers, judged."""
        kept = tuple(answers)
        return cls(kept, sum(map(holds, kept)))

    @property
    def mostly(self) -> bool | None:
        """Whether the outcome holds of most; None of just half, or of none."""
        return _most([True] * self.holding + [False] * (len(self.answers) - self.holding))

    def __str__(self) -> str:
        told = "\n".join(f"  {str(each)[:_SHOWN]!r}" for each in self.answers)
        return f"The outcome holds of {self.holding} of {len(self.answers)} answers:\n{told}"


def _most(holds: Sequence[bool]) -> bool | None:
    return None if 2 * sum(holds) == len(holds) else 2 * sum(holds) > len(holds)


def flipped(recorded: Iterable[Recorded]) -> list[Recorded]:
    """The unchanged arrangement, and those under which the outcome mostly did not hold."""
    return [each for each in recorded if each.holds is False or each.arrangement == Arrangement()]


def only_live(request: pytest.FixtureRequest) -> None:
    """Lets a test go on with `--live`, and skips it without."""
    if not request.config.getoption(OPTION, default=False):
        import pytest  # noqa: PLC0415 - whoever runs this has it

        pytest.skip(f"It asks again, which may cost money: run pytest with {OPTION}.")


def load(place: str, beside: str = "") -> Any:  # noqa: ANN401 - it may be anything
    """What stands at a place.

    Args:
        place: "module:name", or "file.py:name" with the path from the test's folder.
        beside: the test's file.

    Raises:
        UsageError: there is no such module, file or name.
    """
    module, _, name = place.rpartition(":")
    try:
        found: Any = (
            _script(Path(beside).parent / module) if module.endswith(".py") else _module(module)
        )
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, OSError, ValueError) as error:
        raise UsageError(
            f"There is nothing at {place!r}: {error}.",
            advice="Name it as module:name, or as file.py:name seen from the test's folder.",
        ) from error
    return found


def _module(name: str) -> ModuleType:
    """A module, of the folder in which pytest runs too."""
    here = str(Path.cwd())
    if here in sys.path:
        return import_module(name)
    sys.path.insert(0, here)
    try:
        return import_module(name)
    finally:
        sys.path.remove(here)


@cache
def _script(path: Path) -> ModuleType:
    """A file as a module of its own, which is not the main one."""
    name = f"spex_script_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, slots=True)
class AskedPipeline:
    """The user's own function, called again.

    Attributes:
        function: it, or where it stands, as `load` takes it.
        inputs: its arguments by name, as they were with everything in.
        vary: the arguments whose parts are the features, and how each is cut: "" into the elements
            of a list, or by the name of a segmenter.
        score: reads the value in an answer's text, where a value tells; of a matcher it is 1 where
            it hits, else 0.
        with_calls: whether the tools that were asked for are written behind the text.
        beside: the test's file.
    """

    function: str | Callable[..., object]
    inputs: Mapping[str, object]
    vary: Mapping[str, str] = field(default_factory=dict)
    score: Score | Matcher | None = None
    with_calls: bool = False
    beside: str = ""

    def again(self, case: Recorded, holds: Holds, *, times: int = _TIMES) -> Again:
        """Calls it a few times under an arrangement.

        Args:
            case: which.
            holds: whether the outcome holds of an answer.
            times: how often.

        Raises:
            UsageError: there is no such function, or it does not take these inputs.
        """
        from spex_api.pipelines.inputs import Inputs  # noqa: PLC0415 - only who asks pays for it

        function = (
            load(self.function, self.beside) if isinstance(self.function, str) else (self.function)
        )
        cuts = {name: cut or None for name, cut in self.vary.items()}
        inputs = Inputs.of(function, dict(self.inputs), cuts or None)
        args, named = inputs.call(inputs.arranged(case.arrangement))
        call = partial(function, *args, **named)
        texts = [_said(call, with_calls=self.with_calls) for _ in range(times)]
        told = texts if self.score is None else [_value(self.score, text) for text in texts]
        return Again.of(told, holds)


@dataclass(frozen=True, slots=True)
class AskedModel:
    """A model, asked the prompt again.

    Attributes:
        prompt: the JSON file of the prompt.
        model: the model's name, as `explain` takes it, or an adapter.
        score: the number in an answer.
    """

    prompt: str | Path
    model: Any
    score: Score

    def again(self, case: Recorded, holds: Holds, *, times: int = _TIMES) -> Again:
        """Asks a few times under an arrangement, whatever is on disk.

        Args:
            case: which.
            holds: whether the outcome holds of an answer.
            times: how often.

        Raises:
            AdapterError: the endpoint failed.
        """
        from spex_api.measuring import measure_sync  # noqa: PLC0415 - only who asks pays for it
        from spex_api.scores import LabelFrequency  # noqa: PLC0415 - as above
        from spex_api.testing.unchecked import Unchecked, read_prompt  # noqa: PLC0415 - as above

        prompt = read_prompt(Path(self.prompt))
        mask = [number not in case.removed for number in range(prompt.num_features)]
        texts: list[str] = []
        score = self.score
        if isinstance(score, LabelFrequency):
            score = Unchecked(score, texts)
        told: list[object] = []
        for _ in range(times):
            found = measure_sync(prompt, self.model, [mask], score=score, mode="refresh")
            told += texts if case.answers else found.values.tolist()
        return Again.of(told, holds)


def _value(score: Score | Matcher, text: str) -> float:
    from spex_api.completions import Completion  # noqa: PLC0415 - only who asks pays for it
    from spex_api.scores import Matcher  # noqa: PLC0415 - as above

    if isinstance(score, Matcher):
        return float(score.matches(text))
    return score.value((Completion(text=text),)).value


def _said(call: Callable[[], object], *, with_calls: bool) -> str:
    """What a pipeline gave, as a text; with the calls of tools behind it where they are wanted."""
    from spex_api.calls.gate import gated  # noqa: PLC0415 - only who asks pays for it
    from spex_api.pipelines.given import read_given  # noqa: PLC0415 - as above
    from spex_api.scores.tool_calls import with_calls as written  # noqa: PLC0415 - as above
    from spex_api.testing.listening import Listening  # noqa: PLC0415 - as above

    listening = Listening()
    with gated(listening if with_calls else None):
        result = call()
        if inspect.isawaitable(result):
            # A runner keeps the context in which it was made, where there is no gate.
            result = _runner().run(_waited_for(result), context=copy_context())
    given = read_given(result)
    if not with_calls:
        return given.text
    return written(given.text, dict.fromkeys([*given.tool_calls, *listening.heard]))


async def _waited_for(result: Awaitable[object]) -> object:
    return await result


@cache
def _runner() -> asyncio.Runner:
    """One event loop for all tests: a client that lives in a module is bound to its first one."""
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner
