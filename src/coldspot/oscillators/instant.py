"""Linear networks at one moment: their numbers, and what follows from them for second moments and for the ledger.

    M ẍ = −Φx + Σ_d (N_d x + f_d) + Σ_b (−Γ_b ẋ + η_b),   ⟨η_b η_bᵀ⟩ = 2T_b Γ_b δ

Coordinates of mass 0 are overdamped: Γẋ = −Φx + … + η. The state is y = (x, v, 1), v of the coordinates with a mass,
so that ẏ = A y + noise with ⟨noise noiseᵀ⟩ = Σ_b T_b W_b, and each rate of the ledger is tr(Q⟨yyᵀ⟩) + Σ_b c_b T_b:

    heat[b] = ⟨(−Γ_b ẋ + η_b)∘ẋ⟩,   work[d] = ⟨(N_d x + f_d)∘ẋ⟩ + ½⟨xᵀ(dΦ/dt)_d x⟩   (Stratonovich).
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from ..numerics.dense import inverse

FEW = 16
"""Coordinates of which one point takes less than optimising its program."""
APART = 4.0
"""How much larger an error may be than the difference of what follows from two sets of instants of a drive."""


class Instant(eqx.Module):
    """The numbers of one network at one moment.

    - `masses` m (n,), `springs` Φ (n, n), `temperatures` (bath,), `frictions` Γ_b (bath, n, n), symmetric;
    - `changes` (dΦ/dt)_d, `pulls` N_d (drive, n, n) and `pushes` f_d (drive, n);
    - `massless`: the coordinates of mass 0. Their friction is one bath's alone, and not shared with those of a mass.
    """

    masses: Float[Array, " n"]
    springs: Float[Array, "n n"]
    temperatures: Float[Array, " bath"]
    frictions: Float[Array, "bath n n"]
    changes: Float[Array, "drive n n"]
    pulls: Float[Array, "drive n n"]
    pushes: Float[Array, "drive n"]
    massless: tuple[int, ...] = eqx.field(static=True)

    @property
    def size(self) -> int:
        """The number n of coordinates."""
        return self.masses.shape[0]

    @property
    def heavy(self) -> np.ndarray:
        """The coordinates that have a mass."""
        return np.setdiff1d(np.arange(self.size), self.massless)


class Moments(NamedTuple):
    """What drives second moments of y = (x, v, 1), and what the ledger reads from them.

    `drift` A (k, k), `noise` W_b (bath, k, k); `forms` Q (rate, k, k), symmetric, and `constants` c (rate, bath), in
    the order heat per bath, work per drive.
    """

    drift: Float[Array, "k k"]
    noise: Float[Array, "bath k k"]
    forms: Float[Array, "rate k k"]
    constants: Float[Array, "rate bath"]


def moments(one: Instant) -> Moments:
    """Drift, noise and the ledger's quadratic forms of one network."""
    n, light, heavy = one.size, np.array(one.massless, int), one.heavy
    # Where positions, velocities and the 1 stand in y, and which coordinates have a mass; products with them only move
    # entries, and compile quicker than what moves them.
    unit = np.eye(n + heavy.size + 1)
    at_x, at_v, at_one = unit[:, :n], unit[:, n:-1], unit[:, -1]
    some, none = np.eye(n)[:, heavy], np.eye(n)[:, light]
    mass, frictions = some.T @ one.masses, some.T @ one.frictions @ some
    # The force of springs and drives as a row of y, for each coordinate.
    force = (jnp.sum(one.pulls, 0) - one.springs) @ at_x.T + jnp.sum(one.pushes, 0)[:, None] * at_one
    thrust = some.T @ force - jnp.sum(frictions, 0) @ at_v.T
    drift = jnp.asarray(at_x @ some @ at_v.T + at_v @ (thrust / mass[:, None]))
    noise = jnp.asarray(2 * at_v @ (frictions / (mass[:, None] * mass)) @ at_v.T)
    # Heat: from coordinates with a mass what friction takes and noise brings, from the others −F∘ẋ.
    taken = -at_v @ frictions @ at_v.T
    constant = jnp.diag(jnp.einsum("bii,i->b", frictions, 1 / mass))
    if light.size:
        own = none.T @ one.frictions @ none
        total = jnp.sum(own, 0)
        mobility, pushed = inverse(total), none.T @ force
        drift = drift + at_x @ none @ mobility @ pushed
        spread = mobility @ own @ mobility  # ⟨x∘ẋ⟩ that the noise of each bath adds, per temperature
        noise = noise + 2 * (at_x @ none) @ spread @ (at_x @ none).T
        # Which bath each of them has: its share of the friction, 1 or 0.
        share = jnp.diagonal(own, axis1=-2, axis2=-1) / jnp.diagonal(total)
        velocity = none.T @ at_x.T @ drift
        taken = taken - jnp.einsum("bi,ij,ik->bjk", share, pushed, velocity)
        passed = jnp.einsum("ij,cij->ci", pushed @ at_x @ none, spread)
        constant = constant - jnp.einsum("bi,ci->bc", share, passed)
    # Work.
    rows = one.pulls @ at_x.T + one.pushes[:, :, None] * at_one
    done = at_x @ (one.changes / 2) @ at_x.T + jnp.einsum("dij,ik->djk", rows, at_x.T @ drift)
    work = jnp.einsum("dij,bij->db", one.pulls, at_x.T @ noise @ at_x / 2)
    forms = jnp.concatenate([taken, done])
    return Moments(drift, noise, (forms + jnp.swapaxes(forms, -1, -2)) / 2, jnp.concatenate([constant, work]))


def or_one(frequency: Array | None) -> Array:
    """A frequency, or one where nothing is driven."""
    return jnp.ones(()) if frequency is None else frequency
