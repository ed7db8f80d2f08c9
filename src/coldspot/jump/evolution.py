"""Populations and instantaneous rates of a network from a given start, driven or not."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, as_float, concrete, valid
from ..dataset import Variable, provenance, to_dataset
from ..dynamics import TOLERANCE, as_dynamics, checked_tolerance, is_traced
from ..ledger import Ledger, about
from ..pytrees import batch_of_one, compiled, refreshed
from ..solution import SolveError, Status, plain, status_variable
from .graph import Snapshot
from .meshes import mesh_of
from .propagation import Carry, advance, blocks_of, functionals, generator, stages
from .system import System

if TYPE_CHECKING:
    import xarray

LAST = 4096
"""Elements per interval between two times beyond which the solver gives up."""


class Evolution(eqx.Module):
    """What a network does from a given start: at each time, populations and the instantaneous ledger.

    - `times` (time), `populations` (time, state);
    - `ledger`: rates at each time (…, named axis last); its `storage` is d⟨E⟩/dt;
    - `error`: estimated error of the populations, the largest over times and states; `status`.
    """

    times: Array
    populations: Array
    ledger: Ledger
    error: Array
    status: Array

    @property
    def heat(self) -> Any:
        return self.ledger.heat

    @property
    def work(self) -> Any:
        return self.ledger.work

    @property
    def particles(self) -> Any:
        return self.ledger.particles

    def __repr__(self) -> str:
        times, states = self.populations.shape
        return f"Evolution({times} times, {states} states, baths {', '.join(self.ledger.baths)})"

    def labels(self) -> dict[str, tuple[Any, ...]]:
        named = {"time": tuple(np.asarray(self.times).tolist()), "bath": self.ledger.baths, "drive": self.ledger.drives}
        return {axis: names for axis, names in named.items() if names}

    def variables(self) -> dict[str, Variable]:
        """Rates and populations at each time, and the status of all."""
        found = {
            name: Variable(getattr(self.ledger, name).array, ("time", "bath"), *about(name))
            for name in ("energy", "heat", "particles", "chemical_work", "entropy_flow")
        }
        if self.ledger.drives:
            found["work"] = Variable(self.ledger.works, ("time", "drive"), *about("work"))
        found["storage"] = Variable(self.ledger.storage, ("time",), about("energy")[0], "rise of the mean energy")
        found["population"] = Variable(self.populations, ("time", "state"), "1", "probability of the state")
        found["population_error"] = Variable(self.error, (), "1", "error estimate of the populations")
        return found | {"status": status_variable(self.status)}

    def record(self) -> dict[str, Any]:
        """Everything as plain Python values, for JSON: what is not finite is None."""
        numbers = {name: v.values for name, v in self.variables().items() if "bath" not in v.axes and name != "status"}
        entries = ("heat", "particles", "chemical_work", "energy", "entropy_flow", "work")
        return {
            "status": Status(int(self.status)).name,
            "time": plain(self.times),
            **{name: plain(getattr(self.ledger, name)) for name in entries},
            **{name: plain(values) for name, values in numbers.items() if name != "work"},
        }

    def to_dataset(self, unit: str | None = None) -> "xarray.Dataset":
        """The evolution along the dimension `time`; `unit` as for `Solution.to_dataset`."""
        return to_dataset(self, {}, {}, provenance(unit=unit), unit)


def evolve(machine: Any, initial: Any, times: Any, *, tolerance: float = TOLERANCE, throw: bool = True) -> Evolution:
    """Populations and instantaneous heat, particle and work rates at given times, from a distribution at time 0.

    **Arguments:** `machine` (a jump network or a machine that becomes one); `initial`, probabilities of the states at
    time 0, or the index of one state; `times`, increasing and not negative; `tolerance`, error allowed in
    any probability.

    Radau IIA collocation of order 7 between neighbouring times, on a mesh that resolves the drives (see `meshes`) and
    is refined until the tolerance is met.

    >>> import coldspot as cs
    >>> dot = cs.machines.QuantumDot(level=-5.0)
    >>> e = cs.evolve(dot, 0, [0.0, 1.0, 50.0])
    >>> s = cs.steady_state(dot)
    >>> last = e.heat["left"].take(-1)
    >>> bool(abs(last - s.heat["left"]) < 1e-8)
    True
    """
    network = as_dynamics(machine)
    if not isinstance(network, System):
        raise InputError(f"evolve: `machine` must be a jump network, but is {type(network).__name__}.")
    start = _distribution(initial, network.states)
    moments = as_float(times)
    values = concrete(moments)
    if moments.ndim != 1 or moments.shape[0] == 0:
        raise InputError(f"evolve: `times` must be a list of numbers, but has shape {moments.shape}.")
    if values is not None and (not np.all(np.isfinite(values)) or np.any(np.diff(values) <= 0) or values[0] < 0):
        raise InputError("evolve: `times` must be finite, increasing and not negative.")
    if is_traced((network, start, moments)):
        return _evolve(refreshed(network), start, moments, checked_tolerance(tolerance))
    result = _evolve_jitted(network, start, moments, checked_tolerance(tolerance))
    status = Status(int(result.status))
    if throw and status != Status.OK:
        raise SolveError(f"evolve: no trustworthy solution ({status.name}): {status.advice}", status)
    return result


def _distribution(initial: Any, states: int) -> Array:
    if isinstance(initial, (int, np.integer)):
        if not 0 <= initial < states:
            raise InputError(
                f"evolve: `initial` is state {initial}, which does not exist; states are 0 to {states - 1}."
            )
        return jnp.zeros(states).at[int(initial)].set(1.0)
    p = as_float(initial)
    if p.shape != (states,):
        raise InputError(f"evolve: `initial` must have shape {(states,)}, but has shape {p.shape}.")
    numbers = concrete(p)
    if numbers is not None and not (np.all(numbers >= 0) and abs(float(numbers.sum()) - 1) < 1e-9):
        wrong = f"sums to {numbers.sum():g}" if np.all(numbers >= 0) else f"has the entry {numbers.min():g}"
        raise InputError(f"evolve: `initial` must be probabilities that sum to 1, none negative, but {wrong}.")
    return p


def _evolve(network: System, start: Array, times: Array, tolerance: Array) -> Evolution:
    batch = batch_of_one(network)
    unit = jnp.ones(()) if network.period is None else network.period
    moments = jnp.concatenate([jnp.zeros(1), times]) / unit
    if network.period is None:
        # Nothing happens at special times: one element from each time to the next.
        resolved, pieces = jnp.asarray(True), jnp.asarray(1)

        def piece(k: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            return ends

    else:
        mesh, known = jax.lax.stop_gradient(mesh_of(batch))
        borders, count, resolved = mesh.borders[:, 0], mesh.count[0], known[0]

        def index(moment: Array) -> Array:
            """The mesh's element, counted through all periods, in which a moment lies."""
            cycle = jnp.floor(moment)
            inside = jnp.searchsorted(borders, moment - cycle, side="right") - 1
            return cycle.astype(int) * count + jnp.minimum(inside, count - 1)

        def piece(k: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            cycle, j = jnp.divmod(index(ends[0]) + k, count)
            return jnp.clip(cycle + borders[j], *ends), jnp.clip(cycle + borders[j + 1], *ends)

        pieces = index(moments[1:]) - index(moments[:-1]) + 1
    many = jnp.broadcast_to(pieces, times.shape)
    possible = jnp.max(many) <= LAST

    def march(parts: Array) -> Array:
        def interval(carry: Carry, task: tuple[Array, Array, Array]) -> tuple[Carry, Array]:
            *ends, number = task

            def one(k: Array, c: Carry) -> Carry:
                lower, upper = piece(k // parts, (ends[0], ends[1]))
                span = (upper - lower) / parts
                return advance(batch, (lower + (k % parts) * span)[None], span[None], c)

            carry = jax.lax.fori_loop(0, jnp.where(possible, number, 0) * parts, one, carry)
            return carry, carry.columns[:, 0, 0]

        return jax.lax.scan(interval, Carry(start[:, None, None]), (moments[:-1], moments[1:], many))[1]

    def refine(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        parts, p, _ = state
        finer = march(2 * parts)
        return 2 * parts, finer, jnp.max(jnp.abs(finer - p)) / 4

    first = jnp.asarray(1)
    _, p, error = jax.lax.while_loop(
        lambda s: (s[2] > tolerance) & (s[0] * jnp.max(many) < LAST),
        refine,
        (first, march(first), jnp.asarray(jnp.inf)),
    )
    s = stages(batch, 2 * jnp.pi * moments[1:])
    ledger = _instantaneous(batch, s, p, unit)
    good = jnp.all(s.valid) & valid(network)
    converged = (error <= tolerance) & resolved & possible
    status = jnp.where(~good, int(Status.INVALID), jnp.where(converged, int(Status.OK), int(Status.NOT_CONVERGED)))
    return Evolution(times, p, ledger, error, status)


_evolve_jitted = compiled(_evolve)


def _instantaneous(batch: System, s: Snapshot, p: Array, unit: Array) -> Ledger:
    """Rates at each time: `s` has times first and a batch of one last; `p` is (time, state)."""
    g = batch.graph()
    where = blocks_of(batch)
    rows = jax.vmap(lambda one, q: jnp.sum(functionals(batch, g, one).values[..., 0] * q, axis=-1))(s, p)
    motion = jnp.einsum("tij,tj->ti", generator(g, s)[..., 0], p)
    works = 2 * jnp.pi / unit * jnp.einsum("tdi,ti->td", s.slopes[..., 0], p)
    heats = rows[:, where["heats"]]
    particles = rows[:, where["particles"]] if "particles" in where else jnp.zeros_like(heats)
    chemical = s.potential[..., 0] * particles
    return Ledger(
        baths=tuple(batch.baths),
        drives=tuple(batch.drives),
        heats=heats,
        particle_numbers=particles,
        chemical_works=chemical,
        entropy_flows=heats / s.temperature[..., 0],
        works=works,
        storage=jnp.sum(s.energies[..., 0] * motion, axis=-1) + jnp.sum(works, axis=-1),
    )
