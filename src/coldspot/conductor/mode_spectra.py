"""Modes that their electrons act back on, at each frequency: propagator, correlations, and energy from each bath."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._attributes import Spoken
from .._checks import InputError, as_float, check_positive, check_type, concrete, worded
from ..ledger import Named
from ..pytrees import compiled
from .boson_currents import dressed
from .bound_states import uncounted
from .coherent import Conductor


class ModeSpectra(Spoken, eqx.Module):
    """What modes do at frequencies ω (…), with their electrons' Π(ω) inside their propagator if they act back.

    - `propagator` D^r (…, mode, mode) = (ω² − Ω² + iJ − Π)⁻¹, `self_energy` Π of the electrons;
    - `emission` B^<, `absorption` B^> (…, mode, mode): ∫dt e^{iωt}⟨u_n(0)u_m(t)⟩ and ⟨u_m(t)u_n(0)⟩;
    - `power`: energy into the modes per dω/2π from each kind of pair, "α-β", and from each bath of the modes (…): its
      sum is 0 at each frequency, to rounding.
    """

    propagator: Array
    self_energy: Array
    emission: Array
    absorption: Array
    power: Named


@worded
def mode_spectra(conductor: Conductor, omega: Any) -> ModeSpectra:
    """The modes of a conductor at frequencies ω > 0 (…): see `ModeSpectra`. Any leads; narrow modes have no spectrum.

    With the pairs' E^{αβ}, A^{αβ} and, of each mode's bath, E = 2Jn and A = 2J(1+n), D^r = (ω² − Ω² + iJ − Π)⁻¹,
    B^< = D^rΣE D^a, B^> = D^rΣA D^a, and the energy from a source s is ω tr[E_sB^> − A_sB^<]. If `back_action` of the
    modes is false, Π, E and A of the electrons are left out of D and B, and the baths take all that pairs give.
    (J.-T. Lü, M. Brandbyge, P. Hedegård, T. N. Todorov and D. Dundas, "Current-induced atomic dynamics, instabilities,
    and Raman signals: Quasiclassical Langevin equation approach".)

    >>> import coldspot as cs
    >>> baths = {"left": cs.ElectronBath(0.5, 0.8), "right": cs.ElectronBath(0.5)}
    >>> leads = {name: cs.WideBandLead(k, 1.0, bath) for k, (name, bath) in enumerate(baths.items())}
    >>> modes = cs.Modes([1.0], [[[0, 1], [1, 0]]], {"phonons": cs.BosonBath(0.5)}, dampings=[0.1], back_action=True)
    >>> power = mode_spectra(cs.Conductor([[0.5, 0.0], [0.0, -0.5]], leads, modes), 1.0).power
    >>> list(power), bool(abs(sum(power.values())) < 1e-12 * abs(power["phonons"]))
    (['left-left', 'left-right', 'right-left', 'right-right', 'phonons'], True)
    """
    owner = "mode_spectra"
    check_type(owner, "conductor", conductor, Conductor)
    if conductor.modes is None:
        raise InputError(f"{owner}: the conductor has no `modes`.")
    rates = concrete(conductor.modes.rates())
    if rates is not None and not conductor.modes.back_action and not np.all(rates > 0):
        raise InputError(f"{owner}: narrow modes have no spectrum; give `Modes` their `dampings`.")
    omega = as_float(omega, f"{owner}: `omega`")
    check_positive(owner, "omega", omega)
    found, good = _at(conductor, omega.reshape(-1))
    known = concrete(good)
    if known is not None and not known.all():
        at = float(omega.reshape(-1)[int(np.argmin(known))])
        raise InputError(
            f"{owner}: the integral over energies has not converged at ω = {at:g}, or modes link a state without "
            "width, outside of the leads' bands or dark in them (give a `WideBandLead` a small width there)."
        )
    return jax.tree.map(lambda part: part.reshape(*omega.shape, *part.shape[1:]), found)


@compiled
def _at(conductor: Conductor, omegas: Array) -> tuple[ModeSpectra, Array]:
    modes, leads = conductor.modes, conductor.leads
    assert modes is not None
    known = ~uncounted(conductor.matrix, leads, modes.couplings)

    def one(omega: Array) -> tuple[ModeSpectra, Array]:
        d = dressed(conductor.matrix, leads, modes, omega)
        b, found = d.bosons, d.electrons
        given = jnp.einsum("abmn,nm->ab", found.emission, b.more) - jnp.einsum("abmn,nm->ab", found.absorption, b.less)
        power = {f"{x}-{y}": omega * given[i, j].real for i, x in enumerate(leads) for j, y in enumerate(leads)}
        for name in modes.baths:
            power[name] = jnp.asarray(sum(d.power[k] for k, own in enumerate(modes.names) if own == name))
        return ModeSpectra(b.retarded, found.retarded, b.less, b.more, Named.of(power, ())), found.converged & known

    return jax.lax.map(one, omegas)
