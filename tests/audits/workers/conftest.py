"""One server and one cluster for the tests of each file over workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spex_api.testing import server_process
from tests.audits.workers.local_cluster import KEY, local_cluster
from tests.postgres import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.testing.process import Served
    from tests.audits.workers.local_cluster import Local


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server in a process of its own."""
    with server_process(latency=0.004) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(served, tmp_path_factory) -> Iterator[Local]:
    """Three workers, which have a key and a password of their own."""
    environment = {
        "OPENAI_BASE_URL": served.openai_url,
        "OPENAI_API_KEY": KEY,
        "PGPASSWORD": PASSWORD,
    }
    with local_cluster(tmp_path_factory.mktemp("cluster"), 3, **environment) as local:
        yield local
