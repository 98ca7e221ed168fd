"""A regression test from an explanation is run as a user runs it, offline and with `--live`."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import spex_api as spex
from spex_api.claims import UNCHANGED, Arrangement, Kind, Trial
from spex_api.errors import UsageError
from spex_api.explanation import Pipeline
from spex_api.report.judging import judge_of, read_score
from spex_api.report.literals import literal, quoted
from tests.report.planted_causes import DOCUMENTS, RIGHT, WRONG, cause, explained, put_to_test

if TYPE_CHECKING:
    from pathlib import Path

NOTES = [name.partition(": ")[2] for name in DOCUMENTS]
BROKEN = '''
"""A pipeline that is wrong where both notes are there."""


async def answer(question, documents):
    wrong = {"Note 3 of the handbook.", "Note 7 of the handbook."} <= set(documents)
    return "You have 25 days of leave." if wrong else "You have 15 days of leave."
'''
FIXED = BROKEN.replace("if wrong", "if wrong and False")
TOGETHER = put_to_test(cause(Kind.TOGETHER, 3, 7), flips={(3,): 9, (7,): 9, (3, 7): 10})


def of_a_pipeline(causes=TOGETHER, **settings) -> spex.Explanation:
    """An explanation of the pipeline above."""
    inputs = {"question": "How many days?", "documents": NOTES}
    known = {"function": "leave:answer", "inputs": inputs, "vary": {"documents": ""}, **settings}
    return replace(explained(causes), pipeline=Pipeline(**known))


def run(folder: Path, *arguments: str) -> tuple[int, str, Counter[str]]:
    """Runs pytest there: its status, what it printed, and how many passed, failed and so on."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("SPEX_TESTS_NO_SKIP", None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    words = (line.split(" ", maxsplit=1)[0] for line in done.stdout.splitlines())
    told = Counter(word for word in words if word in ("PASSED", "FAILED", "SKIPPED", "ERROR"))
    return done.returncode, done.stdout, told


def names_of(source: str) -> list[str]:
    """What a module's statements are, in their order."""
    return [type(statement).__name__ for statement in ast.parse(source).body]


def test_offline_it_shows_the_finding_and_live_it_fails_until_it_is_fixed(tmp_path):
    """Skipped with a reason without `--live`; asked again it fails; once mended it passes."""
    (tmp_path / "leave.py").write_text(BROKEN)
    of_a_pipeline().to_pytest(tmp_path / "test_leave_days.py")
    status, printed, told = run(tmp_path)
    assert (status, told["PASSED"], told["FAILED"]) == (0, 4, 0)
    assert "It asks again, which may cost money: run pytest with --live." in printed
    status, printed, told = run(tmp_path, "--live")
    assert (status, told["PASSED"], told["FAILED"]) == (1, 7, 1)
    assert "FAILED test_leave_days.py::test_fixed[everything in, unchanged]" in printed
    assert f"answers=('{WRONG}'" in printed
    (tmp_path / "leave.py").write_text(FIXED)
    assert run(tmp_path, "--live")[::2] == (0, Counter(PASSED=8))


def test_data_that_are_edited_against_the_finding_fail(tmp_path):
    """Other answers than were given do not show it."""
    path = tmp_path / "test_leave_days.py"
    of_a_pipeline().to_pytest(path)
    source = path.read_text(encoding="utf-8")
    entry = f'"{RIGHT}": 9,\n            "{WRONG}": 1,'
    assert source.count(entry) == 2
    edited = f'"{RIGHT}": 1,\n            "{WRONG}": 9,'
    path.write_text(source.replace(entry, edited, 1), encoding="utf-8")
    status, printed, told = run(tmp_path, "-k", "recorded")
    assert (status, told["PASSED"], told["FAILED"]) == (1, 3, 1)
    assert "FAILED test_leave_days.py::test_recorded_answers_show_it[without documents[3]]" in (
        printed
    )


def test_it_can_be_read(tmp_path):
    """The sentences, one entry an arrangement, a matcher; and a formatter leaves it as it is."""
    path = tmp_path / "test_leave_days.py"
    of_a_pipeline().to_pytest(path)
    source = path.read_text(encoding="utf-8")
    said = " ".join(source.split())
    assert "need each other (confirmed): removing documents[3] flips 9 of 10," in said
    assert "pytest test_leave_days.py --live" in source
    assert 'return Says("25 days").matches(answer)' in source
    assert source.count("Recorded(\n") == len(TOGETHER.trials)
    for check in (["format", "--check"], ["check", "--select", "E,F,W,B"]):
        command = [sys.executable, "-m", "ruff", *check, "--isolated", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_trials_of_what_is_not_confirmed_stay_out(tmp_path):
    """They are in the report; a test asks again what it keeps."""
    flips = {(3,): 9, (7,): 9, (1,): 4, (3, 5): 10}
    both = put_to_test(
        cause(Kind.TOGETHER, 3, 7), cause(Kind.ALONE, 1, confirmed=False), flips=flips
    )
    of_a_pipeline(both).to_pytest(tmp_path / "test_it.py")
    source = (tmp_path / "test_it.py").read_text(encoding="utf-8")
    assert re.findall(r"removed=\[(.*)\]", source) == ["3", "7"]


def test_a_script_is_found_by_its_file(tmp_path):
    """Seen from the test's folder; it is not run as the main one; moved parts are moved."""
    (tmp_path / "tests").mkdir()
    script = BROKEN.replace("set(documents)", "set(documents[1:])")
    (tmp_path / "01 app.py").write_text(f"{script}\nif __name__ == '__main__':\n    1 / 0\n")
    moved = Arrangement(moved=((7, 0),))
    found = put_to_test(cause(Kind.POSITION, 7), flips={moved: 10})
    of_a_pipeline(found).to_pytest(
        tmp_path / "tests/test_leave_days.py", pipeline=f"{tmp_path / '01 app.py'}:answer"
    )
    source = (tmp_path / "tests/test_leave_days.py").read_text(encoding="utf-8")
    assert '"../01 app.py:answer"' in source
    assert "moved=[(7, 0)]" in source
    _, printed, told = run(tmp_path, "--live", "tests")
    assert (told["PASSED"], told["FAILED"]) == (3, 1), printed
    assert "PASSED tests/test_leave_days.py::test_fixed[moved from documents[7]" in printed


def test_the_main_script_is_found_too(tmp_path, monkeypatch):
    """A function that stood in the script that was run, as examples have it."""
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "answer", lambda: None, raising=False)
    monkeypatch.setattr(main, "__file__", str(tmp_path / "app.py"), raising=False)
    explanation = of_a_pipeline(function="__main__:answer")
    explanation.to_pytest(tmp_path / "test_it.py")
    assert '    "app.py:answer",\n' in (tmp_path / "test_it.py").read_text(encoding="utf-8")
    monkeypatch.delattr(main, "answer")
    with pytest.raises(UsageError, match="cannot be imported"):
        explanation.to_pytest(tmp_path / "test_it.py")


def test_long_inputs_stand_in_a_file_beside_it(tmp_path):
    """As JSON; and inputs may stand in a module of the user's instead."""
    (tmp_path / "leave.py").write_text(
        f"{BROKEN}\nINPUTS = {{'question': '', 'documents': {NOTES}}}"
    )
    inputs = {"question": "x" * 4000, "documents": NOTES}
    of_a_pipeline(inputs=inputs).to_pytest(tmp_path / "test_long.py")
    assert json.loads((tmp_path / "test_long.json").read_text(encoding="utf-8")) == inputs
    of_a_pipeline(inputs=None).to_pytest(tmp_path / "test_named.py", inputs="leave:INPUTS")
    assert not (tmp_path / "test_named.json").exists()
    _, printed, told = run(tmp_path, "--live", "-k", "test_fixed and unchanged")
    assert told["FAILED"] == 2, printed
    assert printed.count(f"answers=('{WRONG}'") >= 2


def by_value(score: str, flips, *, threshold: float | None = None):
    """Causes that values tell, which are the number in the answer."""
    trials = [
        Trial(Arrangement(removed), holds=10 - flipped, asked=10, values=values)
        for removed, flipped, values in (
            ((), 0, (25.0,) * 10),
            *((removed, n, (25.0,) * (10 - n) + (15.0,) * n) for removed, n in flips.items()),
        )
    ]
    causes = replace(TOGETHER, trials=tuple(trials), threshold=threshold)
    plain = of_a_pipeline(causes)
    return replace(plain, provenance=replace(plain.provenance, score=score))


def test_where_no_text_tells_values_do(tmp_path):
    """The same score reads the value anew; a function of the user's is loaded from its module."""
    own = "\n\ndef days(answer):\n    return float(answer.split()[2])\n"
    (tmp_path / "leave.py").write_text(BROKEN + own)
    flips = {(3,): 9, (7,): 9}
    by_value("Numeric(0, 30, samples=1)", flips, threshold=20.0).to_pytest(tmp_path / "test_a.py")
    by_value("Function(leave.days)", flips).to_pytest(tmp_path / "test_b.py")
    for name, code in (("a", "Numeric(0, 30, samples=1)"), ("b", "Function(days)")):
        source = (tmp_path / f"test_{name}.py").read_text(encoding="utf-8")
        assert "return value > 20.0" in source
        assert f"score={code}" in source
    assert 'days = load("leave:days", beside=__file__)' in source
    _, printed, told = run(tmp_path, "--live")
    assert (told["PASSED"], told["FAILED"]) == (10, 2), printed


def test_of_a_prompt_the_model_is_asked(tmp_path, chat_server):
    """The prompt stands beside the test; a share of hits may be none; nothing on disk is taken."""
    prompt = spex.Prompt.from_template("{text}", text="so good a film")
    score = "LabelFrequency('positive', 'negative', samples=1, scale='probability')"
    trials = [
        Trial(UNCHANGED, 10, 10, ("positive",) * 10, (1.0,) * 10),
        Trial(Arrangement((1,)), 0, 10, (" Negative",) * 10, (0.0,) * 10),
    ]
    causes = put_to_test(cause(Kind.ALONE, 1), flips={})
    plain = explained(replace(causes, trials=tuple(trials)), prompt.features)
    whole = replace(
        plain,
        prompt=prompt,
        provenance=replace(plain.provenance, model="toy", score=score),
        spec={"model": "openai:toy"},
    )
    whole.to_pytest(tmp_path / "test_film.py")
    source = (tmp_path / "test_film.py").read_text(encoding="utf-8")
    assert 'model="openai:toy"' in source
    assert 'return Words("positive", "negative").matches(answer)' in source
    assert "'without \"good\"'" in source
    status, printed, told = run(tmp_path, "--live")
    asked = [body["messages"][-1]["content"] for body in chat_server.bodies]
    # The toy model finds no word in "so a film", and calls it positive.
    assert Counter(asked) == {"so good a film": 3, "so a film": 3}, printed
    assert (status, told["PASSED"], told["FAILED"]) == (1, 2, 2)
    chat_server.reply = _mended(chat_server.reply)
    assert run(tmp_path, "--live")[::2] == (0, Counter(PASSED=4))
    valued = replace(whole, provenance=replace(whole.provenance, score="LabelLogOdds('a', 'b')"))
    valued.to_pytest(tmp_path / "test_film.py", model="openai:other")
    source = (tmp_path / "test_film.py").read_text(encoding="utf-8")
    assert 'model="openai:other",\n    score=LabelLogOdds("a", "b"),' in source
    assert "return value > 0.5" in source


def _mended(reply):
    """The toy model, which finds everything negative."""

    def negative(body):
        told = reply(body)
        told["choices"][0]["message"]["content"] = "negative"
        return told

    return negative


def unnamed(explanation, **settings):
    """The same with another score or other causes, and without a pipeline where that is said."""
    return replace(explanation, provenance=replace(explanation.provenance, **settings))


@pytest.mark.parametrize(
    ("explanation", "settings", "said"),
    [
        (replace(of_a_pipeline(), causes=None), {}, "No cause was put to the test"),
        (
            of_a_pipeline(put_to_test(cause(Kind.ALONE, 3, 4, confirmed=False), flips={})),
            {},
            "No cause is confirmed",
        ),
        (of_a_pipeline(function=""), {}, "cannot be imported"),
        (of_a_pipeline(function="leave:f.<locals>.g"), {}, "cannot be imported"),
        (of_a_pipeline(inputs=None), {}, "inputs of the pipeline are no JSON"),
        (of_a_pipeline(), {"inputs": {"documents": {1, 2}}}, "inputs are no JSON"),
        (replace(of_a_pipeline(), pipeline=None), {}, "not known who is to be asked again"),
        (
            of_a_pipeline(replace(TOGETHER, trials=(Trial(UNCHANGED, 9, 10),))),
            {},
            "do not show what was found",
        ),
        (
            unnamed(by_value("", {(3,): 9}), score="Function(leave.f.<locals>.g)"),
            {},
            "cannot be written into a test",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, explanation, settings, said):
    """In a sentence, and no file is written."""
    with pytest.raises(UsageError, match=said):
        explanation.to_pytest(tmp_path / "test_it.py", **settings)
    assert list(tmp_path.iterdir()) == []


HOSTILE = 'x"""\nimport os; os.system("true")\n"""\\ \u202e \x1b[31m {0} \'\'\' \\"""'


def test_nothing_foreign_is_code(tmp_path):
    """Texts of answers, parts and outcomes are quoted, whatever they hold."""
    documents = [f"{HOSTILE} {place}" for place in range(10)]
    names = tuple(f"documents[{place}]: {text}" for place, text in enumerate(documents))
    trials = tuple(
        replace(each, answers=tuple(text + HOSTILE for text in each.answers))
        for each in TOGETHER.trials
    )
    causes = replace(TOGETHER, trials=trials, outcome=HOSTILE)
    plain = of_a_pipeline(causes, inputs={"documents": documents, HOSTILE: None})
    whole = replace(plain, interactions=replace(plain.interactions, names=names))
    of_a_pipeline().to_pytest(tmp_path / "test_plain.py")
    whole.to_pytest(tmp_path / "test_hostile.py")
    source = (tmp_path / "test_hostile.py").read_text(encoding="utf-8")
    assert names_of(source) == names_of((tmp_path / "test_plain.py").read_text(encoding="utf-8"))
    assert not {"\u202e", "\x1b"} & set(source)
    assert f"{HOSTILE} 3" in [
        node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)
    ]


@pytest.mark.parametrize(
    "score",
    [
        "__import__('os').system('true')",
        "LabelFrequency(match=Says(open('x')))",
        "LabelFrequency(match=Says('x'), **{'samples': 2})",
        "[Says('x') for _ in range(9)]",
        "Says",
        "Says('x'",
        "Predicate(lambda text: True)",
        "Predicate(f())",
        "",
    ],
)
def test_a_score_is_read_and_never_run(score):
    """What is none of ours is not understood."""
    assert read_score(score) is None


def test_a_matcher_of_tools_is_shown_them(tmp_path):
    """The calls stand behind the recorded texts, and behind the fresh ones."""
    called = '→ refund({"amount":20})'
    trials = [Trial(UNCHANGED, 9, 9, (called,) * 9), Trial(Arrangement((3,)), 0, 9, ("No.",) * 9)]
    whole = of_a_pipeline(replace(TOGETHER, trials=tuple(trials)))
    unnamed(whole, score="ToolCalled('refund', amount=20)").to_pytest(tmp_path / "test_it.py")
    source = (tmp_path / "test_it.py").read_text(encoding="utf-8")
    assert 'return ToolCalled("refund", amount=20).matches(answer)' in source
    assert "    with_calls=True,\n" in source


@pytest.mark.parametrize(
    ("score", "code"),
    [
        (spex.LabelFrequency("yes", "no", samples=3), 'LabelFrequency("yes", "no", samples=3)'),
        (
            spex.LabelFrequency(match=spex.ToolCalled("refund", amount=20)),
            'LabelFrequency(match=ToolCalled("refund", amount=20))',
        ),
        (spex.Numeric(1, 5), "Numeric(1, 5)"),
        (spex.LabelLogOdds("a", "b"), 'LabelLogOdds("a", "b")'),
    ],
)
def test_a_score_is_written_as_it_was(score, code):
    """And is the same score."""
    written = read_score(repr(score))
    assert written is not None
    assert (written.code, written.value) == (code, score)


def test_functions_are_named_and_not_called():
    """A file of somebody else's may name any function."""
    written = read_score("LabelFrequency(match=Predicate(os.path.exists))")
    assert written is not None
    assert written.value is None
    assert written.functions == {"exists": "os.path:exists"}


def test_the_judge_is_the_one_that_counts_as_was_counted():
    """A matcher, or its opposite; a threshold where texts do not tell; else nobody."""
    says = "LabelFrequency(match=Says('25 days'))"
    judge = judge_of(TOGETHER, says)
    assert (judge.matcher.code, judge.negated) == ('Says("25 days")', False)
    assert repr(judge_of(TOGETHER, "Says('25 days')")) == repr(judge)
    opposite = judge_of(TOGETHER, says.replace("25", "15"))
    assert (opposite.matcher.code, opposite.negated) == ('Says("15 days")', True)
    neither = judge_of(replace(TOGETHER, threshold=None), says.replace("25 days", "leave"))
    assert (neither.matcher, neither.threshold, neither.above) == (None, 0.5, True)
    below = replace(
        TOGETHER,
        threshold=None,
        trials=tuple(
            replace(each, values=tuple(-value for value in each.values)) for each in TOGETHER.trials
        ),
    )
    assert judge_of(below, "").above is False
    wrong = replace(TOGETHER, threshold=2.0)
    assert judge_of(wrong, "") is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a'b",
        'a"b',
        'a\'b""',
        "\\'\"",
        "\u202e\x00\ud800\n",
        {"a": [1, 2.5, None, True], "b" * 80: {"c": ()}},
        [(1,), (1, 2), "x" * 90],
    ],
)
def test_literals_give_the_data_back(value):
    """In ASCII or not, short or long."""
    assert ast.literal_eval(literal(value)) == value
    if isinstance(value, str):
        assert quoted(value).isprintable()
