"""A coherent conductor between leads of any kind: its ledger."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, as_complex, check_type
from ..dynamics import Counted, Dynamics, Outcome, Target
from ..dynamics import Rates as LedgerRates
from ..numerics.dense import positive_or_one
from ..pytrees import Table
from ..solution import Status
from .device import hermitian_rule
from .landauer import NARROWEST, REACH, Found, baths_of, flows
from .leads import Lead, acausal_words, causal
from .noise import Noise, Weighed, noise
from .resonances import resonances, wide
from .wide_band import wide_flows

LOOKED_AT = 4001
"""Energies at which a self-energy that is not causal somewhere is looked at again, for words."""


class Conductor(Dynamics):
    """Electrons that pass coherently through a conductor between any number of leads (ħ = e = 1, one spin).

    - `hamiltonian` (site, site): the Hermitian matrix H, with a magnetic flux as Peierls phases if there is one;
    - `leads`: {name: `WideBandLead` | `ChainLead` | `SelfEnergyLead`}, each with its sites and its bath.

    particles_α = ∫dε/2π Σ_β T_αβ (f_α − f_β) and heat_α = ∫dε/2π (ε − μ_α) Σ_β T_αβ (f_α − f_β), into the conductor,
    with T_αβ = tr[Γ_α G^r Γ_β G^a], G^r = (ε − H − ΣΣ_α)⁻¹, Γ_α = i(Σ_α − Σ_α†). Between wide bands the integrals are
    closed forms of poles and digamma functions, near exceptional points and in the tails of all levels, as well as for
    other leads, adaptive integrals that know each resonance, band edge and thermal window. Both are right to rounding
    at any bias and temperature; zero temperature is the limit of small ones. (R. Landauer; M. Büttiker, "Four-terminal
    phase-coherent conductance"; U. Sivan and Y. Imry, "Multichannel Landauer formula for thermoelectric transport".)

    The status is `NOT_UNIQUE` if a state has no width and the leads do not agree on its occupation, `INVALID` if a
    self-energy is not causal (a lead that gives more electrons than it has).

    >>> import coldspot as cs
    >>> junction = cs.Conductor(
    ...     hamiltonian=[[0.3, 0.25], [0.25, -0.4]],
    ...     leads={
    ...         "left": cs.WideBandLead(sites=0, gamma=0.5, bath=cs.ElectronBath(0.1, chemical_potential=0.2)),
    ...         "right": cs.WideBandLead(sites=1, gamma=0.7, bath=cs.ElectronBath(0.05, chemical_potential=-0.1)),
    ...     },
    ... )
    >>> print(f"{cs.steady_state(junction).particles['left']:.16f}")
    0.0156794214542012
    """

    hamiltonian: Array
    leads: Table

    def __init__(self, hamiltonian: Any, leads: Mapping[str, Lead]):
        self.hamiltonian = as_complex(hamiltonian)
        shape = self.hamiltonian.shape
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
            raise InputError(f"Conductor: `hamiltonian` must be a square matrix, but has shape {shape}.")
        if not isinstance(leads, Mapping) or not leads:
            raise InputError(
                f"Conductor: `leads` must be a mapping from names to leads with at least one, but is {leads!r}."
            )
        for name, lead in leads.items():
            check_type("Conductor", f"leads[{name!r}]", lead, Lead)
            for site in lead.sites:
                if site >= shape[0]:
                    raise InputError(
                        f"Conductor: `leads[{name!r}]` is on site {site}, but the sites are the integers 0 to "
                        f"{shape[0] - 1}."
                    )
        self.leads = Table(leads)

    def rules(self) -> Iterable[Rule]:
        yield hermitian_rule("hamiltonian", self.hamiltonian)

    @property
    def baths(self) -> Table:
        return Table({name: lead.bath for name, lead in self.leads.items()})

    @property
    def drives(self) -> Table:
        return Table({})

    @property
    def sites(self) -> int:
        return self.hamiltonian.shape[-1]

    def solve(self, tolerance: Array) -> Outcome:
        del tolerance  # to rounding, with bounds
        found = self._flows()
        value, error = found.value, found.error
        sizes = [jnp.max(jnp.abs(part), axis=-1) for part in (value.heats, value.particles, error.heats)]
        leak = jnp.abs(jnp.sum(value.particles, axis=-1))
        return Outcome(
            LedgerRates(value.heats, value.particles),
            LedgerRates(error.heats, error.particles),
            faults=self._faults(found),
            residuals={
                "integral": sizes[2] / positive_or_one(sizes[0]),
                "particles": leak / positive_or_one(sizes[1]),
            },
        )

    def _flows(self) -> Found:
        return wide_flows(self.hamiltonian, self.leads) if wide(self.leads) else self._each(flows)

    def _each(self, method: Callable[[Array, Table], Any]) -> Any:
        """What a method finds for each point of a batch, one after the other."""
        numbers, rest = eqx.partition((self.hamiltonian, self.leads), eqx.is_array)
        return jax.lax.map(lambda point: method(*eqx.combine(point, rest)), numbers)

    def cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        if order > 2:
            raise InputError(f"counting: a Conductor has cumulants 1 and 2, but order {order} is asked for.")
        found = self._flows()
        names = list(self.leads)
        firsts = []
        for part in (found.value, found.error):
            columns = []
            for target in targets:
                lead = names.index(target.of)
                amount = (part.particles if target.quantity == "particles" else part.heats)[:, lead]
                scale = self.baths[target.of].temperature if target.quantity == "entropy" else 1.0
                columns.append(amount / scale)
            firsts.append(jnp.stack(columns, axis=-1)[..., None])
        faults = self._faults(found)
        scale = jnp.max(jnp.abs(firsts[0]), axis=1, keepdims=True) + 0 * firsts[0]
        if order == 1:
            return Counted(firsts[0], firsts[1], scale, faults)
        seconds = self.covariances(targets, tolerance)
        value, error, size = (jnp.diagonal(part, axis1=1, axis2=2)[..., None] for part in seconds[:3])
        faults = {status: faults[status] | seconds.faults[status] for status in faults}
        both = [jnp.concatenate(pair, axis=-1) for pair in zip((*firsts, scale), (value, error, size), strict=True)]
        return Counted(*both, faults)

    def covariances(self, targets: tuple[Target, ...], tolerance: Array) -> Counted:
        del tolerance  # to rounding, with bounds
        names = list(self.leads)
        counted = tuple(
            Weighed(names.index(t.of), int(t.quantity != "particles"), t.quantity == "entropy") for t in targets
        )
        found = self._each(lambda hamiltonian, leads: noise(hamiltonian, leads, counted))
        return Counted(found.value, found.error, found.scale, self._faults(found))

    def _faults(self, found: Found | Noise) -> dict[Status, Array]:
        return {
            Status.NOT_UNIQUE: ~found.unique,
            Status.INVALID: ~found.causal,
            Status.NOT_CONVERGED: ~found.converged,
        }

    def explain(self, status: Status) -> str:
        if status == Status.NOT_UNIQUE:
            places, widths = (np.asarray(part) for part in resonances(self.hamiltonian, self.leads))
            at = int(widths.argmin())
            return (
                f"the conductor has a state at energy {places[at]:g} with the level width {2 * widths[at]:.1e}, below "
                f"{NARROWEST:g} of its energies: it keeps the electrons that it has. Give a lead a width there."
            )
        if status == Status.INVALID:
            potentials, temperatures = baths_of(self.leads)
            low, high = jnp.min(potentials - REACH * temperatures), jnp.max(potentials + REACH * temperatures)
            energies = jnp.linspace(low, high, LOOKED_AT)
            for name, lead in self.leads.items():
                sigma = lead.self_energy(energies, jnp.zeros_like(energies))
                if not bool(jnp.all(causal(sigma))):
                    return f"`leads[{name!r}]`: {acausal_words(energies, sigma)}"
        return ""
