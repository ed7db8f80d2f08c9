"""The periodic state of a driven Ising chain between two baths, with the whole period at once.

With p = π(1+u) about the Gibbs state π(θ) of each instant, in which each site has the temperature of its own bath, the
mass q = πu obeys  q̇ = M q + g − π̇,  with g the net inflow at π, which flips beside the bond between the halves alone
make (see `ising`). It is smooth and periodic, so that it is found at K equal phases, K odd, with the derivative of the
trigonometric polynomial through them, whose error falls exponentially with K. The linear system for all phases together
is solved by Bi-CGSTAB without a matrix; preconditioner: (d/dt + D̄_i)⁻¹ harmonic by harmonic, D̄_i the mean rate at
which state i is left, in units of √(mean of π_i). Where the averages change by doubling K, K is doubled again.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import EPS
from ..numerics.krylov import bicgstab
from ..occupation import log_fermi_pair
from ..solution import Status

PHASES = (17, 33, 65, 129)
"""Phases at which the state is looked for, one after another until the averages have settled."""
SHARE = 0.1
"""The error beside the last change: exponential convergence leaves far less of it."""
STEP = 1e-10
"""The residual of a solution, relative to its source; it is made once more for what is left."""
MOST = 4000
"""Products of a solution before it is given up."""


class Driven(NamedTuple):
    """The numbers of one chain: `forces(θ)` gives J, h, r and the derivatives of J and h by θ at one phase; `drives`,

    which of J and h are driven, in this order; temperatures of the baths and the period.
    """

    forces: Callable[[Array], Array]
    drives: tuple[int, ...]
    left: Array
    right: Array
    period: Array


class _Found(NamedTuple):
    """Averages (row) over the period: heats, works; their error by the linear solution; p at phase 0."""

    rows: Array
    unsolved: Array
    gross: Array
    p: Array


def steady(n: int, half: int, chain: Driven, workless: int, tolerance: Array) -> Outcome:
    """The outcome of one chain; `workless`: how many drives do no work, being last."""
    first, found = (at(n, half, chain, phases) for phases in PHASES[:2])
    change = jnp.abs(found.rows - first.rows)
    settled = _settled(found, change, tolerance)
    count = jnp.asarray(PHASES[1])
    for phases in PHASES[2:]:
        new = jax.lax.cond(settled, lambda old=found: old, lambda phases=phases: at(n, half, chain, phases))
        change = jnp.where(settled, change, jnp.abs(new.rows - found.rows))
        count = jnp.where(settled, count, phases)
        found = new
        settled |= _settled(found, change, tolerance)
    errors = jax.lax.stop_gradient(_errors(found, change))
    nothing = jnp.zeros(workless)
    return Outcome(
        Rates(found.rows[:2], works=jnp.concatenate([found.rows[2:], nothing])),
        Rates(errors[:2], works=jnp.concatenate([errors[2:], nothing])),
        faults={Status.NOT_CONVERGED: ~settled},
        floor=16 * EPS * found.gross,
        statistics={"phases": count},
        populations=found.p,
    )


def _errors(found: _Found, change: Array) -> Array:
    return SHARE * change + found.unsolved + 16 * EPS * found.gross


def _settled(found: _Found, change: Array, tolerance: Array) -> Array:
    allowed = jnp.maximum(tolerance * jnp.max(jnp.abs(found.rows)), 32 * EPS * found.gross)
    return jnp.max(_errors(found, change)) <= allowed


def at(n: int, half: int, chain: Driven, phases: int) -> _Found:
    """The averages from a state at so many phases."""
    frequency = 2 * jnp.pi / chain.period
    theta = 2 * jnp.pi * jnp.arange(phases) / phases
    forces = jax.vmap(chain.forces)(theta)
    coupling, field, rate = (forces[:, k, None] for k in range(3))
    state = jnp.arange(1 << n, dtype=jnp.int32)

    def sign(k: int) -> Array:
        return 1.0 - 2.0 * ((state >> k) & 1) if 0 <= k < n else jnp.zeros(1 << n)

    beta = [1 / chain.left if k < half else 1 / chain.right for k in range(n)]
    bonds = sum(((beta[k] + beta[k + 1]) / 2 * sign(k) * sign(k + 1) for k in range(n - 1)), jnp.zeros(1 << n))
    fields = sum((beta[k] * sign(k) for k in range(n)), jnp.zeros(1 << n))
    log_pi = coupling * bonds + field * fields
    pi = jax.nn.softmax(log_pi, axis=1)
    speed = frequency * (forces[:, 3, None] * bonds + forces[:, 4, None] * fields)
    speed = speed - jnp.sum(pi * speed, axis=1, keepdims=True)

    sites = jnp.arange(n, dtype=jnp.int32)
    inverse = jnp.stack(beta)
    signs = jnp.stack([sign(k) for k in range(n)])
    around = jnp.stack([sign(k - 1) + sign(k + 1) for k in range(n)])

    def gap(k: Array) -> Array:
        """ΔE of a flip of spin k at each phase in each state."""
        return 2 * signs[k] * (coupling * around[k] + field)

    def flips(k: Array) -> tuple[Array, Array]:
        return k, 2 * rate * jnp.exp(log_fermi_pair(gap(k) * inverse[k])[0])

    _, rates = jax.lax.map(flips, sites)
    beyond = state ^ (jnp.int32(1) << sites)[:, None]
    total = jnp.sum(rates, axis=0)

    # Net flows at π, by spin half−1 and by spin half.
    across = coupling * signs[half - 1] * signs[half] * (chain.left - chain.right) / (chain.left * chain.right)

    def net(k: int, affinity: Array) -> Array:
        out = rates[k] * pi
        larger = jnp.where(affinity >= 0, out, out[:, beyond[k]])
        return jnp.sign(affinity) * larger * -jnp.expm1(-jnp.abs(affinity))

    nets = {half - 1: net(half - 1, across), half: net(half, -across)}
    source = -(nets[half - 1] + nets[half]) - pi * speed

    root = jnp.sqrt(jnp.mean(pi, axis=0))
    harmonics = 1j * frequency * jnp.arange((phases + 1) // 2)[:, None]
    mean = jnp.mean(total, axis=0)
    null = root * jnp.sqrt(jnp.mean(total) / phases)

    def apply(y: Array) -> Array:
        def add(sum_: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
            out, to = row
            return sum_ + (out * (root * y))[:, to], None

        inflow = jax.lax.scan(add, jnp.zeros_like(y), (rates, beyond))[0] / root
        slope = jnp.fft.irfft(harmonics * jnp.fft.rfft(y, axis=0), n=phases, axis=0)
        return slope + total * y - inflow + null * jnp.sum(null * y)

    def solve(apply: Callable[[Array], Array], b: Array, turn: float) -> tuple[Array, Array]:
        """The solution in two passes, and what the second one added."""
        fixed = jax.lax.stop_gradient((harmonics, mean))

        def precondition(r: Array) -> Array:
            return jnp.fft.irfft(jnp.fft.rfft(r, axis=0) / (turn * fixed[0] + fixed[1]), n=phases, axis=0)

        def again(_: Array, known: tuple[Array, Array]) -> tuple[Array, Array]:
            y, _ = known
            more = bicgstab(apply, b - apply(y), STEP, MOST, precondition).x
            return y + more, more

        return jax.lax.fori_loop(0, 2, again, (jnp.zeros_like(b), jnp.zeros_like(b)))

    def book(q: Array) -> Array:
        def heat(k: Array) -> Array:
            return jnp.sum(rates[k] * gap(k) * q) / phases

        heats = jax.lax.map(heat, sites)
        energies = (-jnp.sum(signs[1:] * signs[:-1], axis=0), -jnp.sum(signs, axis=0))
        slopes = [frequency * forces[:, 3 + d, None] * energies[d] for d in chain.drives]
        works = [jnp.sum(q * slope) / phases for slope in slopes]
        return jnp.stack([jnp.sum(heats[:half]), jnp.sum(heats[half:]), *works])

    def apart(k: int) -> Array:
        return jnp.sum(nets[k] * gap(jnp.int32(k))) / (2 * phases)

    y, more = jax.lax.custom_linear_solve(
        apply, source / root, lambda a, b: solve(a, b, 1.0), lambda a, b: solve(a, b, -1.0), has_aux=True
    )
    at_pi = jnp.concatenate([jnp.stack([apart(half - 1), apart(half)]), book(pi)[2:]])
    rows, missed = at_pi + book(root * y), book(root * jax.lax.stop_gradient(more))
    gross = jnp.sum(jax.lax.map(lambda k: jnp.sum(rates[k] * jnp.abs(gap(k)) * pi) / phases, sites))
    p = pi[0] + (root * y)[0]
    return _Found(rows, *jax.lax.stop_gradient((jnp.abs(missed), gross)), p)
