"""Cumulants of the heat from a bath of a linear network, of any order, from Lyapunov equations.

The scaled cumulant generating function is μ(s) = ½ tr[N X] + ½ s T_b tr[W_b M], where e^{½yᵀXy} is the left
eigenfunction of the tilted motion, y = (x, v), ẏ = Ay + noise, N = Σ T_b W_b the noise and M the masses in the place
of v: in bath b's part ∂_v becomes ∂_v + s m v, so that

AᵀX + XA + XNX + sT_b(M W_b X + X W_b M) + s²T_b M W_b M − 2sΓ_b = 0.

In powers of s each order is a Lyapunov equation whose right-hand side the lower orders make.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .._checks import InputError
from ..dynamics import Counted, Target
from ..numerics.dense import EPS, positive_or_one
from ..numerics.lyapunov import NEGLIGIBLE, cayley, covariances
from ..solution import Status
from .instant import Instant, moments
from .undamped import at_rest, undamped_now


def asked(targets: tuple[Target, ...], baths: tuple[str, ...]) -> tuple[tuple[int, bool], ...]:
    """(bath, whether over its temperature) of each target."""
    for target in targets:
        if target.quantity not in ("heat", "entropy"):
            raise InputError(
                f"counting: an OscillatorNetwork counts heat and entropy of its baths, but not {target.quantity}."
            )
    return tuple((baths.index(target.of), target.quantity == "entropy") for target in targets)


def heat(points: Any, look: Callable[[Any], Instant], targets: tuple[tuple[int, bool], ...], order: int) -> Counted:
    """Cumulants of a batch; `look(point)` gives an instant without drives, `targets` a bath, and whether over its T."""

    def one(point: Any) -> tuple[Array, Array, Array, Array, Array]:
        return _cumulants(look(point), targets, order)

    values, errors, scale, left, stable = jax.lax.map(one, points)
    faults = {Status.UNSTABLE: ~stable, Status.NOT_UNIQUE: stable & ~(left <= NEGLIGIBLE)}
    return Counted(values, errors, scale, faults)


def _cumulants(
    one: Instant, targets: tuple[tuple[int, bool], ...], order: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Values, errors and scales (target, order), what is left of the motion, and whether it is stable."""
    m, n = moments(one), one.size
    k = m.drift.shape[0] - 1
    # Modes that no friction reaches have no part in any heat.
    still = undamped_now(one)
    a, w = m.drift[:k, :k] + at_rest(one, still), m.noise[:, :k, :k]
    noise = jnp.einsum("b,bij->ij", one.temperatures, w)
    missed_part = still.loss / positive_or_one(jnp.einsum("bii,i->", one.frictions, 1 / one.masses))
    backwards = a.T
    solver = cayley(backwards[None])
    masses = jnp.zeros((k, k)).at[n:, n:].set(jnp.diag(one.masses))
    left, rows = jnp.zeros(()), []

    def solved(right: Array) -> tuple[Array, Array, Array]:
        """X with AᵀX + XA + right = 0, what a second solve corrects, and what is left of the motion."""
        x, rest, _ = covariances(backwards[None], right[None, None], solver)
        x = x[0, 0]
        missed, _, _ = covariances(backwards[None], (backwards @ x + x @ a + right)[None, None], solver)
        return x + missed[0, 0], missed[0, 0], rest[0]

    for bath, divided in targets:
        warm, own = one.temperatures[bath], w[bath]
        damping = jnp.zeros((k, k)).at[n:, n:].set(one.frictions[bath])
        found: list[Array] = []
        values, errors, scales = [], [], []
        for j in range(1, order + 1):
            right = sum((x @ noise @ y for x, y in zip(found, found[::-1], strict=True)), jnp.zeros((k, k)))
            if j == 1:
                right = right - 2 * damping
            else:
                mixed = masses @ own @ found[-1]
                right = right + warm * (mixed + mixed.T)
            if j == 2:
                right = right + warm * masses @ own @ masses
            x, missed, left = solved((right + right.T) / 2)
            found.append(x)
            gain = warm * jnp.sum(own * masses) / 2 if j == 1 else jnp.zeros(())
            unit = math.factorial(j) / (warm**j if divided else 1.0)
            scale = unit * (jnp.sum(jnp.abs(noise * x)) / 2 + gain)
            values.append(unit * (jnp.sum(noise * x) / 2 + gain))
            scales.append(scale)
            errors.append(unit * jnp.abs(jnp.sum(noise * missed)) + (64 * k * j * EPS + missed_part) * scale)
        rows.append([jnp.stack(part) for part in (values, errors, scales)])
    all_values, all_errors, all_scales = (jnp.stack(part) for part in zip(*rows, strict=True))
    return all_values, jax.lax.stop_gradient(all_errors), all_scales, left, left < 10 * k
