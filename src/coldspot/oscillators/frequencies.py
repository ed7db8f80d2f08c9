"""Heat through a linear network at each frequency: transmission between two baths, and what each bath gives."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, as_float, concrete, unknown_name, worded
from ..dynamics import as_dynamics
from ..pytrees import Table, compiled
from . import landauer
from .arguments import FEEDBACK, PULL
from .network import OscillatorNetwork


@worded
def transmission(machine: Any, frequencies: Any, source: str, drain: str) -> Array:
    """T(ω) = 4ω² tr[Γ_source G Γ_drain G†] (…) from one bath to another at frequencies (…): dimensionless.

    G = (Φ − ω²M − iωΓ(ω))⁻¹, Γ_b the real part of the bath's friction at ω. It is the number of open channels at most,
    and does not depend on temperatures. Differentiable with respect to the network and to the frequencies (Dhar and
    Roy, "Heat transport in harmonic lattices").

    - `machine`: an `OscillatorNetwork` of masses on constant springs, with any baths and frictions (or a machine made
      of one); `frequencies` (…), not negative, angular;
    - `source`, `drain`: names of two baths.

    Its rounding is that of an inverse: relative to 1, a few rounding units times the stiffness over the width of the
    mode. At the frequency of a mode that nothing damps it is no number.

    >>> import coldspot as cs
    >>> one = cs.OscillatorNetwork(
    ...     [1.0], [[1.0]], {"a": 0.3, "b": 0.1}, {"a": cs.HeatBath(1.0), "b": cs.HeatBath(0.5)}, {"a": 0, "b": 0}
    ... )
    >>> cs.oscillators.transmission(one, [0.0, 1.0], "a", "b").round(12).tolist()  # 4γ_aγ_b/(γ_a+γ_b)² at the mode
    [0.0, 0.75]
    """
    network, w = _asked("transmission", machine, frequencies)
    for name in (source, drain):
        if name not in network.baths:
            raise unknown_name("transmission", "bath", name, network.baths)
    if source == drain:
        raise InputError(f"transmission: `source` and `drain` must be two baths, but are the same one, `{source}`.")
    names = list(network.baths)
    return _transmissions(network, w)[..., names.index(source), names.index(drain)]


@worded
def heat_spectrum(machine: Any, frequencies: Any) -> Table:
    """Heat that each bath gives per frequency, {bath: h_b(ω) (…)}, at angular frequencies (…), in units of energy:

    h_b(ω) = Σ_b′ ω T_bb′(ω) [n_b(ω) − n_b′(ω)]/2π,   ∫₀^∞ h_b dω = heat[b],

    with n = 1/(e^{ω/T}−1) of quantum baths (`BosonBath`) and T/ω of classical ones (`HeatBath`), and T_bb′ of
    `transmission`, whose rounding it has. Positive: the bath gives. What the mean motion under `forces` does to the
    heat stands at multiples of their frequency alone, and is not contained. Differentiable.

    >>> import coldspot as cs
    >>> import numpy as np
    >>> three = cs.OscillatorNetwork.chain(3, temperatures=(0.2, 0.1), quantum=True)
    >>> w = np.linspace(0.0, 6.0, 3001)
    >>> h = cs.oscillators.heat_spectrum(three, w)
    >>> f"{np.trapezoid(h['left'], w):.8f}", f"{cs.steady_state(three).heat['left']:.8f}"
    ('0.00123984', '0.00123984')
    """
    network, w = _asked("heat_spectrum", machine, frequencies)
    found = _heats(network, w)
    return Table({name: found[..., k] for k, name in enumerate(network.baths)})


def _asked(owner: str, machine: Any, frequencies: Any) -> tuple[OscillatorNetwork, Array]:
    """The network and the frequencies, if it has what is asked of it there."""
    network = as_dynamics(machine)
    if not isinstance(network, OscillatorNetwork):
        raise InputError(f"{owner}: `machine` must be an OscillatorNetwork, but is {type(network).__name__}.")
    beyond = {
        "a `potential`": network.potential is not None,
        "driven `springs`": callable(network.springs),
        "coordinates of mass 0": bool(network.massless),
        "`forces` given as a matrix or as a function": bool({PULL, FEEDBACK} & set(network.targets)),
    }
    for what, there in beyond.items():
        if there:
            raise InputError(f"{owner}: known for masses on constant springs, but the network has {what}.")
    w = as_float(frequencies, f"{owner}: `frequencies`")
    known = concrete(w)
    if known is not None and not (np.isfinite(known).all() and (known >= 0).all()):
        raise InputError(f"{owner}: `frequencies` must be finite and not negative, but are {np.asarray(known)}.")
    return network, w


@compiled
def _transmissions(network: OscillatorNetwork, w: Array) -> Array:
    """T_bb′ (…, bath, bath) at frequencies (…)."""
    s = network.spectral()
    sites = np.array(s.sites)

    def one(w: Array) -> Array:
        memory = 1 / (1 - 1j * w / s.cutoffs)
        whole = jnp.einsum("b,bij->ij", memory, s.strengths)
        # Not from the modes of the springs, at whose frequencies these have a pole.
        matrix = (s.springs - w**2 * jnp.diag(s.masses)).astype(complex).at[np.ix_(sites, sites)].add(-1j * w * whole)
        green = jnp.linalg.inv(matrix)[np.ix_(sites, sites)]
        real = memory.real[:, None, None] * s.strengths
        return 4 * w**2 * jnp.einsum("aij,jk,bkl,il->ab", real, green, real, jnp.conj(green)).real

    return jax.lax.map(one, w.ravel()).reshape(*w.shape, s.temperatures.size, s.temperatures.size)


@compiled
def _heats(network: OscillatorNetwork, w: Array) -> Array:
    """h_b (…, bath)."""
    s = network.spectral()
    passed = landauer.passed(s, jnp.maximum(w.ravel(), landauer.LEAST))
    passed = passed.reshape(*w.shape, s.temperatures.size, s.temperatures.size)
    return jnp.sum(passed * _transmissions(network, w), -1) / (2 * jnp.pi)
