"""The commands together, and what their errors look like to a shell."""

from __future__ import annotations

import sys

import typer

from spex_api import errors
from spex_api.cli.audit import audit
from spex_api.cli.batch import batch_app
from spex_api.cli.cache import cache_app
from spex_api.cli.calls import calls_app
from spex_api.cli.compare import compare
from spex_api.cli.explain import explain
from spex_api.cli.plan import plan
from spex_api.cli.probe import probe
from spex_api.cli.replay import replay
from spex_api.cli.report import report

__all__ = ["EXIT_STATUS", "app", "run"]

app = typer.Typer(
    name="spex",
    help="Explains API-hosted language models: which parts of a prompt, alone and together, moved "
    "the answer.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(explain)
app.command()(audit)
app.command()(plan)
app.command()(probe)
app.command()(replay)
app.command()(compare)
app.command()(report)
app.add_typer(batch_app)
app.add_typer(cache_app)
app.add_typer(calls_app)


EXIT_STATUS: dict[type[errors.SpexError], int] = {
    errors.CacheMiss: 5,
    errors.AuthenticationFailed: 4,
    errors.QuotaExhausted: 4,
    errors.BudgetExhausted: 3,
    errors.UsageError: 2,
    errors.RetryLater: 3,
    errors.ScoreError: 2,
    errors.EndpointUnfit: 2,
    errors.MissingExtra: 2,
    errors.SpexError: 1,
}
"""By the first class that an error is one of. 0 is done; 130, as in every shell, is Ctrl-C."""


def run(arguments: list[str]) -> int:
    """Runs one command.

    Returns:
        The exit status.
    """
    try:
        app(args=arguments)
    except errors.SpexError as error:
        print(f"spex: {error}", file=sys.stderr)  # noqa: T201 - the command line's own voice
        return next(status for kind, status in EXIT_STATUS.items() if isinstance(error, kind))
    except SystemExit as end:  # how a command ends, and how a wrong flag does
        return end.code if isinstance(end.code, int) else 0
    return 0
