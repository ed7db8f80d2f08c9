"""The steady state of a long open Ising chain between two baths, from its numbers; see `sparse`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Counted, Outcome, Rates, Target
from ..occupation import log_fermi_pair
from ..solution import Status
from .half_edges import Cube
from .orders import Orders
from .sparse import DOUBTFUL, Weights, stationary
from .sparse_cumulants import cumulants


class Chain(NamedTuple):
    """The numbers of one chain: J, h, r and the temperatures of the baths `left` and `right`."""

    coupling: Array
    field: Array
    rate: Array
    left: Array
    right: Array


def signs(spins: int) -> np.ndarray:
    """σ_k = ±1 (spin, state): spin k of state i points down where bit k of i is set."""
    return 1.0 - 2.0 * ((np.arange(1 << spins) >> np.arange(spins)[:, None]) & 1)


def weights(n: int, half: int, chain: Chain) -> Weights:
    """The numbers of n spins, the first `half` of them in the left bath.

    The reference is the Gibbs state in which each site has the temperature of its own bath, and the bond between the
    halves the mean of both 1/T, so that only flips beside that bond have an affinity, ±J σσ′(1/T_R − 1/T_L). A half's
    own energy does not change on average: what its bath gives is what flips beside that bond give to the bond. The one
    row is the heat from the left.
    """
    apart = (chain.left - chain.right) / (chain.left * chain.right)
    state = jnp.arange(1 << n, dtype=jnp.int32)

    def sign(k: Array) -> Array:
        return jnp.where((k >= 0) & (k < n), 1.0 - 2.0 * ((state >> jnp.clip(k, 0, n - 1)) & 1), 0.0)

    def inverse(k: Array) -> Array:
        return jnp.where(k < half, 1 / chain.left, 1 / chain.right)

    def local(log_p: Array, k: Array) -> tuple[Array, None]:
        bond = chain.coupling * (inverse(k) + inverse(k + 1)) / 2 * sign(k + 1)
        return log_p + sign(k) * (bond + inverse(k) * chain.field), None

    def across(k: Array) -> Array:
        """J σσ′ of the bond between the halves, at the sites beside it."""
        bond = chain.coupling * sign(jnp.int32(half - 1)) * sign(jnp.int32(half))
        return jnp.where((k == half - 1) | (k == half), bond, 0.0)

    # Site by site, and with little kept for a reverse pass: memory is what limits a chain.
    @jax.checkpoint
    def site(k: Array) -> tuple[Array, Array]:
        around = chain.coupling * (sign(k - 1) + sign(k + 1)) + chain.field
        rate = jnp.log(2 * chain.rate) + log_fermi_pair(2 * sign(k) * around * inverse(k))[0]
        return rate, jnp.where(k < half, 2 * across(k), 0.0)

    sites = jnp.arange(n, dtype=jnp.int32)
    reference, _ = jax.lax.scan(local, jnp.zeros(1 << n), sites)
    affinity = jax.lax.map(lambda k: jnp.where(k < half, apart, -apart) * across(k), sites)
    rates, heat = jax.lax.map(site, sites)
    return Weights(rates, affinity, None, reference, heat[None])


def steady(n: int, half: int, chain: Chain) -> Outcome:
    """The outcome of one chain."""
    found = stationary(Cube(n), weights(n, half, chain))
    heat, error = found.rows[0], found.errors[0]
    return Outcome(
        Rates(jnp.stack([heat, -heat])),
        Rates(jnp.stack([error, error])),
        faults={Status.NOT_CONVERGED: ~(found.dual_residual < DOUBTFUL)},
        floor=found.rounding[0],
        residuals={"balance": found.residual},
        statistics={"products": found.products},
        populations=jnp.exp(found.log_p),
    )


def counted(n: int, half: int, chain: Chain, targets: tuple[Target, ...], order: int, mixed: bool) -> Counted:
    """Cumulants of one chain, values (target, order), or the `mixed` ones of one order (target, …).

    Over a long time all that comes from the left goes to the right, so that heats of both and entropies are multiples
    of one amount.
    """
    found = cumulants(Cube(n), weights(n, half, chain), Orders(1, order))
    sides = {"left": (1.0, chain.left), "right": (-1.0, chain.right)}
    parts = []
    for quantity, of in targets:
        sign, temperature = sides[of]
        parts.append({"heat": sign, "entropy": sign / temperature, "particles": 0.0}[quantity])
    part = jnp.stack([jnp.asarray(x) for x in parts])
    if mixed:
        factor = part
        for _ in range(order - 1):
            factor = factor[..., None] * part
        values, errors, sizes = (x[order - 1] * factor for x in (found.values, found.errors, found.sizes))
    else:
        factor = part[:, None] ** jnp.arange(1, order + 1)
        values, errors, sizes = (x * factor for x in (found.values, found.errors, found.sizes))
    errors, sizes = jnp.abs(errors), jnp.abs(sizes)
    return Counted(values, errors, sizes, {Status.NOT_CONVERGED: ~found.settled})
