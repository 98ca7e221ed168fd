"""The table from a vendor's errors to ours."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import openai
import pytest
from spex_adapters._errors import OPENAI, Wire, _retry_after, conceal, kind_of_status, one_line

from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    BadRequest,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)


def test_every_openai_exception_is_mapped():
    """A new exception class of the vendor's must get a row of its own, or this fails."""
    modules = (openai, openai._exceptions)
    public = {
        name
        for module in modules
        for name, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception) and found.__module__.startswith("openai")
        if not name.startswith("_")
    }
    assert len(public) > 15
    assert public - set(OPENAI) == set()
    assert all(issubclass(kind, AdapterError) for kind in OPENAI.values())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (307, BadRequest),
        (400, BadRequest),
        (401, AuthenticationFailed),
        (402, QuotaExhausted),
        (403, AuthenticationFailed),
        (404, BadRequest),
        (408, Unavailable),
        (409, Unavailable),
        (413, BadRequest),
        (418, BadRequest),
        (425, Unavailable),
        (429, RateLimited),
        (500, Unavailable),
        (503, Unavailable),
        (529, Unavailable),
    ],
)
def test_status(status, kind):
    """A status without a class of its own is read by its number."""
    assert kind_of_status(status) is kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "10000000"}, 1e7),
    ],
)
def test_retry_after(headers, seconds):
    """The wait that the server asks for is read as it is; whether to sit it out is not ours."""
    assert _retry_after(headers) == seconds


def test_retry_after_date():
    """An HTTP date is turned into the seconds until then, and a past one into none."""
    later = datetime.now(UTC) + timedelta(seconds=90)
    assert _retry_after({"retry-after": format_datetime(later, usegmt=True)}) == pytest.approx(
        90, abs=5
    )
    assert _retry_after({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}) == 0.0


def test_foreign_text_is_harmless():
    """Foreign text is one printable line of bounded length, and no key of any kind is in it."""
    assert one_line("a\n\x1b[2Jb\u202ec.") == "a [2Jb c"
    assert len(one_line("x" * 9999)) == 240
    assert conceal("it was hunter2hunter2", "hunter2hunter2") == "it was [key]"
    assert conceal("Bearer abc, sk-proj-12345678 and sk-ab***yz9", "") == "[key] [key] and [key]"
    assert "hunter2" not in repr(Wire("https://h", "m", "K", "U", "hunter2"))
