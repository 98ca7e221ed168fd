"""The command line: one command a file; it draws the events and decides nothing."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Runs `spex`, and turns what goes wrong into one line and an exit status."""
    # Imported here: `import spex_api.cli` stays as cheap as `import spex_api`.
    from spex_api.cli.app import run  # noqa: PLC0415

    sys.exit(run(sys.argv[1:]))
