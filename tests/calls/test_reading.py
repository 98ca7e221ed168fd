"""Recorded calls and requests saved as JSON, in each of their forms."""

from __future__ import annotations

import json

import pytest

from spex_api.calls.call import Call
from spex_api.calls.line import write_line
from spex_api.calls.reading import asked_by, read_request
from spex_api.errors import CacheCorrupt, SpecError

URL = "https://api.openai.com/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi\nthere"}], "max_tokens": 9}
REPLY = {
    "model": "m-1",
    "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 7},
}
ENTRY = {
    "request": {"method": "POST", "url": f"{URL}?k=1", "postData": {"text": json.dumps(BODY)}},
    "response": {"status": 200, "content": {"text": json.dumps(REPLY)}},
}
PAGE = {"request": {"method": "GET", "url": "https://example.org/"}}


def line(body: bytes = json.dumps(BODY).encode(), **head) -> bytes:
    """A call as it stands in the file of recorded calls."""
    told = {
        "id": "c-1",
        "begun": "2026-11-30T10:00:00Z",
        "seconds": 0.5,
        "url": URL,
        "dialect": "openai.chat",
        "status": 200,
    }
    return write_line({**told, **head}, request=body, reply=json.dumps(REPLY).encode())


def saved(folder, found) -> str:
    path = folder / "request.json"
    path.write_text(found if isinstance(found, str) else json.dumps(found), encoding="utf-8")
    return str(path)


def test_a_recorded_call():
    """Its dialect and address are those of the record; how long its answer was is known."""
    asked = asked_by(Call.from_line(line()))
    assert (asked.wire, asked.url, asked.answered) == ("openai.chat", URL, 7)
    assert asked.messages == tuple(BODY["messages"])
    with pytest.raises(CacheCorrupt, match="c-1"):
        asked_by(Call.from_line(line(b"nonsense")))


@pytest.mark.parametrize(
    ("found", "url", "answered"),
    [
        (BODY, "", None),
        ({"url": URL, "body": BODY}, URL, None),
        ({"url": "https://me:secret@host/v1/messages?key=1", "body": json.dumps(BODY)}, "", None),
        (ENTRY, URL, 7),
        ({"log": {"entries": [PAGE, ENTRY]}}, URL, 7),
        (line().decode(), URL, 7),
    ],
)
def test_each_form_of_a_saved_request(tmp_path, found, url, answered):
    """The body alone, with its url, an archive's entry, an archive, and a line of the record."""
    asked = read_request(saved(tmp_path, found))
    assert asked.messages == tuple(BODY["messages"])
    assert asked.answered == answered
    assert "secret" not in asked.url
    assert "key" not in asked.url
    assert asked.url == (url or asked.url)


def test_one_of_several_requests_is_meant_by_its_number(tmp_path):
    """Requests that ask no model are not counted among them, but keep their numbers."""
    other = json.loads(json.dumps(ENTRY).replace("there", "again"))
    name = saved(tmp_path, {"log": {"entries": [ENTRY, PAGE, other]}})
    assert read_request(f"{name}#3").messages[0]["content"] == "Hi\nagain"
    with pytest.raises(SpecError, match=rf"holds 2 requests to a model: 1 \({URL}\), 3") as caught:
        read_request(name)
    assert "request.json#1" in caught.value.advice
    with pytest.raises(SpecError, match="'2' means none of them"):
        read_request(f"{name}#2")


def test_a_file_whose_name_has_the_mark_is_that_file(tmp_path):
    """What is there is read; what stands behind the mark is no number then."""
    path = tmp_path / "a#1"
    path.write_text(json.dumps(BODY))
    assert read_request(str(path)).model == "m"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("{", "is no JSON"),
        ([BODY], "no JSON object"),
        ({"url": URL, "body": "{"}, "The body of .* is no JSON"),
        ({"log": {"entries": [PAGE]}}, "holds no requests to a model"),
        ({"request": {"url": URL}}, "no JSON object"),
        ('{"call": 1, "dialect": "", "request": {}}', "is no recorded call"),
        ({"input": {}}, "no 'input'"),
    ],
)
def test_what_is_no_request_is_said(tmp_path, found, message):
    """The line names the file."""
    with pytest.raises(SpecError, match=message) as caught:
        read_request(saved(tmp_path, found))
    assert "request.json" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    """Is named, whether a number stands behind it or not."""
    for name in ("none.json", "none.json#2"):
        with pytest.raises(SpecError, match=r"none\.json .*No such file"):
            read_request(str(tmp_path / name))
