"""Narrow-sense binary BCH codes, shortened: from parities of a support, the support.

A support of at most t features is an error pattern on an all-zero message. Its parities are read
off 1 + P queries a bin; decoding `[0 | parities]` finds the support, and corrects parities that
noise has turned, as long as features and turned parities are at most t together.

Letters as in Lin and Costello 2004, *Error Control Coding*, §6: the code over GF(2^m) corrects t
errors, g is its generator polynomial of degree P, and position i of a word belongs to `α^i`. Parity
bits stand at the positions 0 … P − 1, feature i at position P + i. What this module does not know:
how likely a parity is turned (`chase`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from spex_api.codes.gf2m import Field, field_of_order
from spex_api.codes.locator import locators, roots
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BCH", "Words", "bch_code"]

_LARGEST_EXPONENT = 14
_MOST_ERRORS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What decoding made of a batch of words; one entry for each that is within t errors.

    Attributes:
        rows: shape (num_decoded,), which word of the batch.
        supports: shape (num_decoded, t), the features, ascending; −1 fills up.
        num_turned: shape (num_decoded,), how many parities were corrected.
    """

    rows: NDArray[np.intp]
    supports: NDArray[np.intp]
    num_turned: NDArray[np.intp]


@dataclass(frozen=True)
class BCH:
    """The code for supports of at most t among n features.

    Attributes:
        num_features: n, the message's length after shortening.
        num_errors: t.
        field: GF(2^m), m the smallest whose code is long enough.
        generator: the coefficients of g over GF(2), lowest degree first.
    """

    num_features: int
    num_errors: int
    field: Field
    generator: tuple[int, ...]

    @property
    def num_parities(self) -> int:
        """P, the degree of the generator polynomial."""
        return len(self.generator) - 1

    @cached_property
    def parity_check(self) -> NDArray[np.uint8]:
        """Shape (P, n): column i holds the parities of feature i, the bits of `x^(P+i) mod g`."""
        taps = np.array(self.generator[:-1], dtype=np.uint8)
        columns = np.empty((self.num_features, self.num_parities), dtype=np.uint8)
        remainder = taps
        for feature in range(self.num_features):
            columns[feature] = remainder
            shifted = np.concatenate([[0], remainder[:-1]]).astype(np.uint8)
            remainder = shifted ^ (taps * remainder[-1])
        check = np.ascontiguousarray(columns.T)
        check.flags.writeable = False
        return check

    @cached_property
    def parity_syndromes(self) -> NDArray[np.int32]:
        """Shape (P, t): what each parity adds to the syndromes `S_1, S_3, …, S_{2t−1}`."""
        odd = 1 + 2 * np.arange(self.num_errors)
        contributions = self.field.power(np.arange(self.num_parities)[:, None] * odd)
        contributions.flags.writeable = False
        return contributions

    def syndromes(self, parities: NDArray[np.integer | np.bool_]) -> NDArray[np.int32]:
        """`S_l = Σ_p r_p α^{lp}` for odd l, of words that hold only parities.

        Args:
            parities: shape (num_words, P), of 0 and 1 or bool.

        Returns:
            Shape (num_words, t).
        """
        total = np.zeros((len(parities), self.num_errors), dtype=np.int32)
        for bits, contribution in zip(parities.T, self.parity_syndromes, strict=True):
            total ^= bits[:, None].astype(np.int32) * contribution
        return total

    def decode(self, parities: NDArray[np.integer | np.bool_]) -> Words:
        """Hard decoding of `[0 | parities]`, a word a row; what cannot be decoded is left out.

        Args:
            parities: shape (num_words, P), of 0 and 1 or bool.
        """
        return self.decode_syndromes(self.syndromes(parities))

    def decode_syndromes(self, syndromes: NDArray[np.int32]) -> Words:
        """The supports behind syndromes, by Berlekamp's algorithm and the roots of its polynomial.

        Words further than t errors from the code, and words whose errors lie in the positions that
        shortening cut off, are left out.

        Args:
            syndromes: shape (num_words, t), of `S_1, S_3, …`.
        """
        length = self.num_parities + self.num_features
        polynomials, num_errors = locators(self.field, syndromes)
        rows, positions = roots(self.field, polynomials, num_errors, length=length)
        features = positions - self.num_parities
        is_feature = features >= 0
        turned = ((positions >= 0) & ~is_feature).sum(axis=1)
        # Ascending, with what is no feature behind: sorted as if it were the largest.
        order = np.sort(np.where(is_feature, features, self.num_features), axis=1)
        supports = np.where(order < self.num_features, order, -1)
        return Words(rows, supports, turned)


@cache
def bch_code(num_features: int, num_errors: int) -> BCH:
    """The shortest code for supports of at most t among n features.

    Raises:
        UsageError: t is not from 1 to 6, there is no feature, or there are more than the largest
            field serves.
    """
    if num_features < 1 or not 1 <= num_errors <= _MOST_ERRORS:
        raise UsageError(
            f"A code takes at least one feature and a degree from 1 to {_MOST_ERRORS}, not "
            f"{num_features} and {num_errors}."
        )
    # In a field with at most 2t elements besides 0, g has all of them as roots: no message is left.
    for exponent in range(2, _LARGEST_EXPONENT + 1):
        field = field_of_order(exponent)
        generator = _generator(field, num_errors)
        if field.order - (len(generator) - 1) >= num_features:
            return BCH(num_features, num_errors, field, generator)
    raise UsageError(f"There is no code here for {num_features} features: too many.")


def _generator(field: Field, num_errors: int) -> tuple[int, ...]:
    """The product of the minimal polynomials of `α, α³, …, α^{2t−1}`, each once."""
    exponents: set[int] = set()
    for odd in range(1, 2 * num_errors, 2):
        exponents.update(odd * 2**times % field.order for times in range(field.exponent))
    polynomial = np.ones(1, dtype=np.int32)
    for exponent in sorted(exponents):
        root = field.power(np.array([exponent]))
        shifted = np.concatenate([[0], polynomial]).astype(np.int32)
        shifted[:-1] ^= field.multiply(polynomial, root)
        polynomial = shifted
    return tuple(polynomial.tolist())
