"""The time step of trajectories, what it does to linear networks exactly, and how long it may be.

One step from t_n to t_{n+1} = t_n + Δ, with the force F = −∂V/∂x + f(t_n) (kick, drift, bath, drift):

    u = v + Δ F(x)/m;   x → x + Δu/2;   w = cu + √(T(1−c²)/m) ξ, c = e^{−γΔ/m};   x → x + Δw/2;   v → w

In another rotation of the cycle this is the splitting BAOAB of Leimkuhler and Matthews ("Rational construction of
stochastic numerical methods for molecular sampling"). Chosen because in equilibrium and a harmonic well it has no bias
where it matters here: ⟨x²⟩ at the ends of steps and the velocities around the bath's part are exact, and no bath gives
heat.

Books, per step: heat of a coordinate m(w²−u²)/2, exactly the kinetic energy that the bath's part brings; work of a
force f·(x′−x) between the middles of two drifts, which is exactly the kinetic energy Δf(v+u)/2 that its kick brings.
What is missing in the balance, E_{n+1}−E_n − heats − works with E = mv²/2 + V, is the error of kick and drift alone
(shadow work): in a steady state of order Δ², as are the errors of all averages here; none in equilibrium.
⟨x²⟩ is taken at t_n, ⟨v²⟩ as the mean of u² and w².
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .model import System

DOUBLINGS = 60
"""Steps are doubled at most this often: 2⁶⁰ of them."""


class Averages(NamedTuple):
    """Averages of a linear network over steps and periods: heat per coordinate (n,), work (drive,), ⟨x²⟩, ⟨v²⟩ (n,);

    `mean` and `covariance` of (x, v) at phase 0, before the kick; `centre` (n,) of ⟨x⟩ and `waves`, the amplitudes of
    its oscillation; `relaxation`, the time of the slowest decay.
    """

    heats: Array
    works: Array
    squares: Array
    speeds: Array
    mean: Array
    covariance: Array
    centre: Array
    waves: Array
    relaxation: Array


def decay(system: System, step: Array) -> tuple[Array, Array]:
    """c = e^{−γΔ/m} and the strength √(T(1−c²)/m) of the noise."""
    exponent = system.frictions * step / system.masses
    strength = -system.warmth * jnp.expm1(-2 * exponent) / system.masses
    # The root of 0 has no derivative; where there is no bath there is no noise.
    rooted = jnp.sqrt(jnp.where(strength > 0, strength, 1.0))
    return jnp.exp(-exponent), jnp.where(strength > 0, rooted, 0.0)


def exact(system: System, step: Array, offset: Array | None = None) -> Averages:
    """What the scheme with time step Δ gives for a linear network, by linear algebra: no sampling error.

    The step is an affine map z → Az + b(t) + noise of z = (x, v). The covariance is Σ_k A^k N A^kᵀ, the means
    Σ_k (e^{−iΩΔ}A)^k b, each by doubling the number of terms. `offset` (n,) is a constant force beside the drives'.
    Not finite where a mode does not decay.
    """
    m = system.masses
    n = m.shape[0]
    one, zero = jnp.eye(n), jnp.zeros((n, n))
    c, strength = decay(system, step)
    pull = jnp.concatenate([-step * system.springs / m[:, None], one], axis=1)  # u as a function of (x, v)
    drift = jnp.block([[one, step / 2 * one], [zero, one]])
    after = drift @ jnp.block([[one, zero], [zero, jnp.diag(c)]]) @ drift  # from (x, u) to the next (x, v)
    matrix = after @ jnp.concatenate([jnp.concatenate([one, zero], axis=1), pull])
    noise = drift[:, n:] * strength
    pushes = jnp.asarray(system.pushes)
    force = (pushes @ (system.amplitudes * jnp.exp(1j * system.phases)), pushes @ system.means)
    if offset is not None:
        force = (force[0], force[1] + offset)
    turn = jnp.exp(-1j * system.frequency * step)
    kicks = tuple(step * f / m for f in force)
    start = (noise @ noise.T, turn * (after[:, n:] @ kicks[0]), after[:, n:] @ kicks[1])
    covariance, wave, centre, relaxation = _double(matrix, start, turn, step)

    def square(row: Array, wave: Array, centre: Array) -> Array:
        return jnp.einsum("ij,jk,ik->i", row, covariance, row) + jnp.abs(wave) ** 2 / 2 + centre**2

    kicked = pull @ wave + kicks[0], pull @ centre + kicks[1]
    before = square(pull, *kicked)
    behind = c**2 * before + strength**2
    speed = [(wave[n:] + kicked[0]) / 2, (centre[n:] + kicked[1]) / 2]
    driving, sites = system.amplitudes * jnp.exp(1j * system.phases), np.array(system.sites, int)
    return Averages(
        heats=m * (behind - before) / (2 * step),
        works=(jnp.conj(driving) * speed[0][sites]).real / 2 + system.means * speed[1][sites],
        squares=square(jnp.eye(2 * n), wave, centre)[:n],
        speeds=(before + behind) / 2,
        mean=wave.real + centre,
        covariance=covariance,
        centre=centre[:n],
        waves=wave[:n],
        relaxation=relaxation,
    )


def _double(
    matrix: Array, start: tuple[Array, Array, Array], turn: Array, step: Array
) -> tuple[Array, Array, Array, Array]:
    """Σ A^k N A^kᵀ, Σ (tA)^k b, Σ A^k b′ over all k ≥ 0, and the time −Δ/ln ρ(A); stops when A^k is negligible."""

    def more(state: Any) -> Array:
        count, power, *_ = state
        return (count < DOUBLINGS) & (jnp.max(jnp.abs(power)) > 1e-25)

    def twice(state: Any) -> Any:
        count, power, angle, (covariance, wave, centre), _ = state
        size = jnp.sqrt(jnp.sum(power**2))
        relaxation = -(2.0**count) * step / jnp.log(size)
        sums = (
            covariance + power @ covariance @ power.T,
            wave + angle * (power @ wave),
            centre + power @ centre,
        )
        return count + 1, power @ power, angle * angle, sums, relaxation

    first = (jnp.zeros((), int), matrix, turn, start, jnp.zeros(()))
    count, _, _, (covariance, wave, centre), relaxation = jax.lax.while_loop(more, twice, first)
    # Not decayed after so many steps: no steady state.
    steady = jnp.where(count < DOUBLINGS, 1.0, jnp.nan)
    return steady * covariance, steady * wave, steady * centre, relaxation


def highest_frequency(masses: Array, springs: Array) -> Array:
    """√ of the largest eigenvalue of M^{−½}ΦM^{−½}, by squaring: right to 0.2 % and never too small."""
    root = jnp.sqrt(masses)

    def square(turn: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        matrix, log = state
        size = jnp.sqrt(jnp.sum(matrix**2))
        matrix = matrix / jnp.where(size > 0, size, 1.0)
        return matrix @ matrix, log + jnp.log(size) / 2.0**turn

    start = (springs / (root[:, None] * root), jnp.zeros(()))
    matrix, log = jax.lax.fori_loop(0, 10, square, start)
    return jnp.exp((log + jnp.log(jnp.sqrt(jnp.sum(matrix**2))) / 2**10) / 2)


def longest_step(masses: Array, springs: Array) -> Array:
    """2/ω_max: with a longer step the fastest mode of a linear network grows without end, whatever its friction."""
    return 2 / highest_frequency(masses, springs)


class Choice(NamedTuple):
    """A time step, the steps per period (one block if nothing drives), and what they do to a linear network:

    its averages, and the `bias` of heat per bath and work per force, relative to the largest of them (bath and drive).
    """

    step: Array
    period: Array
    averages: Averages
    bias: Array


def _rounding(system: System) -> Array:
    """Heats up to which all is rounding, as in equilibrium: measured by what goes back and forth, Tγ/m."""
    return 1e-9 * jnp.sum(system.warmth * system.frictions / system.masses)


def _flows(system: System, averages: Averages) -> Array:
    """Heat per bath and work per force, of averages at several steps (step, …)."""
    return jnp.concatenate([averages.heats @ system.members.T, averages.works], axis=-1)


def given(system: System, step: Any, offset: Array, block: int) -> Choice:
    """The time step `step`, or in a driven network the next shorter one with whole blocks of steps in a period.

    The bias is against the limit of short steps, from an eighth and a sixteenth of the step, whose own errors are of
    second order.
    """
    period = jnp.asarray(block)
    if system.sites:
        duration = 2 * math.pi / system.frequency
        # A step that divides the period up to rounding is meant to.
        period = (block * jnp.ceil(duration / (block * step) * (1 - 1e-12))).astype(int)
        step = duration / period
    step = jnp.asarray(step)
    found = jax.lax.map(lambda h: exact(system, h, offset), step / jnp.array([1.0, 8.0, 16.0]))
    whole, eighth, sixteenth = _flows(system, found)
    limit = sixteenth + (sixteenth - eighth) / 3
    bias = jnp.abs(whole - limit) / (jnp.max(jnp.abs(limit)) + _rounding(system))
    return Choice(step, period, jax.tree.map(lambda a: a[0], found), bias)


def chosen(system: System, bias: Any, longest: Array, offset: Array, block: int) -> Choice:
    """The longest of a row of time steps for which the heats of a linear network have at most the relative `bias`.

    The steps are 2^{−j/2}; in a driven network the period over 1, 2, 3, 4, 6, 8, 12, … blocks of steps. So nearby
    parameters mostly take the same. None is longer than a tenth of the `longest` stable step. The bias is
    4/3 of the change when the step is halved, against the largest heat or work.
    """
    if system.sites:
        duration = 2 * math.pi / system.frequency
        start = jnp.maximum(jnp.ceil(2 * jnp.log2(duration / (block * longest / 10))), 0.0)
    else:
        start = jnp.ceil(-2 * jnp.log2(longest / 10))
    rounding = _rounding(system)

    def candidate(j: Array) -> tuple[Array, Array]:
        if not system.sites:
            return 2 ** (-j / 2), jnp.asarray(block)
        blocks = jnp.ceil(jnp.where(j % 2 == 0, 2 ** (j / 2), 0.75 * 2 ** ((j + 1) / 2)))
        return duration / (block * blocks), (block * blocks).astype(int)

    def both(j: Array) -> Averages:
        return jax.lax.map(lambda h: exact(system, h, offset), candidate(j)[0] / jnp.array([1.0, 2.0]))

    State = tuple[Array, Array, Averages, Array]

    def shorter(state: State) -> State:
        j = state[0] + 1
        found = both(j)
        whole, half = jnp.concatenate([found.heats, found.works], axis=1)
        scale = jnp.max(jnp.abs(half)) + rounding
        error = 4 / 3 * jnp.max(jnp.abs(whole - half)) / scale
        whole, half = _flows(system, found)
        return j, error, jax.tree.map(lambda a: a[0], found), 4 / 3 * jnp.abs(whole - half) / scale

    def too_long(state: State) -> Array:
        j, error, *_ = state
        return (error > bias) & (j < start + 40)

    empty = jax.tree.map(lambda a: jnp.zeros(a.shape[1:], a.dtype), jax.eval_shape(both, start))
    none = jnp.zeros(system.baths + system.drives)
    j, _, averages, found = jax.lax.while_loop(too_long, shorter, (start - 1, jnp.asarray(jnp.inf), empty, none))
    return Choice(*candidate(j), averages, found)
