"""Every lie that the fault server tells, over HTTP and through the whole stack, is found out."""

from __future__ import annotations

import asyncio
import json

import pytest
from spex_adapters.openai import OpenAIAdapter

from spex_api.errors import EndpointUnfit, MalformedReply
from spex_api.prompts import Prompt
from spex_api.querying.budget import Budget
from spex_api.querying.policy import Meter
from spex_api.querying.probe import probe
from spex_api.querying.probing.probed import Probed, Verdict
from spex_api.querying.probing.sanity import Flaw
from spex_api.querying.stack import open_stack
from spex_api.scores import LabelLogOdds
from spex_api.testing import FaultServer, Row, Script, faults

PROMPT = Prompt.from_template("Review: {text}", text="Her acting never fails to impress us")
SCORE = LabelLogOdds("positive", "negative")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    """A key, which no server here looks at."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-test")


def asked(script: Script | None = None, *, require: bool = False) -> tuple[Probed, FaultServer]:
    async def main():
        async with FaultServer(script) as server:
            adapter, meter = OpenAIAdapter("m", base_url=server.openai_url), Meter()
            opened = open_stack(
                adapter, budget=Budget(requests=20), meter=meter, on_event=lambda event: None
            )
            try:
                async with opened as stack:
                    found = await probe(stack.adapter, PROMPT, SCORE, meter=meter, require=require)
            finally:
                await adapter.aclose()
            return found, server

    return asyncio.run(main())


def verdicts(found: Probed) -> dict[str, Verdict]:
    return {finding.about: finding.verdict for finding in reversed(found.findings)}


LIARS = {
    faults.LOGPROBS_DROPPED: Flaw.ABSENT,
    faults.LOGPROBS_NULL: Flaw.NULL,
    faults.LOGPROBS_EMPTY: Flaw.NULL,
    faults.LOGPROBS_UNLISTED: Flaw.LISTLESS,
    faults.ALL_ZERO: Flaw.ZEROS,
    faults.ALL_NINES: Flaw.SENTINELS,
    faults.CHOSEN_NINES: Flaw.UNTOLD,
    faults.CHOSEN_NOT_LISTED: Flaw.UNRELATED,
    faults.UNRELATED_LIST: Flaw.UNRELATED,
    faults.MASS_ABOVE_ONE: Flaw.HEAVY,
    faults.SAME_ANSWER: Flaw.CONSTANT,
}


@pytest.mark.parametrize(
    ("fault", "flaw"), LIARS.items(), ids=lambda each: getattr(each, "name", "")
)
def test_each_lie_ends_in_its_own_sentence(fault, flaw):
    """No value gets out of a server that lies always; the error holds no key."""
    with pytest.raises(EndpointUnfit) as caught:
        asked(Script.always(fault), require=True)
    assert flaw in caught.value.cause
    assert "sk-secret" not in str(caught.value)


def test_what_is_no_number_is_no_reply():
    """NaN is not JSON: the adapter refuses it before a probe sees it."""
    with pytest.raises(MalformedReply):
        asked(Script.always(faults.NAN_LOGPROBS), require=True)


def test_log_probs_that_the_temperature_sharpens():
    """A server that scales by the temperature of the request, clamped at a tenth, is unfit."""

    def is_cold(received) -> bool:
        return json.loads(received.key)["temperature"] == 0

    script = Script(rows=(Row(faults.temperature_scaled(0.1), when=is_cold),))
    with pytest.raises(EndpointUnfit, match="change with the temperature"):
        asked(script, require=True)


def test_an_honest_server_is_fit():
    """Nothing to warn of, no noise, and nine answers, each paid once."""
    found, server = asked(require=True)
    assert {finding.verdict for finding in found.findings} == {Verdict.OK}
    assert found.noise_floor == 0.0
    assert found.capabilities.top_logprobs == 20
    # Repeats and the whole prompt have one body; the other five questions have one each.
    assert sorted(server.paid.values()) == [1, 1, 1, 1, 1, 4]


def test_noise_has_a_floor():
    """What differs from answer to answer is measured, and is no lie."""
    found, _ = asked(Script.always(faults.noisy(0.05)), require=True)
    assert 0 < found.noise_floor < 0.1


def test_missing_usage_is_warned_of():
    """It is no lie about the answer, but about its cost."""
    found, _ = asked(Script.always(faults.WITHOUT_USAGE), require=True)
    assert verdicts(found)["usage"] is Verdict.WARNING


def test_a_failure_in_between_is_sat_out():
    """A failed attempt is tried again by the stack, and is no latency of an answer."""
    found, server = asked(Script.numbered({3: faults.SERVER_ERROR}), require=True)
    assert found.is_fit
    assert found.requests == 9
    assert len(server.received) == 10
    assert found.latency is not None
    assert found.latency.count == 7
