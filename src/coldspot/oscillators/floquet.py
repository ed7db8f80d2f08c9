"""Linear networks with periodic springs: the periodic second moments, and heat and work averaged over the period.

With ẏ = A(t)y + noise, y = (x, v, 1), and F(t′, t) the propagator, second moments X = ⟨yyᵀ⟩ obey
X(t′) = F X(t) Fᵀ + ∫_t^{t′} F(t′, τ) W F(t′, τ)ᵀ dτ. Over one element, F(t′, ·)ᵀ solves an equation that starts at t′
and runs backwards, so that Radau collocation gives it at the very nodes with which the integral is summed; all terms
are positive. Elements cover the period, the periodic state is summed by doubling the number of periods, and averages
are sums over the borders of elements: for smooth periodic functions that converges faster than any power. Where drives
jump or bend, elements end, and become shorter towards it (see `pieces`); a jump of springs does the work ½tr(ΔΦ⟨xxᵀ⟩).

The number of elements is doubled until the ledger no longer changes; the last change is the error estimate. It starts
with what the harmonics of springs and forces need, and pulses that are too narrow for that are refused.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.collocation import tableau
from ..numerics.dense import EPS, inverse, positive_or_one
from ..regimes import UNDAMPED
from ..solution import Status
from .forces import unseen
from .instant import Instant, moments
from .pieces import FEWEST, Pieces, pieces_of
from .undamped import at_rest, undamped_now

STAGES = 4
GROUP = 16
"""Elements whose equations are solved at once."""
SAMPLES = 1 << 12
"""Phases at which springs and forces are looked at."""
SMOOTH = 1e-9
"""What interpolation between elements may miss of them."""
JUMP = 1e-5
"""The part of all that the highest harmonics may have: more belongs to a jump, or to what is too narrow to be seen."""
FIRST, MOST = 1 << 9, 1 << 14
"""Elements of a piece to start with, at most, and of a period, beyond which a point is given up."""
PRECISE = 1e-10
"""Changes of the ledger, relative to its largest entry, at which more elements are not worth their time."""
GONE = 1e-16
"""What is left of motion after some periods that counts as nothing, squared."""
ABSENT = 1e-15
"""Errors below this part of the heat that goes back and forth between coordinates and baths are no error: the rounding
of temperatures and frictions alone causes them."""
UNTOUCHED = 1e-12
"""What drives may do to a mode that no friction reaches, relative to springs and forces, which counts as nothing."""
PERIODS = 40
"""The number of periods is doubled at most this often: what rounding alone lets decay, later, is not damped."""


class Course(NamedTuple):
    """What a network does in a period.

    - `instant(phase)`: its numbers; `frequency` Ω;
    - `borders`: shares of the period, rising and 0 among them, at which they jump or bend; none if they nowhere do;
    - `jumps(before, after)`: how springs change between two phases by each drive (drive, n, n).
    """

    instant: Callable[[Array], Instant]
    frequency: Array
    borders: Array
    jumps: Callable[[Array, Array], Array]


class Period(NamedTuple):
    """The average rates (rate,), gross heat, and what is left of motion: there is a steady state if that is nothing."""

    rates: Array
    gross: Array
    left: Array


class Search(NamedTuple):
    """`elements` of each piece, what came out, how much that changed with them, and how much the last time.

    `resting`: whether there are modes that no friction and no drive reaches; `missing`: what heats may lack for it.
    """

    elements: Array
    now: Period
    change: Array
    before: Array
    resting: Array
    missing: Array


def steady(points: Any, look: Callable[[Any], Course]) -> Outcome:
    """Periodic states of a batch; `look(point)` gives the course of one.

    Derivatives are those of the solution with the elements that it took.
    """
    arrays, rest = eqx.partition(points, eqx.is_inexact_array)
    leaves, structure = jax.tree.flatten(arrays)

    def found(leaves: list[Array]) -> tuple[Array, tuple[Search, Array]]:
        search, broken = _search(look(eqx.combine(jax.tree.unflatten(structure, leaves), rest)))
        return search.now.rates, (search, broken)

    def twice(leaves: list[Array]) -> tuple[Array, Any]:
        result = found(leaves)
        return result[0], result

    @jax.custom_jvp
    def run(leaves: list[Array]) -> tuple[Array, tuple[Search, Array]]:
        return found(leaves)

    @run.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        # The whole Jacobian by forward differentiation: linear in the tangents, so that it can be transposed.
        (point,), (direction,) = primals, tangents
        jacobian, (rates, others) = jax.jacfwd(twice, has_aux=True)(point)
        slope = sum(
            (jnp.tensordot(j, d, axes=d.ndim) for j, d in zip(jacobian, direction, strict=True)), jnp.zeros_like(rates)
        )
        still = jax.tree.map(
            lambda a: jnp.zeros_like(a) if a.dtype.kind == "f" else np.zeros(a.shape, jax.dtypes.float0), others
        )
        return (rates, others), (slope, still)

    rates, (search, broken) = jax.lax.map(run, leaves)
    baths, pieces = _counts(points, look)
    left = search.now.left
    stable = jnp.isfinite(left) & (left < 1e3)
    top = jnp.max(jnp.abs(rates), -1, keepdims=True)
    elements = search.elements * pieces
    rounding = (64 + elements) * EPS * search.now.gross
    errors = (search.change + search.missing + rounding)[:, None] + EPS * top
    return Outcome(
        rates=Rates(heats=rates[:, :baths], works=rates[:, baths:]),
        errors=Rates(heats=errors + 0 * rates[:, :baths], works=errors + 0 * rates[:, baths:]),
        faults={
            Status.INVALID: broken,
            Status.UNSTABLE: ~stable,
            Status.NOT_UNIQUE: stable & (left > GONE),
        },
        floor=ABSENT * search.now.gross,
        flags={UNDAMPED: search.resting},
        statistics={"elements": elements * 1.0},
    )


def _counts(points: Any, look: Callable[[Any], Course]) -> tuple[int, int]:
    """How many baths, and how many pieces of the period."""

    def one(p: Any) -> tuple[Array, Array]:
        course = look(jax.tree.map(lambda a: a[0] if eqx.is_array(a) else a, p))
        return course.instant(jnp.zeros(())).temperatures, pieces_of(course.borders).starts

    temperatures, starts = eqx.filter_eval_shape(one, points)
    return int(temperatures.shape[0]), int(starts.shape[0])


def _search(course: Course) -> tuple[Search, Array]:
    """More and more elements until the rates stay, and whether springs or forces jump where they do not say so."""
    pieces = pieces_of(course.borders)
    first, broken = _first(course.instant, pieces)
    still, missing = _at_rest(course.instant, pieces)

    def unsettled(s: Search) -> Array:
        top = jnp.max(jnp.abs(s.now.rates))
        # Once changes no longer shrink they are rounding.
        settled = (s.change <= jnp.maximum(PRECISE * top, 16 * EPS * s.now.gross)) | (
            (s.change >= s.before / 4) & (s.change <= 1e-9 * top)
        )
        return (
            ~settled
            & (2 * s.elements * pieces.number <= MOST)
            & jnp.all(jnp.isfinite(s.now.rates))
            & (s.now.left <= GONE)
        )

    def finer(s: Search) -> Search:
        now = period(course, pieces, 2 * s.elements, still)
        return Search(2 * s.elements, now, jnp.max(jnp.abs(now.rates - s.now.rates)), s.change, s.resting, missing)

    endless = jnp.asarray(jnp.inf)
    start = Search(first, period(course, pieces, first, still), endless, endless, jnp.any(still != 0), missing)
    return jax.lax.while_loop(unsettled, finer, start), broken


def _first(one: Callable[[Array], Instant], pieces: Pieces) -> tuple[Array, Array]:
    """How many elements of a piece springs and forces need to be seen, two per harmonic, and whether they jump."""

    def numbers(phase: Array) -> Array:
        now = one(phase)
        return jnp.append(now.springs, jnp.sum(now.pushes, 0))

    size = jax.lax.stop_gradient(jnp.max(pieces.waves(numbers, SAMPLES), (0, 2)))
    most = jnp.max(jnp.where(size > SMOOTH, jnp.arange(size.shape[0]), 0))
    needed = jnp.minimum(-(-2 * most // GROUP), FIRST // GROUP) * GROUP
    # The harmonics of a jump fall as one over their number, those of a kink as its square. (So written that what is
    # not a number counts.)
    broken = ~jnp.all(size[-(size.shape[0] // 4) :] <= JUMP)
    broken |= jax.lax.stop_gradient(unseen(numbers, SAMPLES))
    return jnp.maximum(needed, 2 * GROUP), broken


def _at_rest(one: Callable[[Array], Instant], pieces: Pieces) -> tuple[Array, Array]:
    """What lets modes come to rest that no friction and no drive reaches, in the drift of (x, v); 0 without any.

    And what the heats may lack for it.
    """
    first = jax.lax.stop_gradient(one(jnp.zeros(())))
    found = undamped_now(first)
    root = jnp.sqrt(first.masses.at[np.array(first.massless, int)].set(1.0) if first.massless else first.masses)
    each = max(SAMPLES // pieces.number, FEWEST)
    shares = (np.arange(each) + 0.5) / each

    def touched(piece: Array) -> Array:
        def largest(share: Array) -> Array:
            now = jax.lax.stop_gradient(one(pieces.within(piece, pieces.phase(piece, share))))
            moved = jnp.abs((now.springs - first.springs) / (root[:, None] * root) @ found.damping)
            pushed = jnp.abs(jnp.sum(now.pushes, 0) / root @ found.damping)
            force = positive_or_one(jnp.max(jnp.abs(jnp.sum(now.pushes, 0) / root)))
            stiff = jnp.max(jnp.abs(now.springs / (root[:, None] * root)))
            return jnp.maximum(jnp.max(moved) / stiff, jnp.max(pushed) / force)

        return jnp.max(jax.lax.map(largest, jnp.asarray(shares)))

    def apart() -> Array:
        most = jnp.max(jax.lax.map(touched, jnp.arange(pieces.number)))
        return most <= UNTOUCHED * jnp.max(jnp.abs(found.damping))

    alone = jax.lax.cond(found.present, apart, lambda: jnp.zeros((), bool))
    return jnp.where(alone, at_rest(first, found), 0.0), jnp.where(alone, found.loss * jnp.sum(first.temperatures), 0.0)


def period(course: Course, pieces: Pieces, elements: Array, still: Array) -> Period:
    """The periodic state with a number of elements in each piece, a multiple of `GROUP`; `still` adds to the drift."""
    one = course.instant
    shape = eqx.filter_eval_shape(lambda: moments(one(jnp.zeros(()))))
    k, rates = shape.drift.shape[0], shape.forms.shape[0]
    nodes, derivative, first, weights = tableau(STAGES)
    unit = jnp.eye(k)
    if not pieces.closed:
        jumps = pieces.jumps(course.jumps) * course.frequency / (2 * jnp.pi)
        n, drives = jumps.shape[-1], jumps.shape[1]
        # Work per time of what springs do at the start of a piece, as forms of y.
        sudden = jnp.zeros((pieces.number, rates, k, k)).at[:, rates - drives :, :n, :n].set(jumps / 2)

    def element(index: Array) -> tuple[Array, Array, Array, Array, Array]:
        """F and the noise of an element; what its start adds to averages: forms, constant rates, and gross heat."""
        piece, place = index // elements, index % elements
        begin, end = (pieces.phase(piece, (place + k) / elements) for k in (0, 1))
        step = (end - begin) / course.frequency

        def at(share: Array) -> tuple[Array, Array, Array, Array]:
            instant = one(pieces.within(piece, end - (end - begin) * share))
            m = moments(instant)
            noise = jnp.einsum("b,bij->ij", instant.temperatures, m.noise)
            return m.drift.at[: k - 1, : k - 1].add(still), noise, m.forms, m.constants @ instant.temperatures

        drifts, noises, forms, constants = jax.vmap(at)(jnp.asarray(nodes))
        # Stage i of Ψᵀ, which starts from 1 at the end: Σ_j D_ij Ψ_jᵀ − h A_iᵀ Ψ_iᵀ = −d_i.
        blocks = jnp.einsum("ij,kl->ikjl", derivative, unit)
        blocks = blocks - step * jnp.einsum("ij,ilk->ikjl", np.eye(STAGES), drifts)
        right = np.einsum("i,kl->ikl", -first, np.eye(k)).reshape(STAGES * k, k)
        psi = (inverse(blocks.reshape(STAGES * k, STAGES * k)) @ right).reshape(STAGES, k, k)
        noise = step * jnp.einsum("i,iab,iac,icd->bd", weights, psi, noises, psi)
        # The last node is the start.
        weight = pieces.weight(piece, place / elements) / elements
        form = weight * forms[-1]
        if not pieces.closed:
            form = form + jnp.where(place == 0, sudden[piece], 0.0)
        return psi[-1].T, noise, form, weight * constants[-1], weight * jnp.max(jnp.abs(constants[-1]), initial=0.0)

    def group(g: Array, state: Any) -> Any:
        parts = jax.vmap(element)(g * GROUP + jnp.arange(GROUP))

        def follow(state: Any, part: Any) -> tuple[Any, None]:
            total, noise, of_start, of_noise, gross = state
            f, w, forms, constant, own = part
            # Before the element: the forms as functions of X at phase 0.
            of_start = of_start + jnp.einsum("ka,qkl,lb->qab", total, forms, total)
            of_noise = of_noise + jnp.einsum("qkl,kl->q", forms, noise) + constant
            return (f @ total, f @ noise @ f.T + w, of_start, of_noise, gross + own), None

        return jax.lax.scan(follow, state, parts)[0]

    nothing = (unit, jnp.zeros((k, k)), jnp.zeros((rates, k, k)), jnp.zeros(rates), jnp.zeros(()))
    groups = pieces.number * elements // GROUP
    total, noise, of_start, of_noise, gross = jax.lax.fori_loop(0, groups, group, nothing)
    x, left = _periodic(total, noise)
    return Period(jnp.einsum("qab,ab->q", of_start, x) + of_noise, gross, left)


def _periodic(total: Array, noise: Array) -> tuple[Array, Array]:
    """X = F X Fᵀ + noise with the mean in its last row, and what is left of F when enough periods are summed."""
    k = total.shape[0] - 1

    def more(state: Any) -> Array:
        count, _, _, _, left = state
        return (count < PERIODS) & (left > GONE * 1e-16) & (left < 1e200)

    def twice(state: Any) -> Any:
        count, f, mean, covariance, _ = state
        mean, covariance = mean + f @ mean, covariance + f @ covariance @ f.T
        f = f @ f
        return count + 1, f, mean, covariance, jnp.sum(f**2)

    f = total[:k, :k]
    start = (jnp.zeros((), int), f, total[:k, k], noise[:k, :k], jnp.sum(f**2))
    _, _, mean, covariance, left = jax.lax.while_loop(more, twice, start)
    whole = jnp.append(mean, 1.0)
    x = jnp.zeros((k + 1, k + 1)).at[:k, :k].set((covariance + covariance.T) / 2)
    return x + jnp.outer(whole, whole), left
