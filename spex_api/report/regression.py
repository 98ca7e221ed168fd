"""A regression test from an explanation: what was found, by which answers, and whether it is fixed.

The test is Python that a person can read and change. Nothing in it is code that stood in an answer,
a document or a file: texts are quoted, and a score is written anew from what was understood of it.
What this module does not know: how the test asks again; `spex_api.testing.regression` does.
"""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from spex_api.claims import UNCHANGED
from spex_api.errors import UsageError
from spex_api.report.asking_again import asked_again, place_of
from spex_api.report.causes import changed, sentence
from spex_api.report.judging import judge_of, told
from spex_api.report.literals import literal, quoted
from spex_api.report.naming import Names, excerpt
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spex_api.claims import Causes, Trial
    from spex_api.explanation import Explanation
    from spex_api.report.asking_again import Asked, Whom
    from spex_api.report.judging import Judge

__all__ = ["write"]

_WIDTH: Final = 88
_TEST: Final = '''"""{docstring}
"""

{imports}

{asked}


def holds({answer}):
    """Whether the outcome holds: {outcome}."""
    return {judged}


RECORDED = [
{recorded}
]


@pytest.mark.parametrize("case", RECORDED, ids=str)
def test_recorded_answers_show_it(case):
    """By the recorded answers alone the finding stands; nothing is sent."""
    assert case.mostly(holds) is case.holds


@pytest.mark.parametrize("case", flipped(RECORDED), ids=str)
def test_fixed(case, request):
    """Asked again, most answers are others, with everything in and as trials had it."""
    only_live(request)
    again = ASKED.again(case, holds, times=3)
    assert again.mostly is False, again
'''


def write(explanation: Explanation, path: Path, *, whom: Whom) -> None:
    """Writes the test, and beside it a JSON file where the inputs are long or there is a prompt.

    Args:
        explanation: with confirmed causes.
        path: of the test.
        whom: who is asked again.

    Raises:
        UsageError: there is no confirmed cause; its answers are not recorded; or it is not known
            who is to be asked again.
    """
    causes = _confirmed(explanation)
    score = explanation.provenance.score
    judge = judge_of(causes, score)
    if judge is None:
        raise UsageError(
            "The recorded answers do not show what was found: there are none, or nothing that is "
            f"known of the score tells them apart ({score or 'it has no name'}).",
            advice="Score by a matcher, as Says, or by a value with a threshold.",
        )
    asked = asked_again(explanation, path, judge, whom)
    path.write_text(_test(explanation, path, judge, asked), encoding="utf-8")
    if asked.file:
        path.with_suffix(".json").write_text(asked.file, encoding="utf-8")


def _confirmed(explanation: Explanation) -> Causes:
    """The causes.

    Raises:
        UsageError: none is confirmed.
    """
    causes = explanation.causes
    if causes is None:
        raise UsageError(
            "No cause was put to the test, so there is nothing that a test could keep.",
            advice="Explain a pipeline with verify=True, or verify the explanation.",
        )
    if not causes.confirmed or causes.trial(UNCHANGED) is None:
        raise UsageError(
            "No cause is confirmed, so there is nothing that a test could keep.",
            advice=causes.advice,
        )
    return causes


def _test(explanation: Explanation, path: Path, judge: Judge, asked: Asked) -> str:
    names, causes = Names.of(explanation), _confirmed(explanation)
    return _TEST.format(
        docstring=_docstring(explanation, path, causes),
        imports="\n".join(_imports(path, judge, asked)),
        asked=asked.code,
        answer="value" if judge.matcher is None else "answer",
        outcome=_inert(excerpt(causes.outcome)) or "the answer is as the whole has it",
        judged=_judged(judge),
        recorded="\n".join(_recorded(trial, judge, names) for trial in _shown(causes)),
    )


def _shown(causes: Causes) -> Iterator[Trial]:
    """The trials that are about confirmed causes; others were asked for what is not claimed."""
    claimed = {
        arrangement
        for cause in causes.confirmed
        for claim in cause.claims
        for arrangement in (claim.more, claim.less)
    }
    parts = [set(cause.features) for cause in causes.confirmed]
    for trial in causes.trials:
        moved = (feature for feature, _ in trial.arrangement.moved)
        touched = {*trial.arrangement.removed, *moved}
        within = any(touched <= features for features in parts)
        if trial.asked and (within or trial.arrangement in claimed):
            yield trial


def _docstring(explanation: Explanation, path: Path, causes: Causes) -> str:
    """What was found, and how to run the test."""
    found = [sentence(explanation, cause) for cause in causes.confirmed]
    said = [
        f"Why {causes.outcome or 'it was answered so'}, and whether that is fixed.",
        *found,
        f"By the recorded answers, without a key: pytest {path.name}\n"
        f"Asked again, which may cost money: pytest {path.name} --live",
        "Parts are numbered from 0 in `removed` and `moved`. Written by spex-api "
        f"{explanation.provenance.version}.",
    ]
    blocks = (
        "\n".join(textwrap.fill(line, _WIDTH) for line in _inert(each).split("\n")) for each in said
    )
    return "\n\n".join(blocks)


def _inert(text: str) -> str:
    """Text that cannot end a docstring, nor act on who reads it."""
    plain = harmless(text).replace("\\", "\\\\")
    return plain.replace('"""', "'''").rstrip('"')


def _imports(path: Path, judge: Judge, asked: Asked) -> Iterator[str]:
    written = [each for each in (judge.matcher, asked.score) if each is not None]
    functions = {name: place for each in written for name, place in each.functions.items()}
    scores = sorted(frozenset().union(*(each.names for each in written)))
    ours = {"Recorded", "flipped", "only_live", *asked.names, *(["load"] if functions else [])}
    if "json." in asked.code:
        yield "import json"
    if asked.file:
        yield "from pathlib import Path"
        yield ""
    yield "import pytest"
    if scores:
        yield f"from spex_api.scores import {', '.join(scores)}"
    yield f"from spex_api.testing.regression import {', '.join(sorted(ours))}"
    for name, place in functions.items():
        yield f"\n{name} = load({quoted(place_of(place, path) or place)}, beside=__file__)"


def _judged(judge: Judge) -> str:
    if judge.matcher is None:
        return f"value {'>' if judge.above else '<'} {judge.threshold!r}"
    return f"{'not ' if judge.negated else ''}{judge.matcher.code}.matches(answer)"


def _recorded(trial: Trial, judge: Judge, names: Names) -> str:
    """One entry of the list."""
    words = changed(trial.arrangement, names).replace("“", '"').replace("”", '"')
    mostly = None if 2 * trial.holds == trial.asked else 2 * trial.holds > trial.asked
    settings: dict[str, Any] = {"holds": mostly}
    if trial.arrangement.removed:
        settings["removed"] = list(trial.arrangement.removed)
    if trial.arrangement.moved:
        settings["moved"] = list(trial.arrangement.moved)
    if judge.matcher is None:
        settings["values"] = [value for value in trial.values if math.isfinite(value)]
    else:
        settings["answers"] = dict(Counter(told(trial)).most_common())
    lines = [
        quoted(words),
        *(f"{key}={literal(each, '    ' * 2)}" for key, each in settings.items()),
    ]
    return "\n".join(["    Recorded(", *(f"        {line}," for line in lines), "    ),"])
