"""The code blocks of a Markdown page, as its reader meets them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Block", "blocks", "execute"]

_FENCE = re.compile(
    r'^```(?P<language>\w*)(?: title="(?P<title>[^"]*)")?\n(?P<text>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: where it stands.
        line: of its first line of code, counted from 1.
        language: as the fence names it.
        title: what stands above it for the reader: the name of a file, or why it is not run.
        text: the code.
    """

    page: Path
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, language: str = "") -> list[Block]:
    """The blocks of a page in order, of one language or of all."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(
            page,
            text.count("\n", 0, match.start("text")) + 1,
            match["language"],
            match["title"] or "",
            match["text"],
        )
        for match in _FENCE.finditer(text)
    ]
    return [block for block in found if not language or block.language == language]


def execute(block: Block, namespace: dict[str, object]) -> None:
    """Runs a Python block, and holds each value against the one that its line tells in a comment.

    What fails is told with the page's own line.
    """
    text = "\n" * (block.line - 1) + block.text
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Expr):
            code = compile(ast.Expression(statement.value), str(block.page), "eval")
            value = eval(code, namespace)  # noqa: S307 - our own pages
            _hold(value, text.splitlines()[statement.end_lineno - 1], block)
        else:
            code = compile(ast.Module([statement], []), str(block.page), "exec")
            exec(code, namespace)  # noqa: S102 - our own pages


def _hold(value: object, line: str, block: Block) -> None:
    """A comment that begins with a number, several, or True tells the value."""
    told = re.search(r"  # ([-+\d., ]*\d|True|False)(:|$)", line)
    if told:
        expected = ast.literal_eval(told[1])
        assert np.allclose(value, expected, rtol=0.02, atol=1e-9), f"{block}: {line}: {value}"
