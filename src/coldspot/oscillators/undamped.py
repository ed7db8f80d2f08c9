"""Modes that no friction reaches, by symmetry or far from every bath: how they are told, and set apart.

A mode u of the springs, Φu = ω²Mu, with Γu = 0, keeps the energy that it has for ever and exchanges none with any bath.
Heats do not depend on it. A friction of its own, which no bath causes and which has no noise, F = Σ_u ω M u uᵀM, lets
it come to rest and changes nothing else: so the equations of the moments, singular before, have one solution, which is
right wherever such modes do not move.

In coordinates times √m the modes are the eigenvectors of Φ + ηΓ that friction does not reach, whatever η: of springs
alone those of one frequency would come mixed with others, which friction does reach. Where that is not quite so,
friction takes g = uᵀΓu from them, springs pass r = Φu − ω²u − iωΓu to the other modes, those take |rᵀD⁻¹r|/ω, with
D = Φ − ω² − iωΓ among them, and lose |r|²/ω³ at most to the friction F. The sum of these rates bounds what heats lack,
in units of it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import EPS, inverse, positive_or_one
from .instant import Instant

NOTHING = 64 * EPS
"""Damping, relative to its frequency, below which a mode keeps its energy, as far as numbers tell."""
MIX = 0.6180339887498949
"""η, in units of springs over friction: no ratio that shapes of networks have."""
LITTLE = 1e-13
"""The rate, relative to its frequency, at which springs may pass the energy of such a mode to others, at most."""
SAFE = 64.0
"""How much more heat than their rates times T_b − T_b′ such modes may carry."""
CLEAN = 8 * EPS
"""What springs pass on from a mode, relative to the sum of all, that is rounding."""
PRESENT = 1e-24
"""Shares in modes, squared, below which coordinates do not take part in them."""


class Undamped(NamedTuple):
    """`damping` F in coordinates times √m (n, n), zero without such modes, and the `loss` that heats lack."""

    damping: Array
    loss: Array

    @property
    def present(self) -> Array:
        """Whether there are such modes."""
        return jnp.any(self.moving)

    @property
    def moving(self) -> Array:
        """Which coordinates (n,) take part in them."""
        sizes = jnp.diagonal(self.damping, axis1=-2, axis2=-1)
        return sizes > PRESENT * positive_or_one(jnp.max(sizes, -1, keepdims=True))


def undamped(masses: Array, springs: Array, friction: Array) -> Undamped:
    """The modes of one network with masses (n,), not zero, springs and friction (n, n) that no friction reaches.

    None where no friction is: all heats are zero then, but nothing has a steady state.
    """
    n = masses.shape[0]
    masses, springs, friction = (jax.lax.stop_gradient(a) for a in (masses, springs, friction))
    root = jnp.sqrt(masses)
    k = (springs + springs.T) / 2 / (root[:, None] * root)
    g = friction / (root[:, None] * root)
    stiff, loose = jnp.trace(k), jnp.trace(g)

    def found() -> Undamped:
        _, shapes = jnp.linalg.eigh(k + MIX * stiff / loose * g)
        lost = jnp.maximum(jnp.sum(shapes * (g @ shapes), 0), 0.0)
        speed = jnp.sqrt(jnp.maximum(jnp.sum(shapes * (k @ shapes), 0), 0.0))
        nearly = lost <= NOTHING * speed
        passed = jax.lax.map(lambda mode: _passed_on(k, g, *mode), (shapes.T, speed, nearly))
        still = nearly & (passed <= LITTLE * speed)
        missing = SAFE * jnp.sum(jnp.where(still, lost + passed, 0.0))
        return Undamped((shapes * jnp.where(still, speed, 0.0)) @ shapes.T, missing)

    # Where each coordinate has a friction of its own, that reaches every mode.
    own = jnp.diag(g)
    some = jnp.any(own == 0) | jnp.any(g != jnp.diag(own))
    some &= (stiff > 0) & (loose > 0) & jnp.isfinite(stiff + loose)
    return jax.lax.cond(some, found, lambda: none_of(n))


def _passed_on(k: Array, g: Array, mode: Array, speed: Array, nearly: Array) -> Array:
    """At which rate a mode of springs k and friction g, `nearly` undamped, gives others energy, or they to F."""
    pulled = k @ mode
    passed = pulled - mode * (mode @ pulled) - 1j * speed * (g @ mode - mode * (mode @ g @ mode))
    size = jnp.sum(jnp.abs(passed) ** 2)

    def rate() -> Array:
        others = jnp.eye(mode.size) - jnp.outer(mode, mode)
        # Others that no friction reaches either keep what they are given: no longer than numbers tell.
        d = k - speed**2 * others - 1j * speed * (g + NOTHING * speed * others)
        d = others @ d @ others + jnp.trace(k) * jnp.outer(mode, mode)
        return jnp.abs(passed @ inverse(d) @ passed) / speed + size / speed**3

    return jax.lax.cond(nearly & (size > (CLEAN * jnp.trace(k)) ** 2), rate, lambda: jnp.zeros(()))


def none_of(n: int) -> Undamped:
    """None of n modes."""
    return Undamped(jnp.zeros((n, n)), jnp.zeros(()))


def undamped_in_each(masses: Array, springs: Array, frictions: Array, everywhere: bool) -> Undamped:
    """The same of a batch of networks with one friction (point, n) per coordinate; none if baths act `everywhere`."""

    def one(given: tuple[Array, Array, Array]) -> Undamped:
        return undamped(given[0], given[1], jnp.diag(given[2]))

    def none() -> Undamped:
        return Undamped(jnp.zeros_like(springs), jnp.zeros(springs.shape[0]))

    if everywhere:
        return none()
    given = jax.lax.stop_gradient((masses, springs, frictions))
    return jax.lax.cond(jnp.any(frictions == 0), lambda: jax.lax.map(one, given), none)


def undamped_now(one: Instant) -> Undamped:
    """The same of a network at one moment, whose coordinates of mass 0 all have friction.

    None where there are forces without an energy, which may feed them.
    """
    masses = one.masses.at[np.array(one.massless, int)].set(1.0) if one.massless else one.masses
    friction = jnp.sum(one.frictions, 0)
    return undamped(masses, one.springs, jnp.where(jnp.all(one.pulls == 0), friction, jnp.eye(one.size)))


def at_rest(one: Instant, found: Undamped) -> Array:
    """What F adds to the drift (k, k) of (x, v), v of the coordinates that have a mass."""
    n, heavy = one.size, one.heavy
    root = jnp.sqrt(jax.lax.stop_gradient(one.masses[heavy]))
    own = found.damping[heavy[:, None], heavy] / root[:, None] * root
    return jnp.zeros((n + heavy.size,) * 2).at[n:, n:].set(-own)


def unknown_products(found: Undamped) -> Array:
    """Between which coordinates of one network (n, n) averages of products depend on the start."""
    return found.moving[:, None] & found.moving


def unknown_currents(found: Undamped) -> Array:
    """Between which coordinates of one network (n, n) averages of position times velocity depend on the start.

    Modes of different frequency have none: over a long time only those of one frequency carry energy to each other.
    """
    speeds, shapes = jnp.linalg.eigh(found.damping)
    top = jnp.max(speeds)
    near = (jnp.abs(speeds[:, None] - speeds) <= 1e-9 * top) & ~jnp.eye(speeds.size, dtype=bool)
    near &= (speeds > 1e-9 * top)[:, None]
    return (shapes**2 @ near @ (shapes**2).T) > PRESENT
