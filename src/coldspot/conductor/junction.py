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
from ..compiler import plainly
from ..dynamics import Dynamics, Outcome
from ..dynamics import Rates as LedgerRates
from ..numerics.dense import positive_or_one
from ..pytrees import Table
from ..regimes import INELASTIC_ONLY, SECOND_ORDER
from ..show import array as show
from ..solution import Status
from ..spectral import SpectralDensity, as_density
from .coherent import Conductor
from .couplings import coupling_elements
from .growing import grows
from .pair_flows import PairFlows, PairMode, broadenings, kinds_of, pair_flows, pairs_of, too_fast
from .pair_rates import Pair, rates
from .spectra import Spectra, check_lead_baths
from .spectral_functions import HERMITIAN, Place, SpectralFunctions, of_padded

SHARE, LARGEST = 1e-2, 1e-10
"""Integrals over a broad mode's frequencies are known well enough with this share of the tolerance, or this error."""


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
    currents and their corrections of the same order in M are not in the ledger. It is what is left of a `Conductor`
    with one mode if its elastic currents are left out: `PairJunction.of(conductor)`. Between levels that do not mix
    there are none, and the two are the same.

    **Arguments:**

    - `conductor`: `Levels` or `Device`, as `Conductor.spectral_functions` gives them;
    - `coupling`: Hermitian matrix M (site, site), or {(i, j): M_ij} with the conjugate M_ji understood;
    - `baths`: an `ElectronBath` for each of the conductor's leads and one bath without particles, in any order;
    - `frequency` Ω; `damping` γ, the rate at which the boson bath damps the mode's energy; 0: a narrow mode.

    `solution.observables` has the mode's summed rates of emission and absorption (1/2Ω included) and what the pairs
    alone would do with it: population, effective temperature, effective chemical potential (leads of one temperature),
    with bounds of their errors in `observable_errors`. These are not numbers if emission exceeds absorption. The status
    is `UNSTABLE` if it does so by more than the damping. A narrow mode is held at T_ph by definition: it is always
    stable, and its derivative with respect to the damping is 0, that of a switch.

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
            xp, damping = plainly(self.damping)
            yield Rule(
                xp.isfinite(damping) & (damping >= 0),
                lambda: f"`damping` must be 0 (a narrow mode) or positive, but is {show(damping)}.",
            )
        xp, elements, mirrored = plainly(self.elements, self.mirrored)
        finite = xp.isfinite(elements) & xp.isfinite(mirrored)
        off = xp.abs(elements - mirrored) <= HERMITIAN * xp.max(xp.abs(elements))
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

    @classmethod
    def of(cls, conductor: Conductor, mode: int = 0) -> "PairJunction":
        """The inelastic events of one mode of a `Conductor` between wide bands, without its elastic currents."""
        owner = "PairJunction.of"
        check_type(owner, "conductor", conductor, Conductor)
        modes = conductor.modes
        if modes is None or not 0 <= mode < modes.frequencies.size:
            many = 0 if modes is None else modes.frequencies.size
            raise InputError(f"{owner}: the conductor has {many} `modes`, counted from 0, but `mode` is {mode!r}.")
        baths = {name: lead.bath for name, lead in conductor.leads.items()}
        name = modes.names[mode]
        damping = 0.0 if modes.dampings is None else modes.dampings[mode]
        return cls(
            conductor.spectral_functions(),
            modes.couplings[mode],
            baths | {name: modes.baths[name]},
            modes.frequencies[mode],
            damping,
        )

    def kinds(self) -> list[tuple[str, str]]:
        """The kinds of pairs (α, β) that the coupling allows."""
        return kinds_of(self.conductor, self.places)

    def _mode(self) -> PairMode:
        """Of a batch."""
        bosons = self.baths[self.bosons].temperature
        return PairMode(
            self.conductor, self.elements, self.places, self.kinds(), self.baths, bosons, self.frequency, self.damping
        )

    def _pairs(self, omega: Array) -> Pair:
        return pairs_of(self._mode(), omega)

    def spectra(self, omega: Any) -> Spectra:
        """Emission and absorption of every kind of pair at frequencies ω > 0 (…): see `Spectra`."""
        omega = as_float(omega)
        check_positive("PairJunction.spectra", "omega", omega)
        both = of_padded(_spectra, omega, self)
        return Spectra(tuple(f"{a}-{b}" for a, b in self.kinds()), both[..., 0], both[..., 1])

    @property
    def few(self) -> int:
        return 64

    def attempt(self, tolerance: Array, cost: int) -> Outcome | None:
        if cost > 0:
            return None
        found = pair_flows(self._mode(), jnp.minimum(SHARE * tolerance, LARGEST))
        return self._outcome(found, found.poor)

    def solve(self, tolerance: Array) -> Outcome:
        return self._outcome(pair_flows(self._mode()), None)

    def _outcome(self, found: PairFlows, undecided: Array | None) -> Outcome:
        balance = found.balance
        temperatures = jnp.stack([self.baths[name].temperature for name in self.conductor.leads])
        common = jnp.all(temperatures == temperatures[0], axis=0)
        state, doubt = balance.state(self.frequency, jnp.max(temperatures, axis=0), common, found.rate_errors)
        names = ("emission", "absorption", "population", "effective temperature", "effective chemical potential")
        rates = self._stacked(found.heats | {self.bosons: -found.energy}, found.particles)
        errors = self._stacked(found.heat_errors | {self.bosons: found.energy_error}, found.particle_errors)
        largest, worst = (jnp.max(jnp.abs(r.heats), axis=-1) for r in (rates, errors))
        return Outcome(
            rates,
            errors,
            faults={
                Status.NOT_UNIQUE: ~found.decays,
                Status.UNSTABLE: found.growing,
            },
            residuals={"quadrature": worst / positive_or_one(largest)},
            observables=dict(zip(names, (balance.emission, balance.absorption, *state), strict=True)),
            observable_errors=dict(zip(names, (*found.rate_errors[:2], *doubt), strict=True)),
            flags={
                INELASTIC_ONLY: eqx.filter_vmap(lambda conductor: conductor.elastic())(self.conductor),
                SECOND_ORDER: too_fast(
                    eqx.filter_vmap(broadenings)(self.conductor),
                    jnp.stack([found.particles[name] for name in self.conductor.leads], axis=-1),
                ),
            },
            undecided=undecided,
        )

    def _stacked(self, heats: Mapping[str, Array], particles: Mapping[str, Array]) -> LedgerRates:
        """In the order of the baths; none of the bosons are particles."""
        none = jnp.zeros_like(self.frequency)
        columns = ([heats[name] for name in self.baths], [particles.get(name, none) for name in self.baths])
        return LedgerRates(*(jnp.stack(values, axis=-1) for values in columns))

    def explain(self, status: Status) -> str:
        if status == Status.NOT_UNIQUE:
            return "a state of the conductor touches no lead; it keeps the electrons that it has."
        if status == Status.UNSTABLE:
            found, omega = self.spectra(self.frequency), self.frequency
            emission, absorption = (jnp.sum(part) / (2 * omega) for part in (found.emissions, found.absorptions))
            damping = self.damping(omega) / omega if callable(self.damping) else self.damping
            return grows(float(emission), float(absorption), float(damping))
        return ""


@eqx.filter_jit
def _spectra(omega: Array, junction: PairJunction) -> Array:
    """Emission and absorption at frequencies (frequency, pair, 2)."""
    batch = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (omega.size, *leaf.shape)), junction)
    found, _ = rates(batch._pairs(omega))
    parts = [part.reshape(-1, omega.size).T for part in (found.emission, found.absorption)]
    return jnp.stack(parts, axis=-1)
