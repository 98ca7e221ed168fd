"""Audits: one budget for all, each as far as it pays, and the same again from disk."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

import spex_api as spex
from spex_api.audit_file import StoredAudit
from spex_api.audited import Standing
from spex_api.audits.auditing import audit, audit_sync
from spex_api.decoding import Lasso
from spex_api.errors import (
    CacheMiss,
    EndpointUnfit,
    PromptError,
    QuotaExhausted,
    ScoreError,
    SpecError,
    Unavailable,
    UsageError,
)
from spex_api.events import Notice, Progress
from spex_api.querying import retry
from tests.audits.played import SETTINGS, TEMPLATE, model, opinion, rows

ROWS = rows(5)
BUDGET = spex.Budget(600)


def told(done):
    """All that an audit writes: its file and each explanation's."""
    return [
        StoredAudit.of(done).text(),
        *(case.explanation.to_json() for case in done.cases if case.explanation is not None),
    ]


def audited(asked=None, prompts=ROWS, **settings):
    """An audit of the toy."""
    return audit_sync(prompts, asked or model(), **{"budget": BUDGET, **SETTINGS, **settings})


def test_all_prompts_share_one_budget():
    """Its requests are all that is asked; each prompt is listed with what it reached."""
    asked = model()
    done = audited(asked)
    assert [case.case_id for case in done.cases] == [row["id"] for row in ROWS]
    assert [case.columns["text"] for case in done.cases] == [row["text"] for row in ROWS]
    assert all(case.explanation.faithfulness.num_masks > 5 for case in done.cases)
    assert len(asked.requests) == done.usage.sent <= BUDGET.requests
    assert done.usage.requests == sum(case.explanation.usage.requests for case in done.cases)
    assert BUDGET.requests - done.usage.requests < 75
    assert done.complete
    assert "5 prompts" in done.ending
    took = {case.explanation.provenance.planned for case in done.cases}
    assert len(took) > 1, "queries went to some rather than to others"


def test_what_is_on_disk_is_not_asked_again_and_a_replay_asks_nothing():
    """Both write the same bytes; a larger budget begins where the smaller one ended."""
    first, again = model(), model()
    done = audited(first)
    assert told(audited(again)) == told(done)
    assert again.requests == []
    replayed = audited(again, mode="replay", recorded=done)
    assert told(replayed) == told(done)
    assert (again.requests, replayed.usage.sent) == ([], 0)
    more = audited(again, budget=spex.Budget(900))
    assert 0 < len(again.requests) <= 900 - done.usage.requests
    assert more.usage.requests > done.usage.requests


def test_an_audit_that_is_broken_off_goes_on(answers, monkeypatch):
    """Cancelled in the middle and asked again, it ends alike, and nothing was paid twice."""
    smooth = audited()
    monkeypatch.setenv("SPEX_CACHE_DIR", str(answers.with_name("others")))
    asked = model()

    async def broken_off():
        running = asyncio.create_task(audit(ROWS, asked, budget=BUDGET, **SETTINGS))

        def stop(_):
            if len(asked.requests) == 300:
                running.cancel()
            return opinion(_)

        object.__setattr__(asked, "answer", stop)
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(broken_off())
    assert 300 <= len(asked.requests) < smooth.usage.requests - 100
    assert told(audited(asked)) == told(smooth)
    assert len(asked.requests) == smooth.usage.sent


def test_what_goes_wrong_with_one_stops_no_other():
    """It is listed with a sentence, and a replay lists it again."""
    bad = [
        {"id": "short", "text": "good", "group": "a"},
        {"id": "refused", "text": "a forbidden word and a good plot and a cast", "group": "a"},
        {"id": "empty", "text": "", "group": "b"},
    ]
    prompts = [bad[0], *ROWS[:2], *bad[1:]]
    done = audited(prompts=prompts, budget=spex.Budget(300))
    standing = {case.case_id: case.standing for case in done.cases}
    errors = {case.case_id: case.error for case in done.cases}
    assert {name for name in standing if standing[name] is Standing.FAILED} == {
        "short",
        "refused",
        "empty",
    }
    assert "one feature" in errors["short"]
    assert "does not like" in errors["refused"]
    assert not done.complete
    assert all(case.explanation for case in done.cases if case.case_id.startswith("case"))
    replayed = audited(prompts=prompts, budget=spex.Budget(300), mode="replay", recorded=done)
    assert told(replayed) == told(done)


@pytest.mark.parametrize("budget", [spex.Budget(120), spex.Budget(700, tokens=500)])
def test_where_the_budget_ends_is_told_and_rebuilt(budget):
    """By requests some prompts are never asked; by tokens a look may break off in the middle."""
    done = audited(budget=budget)
    ended = [case for case in done.cases if case.standing is Standing.ENDED]
    assert ended
    assert not done.complete
    assert "the budget ended" in done.ending
    replayed = audited(budget=budget, mode="replay", recorded=done)
    assert told(replayed) == told(done)


def test_a_cap_in_tokens_is_met_by_asking_less():
    """What is left of it is told in requests, so that looks end rather than break off."""
    done = audited(budget=spex.Budget(100_000, tokens=1000), most=200)
    assert sum(case.explanation is not None for case in done.cases) == len(ROWS)
    assert 750 < done.usage.input_tokens + done.usage.output_tokens <= 1000


def test_prompts_that_reach_the_target_are_asked_no_more():
    """What they leave goes to the others."""
    done = audited(budget=spex.Budget(1200), target_faithfulness=0.8)
    reached = [case for case in done.cases if case.standing is Standing.REACHED]
    assert reached
    for case in reached:
        assert case.explanation.faithfulness.low >= 0.8
        assert case.explanation.target == 0.8
        assert "reached the target" in case.explanation.ending


def test_a_prompt_that_nothing_moves_is_left_alone():
    """Its values do not vary: more of them show nothing."""
    dull = {"id": "dull", "text": "the plot and the cast and the plot again", "group": "a"}
    done = audited(prompts=[ROWS[0], dull, ROWS[1]], budget=spex.Budget(500))
    assert done.cases[1].standing is Standing.HOPELESS
    assert done.cases[1].explanation.provenance.planned < 100


def test_a_prompt_by_which_the_endpoint_seems_unfit_does_not_condemn_it():
    """Where the next one shows that it reads what it is asked; three alike do condemn it."""
    text = "the plot and the cast and the plot again"
    dull = [{"id": f"dull {at}", "text": text + " more" * at, "group": "a"} for at in range(3)]
    done = audited(prompts=[dull[0], ROWS[0]], budget=spex.Budget(200))
    assert [case.standing is Standing.FAILED for case in done.cases] == [True, False]
    with pytest.raises(EndpointUnfit, match="does not read the prompt"):
        audited(prompts=[*dull, ROWS[0]])


def test_each_case_has_masks_of_its_own():
    """Two prompts of one length are asked under different masks; another seed, other masks."""
    text = ROWS[0]["text"]
    asked, again = model(), model()
    twins = [{"id": "a", "text": text}, {"id": "b", "text": text}]
    done = audited(asked, twins, budget=spex.Budget(160))
    seeds = {case.explanation.provenance.seed for case in done.cases}
    assert len(seeds) == 2
    audited(again, twins, budget=spex.Budget(160), seed=1)
    assert len(again.requests) > 0


def test_a_function_may_make_the_prompts():
    """Of conversations, for one; columns hold lists as JSON."""

    def make(columns):
        return spex.Prompt.from_openai(
            [{"role": "user", "content": columns["text"]}], split="words"
        )

    done = audited(prompts=ROWS[:2], template=make, budget=spex.Budget(200))
    assert all(case.explanation is not None for case in done.cases)


def test_processes_decode_to_the_same_bytes():
    """A decoder that cannot be sent to one is run in a thread."""
    here = audited(prompts=ROWS[:2], budget=spex.Budget(200))
    apart = audited(prompts=ROWS[:2], budget=spex.Budget(200), processes=1)
    assert told(apart) == told(here)

    class Own(Lasso):
        """Defined within a function, so that no other process finds it."""

    own = audited(prompts=ROWS[:2], budget=spex.Budget(200), processes=1, decoder=Own())
    assert own.usage.sent == 0


def test_the_public_door_is_a_function_whatever_was_imported():
    """No package of ours has its name, which an import would put in its place."""
    assert spex.audit is audit
    assert spex.audit_sync is audit_sync


def test_events_tell_how_far_it_is():
    """Answers never become fewer, and every round is told with what is reached so far."""
    events = []
    audited(on_event=events.append)
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert last.done <= last.total <= BUDGET.requests
    assert last.sent > 0.9 * last.done
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == len(set(notices))
    assert "Round 2" in " ".join(notices)
    assert "Mean faithfulness so far" in notices[-1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"groups": ["sex"]}, "Row 1.*no 'sex'"),
        ({"key": "sex"}, "Row 1.*no 'sex'"),
        ({"template": "{review}"}, "Row 1.*no 'review'"),
        ({"most": 3}, "20 masks at least"),
        ({"processes": -1}, "no -1 processes"),
        ({"target_faithfulness": 2.0}, "between 0 and 1"),
        ({"order": 0}, "order"),
        ({"budget": 5}, "no budget"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_sent(settings, words):
    """In a sentence."""
    asked = model()
    with pytest.raises(UsageError, match=words):
        audited(asked, **settings)
    assert asked.requests == []


def test_where_nothing_can_be_explained_the_first_error_is_raised():
    """It says which prompt it is of, and of how many."""
    with pytest.raises(PromptError, match=r"None of 2 prompts.*\(1\).*") as caught:
        audited(prompts=["", " "])
    assert "could be explained" in str(caught.value)
    with pytest.raises(ScoreError):
        audited(score=["yes", "no"])


def test_what_any_prompt_would_meet_ends_the_audit():
    """An empty account is not each prompt's own fault; what was answered is on disk."""
    asked = model()

    def poor(messages):
        if len(asked.requests) > 200:
            raise QuotaExhausted("There is no credit left.", unbilled=True)
        return opinion(messages)

    asked = replace(asked, answer=poor)
    with pytest.raises(QuotaExhausted):
        audited(asked)
    done = audited()
    assert done.usage.cached >= 200
    with pytest.raises(CacheMiss):
        audited(mode="replay", seed=5)


def test_an_endpoint_that_is_gone_is_not_asked_for_every_prompt(monkeypatch):
    """After a few prompts one after another the audit ends."""
    monkeypatch.setattr(retry, "_backoff", lambda state: 0.0)
    monkeypatch.setattr(retry, "_doubt", lambda state: 0.0)
    asked = model()

    def gone(messages):
        if len(asked.requests) > 100:
            raise Unavailable("Nobody is there.", unbilled=True)
        return opinion(messages)

    asked = replace(asked, answer=gone)
    with pytest.raises(Unavailable):
        audited(asked, prompts=rows(12), budget=spex.Budget(1200))


def test_a_file_of_rows_is_an_audit_too(tmp_path):
    """And a row that cannot be read is named before anything is sent."""
    path = tmp_path / "cases.csv"
    path.write_text("id,text\n" + "\n".join(f"{row['id']},{row['text']}" for row in ROWS[:2]))
    done = audit_sync(path, model(), budget=spex.Budget(200), **SETTINGS)
    assert [case.case_id for case in done.cases] == ["case 0", "case 1"]
    path.write_text("id,review\n1,good\n")
    with pytest.raises(SpecError, match="'text', which the template names"):
        audit_sync(path, model(), **SETTINGS)
    assert TEMPLATE in SETTINGS["template"]
