"""Audit → one page over all of its explanations that needs nothing else."""

from spex_api.report.index_page.render import render

__all__ = ["render"]
