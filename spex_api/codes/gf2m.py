"""The finite fields GF(2^m), by tables of logarithms.

An element is an integer whose bits are the coefficients of a polynomial in α, the root of the
field's primitive polynomial; addition is XOR. Lin and Costello 2004, *Error Control Coding*, §2.
What this module does not know: codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Field", "field_of_order"]

_PRIMITIVE = {
    2: 0b111,
    3: 0b1011,
    4: 0b10011,
    5: 0b100101,
    6: 0b1000011,
    7: 0b10001001,
    8: 0b100011101,
    9: 0b1000010001,
    10: 0b10000001001,
    11: 0b100000000101,
    12: 0b1000001010011,
    13: 0b10000000011011,
    14: 0b100010001000011,
}
"""The primitive polynomial of each degree in Lin and Costello 2004, table 2.7."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """GF(2^m).

    Attributes:
        exponent: m.
        powers: shape (2 · (2^m − 1) + 1,), int32, `α^i`, twice over so that sums of two logarithms
            need no modulo; the last entry is 0, for products with 0.
        logarithms: shape (2^m,), int32, the i of `α^i`; that of 0 is so large that whatever it is
            added to points behind `powers`.
    """

    exponent: int
    powers: NDArray[np.int32]
    logarithms: NDArray[np.int32]

    @property
    def order(self) -> int:
        """How many elements are not zero: `2^m − 1`, the period of α."""
        return (1 << self.exponent) - 1

    def multiply(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int32]:
        """The product of two arrays of elements, int32, by broadcasting."""
        return self._exponential(self.logarithms[left] + self.logarithms[right])

    def divide(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int32]:
        """The quotient of two arrays of elements, by broadcasting; undefined where divided by 0."""
        return self._exponential(self.logarithms[left] + self.order - self.logarithms[right])

    def square(self, elements: NDArray[np.int32]) -> NDArray[np.int32]:
        """The square of each element."""
        return self._exponential(2 * self.logarithms[elements])

    def power(self, exponents: NDArray[np.integer]) -> NDArray[np.int32]:
        """`α` to each exponent, which may be any integer; the exponents' shape, int32."""
        return self._exponential(exponents % self.order)

    def _exponential(self, logarithms: NDArray[np.integer]) -> NDArray[np.int32]:
        """`α^i` for sums of logarithms, and 0 where the logarithm of 0 is in the sum."""
        elements: NDArray[np.int32] = self.powers[np.minimum(logarithms, len(self.powers) - 1)]
        return elements


@cache
def field_of_order(exponent: int) -> Field:
    """GF(2^m), its tables made once.

    Raises:
        UsageError: m is not from 2 to 14.
    """
    if exponent not in _PRIMITIVE:
        raise UsageError(f"There are tables of GF(2^m) for m from 2 to 14, not for {exponent}.")
    order = (1 << exponent) - 1
    period = np.empty(order, dtype=np.int32)
    element = 1
    for place in range(order):
        period[place] = element
        element <<= 1
        if element > order:
            element ^= _PRIMITIVE[exponent]
    logarithms = np.full(order + 1, 2 * order, dtype=np.int32)
    logarithms[period] = np.arange(order, dtype=np.int32)
    powers = np.concatenate([np.tile(period, 2), np.zeros(1, dtype=np.int32)])
    powers.flags.writeable = logarithms.flags.writeable = False
    return Field(exponent, powers, logarithms)
