"""What must be true of the numbers of an oscillator network, in constructors and in batches alike."""

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import Rule, concrete
from ..numerics.dense import cholesky
from ..pytrees import Table, compiled
from ..spectral import SpectralDensity

SYMMETRIC = 1e-12
"""Springs and frictions may differ from their transposed entries by this part of the largest."""


def each(name: str, values: Array, holds: Callable[[Any], Any], wanted: str) -> Rule:
    """The rule that all entries of an array keep; its words name the first that does not."""
    numbers = concrete(values)

    def broken() -> str:
        entries = np.asarray(values)
        where = tuple(np.argwhere(~np.asarray(holds(entries)))[0])
        place = "".join(f"[{k}]" for k in where)
        return f"`{name}` must be {wanted}, but {name + place + ' ' if place else ''}is {entries[where]:g}."

    return Rule(holds(values if numbers is None else numbers).all(), broken)


def mass_rules(masses: Array, massless: tuple[int, ...]) -> Iterable[Rule]:
    heavy = ~np.isin(np.arange(masses.shape[0]), massless)
    wanted = "positive and finite (or 0 from the start, of an overdamped coordinate)"
    yield each("masses", masses, lambda m: (m >= 0) & ((m > 0) == heavy) & (m < np.inf), wanted)


def spring_rules(springs: Array) -> Iterable[Rule]:
    yield each("springs", springs, lambda s: abs(s) < np.inf, "finite")
    wanted = "symmetric (a force without an energy goes into `forces`, as a matrix)"
    yield each("springs", springs, lambda s: abs(s - s.T) <= SYMMETRIC * abs(s).max(), wanted)


def friction_rules(
    frictions: Any,
    places: tuple[tuple[int, ...], ...],
    massless: tuple[int, ...],
    n: int,
    matrices: Callable[[], Array],
) -> Iterable[Rule]:
    """Rules for frictions as they were given, and for the `matrices` (bath, n, n) that they make of n coordinates."""
    if isinstance(frictions, Table):
        for name, own in frictions.items():
            if not isinstance(own, SpectralDensity):
                yield each(f"frictions[{name!r}]", own, lambda g: abs(g) < np.inf, "finite")
                yield from _not_negative(f"frictions[{name!r}]", own)
    else:
        acting = np.array([np.isin(np.arange(n), at) for at in places])
        if frictions.ndim == 1:
            bathless = "0 where no bath acts (name the coordinate in `sites` otherwise)"
            free = ~acting.any(0)
            yield each("frictions", frictions, lambda g: (g >= 0) & (g < np.inf), "finite and not negative")
            yield each("frictions", frictions, lambda g: ~(free & (g > 0)), bathless)
        else:
            together = (acting[:, :, None] & acting[:, None]).any(0)
            wanted = "0 between coordinates that have not the same bath"
            yield each("frictions", frictions, lambda g: abs(g) < np.inf, "finite")
            yield each("frictions", frictions, lambda g: ~(~together & (g != 0)), wanted)
            yield from _not_negative("frictions", frictions)
    if massless:
        whole = matrices()
        # Known numbers need no compiler.
        known = concrete(whole)
        yield from _light_rules(places, np.array(massless), (whole if known is None else known).sum(0))


def _light_rules(places: tuple[tuple[int, ...], ...], light: np.ndarray, total: Any) -> Iterable[Rule]:
    for i in light.tolist():
        if sum(i in at for at in places) != 1:
            words = (
                f"coordinate {i} has no mass, so that it must be in the `sites` of exactly one bath: without friction "
                "it has no motion, and between two baths the heat grows as one over its mass."
            )
            yield Rule(False, lambda words=words: words)
            return
    heavy = np.setdiff1d(np.arange(total.shape[0]), light)
    part = total[np.ix_(light, light)]
    known = concrete(part)
    # Known numbers need no compiler.
    if known is None or np.any(known - np.diag(np.diag(known))):
        definite = _definite(part)
    else:
        definite = np.all(np.diag(known) > 0)
    yield Rule(
        definite,
        lambda: "`frictions` must be positive (definite) for the coordinates without a mass.",
    )
    yield Rule(
        (total[np.ix_(light, heavy)] == 0).all(),
        lambda: "`frictions` must not couple coordinates without a mass to those that have one.",
    )


def _not_negative(name: str, matrix: Array) -> Iterable[Rule]:
    """Friction matrices are symmetric and have no negative eigenvalue."""
    yield each(name, matrix, lambda g: abs(g - g.T) <= SYMMETRIC * abs(g).max(), "symmetric")
    yield Rule(_nowhere_negative(matrix), lambda: f"`{name}` must not be negative: friction never pushes.")


@compiled
def _definite(matrix: Array) -> Array:
    return cholesky(matrix)[1]


def _nowhere_negative(matrix: Any) -> Any:
    known = concrete(matrix)
    if known is not None:  # known numbers need no compiler
        return np.linalg.eigvalsh(known)[0] >= -1e-12 * np.max(np.abs(known))
    size = jnp.max(jnp.abs(matrix))
    return (size == 0) | _definite(matrix + 1e-12 * size * np.eye(matrix.shape[-1]))
