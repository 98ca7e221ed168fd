"""Claims: what this process asks, for the others to see."""

from __future__ import annotations

import errno
import fcntl
import stat

import pytest

from spex_api.querying.answers.claims import Claims

KEY = "f" * 64


@pytest.fixture
def claims(tmp_path):
    opened = Claims(tmp_path / "claims")
    yield opened
    opened.close()


def test_its_own_claims_do_not_hinder_a_process(claims, tmp_path):
    """Taken, given back, and taken again; the file is its owner's alone."""
    assert claims.take(KEY)
    claims.give_back(KEY)
    assert claims.take(KEY)
    assert stat.S_IMODE((tmp_path / "claims").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("number", "granted"), [(errno.EAGAIN, False), (errno.EACCES, False), (errno.ENOLCK, True)]
)
def test_a_lock_that_is_refused(claims, monkeypatch, number, granted):
    """What another holds is not ours; where there are no locks, nobody is hindered."""

    def refuse(*_):
        raise OSError(number, "refused")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    assert claims.take(KEY) is granted
    claims.give_back(KEY)


def test_a_link_is_not_followed(tmp_path):
    """It might lead to anybody's file."""
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "claims").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Claims(tmp_path / "claims")


def test_what_is_closed_hinders_nobody(claims):
    """After closing, and closing again, every claim is granted."""
    claims.close()
    claims.close()
    assert claims.take(KEY)
    claims.give_back(KEY)
