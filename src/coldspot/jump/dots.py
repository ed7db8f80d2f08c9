"""Dots with Coulomb interaction between leads: many-electron eigenstates and the golden rule's rates between them."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, check_memory, check_shape, check_type
from ..dynamics import Outcome
from ..pytrees import Table
from ..solution import Status
from . import words
from .assembly import Moment, assemble, glance, members
from .channels import Channel
from .coherences import Neglected, neglected
from .contacts import BosonCoupling, Lead, real_or_complex, upper, upper_rule, whole
from .counted import CountedSystem
from .eigenstates import Eigenstates, eigenstates
from .fock import MOST_ORBITALS, Fock, Terms, double, fock, pairs_of
from .golden_rule import BosonSteps, Steps, creators, fillings, reached, shaken, shifts, squared, widths
from .graph import Glance, Graph, Joined, Snapshot, groups
from .half_edges import Listed
from .interaction import SYMMETRIC, interaction, tensor_words
from .kinetics import Kinetics, Tunnelling
from .large import SMALL, solve_large
from .quick import lanes, solve_quick
from .simulation import JumpTrajectories, sample
from .stationary import solve_stationary

OWNER = "Dots"
CAUSED = 1024
"""States up to which the graph tells the bath of each transition."""


class Spectrum(NamedTuple):
    """Eigenstates of dots: `energies` and numbers of `electrons` (state), by electrons, then by block and energy."""

    energies: Array
    electrons: Array


class _Inside(NamedTuple):
    """Of the eigenstates of one point: `energies` (state), `rates` (lead, transition), and what they neglect."""

    energies: Array
    rates: Array
    lost: Neglected


class Dots(CountedSystem):
    """Dots with Coulomb interaction between leads, by their many-electron eigenstates and golden-rule rates.

        H = Σ_ij h_ij d_i†d_j + Σ_{(i,j)} U_ij n_i n_j

    - `hamiltonian` (spin-orbital, spin-orbital): the Hermitian matrix h, real or complex. What is kept, and what sweeps
      change, are its entries from the diagonal upwards: `hamiltonian[0][1]` changes h_01 and h_10*;
    - `leads`: {name: `Lead(bath, gamma)`};
    - `coulomb`: {(i, j): U_ij}, each pair once, in whose order sweeps count them (`coulomb[0]`); or the tensor U_ijkl
      of ½ Σ U_ijkl d_i†d_j†d_l d_k, the matrix element ⟨ij|U|kl⟩ between products of orbitals, with U_ijkl = U_jilk =
      U_klij*;
    - `bosons`: {name: `BosonCoupling(bath, operator, gamma)`}, phonons or photons inside the dots.

    Between eigenstates b with N electrons and a with N+1 a lead causes the rates Γ_ab f((E_a−E_b−μ)/T) and
    Γ_ab [1−f], Γ_ab = Σ_ij Γ_ij ⟨a|d_i†|b⟩⟨b|d_j|a⟩ (sequential tunnelling, lowest order in Γ; C. W. J. Beenakker,
    "Theory of Coulomb-blockade oscillations in the conductance of a quantum dot"). Populations alone are solved for
    (Pauli): where eigenstates of equal charge are nearer than the rates that couple them the flag
    `coherence-neglected` is raised, and where levels are wider than the temperature `broadening-neglected`. Levels that
    no element of H connects, such as spins, keep their quantum number, degenerate or not. Amplitudes below 1e-12 are
    rounding and count as 0.

    Units: k_B = ħ = e = 1; rates are positive into the dots. 2ⁿ states for n spin-orbitals.

    >>> import coldspot as cs
    >>> dot = cs.Dots(
    ...     hamiltonian=[[-0.5, 0.0], [0.0, -0.5]],  # one level with spin
    ...     coulomb={(0, 1): 2.0},
    ...     leads={
    ...         "left": cs.Lead(cs.ElectronBath(0.2, 0.1), gamma=0.01),
    ...         "right": cs.Lead(cs.ElectronBath(0.1, -0.1), gamma=0.01),
    ...     },
    ... )
    >>> s = cs.steady_state(dot)
    >>> f"{s.particles['left']:.8f}", dot.spectrum().energies.tolist()
    ('-0.00014513', [0.0, -0.5, -0.5, 1.0])
    """

    hamiltonian: Array = eqx.field(metadata={"dimension": "energy"})
    coulomb: Array = eqx.field(metadata={"dimension": "energy"})
    leads: Table
    bosons: Table
    drives: Table
    pairs: tuple[tuple[int, int], ...] | None = eqx.field(static=True)
    orbitals: int = eqx.field(static=True)

    def __init__(
        self,
        hamiltonian: Any,
        leads: Mapping[str, Lead],
        coulomb: Any = None,
        bosons: Mapping[str, BosonCoupling] | None = None,
    ):
        self.hamiltonian = upper(OWNER, "hamiltonian", real_or_complex(f"{OWNER}: `hamiltonian`", hamiltonian))
        self.orbitals = self.hamiltonian.shape[0]
        if self.orbitals > MOST_ORBITALS:
            raise InputError(
                f"{OWNER}: `hamiltonian` has {self.orbitals} spin-orbitals and so 2^{self.orbitals} states; "
                f"{MOST_ORBITALS} spin-orbitals are the most that are counted."
            )
        self.leads = Table(_checked("leads", leads, Lead))
        if not self.leads:
            raise InputError(f"{OWNER}: `leads` is empty; give at least one: {{'left': Lead(bath, gamma)}}.")
        self.bosons = Table(_checked("bosons", {} if bosons is None else bosons, BosonCoupling))
        for name in self.bosons:
            if name in self.leads:
                raise InputError(f"{OWNER}: `{name}` is the name of a lead and of bosons; give another one.")
        for name, lead in self.leads.items():
            if lead.gamma.ndim and lead.gamma.shape[0] != self.orbitals:
                raise InputError(
                    f"{OWNER}: `leads[{name!r}].gamma` must be one number, one for each of the {self.orbitals} "
                    f"spin-orbitals or a matrix of these, but has shape {lead.gamma.shape}."
                )
        for name, coupling in self.bosons.items():
            what = "a matrix of the spin-orbitals"
            check_shape(OWNER, f"bosons[{name!r}].operator", coupling.operator, (self.orbitals,) * 2, what)
        if len(self.bosons) and self.orbitals == 1:
            raise InputError(f"{OWNER}: `bosons` lead from one state to another, but one orbital has none to go to.")
        self.pairs, self.coulomb = interaction(coulomb, self.orbitals)
        self.drives = Table({})

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        coulomb = self.coulomb if self.pairs is None else dict(zip(self.pairs, self.coulomb, strict=True))
        none = self.pairs == ()
        return {
            "hamiltonian": whole(self.hamiltonian),
            "leads": self.leads,
            "coulomb": None if none else coulomb,
            "bosons": self.bosons if len(self.bosons) else None,
        }

    def rules(self) -> Iterable[Rule]:
        yield upper_rule("hamiltonian", self.hamiltonian)
        u = self.coulomb
        yield Rule(jnp.all(jnp.isfinite(u)), lambda: f"`coulomb` must be finite, but is {np.asarray(u).tolist()}.")
        if self.pairs is None:
            for axes, name in (((1, 0, 3, 2), "U_jilk"), ((2, 3, 0, 1), "U_klij*")):
                turned = jnp.transpose(u, axes)
                turned = jnp.conj(turned) if name.endswith("*") else turned
                yield Rule(
                    jnp.max(jnp.abs(u - turned)) <= SYMMETRIC * jnp.max(jnp.abs(u)),
                    functools.partial(tensor_words, u, turned, name),
                )

    # ------------------------------------------------------------------ eigenstates
    def spectrum(self) -> Spectrum:
        """Energies and electrons of all eigenstates: their order is that of `solution.populations`."""
        found = self._blocks(whole(self.hamiltonian))
        electrons = jnp.asarray(self._fock().electrons, float)
        return Spectrum(jnp.concatenate([block.energies for block in found]), electrons)

    def _fock(self) -> Fock:
        return fock(self.orbitals)

    def _blocks(self, single: Array) -> list[Eigenstates]:
        """Eigenstates of each number of electrons, of the interaction and a matrix of single electrons."""
        space, two = self._fock(), double(self.orbitals, self.pairs is None)
        elements = _elements(space, space.single, single) + _elements(space, two, self._two_body())
        return [eigenstates(elements[space.flat(n)].reshape(size, size)) for n, size in enumerate(space.sizes)]

    def _two_body(self) -> Array:
        """The coefficients of `double`: U_ij of pairs i < j, or U_ijkl − U_ijlk between pairs."""
        pairs = pairs_of(self.orbitals)
        if self.pairs is not None:
            order = [pairs.index((min(p), max(p))) for p in self.pairs]
            return jnp.zeros(len(pairs)).at[np.array(order, int)].set(self.coulomb)
        i, j = np.array(pairs, int).reshape(-1, 2).T
        u = self.coulomb
        direct, exchanged = (u[i[:, None], j[:, None], k, m] for k, m in ((i, j), (j, i)))
        return direct - exchanged

    # ------------------------------------------------------------------ as a jump process
    @property
    def baths(self) -> Table:  # type: ignore[override]
        return Table({name: part.bath for name, part in (*self.leads.items(), *self.bosons.items())})

    @property
    def states(self) -> int:  # type: ignore[override]
        return 2**self.orbitals

    @property
    def period(self) -> None:  # type: ignore[override]
        return None

    @property
    def has_particles(self) -> bool:
        return True

    def moment(self, phase: Any) -> Moment:
        """Eigenstates, leads and rates of one point, with energies of levels and leads as they are."""
        zero = jnp.zeros(())
        return self._moment(self._resolved(zero), zero)

    def _resolved(self, zero: Array) -> list[Eigenstates]:
        """The eigenstates, with the energies of single levels counted from `zero`."""
        return self._blocks(whole(self.hamiltonian) - zero * jnp.eye(self.orbitals))

    def _moment(self, blocks: list[Eigenstates], zero: Array) -> Moment:
        """What the network is: potentials are counted from the same `zero` as the levels of the eigenstates."""
        space = self._fock()
        rates = self._rates([widths(self._gammas(), creator) for creator in creators(space, blocks)])
        strengths = []
        for coupling in self.bosons.values():
            matrices = shaken(_elements(space, space.single, whole(coupling.operator)), space, blocks)
            strengths.append(jnp.concatenate([squared(m[np.triu_indices(len(m), 1)]) for m in matrices]))
        return self._between(jnp.concatenate([block.energies for block in blocks]), rates, strengths, zero)

    def _rates(self, every: list[Array]) -> Array:
        """Of the rates (lead, a, k) for each number of electrons: (lead, transition)."""
        return jnp.concatenate([rates.reshape(len(self.leads), -1) for rates in every], axis=1)

    def _between(self, energies: Array, rates: Array, strengths: list[Array], zero: Array) -> Moment:
        """The network between states of these energies: rates (lead, transition), and what each boson bath moves."""
        space = self._fock()
        channels: list[Channel] = []
        laws: list[Kinetics] = []
        for name, own in zip(self.leads, rates, strict=True):
            laws.append(Tunnelling(own))
            channels.append(Channel(name, *fillings(space.sizes), laws[-1]))
        for (name, coupling), strength in zip(self.bosons.items(), strengths, strict=True):
            laws.append(BosonSteps(strength, coupling.law()))
            channels.append(Channel(name, *shifts(space.sizes), laws[-1]))
        baths = tuple(
            eqx.tree_at(lambda b: b.chemical_potential, bath, bath.potential - zero)
            if bath.exchanges_particles
            else bath
            for bath in self.baths.values()
        )
        # Compilers would compute all that follows from numbers they know, for each transition, by themselves.
        electrons = jax.lax.optimization_barrier(jnp.asarray(space.electrons, float)[None])
        return Moment(
            tuple(self.baths),
            baths,
            energies,
            electrons,
            tuple(channels),
            tuple(laws),
            (0,) * len(self.leads) + (None,) * len(self.bosons),
        )

    def _gammas(self) -> Array:
        """Level widths (lead, orbital), or (lead, orbital, orbital) if one of them is a matrix."""
        leads, n = list(self.leads.values()), self.orbitals
        if any(lead.gamma.ndim == 2 for lead in leads):
            return jnp.stack([lead.width(n) for lead in leads])
        return jnp.stack([jnp.broadcast_to(lead.gamma, (n,)) for lead in leads])

    def snapshot(self, phase: Any) -> Snapshot:
        # Levels and potentials may share an energy far larger than their differences: it costs no digits.
        zero = jax.lax.stop_gradient(self.hamiltonian[0, 0].real)
        blocks = self._resolved(zero)
        moment = self._moment(blocks, zero)
        nothing = jnp.zeros((0, self.states))
        found = assemble(moment, {"slopes": nothing, "gains": nothing, "rest": nothing})
        lost = self._neglected(blocks, found)
        return found._replace(
            energy=found.energy + zero * found.particles,
            potential=jnp.stack([bath.potential for bath in self.baths.values()]),
            energies=found.energies + zero * found.occupations[0],
            mixed=lost.coherent,
            broad=self._broad(found),
            blur=self._at_ends(lost.blur(jnp.min(found.temperature))),
        )

    def _at_ends(self, blur: Array) -> Array:
        """Relative errors of the rates of each transition, from those of its two states."""
        g = self.graph()
        return g.initial.of(blur) + g.final.of(blur)

    def _neglected(self, blocks: list[Eigenstates], found: Snapshot) -> Neglected:
        blocks, found = jax.lax.stop_gradient((blocks, found))
        space = self._fock()
        amplitudes = [reached(self._gammas(), creator) for creator in creators(space, blocks)]
        rates = jnp.exp(found.log_forward) + jnp.exp(found.log_backward)
        shaking, at = [], len(self.leads) * len(fillings(space.sizes).initial)
        for _ in self.bosons:
            tables = []
            for size in space.sizes:
                count = size * (size - 1) // 2
                table = jnp.zeros((size, size)).at[np.triu_indices(size, 1)].set(rates[at : at + count])
                tables.append(table + table.T)
                at += count
            shaking.append(tables)
        return neglected(blocks, amplitudes, shaking, jnp.min(found.temperature))

    def _broad(self, found: Snapshot | Glance) -> Array:
        """Whether a level is wider, by all leads together, than the lowest temperature of those that fill it."""
        leads = len(self.leads)
        many = leads * len(fillings(self._fock().sizes).initial)
        gamma = found.widths[:many].reshape(leads, -1)
        coldest = jnp.min(jnp.where(gamma > 0, found.temperature[:leads, None], jnp.inf), axis=0)
        return jnp.any(jnp.sum(gamma, axis=0) > coldest)

    def _steps(self) -> list[Steps]:
        """The transitions that each bath causes."""
        sizes = self._fock().sizes
        return [fillings(sizes) for _ in self.leads] + [shifts(sizes) for _ in self.bosons]

    def sizes(self) -> tuple[int, ...]:
        return tuple(len(steps.initial) for steps in self._steps())

    def graph(self) -> Graph:
        every = self._steps()
        ends = Joined(steps.initial for steps in every), Joined(steps.final for steps in every)
        few = self.states <= CAUSED
        causes = tuple((bath,) for bath, steps in enumerate(every) for _ in range(len(steps.initial) if few else 0))
        return Graph(*ends, self.states, causes)

    def components(self, open_: np.ndarray | None = None) -> list[list[int]]:
        """Groups of states that transitions connect; all of them, if each is open."""
        return [list(range(self.states))] if open_ is None else groups(self.graph(), open_)

    def diverging(self) -> np.ndarray:
        constant = [False] * len(self.leads) + [not callable(c.gamma) for c in self.bosons.values()]
        return np.repeat(constant, self.sizes())

    def explain(self, status: Status) -> str:
        if status == Status.NOT_UNIQUE:
            return words.of_groups(self)
        if status == Status.INVALID:
            return words.of_invalid(self)
        return ""

    # ------------------------------------------------------------------ verbs
    def solve(self, tolerance: Array) -> Outcome:
        return self._stationary(sure=True)

    def attempt(self, tolerance: Array, cost: int) -> Outcome | None:
        if self.states > SMALL or len(self.bosons):
            return self._stationary(sure=False) if cost == 0 else None
        return self._quick(tolerance) if cost == 0 else self._stationary(sure=False)

    def block(self, cost: int) -> int | None:
        return lanes(self.states) if cost == 0 and self.states <= SMALL and not len(self.bosons) else None

    @property
    def few(self) -> int:
        return 16 if self.states <= SMALL and not len(self.bosons) else 0

    def _quick(self, tolerance: Array) -> Outcome:
        """Stationary states of a batch of dots without bosons, which leads alone change."""
        arrays, static = eqx.partition(self, eqx.is_array)

        def inside(point: Any) -> _Inside:
            return eqx.combine(point, static)._inside()

        # Points that differ in their leads' temperatures and potentials alone have the same eigenstates.
        own = self.hamiltonian, self.coulomb, [lead.gamma for lead in self.leads.values()]
        alike = jnp.all(jnp.stack([jnp.all(leaf == leaf[:1]) for leaf in jax.tree.leaves(own) if leaf.size]))
        points = self.hamiltonian.shape[0]

        def one_for_all() -> _Inside:
            first = inside(jax.tree.map(lambda leaf: leaf[0], arrays))
            return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (points, *leaf.shape)), first)

        found = jax.lax.cond(alike, one_for_all, lambda: jax.vmap(inside)(arrays))

        def look(point: tuple[Any, _Inside]) -> Glance:
            numbers, known = point
            dots = eqx.combine(numbers, static)
            seen = glance(dots._between(known.energies, known.rates, [], dots.hamiltonian[0, 0].real))
            blur = known.lost.blur(jnp.min(seen.temperature))
            return seen._replace(mixed=known.lost.coherent, broad=dots._broad(seen), blur=dots._at_ends(blur))

        leads = tuple(self.leads)
        parts = members([Channel(name, *fillings(self._fock().sizes), Tunnelling(1.0)) for name in leads], leads)
        counted = (True,) * len(leads)
        return solve_quick(self.graph(), parts, counted, (arrays, found), look, True, tolerance)

    def _inside(self) -> _Inside:
        """What does not depend on the leads' temperatures and potentials, energies counted from the first level."""
        blocks = self._resolved(self.hamiltonian[0, 0].real)
        made = creators(self._fock(), blocks)
        amplitudes = [reached(self._gammas(), creator) for creator in made]
        # How cold it is matters to larger dots alone.
        lost = neglected(blocks, amplitudes, [], jnp.asarray(1.0))
        rates = self._rates([widths(self._gammas(), creator) for creator in made])
        return _Inside(jnp.concatenate([block.energies for block in blocks]), rates, lost)

    def _stationary(self, sure: bool) -> Outcome:
        self._check_size()
        arrays, static = eqx.partition(self, eqx.is_array)

        def look(point: Any) -> Snapshot:
            return eqx.combine(point, static).snapshot(jnp.zeros(()))

        solve = solve_stationary if self.states <= SMALL else solve_large
        return solve(self.graph(), arrays, look, True, sure)

    def trajectories(  # type: ignore[override]
        self, key: Array, n: int, time: Any, *, start: Any = None, throw: bool = True, progress: bool | None = None
    ) -> JumpTrajectories:
        """`n` independent histories, event by event, over `time`; called by `coldspot.trajectories`.

        `start`: the first state, or the probabilities of the states (in the order of `spectrum`); by default those of
        the stationary state.
        """
        self._check_size()
        return sample(self, key, n, time, start=start, throw=throw, progress=progress)

    def check_counting(self) -> None:
        self._check_size()

    def _check_size(self) -> None:
        """Refuse what does not fit into the memory, before it is asked for."""
        edges, square = 2 * sum(self.sizes()), self.states**2 if Listed(self.graph()).dense else 0
        check_memory(
            f"{OWNER}: {self.orbitals} spin-orbitals have {self.states} states with {edges // 2} transitions, which",
            8 * (12 * square + (16 + 4 * len(self.baths) + 4 * self.orbitals) * edges),
            "leave out orbitals that are always empty or always filled (an energy of several temperatures beyond all "
            "chemical potentials), and add the repulsion of filled ones to the other levels.",
        )


def _elements(space: Fock, terms: Terms, coefficients: Array) -> Array:
    """The matrix elements of terms with these coefficients, block after block."""
    values = terms.sign * coefficients.ravel()[terms.number]
    return jnp.zeros(space.places, values.dtype).at[terms.place].add(values)


# --------------------------------------------------------------------------- arguments


def _checked(argument: str, given: Any, kind: type) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError(f"{OWNER}: `{argument}` must be a mapping from names to {kind.__name__}, but is {given!r}.")
    for name, part in given.items():
        check_type(OWNER, f"{argument}[{name!r}]", part, kind)
    return dict(given)
