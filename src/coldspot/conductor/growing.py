"""Why a mode grows: the rates of its electrons beside its damping, in words."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..pytrees import Table, compiled
from .electron_response import electrons
from .vibrations import Modes


def grows(emission: float, absorption: float, damping: float, mode: str = "the mode") -> str:
    """Golden-rule rates per boson against the rate at which the bath damps the energy."""
    return (
        f"electrons emit into {mode} at the rate {emission:.6g} and absorb at {absorption:.6g}, which is "
        f"{emission - absorption:.6g} more; its bath damps it by {damping:.6g} only, so that it grows without limit. "
        "Damp it more, or lower the bias or the coupling."
    )


def why_unstable(hamiltonian: Array, leads: Table, modes: Modes) -> str:
    """Of the mode that gains most beyond its damping; in words alone where no mode does so by itself."""
    emission, absorption = np.asarray(_rates(hamiltonian, leads, modes))
    damping = np.asarray(modes.rates())
    gain = emission - absorption - damping
    k = int(np.argmax(gain))
    if gain[k] >= 0:
        return grows(float(emission[k]), float(absorption[k]), float(damping[k]), f"mode {k}")
    return (
        "the electrons leave the modes no rest: with `back_action` the matrix Ω² + Π(0) has an eigenvalue that is not "
        "positive, or two modes together gain more than they lose (`conductor.normal_modes` says which). Lower the "
        "coupling or the bias, or damp them more."
    )


@compiled
def _rates(hamiltonian: Array, leads: Table, modes: Modes) -> Array:
    """Emission and absorption (2, mode), with 1/2Ω of the unit mass."""

    def one(mode: tuple[Array, Array]) -> Array:
        coupling, omega = mode
        found = electrons(hamiltonian, leads, coupling[None], omega, rates_alone=True)
        return jnp.stack([jnp.sum(part).real for part in (found.emission, found.absorption)]) / (2 * omega)

    return jax.lax.map(one, (modes.couplings, modes.frequencies)).T
