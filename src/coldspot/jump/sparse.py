"""Stationary state of a network too large for matrices, by Krylov iterations, with its ledger and its error.

With p = π(1+u) about some distribution π, the flow out of each half-edge F, and N the net flow at π, stationarity is

    K u = g,   (K u)_i = D_i u_i − Σ_j F_ji u_j,   D_i = Σ_j F_ij,   g_i = −Σ_j N_ij,

solved by Bi-CGSTAB, preconditioned from both sides by √D: with detailed balance K is symmetric, and its diagonal 1.
Then p is the new π. As N = F(1−e^{−a}) follows from the affinity a of each transition, which is known where π is an
equilibrium and changes with ln(1+u), what is left to solve for gets smaller and smaller, and net flows keep their
digits near equilibrium.

A row of the ledger is κ = ½ Σ q N over half-edges, with the amounts q. Its dual v,  Kᵀv = c − κp,  c_i = Σ_j q_ij F_ij,
tells what any mistake does to it: a wrong flow δN changes κ by ½ Σ (q_ij + v_j − v_i) δN_ij, and so does a changed
rate. So v gives the error (the dual-weighted residual, with what rounding makes of it) and the gradient, for one more
solution of a linear system for each row (see "An optimal control approach to a posteriori error estimation in finite
element methods", Becker and Rannacher, for the principle).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.dense import EPS, positive_or_one
from ..numerics.krylov import Solved, bicgstab
from .half_edges import HalfEdges, Numbers, Slot

ROUNDS = 12
"""Most times that the state found becomes the distribution about which the next one is looked for."""
STEP = 1e-6
"""By how much the residual shrinks in a round."""
LEAST = 1e-6
"""By how much a population shrinks at most in a round."""
EXACT = 1e-11
"""The residual of duals and derivatives, relative to their sources."""
DOUBTFUL = 1e-6
"""A dual whose residual is larger says nothing of the error."""
MOST = 2000
"""Products of a linear solution before it starts again from what is left, """
PASSES = 20
"""and how often it may."""


class Weights(NamedTuple):
    """The numbers of one network: half-edge arrays, and `reference` (state), ln π, not normalised.

    `log_out`: ln of the rate; `affinity`: ln of the flow out over that of the partner, at the reference, and `blur`,
    its error, if it has one; `amounts` (row, half-edge): what a row of the ledger gets when a transition is made this
    way. `affinity` and `amounts` change their sign from a half-edge to its partner; all may be `Made`.
    """

    log_out: Numbers
    affinity: Numbers
    blur: Numbers | None
    reference: Array
    amounts: Numbers


class Stationary(NamedTuple):
    """What is known of the state: ln p (state), and its `shift` from the reference, but for a constant.

    Rows with `errors`, and `rounding`, the part of these that rounding of the rates causes in any method; `duals` (row,
    state); the state's `residual`, Σ|g| over Σ D p, and that of the duals; the `entropy` production ½ Σ N a of the jump
    process, with an error; how many `products` it took.
    """

    log_p: Array
    shift: Array
    rows: Array
    errors: Array
    rounding: Array
    duals: Array
    residual: Array
    dual_residual: Array
    entropy: Array
    entropy_error: Array
    products: Array


class _Flows(NamedTuple):
    """Of each state of a distribution, the `total` of its flows out and the net inflow, `source` (state)."""

    total: Array
    source: Array


def net(s: Slot, out: Array, affinity: Array, shift: Array) -> tuple[Array, Array, Array]:
    """Net flows out of half-edges, the smaller of both flows, and affinities; `shift` (state) is ln p/reference."""
    a = affinity + (s.own(shift) - s.other(shift))
    back = s.partner(out)
    larger = jnp.where(a >= 0, out, back)
    return jnp.sign(a) * larger * -jnp.expm1(-jnp.abs(a)), jnp.minimum(out, back), a


def _out(edges: HalfEdges, log_out: Numbers, log_p: Array) -> Numbers:
    """Flows out of half-edges."""
    return edges.each(lambda s, rate: jnp.exp(rate + s.own(log_p)), log_out)


def _flows(edges: HalfEdges, w: Weights, shift: Array) -> _Flows:
    log_p = _normalised(w.reference + shift)

    # No number of a half-edge is kept: several arrays of them would be alive in a round.
    def both(s: Slot, rate: Array, affinity: Array) -> tuple[Array, Array]:
        out = jnp.exp(rate + s.own(log_p))
        return out, -net(s, out, affinity, shift)[0]

    return _Flows(*edges.summed(both, w.log_out, w.affinity))


Linear = Callable[[Array, bool, float], Solved]
"""x with K x = `right`, or Kᵀx = `right` if transposed, whose Σ is zero, to a tolerance (x up to the null vector)."""


def _linear(edges: HalfEdges, out: Numbers, total: Array) -> Linear:
    """With a matrix where that is small enough, whose factors serve many right-hand sides; by Bi-CGSTAB elsewhere."""
    merged = edges.merged(out)
    root = jnp.sqrt(positive_or_one(total))
    null = root / jnp.linalg.norm(root)

    def apply(y: Array, transposed: bool) -> Array:
        product = edges.outflow if transposed else edges.inflow
        return y - product(merged, y / root) / root + null * jnp.vdot(null, y)

    if not edges.dense:

        def iterate(right: Array, transposed: bool, tolerance: float) -> Solved:
            b = right / root
            size = jnp.linalg.norm(b)

            State = tuple[Solved, Array, Array, Array]

            def go_on(s: State) -> Array:
                known, _, before, turns = s
                return (known.residual > tolerance) & (known.residual < before / 2) & (turns < PASSES)

            # The recursion loses touch with its residual or breaks down where relaxation is slow: it starts again.
            def again(s: State) -> State:
                known, r, _, turns = s
                more = bicgstab(lambda y: apply(y, transposed), r, tolerance * size / jnp.linalg.norm(r), MOST)
                x = known.x + more.x
                rest = b - apply(x, transposed)
                left = jnp.linalg.norm(rest) / size
                better = left < known.residual
                x, rest = jnp.where(better, x, known.x), jnp.where(better, rest, r)
                left = jnp.where(better, left, known.residual)
                return Solved(x, left, known.products + more.products + 1), rest, known.residual, turns + 1

            none = jnp.asarray(0)
            start = Solved(jnp.zeros_like(b), jnp.where(size > 0, 1.0, 0.0), none)
            solved, _, _, _ = jax.lax.while_loop(go_on, again, (start, b, jnp.asarray(jnp.inf), none))
            return solved._replace(x=solved.x / root)

        return iterate
    scaled = edges.matrix(out) / root / root[:, None]
    factors = jax.scipy.linalg.lu_factor(jnp.eye(edges.states) + null * null[:, None] - scaled)

    def solve(right: Array, transposed: bool, tolerance: float) -> Solved:
        b = right / root
        y = jax.scipy.linalg.lu_solve(factors, b, trans=1 if transposed else 0)
        y = y + jax.scipy.linalg.lu_solve(factors, b - apply(y, transposed), trans=1 if transposed else 0)
        left = jnp.linalg.norm(b - apply(y, transposed)) / positive_or_one(jnp.linalg.norm(b))
        return Solved(y / root, left, jnp.asarray(3))

    return solve


class _Round(NamedTuple):
    """`shift`, ln p over the reference, up to a constant; the `flows` there; the `last` change of ln p; what is `left`

    of the residual, and was `before`.
    """

    shift: Array
    flows: _Flows
    last: Array
    left: Array
    before: Array
    turns: Array
    products: Array


def _normalised(log_p: Array) -> Array:
    return log_p - jax.scipy.special.logsumexp(log_p)


def _state(edges: HalfEdges, w: Weights) -> _Round:
    def left(f: _Flows) -> Array:
        return jnp.sum(jnp.abs(f.source)) / jnp.sum(f.total)

    def go_on(s: _Round) -> Array:
        return (s.left > 0) & (s.left < s.before / 4) & (s.turns < ROUNDS)

    def step(s: _Round) -> _Round:
        out = _out(edges, w.log_out, _normalised(w.reference + s.shift))
        solved = _linear(edges, out, s.flows.total)(s.flows.source, False, STEP)
        u = solved.x
        # What would be negative by an inexact solution is small instead: the next round sees to it.
        change = jnp.log1p(jnp.maximum(u, LEAST - 1))
        shift = s.shift + change
        flows = _flows(edges, w, shift)
        new = _Round(shift, flows, change, left(flows), s.left, s.turns + 1, s.products + solved.products)
        # A round that makes it worse is not taken.
        kept = s._replace(before=s.left, last=change, turns=new.turns, products=new.products)
        return jax.tree.map(lambda a, b: jnp.where(new.left <= s.left, b, a), kept, new)

    def begin() -> _Round:
        zero, none = jnp.zeros_like(w.reference), jnp.asarray(0)
        blank = jax.tree.map(lambda x: jnp.zeros(x.shape), jax.eval_shape(lambda: _flows(edges, w, zero)))
        return _Round(zero, blank, zero, jnp.asarray(jnp.inf), jnp.asarray(jnp.inf), none, none)

    zero = jnp.zeros_like(w.reference)
    flows = _flows(edges, w, zero)
    start = begin()._replace(flows=flows, left=left(flows))
    return jax.lax.while_loop(go_on, step, start)


def stationary(edges: HalfEdges, w: Weights) -> Stationary:
    """The stationary state of one network and its ledger, differentiable to any order in rates and amounts."""
    fixed = jax.lax.stop_gradient(w)
    s = _state(edges, fixed)
    f = s.flows
    log_p = _normalised(fixed.reference + s.shift)
    out = _out(edges, fixed.log_out, log_p)
    linear = _linear(edges, out, f.total)
    numbers = (out, fixed.log_out, fixed.affinity, *(() if fixed.blur is None else (fixed.blur,)))

    def digits(s_: Slot, out: Array, rate: Array, affinity: Array, *known: Array) -> tuple[Array, Array, Array, Array]:
        """Net flows and affinities of half-edges, and what rounding leaves uncertain of them."""
        flow, smaller, a = net(s_, out, affinity, s.shift)
        terms = jnp.abs(affinity) + jnp.abs(s_.own(s.shift)) + jnp.abs(s_.other(s.shift))
        blur = sum(known, start=2 * EPS * terms)
        return flow, EPS * jnp.abs(flow) * (16 + jnp.abs(rate + s_.own(log_p))) + smaller * blur, a, blur

    def produced(slot: Slot, *of: Array) -> tuple[Array, Array]:
        net, doubt, a, blur = digits(slot, *of)
        return net * a, doubt * jnp.abs(a) + jnp.abs(net) * blur

    entropy, unsure = (jnp.sum(x) / 2 for x in edges.summed(produced, *numbers))
    unsure = unsure + jnp.sum(jnp.abs(log_p * f.source))

    def row(amounts: Numbers) -> tuple[Array, ...]:
        gain = _gain(edges, out, log_p, amounts)
        solved = linear(gain, True, EXACT)
        v = solved.x - jnp.sum(jnp.exp(log_p) * solved.x)

        def judged(slot: Slot, *of: Array) -> tuple[Array, Array]:
            weight = of[-1] + slot.other(v) - slot.own(v)
            net, doubt, _, _ = digits(slot, *of[:-1])
            return weight * net, jnp.abs(weight) * doubt

        value, doubt = edges.summed(judged, *numbers, amounts)
        value = jnp.sum(value) / 2
        rounding = jnp.sum(doubt) / 2 + 4 * EPS * jnp.abs(value)
        missed = _missed(edges, out, f.total, gain, v)
        error = jnp.sum(jnp.abs(v * f.source)) + jnp.sum(jnp.abs(missed * s.last)) + rounding
        return value, error, rounding, v, solved.residual, solved.products

    values, errors, rounding, duals, residuals, products = jax.lax.map(row, fixed.amounts)
    values = _booked(edges, w.log_out, w.amounts, log_p, duals, values)
    return Stationary(
        log_p=attached(edges, w.log_out, log_p),
        shift=s.shift,
        rows=values,
        errors=errors,
        rounding=rounding,
        duals=duals,
        residual=s.left,
        dual_residual=jnp.max(residuals),
        entropy=entropy,
        entropy_error=unsure,
        products=s.products + jnp.sum(products),
    )


def _gain(edges: HalfEdges, out: Numbers, log_p: Array, amounts: Numbers) -> Array:
    """c − κp: what the state of the system has to do with a row of the ledger."""
    c = edges.summed(lambda s, out, q: out * q, out, amounts)
    return c - jnp.sum(c) * jnp.exp(log_p)


def _missed(edges: HalfEdges, out: Numbers, total: Array, gain: Array, v: Array) -> Array:
    """The residual of a dual."""
    return gain - (total * v - edges.outflow(edges.merged(out), v))


# --------------------------------------------------------------------------- derivatives


def solution(edges: HalfEdges, out: Numbers, right: Array, transposed: bool) -> Array:
    """As `_linear`, differentiable and transposable; Σ right = 0."""

    def total_of(out: Numbers) -> Array:
        return edges.summed(lambda s, out: out, out)

    def product(which: bool) -> Any:
        def apply(x: Array) -> Array:
            total = total_of(out)
            through = edges.outflow(out, x) if which else edges.inflow(out, x)
            return total * x - through + total * jnp.sum(total * x) / jnp.sum(total)

        return apply

    fixed = jax.lax.stop_gradient(out)
    total = total_of(fixed)
    linear = _linear(edges, fixed, total)

    def solve(which: bool) -> Any:
        def of(_: Any, b: Array) -> Array:
            # The part along D is what the added term brings back.
            mean = jnp.sum(b) / jnp.sum(total)
            return linear(b - mean * total, which, EXACT).x + mean

        return of

    return jax.lax.custom_linear_solve(product(transposed), right, solve(transposed), solve(not transposed))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def attached(edges: HalfEdges, log_out: Numbers, log_p: Array) -> Array:
    """ln p, which is known, with its derivatives."""
    return log_p


@attached.defjvp
def _attached_jvp(edges: HalfEdges, primals: Any, tangents: Any) -> tuple[Array, Array]:
    log_out, log_p = primals
    log_p = attached(edges, log_out, log_p)
    out = _out(edges, log_out, log_p)
    change = edges.summed(lambda s, d: s.partner(d) - d, out * tangents[0])
    u = solution(edges, out, change, False)
    return log_p, u - jnp.sum(jnp.exp(log_p) * u)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def attached_dual(edges: HalfEdges, out: Numbers, log_p: Array, amounts: Numbers, v: Array) -> Array:
    """A dual, which is known, with its derivatives: linear in the tangents of all that defines it."""
    return v


@attached_dual.defjvp
def _attached_dual_jvp(edges: HalfEdges, primals: Any, tangents: Any) -> tuple[Array, Array]:
    out, log_p, amounts, v = primals
    v = attached_dual(edges, out, log_p, amounts, v)

    def missed(out: Array, log_p: Array, amounts: Numbers) -> Array:
        gain = _gain(edges, out, log_p, amounts)
        return _missed(edges, out, edges.summed(lambda s, out: out, out), gain, v)

    _, source = jax.jvp(missed, (out, log_p, amounts), tangents[:3])
    p = jnp.exp(log_p)
    # Its sum is zero but for rounding.
    dv = solution(edges, out, source - jnp.sum(source) * p, True)
    return v, dv - jnp.sum(p * dv) - jnp.sum(p * tangents[1] * v)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _booked(edges: HalfEdges, log_out: Numbers, amounts: Numbers, log_p: Array, duals: Array, values: Array) -> Array:
    """The rows, which are known, with their derivatives: dκ = Σ (q_ij + v_j − v_i) F_ij d ln w_ij + Σ F_ij dq_ij."""
    return values


@_booked.defjvp
def _booked_jvp(edges: HalfEdges, primals: Any, tangents: Any) -> tuple[Array, Array]:
    log_out, amounts, log_p, duals, values = primals
    values = _booked(edges, *primals)
    d_log_out, d_amounts = tangents[:2]
    log_p = attached(edges, log_out, log_p)
    out = _out(edges, log_out, log_p)
    assert isinstance(out, Array)
    changes = []
    for q, dq, v in zip(amounts, d_amounts, duals, strict=True):
        v = attached_dual(edges, out, log_p, q, v)

        def slope(s: Slot, out: Array, q: Array, v: Array = v) -> Array:
            return (q + s.other(v) - s.own(v)) * out

        # Nothing but these two arrays is kept for a reverse pass.
        changes.append(jnp.vdot(edges.each(slope, out, q), d_log_out) + jnp.vdot(out, dq))
    return values, jnp.stack(changes)
