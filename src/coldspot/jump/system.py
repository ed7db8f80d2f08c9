"""What the methods of jump networks need of a network: arrays of one point, or of a batch with a leading axis."""

import abc
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Dynamics
from .assembly import Moment
from .graph import Graph, Snapshot


class System(Dynamics):
    """A jump process as its methods see it: states, the graph of transitions, and snapshots along the period."""

    if TYPE_CHECKING:

        @property
        def states(self) -> int: ...

        @property
        def period(self) -> Array | None: ...
    else:
        states: eqx.AbstractVar[int]
        period: eqx.AbstractVar[Array | None]

    @property
    @abc.abstractmethod
    def has_particles(self) -> bool:
        """Whether any bath exchanges particles."""

    @abc.abstractmethod
    def graph(self) -> Graph:
        """Which states the transitions connect."""

    @abc.abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """How many transitions each channel has."""

    @abc.abstractmethod
    def moment(self, phase: Any) -> Moment:
        """Energies, baths and laws of one point at a phase: all that functions of the drives return."""

    @abc.abstractmethod
    def snapshot(self, phase: Any) -> Snapshot:
        """The numbers of one point at a phase; a pure function of arrays, to be mapped over batches."""

    def borders(self) -> Array | None:
        """Where something may jump or have a kink, as shares of the period (border), for one point; phase 0 is, too.

        None if the period is smooth all around, phase 0 included.
        """
        return None

    def sudden(self, before: Any, after: Any) -> Array:
        """Energies (drive, state) by which works at a sudden change exceed what the drives' `gains` tell, one point.

        From one phase to another; not asked of networks with one drive.
        """
        return jnp.zeros((len(self.drives), self.states))

    @abc.abstractmethod
    def components(self, open_: np.ndarray | None = None) -> list[list[int]]:
        """Groups of states that transitions connect, or those of them that are `open_`."""

    @abc.abstractmethod
    def smoothness(self) -> np.ndarray:
        """How the rates of each transition depend on its energy, as `Kinetics.smoothness` (transition)."""
