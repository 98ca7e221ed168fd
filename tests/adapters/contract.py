"""The adapters under the contract: how each is built on loopback, and where its bodies are kept.

A subject's file in `fixtures/contract` holds the exact body of each case, a reply, and what the
reply says; `_source` names where the reply comes from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spex_adapters.anthropic import AnthropicAdapter
from spex_adapters.azure import AzureAdapter
from spex_adapters.http import HttpAdapter
from spex_adapters.local import LocalAdapter
from spex_adapters.openai import OpenAIAdapter
from spex_adapters.template import ReplyPaths, Template, TemplateAdapter

from spex_api.testing.adapter_contract import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.querying.adapter import Adapter

FOLDER = Path(__file__).parent / "fixtures" / "contract"


class _Row(NamedTuple):
    """One adapter: the entry point it belongs to, and how it is built."""

    entry: str
    build: Callable[[str], Adapter]
    variable: str = ""
    over_wire: bool = True


def _template(url: str) -> TemplateAdapter:
    return TemplateAdapter(
        Template(
            url=url,
            model="house-7b",
            headers={"X-Api-Key": "${HOUSE_API_KEY}"},
            body={
                "input": "{{prompt}}",
                "turns": "{{messages}}",
                "settings": {
                    "longest": "{{max_tokens}}",
                    "heat": "{{temperature}}",
                    "stop": ["\n"],
                },
                "note": "for {{model}}, at most {{max_tokens}} tokens",
            },
            reply=ReplyPaths("outputs.0.text", model="model", input_tokens="used.read"),
        )
    )


ROWS = {
    "openai": _Row("openai", lambda url: OpenAIAdapter("m", base_url=url), "OPENAI_API_KEY"),
    "anthropic": _Row(
        "anthropic", lambda url: AnthropicAdapter("m", base_url=url), "ANTHROPIC_API_KEY"
    ),
    "azure": _Row("azure", lambda url: AzureAdapter("m", endpoint=url), "AZURE_OPENAI_API_KEY"),
    "local": _Row("local", lambda url: LocalAdapter(), over_wire=False),
    "http": _Row("http", lambda url: HttpAdapter(f"{url}#m"), "SPEX_HTTP_API_KEY"),
    "http_template": _Row("http", _template, "HOUSE_API_KEY"),
    **{
        f"http_{kind}": _Row(
            "http", lambda url, kind=kind: HttpAdapter(f"{kind}+{url}#m"), "SPEX_HTTP_API_KEY"
        )
        for kind in ("vllm", "sglang", "llamacpp", "together", "fireworks", "completions")
    },
}
"""Every adapter of ours; each registered entry point has at least one."""


def subject(name: str) -> Subject:
    """A row with its file."""
    row = ROWS[name]
    kept = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return Subject(
        name=name,
        build=row.build,
        bodies=kept["bodies"],
        reply=json.dumps(kept["reply"], ensure_ascii=False),
        says=kept["says"],
        variable=row.variable,
        over_wire=row.over_wire,
    )
