"""`spex plan`: what `spex explain` would ask, take and cost, before anything is sent.

It opens no connection and needs no key. What this module does not know: how the numbers come about.
"""

from __future__ import annotations

import json as json_text
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spex_api.cli import flags
from spex_api.cli.job import read_job
from spex_api.cli.recorded import recorded, with_call
from spex_api.planner import plan_sync
from spex_api.planning import Room
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.planning import CapCheck, Estimate, Plan

__all__ = ["plan"]

_COLOURS = {Room.SURELY: "green", Room.LIKELY: "yellow", Room.NO: "red", Room.UNKNOWN: "red"}
_SAID = {
    Room.SURELY: "surely enough",
    Room.LIKELY: "likely enough, if answers take what is expected",
    Room.NO: "not enough: the run would end early, with a smaller result",
    Room.UNKNOWN: "cannot be kept, since the price is not known: the run would not start",
}


def plan(
    spec: flags.SpecFile = None,
    *,
    text: flags.Text = None,
    ask: flags.Ask = None,
    call: flags.Call = None,
    request: flags.Request = None,
    span: flags.Span = None,
    calls_file: flags.CallsFile = None,
    why: flags.Why = None,
    labels: flags.Labels = None,
    model: flags.Model = None,
    split: flags.Split = None,
    of: flags.Of = None,
    mask: flags.Mask = None,
    requests: flags.Requests = None,
    tokens: flags.Tokens = None,
    usd: flags.Usd = None,
    target_faithfulness: flags.TargetFaithfulness = None,
    keep: flags.Keep = None,
    decoder: flags.Decoder = None,
    index: flags.Index = None,
    order: flags.Order = None,
    seed: flags.Seed = None,
    json: flags.Json = False,
) -> None:
    """Tells what `explain` would ask and cost, and sends nothing.

    Draws the same masks from the same file and flags, looks up which answers are on disk, and
    prints queries, tokens, dollars one by one and by batch, time at the limits, and whether the
    budget suffices.
    """
    overrides = flags.tables(
        text=text,
        ask=ask,
        labels=labels,
        model=model,
        split=split,
        of=of,
        mask=mask,
        requests=requests,
        tokens=tokens,
        usd=usd,
        target_faithfulness=target_faithfulness,
        keep=keep,
        decoder=decoder,
        index=index,
        order=order,
        seed=seed,
    )
    made = recorded(call=call, request=request, span=span, recorded_in=calls_file)
    tables, said = with_call(made, overrides, why=why, beside_a_spec=spec is not None)
    for sentence in said:
        Console(stderr=True).print(harmless(sentence), style="dim", markup=False)
    found = plan_sync(**read_job(spec, tables).arguments)
    if json:
        sys.stdout.write(json_text.dumps(_told(found), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _draw(found, Console())


def _told(found: Plan) -> dict[str, Any]:
    """The whole plan, for a machine."""
    load = found.load
    return {
        "model": found.model,
        "endpoint": found.endpoint,
        "features": found.num_features,
        "decoder": found.decoder,
        "masks": {
            "total": found.num_masks,
            "to_fit": found.to_fit,
            "held_out": found.held_out,
            "near": found.near,
            "looks": list(found.looks),
        },
        "requests": {
            "per_mask": found.requests_per_mask,
            "distinct": found.distinct,
            "on_disk": found.held,
            "probe": found.probe,
            "to_send": load.requests,
        },
        "tokens": {"input": asdict(load.input_tokens), "output": {"most": load.output_tokens}},
        "usd": {
            "live": found.usd and asdict(found.usd),
            "batch": found.batch_usd and asdict(found.batch_usd),
        },
        "price": found.price and asdict(found.price),
        "seconds": {
            **asdict(found.seconds),
            "slowest": found.slowest,
            "answer_seconds": found.pace.answer_seconds,
            "concurrency": found.pace.concurrency,
        },
        "budget": [{"of": each.of, "cap": each.cap, "suffices": each.room} for each in found.caps],
    }


def _draw(found: Plan, console: Console) -> None:
    """The whole plan, for a person."""
    console.print(Text(harmless(f"{found.model} at {found.endpoint}"), style="bold"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=10)
    table.add_column(overflow="fold")
    for name, said in _facts(found):
        table.add_row(Text(name, style="dim"), Text(harmless(said)))
    for check in found.caps:
        line = Text(f"{_cap(check)}: ").append(_SAID[check.room], style=_COLOURS[check.room])
        table.add_row(Text("budget", style="dim"), line)
    console.print(table)
    console.print(Text("Nothing was sent.", style="dim"))


def _facts(found: Plan) -> Iterator[tuple[str, str]]:
    """The numbers, each by its name."""
    load = found.load
    yield (
        "masks",
        f"{found.num_masks:,} of {found.num_features} parts: {found.to_fit:,} to fit, "
        f"{found.held_out:,} held out, {found.near:,} near the prompt",
    )
    yield "decoder", found.decoder
    if len(found.looks) > 1:
        yield "may end", f"at the target, after {' or '.join(f'{n:,}' for n in found.looks)} masks"
    yield (
        "requests",
        f"{found.requests_per_mask} a mask, {found.distinct:,} different, {found.held:,} of them "
        "on disk",
    )
    probing = f", {found.probe} of them by the probe" if found.probe and load.requests else ""
    yield "to send", f"{load.requests:,}{probing}"
    yield (
        "tokens",
        f"about {load.input_tokens.expected:,.0f} read (four bytes a token), at most "
        f"{load.input_tokens.most:,.0f}; at most {load.output_tokens:,} written",
    )
    yield "price", _price(found)
    yield "one by one", "not known" if found.usd is None else _cost(found.usd)
    yield "by batch", _by_batch(found)
    yield "time", _time(found)


def _price(found: Plan) -> str:
    price = found.price
    if price is None:
        return "not known; a spec may give it: [prices] input and output, dollars a million tokens"
    if found.usd is not None and not price.dearest and not price.output:
        return "free"
    return f"${price.input:g} a million tokens read, ${price.output:g} written"


def _by_batch(found: Plan) -> str:
    if found.batch_usd is not None:
        return f"{_cost(found.batch_usd)}, within a day"
    return "no batches here" if found.price is not None else "not known"


def _time(found: Plan) -> str:
    pace, seconds = found.pace, found.seconds
    if found.slowest == "concurrency":
        return (
            f"about {_span(seconds.expected)}, with {pace.concurrency} under way at once, if an "
            f"answer takes {_span(pace.answer_seconds)}"
        )
    return f"about {_span(seconds.expected)}, at most {_span(seconds.most)}, by {found.slowest}"


def _cap(check: CapCheck) -> str:
    return _dollars(check.cap) if check.of == "usd" else f"{check.cap:,.0f} {check.of}"


def _cost(usd: Estimate) -> str:
    return (
        f"about {_dollars(usd.expected)}, at most {_dollars(usd.most)}" if usd.most else "nothing"
    )


def _dollars(amount: float) -> str:
    """Cents; where there are few, as many digits as say anything."""
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.2g}"


def _span(seconds: float) -> str:
    """A length of time, as one says it."""
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
