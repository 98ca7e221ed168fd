"""For tests, the user's and ours: models that are functions, and servers that fail on purpose."""

from __future__ import annotations

from spex_api.testing.functions import FunctionAdapter, planted_transform

__all__ = ["FunctionAdapter", "planted_transform"]
