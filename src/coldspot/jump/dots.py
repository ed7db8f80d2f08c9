"""Dots with Coulomb interaction between leads: many-electron eigenstates and the golden rule's rates between them."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, as_float, check_memory, check_positive, check_shape
from ..compiler import is_traced, plainly
from ..dynamics import Counted, Outcome, Target
from ..numerics.blocks import one_by_one
from ..pytrees import Table
from ..solution import Status
from . import charge_steady, words
from . import window as window_
from .assembly import Moment, assemble, glance, members
from .channels import Channel
from .coherences import Neglected, neglected
from .contacts import BosonCoupling, Lead, real_or_complex, upper, upper_rule, whole
from .eigenstates import Eigenstates, by_blocks
from .fock import MOST_ORBITALS
from .golden_rule import (
    BosonSteps,
    Steps,
    creators,
    fillings,
    in_line,
    reached,
    roots,
    shaken,
    shifts,
    squared,
    widths,
)
from .graph import Glance, Graph, Joined, Snapshot, groups
from .half_edges import MOST_FILLED, Listed
from .inside import Inside, Known, of_batch, of_one
from .interaction import OWNER, SYMMETRIC, interaction, parts, tensor_words
from .kinetics import SMOOTH, Kinetics, Tunnelling
from .large import SMALL, solve_large
from .many_electrons import FEWER, ManyElectrons, elements
from .pairs import is_pair
from .quick import Seen, lanes, solve_quick
from .quick_covariances import attempt_covariances
from .simulation import JumpTrajectories, sample
from .stationary import solve_stationary
from .validity import broad_by_all

CAUSED = 1024
"""States up to which the graph tells the bath of each transition."""


class Dots(ManyElectrons):
    """Dots with Coulomb interaction between leads, by their many-electron eigenstates and golden-rule rates.

        H = Σ_ij h_ij d_i†d_j + Σ_{(i,j)} U_ij n_i n_j

    - `hamiltonian` (spin-orbital, spin-orbital): the Hermitian matrix h, real or complex. What is kept, and what sweeps
      change, are its entries from the diagonal upwards: `hamiltonian[0][1]` changes h_01 and h_10*;
    - `leads`: {name: `Lead(bath, gamma)`};
    - `coulomb`: {(i, j): U_ij}, each pair once, in whose order sweeps count them (`coulomb[0]`); or the matrix U_ij,
      symmetric or with each pair once, above the diagonal, whose pairs are counted row by row; or the tensor U_ijkl of
      ½ Σ U_ijkl d_i†d_j†d_l d_k, the matrix element ⟨ij|U|kl⟩ between products of orbitals, with U_ijkl = U_jilk =
      U_klij*;
    - `bosons`: {name: `BosonCoupling(bath, operator, gamma)`}, phonons or photons inside the dots;
    - `window`: only eigenstates whose grand-canonical energy E − μN, with the potential μ of any lead, is at most so
      much above the lowest are kept: as many of each number of electrons as are there when the dots are made, also
      where sweeps change them later. Or these numbers themselves, which `dots.window` has. What the states that are
      left out could change is in the errors. With a window there are no bosons, and steady states alone.

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
    window: tuple[int, ...] | None = eqx.field(static=True)

    def __init__(
        self,
        hamiltonian: Any,
        leads: Mapping[str, Lead],
        coulomb: Any = None,
        bosons: Mapping[str, BosonCoupling] | None = None,
        window: Any = None,
    ):
        self.hamiltonian = upper(OWNER, "hamiltonian", real_or_complex(f"{OWNER}: `hamiltonian`", hamiltonian))
        self.orbitals = self.hamiltonian.shape[0]
        if self.orbitals > MOST_ORBITALS:
            raise InputError(
                f"{OWNER}: `hamiltonian` has {self.orbitals} spin-orbitals and so 2^{self.orbitals} states; "
                f"{MOST_ORBITALS} spin-orbitals are the most that are counted."
            )
        self.leads = Table(parts("leads", leads, Lead))
        if not self.leads:
            raise InputError(f"{OWNER}: `leads` is empty; give at least one: {{'left': Lead(bath, gamma)}}.")
        self.bosons = Table(parts("bosons", {} if bosons is None else bosons, BosonCoupling))
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
        self.window = None
        if window is not None:
            if len(self.bosons):
                raise InputError(
                    f"{OWNER}: `bosons` are given beside a `window`; rates to states left out lack theirs."
                )
            self.window = window_.checked(OWNER, self._kept(window), self._fock().sizes)

    def _kept(self, window: Any) -> tuple[int, ...]:
        """How many states of each number of electrons an energy window has, if it is not these numbers."""
        if isinstance(window, list | tuple):
            if not all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in window):
                raise InputError(f"{OWNER}: `window` must be an energy or a list of integers, but is {window!r}.")
            return tuple(int(k) for k in window)
        energy = as_float(window, f"{OWNER}: `window`")
        check_shape(OWNER, "window", energy, (), "one energy")
        check_positive(OWNER, "window", energy)
        arrays = (energy, self.hamiltonian, self.coulomb, *(lead.bath.potential for lead in self.leads.values()))
        if any(is_traced(x) for x in arrays):
            raise InputError(
                f"{OWNER}: `window` is an energy, but the numbers of the dots are not known while JAX traces (in a "
                "sweep or a derivative of a function); give `window=dots.window` of dots made before."
            )
        self._check_matrices()
        space = self._fock()
        values = np.asarray(self._elements(whole(self.hamiltonian)))
        tables = (values[space.flat(n)].reshape(size, size) for n, size in enumerate(space.sizes))
        energies = [by_blocks(table)[0] for table in tables]
        return window_.counted(energies, np.array([float(x) for x in arrays[3:]]), float(energy))

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        coulomb = self.coulomb if self.pairs is None else dict(zip(self.pairs, self.coulomb, strict=True))
        none = self.pairs == ()
        return {
            "hamiltonian": whole(self.hamiltonian),
            "leads": self.leads,
            "coulomb": None if none else coulomb,
            "bosons": self.bosons if len(self.bosons) else None,
            "window": None if self.window is None else list(self.window),
        }

    def rules(self) -> Iterable[Rule]:
        yield upper_rule("hamiltonian", self.hamiltonian)
        xp, u = plainly(self.coulomb)
        yield Rule(xp.all(xp.isfinite(u)), lambda: f"`coulomb` must be finite, but is {np.asarray(u).tolist()}.")
        if self.pairs is None:
            for axes, name in (((1, 0, 3, 2), "U_jilk"), ((2, 3, 0, 1), "U_klij*")):
                turned = xp.transpose(u, axes)
                turned = xp.conj(turned) if name.endswith("*") else turned
                yield Rule(
                    xp.max(xp.abs(u - turned)) <= SYMMETRIC * xp.max(xp.abs(u)),
                    functools.partial(tensor_words, u, turned, name),
                )

    # ------------------------------------------------------------------ as a jump process
    @property
    def baths(self) -> Table:  # type: ignore[override]
        return Table({name: part.bath for name, part in (*self.leads.items(), *self.bosons.items())})

    @property
    def states(self) -> int:  # type: ignore[override]
        return sum(self._sizes())

    @property
    def period(self) -> None:  # type: ignore[override]
        return None

    @property
    def has_particles(self) -> bool:
        return True

    def moment(self, phase: Any) -> Moment:
        """Eigenstates, leads and rates of one point, with energies of levels and leads as they are."""
        zero = jnp.zeros(())
        return self._moment(self._resolved(zero)[0], zero)

    def _moment(self, blocks: list[Eigenstates], zero: Array) -> Moment:
        """What the network is: potentials are counted from the same `zero` as the levels of the eigenstates."""
        space = self._fock()
        made = creators(space, blocks, self._range().start)
        rates = in_line([widths(self._gammas(), creator) for creator in made])
        strengths = []
        for coupling in self.bosons.values():
            matrices = shaken(elements(space, space.single, whole(coupling.operator)), space, blocks)
            strengths.append(jnp.concatenate([squared(m[np.triu_indices(len(m), 1)]) for m in matrices]))
        return self._between(jnp.concatenate([block.energies for block in blocks]), rates, strengths, zero)

    def _between(self, energies: Array, rates: Array, strengths: list[Array], zero: Array) -> Moment:
        """The network between states of these energies: rates (lead, transition), and what each boson bath moves."""
        sizes = self._sizes()
        channels: list[Channel] = []
        laws: list[Kinetics] = []
        for name, own in zip(self.leads, rates, strict=True):
            laws.append(Tunnelling(own))
            channels.append(Channel(name, *fillings(sizes), laws[-1]))
        for (name, coupling), strength in zip(self.bosons.items(), strengths, strict=True):
            laws.append(BosonSteps(strength, coupling.law()))
            channels.append(Channel(name, *shifts(sizes), laws[-1]))
        baths = tuple(
            eqx.tree_at(lambda b: b.chemical_potential, bath, bath.potential - zero)
            if bath.exchanges_particles
            else bath
            for bath in self.baths.values()
        )
        # Compilers would compute all that follows from numbers they know, for each transition, by themselves.
        electrons = jax.lax.optimization_barrier(jnp.asarray(self._electrons(), float)[None])
        return Moment(
            tuple(self.baths),
            baths,
            energies,
            electrons,
            tuple(channels),
            tuple(laws),
            (0,) * len(self.leads) + (None,) * len(self.bosons),
        )

    def snapshot(self, phase: Any) -> Snapshot:
        # Levels and potentials may share an energy far larger than their differences: it costs no digits.
        zero = jax.lax.stop_gradient(self.hamiltonian[0, 0].real)
        blocks, cuts = self._resolved(zero)
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
            leak=self._leak(cuts, zero) if cuts else None,
        )

    def _leak(self, cuts: list[tuple[Eigenstates, Eigenstates, Array]], zero: Array) -> Array:
        leads = [lead.bath for lead in self.leads.values()]
        baths = tuple(jnp.stack(x) for x in ([b.temperature for b in leads], [b.potential - zero for b in leads]))
        return jnp.stack(window_.leak(self._fock(), cuts, self._near().start, self._gammas(), baths))

    def _at_ends(self, blur: Array) -> Array:
        """Relative errors of the rates of each transition, from those of its two states."""
        g = self.graph()
        return g.initial.of(blur) + g.final.of(blur)

    def _neglected(self, blocks: list[Eigenstates], found: Snapshot) -> Neglected:
        blocks, found = jax.lax.stop_gradient((blocks, found))
        made, sizes = creators(self._fock(), blocks, self._range().start), self._sizes()
        root = roots(self._gammas())
        amplitudes = [reached(root, creator) for creator in made]
        rates = found.rates
        shaking, at = [], len(self.leads) * len(fillings(sizes).initial)
        for _ in self.bosons:
            tables = []
            for size in sizes:
                count = size * (size - 1) // 2
                table = jnp.zeros((size, size)).at[np.triu_indices(size, 1)].set(rates[at : at + count])
                tables.append(table + table.T)
                at += count
            shaking.append(tables)
        return neglected(blocks, amplitudes, shaking, jnp.min(found.temperature))

    def _broad(self, found: Snapshot | Glance) -> Array:
        leads = len(self.leads)
        return broad_by_all(found.widths[: sum(self.sizes()[:leads])].reshape(leads, -1), found.temperature[:leads])

    def _steps(self) -> list[Steps]:
        """The transitions that each bath causes."""
        sizes = self._sizes()
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

    def smoothness(self) -> np.ndarray:
        each = [SMOOTH] * len(self.leads) + [c.law().smoothness for c in self.bosons.values()]
        return np.repeat(each, self.sizes())

    def explain(self, status: Status) -> str:
        if self._is_huge():
            return charge_steady.words(status)
        told = {Status.NOT_UNIQUE: words.of_groups, Status.INVALID: words.of_invalid}
        return told[status](self) if status in told else ""

    # ------------------------------------------------------------------ verbs
    def solve(self, tolerance: Array) -> Outcome:
        return self._stationary(sure=True)

    def attempt(self, tolerance: Array, cost: int) -> Outcome | None:
        if cost == 0 and self._is_plain():
            return solve_quick(self.graph(), self._seen(), True, tolerance)
        return self._stationary(sure=False) if cost == self._is_plain() else None

    def moderate(self, tolerance: Array) -> Outcome | None:
        return self._stationary(sure=False) if self.states <= SMALL else None

    def _is_plain(self) -> bool:
        """Whether plain elimination may be tried first."""
        return self.states <= SMALL and not len(self.bosons) and self.window is None

    def block(self, cost: int) -> int | None:
        return lanes(self.states) if cost == 0 and self._is_plain() and not is_pair(self.graph()) else None

    @property
    def few(self) -> int:
        return 16 if self._is_plain() else 0

    def attempt_covariances(self, targets: tuple[Target, ...], tolerance: Array) -> Counted | None:
        return attempt_covariances(self.graph(), self._seen(), targets, tolerance) if self._is_plain() else None

    def _seen(self) -> Seen:
        """A batch of dots without bosons, which leads alone change."""
        arrays, static = eqx.partition(self, eqx.is_array)

        def solve(point: Any) -> list[Eigenstates]:
            dots = eqx.combine(point, static)
            return dots._resolved(dots.hamiltonian[0, 0].real)[0]

        def know(point: Any, blocks: list[Eigenstates]) -> Known:
            return blocks, creators(self._fock(), blocks), eqx.combine(point, static)._gammas()

        own = self.hamiltonian, self.coulomb, [lead.gamma for lead in self.leads.values()]
        # Of a single level there is nothing to find, and compilers make one loop of all.
        found = of_batch(solve, know, arrays, own) if self.orbitals > 1 else None

        def look(point: tuple[Any, Inside | None]) -> Glance:
            dots, known = eqx.combine(point[0], static), point[1] or of_one(*know(point[0], solve(point[0])))
            moment = dots._between(known.energies, known.rates, [], dots.hamiltonian[0, 0].real)
            seen = glance(moment, is_pair(dots.graph()))
            blur = known.lost.blur(jnp.min(seen.temperature))
            return seen._replace(mixed=known.lost.coherent, broad=dots._broad(seen), blur=dots._at_ends(blur))

        leads = tuple(self.leads)
        moves = members([Channel(name, *fillings(self._sizes()), Tunnelling(1.0)) for name in leads], leads)
        return Seen(leads, moves, (True,) * len(leads), (arrays, found), look)

    def _stationary(self, sure: bool) -> Outcome:
        arrays, static = eqx.partition(self, eqx.is_array)
        if self._is_huge():
            charge_steady.check(self._fock(), len(self.leads), FEWER)
            return one_by_one(lambda p: charge_steady.solve(self._fock(), eqx.combine(p, static)._numbers()), arrays)
        self._check_size()

        def look(point: Any) -> Snapshot:
            return eqx.combine(point, static).snapshot(jnp.zeros(()))

        solve = solve_stationary if self.window is None and self.states <= SMALL else solve_large
        return solve(self.graph(), arrays, look, True, sure and self.window is None)

    def _is_huge(self) -> bool:
        """Whether there are lists of transitions for windows alone."""
        return self.window is None and not len(self.bosons) and self.states > MOST_FILLED

    def _numbers(self) -> charge_steady.Numbers:
        """Of one point, as dots too large for lists are solved."""
        zero = self.hamiltonian[0, 0].real
        baths = [lead.bath for lead in self.leads.values()]
        return charge_steady.Numbers(
            self._elements(whole(self.hamiltonian) - zero * jnp.eye(self.orbitals)),
            self._gammas(),
            jnp.stack([bath.temperature for bath in baths]),
            jnp.stack([bath.potential - zero for bath in baths]),
        )

    def trajectories(  # type: ignore[override]
        self,
        key: Array,
        n: int,
        time: Any,
        *,
        start: Any = None,
        until: Any = None,
        throw: bool = True,
        progress: bool | None = None,
    ) -> JumpTrajectories:
        """`n` independent histories, event by event, over `time`; called by `coldspot.trajectories`.

        `start`: the first state, or the probabilities of the states (in the order of `spectrum`); by default those of
        the stationary state. `until`: as for a `JumpNetwork`.
        """
        self.check_complete("trajectories")
        self._check_size()
        return sample(self, key, n, time, start=start, until=until, throw=throw, progress=progress)

    def check_counting(self) -> None:
        self.check_complete("counting")
        self._check_size()

    def check_complete(self, verb: str) -> None:
        if self.window is not None:
            raise InputError(
                f"{verb}: {OWNER} with a `window` have steady states alone: what the others would change is not known."
            )

    def _counted(self, targets: tuple[Target, ...], order: int, mixed: bool, tolerance: Array) -> Counted:
        if self._is_huge():
            self._check_size()
        return super()._counted(targets, order, mixed, tolerance)

    def _check_size(self) -> None:
        """Refuse what does not fit into the memory, before it is asked for."""
        self._check_matrices()
        edges, square = 2 * sum(self.sizes()), self.states**2 if Listed(self.graph()).dense else 0
        kept = "have" if self.window is None else "keep"
        check_memory(
            f"{OWNER}: {self.orbitals} spin-orbitals {kept} {self.states} states with {edges // 2} transitions, which",
            8 * (12 * square + (16 + 4 * len(self.baths) + 4 * self.orbitals) * edges),
            f"give a {'narrower ' if self.window else ''}`window` (an energy of some 20 temperatures: states within it "
            f"alone are kept), or {FEWER}",
        )
