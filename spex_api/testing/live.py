"""The option `--live` of pytest: whether written regression tests ask again, which may cost money.

It is a plugin that comes with the package, and loads nothing but itself. Where another plugin or a
conftest has an option of that name, theirs counts. What this module does not know: what is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["OPTION", "pytest_load_initial_conftests"]

OPTION: Final = "--live"
_NOBODYS: Final = object()


# In the old form, which pytest before 8 knows too.
@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser
) -> Generator[None]:
    """Adds the option once every plugin and conftest that may have it has been heard."""
    yield
    if early_config.getoption(OPTION, default=_NOBODYS) is _NOBODYS:
        parser.getgroup("spex-api", "spex-api").addoption(
            OPTION,
            action="store_true",
            default=False,
            help="let tests that explanation.to_pytest wrote ask the pipeline or the model again",
        )
