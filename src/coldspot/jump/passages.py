"""Times of a network that is not driven: until a state is entered, and from one kind of jump to the next.

Both are times at which a process ends: it is left to run without the jumps that end it, which take it away at the rates
d_j. Then the moments of the time obey, with the rates q_ij of the other jumps j → i,

    d_j T_j + Σ_i q_ij (T_j − T_i) = 1,      d_j M_j + Σ_i q_ij (M_j − M_i) = 2T_j,

for the mean T and the second moment M from each state (`killed`: to rounding, however rare the end is).
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._attributes import Spoken
from .._checks import InputError, Values, as_float, unknown_name, worded
from ..dynamics import as_dynamics, is_traced, with_rules
from ..numerics.dense import EPS
from ..numerics.lacking import lacking
from ..pytrees import compiled
from ..solution import SolveError, Status
from .cumulants import flows_at
from .graph import marked
from .killed import factored, solved
from .system import System

WAYS = ("in", "out", "any")


class Event(NamedTuple):
    """Jumps that a bath causes: those that bring something into the system, take it out, or both.

    "in" and "out" are told by particles where the bath exchanges any, else by heat.
    """

    bath: str
    way: str = "any"


class Times(Spoken, eqx.Module):
    """A random time: its `mean` and `variance` with bounds of their errors, and a `status`.

    Infinite where the end cannot be reached.
    """

    mean: Values
    variance: Values
    mean_error: Values
    variance_error: Values
    status: Values

    @property
    def ok(self) -> Values:
        return self.status == int(Status.OK)


def _system(network: Any, verb: str) -> System:
    dynamics = as_dynamics(network)
    if not isinstance(dynamics, System):
        raise InputError(f"{verb}: {type(dynamics).__name__} is no jump network.")
    dynamics.check_complete(verb)
    if len(dynamics.drives):
        raise InputError(f"{verb}: the network is driven ({', '.join(dynamics.drives)}); see `trajectories`.")
    return dynamics


def _moments(q: Array, d: Array, start: Array) -> tuple[Array, Array]:
    """Mean and variance of the time for rates q (i, j), d (j) and the distribution `start` (j)."""
    factors = factored(q[..., None], d[:, None])
    first = solved(factors, jnp.ones_like(d)[:, None])
    second = solved(factors, 2 * first)
    # Where the end cannot be reached nothing is left of the rate at which the process ends.
    lost = factors.total[0, 0] == 0
    mean = jnp.where(lost, jnp.inf, start @ first[:, 0])
    return mean, jnp.where(lost, jnp.inf, start @ second[:, 0] - mean**2)


def _times(q: Array, d: Array, start: Array, sizes: Array, good: Array) -> Times:
    n = len(d)
    mean, variance = _moments(q, d, start)
    # Each rate is known to the rounding of its logarithm, and times are sums of products of quotients of rates.
    rounding = EPS * (8.0 * n + 4 * jnp.max(sizes)) * n
    error = rounding * jnp.abs(mean)
    nothing = jnp.isnan(mean) | jnp.isnan(variance)
    status = jnp.select([~good, nothing], [int(Status.INVALID), int(Status.NOT_FINITE)], int(Status.OK))
    numbers = (mean, variance, error, 2 * rounding * (jnp.abs(variance) + 2 * mean**2))
    mean, variance, error, other = lacking(~good, numbers)
    return Times(mean, variance, jax.lax.stop_gradient(error), jax.lax.stop_gradient(other), status)


def _edges(system: System) -> tuple[np.ndarray, np.ndarray]:
    g = system.graph()
    start, end = (np.concatenate(pair) for pair in ((g.initial.array, g.final.array), (g.final.array, g.initial.array)))
    return start, end


def _rates(start: np.ndarray, end: np.ndarray, rates: Array, n: int) -> Array:
    return jnp.zeros((n, n)).at[end, start].add(jnp.where(jnp.asarray(start != end), rates, 0.0))


@compiled
def _passage(machine: Any, stops: tuple[bool, ...], first: Array) -> Times:
    system, good = with_rules(machine)
    assert isinstance(system, System)
    s = system.snapshot(jnp.zeros(()))
    start, end = _edges(system)
    logs = jnp.concatenate([s.log_forward, s.log_backward])
    rates = jnp.exp(logs)
    stop = np.array(stops)
    n = system.states
    inside = jnp.asarray(~stop[start] & ~stop[end])
    ends = jnp.asarray(~stop[start] & stop[end])
    d = jnp.zeros(n).at[start].add(jnp.where(ends, rates, 0.0))
    kept = np.flatnonzero(~stop)
    q = _rates(start, end, jnp.where(inside, rates, 0.0), n)[kept][:, kept]
    sizes = jnp.where(jnp.concatenate([s.open, s.open]), jnp.abs(logs), 0.0)
    return _times(q, d[kept], first[kept], sizes, good & s.valid)


@worded
def first_passage(network: Any, *, to: Any, start: Any, throw: bool = True) -> Times:
    """The time until a network that is not driven enters one of the states `to`, from `start`.

    **Arguments:** `to`, a state or a list of states; `start`, a state, or the probabilities of the states (those that
    are among `to` count as time 0); `throw`: whether to raise `SolveError` for numbers that cannot be trusted.

    **Returns:** `Times`: mean and variance, differentiable. Times of single histories: `durations` of
    `trajectories(…, start=…, until=to)`.

    >>> import coldspot as cs
    >>> dot = cs.machines.QuantumDot(level=-5.0)
    >>> t = cs.jump.first_passage(dot, to=1, start=0)  # filled at the rate 2 f_left + 2 f_right
    >>> print(f"{t.mean:.6f} ± {t.variance**0.5:.6f}")
    0.384131 ± 0.384131
    """
    system = _system(network, "first_passage")
    stops = marked(system.states, to, "first_passage: `to`")
    if np.all(stops):
        raise InputError("first_passage: `to` holds all states.")
    if isinstance(start, int | np.integer) and not isinstance(start, bool):
        first = jnp.asarray(marked(system.states, start, "first_passage: `start`") * 1.0)
    else:
        first = as_float(start, "first_passage: `start`")
        if first.shape != (system.states,):
            raise InputError(f"first_passage: `start` must be a state or {system.states} probabilities.")
        if not is_traced(first) and not bool(jnp.all(first >= 0) & (jnp.abs(jnp.sum(first) - 1) < 1e-9)):
            raise InputError(f"first_passage: `start` must be probabilities that add up to 1, but is {start!r}.")
    return _trusted(_passage(network, tuple(stops.tolist()), first), "first_passage", throw)


@compiled
def _waiting(machine: Any, first: Event, then: Event) -> Times:
    system, good = with_rules(machine)
    assert isinstance(system, System)
    s = jax.tree.map(lambda x: x[..., None], system.snapshot(jnp.zeros(())))
    start, end = _edges(system)
    flows = flows_at(system.graph(), s.log_forward, s.log_backward)
    logs = jnp.concatenate([s.log_forward, s.log_backward])[:, 0]
    rates, n = jnp.exp(logs), system.states

    def of(event: Event) -> Array:
        """Whether each directed edge is one."""
        row = tuple(system.reservoirs()).index(event.bath)
        by_bath = np.array([row in causes for causes in system.graph().causes])
        counted = jnp.where(jnp.any(s.particles[row] != 0), s.particles[row, :, 0], s.heat[row, :, 0])
        amount = jnp.concatenate([counted, -counted])
        way = {"in": amount > 0, "out": amount < 0, "any": jnp.ones_like(amount, bool)}[event.way]
        return way & jnp.asarray(np.concatenate([by_bath, by_bath]))

    begins, ends = of(first), of(then)
    after = jnp.zeros(n).at[end].add(jnp.where(begins, flows.flow[:, 0], 0.0))
    total = jnp.sum(after)
    d = jnp.zeros(n).at[start].add(jnp.where(ends, rates, 0.0))
    sizes = jnp.where(jnp.concatenate([s.open, s.open])[:, 0], jnp.abs(logs), 0.0)
    found = _times(_rates(start, end, jnp.where(ends, 0.0, rates), n), d, after / total, sizes, good & s.valid[0])
    return found


@worded
def waiting_time(network: Any, first: tuple[str, str], then: tuple[str, str], *, throw: bool = True) -> Times:
    """The time from a jump of one kind to the next jump of another, in the steady state of a network without drives.

    **Arguments:** `first`, `then`: ("left", "in"), a bath and whether its jumps bring particles (heat, of baths without
    particles) into the system, "out", or "any"; `throw` as for `first_passage`.

    **Returns:** `Times`: mean and variance. Between jumps of one kind the mean is one over their rate.
    """
    system = _system(network, "waiting_time")
    names = tuple(system.reservoirs())
    events = []
    for argument, event in (("first", first), ("then", then)):
        if not isinstance(event, tuple | list) or len(event) != 2:
            raise InputError(f'waiting_time: `{argument}` must be such as ("left", "in"), but is {event!r}.')
        if event[0] not in names:
            raise unknown_name(f"waiting_time: `{argument}`", "bath", str(event[0]), names)
        if event[1] not in WAYS:
            raise unknown_name(f"waiting_time: `{argument}`", "way", str(event[1]), WAYS)
        events.append(Event(*event))
    return _trusted(_waiting(network, *events), "waiting_time", throw)


def _trusted(found: Times, verb: str, throw: bool) -> Times:
    if throw and not is_traced(found.status) and int(found.status) != int(Status.OK):
        status = Status(int(found.status))
        raise SolveError(f"{verb}: no trustworthy time ({status.name}): {status.advice}", status, found)
    return found
