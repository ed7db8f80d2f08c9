"""The linear network that moves most like a nonlinear one: for the start and the steps of trajectories, and to see

whether anything holds the system at all.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import cholesky, inverse
from .integrator import exact, highest_frequency, longest_step
from .model import System

SAMPLES = 128
"""Positions over which curvatures are averaged."""
REPETITIONS = 160
"""Of the search, at most."""
BOLD, CAREFUL, SLOWDOWN = 0.8, 0.05, 0.95
"""The exponent with which springs follow the mean curvature: first, last, and its factor from one to the next."""
SETTLED = 1e-4
"""The search ends when springs and mean curvature differ by no larger part."""
HOLDING = 0.5
"""Springs that would still fall below this part of themselves are held by nothing."""
FAR = 1e6
"""Distance, in spreads, at which a potential must have risen."""
GOLDEN = (math.sqrt(5) - 1) / 2


class Likeness(NamedTuple):
    """Springs (n, n) and constant forces (n,) of the linear network that moves most alike, and the longest step;

    whether the system is `held`: some distribution fits it, and far away its energy is higher.
    """

    springs: Array
    force: Array
    longest: Array
    held: Array


class _Search(NamedTuple):
    springs: Array
    force: Array
    longest: Array
    turn: Array
    change: Array
    held: Array


def equivalent(system: System) -> Likeness:
    """The linear network that moves most alike; a system without `potential` is its own.

    Statistical linearisation: the springs S are the mean C of the curvature ∂²V/∂x∂x, the force makes ⟨∂V/∂x⟩ right,
    over the normal distribution of the linear network itself, found by repetition. Springs may be wrong by many
    orders of magnitude at first (a weak spring beside a steep wall), so that they follow in their logarithm: in the
    coordinates in which S is 1, each eigenvalue μ of C becomes the factor (1+βμ)/(β+μ) ≈ μ^w, β = (1+w)/(1−w),
    which lies between 1/β and β. The exponent w falls from one repetition to the next, since the curvature of a
    potential xᵖ answers to S with the power −(p−2)/2.

    Where no distribution fits (a flat or falling direction), S falls without end there: C stays below it. The longest
    stable step is that of the root mean square of the curvature.
    """
    n, masses = system.size, system.masses
    if system.potential is None:
        none = jnp.zeros(n)
        return Likeness(system.springs, none, longest_step(masses, system.springs), jnp.asarray(True))
    half = np.random.RandomState(0).standard_normal((n, SAMPLES // 2))
    random = np.concatenate([half, -half], axis=1)
    turns = np.exp(2j * np.pi * GOLDEN * np.arange(SAMPLES))
    slope, curve = (jax.vmap(d(system.energy), in_axes=-1) for d in (jax.grad, jax.hessian))

    def better(guess: _Search) -> _Search:
        step = longest_step(masses, guess.springs) / 20
        found = exact(system.linear(guess.springs), step, guess.force)
        x = found.centre[:, None] + (found.waves[:, None] * turns).real
        x = x + cholesky(found.covariance[:n, :n])[0] @ random
        curves = curve(x)
        scaled = curves / jnp.sqrt(masses[:, None] * masses)
        fastest = highest_frequency(jnp.ones(n), jnp.mean(scaled @ scaled, axis=0))  # its square
        mean = jnp.mean(curves, axis=0)
        exponent = jnp.maximum(BOLD * SLOWDOWN**guess.turn, CAREFUL)
        springs, change = _followed(guess.springs, mean, (1 + exponent) / (1 - exponent))
        # Newton's step to where the mean slope vanishes, by the curvature that is there.
        stiff = jnp.where(_definite(mean), mean, springs)
        force = springs @ (found.centre - inverse(stiff) @ jnp.mean(slope(x), axis=0))
        held = _definite(mean - HOLDING * guess.springs)
        new = _Search(springs, force, 2 / jnp.sqrt(fastest), guess.turn + 1, change, held)
        # Where the potential is no potential everywhere, what was found before.
        fine = jnp.all(jnp.isfinite(springs)) & jnp.all(jnp.isfinite(force)) & jnp.isfinite(new.longest + change)
        return jax.tree.map(lambda a, b: jnp.where(fine, a, b), new, guess._replace(change=jnp.zeros(())))

    def unsettled(guess: _Search) -> Array:
        return (guess.turn < REPETITIONS) & (guess.change > SETTLED)

    origin = jnp.zeros((n, 1))
    near = _positive(curve(origin)[0])
    first = _Search(
        near, -slope(origin)[0], longest_step(masses, near), jnp.zeros((), int), jnp.asarray(jnp.inf), jnp.asarray(True)
    )
    found = jax.lax.while_loop(unsettled, better, first)
    held = found.held & _rises(system, found.springs)
    # What nothing holds starts at the origin, to be watched.
    best = jax.tree.map(lambda a, b: jnp.where(held, a, b), found, first)
    return Likeness(best.springs, best.force, best.longest, held)


def _followed(springs: Array, mean: Array, bound: Array) -> tuple[Array, Array]:
    """Springs S that follow the mean curvature C by a factor between 1/`bound` and `bound`, and how far it is off."""
    factor = cholesky(springs)[0]
    back = inverse(factor)
    ratio = back @ mean @ back.T
    one = jnp.eye(springs.shape[0])
    moved = factor @ (one + bound * ratio) @ inverse(bound * one + ratio) @ factor.T
    # Where some curvature is negative the distribution is too narrow, wherever it is.
    moved = jnp.where(_definite(mean), (moved + moved.T) / 2, springs / bound)
    return moved, jnp.max(jnp.abs(ratio - one))


def _definite(matrix: Array) -> Array:
    return cholesky(matrix)[1]


def _positive(springs: Array) -> Array:
    """The springs, stiffened on the diagonal by what makes them positive definite if they are not."""
    sizes = jnp.abs(springs)
    rows = jnp.sum(sizes, axis=1) - jnp.diag(sizes)
    missing = jnp.maximum(jnp.max(rows - jnp.diag(springs)), 0.0) + 0.05 * jnp.max(sizes)
    missing = jnp.where(jnp.max(sizes) > 0, missing, 1.0)
    return springs + jnp.where(_definite(springs), 0.0, missing) * jnp.eye(springs.shape[0])


def _rises(system: System, springs: Array) -> Array:
    """Whether the energy is higher, `FAR` spreads away from the origin, than what keeps a particle from leaving.

    Along a line a Boltzmann distribution can be normalised if V/T rises faster than ln x; wells that end, but are
    deeper than ln `FAR` = 14 temperatures, are left so seldom that they hold. The lines are those of the coordinates
    and of the softest motion; constant forces tilt V. What is infinite or no number there is a wall.
    """
    n = system.size
    warmest = jnp.max(system.temperatures)
    soft = inverse(springs)
    size = jnp.max(jnp.abs(soft))
    # The power of the compliance turns any vector into its softest direction.
    power = jax.lax.fori_loop(0, 10, lambda _, a: (a @ a) / jnp.max(jnp.abs(a @ a)), soft / size)
    softest = power[jnp.argmax(jnp.diag(power))]
    softest = softest / jnp.max(jnp.abs(softest))
    lines = jnp.concatenate([jnp.eye(n), softest[None]])
    lines = FAR * jnp.sqrt(size * warmest) * jnp.concatenate([lines, -lines])
    constant = jnp.asarray(system.pushes) @ system.means

    def risen(x: Array) -> Array:
        return system.energy(x) - system.energy(jnp.zeros(n)) - constant @ x

    return ~jnp.any(jax.vmap(risen)(lines) < warmest * math.log(FAR))
