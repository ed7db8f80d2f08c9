"""Population of a mode that electron–hole pairs alone excite and damp: rate equation, effective temperature, stability.

dN/dt = E(N+1) − A N, with the sums E, A over all pairs of the rates of emission and absorption (Hu, Nian and Lü,
"Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid energy transport",
eqs. 8–12).
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from .._checks import worded
from ..numerics.lacking import lacking


@worded
def population(emission: Any, absorption: Any) -> Array:
    """N = 1/(A/E − 1) = E/(A−E); not a number if E ≥ A, where the mode grows without limit (eq. 9).

    >>> float(population(1.0, 3.0))
    0.5
    """
    emission, absorption = jnp.asarray(emission), jnp.asarray(absorption)
    stable = absorption > emission
    return lacking(~stable, emission / jnp.where(stable, absorption - emission, 1.0), emission + absorption)


@worded
def effective_temperature(emission: Any, absorption: Any, frequency: Any) -> Array:
    """T_eff = Ω/ln(1+1/N) = Ω/ln(A/E), at which N is the Bose function; not a number if E ≥ A (eq. 10).

    >>> f"{float(effective_temperature(1.0, 2.0, 1.0)):.6f}"  # 1/ln 2
    '1.442695'
    """
    return jnp.asarray(frequency) / _log_ratio(emission, absorption)


@worded
def effective_chemical_potential(emission: Any, absorption: Any, frequency: Any, temperature: Any) -> Array:
    """μ_eff = Ω − T_e ln(1+1/N) = Ω − T_e ln(A/E), with which N is the Bose function at T_e (eq. 11).

    Positive where emission is enhanced, and T_eff = T_e/(1 − μ_eff/Ω) is then above T_e. Not a number if E ≥ A.

    >>> f"{float(effective_chemical_potential(1.0, 2.0, 1.0, 0.5)):.6f}"  # 1 − ln(2)/2
    '0.653426'
    """
    return jnp.asarray(frequency) - jnp.asarray(temperature) * _log_ratio(emission, absorption)


def _log_ratio(emission: Any, absorption: Any) -> Array:
    """ln(A/E), without cancellation where they are nearly equal."""
    emission, absorption = jnp.asarray(emission), jnp.asarray(absorption)
    stable = (absorption > emission) & (emission > 0)
    e, a = jnp.where(stable, emission, 1.0), jnp.where(stable, absorption, 2.0)
    value = jnp.where(a < 2 * e, jnp.log1p((a - e) / e), jnp.log(a) - jnp.log(e))
    return lacking(~(absorption > emission), jnp.where(stable, value, jnp.inf), emission + absorption)
