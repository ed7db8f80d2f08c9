"""Uncertainty relations of jump networks: how precise a current is for the entropy that it costs."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..baths import WorkReservoir
from ..dynamics import Counted, Target
from ..solution import Status
from .pieces import looks, pieces_of
from .propagation import stages
from .system import System

FINER = 1 / 64
"""Part of the tolerance that is asked of cumulants: a quotient adds up their relative errors."""
SLOPES = 16.0
"""By so much the relative error of a derivative may exceed that of the value."""


def count_uncertainties(system: System, targets: tuple[Target, ...], tolerance: Array) -> Counted:
    """Quotients of a batch, values (point, target): σκ₂/(2κ₁²), or with κ₁ − Ω∂κ₁/∂Ω for κ₁ where something is driven.

    They are at least 1 if rates obey local detailed balance, so that σ is the entropy production of the jumps.
    """
    many, arrays = len(targets), eqx.filter(system, eqx.is_array)
    points = jax.tree.leaves(arrays)[0].shape[0]
    thermal = (name for name, bath in system.baths.items() if not isinstance(bath, WorkReservoir))
    every = targets + tuple(Target("entropy", name) for name in thermal)

    def count(period: Array | None) -> tuple[Array, Counted]:
        other = system if period is None else eqx.tree_at(lambda s: s.period, system, period)
        found = other.cumulants(every, 2, tolerance * FINER)
        return found.values, found

    if system.period is None:
        slope, counted = None, count(None)[1]
    else:
        # −Ω∂/∂Ω = τ∂/∂τ.
        _, slope, counted = jax.jvp(count, (system.period,), (system.period,), has_aux=True)
    values, errors = counted.values, jax.lax.stop_gradient(counted.errors)
    production, lost = -jnp.sum(values[:, many:, 0], axis=1), jnp.sum(errors[:, many:, 0], axis=1)
    mean, noise = values[:, :many, 0], values[:, :many, 1]
    doubt = errors[:, :many, 0]
    if slope is not None:
        size = jnp.abs(mean) if counted.scale is None else counted.scale[:, :many, 0]
        change = slope[:, :many, 0]
        doubt = doubt * (1 + SLOPES * jnp.abs(change) / jnp.where(size > 0, size, 1.0))
        mean = mean + change
    quotients = production[:, None] * noise / (2 * mean**2)
    relative = (lost / production)[:, None] + errors[:, :many, 1] / noise + 2 * doubt / jnp.abs(mean)
    if system.period is None:
        seen = jnp.zeros((1, points))
    else:
        seen = looks(pieces_of(system), points).phases.reshape(-1, points)
    balanced = jnp.all(stages(system, seen).balanced, axis=0)
    faults = dict(counted.faults)
    faults[Status.INVALID] = faults[Status.INVALID] | ~balanced
    return Counted(quotients, jax.lax.stop_gradient(jnp.abs(quotients * relative)), None, faults)
