"""The steady state of a long open Ising chain between two baths, from its numbers; see `sparse`."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Counted, Outcome, Rates, Target
from ..occupation import log_fermi_pair
from ..solution import Status
from .half_edges import Cube, OfBond
from .orders import Orders
from .sparse import DOUBTFUL, Weights, attached, attached_dual, stationary
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
    sign = functools.partial(_sign, n)

    def inverse(k: Array) -> Array:
        return jnp.where(k < half, 1 / chain.left, 1 / chain.right)

    def local(log_p: Array, k: Array) -> tuple[Array, None]:
        bond = chain.coupling * (inverse(k) + inverse(k + 1)) / 2 * sign(k + 1)
        return log_p + sign(k) * (bond + inverse(k) * chain.field), None

    sites = jnp.arange(n, dtype=jnp.int32)
    reference, _ = jax.lax.scan(local, jnp.zeros(1 << n), sites)
    rates = jax.lax.map(lambda k: _log_rate(n, half, chain, k), sites)
    heat = _heats(n, half, chain)
    affinity = apart / 2 * heat.at[half].set(-heat[half - 1])
    return Weights(rates, OfBond(affinity, half - 1), None, reference, OfBond(heat[None], half - 1))


def _heats(n: int, half: int, chain: Chain) -> Array:
    """What the left bath gives to the bond between the halves where spin k flips (spin), times σσ′."""
    return jnp.zeros(n).at[half - 1].set(2 * chain.coupling)


def _sign(n: int, k: Array) -> Array:
    """σ_k (state), 0 beyond the ends."""
    state = jnp.arange(1 << n, dtype=jnp.int32)
    return jnp.where((k >= 0) & (k < n), 1.0 - 2.0 * ((state >> jnp.clip(k, 0, n - 1)) & 1), 0.0)


# Site by site, and with little kept for a reverse pass: memory is what limits a chain.
@functools.partial(jax.checkpoint, static_argnums=(0, 1))
def _log_rate(n: int, half: int, chain: Chain, k: Array) -> Array:
    """ln of the rate of flips of spin k (state)."""
    around = chain.coupling * (_sign(n, k - 1) + _sign(n, k + 1)) + chain.field
    inverse = jnp.where(k < half, 1 / chain.left, 1 / chain.right)
    return jnp.log(2 * chain.rate) + log_fermi_pair(2 * _sign(n, k) * around * inverse)[0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _heat(n: int, half: int, chain: Chain, log_p: Array, dual: Array, value: Array) -> Array:
    """The heat, which is known, with its derivatives.

    As those of `sparse`, but of rates that are made where they are needed: no number of a flip is kept.
    """
    return value


@_heat.defjvp
def _heat_jvp(n: int, half: int, primals: Any, tangents: Any) -> tuple[Array, Array]:
    chain, log_p, dual, _ = primals
    edges = Cube(n)

    def numbers(chain: Chain, k: Array) -> tuple[Array, Array]:
        """Of flips of spin k: ln of the rate, and the heat from the left that they count (state)."""
        return _log_rate(n, half, chain, k), OfBond(_heats(n, half, chain)[k], half - 1).row(1 << n)

    log_out = weights(n, half, chain).log_out
    log_p = attached(edges, log_out, log_p)
    out = edges.each(lambda s, rate: jnp.exp(rate + s.own(log_p)), log_out)
    dual = attached_dual(edges, out, log_p, OfBond(_heats(n, half, chain), half - 1), dual)
    state = jnp.arange(1 << n, dtype=jnp.int32)

    @jax.checkpoint
    def added(change: Chain, log_p: Array, dual: Array, k: Array) -> Array:
        (rate, heat), (d_rate, d_heat) = jax.jvp(lambda c: numbers(c, k), (chain,), (change,))
        slope = heat + dual[state ^ (jnp.int32(1) << k)] - dual
        return jnp.sum(jnp.exp(rate + log_p) * (slope * d_rate + d_heat))

    def add(total: Array, k: Array) -> tuple[Array, None]:
        return total + added(tangents[0], log_p, dual, k), None

    slope, _ = jax.lax.scan(add, jnp.zeros(()), jnp.arange(n, dtype=jnp.int32))
    return _heat(n, half, *primals), slope


def steady(n: int, half: int, chain: Chain) -> Outcome:
    """The outcome of one chain."""
    found = stationary(Cube(n), weights(n, half, jax.lax.stop_gradient(chain)))

    # All that derivatives of populations take is made where these are asked for.
    @jax.checkpoint
    def log_p(chain: Chain, known: Array) -> Array:
        return attached(Cube(n), weights(n, half, chain).log_out, known)

    heat, error = _heat(n, half, chain, found.log_p, found.duals[0], found.rows[0]), found.errors[0]
    return Outcome(
        Rates(jnp.stack([heat, -heat])),
        Rates(jnp.stack([error, error])),
        faults={Status.NOT_CONVERGED: ~(found.dual_residual < DOUBTFUL)},
        floor=found.rounding[0],
        residuals={"balance": found.residual},
        statistics={"products": found.products},
        populations=jnp.exp(log_p(chain, found.log_p)),
    )


def counted(n: int, half: int, chain: Chain, targets: tuple[Target, ...], order: int, mixed: bool) -> Counted:
    """Cumulants of one chain, values (target, order), or the `mixed` ones of one order (target, …).

    Over a long time all that comes from the left goes to the right, so that heats of both and entropies are multiples
    of one amount.
    """
    w = weights(n, half, chain)
    # Products of amounts are made of half-edge arrays.
    heat = jax.lax.map(lambda factor: OfBond(factor, half - 1).row(1 << n), _heats(n, half, chain))
    found = cumulants(Cube(n), w._replace(amounts=heat[None]), Orders(1, order))
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
