"""Explanation → other people's tools: shapiq, shap, pandas, and a spreadsheet."""

from __future__ import annotations

from spex_api.report.exports.csv_text import to_csv
from spex_api.report.exports.frame import to_pandas
from spex_api.report.exports.shap_values import to_shap
from spex_api.report.exports.shapiq_values import to_shapiq

__all__ = ["to_csv", "to_pandas", "to_shap", "to_shapiq"]
