"""Population of a mode that electron–hole pairs alone excite and damp: rate equation, effective temperature, stability.

dN/dt = E(N+1) − A N, with the sums E, A over all pairs of the rates of emission and absorption (Hu, Nian and Lü,
"Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid energy transport",
eqs. 8–12).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .._checks import worded
from ..numerics.lacking import lacking


class Balance(NamedTuple):
    """E, A, and what n bosons gain, R = E(1+n) − A n, which is known to its own digits.

    E and A of a slow mode are nearly equal; A − E = (A − R)/(1+n) keeps its digits where n is about the population.
    """

    emission: Array
    absorption: Array
    gain: Array
    number: Array

    @classmethod
    def of(cls, emission: Any, absorption: Any) -> "Balance":
        """With n = 0, where R = E."""
        emission, absorption = jnp.asarray(emission), jnp.asarray(absorption)
        return cls(emission, absorption, emission, jnp.zeros_like(emission))

    def stable(self) -> Array:
        return self.absorption > self.gain

    def damping(self) -> Array:
        """A − E."""
        return (self.absorption - self.gain) / (1 + self.number)

    def population(self) -> Array:
        """E/(A−E)."""
        stable = self.stable()
        value = self.emission / jnp.where(stable, self.damping(), 1.0)
        return lacking(~stable, value, self.emission + self.absorption)

    def log_ratio(self) -> Array:
        """ln(A/E)."""
        known = self.stable() & (self.emission > 0)
        e, a, less = (
            jnp.where(known, value, safe)
            for value, safe in ((self.emission, 1.0), (self.absorption, 2.0), (self.damping(), 1.0))
        )
        value = jnp.where(a < 2 * e, jnp.log1p(less / e), jnp.log(a) - jnp.log(e))
        return lacking(~self.stable(), jnp.where(known, value, jnp.inf), self.emission + self.absorption)

    def potential(self, frequency: Array, temperature: Array) -> Array:
        """Ω − T ln(A/E), where n is the Bose function of Ω/T: −T ln(An/E(1+n)), with An/E(1+n) = 1 − R/E(1+n)."""
        gross = self.emission * (1 + self.number)
        near = self.stable() & (self.gain < 0.5 * gross)
        part = jnp.where(near, self.gain / jnp.where(near, gross, 1.0), 0.0)
        return jnp.where(near, -temperature * jnp.log1p(-part), frequency - temperature * self.log_ratio())

    def state(self, frequency: Array, warmest: Array, common: Array, rate_errors: Array) -> tuple[Array, Array]:
        """N, T_eff = Ω/ln(A/E) and μ_eff (3, …), and bounds of their errors; not numbers where the mode grows.

        `warmest`: the temperature of the bosons n, and of all baths where these are `common` (no μ_eff elsewhere);
        `rate_errors` (3, …): bounds of the errors of E, A and R. Where nothing emits only N is known, which is 0.
        """
        number, temperature = self.population(), frequency / self.log_ratio()
        of_number, of_potential = self._errors(*rate_errors)
        stable = self.stable()
        of_temperature = temperature * of_number / jnp.where(number > 0, number, 1.0)
        errors = [
            jnp.where(stable, of_number, jnp.nan),
            jnp.where(stable & (self.emission > 0), of_temperature, jnp.nan),
            jnp.where(stable & common, warmest * of_potential, jnp.nan),
        ]
        found = [number, temperature, lacking(~common, self.potential(frequency, warmest))]
        return jnp.stack(found), jax.lax.stop_gradient(jnp.stack(errors))

    def _errors(self, emission: Array, absorption: Array, gain: Array) -> tuple[Array, Array]:
        """Bounds of the errors of N, and of μ relative to T, from those of E, A and R.

        T_eff is known as well as N, relatively, or better: (N+1) ln(1+1/N) ≥ 1.
        """
        left, more = self.absorption - self.gain, 1 + self.number
        of_number = (emission * more + self.population() * (absorption + gain)) / left
        some = self.emission > 0
        share = jnp.where(some, emission / jnp.where(some, self.emission, 1.0), jnp.nan)
        return of_number, (gain + jnp.abs(self.gain) * share) / (self.emission * more - self.gain)


@worded
def population(emission: Any, absorption: Any) -> Array:
    """N = 1/(A/E − 1) = E/(A−E); not a number if E ≥ A, where the mode grows without limit (eq. 9).

    >>> float(population(1.0, 3.0))
    0.5
    """
    return Balance.of(emission, absorption).population()


@worded
def effective_temperature(emission: Any, absorption: Any, frequency: Any) -> Array:
    """T_eff = Ω/ln(1+1/N) = Ω/ln(A/E), at which N is the Bose function; not a number if E ≥ A (eq. 10).

    >>> f"{float(effective_temperature(1.0, 2.0, 1.0)):.6f}"  # 1/ln 2
    '1.442695'
    """
    return jnp.asarray(frequency) / Balance.of(emission, absorption).log_ratio()


@worded
def effective_chemical_potential(emission: Any, absorption: Any, frequency: Any, temperature: Any) -> Array:
    """μ_eff = Ω − T_e ln(1+1/N) = Ω − T_e ln(A/E), with which N is the Bose function at T_e (eq. 11).

    Positive where emission is enhanced, and T_eff = T_e/(1 − μ_eff/Ω) is then above T_e. Not a number if E ≥ A.

    >>> f"{float(effective_chemical_potential(1.0, 2.0, 1.0, 0.5)):.6f}"  # 1 − ln(2)/2
    '0.653426'
    """
    return jnp.asarray(frequency) - jnp.asarray(temperature) * Balance.of(emission, absorption).log_ratio()
