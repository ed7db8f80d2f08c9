"""One quantity at many frictions: solved at some of them, interpolated between, and checked at others.

ln of a rate is a smooth function of ln γ. Between solved points it is the polynomial that has the values and the slopes
of the four nearest ones. In the middle of each gap one more point is solved, and what the polynomial missed there is
the error stated for the gap; it is larger than what is missing once that point is used, too.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.interpolate import KroghInterpolator

GAP = 0.9
"""Points that are solved first lie so far apart, in ln γ."""
FEW = 8
"""Fewer frictions are all solved."""
NEAREST = 4


class Point(NamedTuple):
    """A rate with its relative error, and d ln rate/d ln γ; whether it is as exact as asked.

    `shares` of the particles left and right of the barrier.
    """

    rate: float
    error: float
    slope: float
    converged: bool
    shares: np.ndarray


def interpolated(
    frictions: np.ndarray, solve: Callable[[Sequence[float]], Sequence[Point]], tolerance: float
) -> list[Point]:
    """The rates at `frictions` (rising), by as few calls of `solve` for many of them as `tolerance` allows.

    Where slopes are not known (NaN) all are solved.
    """
    x = np.log(frictions)
    known: dict[int, Point] = {}

    def learn(places: Sequence[int]) -> None:
        known.update(zip(places, solve([float(frictions[k]) for k in places]), strict=True))

    first = np.linspace(x[0], x[-1], max(int(np.ceil((x[-1] - x[0]) / GAP)) + 1, NEAREST + 1))
    start = sorted({int(np.argmin(np.abs(x - place))) for place in first})
    if len(x) < FEW or 2 * len(start) > len(x):
        learn(range(len(x)))
        return [known[k] for k in range(len(x))]
    learn(start)
    if not np.isfinite([point.slope for point in known.values()]).all():
        learn([k for k in range(len(x)) if k not in known])
        return [known[k] for k in range(len(x))]
    gaps = list(itertools.pairwise(start))
    missed = {}
    while gaps:
        gaps = [(a, b) for a, b in gaps if b - a > 1]
        middles = [a + 1 + int(np.argmin(np.abs(x[a + 1 : b] - (x[a] + x[b]) / 2))) for a, b in gaps]
        guesses = [_between(x, known, k) for k in middles]
        learn(middles)
        left = []
        for (a, b), k, guess in zip(gaps, middles, guesses, strict=True):
            off = abs(guess.rate / known[k].rate - 1)
            if off <= tolerance / 2:
                missed.update(dict.fromkeys(range(a + 1, b), off))
            else:
                left += [(a, k), (k, b)]
        gaps = left
    rest = {k: _between(x, known, k) for k in range(len(x)) if k not in known}
    rest = {k: point._replace(error=point.error + missed[k]) for k, point in rest.items()}
    # Errors of the solved points and of the gap may add up to too much.
    learn([k for k, point in rest.items() if point.converged and point.error > tolerance])
    return [(rest | known)[k] for k in range(len(x))]


def _between(x: np.ndarray, known: dict[int, Point], k: int) -> Point:
    """The point k from the nearest ones that are known; its error is the largest of theirs."""
    places = np.array(sorted(known))
    near = sorted(places[np.argsort(np.abs(x[places] - x[k]), kind="stable")[:NEAREST]])
    values = np.array([[np.log(known[j].rate), known[j].slope] for j in near])
    polynomial = KroghInterpolator(np.repeat(x[near], 2), values.ravel())
    rate, slope = np.exp(float(polynomial(x[k]))), float(polynomial.derivative(x[k]))
    sure = all(known[j].converged for j in near)
    return Point(float(rate), max(known[j].error for j in near), slope, sure, known[near[0]].shares)
