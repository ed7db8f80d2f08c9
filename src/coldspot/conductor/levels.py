"""Levels that do not mix, each on one lead."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Numbers, as_float, check_shape, parameter
from .spectral_functions import Place, SpectralFunctions, Terms, Weight


class Levels(SpectralFunctions):
    """Levels that do not mix, each on one lead: A_α is diagonal, a Lorentzian for each of the lead's own levels.

    - `energies` (level) E_k; `gammas` (level): full level widths γ_k, A_kk = γ_k/((ε−E_k)² + γ_k²/4);
    - `leads` (level): the name of the lead that each level is on.

    Nothing flows between the leads but with the help of a coupling to bosons.

    >>> from coldspot.conductor import Levels
    >>> levels = Levels([0.5, -0.5], [1.0, 1.0], ["left", "right"])
    >>> levels.spectral("left", 0.5).real.tolist()
    [[4.0, 0.0], [0.0, 0.0]]
    """

    lead_of: tuple[str, ...] = eqx.field(static=True)
    leads: tuple[str, ...] = eqx.field(static=True)
    sites: int = eqx.field(static=True)
    energies: Numbers = parameter(dimension="energy", shape=None)
    gammas: Numbers = parameter(dimension="energy", positive=True, shape=None)

    def __init__(self, energies: Any, gammas: Any, leads: Sequence[str]):
        self.energies, self.gammas = as_float(energies, "Levels: `energies`"), as_float(gammas, "Levels: `gammas`")
        self.lead_of = tuple(leads)
        self.leads, self.sites = tuple(dict.fromkeys(self.lead_of)), len(self.lead_of)
        for k, name in enumerate(self.lead_of):
            if not isinstance(name, str):
                raise InputError(f"Levels: `leads[{k}]` must be the name of a lead, but is {name!r}.")
        if not self.leads:
            raise InputError("Levels: `leads` is empty; a conductor needs at least one level.")
        for field in ("energies", "gammas"):
            check_shape("Levels", field, getattr(self, field), (self.sites,), "one number per level")

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        return {"energies": self.energies, "gammas": self.gammas, "leads": self.lead_of}

    def green(self, energy: Any) -> Array:
        energy = jnp.asarray(energy)[..., None]
        return _diagonal(1 / (energy - self.energies + 0.5j * self.gammas))

    def spectral(self, lead: str, energy: Any) -> Array:
        self._check_lead(lead)
        own = np.array([name == lead for name in self.lead_of])
        values = _lorentzian(jnp.asarray(energy)[..., None] - self.energies, self.gammas)
        return _diagonal(jnp.where(own, values, 0.0) + 0j)

    def _steps(self, places: tuple[Place, ...], upper: str, lower: str) -> list[tuple[int, int, int]]:
        """(k, i, j): element k takes an electron from level i on the lead `upper` to j on `lower` (or back)."""
        ordered = [(k, i, j) for k, place in enumerate(places) for i, j in dict.fromkeys((place, place[::-1]))]
        return [(k, i, j) for k, i, j in ordered if self.lead_of[i] == upper and self.lead_of[j] == lower]

    def broadening(self, lead: str) -> Array:
        self._check_lead(lead)
        return jnp.sum(self.gammas[np.flatnonzero([name == lead for name in self.lead_of])])

    def elastic(self) -> Array:
        return jnp.asarray(False)

    def connects(self, place: Place, upper: str, lower: str) -> bool:
        return bool(self._steps((place,), upper, lower))

    def weight(self, elements: Array, places: tuple[Place, ...], kinds: list[tuple[str, str]]) -> "LevelWeight":
        steps = [self._steps(places, *kind) for kind in kinds]
        # Kinds with fewer steps repeat one of theirs with no strength.
        count = max(map(len, steps))
        table = np.array([own + own[:1] * (count - len(own)) for own in steps])
        real = np.array([[s < len(own) for s in range(count)] for own in steps])
        k, i, j = np.moveaxis(table, -1, 0)

        def by_kind(values: Array) -> Array:
            """(point, kind, step) → (kind and point, step)."""
            return jnp.swapaxes(values, 0, 1).reshape(-1, count)

        return LevelWeight(
            by_kind(self.energies[:, i]),
            by_kind(self.gammas[:, i] / 2),
            by_kind(self.energies[:, j]),
            by_kind(self.gammas[:, j] / 2),
            by_kind(jnp.where(real, squared(elements)[:, k], 0.0)),
        )

    def terms(self, couplings: Array) -> Terms:
        """One term for each two levels: Σ_ij M^m_ji M^n_ij a_i(ε) a_j(ε−ω)."""
        i, j = np.indices((self.sites, self.sites)).reshape(2, -1)
        energies, halfwidths = self.energies[:, None], self.gammas[:, None] / 2
        return Terms(
            LevelWeight(energies[i], halfwidths[i], energies[j], halfwidths[j], jnp.ones((i.size, 1))),
            tuple((self.lead_of[one], self.lead_of[other]) for one, other in zip(i, j, strict=True)),
            couplings[:, None, j, i] * couplings[:, i, j],
        )


class LevelWeight(Weight):
    """Σ |M|² a_1(ε) a_2(ε−ω) over steps between levels, a = 2w/((ε−E)²+w²); arrays (point, step)."""

    upper_energies: Array
    upper_halfwidths: Array
    lower_energies: Array
    lower_halfwidths: Array
    strengths: Array

    def __call__(self, centre: Array, offset: Array, reference: Array, omega: Array) -> tuple[Array, Array]:
        total, error = jnp.zeros_like(offset), jnp.zeros_like(offset)
        for step in range(self.strengths.shape[-1]):
            e1, w1, e2, w2, strength = (v[:, step] for v in jax.tree.leaves(self))
            above, below = e1 - reference, (e2 - reference) + omega
            one, other = (centre - above) + offset, (centre - below) + offset
            value = 4 * strength * w1 * w2 / ((one**2 + w1**2) * (other**2 + w2**2))
            # Rounding moves two resonances against each other.
            shift = jnp.abs(above) + jnp.abs(e2 - reference) + omega
            total, error = (
                total + value,
                error + value * jax.lax.optimization_barrier(shift / jnp.hypot(above - below, w1 + w2)),
            )
        return total, error

    def upper(self) -> tuple[Array, Array]:
        return self.upper_energies, self.upper_halfwidths

    def lower(self) -> tuple[Array, Array]:
        return self.lower_energies, self.lower_halfwidths


def squared(element: Array) -> Array:
    """|M|², without the corner of |M| at 0."""
    return element.real**2 + element.imag**2


def _lorentzian(x: Array, gamma: Array) -> Array:
    return gamma / (x**2 + gamma**2 / 4)


def _diagonal(values: Array) -> Array:
    return values[..., None] * jnp.eye(values.shape[-1])
