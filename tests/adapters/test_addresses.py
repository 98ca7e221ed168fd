"""Where prompts and keys may be sent."""

from __future__ import annotations

import pytest
from spex_adapters._addresses import checked_address, is_loopback

from spex_api.errors import UsageError


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("https://API.Example.com:443/v1/", "https://api.example.com/v1"),
        ("https://api.example.com:8443", "https://api.example.com:8443"),
        ("HTTP://LocalHost:8000/v1/", "http://localhost:8000/v1"),
        ("http://127.0.0.1:80/v1", "http://127.0.0.1/v1"),
        ("http://[::1]:9/v1", "http://[::1]:9/v1"),
        ("http://10.1.2.3/v1", "http://10.1.2.3/v1"),
        ("http://ollama:11434/v1", "http://ollama:11434/v1"),
    ],
)
def test_normal_form(given, normal):
    """Two spellings of one address are one endpoint, so that they share their answers."""
    assert checked_address(given, variable="OPENAI_BASE_URL") == normal
    assert checked_address(normal, variable="OPENAI_BASE_URL") == normal


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host/v1",
        "host/v1",
        "https://",
        "https://user:pa55word@host/v1",
        "https://pa55word@host/v1",
        "https://host/v1?key=pa55word",
        "https://host/v1#pa55word",
        "https://host:port/v1",
        "http://api.openai.com/v1",
        "http://8.8.8.8/v1",
        "https://169.254.169.254/v1",
        "http://169.254.169.254/latest",
        "http://2852039166/latest",
        "http://0xa9fea9fe/latest",
        "http://169.254.43518/latest",
        "http://[::ffff:169.254.169.254]/latest",
        "http://[fe80::1]/v1",
        "http://[fd00:ec2::254]/v1",
        "http://100.100.100.200/v1",
        "http://metadata/v1",
        "http://metadata.google.internal/v1",
        "http://Metadata.Google.Internal./v1",
    ],
)
def test_refused(url):
    """Other schemes, hidden secrets, public plain http and metadata services are refused."""
    with pytest.raises(UsageError, match="OPENAI_BASE_URL") as caught:
        checked_address(url, variable="OPENAI_BASE_URL")
    assert "pa55word" not in str(caught.value)


def test_loopback():
    """Only this machine is loopback; a private neighbour is not."""
    assert is_loopback("http://127.0.0.1:1/v1")
    assert is_loopback("http://[::1]/v1")
    assert is_loopback("http://localhost/v1")
    assert not is_loopback("http://10.0.0.1/v1")
    assert not is_loopback("http://ollama/v1")
