"""What a score is told is looked at when it is built: counts, shares and texts.

What this module does not know: what any of them is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_counts", "check_labels", "check_share", "check_texts"]


def check_counts(**counts: object) -> None:
    """Lets pass whole numbers of one and more.

    Raises:
        UsageError: one is less, or no whole number; it is named.
    """
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int):
            raise UsageError(f"A score takes {name} as a whole number, not {count!r}.")
        if count < 1:
            raise UsageError(f"A score takes {name} of at least 1, not {count}.")


def check_share(max_censored: object) -> None:
    """Lets pass a share, from 0 to 1.

    Raises:
        UsageError: it is none.
    """
    if (
        isinstance(max_censored, bool)
        or not isinstance(max_censored, int | float)
        or not 0 <= max_censored <= 1
    ):
        raise UsageError(f"max_censored is a share of all masks, 0 to 1, not {max_censored!r}.")


def check_texts(**texts: object) -> None:
    """Lets pass texts.

    Raises:
        UsageError: one is something else; it is named.
    """
    for name, text in texts.items():
        if not isinstance(text, str):
            raise UsageError(f"A score takes {name} as text, not {text!r}.")


def check_labels(labels: Iterable[object]) -> None:
    """Lets pass labels that are texts.

    Raises:
        UsageError: one is something else.
    """
    for label in labels:
        if not isinstance(label, str):
            raise UsageError(
                f"A label is text, not {label!r}.",
                advice='Name them one by one, as in LabelLogOdds("positive", "negative").',
            )
