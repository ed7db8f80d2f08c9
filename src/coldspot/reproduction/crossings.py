"""Where a curve crosses zero, to many more digits than the spacing of its points.

A crossing is looked at again with a dense sweep, and then once more; what is left of the interval is a straight line
to rounding. Sweeps of one size need one compiled program.
"""

from collections.abc import Callable

import numpy as np

ROUNDS = 2


def brackets(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """Neighbouring points between which y changes its sign (a zero counts as positive), in order."""
    return [(float(x[k]), float(x[k + 1])) for k in _changes(y)]


def _changes(y: np.ndarray) -> np.ndarray:
    return np.flatnonzero((y[:-1] < 0) != (y[1:] < 0))


def crossings(evaluate: Callable[[np.ndarray], np.ndarray], x: np.ndarray, y: np.ndarray, points: int) -> list[float]:
    """All zeros of a curve, given its values and a function that computes it at other places, `points` at a time."""
    return [_refine(evaluate, low, high, points) for low, high in brackets(x, y)]


def _refine(evaluate: Callable[[np.ndarray], np.ndarray], low: float, high: float, points: int) -> float:
    for _ in range(ROUNDS):
        x = np.linspace(low, high, points)
        y = evaluate(x)
        k = int(_changes(y)[0])
        low, high = x[k], x[k + 1]
    return float(low - y[k] * (high - low) / (y[k + 1] - y[k]))


def only(values: list[float], index: int, count: int) -> float:
    """One of exactly `count` zeros; not a number if there are more or fewer, so that a comparison fails.

    >>> only([1.0, 2.0], 1, 2), only([1.0], 0, 2)
    (2.0, nan)
    """
    return values[index] if len(values) == count else float("nan")
