"""Stationary state of an undriven network: populations, net currents and the ledger.

Net currents are differences of forward and backward flows and would lose their digits near equilibrium
or between fast and slow transitions. So they are computed as the flow of a reference distribution
plus a response: J = s + (w_f x_i − w_b x_f) with x = p − reference, where s is known to full relative accuracy,
and a last response removes what rounding left of the imbalance at each state (Kirchhoff's law then holds
to rounding of the net currents themselves). The reference is the equilibrium of `Snapshot.deviation` or
p itself, whichever has the smaller error bound.
"""

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from ..ledger import Ledger, Named, Solution, Status
from .elimination import Elimination, eliminate, respond
from .graph import Graph, Snapshot, divergence

if TYPE_CHECKING:
    from .network import JumpNetwork

EPS = float(np.finfo(np.float64).eps)


def snapshots(network: "JumpNetwork", phase: Any) -> Snapshot:
    """Snapshots of a batch of networks (leading axis) at one phase per point; batch axis last."""
    arrays, static = eqx.partition(network, eqx.is_array)
    return jax.vmap(lambda a, t: eqx.combine(a, static).snapshot(t), out_axes=-1)(arrays, phase)


class Balance(NamedTuple):
    """ln p (state, point), net currents and error bounds (transition, point), largest imbalance (point)."""

    log_p: Float[Array, "state point"]
    current: Float[Array, "transition point"]
    error: Float[Array, "transition point"]
    imbalance: Float[Array, " point"]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def balance(
    g: Graph,
    log_forward: Float[Array, "transition point"],
    log_backward: Float[Array, "transition point"],
    deviation: Float[Array, "transition point"],
    reference: Float[Array, "state point"],
) -> Balance:
    """Stationary populations and net currents; see the module's text.

    `deviation` (transition, point) is ln of forward over backward flow in the reference distribution, whose
    logarithm (not normalised) is `reference` (state, point).
    """
    result, _ = _balance(g, log_forward, log_backward, deviation, reference)
    return result


def _balance(
    g: Graph, log_forward: Array, log_backward: Array, deviation: Array, reference: Array
) -> tuple[Balance, Elimination]:
    to, start = g.final.array, g.initial.array
    factors = eliminate(g, log_forward, log_backward)
    log_p = factors.log_p
    log_out, log_back = log_forward + log_p[start], log_backward + log_p[to]
    out, back = jnp.exp(log_out), jnp.exp(log_back)

    def response(currents: Array) -> tuple[Array, Array]:
        u = respond(factors, divergence(g, currents))
        return out * u[start] - back * u[to], out * jnp.abs(u[start]) + back * jnp.abs(u[to])

    weight = reference - jax.nn.logsumexp(reference, axis=0)
    ahead = deviation > 0
    base = jnp.exp(jnp.where(ahead, log_forward + weight[start], log_backward + weight[to]))
    source = base * jnp.where(ahead, -jnp.expm1(-deviation), jnp.expm1(deviation))
    shift, size = response(source)
    near = jnp.abs(source) + size
    # Errors are judged transition by transition against the flows that p itself carries.
    close = jnp.max(near, axis=0) < jnp.max(out + back, axis=0)
    current = jnp.where(close, source + shift, out - back)
    scale = jnp.where(close, near, out + back)
    last, _ = response(current)
    current = current + last
    digits = 4.0 * g.states + jnp.maximum(jnp.abs(log_out), jnp.abs(log_back))
    error = EPS * digits * scale
    imbalance = jnp.max(jnp.abs(divergence(g, current)), axis=0)
    return Balance(log_p, current, error, imbalance), factors


@balance.defjvp
def _balance_jvp(g: Graph, primals: Any, tangents: Any) -> tuple[Balance, Balance]:
    """Implicit rule: K u = −div(dJ at fixed p), d ln p = u; exact, linear in the tangents."""
    log_forward, log_backward = primals[:2]
    d_forward, d_backward, _, _ = tangents
    result, factors = _balance(g, *primals)
    factors = jax.lax.stop_gradient(factors)
    to, start = g.final.array, g.initial.array
    log_p = result.log_p
    out, back = jnp.exp(log_forward + log_p[start]), jnp.exp(log_backward + log_p[to])

    def imbalance_of(u: Array) -> Array:
        weighted = jnp.sum(jnp.exp(log_p) * u, axis=0)
        return -divergence(g, out * u[start] - back * u[to]) + weighted

    def solve(_: Any, r: Array) -> Array:
        mean = jnp.sum(r, axis=0) / g.states
        return respond(factors, r - mean) + mean

    def solve_transposed(_: Any, c: Array) -> Array:
        (r,) = jax.linear_transpose(functools.partial(solve, None), c)(c)
        return r

    source = divergence(g, out * d_forward - back * d_backward)
    u = jax.lax.custom_linear_solve(imbalance_of, source, solve, solve_transposed)
    d_current = out * (d_forward + u[start]) - back * (d_backward + u[to])
    zero = jnp.zeros_like
    return result, Balance(u, d_current, zero(result.error), zero(result.imbalance))


def solve_stationary(network: "JumpNetwork") -> Solution:
    """Stationary state of a batch of undriven networks (leading axis in, leading axis out)."""
    g = network.graph()
    points = jax.tree.leaves(eqx.filter(network, eqx.is_array))[0].shape[0]
    s = snapshots(network, jnp.zeros(points))
    result = balance(g, s.log_forward, s.log_backward, s.deviation, s.reference)
    ledger = book(network, s, result.current)
    error = book(network, s, result.error, absolute=True)
    # σ once more, from the jump process itself (Schnakenberg), as a check of the ledger.
    affinity = -s.exponent + result.log_p[g.initial.array] - result.log_p[g.final.array]
    schnakenberg = jnp.sum(result.current * affinity, axis=0)
    return assess(
        network,
        ledger,
        error,
        valid=s.valid,
        temperatures=s.temperature,
        potentials=s.potential,
        populations=jnp.exp(result.log_p),
        residuals={
            "first law": jnp.abs(ledger.first_law_residual) / zero_safe(jnp.max(jnp.abs(ledger.energies), axis=-1)),
            "balance": result.imbalance / zero_safe(jnp.max(jnp.abs(result.current), axis=0)),
            "entropy": jnp.abs(schnakenberg - ledger.entropy_production.T)
            / zero_safe(jnp.sum(jnp.abs(ledger.entropy_flows), axis=-1)),
        },
        converged=jnp.ones(points, bool),
    )


def book(network: "JumpNetwork", s: Snapshot, current: Array, *, absolute: bool = False) -> Ledger:
    """The ledger of net currents (transition, point): per bath, what its own channels exchange; batch first.

    With `absolute` the sizes add up, for error bounds.
    """
    size = jnp.abs if absolute else lambda x: x
    energies = jnp.sum(size(s.energy) * current, axis=1)
    particles = jnp.sum(size(s.particles) * current, axis=1)
    chemical = size(s.potential) * particles
    heat = jnp.sum(size(s.energy - s.potential[:, None] * s.particles) * current, axis=1)
    points = current.shape[-1]
    return Ledger(
        baths=tuple(network.baths),
        drives=tuple(network.drives),
        energies=energies.T,
        particle_numbers=particles.T,
        chemical_works=chemical.T,
        entropy_flows=(heat / s.temperature).T,
        works=jnp.zeros((points, len(network.drives))),
        storage=jnp.zeros(points),
    )


def assess(
    network: "JumpNetwork",
    ledger: Ledger,
    error: Ledger,
    *,
    valid: Array,
    temperatures: Array,
    potentials: Array,
    populations: Array,
    residuals: dict[str, Array],
    converged: Array,
    statistics: dict[str, Array] | None = None,
) -> Solution:
    """Put a solution together and decide its status."""
    unique = len(network.components()) == 1
    finite = jnp.all(jnp.isfinite(populations), axis=0)
    for part in (ledger.energies, ledger.particle_numbers, ledger.entropy_flows, ledger.works):
        finite &= jnp.all(jnp.isfinite(part), axis=-1)
    status = jnp.where(
        ~valid,
        int(Status.INVALID),
        jnp.where(
            not unique,
            int(Status.NOT_UNIQUE),
            jnp.where(~finite, int(Status.NOT_FINITE), jnp.where(converged, int(Status.OK), int(Status.NOT_CONVERGED))),
        ),
    )
    return Solution(
        ledger=ledger,
        error=error,
        status=status,
        residuals=_named(residuals, status),
        statistics=_named(statistics or {}, status),
        temperatures=temperatures.T,
        chemical_potentials=potentials.T,
        populations=populations.T,
        kinds=network.kinds(),
        steady_baths=network.steady_baths(),
        cooled_bath=network.cooled_bath,
    )


def zero_safe(x: Array) -> Array:
    """x, or 1 where it is 0, to divide by."""
    return jnp.where(x > 0, x, 1.0)


def _named(values: dict[str, Array], like: Array) -> Named:
    stacked = jnp.stack(list(values.values()), axis=-1) if values else jnp.zeros((*like.shape, 0))
    return Named(tuple(values), stacked)
