"""Where a store is, said without a password."""

from __future__ import annotations

import pytest

from spex_api.errors import UsageError
from spex_api.querying.shared.address import Address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s3cret@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgres://me:s3cr%40et@host/db", "postgres://me@host/db"),
        (
            "postgresql://host/db?user=me&password=s3cret&sslmode=require",
            "postgresql://host/db?user=me&sslmode=require",
        ),
        ("postgresql://me@[::1]:5432/db", "postgresql://me@[::1]:5432/db"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    """Neither is it in the repr, nor in what the client says of it."""
    address = Address.of(url)
    assert (address.shown, "s3cr" in repr(address)) == (shown, False)
    assert "s3cr" not in address.scrubbed(
        f"no route to {url}: s3cret s3cr%40et s3cr@et"[: len(url) + 13]
    )


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:s3cret@host/db",
        "s3cret",
        "",
        "postgresql:me:s3cret",
        "postgresql://me:s3cret@x@host/db",
        "postgresql://me:s3/cret@host/db",
        "postgresql://me:s3#cret@host/db",
        "postgresql://me:s3cret @host/db",
        "postgresql://[me:s3cret@host/db",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(url):
    """It may hold a password anywhere."""
    with pytest.raises(UsageError, match="no address of a shared store") as told:
        Address.of(url)
    assert "s3" not in str(told.value)
