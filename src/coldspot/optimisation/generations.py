"""Fronts without slopes: for parameters that have few values, and for rough or random quantities.

Children by differential evolution; of parents and children together live on those that the fewest dominate, and of
these the ones that stand farthest apart (Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic
algorithm: NSGA-II"; Robič and Filipič, "DEMO: Differential evolution for multiobjective optimization"). What keeps the
bounds dominates what breaks them, and what breaks them less what breaks them more.
"""

import numpy as np

from .descent import FEASIBLE, Found, Looked
from .evolution import POPULATION, Survey, Trials

MIXED = 0.9
"""The part of the parameters that a child has not from its first parent."""
ANEW = 0.05
"""The part of the parameters that are drawn by lot, so that none of few values dies out."""


def grown(survey: Survey, trials: Trials, signs: np.ndarray, points: int, budget: int) -> list[Found]:
    """The members of the last generation that nothing dominates, at most `points`, evenly apart."""
    rng = np.random.default_rng(1)
    low, high = np.array(trials.limits()).T
    size = max(2 * points, POPULATION * len(low))
    xs, values = survey.sampled
    xs, values = _living(survey, signs, xs, values, size)
    for _ in range(max((budget - len(survey.sampled.points)) // size, 1)):
        children = _children(rng, xs, low, high, survey.whole, size)
        results, good = survey.judged(children)
        xs, values = _living(
            survey, signs, np.concatenate([xs, children[good]]), np.concatenate([values, results[good]]), size
        )
    first = _layers(*_worth(survey, signs, values))[0]
    first = first[thinned((signs * values[:, : len(signs)])[first], points)]
    flat = np.zeros((len(survey.quantities), len(low)))
    return [Found(xs[k], Looked(values[k], flat, True), True) for k in first]


def _children(
    rng: np.random.Generator, xs: np.ndarray, low: np.ndarray, high: np.ndarray, whole: np.ndarray, size: int
) -> np.ndarray:
    """A child of each of `size` members: parent + F (another − a third), some parameters of it."""
    parents, others, thirds = (rng.integers(0, len(xs), size) for _ in range(3))
    firsts = np.arange(size) % len(xs)
    step = rng.uniform(0.3, 0.9, (size, 1))
    made = xs[parents] + step * (xs[others] - xs[thirds])
    lot = rng.uniform(low, high, made.shape)
    made = np.where(rng.random(made.shape) < MIXED, made, xs[firsts])
    made = np.where(rng.random(made.shape) < ANEW, lot, made)
    # What leaves the box lands between where its parent is and the wall, which it may also touch.
    wall = np.clip(made, low, high)
    back = xs[parents] + rng.integers(0, 2, made.shape) * rng.random(made.shape) * (wall - xs[parents])
    made = np.where(made == wall, made, np.where(rng.random(made.shape) < 0.5, wall, back))
    return np.where(whole, np.rint(made), made)


def _worth(survey: Survey, signs: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is wanted large, and by how much the bounds are broken."""
    missed = survey.missed(values)
    return signs * values[:, : len(signs)], np.where(missed > FEASIBLE, missed, 0.0)


def _layers(wanted: np.ndarray, missed: np.ndarray) -> list[np.ndarray]:
    """Indices of what nothing dominates, of what nothing dominates without these, and so on."""
    least = np.all(wanted[:, None] >= wanted[None], axis=-1) & np.any(wanted[:, None] > wanted[None], axis=-1)
    beats = np.where(missed[:, None] == missed[None], least, missed[:, None] < missed[None])
    left, found = np.arange(len(wanted)), []
    while left.size:
        free = ~beats[np.ix_(left, left)].any(axis=0)
        found.append(left[free])
        left = left[~free]
    return found


def thinned(wanted: np.ndarray, count: int) -> np.ndarray:
    """Indices of at most `count` points, the ends among them: the one whose neighbours are nearest goes first."""
    kept = np.arange(len(wanted))
    extent = np.where(np.ptp(wanted, axis=0) > 0, np.ptp(wanted, axis=0), 1.0)
    while len(kept) > count:
        apart = np.zeros(len(kept))
        for column in (wanted[kept] / extent).T:
            order = np.argsort(column, kind="stable")
            apart[order[1:-1]] += column[order[2:]] - column[order[:-2]]
            apart[order[[0, -1]]] = np.inf
        kept = np.delete(kept, np.argmin(apart))
    return kept


def _living(
    survey: Survey, signs: np.ndarray, xs: np.ndarray, values: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of members of two generations, each once, those that live on."""
    _, each = np.unique(xs, axis=0, return_index=True)
    xs, values = xs[each], values[each]
    wanted, missed = _worth(survey, signs, values)
    chosen: list[int] = []
    for layer in _layers(wanted, missed):
        room = size - len(chosen)
        if room <= 0:
            break
        chosen += list(layer if len(layer) <= room else layer[thinned(wanted[layer], room)])
    return xs[chosen], values[chosen]
