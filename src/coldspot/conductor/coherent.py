"""A coherent conductor between leads of any kind: its ledger."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, as_float, check_type, worded
from ..baths import ElectronBath
from ..dynamics import Counted, Dynamics, Outcome, Target
from ..dynamics import Rates as LedgerRates
from ..numerics.dense import positive_or_one
from ..pytrees import Table
from ..regimes import SECOND_ORDER
from ..solution import Status
from . import long_devices
from .boson_currents import boson_currents
from .bound_states import uncounted
from .device import Device, hermitian_rule, square
from .few_sites import MOST, TOGETHER
from .growing import why_unstable
from .hartree import with_shift
from .higher_cumulants import check_order, higher
from .kwant_systems import of_kwant
from .landauer import NARROWEST, REACH, Found, baths_of, flows
from .leads import Lead, WideBandLead, acausal_words, causal
from .levels import Levels
from .long_devices import Slices, check_size, dense_or_sliced, fits, sliced, sliced_resonances, width_of
from .noise import WITH_MODES, Noise, noise, weighed
from .pair_flows import LARGE, PairMode, kinds_of, pair_flows, too_fast
from .poles import undecided, widths_of
from .resonances import resonances, wide
from .second_order import second_order, widest
from .sisl_systems import of_sisl
from .vibrations import Modes
from .wide_band import GOOD, attempted, by_nodes, wide_flows

LOOKED_AT = 4001
"""Energies at which a self-energy that is not causal somewhere is looked at again, for words."""
FEW = 8
"""Sites of which one point takes less than optimising its program, but for integrals within integrals."""


class Conductor(Dynamics):
    """Electrons that pass coherently through a conductor between any number of leads (ħ = e = 1, one spin).

    - `hamiltonian` (site, site): the Hermitian matrix H, with a magnetic flux as Peierls phases if there is one; or
      (site): the energies of levels that do not mix; or a SciPy sparse matrix of a long conductor, which is
      eliminated slice by slice;
    - `leads`: {name: `WideBandLead` | `ChainLead` | `SelfEnergyLead`}, each with its sites and its bath;
    - `modes`: `Modes`, boson modes that the electrons excite and damp, narrow or of a width of their own, or None.

    particles_α = ∫dε/2π Σ_β T_αβ (f_α − f_β) and heat_α = ∫dε/2π (ε − μ_α) Σ_β T_αβ (f_α − f_β), into the conductor,
    with T_αβ = tr[Γ_α G^r Γ_β G^a], G^r = (ε − H − ΣΣ_α)⁻¹, Γ_α = i(Σ_α − Σ_α†). Between wide bands the integrals are
    closed forms of poles and digamma functions, near exceptional points and in the tails of all levels, as well as for
    other leads, adaptive integrals that know each resonance, band edge and thermal window. Both are right to rounding
    at any bias and temperature; zero temperature is the limit of small ones. (R. Landauer; M. Büttiker, "Four-terminal
    phase-coherent conductance"; U. Sivan and Y. Imry, "Multichannel Landauer formula for thermoelectric transport".)

    With `modes` the ledger is of second order in their couplings: beside the elastic currents it has the
    inelastic events and the quasi-elastic (Fock) correction, without which energy would not be conserved; the static
    (Hartree) shift of the levels is one with `Modes(…, hartree=True)`. The modes' baths take what electrons emit, or
    share the modes with the electrons if these act back on them (`Modes(…, back_action=True)`). Levels that do not mix,
    each on one lead, have inelastic events alone, in closed form if their leads have one temperature (`PairJunction` is
    such a junction, or the inelastic part of any other). Between other leads than wide bands all of it is integrated.

    The status is `NOT_UNIQUE` if a state has no width and the leads do not agree on its occupation, or if modes take
    electrons from it or to it and leads are not all wide bands (add a `WideBandLead` of a small width there), `INVALID`
    if a self-energy is not causal (a lead that gives more electrons than it has), `UNSTABLE` if electrons emit into a
    mode of finite width faster than they absorb, by more than its damping.

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

    hamiltonian: Array | Slices
    leads: Table
    modes: Modes | None
    cut: int | None = eqx.field(static=True)
    lead_of: tuple[str, ...] | None = eqx.field(static=True)

    def __init__(self, hamiltonian: Any, leads: Mapping[str, Lead], modes: Modes | None = None):
        self.hamiltonian = dense_or_sliced("Conductor", hamiltonian)
        shape = (self.hamiltonian.sites,) * 2 if isinstance(self.hamiltonian, Slices) else self.hamiltonian.shape
        if len(shape) == 1 and shape[0] > 0:
            self.hamiltonian = as_float(hamiltonian, "Conductor: `hamiltonian`")
        elif len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
            raise InputError(
                "Conductor: `hamiltonian` must be a square matrix, or a list of energies of levels that do not mix, "
                f"but has shape {shape}."
            )
        if not isinstance(leads, Mapping) or not leads:
            raise InputError(
                f"Conductor: `leads` must be a mapping from names to leads with at least one, but is {leads!r}."
            )
        for name, lead in leads.items():
            check_type("Conductor", "leads: each name", name, str)
            check_type("Conductor", f"leads[{name!r}]", lead, Lead)
            for site in lead.sites:
                if site >= shape[0]:
                    raise InputError(
                        f"Conductor: `leads[{name!r}]` is on site {site}, but the sites are the integers 0 to "
                        f"{shape[0] - 1}."
                    )
        self.leads = Table(leads)
        self.modes = modes
        self.lead_of = _lead_of(self.leads, shape[0]) if len(shape) == 1 else None
        self.cut = self._width()
        if isinstance(self.hamiltonian, Slices) and (modes is not None or self.cut is None):
            raise InputError(
                "Conductor: a sparse `hamiltonian` is eliminated slice by slice, without `modes`, and each lead that "
                f"mixes its sites must lie within one slice of {self.hamiltonian.width} sites; give a dense matrix, or "
                "number the sites along the conductor."
            )
        if modes is not None:
            self._check_modes(modes)

    @classmethod
    @worded
    def from_kwant(
        cls, system: Any, baths: Mapping[str, ElectronBath] | None = None, params: Mapping[str, Any] | None = None
    ) -> "Conductor":
        """The conductor that a finalised Kwant system describes, with its leads as `StackLead`s.

        **Arguments:** `system`: what `builder.finalized()` returns, with attached leads that are themselves builders;
        `baths`: {name: `ElectronBath`}, one for each lead in their order (without: leads `lead0`, `lead1`, … at
        temperature 1 and chemical potential 0, which is enough for `transmission`); `params`: as Kwant takes them.

        A site with several orbitals is several sites here, in Kwant's order. Kwant itself is not imported.
        (C. W. Groth, M. Wimmer, A. R. Akhmerov and X. Waintal, "Kwant: a software package for quantum transport".)
        """
        return cls(*of_kwant(system, baths, params))

    @classmethod
    def from_sisl(
        cls,
        device: Any,
        electrodes: Mapping[str, tuple[Any, str, Any]],
        baths: Mapping[str, ElectronBath] | None = None,
        k: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> "Conductor":
        """The conductor that Hamiltonians of sisl describe, with its electrodes as `StackLead`s.

        **Arguments:** `device`: the `sisl.Hamiltonian` of the scattering region, which holds the last cell of each
        electrode, not periodic along the transport; `electrodes`: {name: (the `sisl.Hamiltonian` of one cell, the
        semi-infinite direction as in `sisl.RecursiveSI` (`"-A"`, …), the atoms of the device that are that cell)};
        `baths`: {name: `ElectronBath`} (without: temperature 1, chemical potential 0, which is enough for
        `transmission`); `k`: the point of the Brillouin zone across the transport, in reciprocal vectors.

        Orbitals stand in sisl's order, energies are in its unit (eV). Orbitals must be orthogonal and of one spin. sisl
        itself is not imported. (N. Papior, N. Lorente, T. Frederiksen, A. García and M. Brandbyge, "Improvements on
        non-equilibrium and transport Green function techniques: the next-generation TranSIESTA".)
        """
        return cls(*of_sisl(device, electrodes, baths, k))

    def _check_modes(self, modes: Modes) -> None:
        check_type("Conductor", "modes", modes, Modes)
        if modes.couplings.shape[-1] != self.sites:
            raise InputError(
                f"Conductor: `modes.couplings` must be matrices of the conductor's {self.sites} site(s), but have "
                f"shape {modes.couplings.shape}."
            )
        for name in modes.baths:
            if name in self.leads:
                raise InputError(f"Conductor: `{name}` is the name of a lead and of a bath of `modes`; rename one.")

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        return {"hamiltonian": self.hamiltonian, "leads": self.leads, "modes": self.modes}

    def rules(self) -> Iterable[Rule]:
        if not isinstance(self.hamiltonian, Slices):
            yield hermitian_rule("hamiltonian", self.matrix)
            if self.cut is not None:
                yield long_devices.sliced_rule(self.matrix, self.cut)

    def _width(self) -> int | None:
        """The width of the slices of a long conductor that leads do not link either."""
        known = self.hamiltonian
        width = known.width if isinstance(known, Slices) else width_of(known)
        return width if width is not None and fits(self.leads, width) else None

    def slices(self) -> Slices | None:
        """H of a long conductor whose matrix links neighbouring slices only."""
        if isinstance(self.hamiltonian, Slices) or self.cut is None:
            return self.hamiltonian if isinstance(self.hamiltonian, Slices) else None
        return long_devices.known_slices("Conductor", self.hamiltonian, self.cut)

    @property
    def matrix(self) -> Array:
        """H (site, site) of one conductor."""
        if isinstance(self.hamiltonian, Slices):
            raise InputError(
                f"Conductor: of {self.hamiltonian.sites} sites in a sparse `hamiltonian` only `transmission`, the "
                "ledger and `counting` are known; for all else give a dense matrix."
            )
        return square(self.hamiltonian)

    def _matrices(self) -> Array:
        """H of a batch (point, site, site)."""
        if isinstance(self.hamiltonian, Slices):
            return self.matrix
        return self.hamiltonian if self.hamiltonian.ndim == 3 else jax.vmap(jnp.diag)(self.hamiltonian) + 0j

    def spectral_functions(self) -> Levels | Device:
        """What leads with wide bands fill, A_α(ε): of levels that do not mix, or of any matrix."""
        if self.lead_of is not None:
            gammas = [self._gammas(site, name) for site, name in enumerate(self.lead_of)]
            return Levels(self.hamiltonian, jnp.stack(gammas), self.lead_of)
        if not wide(self.leads):
            raise InputError("Conductor.spectral_functions: all leads must have wide bands (`WideBandLead`).")
        widths = widths_of(self.leads, self.sites)
        return Device(self.matrix, dict(zip(self.leads, widths, strict=True)))

    def _gammas(self, site: int, name: str) -> Array:
        lead = self.leads[name]
        return lead.gamma if lead.gamma.ndim == 0 else lead.gamma[lead.sites.index(site)]

    def reversible(self) -> Array:
        if isinstance(self.hamiltonian, Slices):
            return jnp.all(self.hamiltonian.diagonal.imag == 0) & jnp.all(self.hamiltonian.upper.imag == 0)
        return jnp.all(jnp.imag(self.matrix) == 0)

    @property
    def baths(self) -> Table:
        leads = {name: lead.bath for name, lead in self.leads.items()}
        return Table(leads if self.modes is None else leads | dict(self.modes.baths))

    @property
    def drives(self) -> Table:
        return Table({})

    @property
    def sites(self) -> int:
        return self.hamiltonian.sites if isinstance(self.hamiltonian, Slices) else self.hamiltonian.shape[-1]

    @property
    def few(self) -> int:
        nested = self.modes is not None and (self.modes.dampings is not None or not wide(self.leads))
        return 64 if self.sites <= FEW and not nested else 0

    def attempt(self, tolerance: Array, cost: int) -> Outcome | None:
        if self.modes is not None or not self._closed() or cost > int(self.sites <= MOST):
            return None
        check_size(self.sites, self.cut, poles=True)
        found, poor = (by_nodes if cost else attempted)(self._matrices(), self.leads, tolerance)
        value, error = (LedgerRates(part.heats, part.particles) for part in (found.value, found.error))
        return self._outcome(value, error, self._faults(found), {}, poor)

    def block(self, cost: int) -> int | None:
        return TOGETHER if cost and self.sites <= MOST else None

    def solve(self, tolerance: Array) -> Outcome:
        if self.lead_of is not None and self.modes is not None and not self.modes.back_action:
            return self._hopping()
        found = self._flows()
        heats, particles = found.value.heats, found.value.particles
        heat_errors, particle_errors = found.error.heats, found.error.particles
        faults, flags, floor = self._faults(found), {}, 0.0
        if self.modes is not None:
            plain = wide(self.leads) and not self.modes.back_action
            if wide(self.leads):
                open_ = self._each(lambda h, leads, m: undecided(h, leads, m.frequencies, m.couplings), self.modes)
            else:
                open_ = self._each(lambda h, leads, m: uncounted(h, leads, m.couplings), self.modes)
            faults[Status.NOT_UNIQUE] |= open_
            method = with_shift(second_order if plain else boson_currents)
            second, bound, converged = self._each(method, self.modes)
            faults[Status.NOT_CONVERGED] |= ~converged
            heats = jnp.concatenate([heats + second.heats, -self._by_bath(second.energies)], axis=-1)
            heat_errors = jnp.concatenate([heat_errors + bound.heats, self._by_bath(bound.energies)], axis=-1)
            none = jnp.zeros((heats.shape[0], len(self.modes.baths)))
            particles = jnp.concatenate([particles + second.particles, none], axis=-1)
            particle_errors = jnp.concatenate([particle_errors + bound.particles, none], axis=-1)
            flags = {SECOND_ORDER: (second.quasi > LARGE * second.elastic) | self._too_fast(second.particles)}
            cold = 1 / jax.vmap(lambda baths: jnp.stack([b.temperature for b in baths.values()]))(self.baths)
            flags[SECOND_ORDER] |= jnp.sum(heats * cold, axis=-1) > jnp.sum(heat_errors * cold, axis=-1)
            faults[Status.UNSTABLE], floor = jnp.any(second.growing, axis=-1), second.floor
        errors = LedgerRates(heat_errors, particle_errors)
        return self._outcome(LedgerRates(heats, particles), errors, faults, flags, floor=floor)

    def _outcome(
        self,
        value: LedgerRates,
        error: LedgerRates,
        faults: dict[Status, Array],
        flags: dict[str, Array],
        undecided: Array | None = None,
        floor: Any = 0.0,
    ) -> Outcome:
        assert value.particles is not None
        sizes = [jnp.max(jnp.abs(part), axis=-1) for part in (value.heats, value.particles, error.heats)]
        return Outcome(
            value,
            error,
            faults=faults,
            # Levels that rounding moves by a part of the temperature carry as much heat per particle.
            floor=floor + GOOD * sizes[1] * jnp.min(jax.vmap(baths_of)(self.leads)[1], axis=-1),
            residuals={
                "integral": sizes[2] / positive_or_one(sizes[0]),
                "particles": jnp.abs(jnp.sum(value.particles, axis=-1)) / positive_or_one(sizes[1]),
            },
            flags=flags,
            undecided=undecided,
        )

    def _too_fast(self, particles: Array) -> Array:
        return too_fast(eqx.filter_vmap(lambda one: widest(one.matrix, one.leads, one.modes))(self), particles)

    def _hopping(self) -> Outcome:
        """Of levels that do not mix: nothing but the modes takes electrons across."""
        found = [pair_flows(mode) for mode in self._pair_modes()]

        def by_lead(part: str) -> Array:
            return jnp.asarray(sum(jnp.stack(list(getattr(one, part).values()), axis=-1) for one in found))

        def by_mode(part: str) -> Array:
            return jnp.stack([getattr(one, part) for one in found], axis=-1)

        none = jnp.zeros((len(found[0].energy), len(self.baths) - len(self.leads)))
        rates, errors = (
            LedgerRates(
                jnp.concatenate([by_lead(f"{name}s"), sign * self._by_bath(by_mode(energy))], axis=-1),
                jnp.concatenate([by_lead(f"{particle}s"), none], axis=-1),
            )
            for name, particle, energy, sign in (
                ("heat", "particle", "energy", -1),
                ("heat_error", "particle_error", "energy_error", 1),
            )
        )
        growing = jnp.any(by_mode("growing"), axis=-1)
        return Outcome(
            rates,
            errors,
            faults={Status.NOT_UNIQUE: ~jnp.all(by_mode("decays"), axis=-1), Status.UNSTABLE: growing},
            flags={SECOND_ORDER: self._too_fast(by_lead("particles"))},
        )

    def _pair_modes(self) -> Iterable[PairMode]:
        """Each mode of a batch, on pairs of electrons and holes."""
        assert self.modes is not None
        functions = eqx.filter_vmap(lambda one: one.spectral_functions())(self)
        places = [(i, j) for i in range(functions.sites) for j in range(i, functions.sites)]
        rows, columns = np.array(places).T
        for k, name in enumerate(self.modes.names):
            dampings = self.modes.dampings
            yield PairMode(
                functions,
                self.modes.couplings[:, k, rows, columns],
                tuple(places),
                kinds_of(functions, tuple(places)),
                self.baths,
                self.modes.baths[name].temperature,
                self.modes.frequencies[:, k],
                dampings if dampings is None else dampings[k] if isinstance(dampings, tuple) else dampings[:, k],
            )

    def _by_bath(self, energies: Array) -> Array:
        """Of each mode (point, mode) → of each of their baths."""
        assert self.modes is not None
        owns = [[k for k, own in enumerate(self.modes.names) if own == name] for name in self.modes.baths]
        return jnp.stack([jnp.sum(energies[:, np.array(own)], axis=-1) for own in owns], axis=-1)

    def _closed(self) -> bool:
        """Whether currents are sums over poles."""
        return wide(self.leads) and not isinstance(self.hamiltonian, Slices)

    def _flows(self) -> Found:
        check_size(self.sites, self.cut, self._closed())
        if self._closed():
            return wide_flows(self._matrices(), self.leads, self.cut)
        return self._each(lambda hamiltonian, leads: flows(self._cut(hamiltonian), leads))

    def _cut(self, hamiltonian: Array | Slices) -> Array | Slices:
        """H (site, site) of one point, in slices if it is long."""
        return hamiltonian if isinstance(hamiltonian, Slices) or self.cut is None else sliced(hamiltonian, self.cut)

    def _each(self, method: Callable[..., Any], *more: Any) -> Any:
        """What a method finds for each point of a batch, one after the other, of its matrix, its leads and more."""
        matrices = self.hamiltonian if isinstance(self.hamiltonian, Slices) else self._matrices()
        numbers, rest = eqx.partition((matrices, self.leads, *more), eqx.is_array)
        return jax.lax.map(lambda point: method(*eqx.combine(point, rest)), numbers)

    def cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        self._check_elastic()
        check_order(order)
        found = self._flows()
        firsts = [self._chosen(part.particles, part.heats, targets) for part in (found.value, found.error)]
        # What cancels in one lead is measured against the others, and particles against heat.
        potentials, temperatures = jax.vmap(baths_of)(self.leads)
        reach = jnp.max(temperatures, axis=-1) + jnp.max(potentials, axis=-1) - jnp.min(potentials, axis=-1)
        heat, particles = (jnp.max(jnp.abs(part), axis=-1) for part in (found.value.heats, found.value.particles))
        ones = jnp.ones_like(temperatures)
        particle_scale = jnp.maximum(particles, heat / reach)[:, None] * ones
        scale = self._chosen(particle_scale, heat[:, None] * ones, targets)
        faults = self._faults(found)
        if order == 1:
            return Counted(firsts[0], firsts[1], scale, faults)
        seconds = self.covariances(targets, tolerance)
        parts = (seconds.values, seconds.errors, scale if seconds.scale is None else seconds.scale)
        columns = [(*firsts, scale), [jnp.diagonal(part, axis1=1, axis2=2)[..., None] for part in parts]]
        faults = {status: at | seconds.faults[status] for status, at in faults.items()}
        if order > 2:
            more = self._each(lambda h, leads: higher(self._cut(h), leads, weighed(leads, targets), order))
            columns.append(more[:3])
            faults = {status: at | self._faults(more)[status] for status, at in faults.items()}
        value, error, size = (jnp.concatenate(part, axis=-1) for part in zip(*columns, strict=True))
        return Counted(value, error, size, faults)

    def _chosen(self, particles: Array, heats: Array, targets: tuple[Target, ...]) -> Array:
        """Of rates (point, lead) those of the targets (point, target, 1)."""
        columns = []
        for target in targets:
            lead = list(self.leads).index(target.of)
            amount = (particles if target.quantity == "particles" else heats)[:, lead]
            columns.append(amount / self.baths[target.of].temperature if target.quantity == "entropy" else amount)
        return jnp.stack(columns, axis=-1)[..., None]

    def covariances(self, targets: tuple[Target, ...], tolerance: Array) -> Counted:
        self._check_elastic()
        check_size(self.sites, self.cut)
        found = self._each(lambda h, leads: noise(self._cut(h), leads, weighed(leads, targets)))
        return Counted(found.value, found.error, found.scale, self._faults(found))

    def _check_elastic(self) -> None:
        if self.modes is not None:
            raise InputError(WITH_MODES)

    def _faults(self, found: Found | Noise) -> dict[Status, Array]:
        return {
            Status.NOT_UNIQUE: ~found.unique,
            Status.INVALID: ~found.causal,
            Status.NOT_CONVERGED: ~found.converged,
        }

    def explain(self, status: Status) -> str:
        if status == Status.NOT_UNIQUE:
            slices = self.hamiltonian if isinstance(self.hamiltonian, Slices) else None
            states = resonances(self.matrix, self.leads) if slices is None else sliced_resonances(slices, self.leads)
            places, widths = (np.asarray(part) for part in states)
            at = int(widths.argmin())
            return (
                f"the conductor has a state at energy {places[at]:g} with the level width {2 * widths[at]:.1e}, below "
                f"{NARROWEST:g} of its energies: it keeps the electrons that it has, or those that modes bring. Give a "
                "lead a width there."
            )
        if status == Status.UNSTABLE and self.modes is not None:
            return why_unstable(self.matrix, self.leads, self.modes)
        if status == Status.INVALID:
            potentials, temperatures = baths_of(self.leads)
            low, high = jnp.min(potentials - REACH * temperatures), jnp.max(potentials + REACH * temperatures)
            energies = jnp.linspace(low, high, LOOKED_AT)
            for name, lead in self.leads.items():
                sigma = lead.self_energy(energies, jnp.zeros_like(energies))
                if not bool(jnp.all(causal(sigma))):
                    return f"`leads[{name!r}]`: {acausal_words(energies, sigma)}"
        return ""


def _lead_of(leads: Table, sites: int) -> tuple[str, ...] | None:
    """The lead of each site, if each is on one lead with a wide band that does not mix them."""
    owners: list[list[str]] = [[] for _ in range(sites)]
    for name, lead in leads.items():
        for site in lead.sites:
            owners[site].append(name)
    apart = all(isinstance(lead, WideBandLead) and lead.gamma.ndim < 2 for lead in leads.values())
    return tuple(own[0] for own in owners) if apart and all(len(own) == 1 for own in owners) else None
