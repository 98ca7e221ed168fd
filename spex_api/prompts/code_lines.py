"""A line of code is a statement where the code is Python, and else a line that is not blank.

A statement that runs over several lines, in brackets or a long string, is one; the head of a block
and each statement in it are different ones. Lines keep their indentation. What this module does not
know: what the code does; it is never run.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["code_lines"]

_NO_CODE = (tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def code_lines(text: str) -> Iterator[tuple[int, int]]:
    """Where each line of code begins, with its indentation, and ends.

    Python is told by its grammar. Text that it takes for a single statement, as it does any JSON,
    is cut into its lines instead.

    Raises:
        Nothing: what is no Python is cut into its lines.
    """
    rows = text.split("\n")
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row) + 1)
    end_of = dict(_statements(text)) if _is_python(text) else {}
    if len(end_of) < 2:
        end_of = {}
    at = 0
    while at < len(rows):
        if not rows[at].strip():
            at += 1
            continue
        last = end_of.get(at, at)
        yield starts[at], starts[last] + len(rows[last].rstrip())
        at = last + 1


def _is_python(text: str) -> bool:
    if "\r" in text.replace("\r\n", "\n") or "\f" in text:
        return False  # Python counts its lines otherwise than we do
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the code that is explained, not of ours
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """The first and the last row of each statement, from 0."""
    first: int | None = None
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
            if token.type == tokenize.NEWLINE and first is not None:
                yield first, token.start[0] - 1
                first = None
            elif first is None and token.type not in (*_NO_CODE, tokenize.COMMENT):
                first = token.start[0] - 1
    except (tokenize.TokenError, SyntaxError):
        return  # the rows that are left are lines of their own
