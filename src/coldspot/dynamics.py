"""What a machine is, what its dynamics must offer, and the verbs that all forms of dynamics share.

A `Machine` has physical parameters and turns them into a `Dynamics` (a jump network, …).
A `Dynamics` solves a whole batch of itself at once and returns a `Solution`.
"""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
from jax import Array

from ._checks import InputError, as_float
from .baths import show
from .solution import Solution, Status

TOLERANCE = 1e-8
"""Default relative tolerance of a ledger's entries, against the largest entry."""


class Dynamics(eqx.Module):
    """One of the mathematical forms to which machines reduce; `baths` and `drives` are mappings by name."""

    if TYPE_CHECKING:
        # A field or a property; type checkers take an abstract variable for a field.
        @property
        def baths(self) -> Mapping[str, Any]: ...

        @property
        def drives(self) -> Mapping[str, Any]: ...
    else:
        baths: eqx.AbstractVar[Mapping[str, Any]]
        drives: eqx.AbstractVar[Mapping[str, Any]]

    @abc.abstractmethod
    def solve_batch(self, tolerance: Array) -> Solution:
        """Steady or periodic state of a batch: every array of `self` has one leading batch axis.

        Never raises on values: each point has its status. Batch axis first in the result.
        """

    def trajectories(self, key: Array, n: int, time: Any, **options: Any) -> Any:
        """Random histories of one system: see `coldspot.trajectories`; forms that have none say so."""
        raise InputError(
            f"trajectories: {type(self).__name__} has none; an OscillatorNetwork has. Its averages: `steady_state`."
        )

    def explain(self, status: Status) -> str:
        """Words on why this very dynamics has that status; empty if there is nothing to add."""
        return ""


class Machine(eqx.Module):
    """A ready-made machine: parameters with names and defaults, and the dynamics that they define.

    A subclass gives `name` (on the command line), `summary` (one line) and `dynamics()`; its fields are the
    parameters, with `metadata={"dimension": …}` for conversion of units.
    """

    name: eqx.AbstractClassVar[str]
    summary: eqx.AbstractClassVar[str]

    @abc.abstractmethod
    def dynamics(self) -> Dynamics:
        """The mathematical form of this machine."""

    def __repr__(self) -> str:
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        shown = (f"{name}={show(v) if eqx.is_array(v) else repr(v)}" for name, v in values.items())
        return f"{type(self).__name__}({', '.join(shown)})"


def as_dynamics(machine: Any) -> Dynamics:
    """The dynamics of a machine; a dynamics is its own."""
    if isinstance(machine, Machine):
        return machine.dynamics()
    if isinstance(machine, Dynamics):
        return machine
    if isinstance(machine, type):
        raise InputError(f"`machine` is the class {machine.__name__}; make one: {machine.__name__}(…).")
    raise InputError(
        f"`machine` must be a machine or a dynamics (QuantumDot, JumpNetwork, …), but is {type(machine).__name__}."
    )


def is_traced(tree: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def steady_state(machine: Any, *, tolerance: float = TOLERANCE, throw: bool = True) -> Solution:
    """The steady state of a machine, or its periodic state averaged over the period if it is driven.

    **Arguments:** `machine`, a `Machine` or a `Dynamics`; `tolerance`, the error allowed in each entry of the
    ledger, relative to the largest one; `throw`, whether to raise `SolveError` if the solution cannot be
    trusted (otherwise read `solution.status`).

    **Returns:** a `Solution`, with heat and particles per bath and work per drive, positive into the system.

    Inside `jax.jit`, `jax.vmap` or `jax.grad` nothing is raised; look at `status`. Derivatives follow the
    implicit rule at the steady state.

    >>> import coldspot as cs
    >>> dot = cs.machines.QuantumDot(level=-5.0)
    >>> s = cs.steady_state(dot)
    >>> s.regime, bool(s.heat["right"] > 0)
    ('refrigerator', True)
    """
    checked = checked_tolerance(tolerance)
    solution = _solve_one(machine, checked)
    if not throw or is_traced(solution.status):
        return solution
    return solution.raise_unless_ok(as_dynamics(machine).explain)


def checked_tolerance(tolerance: Any) -> Array:
    try:
        number = as_float(tolerance)
    except InputError:
        number = as_float(float("nan"))
    if not is_traced(number) and not (number.ndim == 0 and 0 < number < 1):
        raise InputError(f"`tolerance` must be a number between 0 and 1, but is {tolerance!r}.")
    return number


@eqx.filter_jit
def _solve_one(machine: Any, tolerance: Array) -> Solution:
    dynamics = as_dynamics(machine)
    batch = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, dynamics)
    solution = batch.solve_batch(tolerance)
    return jax.tree.map(lambda leaf: leaf[0], solution)


@eqx.filter_jit
def solve_points(build: Callable[..., Any], shared: Any, columns: Any, tolerance: Array) -> Solution:
    """Steady states of `build(shared, point)` for every point of `columns`, whose arrays have a leading axis."""

    def one(point: Any) -> Any:
        return as_dynamics(build(shared, point))

    batch = eqx.filter_vmap(one, out_axes=eqx.if_array(0))(columns)
    return batch.solve_batch(tolerance)
