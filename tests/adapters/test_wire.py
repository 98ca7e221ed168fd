"""What may be shown of the wire: foreign text made harmless, secrets taken out."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr
from spex_adapters._wire import Wire, conceal, known_secrets, one_line, read_key, without

from spex_api.errors import AuthenticationFailed

SECRET = "hunter2/hunter2+x"  # noqa: S105 - it opens nothing


def test_foreign_text_is_one_line():
    """Foreign text is one printable line of bounded length."""
    assert one_line("a\n\x1b[2Jb\u202ec.") == "a [2Jb c"
    assert len(one_line("x" * 9999)) == 240


@pytest.mark.parametrize(
    "text",
    [
        "it was {key}",
        "it was hunter2\\/hunter2+x",
        "https://h/v1?q=hunter2%2Fhunter2%2Bx",
        json.dumps({"headers": {"x-api-key": "{key}"}}),
    ],
)
def test_a_known_secret_goes_in_any_spelling(text):
    """The key goes as it is, as JSON escapes it, and as an address does."""
    for shown in (
        conceal(text.replace("{key}", SECRET), SECRET),
        without(text.replace("{key}", SECRET), [SECRET]),
    ):
        assert "hunter2" not in shown
        assert "[key]" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bearer abc, sk-proj-12345678 and sk-ab***yz9", "[key], [key] and [key]"),
        ("authorization: Bearer abc.def", "authorization: [key]"),
        ("{'authorization': 'Basic dXNlcjpw'}", "{'authorization': 'Basic [key]'}"),
        ("Headers({'x-api-key': 'abcdef'})", "Headers({'x-api-key': '[key]'})"),
        ('{"api-key": "abcdef", "a": 1}', '{"api-key": "[key]", "a": 1}'),
        ("x-goog-api-key=abcdef", "x-goog-api-key=[key]"),
        ("Incorrect API key provided: abcd1234", "Incorrect API key provided: [key]"),
        ("GET /v1?key=AIzaSy&x=1", "GET /v1?key=[key]&x=1"),
        ("the key abcd****wxyz is wrong", "the key [key] is wrong"),
        ("Rate limit reached for tokens: 20 of 10", "Rate limit reached for tokens: 20 of 10"),
    ],
)
def test_what_looks_like_a_secret_goes(text, shown):
    """Keys are known by what stands before them too, and other words are left alone."""
    assert conceal(text) == shown


def test_a_reply_stays_what_it_is():
    """Only the very key is taken out of a reply, and a word that stands for none is not one."""
    raw = '{"text": "Bearer bonds, sk-looking-words, and none of it"}'
    assert without(raw, ["none", "x", "", SECRET]) == raw


def test_known_secrets_are_found_by_name(monkeypatch):
    """Another vendor's key in the environment is a secret of ours too."""
    monkeypatch.setenv("SOMEBODY_API_KEY", "other-vendor-key")
    monkeypatch.setenv("SOMEBODY_URL", "https://somebody.example")
    assert "other-vendor-key" in known_secrets()
    assert "https://somebody.example" not in known_secrets()
    wire = Wire("https://h", "m", "K", "U", secret=SecretStr(SECRET))
    assert wire.said(f"{SECRET} and other-vendor-key.") == "[key] and [key]"


def test_a_wire_shows_no_secret():
    """Neither the text nor the fields of a wire show its secret."""
    wire = Wire("https://h", "m", "K", "U", secret=SecretStr(SECRET))
    assert "hunter2" not in repr(wire) + str(wire) + repr(wire.secret)


def test_long_foreign_text_is_quick():
    """A hostile sentence of a million characters is cut before it is looked at closely."""
    assert len(conceal("a" * 1_000_000)) < 5000


@pytest.mark.parametrize("text", ["", "  ", "sk-zoë", "sk-a b", "sk-a\nb"])
def test_a_key_that_no_header_can_carry(monkeypatch, text):
    """Such a key, or none, is refused before anything is sent, and it is not shown."""
    monkeypatch.setenv("SOME_KEY", text)
    with pytest.raises(AuthenticationFailed) as caught:
        read_key("SOME_KEY", endpoint="https://h")
    assert caught.value.unbilled
    assert "SOME_KEY" in str(caught.value)
    assert not text.strip() or text not in str(caught.value)
