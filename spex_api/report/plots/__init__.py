"""Explanation → plots by matplotlib: one kind a file, and `draw` for all of them."""

from spex_api.report.plots.kinds import KINDS, draw

__all__ = ["KINDS", "draw"]
