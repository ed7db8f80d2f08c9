"""Plain elimination: populations and heats against multi-precision within the reported errors, and when it decides."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import coldspot as cs
from coldspot.dynamics import _solve_one
from coldspot.jump.gth import populate
from tests import routes

EPS = 2.0**-52
TOLERANCE = jnp.asarray(1e-8)
MOVES = [(0, 1), (1, 2), (0, 2)]


@pytest.mark.parametrize("states", [2, 8, 13])
def test_populations_entry_by_entry(states):
    """Rates over eight decades, by halves and without."""
    rng = np.random.default_rng(states)
    log_rates = rng.normal(0, 4, (states, states, 2))
    found = np.asarray(jax.jit(populate)(jnp.exp(log_rates) * ~np.eye(states, dtype=bool)[..., None]))
    i, j = np.array([(i, j) for i in range(states) for j in range(i)]).T
    for k in range(2):
        forward, backward = (map(mpmath.mpf, log_rates[a, b, k]) for a, b in ((i, j), (j, i)))
        log_p, _ = routes.solve_exactly(states, j, i, forward, backward, 60)
        exact = np.array([float(mpmath.exp(x)) for x in log_p])
        assert np.all(np.abs(found[:, k] / exact - 1) <= EPS * (8 * states + 4 * np.max(np.abs(log_rates))))


def network(bias, scale=1.0):
    return cs.JumpNetwork(
        energies=scale * np.array([0.0, 1.0, 2.5]),
        baths={"hot": cs.HeatBath(1.0 + bias), "cold": cs.HeatBath(1.0)},
        channels=[
            cs.Channel(bath, *move, cs.Glauber(g)) for move in MOVES for bath, g in (("hot", 0.3), ("cold", 2.0))
        ],
    )


def heat_of_hot(bias):
    """By solving for the populations with 50 digits."""
    with mpmath.workdps(50):
        energies, matrix, rates = [mpmath.mpf(e) for e in (0.0, 1.0, 2.5)], mpmath.zeros(3), []
        for i, f in MOVES:
            for temperature, g in ((mpmath.mpf(1.0 + bias), 0.3), (mpmath.mpf(1), 2.0)):
                x = (energies[f] - energies[i]) / temperature
                up, down = 2 * mpmath.mpf(g) / (1 + mpmath.exp(x)), 2 * mpmath.mpf(g) / (1 + mpmath.exp(-x))
                rates.append((i, f, up, down, temperature != 1))
                for a, b, rate in ((i, f, up), (f, i, down)):
                    matrix[b, a] += rate
                    matrix[a, a] -= rate
        for k in range(3):
            matrix[2, k] = 1
        p = mpmath.lu_solve(matrix, mpmath.matrix([0, 0, 1]))
        return sum((up * p[i] - down * p[f]) * (energies[f] - energies[i]) for i, f, up, down, hot in rates if hot)


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


def test_a_tolerance_that_it_cannot_meet_is_left_to_others():
    _, undecided = _solve_one.attempts[0](network(0.8), jnp.asarray(1e-15))
    assert bool(undecided)
