"""A boson mode between the electrons of a conductor and a bath of bosons: the ledger at lowest order."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, Scalar, as_float, check_positive, check_shape, check_type, parameter
from ..baths import Bath
from ..dynamics import Dynamics, Outcome
from ..dynamics import Rates as LedgerRates
from ..numerics.dense import EPS, positive_or_one
from ..pytrees import Table
from ..show import array as show
from ..solution import Status
from ..spectral import SpectralDensity, as_density
from .couplings import coupling_elements
from .frequencies import Flow, Loss, over_frequencies
from .pair_rates import Pair, rates
from .population import effective_chemical_potential, effective_temperature, population
from .spectra import Spectra, check_lead_baths
from .spectral_functions import HERMITIAN, Place, SpectralFunctions, of_padded


class PairJunction(Dynamics):
    """Electrons of a conductor that emit and absorb bosons of one mode, held by a bath of bosons at its temperature.

    H_es = Σ_ij M_ij c_i†c_j u, with the displacement u of a mode of unit mass, to lowest order in M. Each kind αβ of
    pairs (an electron goes from lead α to lead β and emits) is a bath of bosons with the chemical potential
    μ_αβ = μ_α − μ_β:

    - energy into the boson bath J = Σ_αβ ∫₀^∞ dω/2π ω A_ph(ω) Λ^αβ(ω) [n_B((ω−μ_αβ)/T_e) − n_B(ω/T_ph)];
    - A_ph = 2γω/((ω²−Ω²)² + γ²ω²) for ohmic damping γ, and (2π/2Ω) δ(ω−Ω) for a narrow mode (γ = 0);
    - each event takes ε out of α, and brings ε−ω to β and ω to the bosons.

    ("Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid energy transport",
    Hu, Nian and Lü, eqs. 1, 7, 13 and 14; spinless electrons; leads of different temperatures go by emission and
    absorption.) The currents are the inelastic ones only: where the conductor itself connects the leads, elastic
    currents and their corrections of the same order in M are not in the ledger.

    **Arguments:**

    - `conductor`: `Levels` or `Device`;
    - `coupling`: Hermitian matrix M (site, site), or {(i, j): M_ij} with the conjugate M_ji understood;
    - `baths`: an `ElectronBath` for each of the conductor's leads and one bath without particles, in any order;
    - `frequency` Ω; `damping` γ, the rate at which the boson bath damps the mode's energy; 0: a narrow mode.

    `solution.observables` has the mode's summed rates of emission and absorption (1/2Ω included) and what the pairs
    alone would do with it: population, effective temperature, effective chemical potential (leads of one temperature).
    These are not numbers if emission exceeds absorption. The status is `UNSTABLE` if it does so by more than the
    damping. A narrow mode is held at T_ph by definition: it is always stable, and its derivative with respect to the
    damping is 0, that of a switch.

    >>> import coldspot as cs
    >>> junction = cs.conductor.PairJunction(
    ...     cs.conductor.Levels([0.5, -0.5], [1.0, 1.0], ["left", "right"]),
    ...     coupling={(0, 1): 0.5},
    ...     baths={"left": cs.ElectronBath(1.0), "right": cs.ElectronBath(1.0), "phonons": cs.BosonBath(0.8)},
    ...     frequency=1.0,
    ... )
    >>> cs.steady_state(junction).flags["cold-spot current"].item()
    True
    """

    conductor: SpectralFunctions
    elements: Array
    mirrored: Array
    baths: Table
    damping: Any
    drives: Table
    places: tuple[Place, ...] = eqx.field(static=True)
    bosons: str = eqx.field(static=True)
    frequency: Scalar = parameter(dimension="energy", positive=True)

    def __init__(
        self, conductor: SpectralFunctions, coupling: Any, baths: Mapping[str, Bath], frequency: Any, damping: Any = 0.0
    ):
        owner = "PairJunction"
        check_type(owner, "conductor", conductor, SpectralFunctions)
        self.conductor = conductor
        self.places, self.elements, self.mirrored = coupling_elements(owner, coupling, conductor.sites)
        check_lead_baths(owner, baths, conductor)
        for name, bath in baths.items():
            check_type(owner, f"baths[{name!r}]", bath, Bath)
        others = [name for name in baths if name not in conductor.leads]
        if len(others) != 1 or baths[others[0]].exchanges_particles:
            raise InputError(
                f"{owner}: `baths` must hold the leads ({', '.join(conductor.leads)}) and one bath without particles, "
                f"but beside the leads it holds {', '.join(others) or 'none'}."
            )
        self.baths, self.bosons, self.drives = Table(baths), others[0], Table({})
        self.frequency = as_float(frequency, f"{owner}: `frequency`")
        self.damping = as_density(damping) if callable(damping) else as_float(damping, f"{owner}: `damping`")
        if not callable(damping):
            check_shape(owner, "damping", self.damping, (), "one number")
        if not self.kinds():
            raise InputError(f"{owner}: `coupling` connects no two leads' spectral functions; there are no pairs.")

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files; elements that break the symmetry are refused before that."""
        found = {name: getattr(self, name) for name in ("conductor", "baths", "frequency", "damping")}
        return found | {"coupling": dict(zip(self.places, self.elements, strict=True))}

    def rules(self) -> Iterable[Rule]:
        if not isinstance(self.damping, SpectralDensity):
            damping = self.damping
            yield Rule(
                jnp.isfinite(damping) & (damping >= 0),
                lambda: f"`damping` must be 0 (a narrow mode) or positive, but is {show(damping)}.",
            )
        finite = jnp.isfinite(self.elements) & jnp.isfinite(self.mirrored)
        off = jnp.abs(self.elements - self.mirrored) <= HERMITIAN * jnp.max(jnp.abs(self.elements))
        for k, place in enumerate(self.places):
            yield Rule(finite[k] & off[k], functools.partial(self._element_words, k, place))

    def _element_words(self, k: int, place: Place) -> str:
        value, other = (complex(part[k]) for part in (self.elements, self.mirrored))
        if not (np.isfinite(value) and np.isfinite(other)):
            return f"`coupling[{place}]` must be finite, but is {value:g}."
        if place[0] == place[1]:
            return f"`coupling[{place}]` must be real, as `coupling` is Hermitian, but is {value:g}."
        return (
            f"`coupling` must be Hermitian, but its elements {place} and {place[::-1]} are {value:g} and "
            f"{other.conjugate():g}."
        )

    def kinds(self) -> list[tuple[str, str]]:
        """The kinds of pairs (α, β) that the coupling allows."""
        leads = self.conductor.leads
        return [(a, b) for a in leads for b in leads if any(self.conductor.connects(p, a, b) for p in self.places)]

    def _pairs(self, omega: Array) -> Pair:
        """All pairs of a batch of junctions, with one frequency each; the points of the first kind come first."""
        upper, lower = ([self.baths[kind[side]] for kind in self.kinds()] for side in (0, 1))
        many = len(upper)
        reference = jnp.concatenate([bath.chemical_potential for bath in upper])
        return Pair(
            self.conductor.weight(self.elements, self.places, self.kinds()),
            jnp.concatenate([bath.temperature for bath in upper]),
            jnp.concatenate([bath.temperature for bath in lower]),
            reference,
            reference - jnp.concatenate([bath.chemical_potential for bath in lower]),
            jnp.tile(self.baths[self.bosons].temperature, many),
            jnp.tile(omega, many),
        )

    def spectra(self, omega: Any) -> Spectra:
        """Emission and absorption of every kind of pair at frequencies ω > 0 (…): see `Spectra`."""
        omega = as_float(omega)
        check_positive("PairJunction.spectra", "omega", omega)
        both = of_padded(_spectra, omega, self)
        return Spectra(tuple(f"{a}-{b}" for a, b in self.kinds()), both[..., 0], both[..., 1])

    def solve(self, tolerance: Array) -> Outcome:
        points = self.frequency.shape[0]
        pairs, loss = self._pairs(self.frequency), self._loss()
        at_mode, broad = over_frequencies(pairs, loss)
        narrow = tuple(Flow(r.net / (2 * pairs.omega), r.net / 2, r.heat / (2 * pairs.omega)) for r in at_mode)
        wide = loss.wide[:points]
        flow, bound = jax.tree.map(
            lambda a, b: jnp.where(wide, a.reshape(-1, points), b.reshape(-1, points)), broad, narrow
        )
        emission, absorption = (v.reshape(-1, points).sum(axis=0) / (2 * self.frequency) for v in at_mode[0][:2])
        damping = loss.density(pairs.omega)[:points] / self.frequency
        return self._outcome(flow, bound, emission, absorption, jnp.where(wide, damping, jnp.inf))

    def _loss(self) -> Loss:
        """The mode's damping, for all kinds of pairs of a batch."""
        kinds, points = len(self.kinds()), self.frequency.shape[0]
        if not isinstance(self.damping, SpectralDensity):
            damping = jnp.tile(self.damping, kinds)
            return Loss(lambda omega: damping * omega, (damping > 0) & jnp.isfinite(damping), ())

        def density(omega: Array) -> Array:
            by_point = eqx.filter_vmap(lambda one, at: one(at))(self.damping, omega.reshape(kinds, points).T)
            return by_point.T.reshape(-1)

        features = eqx.filter_vmap(lambda one: tuple(one.features()))(self.damping)
        return Loss(
            density,
            jnp.ones(kinds * points, bool),
            [(jnp.tile(centre, kinds), jnp.tile(width, kinds)) for centre, width in features],
        )

    # ------------------------------------------------------------------ the ledger

    def _outcome(self, flow: Flow, bound: Flow, emission: Array, absorption: Array, damping: Array) -> Outcome:
        temperatures = jnp.stack([self.baths[name].temperature for name in self.conductor.leads])
        common = jnp.all(temperatures == temperatures[0], axis=0)
        potential = effective_chemical_potential(emission, absorption, self.frequency, temperatures[0])
        observables = {
            "emission": emission,
            "absorption": absorption,
            "population": population(emission, absorption),
            "effective temperature": effective_temperature(emission, absorption, self.frequency),
            "effective chemical potential": jnp.where(common, potential, jnp.nan),
        }
        rates, errors = self._rates(flow), self._errors(flow, bound)
        largest, worst = (jnp.max(jnp.abs(r.heats), axis=-1) for r in (rates, errors))
        return Outcome(
            rates,
            errors,
            faults={
                Status.NOT_UNIQUE: ~self._decays(),
                Status.UNSTABLE: emission - absorption >= damping,
            },
            residuals={"quadrature": worst / positive_or_one(largest)},
            observables=observables,
            flags={"inelastic only": eqx.filter_vmap(lambda conductor: conductor.elastic())(self.conductor)},
        )

    def _rates(self, flow: Flow) -> LedgerRates:
        """Each event takes ε out of α, and brings ε − ω to β and ω to the bosons."""
        heats, numbers = self._nothing(), self._nothing()
        for k, (a, b) in enumerate(self.kinds()):
            rate, energy, heat = (part[k] for part in flow)
            bias = self.baths[a].chemical_potential - self.baths[b].chemical_potential
            heats[a] += heat
            heats[b] -= heat - (energy - bias * rate)  # ε − ω − μ_β = (ε − μ_α) − (ω − μ_αβ)
            heats[self.bosons] -= energy
            if a != b:
                numbers[a] += rate
                numbers[b] -= rate
        return self._stacked(heats, numbers)

    def _errors(self, flow: Flow, bound: Flow) -> LedgerRates:
        """Bounds of the errors: of the flows, and the rounding of their sums."""
        heats, numbers = self._nothing(), self._nothing()
        for k, (a, b) in enumerate(self.kinds()):
            rate, energy, heat = (
                part[k] + 4 * EPS * jnp.abs(whole[k]) for part, whole in zip(bound, flow, strict=True)
            )
            bias = jnp.abs(self.baths[a].chemical_potential - self.baths[b].chemical_potential)
            heats[a] += heat
            heats[b] += heat + energy + bias * rate
            heats[self.bosons] += energy
            if a != b:
                numbers[a] += rate
                numbers[b] += rate
        return self._stacked(heats, numbers)

    def _nothing(self) -> dict[str, Array]:
        return dict.fromkeys(self.baths, jnp.zeros_like(self.frequency))

    def _stacked(self, heats: dict[str, Array], numbers: dict[str, Array]) -> LedgerRates:
        return LedgerRates(*(jnp.stack(list(values.values()), axis=-1) for values in (heats, numbers)))

    def _decays(self) -> Array:
        """Whether every state of the conductor decays into a lead; one that does not keeps what it has for ever."""
        weight = self._pairs(self.frequency).weight
        energies, widths = weight.upper()
        size = jnp.max(jnp.abs(energies - jnp.mean(energies, axis=-1, keepdims=True)) + jnp.abs(widths), axis=-1)
        decays = jnp.all(widths > 1e-14 * size[:, None], axis=-1) | ~jnp.isfinite(size)
        return jnp.all(decays.reshape(-1, self.frequency.shape[0]), axis=0)

    def explain(self, status: Status) -> str:
        if status == Status.NOT_UNIQUE:
            return "a state of the conductor touches no lead; it keeps the electrons that it has."
        if status == Status.UNSTABLE:
            return (
                "there is no steady state: the electrons emit into the mode faster than they absorb, by more than its "
                "`damping`; add damping, or lower the bias or the coupling."
            )
        return ""


@eqx.filter_jit
def _spectra(omega: Array, junction: PairJunction) -> Array:
    """Emission and absorption at frequencies (frequency, pair, 2)."""
    batch = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (omega.size, *leaf.shape)), junction)
    found, _ = rates(batch._pairs(omega))
    parts = [part.reshape(-1, omega.size).T for part in (found.emission, found.absorption)]
    return jnp.stack(parts, axis=-1)
