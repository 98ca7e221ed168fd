"""Explanation → one page that needs nothing else, and reads without its script."""

from spex_api.report.page.render import framed, render

__all__ = ["framed", "render"]
