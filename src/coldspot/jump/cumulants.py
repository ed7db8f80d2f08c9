"""Cumulants of a stationary network: what its transitions carry, to any order, by a recursion for a left eigenvector.

The tilted generator with the rates w_e e^{χa_e} (a_e: the amount that transition e: j → i carries) has the largest
eigenvalue λ(χ) = Σ_k κ_k χ^k/k!. Its left eigenvector, written as e^{v_i(χ)}, obeys for every state j

    Σ_{e from j} w_e [exp(y_e(χ)) − 1] = λ(χ),      y_e = χ a_e + v_i − v_j.

Order by order in χ this is one linear system for v with the factors that the stationary state has used, and
λ_k = Σ_e F_e × (a polynomial in y of lower orders) with the stationary flows F_e. So κ₂ = Σ F y² is a sum of squares,
and covariances Σ F y_a y_b are positive semidefinite by construction. With several fields χ_a the same holds for power
series in all of them, whose mixed orders are the mixed cumulants.

v_i − v_j may be far smaller than v: the differences y themselves are kept, and improved with what they leave of their
equations. Errors are found by probing: the same is done with rates that are changed a little in random directions, and
what that changes is scaled down to the rounding of the rates.

Arrays have the batch axis last.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from .._checks import InputError
from ..baths import WorkReservoir
from ..dynamics import Counted, Target
from ..numerics.dense import EPS
from ..numerics.reduction import reduce
from ..solution import Status
from .balance import balance, differentiable, is_wide
from .graph import Graph, Snapshot, joined
from .gth import Elimination, eliminate, respond
from .orders import Index, Orders
from .stationary import in_blocks
from .system import System

PROBES = 2
"""Random directions in which rates are changed."""
NUDGE = 1e-7
"""By how much: far above rounding, and far below what would be a change of the second order."""
SAFETY = 8.0
"""A random direction may show less than the worst one, and rounding errors are random too."""
REFINEMENTS = 2
"""How often y is improved with the residual of its equations; at rates over e^±30 once is not enough."""


def amounts(system: System, s: Snapshot, targets: tuple[Target, ...]) -> Array:
    """What each transition carries forward of each target (target, transition, point); a drive's work is no jump."""
    workers, drives = system.workers(), len(system.drives)
    baths = [name for name, bath in system.baths.items() if not isinstance(bath, WorkReservoir)]
    found = []
    for quantity, of in targets:
        if quantity == "work":
            row = workers.index(of) - drives
            found.append(s.work[row] if row >= 0 else jnp.zeros_like(s.log_forward))
            continue
        b = baths.index(of)
        rows = {"heat": s.heat[b], "particles": s.particles[b], "entropy": s.heat[b] / s.temperature[b]}
        found.append(rows[quantity])
    return jnp.stack(found)


class Flows(NamedTuple):
    """A stationary state as the recursion sees it, in units of e^scale (point).

    `factors` of the elimination; `p` (state, point); directed edges, forward ones first: `start`, `end` (edge), `flow`
    (edge, point).
    """

    factors: Elimination
    p: Float[Array, "state point"]
    start: np.ndarray
    end: np.ndarray
    flow: Float[Array, "edge point"]


class Rated(NamedTuple):
    """Rates of a batch, and after them along the batch those of the probes: `start`, `end` (edge), and `log_rates`

    (edge, all points) of the directed edges, forward ones first.
    """

    start: np.ndarray
    end: np.ndarray
    log_rates: Float[Array, "edge point"]


def probed(g: Graph, s: Snapshot) -> Rated:
    random = np.random.RandomState(8)
    signs = random.choice([-NUDGE, NUDGE], size=(2, PROBES, len(g.initial.array), 1))
    log_forward = jnp.concatenate([s.log_forward, *(s.log_forward + sign for sign in signs[0])], axis=-1)
    log_backward = jnp.concatenate([s.log_backward, *(s.log_backward + sign for sign in signs[1])], axis=-1)
    start = np.concatenate([g.initial.array, g.final.array])
    end = np.concatenate([g.final.array, g.initial.array])
    return Rated(start, end, jnp.concatenate([log_forward, log_backward]))


def flows_at(g: Graph, log_forward: Array, log_backward: Array) -> Flows:
    """The flows of the stationary state of these rates."""
    factors = eliminate(g, *jax.lax.stop_gradient((log_forward, log_backward)))
    log_p = differentiable(g, log_forward, log_backward, factors.log_p)
    start = np.concatenate([g.initial.array, g.final.array])
    end = np.concatenate([g.final.array, g.initial.array])
    rates = jnp.concatenate([log_forward, log_backward])
    return Flows(factors, jnp.exp(log_p), start, end, jnp.exp(rates + log_p[start] - factors.scale))


def flows_of(g: Graph, s: Snapshot) -> Flows:
    """The flows of the stationary state, and after them along the batch those of the probes."""
    rates, half = probed(g, s).log_rates, len(g.initial.array)
    return flows_at(g, rates[:half], rates[half:])


def _transposed(f: Elimination) -> Elimination:
    """The factors of the same flows, run backwards."""
    return f._replace(leave=jnp.swapaxes(f.come, 0, 1), come=jnp.swapaxes(f.leave, 0, 1))


def _leaving(flows: Flows, y: Array) -> Array:
    """Σ_{e from j} F_e y_e (state, point)."""
    return jnp.zeros_like(flows.p).at[flows.start].add(flows.flow * y)


def solve_left(flows: Flows, part: Float[Array, "edge point"]) -> Array:
    """part + v_i − v_j (edge, point), of which Σ_{e from j} F_e (…)_e is the same multiple of p_j for every state j."""
    factors = _transposed(flows.factors)
    n = flows.p.shape[0]

    def differences(v: Array) -> Array:
        return v[flows.end] - v[flows.start]

    def equations(v: Array) -> Array:
        return jnp.sum(flows.p * v, axis=0) - _leaving(flows, differences(v))

    def solve(_: Any, r: Array) -> Array:
        mean = jnp.sum(r, axis=0) / n
        return respond(factors, r - mean) + mean

    def solve_transposed(_: Any, c: Array) -> Array:
        (r,) = jax.linear_transpose(functools.partial(solve, None), c)(c)
        return r

    def source(whole: Array) -> Array:
        r = _leaving(flows, whole)
        return r - flows.p * jnp.sum(r, axis=0)

    whole = part + differences(jax.lax.custom_linear_solve(equations, source(part), solve, solve_transposed))
    fixed, given = jax.lax.stop_gradient((flows, whole))

    def refine(_: Any, whole: Array) -> Array:
        r = _leaving(fixed, whole)
        change = respond(factors, r - fixed.p * jnp.sum(r, axis=0))
        return whole + change[flows.end] - change[flows.start]

    better = jax.lax.fori_loop(0, REFINEMENTS, refine, given)
    return whole + (better - given)


def recursion(flows: Flows, amounts: Float[Array, "field edge point"], orders: Orders) -> tuple[Array, Array]:
    """Derivatives by the fields of each order from degree one (order, point), and the sums of their terms' sizes."""
    zero = (0,) * orders.fields
    y: dict[Index, Array] = {}
    e = {zero: jnp.ones_like(flows.flow)}
    found, sizes = [], []
    for k in range(1, orders.degree + 1):
        of = orders.of(k)
        parts = amounts if k == 1 else jnp.stack([product(y, e, index, orders) for index in of])
        scale = np.array([orders.factorial(index) for index in of], float)
        terms = flows.flow * parts * scale[:, None, None]
        found.append(jnp.sum(terms, axis=1))
        sizes.append(jnp.sum(jnp.abs(terms), axis=1))
        if k == orders.degree:
            break
        whole = jax.vmap(functools.partial(solve_left, flows))(parts)
        own = whole if k == 1 else whole - parts
        y |= dict(zip(of, own, strict=True))
        e |= dict(zip(of, whole, strict=True))
    return jnp.concatenate(found), jnp.concatenate(sizes)


def bare(flows: Flows, amounts: Float[Array, "field edge point"], orders: Orders) -> Array:
    """The same orders of what transitions carry if none knew of another: Σ_e F_e Π|a_e| (order, point)."""
    sizes = jnp.abs(amounts)

    def one(index: Index) -> Array:
        carried = (sizes[field] for field, power in enumerate(index) for _ in range(power))
        return jnp.sum(functools.reduce(jnp.multiply, carried, flows.flow), axis=0)

    return jnp.stack([one(index) for index in orders.every if any(index)])


def product(y: dict[Index, Array], e: dict[Index, Array], index: Index, orders: Orders) -> Array:
    """The order α of e^y without its term y_α: α_i e_α = Σ_β β_i y_β e_{α−β} for any field i with α_i > 0."""
    field = next(k for k, power in enumerate(index) if power)
    pairs = [(part, rest) for part, rest in orders.below(index) if part[field] and any(rest)]
    return sum((part[field] / index[field] * y[part] * e[rest] for part, rest in pairs), jnp.zeros(()))


# --------------------------------------------------------------------------- of a batch


def edges(amount: Array) -> Array:
    """(target, transition, point) → (target, edge, all points): backward edges carry the opposite."""
    return jnp.tile(jnp.concatenate([amount, -amount], axis=1), (1, 1, 1 + PROBES))


def judged(g: Graph, s: Snapshot, found: Array) -> tuple[Array, Array]:
    """The values of a batch (…, point) and bounds of their errors, from those with the probes behind them."""
    sizes = jnp.maximum(jnp.abs(s.log_forward), jnp.abs(s.log_backward))
    largest = reduce(jnp.maximum, jnp.where(s.open, sizes, 0.0))
    digits = EPS * (8.0 * g.states + 4 * largest) + (0.0 if s.blur is None else reduce(jnp.maximum, s.blur))
    points = digits.shape[0]
    values, probes = found[..., :points], found[..., points:].reshape(*found.shape[:-1], PROBES, points)
    change = jnp.max(jnp.abs(probes - values[..., None, :]), axis=-2)
    return values, jax.lax.stop_gradient(digits * (SAFETY / NUDGE * change + jnp.abs(values)))


def least(g: Graph, errors: Array, sizes: Array, noise: Array) -> tuple[Array, Array]:
    """Errors and sizes of cumulants that may be nothing beside the `noise` of single transitions.

    Where whatever goes one way comes back, as of one bath alone, all y vanish: rounding is all that is left of them.
    """
    noise = jax.lax.stop_gradient(noise[..., : errors.shape[-1]])
    return errors + g.states * EPS**2 * noise, jnp.maximum(sizes, EPS * noise)


def faults(g: Graph, s: Snapshot, unique: bool) -> dict[Status, Array]:
    return {Status.INVALID: ~s.valid, Status.NOT_UNIQUE: ~joined(g, s.open) | (not unique)}


def count_stationary(system: System, targets: tuple[Target, ...], order: int, mixed: bool) -> Counted:
    """Cumulants of a batch of undriven networks (leading axis) up to an order, or the `mixed` ones of that order."""
    arrays, static = eqx.partition(system, eqx.is_array)
    g, unique = system.graph(), len(system.components()) == 1

    def solve(part: Any) -> Counted:
        s = jax.vmap(lambda point: eqx.combine(point, static).snapshot(jnp.zeros(())), out_axes=-1)(part)
        amount = amounts(system, s, targets)
        return (stationary_mixed if mixed else stationary_cumulants)(g, s, amount, order, unique)

    return in_blocks(g, arrays, solve)


def stationary_cumulants(g: Graph, s: Snapshot, amount: Array, order: int, unique: bool) -> Counted:
    """Cumulants of a batch (snapshots with the batch axis last), values (point, target, order)."""
    wide = is_wide(g, s.log_forward, s.log_backward, s.reference, s.open)
    state = balance(g, True, wide, s.log_forward, s.log_backward, s.deviation, s.reference, s.deviation_size)
    flows = flows_of(g, s)
    found, sizes = jax.vmap(lambda a: recursion(flows, a[None], Orders(1, order)))(edges(amount))
    values, errors = judged(g, s, found * jnp.exp(flows.factors.scale))
    noise = jax.vmap(lambda a: bare(flows, a[None], Orders(1, order)))(edges(amount)) * jnp.exp(flows.factors.scale)
    sizes = (sizes * jnp.exp(flows.factors.scale))[..., : errors.shape[-1]]
    errors, sizes = least(g, errors, sizes, noise)
    # The first one is a net current, which keeps its digits near equilibrium.
    values = values.at[:, 0].set(jnp.sum(amount * state.current, axis=1))
    doubt = state.error + EPS * (amount.shape[1] + 2) * jnp.abs(state.current)
    if s.blur is not None:
        doubt = doubt + reduce(jnp.maximum, s.blur) * reduce(jnp.maximum, jnp.abs(state.current))
    errors = errors.at[:, 0].set(jax.lax.stop_gradient(jnp.sum(jnp.abs(amount) * doubt, axis=1)))
    values, errors, sizes = (jnp.moveaxis(x, -1, 0) for x in (values, errors, sizes))
    return Counted(values, errors, sizes, faults(g, s, unique))


def stationary_mixed(g: Graph, s: Snapshot, amount: Array, order: int, unique: bool) -> Counted:
    """Mixed cumulants of a batch, values (point, target, target, …)."""
    flows, orders = flows_of(g, s), Orders(amount.shape[0], order)
    found, sizes = recursion(flows, edges(amount), orders)
    count = len(orders.of(order))
    values, errors = judged(g, s, found[-count:] * jnp.exp(flows.factors.scale))
    sizes = (sizes[-count:] * jnp.exp(flows.factors.scale))[..., : errors.shape[-1]]
    noise = bare(flows, edges(amount), orders)[-count:] * jnp.exp(flows.factors.scale)
    errors, sizes = least(g, errors, sizes, noise)
    values, errors, sizes = (jnp.moveaxis(x[orders.derivatives()], -1, 0) for x in (values, errors, sizes))
    return Counted(values, errors, sizes, faults(g, s, unique))


def undriven(
    system: System, targets: tuple[Target, ...], what: str, solve: Callable[..., tuple[Array, ...]]
) -> Counted:
    """Values, errors and sizes (points last) by `solve(g, s, amounts of edges)`, of a batch that nothing drives."""
    if len(system.drives):
        drives = ", ".join(system.drives)
        raise InputError(f"counting: {what} are those of networks without drives; this one has {drives}.")
    arrays, static = eqx.partition(system, eqx.is_array)
    g, unique = system.graph(), len(system.components()) == 1

    def one(part: Any) -> Counted:
        s = jax.vmap(lambda point: eqx.combine(point, static).snapshot(jnp.zeros(())), out_axes=-1)(part)
        values, errors, sizes = (jnp.moveaxis(x, -1, 0) for x in solve(g, s, edges(amounts(system, s, targets))))
        return Counted(values, errors, sizes, faults(g, s, unique))

    return in_blocks(g, arrays, one)
