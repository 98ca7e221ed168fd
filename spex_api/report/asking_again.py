"""Who a regression test asks again, in code: the user's own pipeline, or a model about a prompt.

What this module does not know: what was found, and how a test asks.
"""

from __future__ import annotations

import json
import os.path
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from spex_api.errors import UsageError
from spex_api.prompts import Prompt
from spex_api.report.judging import read_score
from spex_api.report.literals import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spex_api.explanation import Explanation
    from spex_api.report.judging import Judge, Written

__all__ = ["Asked", "Whom", "asked_again", "place_of"]

_LONGEST: Final = 3000
"""Characters of inputs that stand in the test itself; longer ones stand in a file beside it."""
_BESIDE: Final = 'Path(__file__).with_suffix(".json")'


@dataclass(frozen=True, slots=True)
class Whom:
    """Who is asked again, where the explanation does not say it or is not to be followed.

    Attributes:
        pipeline: where the function stands, as "module:name", or "file.py:name" with a path from
            the working folder.
        inputs: its arguments by name; or where they stand, as "module:name".
        vary: the arguments whose parts are the features, and how each is cut.
        model: of a prompt, the model's name.
    """

    pipeline: str = ""
    inputs: Mapping[str, object] | str | None = None
    vary: Mapping[str, str] | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked again, in code.

    Attributes:
        code: what makes `ASKED`.
        names: what it needs of `spex_api.testing.regression`.
        score: the score that it names, where it does.
        file: what stands in the JSON file; "" where there is none.
    """

    code: str
    names: frozenset[str]
    score: Written | None = None
    file: str = ""


def asked_again(explanation: Explanation, path: Path, judge: Judge, whom: Whom) -> Asked:
    """Who is asked again.

    Raises:
        UsageError: that is not known.
    """
    if whom.pipeline or explanation.pipeline is not None:
        return _pipeline(explanation, path, judge, whom)
    return _model(explanation, whom)


def _pipeline(explanation: Explanation, path: Path, judge: Judge, whom: Whom) -> Asked:
    known = explanation.pipeline
    function = whom.pipeline or (known.function if known else "")
    inputs = whom.inputs if whom.inputs is not None else known.inputs if known else None
    vary = whom.vary if whom.vary is not None else known.vary if known else {}
    place = place_of(function, path)
    if not place:
        raise UsageError(
            "The pipeline cannot be imported by a test: it is a method, a lambda, stands within "
            "another function, or was written in no file.",
            advice='Say where it stands: to_pytest(path, pipeline="my_module:answer").',
        )
    if inputs is None:
        raise UsageError(
            "The inputs of the pipeline are no JSON, so they cannot be written into a test.",
            advice="Give them as JSON, or say where they stand: "
            'to_pytest(path, inputs="my_module:INPUTS").',
        )
    parts = [quoted(place)]
    names, file = {"AskedPipeline"}, ""
    if isinstance(inputs, str):
        parts.append(f"load({quoted(place_of(inputs, path) or inputs)}, beside=__file__)")
        names.add("load")
    else:
        plain = _plain(inputs)
        parts.append(literal(plain, "    "))
        if len(parts[-1]) > _LONGEST:
            file = json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
            parts[-1] = f'json.loads({_BESIDE}.read_text(encoding="utf-8"))'
    if vary:
        parts.append(f"vary={literal(dict(vary), '    ')}")
    score = read_score(explanation.provenance.score) if judge.matcher is None else None
    if judge.matcher is None:
        if score is None:
            raise _unwritable(explanation)
        parts.append(f"score={score.code}")
    judged_by = judge.matcher or score
    if judged_by is not None and "ToolCalled" in judged_by.names:
        parts.append("with_calls=True")
    if place.partition(":")[0].endswith(".py"):
        parts.append("beside=__file__")
    return Asked(_call("AskedPipeline", parts), frozenset(names), score, file)


def _model(explanation: Explanation, whom: Whom) -> Asked:
    spec = explanation.spec or {}
    model = whom.model or spec.get("model") or ""
    if explanation.prompt is None or not model:
        raise UsageError(
            "It is not known who is to be asked again: neither a pipeline nor the name of a model "
            f"comes with this explanation of {explanation.provenance.model}.",
            advice='Say it: to_pytest(path, model="openai:gpt-4.1-mini"), or pipeline=… and '
            "inputs=….",
        )
    score = read_score(explanation.provenance.score)
    if score is None:
        raise _unwritable(explanation)
    parts = [_BESIDE, f"model={quoted(str(model))}", f"score={score.code}"]
    file = TypeAdapter(Prompt).dump_json(explanation.prompt, indent=1).decode() + "\n"
    return Asked(_call("AskedModel", parts), frozenset({"AskedModel"}), score, file)


def _unwritable(explanation: Explanation) -> UsageError:
    return UsageError(
        f"The score cannot be written into a test: {explanation.provenance.score or 'no name'}.",
        advice="Score by one of spex_api.scores, or by a function that stands in a module.",
    )


def _call(name: str, parts: list[str]) -> str:
    return "\n".join([f"ASKED = {name}(", *(f"    {part}," for part in parts), ")"])


def place_of(place: str, path: Path) -> str:
    """Where something stands, seen from the test; "" where no test can import it."""
    module, _, name = place.rpartition(":")
    if module == "__main__":  # a script, which may be another one than that of the explanation
        script = sys.modules.get("__main__")
        known = hasattr(script, name.partition(".")[0])
        module = (known and getattr(script, "__file__", None)) or ""
    if not module or not name or "<" in name:
        return ""
    if module.endswith(".py"):
        folder = path.resolve().parent
        module = Path(os.path.relpath(Path(module).resolve(), folder)).as_posix()
    return f"{module}:{name}"


def _plain(inputs: Mapping[str, object]) -> dict[str, Any]:
    """The inputs as JSON has them.

    Raises:
        UsageError: they are none.
    """
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(inputs), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"The inputs are no JSON, so they cannot be written into a test: {error}.",
            advice='Say where they stand: to_pytest(path, inputs="my_module:INPUTS").',
        ) from None
    return plain
