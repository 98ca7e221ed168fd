"""One call as one line: what goes in comes out, whatever a server sent."""

from __future__ import annotations

import json

import pytest

from spex_api.calls.line import read_line, write_line
from spex_api.errors import CacheCorrupt

HEAD = {
    "id": "c-mg9x2k4a-7f3kq",
    "parents": ["ticket 4711"],
    "begun": "2026-10-04T10:11:12.131415Z",
    "seconds": 0.25,
    "url": "https://api.openai.com/v1/chat/completions",
    "dialect": "openai.chat",
    "status": 200,
}
ASKED = '{"model":"m","messages":[{"role":"user","content":"Grüße\\n„so“"}]}'.encode()
TOLD = b'{"id":"1","choices":[{"message":{"content":"\\"yes\\""}}]}'


@pytest.mark.parametrize(
    ("reply", "streamed"),
    [
        (TOLD, False),
        (b"data: {}\n\ndata: [DONE]\n\n", True),
        (b"", False),
        (b"Bad gateway", False),
        (b'{"broken": ', False),
        (b'{"broken": "in the middle}', False),
        (b'[1, "a list"]', False),
        (b'{"a":1},"bytes":[1,1],"reply":{}', False),
        (b'{"a":1},"reply":{"b":2}', False),
    ],
)
def test_the_bodies_come_back_as_they_were(reply, streamed):
    """A line is one line, and each body in it the same bytes, whatever they are."""
    line = write_line(HEAD | {"streamed": streamed}, request=ASKED, reply=reply)
    read = read_line(line)
    assert line.index(b"\n") == len(line) - 1
    assert (read.request, read.reply) == (ASKED, reply)
    assert (read.head.id, read.head.parents) == (HEAD["id"], ("ticket 4711",))


def test_a_line_is_json_with_the_bodies_in_it():
    """Any program can read it: a body that is an object is one in the line, too."""
    said = json.loads(write_line(HEAD, request=ASKED, reply=b'{\n  "id": "1"\r\n}\n'))
    assert said["request"] == json.loads(ASKED)
    assert said["reply"] == {"id": "1"}
    assert json.loads(write_line(HEAD, request=ASKED, reply=None))["reply"] is None


def test_what_another_program_wrote_anew_is_read_too():
    """Where the lengths no longer fit, the line is parsed as a whole."""
    line = json.dumps(json.loads(write_line(HEAD, request=ASKED, reply=TOLD)), indent=None)
    read = read_line(line.encode())
    assert json.loads(read.request) == json.loads(ASKED)
    assert json.loads(read.reply) == json.loads(TOLD)


def test_what_is_no_text_is_kept_as_far_as_it_can_be():
    """Bytes that are no UTF-8 become the sign for such."""
    read = read_line(write_line(HEAD, request=ASKED, reply=b"\xff\xfe no"))
    assert read.reply.decode() == "�� no"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b'{"call":1,"bytes":[2,2],"id":"c-1","request":{},"rep',
        write_line(HEAD | {"id": "../x"}, request=ASKED, reply=TOLD),
        write_line(HEAD | {"begun": "2026-10-04T10:11:12"}, request=ASKED, reply=TOLD),
        write_line(HEAD, request=ASKED, reply=TOLD).replace(b'{"call":1', b'{"call":9'),
    ],
)
def test_what_is_no_line_of_ours_is_refused(line):
    """Half a line, another's line, and one of a later version."""
    with pytest.raises(CacheCorrupt, match="cannot be read"):
        read_line(line)
