"""The flags that commands share, and the spec tables that they stand for.

What this module does not know: which command takes which of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from spex_api.spec import Tables

__all__ = [
    "MODELS",
    "Ask",
    "Call",
    "CallsFile",
    "Decoder",
    "Index",
    "Json",
    "Keep",
    "Labels",
    "Mask",
    "Model",
    "Of",
    "Order",
    "Out",
    "Request",
    "Requests",
    "Seed",
    "Span",
    "SpecFile",
    "Split",
    "Store",
    "TargetFaithfulness",
    "Text",
    "Tokens",
    "Usd",
    "Verify",
    "Why",
    "tables",
]

SpecFile = Annotated[Path | None, typer.Argument(help="A TOML file; see examples/.")]
Text = Annotated[str | None, typer.Option(help="The text whose parts are explained.")]
Ask = Annotated[str | None, typer.Option(help="The question that goes before the text.")]
Call = Annotated[
    str | None,
    typer.Option(
        help="The id of a recorded call, or its beginning, as `spex calls` lists it; or last."
    ),
]
Request = Annotated[
    str | None,
    typer.Option(
        help="A request saved as JSON: its body, its url and body, or an archive (HAR); of several "
        "FILE#3."
    ),
]
Span = Annotated[
    str | None,
    typer.Option(
        help="A span of OpenTelemetry's GenAI conventions, as OTLP's JSON or the SDK's; of several "
        "FILE#SPAN_ID."
    ),
]
CallsFile = Annotated[
    Path | None, typer.Option(help="Where calls are recorded, if not in the usual place.")
]
Why = Annotated[str | None, typer.Option(help="Of a call: explain why the answer says this text.")]
Labels = Annotated[str | None, typer.Option(help="Two or more answers, as in positive,negative.")]
MODELS = (
    "local, local:FILE.gguf, openai:MODEL, anthropic:MODEL, azure:DEPLOYMENT or "
    "http:https://host/v1#MODEL"
)
Model = Annotated[str | None, typer.Option(help=f"{MODELS}.")]
Split = Annotated[
    str | None,
    typer.Option(
        help="words, sentences, lines, paragraphs, characters, sections, code or json; of a "
        "conversation also messages, few_shot, tool_results, instructions, tools or patches; of "
        "documents, and of a call that quotes some, also documents."
    ),
]
Of = Annotated[
    str | None,
    typer.Option(help="Which message is split: its place, counted from 0, or a role."),
]
Mask = Annotated[
    str | None,
    typer.Option(
        help="drop, ellipsis, token, placeholder, or the text that stands for a part; of patches "
        "blur or grey."
    ),
]
Requests = Annotated[int | None, typer.Option(help="The cap on requests.")]
Tokens = Annotated[int | None, typer.Option(help="The cap on tokens, read and written.")]
Usd = Annotated[float | None, typer.Option(help="The cap in dollars.")]
TargetFaithfulness = Annotated[
    float | None, typer.Option(help="Stop where the held-out R² is surely above this, as in 0.9.")
]
Keep = Annotated[
    float | None,
    typer.Option(help="How likely a mask keeps each part: 0.5 to 0.95, near the full prompt."),
]
Decoder = Annotated[
    str | None, typer.Option(help="auto, spectral_gp, lasso, spex, proxyspex or walsh_hadamard.")
]
Index = Annotated[
    str | None, typer.Option(help="SV, BV, SII, BII, STII, FSII, FBII, Möbius or Fourier.")
]
Order = Annotated[int | None, typer.Option(help="The size of the largest interactions.")]
Seed = Annotated[int | None, typer.Option(help="Of everything that is drawn.")]
Verify = Annotated[
    int | None,
    typer.Option(
        help="How many of the requests test what the explanation claims; 0 tests nothing. Of a "
        "call a twentieth, and 20 at least; else none, unless it is said."
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        envvar="SPEX_STORE",
        show_envvar=True,
        help="A store that several machines share, in place of the folder on disk: "
        "postgresql://USER@HOST/DATABASE; its password is best left to PGPASSWORD or ~/.pgpass.",
    ),
]
Out = Annotated[Path, typer.Option(help="The folder that receives the files.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask all anew, whatever is on disk.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def tables(
    *,
    text: str | None = None,
    ask: str | None = None,
    labels: str | None = None,
    model: str | None = None,
    split: str | None = None,
    of: str | None = None,
    mask: str | None = None,
    requests: int | None = None,
    tokens: int | None = None,
    usd: float | None = None,
    target_faithfulness: float | None = None,
    keep: float | None = None,
    decoder: str | None = None,
    index: str | None = None,
    order: int | None = None,
    seed: int | None = None,
    verify: int | None = None,
    store: str | None = None,
) -> Tables:
    """The tables of a spec that these flags say; a flag that is not given is None in them."""
    return {
        "model": model,
        "seed": seed,
        "prompt": {
            # A brace in a question is a brace.
            "template": ask and ask.replace("{", "{{").replace("}", "}}") + "\n{text}",
            "text": text,
            "split": split,
            "of": int(of) if of is not None and of.isdecimal() else of,
            "mask": mask,
        },
        "score": {"labels": labels and labels.split(",")},
        "budget": {
            "requests": requests,
            "tokens": tokens,
            "usd": usd,
            "target_faithfulness": target_faithfulness,
        },
        "masks": {"keep": keep},
        "decode": {"decoder": decoder, "index": index, "order": order},
        "verify": {"requests": verify},
        "cache": {"store": store},
    }
