"""Spin chains of any length against sparse linear algebra of SciPy, closed forms, jump networks and laws."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as sla

import coldspot as cs
from coldspot.jump.ising import Chain, steady

SPINS = 7
"""Every test of a long chain has this length, so that it is compiled once."""
NUMBERS = (1.0, 0.3, 0.5, 1.5, 1.0)


def chain(coupling=1.0, field=0.3, rate=0.5, left=1.5, right=1.0, spins=SPINS):
    return cs.SpinChain(spins, coupling, field, rate, cs.HeatBath(left), cs.HeatBath(right))


def by_scipy(coupling, field, rate, left, right, spins=SPINS):
    """Populations, and the heat from the left bath as every flip of its half gives it."""
    n = 1 << spins
    state = np.arange(n)
    sigma = [1 - 2 * ((state >> k) & 1) for k in range(spins)]
    matrix, heat = sp.csc_matrix((n, n)), np.zeros(n)
    for k in range(spins):
        around = field + coupling * sum(sigma[j] for j in (k - 1, k + 1) if 0 <= j < spins)
        change = 2 * sigma[k] * around
        out = rate * (1 - np.tanh(change / (2 * (left if k < spins / 2 else right))))
        matrix += sp.csc_matrix((out, (state ^ (1 << k), state)), shape=(n, n)) - sp.diags(out)
        heat += out * change if k < spins / 2 else 0
    # The first state's population is 1, then the sum.
    p = np.concatenate([[1.0], sla.spsolve(matrix[1:, 1:].tocsc(), -matrix[1:, 0].toarray().ravel())])
    p /= p.sum()
    return p, heat @ p


@pytest.mark.parametrize("numbers", [NUMBERS, (-0.7, 0.2, 2.0, 0.4, 3.0), (1.0, 0.0, 0.5, 0.6, 0.5)])
def test_sparse_linear_algebra_agrees(numbers):
    p, heat = by_scipy(*numbers)
    s = cs.steady_state(chain(*numbers))
    np.testing.assert_allclose(s.populations, p, rtol=1e-11)
    np.testing.assert_allclose(s.heat["left"], heat, rtol=1e-11)
    assert float(s.error.heat["left"]) < 1e-12 * abs(heat)
    assert float(s.heat["right"]) == -float(s.heat["left"])


def test_the_error_is_honest_where_chains_are_slow():
    # Domain walls hardly move at these temperatures: what a residual hides is more than rounding.
    s = cs.steady_state(chain(left=0.3, right=0.1))
    exact = _exactly(1.0, 0.3, 0.5, 0.3, 0.1)
    assert abs(float(s.heat["left"]) - exact) <= float(s.error.heat["left"]) < 1e-9 * exact


def _exactly(coupling, field, rate, left, right, spins=SPINS):
    """The same heat in 40 digits: states by elimination that only adds, the rarest first."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        n = 1 << spins
        coupling, field, rate, left, right = (mpmath.mpf(x) for x in (coupling, field, rate, left, right))
        w, change = [{} for _ in range(n)], {}
        for i in range(n):
            sigma = [1 - 2 * ((i >> k) & 1) for k in range(spins)]
            for k in range(spins):
                around = field + coupling * sum(sigma[j] for j in (k - 1, k + 1) if 0 <= j < spins)
                change[i, k] = 2 * sigma[k] * around
                w[i][i ^ (1 << k)] = rate * (1 - mpmath.tanh(change[i, k] / (2 * (left if 2 * k < spins else right))))
        rest = [dict(row) for row in w]
        into = [{i for i in range(n) if j in rest[i]} for j in range(n)]
        kept = []
        for j in range(n - 1, 0, -1):
            ways = {f: x for f, x in rest[j].items() if f < j}
            total = sum(ways.values())
            entering = {i: rest[i][j] for i in into[j] if i < j}
            kept.append((j, entering, total))
            for i, x in entering.items():
                for f, y in ways.items():
                    if f != i:
                        rest[i][f] = rest[i].get(f, 0) + x * y / total
                        into[f].add(i)
        p = [mpmath.mpf(1)] + [mpmath.mpf(0)] * (n - 1)
        for j, entering, total in reversed(kept):
            p[j] = sum(p[i] * x for i, x in entering.items()) / total
        norm = sum(p)
        heat = sum(p[i] * w[i][i ^ (1 << k)] * change[i, k] for i in range(n) for k in range(spins) if 2 * k < spins)
        return float(heat / norm)


def test_two_spins_have_a_closed_form():
    # Without a field the product of both signs is a two-level system of its own: q = J r (tanh J/T_R − tanh J/T_L).
    heat = jax.jit(steady, static_argnums=(0, 1))(2, 1, Chain(*np.array([1.2, 0.0, 0.7, 2.0, 0.5]))).rates.heats[0]
    np.testing.assert_allclose(heat, 1.2 * 0.7 * (np.tanh(1.2 / 0.5) - np.tanh(1.2 / 2.0)), rtol=1e-13)


def test_equilibrium_is_exact_and_what_is_near_it_keeps_its_digits():
    s = cs.steady_state(chain(left=0.8, right=0.8))
    assert float(s.heat["left"]) == 0.0
    assert float(s.error.heat["left"]) == 0.0
    sigma = 1 - 2 * ((np.arange(1 << SPINS) >> np.arange(SPINS)[:, None]) & 1)
    gibbs = np.exp((np.sum(sigma[1:] * sigma[:-1], axis=0) + 0.3 * sigma.sum(axis=0)) / 0.8)
    np.testing.assert_allclose(s.populations, gibbs / gibbs.sum(), rtol=1e-13)
    step = 2.0**-34
    near = cs.steady_state(chain(left=0.8 + step, right=0.8))
    conductance = cs.linear_response(chain(left=0.8, right=0.8)).onsager[0, 0] / 0.8**2
    np.testing.assert_allclose(float(near.heat["left"]) / step, conductance, rtol=1e-9)


def test_derivatives_are_the_slopes_of_another_route():
    def heat(x):
        return steady(4, 2, Chain(*x)).rates.heats[0]

    x = np.array(NUMBERS)
    slope, curvature = jax.jit(lambda x: (jax.grad(heat)(x), jax.hessian(heat)(x)))(jnp.array(x))
    step = 1e-3 * np.eye(5)
    sides = [[by_scipy(*(x + a * e), spins=4)[1] for a in (-2, -1, 1, 2)] for e in step]
    expected = [(s[0] - 8 * s[1] + 8 * s[2] - s[3]) / 12e-3 for s in sides]
    np.testing.assert_allclose(slope, expected, rtol=1e-8)
    for i, j in ((0, 0), (1, 3), (3, 4), (2, 4)):
        signs = ((1, 1), (-1, 1), (1, -1), (-1, -1))
        corners = [a * b * by_scipy(*(x + a * step[i] + b * step[j]), spins=4)[1] for a, b in signs]
        np.testing.assert_allclose(curvature[i, j], sum(corners) / 4e-6, rtol=1e-3, atol=1e-6)


def test_the_verb_has_derivatives():
    slope = jax.grad(lambda t: cs.steady_state(chain(left=t)).heat["left"])(1.5)
    up, down = (by_scipy(1.0, 0.3, 0.5, 1.5 + d, 1.0)[1] for d in (1e-5, -1e-5))
    np.testing.assert_allclose(slope, (up - down) / 2e-5, rtol=1e-7)


def test_sweeps_keep_their_points():
    ds = cs.sweep(chain(), {"left.temperature": [1.0, 1.5, -1.0], "field": [0.3, np.nan]})
    np.testing.assert_array_equal(ds.status == 0, [[True, False], [True, False], [False, False]])
    assert float(ds.heat.sel(bath="left")[0, 0]) == 0.0
    np.testing.assert_allclose(ds.heat.sel(bath="left")[1, 0], by_scipy(*NUMBERS)[1], rtol=1e-11)


def test_bad_input_is_told_apart():
    hot, cold = cs.HeatBath(1.5), cs.HeatBath(1.0)
    for spins in (1, 2.0, True):
        with pytest.raises(cs.InputError, match=r"`spins` must be an integer of at least 2"):
            cs.SpinChain(spins, 1.0, 0.3, 0.5, hot, cold)
    for spins in (60, 10**9):
        with pytest.raises(cs.InputError, match=rf"2\^{spins} states and needs about .* GiB.* take fewer"):
            cs.SpinChain(spins, 1.0, 0.3, 0.5, hot, cold)
    with pytest.raises(cs.InputError, match="`rate` must be positive"):
        cs.SpinChain(8, 1.0, 0.3, 0.0, hot, cold)
    with pytest.raises(cs.InputError, match="`left` must be a HeatBath or a BosonBath"):
        cs.SpinChain(8, 1.0, 0.3, 0.5, cs.ElectronBath(1.0), cold)
    with pytest.raises(cs.InputError, match="`period` is missing"):
        cs.SpinChain(4, 1.0, cs.Cosine(0.3), 0.5, hot, cold)
    with pytest.raises(cs.InputError, match="nothing is driven"):
        cs.SpinChain(4, 1.0, 0.3, 0.5, hot, cold, period=1.0)


def refined(matrix, right):
    """Solution of a linear system of long floats: residuals in them, steps in doubles."""
    x = np.zeros_like(right)
    for _ in range(4):
        x = x + np.linalg.solve(matrix.astype(float), (right - matrix @ x).astype(float))
    return x


def by_fundamental_matrix(spins, order):
    """Cumulants of heat from left by perturbation theory with dense matrices, of the chain of `NUMBERS`.

    In the longest floats that the machine has, so that what is left of the difference is not this route's rounding.
    """
    coupling, field, rate, left, right = map(np.longdouble, NUMBERS)
    n = 1 << spins
    sigma = 1 - 2 * ((np.arange(n) >> np.arange(spins)[:, None]) & 1)
    energy = -coupling * np.sum(sigma[1:] * sigma[:-1], axis=0) - field * sigma.sum(axis=0)
    rates, amounts = np.zeros((n, n), np.longdouble), np.zeros((n, n), np.longdouble)
    for k in range(spins):
        to = np.arange(n) ^ (1 << k)
        gap, own = energy[to] - energy, 2 * k < spins
        rates[to, np.arange(n)] = rate * (1 - np.tanh(gap / (2 * (left if own else right))))
        amounts[to, np.arange(n)] = gap if own else 0.0
    bordered = rates - np.diag(rates.sum(axis=0))
    bordered[-1] = 1.0
    vectors, found = [refined(bordered, np.eye(n, dtype=np.longdouble)[-1])], [np.longdouble(0.0)]
    for k in range(1, order + 1):
        parts = [rates * amounts**m / math.factorial(m) @ vectors[k - m] for m in range(1, k + 1)]
        pushed = np.sum(parts, axis=0)
        found.append(pushed.sum())
        rest = pushed - sum(found[m] * vectors[k - m] for m in range(1, k + 1))
        rest[-1] = 0.0
        vectors.append(-refined(bordered, rest))
    return np.array([found[k] * math.factorial(k) for k in range(1, order + 1)], float)


def test_a_long_chain_has_the_cumulants_of_dense_matrices():
    """Without a matrix, and as a network of 64 states, which solves its equations with one."""
    expected = by_fundamental_matrix(6, 4)
    found = cs.counting(chain(spins=6), [("heat", "left"), ("entropy", "right")]).cumulants(4)
    np.testing.assert_allclose(found.values[0], expected, rtol=1e-12)
    np.testing.assert_allclose(found.values[1], expected / (-NUMBERS[4]) ** np.arange(1, 5), rtol=1e-12)
    assert np.all(np.abs(found.values[0] - expected) <= found.errors[0] + 2**-52 * np.abs(expected))
    assert np.all(found.errors[0] <= 1e-11 * np.abs(expected))
    other = cs.counting(chain(spins=6).network(), [("heat", "left"), ("heat", "right")]).covariance()
    np.testing.assert_allclose(other, expected[1] * np.array([[1, -1], [-1, 1]]), rtol=1e-12)


def test_counting_what_has_too_many_states_is_refused_before_it_begins():
    with pytest.raises(cs.InputError, match=r"counting: a network of 4096 states needs about .* GiB, but there are"):
        cs.counting(chain(spins=12).network(), "heat", "left").generating_function(0.1)
    with pytest.raises(cs.InputError, match=r"2\^20 states and, to order 60, needs about .* take fewer spins"):
        cs.counting(chain(spins=20), "heat", "left").cumulants(60)
    driven = cs.SpinChain(8, 1.0, cs.Cosine(0.3), 0.5, cs.HeatBath(1.5), cs.HeatBath(1.0), period=3.0)
    with pytest.raises(cs.InputError, match=r"under a drive \(field\): it is known for chains of at most 7 spins"):
        cs.counting(driven, "heat", "left").cumulants(2)


def test_counting_under_a_drive_that_stands_still_is_that_without():
    """The matrices of a whole period against the dense ones of no drive."""
    still = cs.SpinChain(5, 1.0, cs.Cosine(0.0, mean=0.3), 0.5, cs.HeatBath(1.5), cs.HeatBath(1.0), period=3.0)
    found = cs.counting(still, [("heat", "left"), ("heat", "right")]).cumulants(2)
    expected = by_fundamental_matrix(5, 2) * np.array([[1], [-1]]) ** np.array([1, 2])
    assert np.all(np.abs(found.values - expected) <= found.errors + 2**-50 * np.abs(expected))
    assert np.all(found.errors <= 1e-8 * np.abs(expected))


def test_second_derivatives_do_not_depend_on_the_way():
    """Longer chains are solved by iteration, whose results have derivatives of their own."""

    def slope(field):
        return jax.grad(lambda b: cs.steady_state(chain(spins=5, field=b)).heat["left"])(field)

    found, known = jax.jit(lambda b: jax.jvp(slope, (b,), (1.0,))[1]), jax.jit(slope)
    near, far = (float(known(0.3 + h) - known(0.3 - h)) / (2 * h) for h in (1e-3, 2e-3))
    np.testing.assert_allclose(found(0.3), (4 * near - far) / 3, rtol=1e-7)
