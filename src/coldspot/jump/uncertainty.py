"""Uncertainty relations of jump networks: how precise a current is for the entropy that it costs."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Counted, Target, conclude
from ..solution import Status
from .pieces import looks, pieces_of
from .propagation import stages
from .system import System

SLOPES = 16.0
"""By so much the relative error of a derivative may exceed that of the value."""


def count_uncertainties(system: System, targets: tuple[Target, ...], tolerance: Array) -> Counted:
    """Quotients of a batch, values (point, target): σκ₂/(2κ₁²), or with κ₁ − Ω∂κ₁/∂Ω for κ₁ where something is driven.

    They are at least 1 if rates obey local detailed balance, so that σ is the entropy production of the jumps.
    """
    points = jax.tree.leaves(eqx.filter(system, eqx.is_array))[0].shape[0]
    solution = conclude(system, system.solve(tolerance), tolerance, jnp.ones(points, bool))

    def count(period: Array | None) -> tuple[Array, Counted]:
        other = system if period is None else eqx.tree_at(lambda s: s.period, system, period)
        found = other.cumulants(targets, 2, tolerance)
        return found.values, found

    if system.period is None:
        slope, counted = None, count(None)[1]
    else:
        # −Ω∂/∂Ω = τ∂/∂τ.
        _, slope, counted = jax.jvp(count, (system.period,), (system.period,), has_aux=True)
    (mean, noise), (doubt, noise_doubt) = (
        (x[..., 0], x[..., 1]) for x in (counted.values, jax.lax.stop_gradient(counted.errors))
    )
    if slope is not None:
        slope = slope[..., 0]
        size = jnp.abs(mean) if counted.scale is None else counted.scale[..., 0]
        doubt = doubt * (1 + SLOPES * jnp.abs(slope) / jnp.where(size > 0, size, 1.0))
        mean = mean + slope
    production = solution.entropy_production[:, None]
    values = production * noise / (2 * mean**2)
    relative = solution.error.entropy_production[:, None] / production + noise_doubt / noise + 2 * doubt / jnp.abs(mean)
    seen = looks(pieces_of(system), points).phases if system.period is not None else jnp.zeros((1, 1, points))
    balanced = jnp.all(stages(system, seen.reshape(-1, points)).balanced, axis=0)
    faults = dict(counted.faults)
    for status in Status:
        if status != Status.OK:
            faults[status] = faults.get(status, False) | (solution.status == int(status))
    faults[Status.INVALID] |= ~balanced
    return Counted(values, jax.lax.stop_gradient(jnp.abs(values * relative)), None, faults)
