"""The spec that the tests of the command line run: a text whose values the toy server knows."""

from __future__ import annotations

__all__ = ["TEXT", "toy_spec"]

TEXT = "The plot is bad and slow, yet her acting is never bad and the end is good, so good."


def toy_spec(requests: int, decoder: str = "") -> str:
    """The file's text."""
    return f"""
model = "openai:toy"
[prompt]
template = "Positive or negative? {{text}}"
text = "{TEXT}"
[score]
labels = ["positive", "negative"]
[budget]
requests = {requests}
""" + (f'[decode]\ndecoder = "{decoder}"\n' if decoder else "")
