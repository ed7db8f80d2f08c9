"""A boson mode between the electrons of a conductor and a bath of bosons: the ledger at lowest order."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Scalar, as_float, check_numbers, check_positive, check_shape, check_type, concrete
from ..baths import Bath, ElectronBath
from ..dynamics import Dynamics, Outcome
from ..dynamics import Rates as LedgerRates
from ..ledger import Named
from ..numerics.dense import positive_or_one
from ..numerics.quadrature import ABSCISSAE, EPS, NODES, Cells, Sums, accumulated, cells, closed_sums, panel
from ..pytrees import Table
from ..solution import Status
from .device import Conductor, Place, as_complex
from .pair_rates import REACH, Pair, Rates, rates
from .population import effective_chemical_potential, effective_temperature, population

OUTER = 12
"""Panels on each side of a feature, in integrals over the frequency."""


class Flow(NamedTuple):
    """What one kind of pair does: its rate of net emission, the energy and the heat out of α; or their error bounds."""

    rate: Array
    energy: Array
    heat: Array


class Spectra(eqx.Module):
    """Emission and absorption (…, pair) of each kind of pair αβ, named "α-β": e_α + h_β ⇌ boson.

    Of several modes (`pair_spectra`) they are complex matrices: (…, mode, mode, pair).

    The element of a unit-mass displacement is not divided by 2Ω here. `density` Λ = absorption − emission is the
    coupling-weighted pair density, `power` [n_B((ω−μ_αβ)/T_e) + ½]Λ = (emission + absorption)/2, finite at ω = μ_αβ.
    """

    pairs: tuple[str, ...] = eqx.field(static=True)
    emissions: Array
    absorptions: Array

    @property
    def emission(self) -> Named:
        return Named(self.pairs, self.emissions)

    @property
    def absorption(self) -> Named:
        return Named(self.pairs, self.absorptions)

    @property
    def density(self) -> Named:
        return Named(self.pairs, self.absorptions - self.emissions)

    @property
    def power(self) -> Named:
        return Named(self.pairs, (self.emissions + self.absorptions) / 2)


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
    >>> junction = cs.PairJunction(
    ...     cs.Levels([0.5, -0.5], [1.0, 1.0], ["left", "right"]),
    ...     coupling={(0, 1): 0.5},
    ...     baths={"left": cs.ElectronBath(1.0), "right": cs.ElectronBath(1.0), "phonons": cs.BosonBath(0.8)},
    ...     frequency=1.0,
    ... )
    >>> cs.steady_state(junction).flags["cold-spot current"].item()
    True
    """

    conductor: Conductor
    elements: Array
    baths: Table
    frequency: Scalar
    damping: Scalar
    drives: Table
    places: tuple[Place, ...] = eqx.field(static=True)
    bosons: str = eqx.field(static=True)

    def __init__(
        self, conductor: Conductor, coupling: Any, baths: Mapping[str, Bath], frequency: Any, damping: Any = 0.0
    ):
        owner = "PairJunction"
        check_type(owner, "conductor", conductor, Conductor)
        self.conductor = conductor
        self.places, self.elements = _coupling(coupling, conductor.sites)
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
        self.frequency, self.damping = as_float(frequency), as_float(damping)
        check_numbers(self, "frequency", "damping")
        check_positive(owner, "frequency", self.frequency)
        number = concrete(self.damping)
        if number is not None and number < 0:
            raise InputError(f"{owner}: `damping` must be 0 (a narrow mode) or positive, but is {number:g}.")
        if not self.kinds():
            raise InputError(f"{owner}: `coupling` connects no two leads' spectral functions; there are no pairs.")

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
        return _spectra(self, omega)

    def solve(self, tolerance: Array) -> Outcome:
        points = self.frequency.shape[0]
        pairs = self._pairs(self.frequency)
        at_mode, broad = _over_frequencies(pairs, jnp.tile(self.damping, len(self.kinds())))
        narrow = tuple(Flow(r.net / (2 * pairs.omega), r.net / 2, r.heat / (2 * pairs.omega)) for r in at_mode)
        wide = self.damping > 0
        each = jax.tree.map(lambda a, b: jnp.where(wide, a.reshape(-1, points), b.reshape(-1, points)), broad, narrow)
        total = [v.reshape(-1, points).sum(axis=0) / (2 * self.frequency) for v in at_mode[0][:2]]
        return self._outcome(each[0], each[1], total[0], total[1])

    # ------------------------------------------------------------------ the ledger

    def _outcome(self, flow: Flow, bound: Flow, emission: Array, absorption: Array) -> Outcome:
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
                Status.INVALID: ~self._valid(),
                Status.UNSTABLE: (self.damping > 0) & (emission - absorption >= self.damping),
            },
            residuals={"quadrature": worst / positive_or_one(largest)},
            observables=observables,
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

    def _valid(self) -> Array:
        valid = self.conductor.valid() & jnp.all(jnp.isfinite(self.elements), axis=-1)
        return valid & jnp.isfinite(self.frequency) & (self.frequency > 0) & (self.damping >= 0)

    def explain(self, status: Status) -> str:
        if status == Status.UNSTABLE:
            return (
                "there is no steady state: the electrons emit into the mode faster than they absorb, by more than its "
                "`damping`; add damping, or lower the bias or the coupling."
            )
        return ""


def _over_frequencies(pairs: Pair, damping: Array) -> tuple[tuple[Rates, Rates], tuple[Flow, Flow]]:
    """The rates at the mode's frequency, and ∫dω/2π A_ph(ω) of them where the mode has a width; with error bounds.

    One loop over panels of frequencies and their nodes, so that the rates are compiled once: panel 0 is the mode's
    frequency alone, and the others are left out if no mode of the batch has a width.
    """
    mode = pairs.omega
    wide = _any(jax.lax.stop_gradient(damping) > 0)
    damping = jnp.where(damping > 0, damping, 1.0)
    blank = jnp.zeros_like(mode)
    grid = _frequencies(pairs, damping, wide)
    # Of the integrands of a `Flow`, over the nodes of one panel.
    empty = tuple(Sums(blank, blank, blank, (blank, blank)) for _ in Flow._fields)
    nothing = Rates(*(blank for _ in Rates._fields))
    start = (nothing, nothing), (Flow(*(blank for _ in Flow._fields)),) * 2

    @jax.checkpoint
    def evaluate(state: Any, k: Array) -> Any:
        middle, half = panel(grid, jnp.maximum(k - 1, 0), OUTER)

        def node(carried: Any, j: Array) -> Any:
            _, sums = carried
            # Panels of no length may lie at zero.
            omega = jnp.where((k > 0) & (half > 0), middle + half * jnp.asarray(ABSCISSAE)[j], mode)
            found, errors = rates(eqx.tree_at(lambda p: p.omega, pairs, omega))
            spectral = 2 * damping * omega / ((omega**2 - mode**2) ** 2 + (damping * omega) ** 2) / (2 * jnp.pi)
            values = (
                (spectral * found.net, spectral * errors.net),
                (spectral * omega * found.net, spectral * omega * errors.net),
                (spectral * found.heat, spectral * errors.heat),
            )
            more = tuple(accumulated(old, *value, j) for old, value in zip(sums, values, strict=True))
            return (found, errors), more

        def step(carried: Any, j: Array) -> tuple[Any, None]:
            return jax.lax.cond((k > 0) | (j == 0), node, lambda carried, j: carried, carried, j), None

        (latest, sums), _ = jax.lax.scan(step, ((nothing, nothing), empty), jnp.arange(NODES))
        exact, bound = zip(*(closed_sums(part, middle, half, 0.0) for part in sums), strict=True)
        at_mode, flows = state
        return (
            jax.tree.map(lambda old, new: jnp.where(k > 0, old, new), at_mode, latest),
            jax.tree.map(lambda old, new: jnp.where(k > 0, old + new, old), flows, (Flow(*exact), Flow(*bound))),
        )

    def turn(state: Any, k: Array) -> tuple[Any, None]:
        return jax.lax.cond((k == 0) | wide, evaluate, lambda state, k: state, state, k), None

    return jax.lax.scan(turn, start, jnp.arange(OUTER * grid.sides + 1))[0]


@jax.custom_batching.custom_vmap
def _any(condition: Array) -> Array:
    """Whether any is true; under `vmap` too any of all, so that what depends on it still is one decision."""
    return jnp.any(condition)


@_any.def_vmap
def _any_batched(size: int, batched: Any, condition: Array) -> tuple[Array, bool]:
    return jnp.any(condition), False


def _frequencies(pairs: Pair, damping: Array, wanted: Array) -> Cells:
    """Cells of frequencies: about the mode, zero, and where levels and Fermi edges of both leads meet."""
    (above, wide), (below, broad) = pairs.weight.upper(), pairs.weight.lower()
    hot, cold, phonons = pairs.upper_temperature, pairs.lower_temperature, pairs.phonon_temperature
    square = pairs.omega**2 - damping**2 / 4
    root, slow = jnp.sqrt(jnp.abs(square)), square <= 0
    # Overdamped: both poles lie on the imaginary axis, the nearer one at Ω²/(γ/2 + root).
    centres = [jnp.where(slow, 0.0, root), jnp.zeros_like(hot), pairs.bias]
    widths = [
        jnp.where(slow, pairs.omega**2 / (damping / 2 + root), damping / 2),
        2 * jnp.pi * phonons,
        jnp.pi * (hot + cold),
    ]
    for k in range(above.shape[-1]):
        centres.append(above[:, k] - pairs.reference + pairs.bias)
        widths.append(wide[:, k] + jnp.pi * cold)
        centres.append(pairs.reference - below[:, k])
        widths.append(broad[:, k] + jnp.pi * hot)
        for j in range(below.shape[-1]):
            centres.append(above[:, k] - below[:, j])
            widths.append(wide[:, k] + broad[:, j])
    high = jnp.maximum(pairs.bias, 0.0) + REACH * jnp.maximum(jnp.maximum(hot, cold), phonons)
    window = jnp.stack(centres), jnp.stack(widths), jnp.zeros_like(high), high
    shape = jax.eval_shape(cells, *window)
    return jax.lax.cond(wanted, cells, lambda *_: jax.tree.map(lambda v: jnp.ones(v.shape), shape), *window)


@eqx.filter_jit
def _spectra(junction: PairJunction, omega: Array) -> Spectra:
    batch = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (omega.size, *leaf.shape)), junction)
    found, _ = rates(batch._pairs(omega.reshape(-1)))
    parts = (jnp.moveaxis(part.reshape(-1, *omega.shape), 0, -1) for part in (found.emission, found.absorption))
    return Spectra(tuple(f"{a}-{b}" for a, b in batch.kinds()), *parts)


def check_lead_baths(owner: str, baths: Any, conductor: Conductor) -> None:
    if not isinstance(baths, Mapping):
        raise InputError(f"{owner}: `baths` must be a mapping from names to baths, but is {baths!r}.")
    for name in conductor.leads:
        if name not in baths:
            raise InputError(f"{owner}: `baths` has no bath for the lead `{name}`; it has {', '.join(baths)}.")
        check_type(owner, f"baths[{name!r}]", baths[name], ElectronBath)


def _coupling(coupling: Any, sites: int) -> tuple[tuple[Place, ...], Array]:
    """Places i ≤ j and elements M_ij of a Hermitian matrix or a mapping."""
    owner = "PairJunction"
    if isinstance(coupling, Mapping):
        found: dict[Place, Any] = {}
        for place, value in coupling.items():
            if not (isinstance(place, tuple) and len(place) == 2 and all(isinstance(k, int) for k in place)):
                raise InputError(f"{owner}: `coupling` must have pairs of sites (i, j) as keys, but has {place!r}.")
            for k in place:
                if not 0 <= k < sites:
                    raise InputError(f"{owner}: `coupling` names site {k}, but the sites are 0 to {sites - 1}.")
            i, j = sorted(place)
            if (i, j) in found:
                raise InputError(f"{owner}: `coupling` gives the element ({i}, {j}) twice.")
            check_shape(owner, f"coupling[{place}]", value, (), "one number")
            value = as_complex(value)
            found[i, j] = value if place == (i, j) else jnp.conj(value)
            _check_element(found[i, j], (i, j))
        if not found:
            raise InputError(f"{owner}: `coupling` is empty; nothing connects the electrons to the bosons.")
        return tuple(found), _real_if_possible(jnp.stack(list(found.values())))
    matrix = as_complex(coupling)
    check_shape(owner, "coupling", matrix, (sites, sites), "an element between each two sites")
    numbers = concrete(matrix)
    places = [(i, j) for i in range(sites) for j in range(i, sites)]
    if numbers is not None:
        if not np.all(np.isfinite(numbers)) or np.abs(numbers - numbers.conj().T).max() > 1e-12 * np.abs(numbers).max():
            raise InputError(f"{owner}: `coupling` must be Hermitian and finite, but is {numbers.tolist()}.")
        places = [place for place in places if numbers[place] != 0]
        if not places:
            raise InputError(f"{owner}: `coupling` is zero; nothing connects the electrons to the bosons.")
    return tuple(places), _real_if_possible(jnp.stack([matrix[place] for place in places]))


def _check_element(value: Array, place: Place) -> None:
    number = concrete(value)
    if number is None:
        return
    if not np.isfinite(number) or (place[0] == place[1] and number.imag != 0):
        raise InputError(
            f"PairJunction: `coupling[{place}]` must be finite, and real on the diagonal, but is {number:g}."
        )


def _real_if_possible(elements: Array) -> Array:
    """Real elements as float64, so that derivatives with respect to them are real."""
    numbers = concrete(elements)
    return elements.real if numbers is not None and not np.any(numbers.imag) else elements
