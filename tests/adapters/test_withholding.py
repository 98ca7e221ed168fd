"""What of a call is not kept."""

from __future__ import annotations

import json

import pytest
from spex_adapters._withholding import keys_in, without_keys, without_secrets

TURNS = [{"role": "user", "content": 'My password is 1234, and "api_key": "abc" is a key.'}]


def test_the_keys_of_a_request():
    """Of a header that says what kind of key it is, the key alone."""
    headers = {"authorization": "Bearer sk-12345678", "x-api-key": "k-1", "accept": "all"}
    assert keys_in(headers) == ("sk-12345678", "k-1")


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("sk-12345678", b'{"message": "Incorrect key sk-12345678."}'),
        ("sk/12+345678", b'{"message": "Incorrect key sk\\/12+345678."}'),
        ("sk/12+345678", b"https://host/?key=sk%2F12%2B345678"),
        ('sk-"12345678', b'{"message": "sk-\\"12345678"}'),
    ],
)
def test_a_secret_is_taken_out_however_it_is_spelt(secret, text):
    """As JSON and addresses write it, and nothing else is touched."""
    cleaned = without_secrets(text, (secret,))
    assert b"[key]" in cleaned
    assert b"345678" not in cleaned


@pytest.mark.parametrize("secret", ["none", "sk-87654321", "a/b+c%d e"])
def test_a_text_without_a_secret_is_itself(secret):
    """Also bytes that are no text; and a server's stand-in for a key is in many a text."""
    text = b'{"none": "none \xff"}'
    assert without_secrets(text, (secret,)) is text


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"api_key": "s3cret-1"}, {"api_key": "[key]"}),
        ({"extra": [{"apiKey": "s3cret-1"}]}, {"extra": [{"apiKey": "[key]"}]}),
        (
            {"tools": [{"type": "mcp", "server_url": "u", "authorization": "s3cret-1"}]},
            {"tools": [{"type": "mcp", "server_url": "u", "authorization": "[key]"}]},
        ),
        (
            {"tools": [{"type": "mcp", "headers": {"X-Any": "s3cret-1"}}]},
            {"tools": [{"type": "mcp", "headers": {"X-Any": "[key]"}}]},
        ),
        (
            {"mcp_servers": [{"url": "u", "authorization_token": "s3cret-1"}]},
            {"mcp_servers": [{"url": "u", "authorization_token": "[key]"}]},
        ),
        (
            {
                "data_sources": [
                    {"parameters": {"authentication": {"type": "t", "key": "s3cret-1"}}}
                ]
            },
            {"data_sources": [{"parameters": {"authentication": {"type": "t", "key": "[key]"}}}]},
        ),
        (
            {"data_sources": [{"parameters": {"connection_string": "s3cret-1"}}]},
            {"data_sources": [{"parameters": {"connection_string": "[key]"}}]},
        ),
    ],
)
def test_a_field_that_is_named_like_a_key_is_not_kept(fields, kept):
    """Whatever else stands in the body is kept as it is, and the key is named for the reply."""
    body = {"model": "m", "messages": TURNS}
    text, found = without_keys(json.dumps(body | fields).encode())
    assert json.loads(text) == body | kept
    assert found == ("s3cret-1",)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": TURNS, "max_tokens": 7, "prompt_cache_key": None, "metadata": {"user": "u"}},
        {"input": [{"type": "message", "api_key": "what is asked"}], "instructions": "token"},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"parameters": {"properties": {"token": {"type": "string"}}}},
                },
                {"type": "function", "name": "f", "parameters": {"password": "as told"}},
                {"name": "g", "input_schema": {"headers": {"description": "as told"}}},
            ]
        },
        {"messages": [{"role": "user", "content": "\ud800 half of a pair"}], "n": float("nan")},
        [1, 2],
    ],
)
def test_what_is_asked_is_kept_byte_for_byte(body):
    """A conversation, and what tools are said to take, are what an explanation is about."""
    text = json.dumps(body).encode()
    assert without_keys(text)[0] is text


def test_what_is_no_json_is_kept():
    """It cannot be looked into."""
    assert without_keys(b"{api_key") == (b"{api_key", ())
