"""Electrons in orbitals: the eigenstates of each of their numbers, all of them or those within an energy window."""

import math
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import check_memory
from ..compiler import plainly, spread
from ..pytrees import Table
from . import window as window_
from .contacts import whole
from .counted import CountedSystem
from .eigenstates import Eigenstates, eigenstates
from .fock import Fock, Terms, double, fock, pairs_of
from .interaction import OWNER

FEWER = (
    "leave out orbitals that are always empty or always filled (an energy of several temperatures beyond all chemical "
    "potentials), and add the repulsion of filled ones to the other levels."
)


class Spectrum(NamedTuple):
    """Eigenstates of dots: `energies` and numbers of `electrons` (state), by electrons, then by block and energy."""

    energies: Array
    electrons: Array


class ManyElectrons(CountedSystem):
    """A system whose states are those of a Hamiltonian of single electrons and an interaction of pairs."""

    hamiltonian: eqx.AbstractVar[Array]
    coulomb: eqx.AbstractVar[Array]
    leads: eqx.AbstractVar[Table]
    pairs: eqx.AbstractVar[tuple[tuple[int, int], ...] | None]
    orbitals: eqx.AbstractVar[int]
    window: eqx.AbstractVar[tuple[int, ...] | None]

    def spectrum(self) -> Spectrum:
        """Energies and electrons of all eigenstates: their order is that of `solution.populations`."""
        found = self._resolved(jnp.zeros(()))[0]
        return Spectrum(jnp.concatenate([block.energies for block in found]), jnp.asarray(self._electrons(), float))

    def _fock(self) -> Fock:
        self._check_matrices()  # the tables of operators alone would take a minute
        return fock(self.orbitals)

    def _elements(self, single: Array) -> Array:
        """The matrix elements of the interaction and a matrix of single electrons, block after block."""
        space, two = self._fock(), double(self.orbitals, self.pairs is None)
        return elements(space, space.single, single) + elements(space, two, self._two_body())

    def _range(self) -> range:
        """The numbers of electrons that are kept."""
        if self.window is None:
            return range(self.orbitals + 1)
        there = np.flatnonzero(self.window)
        return range(int(there[0]), int(there[-1]) + 1)

    def _sizes(self) -> tuple[int, ...]:
        """The states that are kept of each of these."""
        every = self._fock().sizes if self.window is None else self.window
        return tuple(every[n] for n in self._range())

    def _electrons(self) -> np.ndarray:
        return np.repeat(list(self._range()), self._sizes())

    def _two_body(self) -> Array:
        """The coefficients of `double`: U_ij of pairs i < j, or U_ijkl − U_ijlk between pairs."""
        pairs = pairs_of(self.orbitals)
        if self.pairs is not None:
            order = [pairs.index((min(p), max(p))) for p in self.pairs]
            return spread(len(pairs), np.array(order, int), self.coulomb)
        i, j = np.array(pairs, int).reshape(-1, 2).T
        u = self.coulomb
        direct, exchanged = (u[i[:, None], j[:, None], k, m] for k, m in ((i, j), (j, i)))
        return direct - exchanged

    def _resolved(self, zero: Array) -> tuple[list[Eigenstates], list[tuple[Eigenstates, Eigenstates, Array]]]:
        """The eigenstates that are kept of each number of electrons, with the energies of single levels counted from

        `zero`; with a window also all of these and of neighbouring numbers, those kept, and which these are.
        """
        space = self._fock()
        values = self._elements(whole(self.hamiltonian) - zero * jnp.eye(self.orbitals))

        def block(n: int) -> Eigenstates:
            return eigenstates(values[space.flat(n)].reshape(space.sizes[n], space.sizes[n]))

        own = self._range()
        if self.window is None:
            return [block(n) for n in own], []
        cuts = []
        for n in self._near():
            every = block(n)
            cuts.append((every, *window_.cut(every, self.window[n])))
        return [cuts[n - self._near().start][1] for n in own], cuts

    def _near(self) -> range:
        """The numbers of electrons that are kept, and their neighbours."""
        own = self._range()
        return range(max(own.start - 1, 0), min(own.stop + 1, self.orbitals + 1))

    def _gammas(self) -> Array:
        """Level widths (lead, orbital), or (lead, orbital, orbital) if one of them is a matrix."""
        leads, n = list(self.leads.values()), self.orbitals
        if any(lead.gamma.ndim == 2 for lead in leads):
            return jnp.stack([lead.width(n) for lead in leads])
        return jnp.stack([jnp.broadcast_to(lead.gamma, (n,)) for lead in leads])

    def _check_matrices(self) -> None:
        """Refuse matrices of each number of electrons that do not fit."""
        sizes = [math.comb(self.orbitals, electrons) for electrons in range(self.orbitals + 1)]
        check_memory(
            f"{OWNER}: the matrices of {self.orbitals} spin-orbitals, the largest of {max(sizes)} states, which",
            8.0 * (4 * sum(size**2 for size in sizes) + (6 + 2 * self.orbitals) * max(sizes) ** 2),
            FEWER,
        )


def elements(space: Fock, terms: Terms, coefficients: Array) -> Array:
    """The matrix elements of terms with these coefficients, block after block."""
    _, plain = plainly(coefficients)
    return spread(space.places, terms.place, terms.sign * plain.ravel()[terms.number])
