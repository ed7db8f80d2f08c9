"""Orders of power series in several counting fields: multi-indices up to a degree, and which ones a product takes.

A product of two series takes, for the coefficient of the order α, all pairs of orders β ≤ α and α − β.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

Index = tuple[int, ...]
"""The power of each field."""


class Orders(NamedTuple):
    """All multi-indices of so many `fields` up to a `degree`, lower ones first; of degree one in the fields' order."""

    fields: int
    degree: int

    @property
    def every(self) -> tuple[Index, ...]:
        return _every(self.fields, self.degree)

    def of(self, degree: int) -> tuple[Index, ...]:
        return tuple(index for index in self.every if sum(index) == degree)

    def below(self, index: Index) -> list[tuple[Index, Index]]:
        """The pairs β ≠ 0 and α − β of an order α."""
        ranges = (range(power + 1) for power in index)
        parts = [part for part in itertools.product(*ranges) if any(part)]
        return [(part, tuple(a - b for a, b in zip(index, part, strict=True))) for part in parts]

    def factorial(self, index: Index) -> int:
        """α!, by which a coefficient becomes a derivative."""
        return math.prod(math.factorial(power) for power in index)

    def derivatives(self) -> np.ndarray:
        """Where the derivative by fields (i, j, …) stands among the orders of the highest degree (field, field, …)."""
        places = {index: k for k, index in enumerate(self.of(self.degree))}
        table = np.zeros((self.fields,) * self.degree, int)
        for fields in itertools.product(range(self.fields), repeat=self.degree):
            table[fields] = places[tuple(fields.count(field) for field in range(self.fields))]
        return table


@functools.cache
def _every(fields: int, degree: int) -> tuple[Index, ...]:
    found = []
    for k in range(degree + 1):
        for chosen in itertools.combinations_with_replacement(range(fields), k):
            found.append(tuple(chosen.count(field) for field in range(fields)))
    return tuple(found)
