"""The system that all methods for oscillators know: arrays of one point or of a batch, and nothing of names.

m_i ẍ_i = −Σ_j Φ_ij x_j − ∂U/∂x_i − γ_i ẋ_i + η_i + f_i(t),   ⟨η_i(t) η_j(t′)⟩ = 2γ_i T_b(i) δ_ij δ(t−t′)
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

FEW = 4
"""Coordinates whose springs are added up one by one, which becomes part of the loop over the lanes."""


class System(eqx.Module):
    """The numbers of an oscillator network; a batch has one leading axis in every array.

    - `masses` m, `frictions` γ (…, n), `springs` Φ (…, n, n), `temperatures` T (…, bath);
    - force d acts on coordinate `sites[d]` with `means[d]` + `amplitudes[d]`·cos(Ωt + `phases[d]`), (…, drive) each;
      `frequency` Ω (…), 0 where nothing drives;
    - `potential`: U(x) of one position (n,), a PyTree, or None: energy beside that of the springs;
    - `bath_of`: the index of each coordinate's bath, −1 where there is none.

    The last two tuples say which number belongs where, and shape the compiled code.
    """

    masses: Float[Array, "*batch n"]
    springs: Float[Array, "*batch n n"]
    frictions: Float[Array, "*batch n"]
    temperatures: Float[Array, "*batch bath"]
    amplitudes: Float[Array, "*batch drive"]
    phases: Float[Array, "*batch drive"]
    means: Float[Array, "*batch drive"]
    frequency: Float[Array, "*batch"]
    potential: Callable[[Array], Array] | None
    bath_of: tuple[int, ...] = eqx.field(static=True)
    sites: tuple[int, ...] = eqx.field(static=True)

    @property
    def size(self) -> int:
        """The number n of coordinates."""
        return len(self.bath_of)

    @property
    def baths(self) -> int:
        """The number of baths."""
        return self.temperatures.shape[-1]

    @property
    def drives(self) -> int:
        """The number of forces."""
        return len(self.sites)

    @property
    def members(self) -> np.ndarray:
        """Which coordinates (second axis) each bath (first axis) acts on: 1 or 0."""
        return (np.arange(self.baths)[:, None] == np.array(self.bath_of)).astype(float)

    @property
    def thermal(self) -> np.ndarray:
        """The coordinates that have a bath."""
        return np.flatnonzero(np.array(self.bath_of) >= 0)

    @property
    def pushes(self) -> np.ndarray:
        """Which coordinate (first axis) each force (second axis) acts on: 1 or 0."""
        return (np.arange(self.size)[:, None] == np.array(self.sites, int)).astype(float)

    @property
    def warmth(self) -> Array:
        """The temperature of each coordinate's bath (…, n), 0 where there is none."""
        owner = np.array(self.bath_of)
        return jnp.where(owner >= 0, self.temperatures[..., owner], 0.0)

    def linear(self, springs: Array) -> "System":
        """The linear system with these springs and everything else the same."""
        return dataclasses.replace(self, springs=springs, potential=None)

    def energy(self, x: Array) -> Array:
        """V = ½ Σ Φ_ij x_i x_j + U(x) of one position (n,); of one system."""
        springs = x @ self.springs @ x / 2
        return springs if self.potential is None else springs + self.potential(x)

    def force(self, x: Array) -> Array:
        """−∂V/∂x at many positions (n, lane); of one system."""
        if self.size <= FEW:
            rows = [sum(self.springs[i, j] * x[j] for j in range(self.size)) for i in range(self.size)]
            pull = -jnp.stack(rows)
        else:
            pull = -(self.springs @ x)
        if self.potential is None:
            return pull
        return pull - jax.vmap(jax.grad(self.potential), in_axes=-1, out_axes=-1)(x)


def still(tree: Any) -> Any:
    """The same, constant to derivatives; what is no array of numbers passes."""
    arrays, rest = eqx.partition(tree, eqx.is_inexact_array)
    return eqx.combine(jax.lax.stop_gradient(arrays), rest)
