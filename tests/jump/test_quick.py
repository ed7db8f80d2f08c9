"""Plain elimination: populations and heats against multi-precision within the reported errors, and when it decides."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import coldspot as cs
from coldspot.dynamics import _solve_one, solve_points
from coldspot.jump.gth import MANY, populate
from coldspot.jump.kinetics import Step
from tests import routes

EPS = 2.0**-52
TOLERANCE = jnp.asarray(1e-8)
MOVES = [(0, 1), (1, 2), (0, 2)]


@pytest.mark.parametrize(("states", "points"), [(2, 2), (8, 2), (13, 2), (10, MANY)])
def test_populations_and_values_entry_by_entry(states, points):
    """Rates over eight decades, by halves and without, as many points have them; values against their equations."""
    rng = np.random.default_rng(states)
    log_rates, gains = rng.normal(0, 4, (states, states, points)), rng.normal(0, 1, (2, states, points))
    off = ~np.eye(states, dtype=bool)[..., None]
    found, values = map(np.asarray, jax.jit(populate)(jnp.exp(log_rates) * off, jnp.asarray(gains)))
    i, j = np.array([(i, j) for i in range(states) for j in range(i)]).T
    for k in range(2):
        forward, backward = (map(mpmath.mpf, log_rates[a, b, k]) for a, b in ((i, j), (j, i)))
        log_p, _ = routes.solve_exactly(states, j, i, forward, backward, 60)
        exact = np.array([float(mpmath.exp(x)) for x in log_p])
        close = EPS * (8 * states + 4 * np.max(np.abs(log_rates[..., :2])))
        assert np.all(np.abs(found[:, k] / exact - 1) <= close)
        for b in range(2):
            assert values[b, 0, k] == 0
            mean = mpmath.fsum(mpmath.exp(x) * mpmath.mpf(g) for x, g in zip(log_p, gains[b, :, k], strict=True))
            left, sizes = [], []
            for start in range(states):
                terms = [mpmath.mpf(gains[b, start, k]), -mean]
                for end in range(states):
                    if end != start:
                        rate = mpmath.exp(mpmath.mpf(log_rates[end, start, k]))
                        terms += [rate * mpmath.mpf(values[b, end, k]), -rate * mpmath.mpf(values[b, start, k])]
                left.append(exact[start] * abs(mpmath.fsum(terms)))
                sizes.append(exact[start] * sum(map(abs, terms)))
            # What is left matters as often as one is there.
            assert max(left) <= close * sum(sizes)


def test_bosonic_rates_keep_their_digits_in_small_units():
    """γn and γ(1+n) of an exponent in joules, say, where logarithms of 50 would take fifty rounding units."""
    x = np.concatenate([-np.geomspace(1e-12, 40, 60), np.geomspace(1e-12, 40, 60)])
    nothing, unit = np.zeros_like(x), 1.6e-22
    columns = (x, x * unit, nothing, nothing, x * unit, nothing, unit + nothing, nothing)
    step = Step(*map(jnp.asarray, columns))
    found = cs.Bosonic(0.3 * unit).rates(step)
    for k, one in enumerate(x):
        n = 1 / mpmath.expm1(mpmath.mpf(abs(one)))
        for rate, share in zip(found, (n, 1 + n) if one > 0 else (1 + n, n), strict=True):
            assert abs(float(mpmath.mpf(float(rate[k])) / (mpmath.mpf(0.3 * unit) * share) - 1)) <= 8 * EPS


def test_heats_and_particles_of_random_networks_are_within_their_errors():
    """Nine states of three dots and a trap, two leads and phonons; rates over nine decades, some of them fast loops."""
    rng, points, states = np.random.default_rng(0), 150, 9
    moves = [(0, i, i | 1 << d) for i in range(8) for d in range(3) if not i >> d & 1]
    moves = np.array([*moves, *((1, i, f) for _, i, f in moves), (2, 1, 2), (2, 3, 5), (2, 7, 8)])
    number = np.array([*(i.bit_count() for i in range(8)), 3.0])
    columns = {
        "energies": rng.normal(0, 3, (points, states)),
        "gammas": 10 ** rng.uniform(-6, 3, (points, len(moves))),
        "temperatures": rng.uniform(0.3, 3, (points, 3)),
        "bias": rng.uniform(-2, 2, points),
    }

    def build(shared, p):
        def own(b):
            k = np.flatnonzero(moves[:, 0] == b)
            law = cs.Glauber if b == 2 else cs.Tunnelling
            return cs.Channel(f"{b}", moves[k, 1], moves[k, 2], law(p["gammas"][k]))

        t = p["temperatures"]
        baths = {"0": cs.ElectronBath(t[0], p["bias"]), "1": cs.ElectronBath(t[1], 0.0), "2": cs.HeatBath(t[2])}
        return cs.JumpNetwork(
            energies=p["energies"], occupations=number, baths=baths, channels=[own(b) for b in range(3)]
        )

    s, undecided = solve_points.attempts[0](build, None, jax.tree.map(jnp.asarray, columns), TOLERANCE)
    assert np.mean(np.asarray(undecided)) <= 0.1
    for k in range(points):
        e, t, mu = columns["energies"][k], columns["temperatures"][k], (columns["bias"][k], 0.0, 0.0)
        with mpmath.workdps(50):
            rates, matrix = [], mpmath.zeros(states)
            for (b, i, f), gamma in zip(moves.tolist(), columns["gammas"][k], strict=True):
                heat = mpmath.mpf(e[f]) - mpmath.mpf(e[i]) - mpmath.mpf(mu[b]) * (number[f] - number[i])
                scale = (2 if b == 2 else 1) * mpmath.mpf(gamma)
                up, down = (scale / (1 + mpmath.exp(sign * heat / mpmath.mpf(t[b]))) for sign in (1, -1))
                rates.append((b, i, f, up, down, heat))
                for start, end, rate in ((i, f, up), (f, i, down)):
                    matrix[end, start] += rate
                    matrix[start, start] -= rate
            for j in range(states):
                matrix[states - 1, j] = 1
            p = mpmath.lu_solve(matrix, mpmath.matrix([0] * (states - 1) + [1]))
            heats, particles = mpmath.zeros(3, 1), mpmath.zeros(3, 1)
            for b, i, f, up, down, heat in rates:
                current = up * p[i] - down * p[f]
                heats[b] += heat * current
                particles[b] += (number[f] - number[i]) * current
            for exact, entry, error in (
                (heats, s.ledger.heats, s.error.heats),
                (particles, s.ledger.particle_numbers, s.error.particle_numbers),
            ):
                for b in range(3):
                    assert abs(mpmath.mpf(float(entry[k, b])) - exact[b]) <= float(error[k, b]), (k, b)


def network(bias, scale=1.0):
    return cs.JumpNetwork(
        energies=scale * np.array([0.0, 1.0, 2.5]),
        baths={"hot": cs.HeatBath(1.0 + bias), "cold": cs.HeatBath(1.0)},
        channels=[
            cs.Channel(bath, *move, cs.Glauber(g)) for move in MOVES for bath, g in (("hot", 0.3), ("cold", 2.0))
        ],
    )


def exact_heats(energies, moves):
    """Heat from each bath by solving for three populations with 50 digits; `moves`: bath, i, f, temperature, rate."""
    with mpmath.workdps(50):
        matrix, rates = mpmath.zeros(3), []
        for name, i, f, temperature, rate in moves:
            gap = mpmath.mpf(energies[f]) - mpmath.mpf(energies[i])
            up, down = (2 * mpmath.mpf(rate) / (1 + mpmath.exp(sign * gap / temperature)) for sign in (1, -1))
            rates.append((name, i, f, up, down, gap))
            for start, end, each in ((i, f, up), (f, i, down)):
                matrix[end, start] += each
                matrix[start, start] -= each
        for k in range(3):
            matrix[2, k] = 1
        p = mpmath.lu_solve(matrix, mpmath.matrix([0, 0, 1]))
        return {
            own: sum((up * p[i] - down * p[f]) * gap for name, i, f, up, down, gap in rates if name == own)
            for own in {name for name, *_ in rates}
        }


def heat_of_hot(bias):
    baths = ("hot", mpmath.mpf(1.0 + bias), 0.3), ("cold", mpmath.mpf(1), 2.0)
    return exact_heats((0.0, 1.0, 2.5), [(name, i, f, *rest) for i, f in MOVES for name, *rest in baths])["hot"]


def test_heats_are_within_their_errors_and_certain_ones_alone_are_decided():
    for bias, scale, decides in (
        (0.8, 1.0, True),
        (0.3, 1.0, True),
        (1e-3, 1.0, False),
        (1e-12, 1.0, False),
        (0.8, 2e3, False),
        (0.0, 1.0, False),
    ):
        s, undecided = _solve_one.attempts[0](network(bias, scale), TOLERANCE)
        assert bool(undecided) is not decides, (bias, scale)
        if decides:
            assert int(s.status) == 0
            assert abs(float(s.heat["hot"]) - heat_of_hot(bias)) <= float(s.error.heat["hot"])
            assert float(s.error.heat["hot"]) <= 1e-11 * abs(float(s.heat["hot"]))


def test_what_large_heats_leave_of_each_other_is_decided_where_no_method_knows_it_better():
    """A bath at nearly the temperature at which it takes from one transition what it gives to another."""
    energies, temperatures = (0.0, 1.0, 2.5), {"hot": 4.0, "cold": 0.5}
    moves = [("hot", 0, 2), ("cold", 0, 1), ("probe", 1, 2), ("probe", 0, 2)]

    def heats(probe):
        own = temperatures | {"probe": probe}
        return exact_heats(energies, [(name, i, f, mpmath.mpf(own[name]), 1.0) for name, i, f in moves])

    with mpmath.workdps(50):
        still = mpmath.findroot(lambda t: heats(t)["probe"], (3, 6), solver="anderson")
        for off in (1e-5, -1e-8):
            baths = temperatures | {"probe": float(still * (1 + off))}
            channels = [cs.Channel(*move, cs.Glauber(1.0)) for move in moves]
            net = cs.JumpNetwork(energies, {name: cs.HeatBath(t) for name, t in baths.items()}, channels)
            (s, undecided), (other, _) = (way(net, TOLERANCE) for way in _solve_one.attempts)
            assert not bool(undecided)
            for name, exact in heats(baths["probe"]).items():
                assert abs(mpmath.mpf(float(s.heat[name])) - exact) <= float(s.error.heat[name]), name
            own, theirs = float(s.error.heat["probe"]), float(other.error.heat["probe"])
            assert 1e-10 * abs(float(s.heat["probe"])) < own <= theirs


def test_a_tolerance_that_it_cannot_meet_is_left_to_others():
    _, undecided = _solve_one.attempts[0](network(0.8), jnp.asarray(1e-15))
    assert bool(undecided)
