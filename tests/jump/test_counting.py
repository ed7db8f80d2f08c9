"""Cumulants of jump networks against closed forms, multiple precision and the tilted monodromy."""

import functools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import coldspot as cs
from coldspot.jump import periodic_cumulants
from coldspot.numerics.mesh import Mesh
from coldspot.pytrees import batch_of_one
from coldspot.solution import Status
from tests.tolerance import assert_close

N = 6
PAIRS = [(i, j) for i in range(N) for j in range(i)]
LOW, HIGH = [j for _, j in PAIRS], [i for i, _ in PAIRS]


# --------------------------------------------------------------------------- second routes


def eigenvalue_series(n, edges, order):
    """Cumulants by perturbation theory for the right eigenvector, in mpmath; `edges`: (to, from, rate, amount)."""
    generator = mp.zeros(n)
    for i, j, rate, _ in edges:
        generator[i, j] += rate
        generator[j, j] -= rate
    for j in range(n):
        generator[n - 1, j] = mp.mpf(1)
    inverse = mp.inverse(generator)
    right, rates = [inverse[:, n - 1]], [mp.mpf(0)]
    for k in range(1, order + 1):
        pushed = mp.zeros(n, 1)
        for i, j, rate, amount in edges:
            pushed[i] += sum(rate * amount**m / mp.factorial(m) * right[k - m][j] for m in range(1, k + 1))
        rates.append(sum(pushed))
        rest = pushed - sum((rates[m] * right[k - m] for m in range(1, k + 1)), mp.zeros(n, 1))
        rest[n - 1] = 0
        right.append(-inverse * rest)
    return [rates[k] * mp.factorial(k) for k in range(1, order + 1)]


def dot_eigenvalue(chi, rates):
    """λ(χ) of a level with the lead's filling and emptying rates (in_l, out_l, in_r, out_r), counting at the left."""
    in_l, out_l, in_r, out_r = rates
    fill, empty = in_l + in_r, out_l + out_r
    product = (in_l * mp.exp(chi) + in_r) * (out_l * mp.exp(-chi) + out_r)
    return (-(fill + empty) + mp.sqrt((fill - empty) ** 2 + 4 * product)) / 2


def expected_of_dot(level):
    """Cumulants 1–4 of particles from left, at the dot's default baths and rates."""
    with mp.workdps(50):
        fill = [1 / (mp.exp((mp.mpf(level) - mu) / t) + 1) for t, mu in ((10, mp.mpf(2.5)), (5, mp.mpf(-2.5)))]
        rates = (2 * fill[0], 2 * (1 - fill[0]), 2 * fill[1], 2 * (1 - fill[1]))
        return np.array([float(mp.diff(lambda x: dot_eigenvalue(x, rates), 0, k)) for k in range(1, 5)])


def network(energies, first, second, temperature):
    return cs.JumpNetwork(
        energies=energies,
        baths={"a": cs.HeatBath(1.0), "b": cs.HeatBath(temperature)},
        channels=[cs.Channel(b, LOW, HIGH, cs.Glauber(r)) for b, r in (("a", first), ("b", second))],
    )


def edges_of(energies, first, second, temperature):
    """(to, from, rate, heat from a) in multiple precision."""
    found = []
    for k, (i, j) in enumerate(PAIRS):
        gap = mp.mpf(float(energies[i])) - mp.mpf(float(energies[j]))
        for rate, t, own in ((first, 1.0, True), (second, temperature, False)):
            x, r = gap / mp.mpf(float(t)), 2 * mp.mpf(float(rate[k]))
            heat = gap if own else mp.mpf(0)
            found += [(i, j, r / (1 + mp.exp(x)), heat), (j, i, r / (1 + mp.exp(-x)), -heat)]
    return found


@jax.jit
@jax.vmap
def four(energies, first, second, temperature):
    c = cs.counting(network(energies, first, second, temperature), "heat", "a").cumulants(4, throw=False)
    return c.values, c.errors, c.status


def draw(rng, span, temperature):
    """Rates over e^±span; some pairs are hardly connected."""
    rates = np.exp(rng.uniform(-span, span, (2, len(PAIRS))))
    return rng.normal(0, 1, N), rates[0], rates[1], temperature


# --------------------------------------------------------------------------- static networks


@pytest.mark.parametrize("level", [-5.0, 3.0])
def test_a_dot_has_the_cumulants_of_its_eigenvalue(level):
    c = cs.counting(cs.machines.QuantumDot(level=level), "particles", "left").cumulants(4)
    expected = expected_of_dot(level)
    np.testing.assert_allclose(c.values, expected, rtol=1e-13)
    assert np.all(np.abs(c.values - expected) <= c.errors)
    assert c.status == Status.OK
    np.testing.assert_allclose(c.fano, expected[1] / expected[0], rtol=1e-13)


@pytest.mark.parametrize(
    ("span", "temperature", "limits"),
    [
        (0.0, 2.0, (1e-14, 1e-14, 1e-13, 1e-13)),
        (20.0, 2.0, (1e-13, 1e-12, 1e-11, 1e-11)),
        # Near equilibrium odd cumulants beyond the first are differences of large terms; their errors say so.
        (2.0, 1 + 1e-9, (1e-13, 1e-13, np.inf, 1e-13)),
    ],
)
def test_random_networks_against_multiple_precision(span, temperature, limits):
    rng = np.random.default_rng(7)
    cases = [draw(rng, span, temperature) for _ in range(8)]
    values, errors, status = map(np.asarray, four(*(jnp.asarray(np.stack(x)) for x in zip(*cases, strict=True))))
    with mp.workdps(80):
        expected = [eigenvalue_series(N, edges_of(*case), 4) for case in cases]
        off = np.array(
            [[float(abs(mp.mpf(v) - e)) for v, e in zip(*x, strict=True)] for x in zip(values, expected, strict=True)]
        )
    size = np.abs(np.array(expected, float))
    assert np.all(off <= np.array(limits) * size), np.max(off / size, axis=0)
    assert np.all(off <= errors), "errors are understated"
    assert np.all(status == Status.OK)
    assert np.all(np.median(errors / size, axis=0)[[0, 1, 3]] < 1e-10), "errors are overstated"


FOUR = [("particles", "left"), ("particles", "right"), ("heat", "left"), ("entropy", "right")]


def test_the_covariance_is_that_of_combinations():
    """κ₂ of a sum of two amounts, by a network that counts the sum: both baths at one place, one after the other."""
    c = cs.counting(cs.machines.QuantumDot(), FOUR).covariance()
    values = np.asarray(c)
    np.testing.assert_allclose(values[0, 0], expected_of_dot(-5.0)[1], rtol=1e-13)
    # One level: every particle from left goes to the right in the long run, with its own heat and entropy.
    carried = np.array([1.0, -1.0, -5.0 - 2.5, -(-5.0 + 2.5) / 5.0])
    np.testing.assert_allclose(values, values[0, 0] * np.outer(carried, carried), rtol=1e-12)
    assert np.linalg.eigvalsh(values).min() >= -1e-14 * np.trace(values)


def test_parts_that_do_not_meet_are_not_unique():
    net = cs.JumpNetwork(
        energies=[0.0, 1.0, 0.0, 1.0],
        baths={"a": cs.HeatBath(1.0)},
        channels=[cs.Channel("a", [0, 2], [1, 3], cs.Glauber(1.0))],
    )
    with pytest.raises(cs.SolveError, match="NOT_UNIQUE"):
        cs.counting(net, [("heat", "a")]).covariance()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("heat", "lft"), "no bath `lft`. Did you mean `left`"),
        (("work", "left"), "no drive `left`"),
        (("heat", ""), "no bath ``"),
        (("heta", "left"), "no quantity `heta`. Did you mean `heat`"),
        (([],), "empty"),
        (([("heat", "left")], "left"), "beside a list"),
        (([("heat",)],), "a quantity and a name"),
        ((3.0,), "must be a name or a list"),
    ],
)
def test_bad_requests_are_told_what_is_valid(arguments, words):
    with pytest.raises(cs.InputError, match=words):
        cs.counting(cs.machines.QuantumDot(), *arguments)


@pytest.mark.parametrize("order", [0, -1, 2.0, True, "2"])
def test_orders_start_at_one(order):
    with pytest.raises(cs.InputError, match="integer from 1"):
        cs.counting(cs.machines.QuantumDot(), "heat", "left").cumulants(order)


def test_other_forms_say_that_they_have_none():
    with pytest.raises(cs.InputError, match="KleinKramers has no cumulants"):
        cs.counting(cs.machines.ButtikerLandauerRing(), "heat", "hot").cumulants(2)


def test_a_sweep_has_all_that_is_counted_beside_the_ledger():
    also = [
        cs.Counting([("particles", "left"), ("heat", "left")], order=3),
        cs.Counting([("heat", "left"), ("heat", "right")]),
        cs.Counting("heat", "left", what="uncertainty"),
        cs.linear_response,
    ]
    ds = cs.sweep(cs.machines.QuantumDot(), {"level": [-15.0, -5.0], "right.temperature": [5.0, -1.0]}, also=also)
    expected = expected_of_dot(-5.0)[:3]
    good = ds.sel({"level": -5.0, "right.temperature": 5.0})
    np.testing.assert_allclose([good[f"cumulant_{k}_particles_left"] for k in (1, 2, 3)], expected, rtol=1e-13)
    # Every particle carries the heat −7.5 in from left and takes the heat −2.5 out to the right.
    np.testing.assert_allclose(good.cumulant_2_heat_left, 7.5**2 * expected[1], rtol=1e-13)
    np.testing.assert_allclose(good.covariance_heat_left_heat_right, -7.5 * 2.5 * expected[1], rtol=1e-13)
    quotient = float(good.entropy_production) * expected[1] / (2 * expected[0] ** 2)
    np.testing.assert_allclose(good.uncertainty_heat_left, quotient, rtol=1e-12)
    # About its own equilibrium, T = 7.5 and μ = 0: S = −ε/T.
    np.testing.assert_allclose(good.seebeck, 5.0 / 7.5, rtol=1e-13)
    missing = ds.heat.isel(bath=0, drop=True).isnull()
    assert missing.values.tolist() == [[False, True]] * 2
    for name in (
        "cumulant_2_particles_left",
        "uncertainty_heat_left_error",
        "conductance",
        "covariance_heat_left_heat_left",
    ):
        assert ds[name].isnull().equals(missing), name
    assert ds.cumulants_particles_left_heat_left_status.values.tolist() == ds.status.values.tolist()
    assert ds.covariance_heat_left_heat_right.attrs["natural_units"] == "E**3/hbar"


@pytest.mark.parametrize(
    ("also", "words"),
    [
        (lambda: [cs.Counting("heat", "lft")], "no bath `lft`"),
        (lambda: [cs.Counting("heat", "left", what="covarance")], "no choice `covarance`. Did you mean `covariance`"),
        (
            lambda: [cs.Counting("heat", "left", order=2, what="uncertainty")],
            "what is asked for, uncertainty, has none",
        ),
        (lambda: [cs.Counting("heat", "left", order=1, what="mixed cumulants")], "begin with order 2"),
        (lambda: [cs.linear_response, cs.linear_response], "asks twice"),
        (lambda: [cs.steady_state], "a list of Counting and linear_response"),
    ],
)
def test_what_a_sweep_cannot_count_is_refused(also, words):
    with pytest.raises(cs.InputError, match=words):
        cs.sweep(cs.machines.QuantumDot(), {"level": [0.0]}, also=also())


# --------------------------------------------------------------------------- driven networks


def gated(period, amplitude=2.0, back=False):
    """A level and barriers that a gate moves; `back`: reversed in time."""
    phase = jnp.pi / 2 if back else -jnp.pi / 2
    return cs.JumpNetwork(
        energies=lambda gate: jnp.array([0.0, 1.0]) * gate["level"],
        occupations=[0, 1],
        baths={"cold": cs.ElectronBath(0.8), "hot": cs.ElectronBath(1.0)},
        channels=[
            cs.Channel("cold", 0, 1, lambda gate: cs.Tunnelling(jnp.exp(gate["barrier"]))),
            cs.Channel("hot", 0, 1, lambda gate: cs.Tunnelling(jnp.exp(-gate["barrier"]))),
        ],
        drives={"level": cs.Cosine(amplitude, mean=2.0), "barrier": cs.Cosine(1.5, phase=phase)},
        period=period,
    )


def monodromy(period, counted, radius=0.3, points=24):
    """Cumulants 1–4 of the tilted evolution: DOP853 at complex fields on a circle, and Cauchy's integral."""
    angles = 2 * np.pi * (np.arange(points) + 0.5) / points
    chi = radius * np.exp(1j * angles)

    def motion(t, y):
        theta = 2 * np.pi * t / period
        level, barrier = 2 + 2 * np.cos(theta), 1.5 * np.cos(theta - np.pi / 2)
        fill = {"cold": np.exp(barrier), "hot": np.exp(-barrier)}
        up = {b: g / (np.exp(level / temp) + 1) for (b, g), temp in zip(fill.items(), (0.8, 1.0), strict=True)}
        down = {b: fill[b] - up[b] for b in fill}
        amount = {"heat": level, "particles": 1.0, "work": 0.0}[counted]
        gain = -2 * 2 * np.pi / period * np.sin(theta) if counted == "work" else 0.0
        m = y.reshape(points, 2, 2)
        tilted = np.empty((points, 2, 2), complex)
        tilted[:, 0, 0], tilted[:, 1, 1] = -sum(up.values()), -sum(down.values()) + chi * gain
        tilted[:, 1, 0] = up["cold"] * np.exp(chi * amount) + up["hot"]
        tilted[:, 0, 1] = down["cold"] * np.exp(-chi * amount) + down["hot"]
        return (tilted @ m).ravel()

    start = np.broadcast_to(np.eye(2, dtype=complex), (points, 2, 2)).ravel()
    end = solve_ivp(motion, (0, period), start, method="DOP853", rtol=1e-13, atol=1e-15).y[:, -1]
    eigenvalues = np.linalg.eigvals(end.reshape(points, 2, 2))
    largest = np.take_along_axis(eigenvalues, np.argmax(abs(eigenvalues), axis=1)[:, None], 1)[:, 0]
    found = np.log(largest) / period
    return [(mp.factorial(k) * np.mean(found / chi**k)).real for k in range(1, 5)]


def test_periodic_cumulants_against_the_tilted_monodromy():
    period, names = 8.0, [("heat", "cold"), ("particles", "cold"), ("work", "level")]
    c = cs.counting(gated(period), names).cumulants(4)
    expected = np.array([monodromy(period, quantity) for quantity, _ in names], float)
    off = np.abs(c.values - expected)
    assert np.all(off <= 1e-8 * np.abs(expected))
    # The integral around the circle knows cumulants to rounding over the radius to their order.
    assert np.all(off <= c.errors + 1e-13 * expected[:, 1:2] * np.array([1, 10, 100, 1000]))
    assert c.status == Status.OK


def test_the_periodic_covariance_agrees_with_cumulants_and_with_the_first_law():
    names = [("heat", "cold"), ("heat", "hot"), ("work", "level")]
    values = np.asarray(cs.counting(gated(8.0), names).covariance())
    assert np.abs(values - values.T).max() == 0
    # Energy is conserved and bounded: what comes in adds up to nothing, together with anything else.
    assert_close(values.sum(axis=1), np.zeros(3), 1e-8, scale=values[0, 0])
    expected = [monodromy(8.0, quantity)[1] for quantity in ("heat", "work")]
    assert_close(values[[0, 2], [0, 2]], np.array(expected, float), 1e-8, scale=np.array(expected, float))


def two_strokes(chi, counted, period=3.0, share=0.4):
    """λ(χ) of a level that is high beside the hot bath, then low beside the cold one, by two exponentials."""
    whole = mp.eye(2)
    for level, t, span, bath in ((3, 2, share, "hot"), (1, mp.mpf(1) / 2, 1 - share, "cold")):
        x, heat = mp.mpf(level) / t, level if counted == bath else 0
        up, down = 2 / (1 + mp.exp(x)), 2 / (1 + mp.exp(-x))
        tilted = mp.matrix([[-up, down * mp.exp(-chi * heat)], [up * mp.exp(chi * heat), -down]])
        jump = (-2 if level == 3 else 2) if counted == "work" else 0
        whole = mp.matrix([[1, 0], [0, mp.exp(chi * jump)]]) * mp.expm(tilted * mp.mpf(span) * period) * whole
    trace, det = whole[0, 0] + whole[1, 1], whole[0, 0] * whole[1, 1] - whole[0, 1] * whole[1, 0]
    return mp.log((trace + mp.sqrt(trace**2 - 4 * det)) / 2) / period


def strokes():
    return cs.JumpNetwork(
        energies=lambda drives: jnp.array([0.0, 1.0]) * drives["level"],
        baths={"hot": cs.HeatBath(2.0), "cold": cs.HeatBath(0.5)},
        channels=[
            cs.Channel("hot", 0, 1, lambda drives: cs.Glauber(drives["valve"])),
            cs.Channel("cold", 0, 1, lambda drives: cs.Glauber(1 - drives["valve"])),
        ],
        drives={"level": cs.Steps([3.0, 1.0], [0.4, 0.6]), "valve": cs.Steps([1.0, 0.0], [0.4, 0.6])},
        period=3.0,
    )


def test_strokes_against_two_exponentials():
    """Levels that jump do work, valves that close let nothing through."""
    names = [("heat", "hot"), ("heat", "cold"), ("work", "level")]
    c = cs.counting(strokes(), names).cumulants(4)
    with mp.workdps(40):
        counted = ("hot", "cold", "work")
        expected = np.array(
            [[mp.diff(lambda x, w=w: two_strokes(x, w), 0, k) for k in range(1, 5)] for w in counted], float
        )
    np.testing.assert_allclose(c.values, expected, rtol=1e-11)
    assert np.all(np.abs(c.values - expected) <= c.errors + 4e-16 * np.abs(expected))


def test_results_print_their_numbers_with_names():
    counted = cs.counting(cs.machines.QuantumDot(), FOUR).covariance()
    text = repr(counted)
    assert "covariance particles left heat left" in text
    assert text.endswith("status: OK")
    assert f"{float(counted[0, 2]):.6g}" in text
    assert "<table" in counted._repr_html_()
    single = cs.counting(cs.machines.QuantumDot(), "particles", "left").cumulants(4)
    assert "cumulant 2 particles left" in repr(single)


def test_what_is_missing_is_named():
    dot = cs.machines.QuantumDot()
    with pytest.raises(cs.InputError, match="`of` is missing"):
        cs.counting(dot, "particles")
    with pytest.raises(cs.InputError, match=r"one pair stands in a list, too: \[\('heat', 'left'\)\]"):
        cs.counting(dot, ("heat", "left"))


# --------------------------------------------------------------------------- nothing to count


def test_a_search_ends_where_all_that_is_counted_is_exactly_zero():
    """Such as the work of a drive that opens a barrier: no change has no order, and 0/0 is no error."""
    network = cs.JumpNetwork(
        lambda d: jnp.array([0.0, 1.0]) * d["level"],
        {"bath": cs.HeatBath(1.0)},
        [cs.Channel("bath", 0, 1, cs.Glauber(1.0))],
        drives={"level": cs.Cosine(1.0)},
        period=1.0,
    )

    def nothing(system, more, mesh, parts, loop):
        zero = jnp.zeros((1, 2, 1))
        return periodic_cumulants.Measured(zero, zero, jnp.zeros(1), jnp.ones(1, bool))

    mesh = Mesh(jnp.linspace(0, 1, 5)[:, None], jnp.full(1, 4))
    search = functools.partial(periodic_cumulants._search, batch_of_one(network), None, nothing, mesh)
    found = jax.jit(search)(jnp.full(1, 1e-8))
    assert bool(found.done.all())
    assert not found.errors.any()
