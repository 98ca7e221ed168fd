"""The surrogate's Shapley values as shap has them, so that its plots take them.

What this module does not know: what shap draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from spex_api.indices import interactions as by_index
from spex_api.report.exports.theirs import load
from spex_api.report.naming import Names, excerpt
from spex_api.report.story import harmless

if TYPE_CHECKING:
    import shap
    from numpy.typing import NDArray

    from spex_api.explanation import Explanation
    from spex_api.transforms import FourierTransform

__all__ = ["to_shap"]

_LABEL: Final = 40
"""Characters that still fit beside a bar."""


def to_shap(explanation: Explanation, *, interactions: bool = False) -> shap.Explanation:
    """The Shapley values of the surrogate, whichever index was asked for: one row, as of one input.

    `base_values` is the surrogate with everything masked; with the values it adds up to the
    surrogate of the whole prompt. `data` are the features' texts with the white space behind them,
    for `shap.plots.text`; `feature_names` and `display_data` name them in the other plots. Control
    and direction characters in texts are replaced, and matplotlib reads no dollar sign as
    mathematics.

    Args:
        explanation: what is told.
        interactions: whether the values are parted into a symmetric matrix, shape (num_features,
            num_features): beside the diagonal half of the Shapley interaction index of order 2, on
            it what is left of the feature's Shapley value, so that rows add up to these (Lundberg
            et al. 2020, "From local explanations to global understanding", SHAP interaction
            values).

    Returns:
        Values of shape (num_features,), or the matrix, in the score's unit.

    Raises:
        MissingExtra: shap is not installed.
    """
    theirs = load("shap", asked="to_shap()")
    transform = explanation.transform
    shown, names = _labels(explanation)
    told: shap.Explanation = theirs.Explanation(
        _matrix(transform) if interactions else _alone(transform),
        base_values=float(transform(np.zeros((1, transform.num_features), dtype=np.uint8))[0]),
        data=np.array(_texts(explanation), dtype=object),
        display_data=np.array(shown, dtype=object),
        feature_names=names,
    )
    return told


def _alone(transform: FourierTransform) -> NDArray[np.float64]:
    values = np.zeros(transform.num_features)
    for (feature,), value in by_index(transform, "SV").items():
        values[feature] = value
    return values


def _matrix(transform: FourierTransform) -> NDArray[np.float64]:
    matrix = np.zeros((transform.num_features, transform.num_features))
    for support, value in by_index(transform, "SII", order=2).items():
        if len(support) == 2:
            first, second = support
            matrix[first, second] = matrix[second, first] = value / 2
    np.fill_diagonal(matrix, _alone(transform) - matrix.sum(axis=1))
    return matrix


def _texts(explanation: Explanation) -> list[str]:
    """The features' texts such that joined they read as the prompt does."""
    num_features = explanation.transform.num_features
    names = explanation.interactions.names
    texts = [f"{name} " for name in names or Names.of(explanation).short]
    if explanation.prompt is not None and explanation.prompt.num_features == num_features:
        texts = [""] * num_features
        for _, parts in explanation.prompt.marked():
            for each in parts:
                if each.feature is not None:
                    texts[each.feature] += each.part.original
    return [harmless(text) for text in texts]


def _labels(explanation: Explanation) -> tuple[list[str], list[str]]:
    """What shap writes on either side of the equals sign beside a bar: a value, and a name."""
    names = Names.of(explanation)
    texts = [_label(text) for text in names.texts]
    if names.addressed:
        return texts, [_label(address) for address in names.short]
    parts = [f"part {number + 1}" for number in range(len(texts))]
    if not any(texts):
        return ["kept"] * len(parts), parts
    return parts, texts


def _label(text: str) -> str:
    # matplotlib takes what stands between two dollar signs for mathematics, and fails at it.
    return excerpt(harmless(text), _LABEL).replace("$", r"\$")
