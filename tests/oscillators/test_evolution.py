"""Second moments from a given start against matrix exponentials and quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm, solve_continuous_lyapunov

import coldspot as cs

MASS, WARM, FRICTIONS, FREQUENCY = 2.0, (1.0, 0.5), (0.6, 0.8), 0.7
MEAN, COVARIANCE = np.array([1.0, -0.5, 0.3]), np.diag([0.1, 0.7, 0.3])


def springs(values):
    own, bond = values["trap"], values["bond"]
    return jnp.array([[3.0, -bond], [-bond, own]])


def network(trap, bond):
    return cs.OscillatorNetwork(
        masses=[MASS, 0.0],
        springs=springs,
        frictions=FRICTIONS,
        baths={"left": cs.HeatBath(WARM[0]), "right": cs.HeatBath(WARM[1])},
        sites={"left": 0, "right": 1},
        drives={"trap": trap, "bond": cs.Cosine(0.0, mean=bond)},
        frequency=FREQUENCY,
    )


def test_relaxation_of_coupled_coordinates():
    times = [0.0, 0.5, 3.0, 40.0]
    found = cs.evolve(network(cs.Cosine(0.0, mean=2.0), 1.5), (MEAN, COVARIANCE), times)
    light = np.array([1.5, -2.0]) / FRICTIONS[1]
    a = np.array([[0, 0, 1], [*light, 0], [-3 / MASS, 1.5 / MASS, -FRICTIONS[0] / MASS]])
    noise = np.diag([0, 2 * WARM[1] / FRICTIONS[1], 2 * WARM[0] * FRICTIONS[0] / MASS**2])
    rest = solve_continuous_lyapunov(a, -noise)
    assert found.status == cs.Status.OK
    assert found.error <= 1e-8
    for k, time in enumerate(times):
        f = expm(a * time)
        assert np.abs(found.means[k] - f @ MEAN).max() < 1e-8
        assert np.abs(found.covariances[k] - (f @ (COVARIANCE - rest) @ f.T + rest)).max() < 1e-8
        came = sum(found.heat_amount[b][k] for b in ("left", "right"))
        assert abs(found.energy[k] - found.energy[0] - came) < 1e-8
    # In the end heat only passes.
    assert abs(found.heat["left"][-1] + found.heat["right"][-1]) < 1e-7
    assert abs(found.heat["left"][-1] - (FRICTIONS[0] / MASS) * (WARM[0] - MASS * rest[2, 2])) < 1e-7


def test_the_work_of_a_ramp():
    """Half a period of a cosine carries k(t) from 3 to 1: σ = ⟨x²⟩ by an integrating factor, work ½∫k′σ dt."""
    end = np.pi / FREQUENCY
    found = cs.evolve(network(cs.Cosine(1.0, mean=2.0), 0.0), (0 * MEAN, COVARIANCE), [0.0, end])

    def grown(t):
        return (2 * t + np.sin(FREQUENCY * t) / FREQUENCY) / FRICTIONS[1]

    def sigma(t):
        fed = quad(lambda u: np.exp(2 * (grown(u) - grown(t))), 0, t, epsabs=1e-12)[0]
        return COVARIANCE[1, 1] * np.exp(-2 * grown(t)) + 2 * WARM[1] / FRICTIONS[1] * fed

    work = quad(lambda t: -FREQUENCY * np.sin(FREQUENCY * t) / 2 * sigma(t), 0, end, epsabs=1e-11)[0]
    assert abs(found.covariances[-1, 1, 1] - sigma(end)) < 1e-8
    assert abs(found.work_amount["trap"][-1] - work) < 1e-8
    gained = (sigma(end) - 3 * COVARIANCE[1, 1]) / 2
    assert abs(found.heat_amount["right"][-1] - (gained - work)) < 1e-8
    assert found.work_amount["bond"][-1] == 0


def test_a_spring_that_jumps():
    """A trap that softens at once, and hardens again: ½Δk⟨x²⟩ each time, of an overdamped coordinate alone."""
    first, soft, time = 3.0, 1.0, 2 * np.pi / FREQUENCY / 4
    found = cs.evolve(network(cs.Steps([first, soft], [0.25, 0.75]), 0.0), (0 * MEAN, COVARIANCE), [time, 4.5 * time])

    def grown(square, spring, time):
        return WARM[1] / spring + (square - WARM[1] / spring) * np.exp(-2 * spring * time / FRICTIONS[1])

    early = grown(COVARIANCE[1, 1], first, time)
    late = grown(early, soft, 3 * time)
    assert found.work_amount["trap"][0] == 0
    assert abs(found.work_amount["trap"][1] - (soft - first) / 2 * (early - late)) < 1e-8
    came = sum(found.heat_amount[b] for b in found.heat_amount)
    assert abs(np.diff(found.energy - came - found.work_amount["trap"])[0]) < 1e-8


def test_trajectories_that_nothing_damps():
    """x = cos t + sin t for all: no heat, and an energy off by no more than is said; a coarse step is marked."""
    free = cs.OscillatorNetwork([1.0], [[1.0]], [0.0], {"bath": cs.HeatBath(1.0)}, {"bath": 0})
    asked = {"n": 16, "time": 10.0, "start": [1.0, 1.0], "keep": 1, "progress": False}
    fine, coarse = (cs.trajectories(free, jax.random.key(0), throw=False, time_step=h, **asked) for h in (None, 0.7))
    assert fine.status == cs.Status.OK
    assert float(fine.heat["bath"]) == 0.0
    off = float(fine.solution.statistics["time_step_bias"])
    assert abs(float(fine.storages[0])) <= 2 * off < 2e-3
    assert np.abs(fine.positions[0, :, 0] - np.cos(fine.times) - np.sin(fine.times)).max() < 2e-3
    assert coarse.status == cs.Status.NOT_CONVERGED


class Unnamed(cs.Drive):
    """A jump, or a pulse, that `borders` does not name."""

    pulse: bool

    def __call__(self, phase):
        return 2.0 + jnp.where(self.pulse, jnp.exp(-(((phase - 1.0) / 1e-4) ** 2)), jnp.mod(phase, 0.9))


@pytest.mark.parametrize(("pulse", "words"), [(False, "jumps at the phase"), (True, "may hold a pulse")])
def test_what_drives_do_not_say(pulse, words):
    with pytest.raises(cs.InputError, match=words):
        cs.evolve(network(Unnamed(pulse), 0.0), (MEAN, COVARIANCE), [3.0])


@pytest.mark.parametrize(
    ("initial", "words"),
    [
        (3.0, r"\(mean, covariance\) of the 2 positions and then the 1 velocities"),
        ((MEAN, np.eye(2)), r"of shapes \(3,\) and \(3, 3\), not \(3,\) and \(2, 2\)"),
        ((MEAN, np.diag([1.0, -1.0, 1.0])), "must not be negative, but has the eigenvalue -1"),
        ((MEAN, COVARIANCE + np.eye(3)[::-1] * np.arange(3)), "must be symmetric"),
    ],
)
def test_bad_starts(initial, words):
    with pytest.raises(cs.InputError, match=words):
        cs.evolve(network(cs.Cosine(0.0, mean=2.0), 1.0), initial, [1.0])


def test_what_has_no_evolution():
    chain = cs.OscillatorNetwork.chain(2, quantum=True)
    with pytest.raises(cs.InputError, match="quantum baths has no evolution yet"):
        cs.evolve(chain, (np.zeros(4), np.eye(4)), [1.0])


def pair(masses, springs, frictions):
    baths = {"left": cs.HeatBath(WARM[0]), "right": cs.HeatBath(WARM[1])}
    return cs.OscillatorNetwork(masses, springs, frictions, baths, {"left": 0, "right": 1})


def test_covariances_do_not_feel_how_far_the_mean_is():
    """Ċ = AC + CAᵀ + W has no mean in it: of 1e7, whose square leaves no digit of C ≈ 1."""
    masses, springs, frictions = np.array([1.0, 2.0]), np.array([[3.0, -1.0], [-1.0, 2.0]]), np.array([0.1, 0.2])
    start = np.diag([0.3, 0.4, 1.0, 0.25])
    a = np.block([[np.zeros((2, 2)), np.eye(2)], [-springs / masses[:, None], -np.diag(frictions / masses)]])
    rest = solve_continuous_lyapunov(a, -np.diag([0, 0, *(2 * np.array(WARM) * frictions / masses**2)]))
    f = expm(5.0 * a)
    for far in (1.0, 1e7):
        mean = far * np.array([1.0, 0.0, 0.0, 1.0])
        found = cs.evolve(pair(masses, springs, frictions), (mean, start), [5.0])
        assert np.abs(found.covariances[0] - (f @ (start - rest) @ f.T + rest)).max() < 1e-8
        assert np.abs(found.means[0] - f @ mean).max() < 1e-8 * far
        assert found.error <= 1e-8


@pytest.mark.parametrize(("length", "time"), [(1e-6, 1.0), (1e6, 1.0), (1.0, 1e-5)])
def test_units_of_length_and_time(length, time):
    """Of the same motion: positions and velocities of any units are as exact, and take as many steps."""
    springs, start = np.array([[3.0, -1.0], [-1.0, 2.0]]), np.array([0.3, 0.4, 1.0, 0.25])
    plain = cs.evolve(pair([1.0, 2.0], springs, [0.1, 0.2]), (np.ones(4), np.diag(start)), [5.0])
    size = length / np.array([1.0, 1.0, time, time])
    mass, spring, friction = (time / length) ** 2, length**-2, time / length**2
    other = pair(np.array([1.0, 2.0]) * mass, springs * spring, np.array([0.1, 0.2]) * friction)
    found = cs.evolve(other, (size, np.diag(start * size**2)), [5.0 * time])
    assert np.abs(found.covariances[0] / np.outer(size, size) - plain.covariances[0]).max() < 1e-8
    assert np.abs(found.means[0] / size - plain.means[0]).max() < 1e-8
    for bath in ("left", "right"):
        assert abs(found.heat_amount[bath][0] - plain.heat_amount[bath][0]) < 1e-8


def test_a_spread_that_comes_back_to_nothing():
    """⟨x²⟩ = sin²t of an oscillator that nothing damps is 0 at π: errors are measured by what the energy allows."""
    free = cs.OscillatorNetwork([1.0], [[1.0]], [0.0], {"bath": cs.HeatBath(1.0)}, {"bath": 0})
    found = cs.evolve(free, ([0.0, 0.0], np.diag([0.0, 1.0])), [np.pi, 2.5 * np.pi])
    assert found.status == cs.Status.OK
    assert np.abs(found.covariances[:, 0, 0] - [0.0, 1.0]).max() < 1e-8


@pytest.mark.parametrize(
    ("friction", "spring", "time", "words"),
    [(1e-12, 1.0, 5.0, r"so fast that it takes 5\.0e\+12 steps"), (1.0, -1.0, 2000.0, "grows beyond all numbers")],
)
def test_what_steps_do_not_reach(friction, spring, time, words):
    one = cs.OscillatorNetwork([0.0], [[spring]], [friction], {"bath": cs.HeatBath(1.0)}, {"bath": 0})
    with pytest.raises(cs.SolveError, match=words):
        cs.evolve(one, ([0.0], [[1.0]]), [time])
    marked = cs.evolve(one, ([0.0], [[1.0]]), [0.0, time], throw=False)
    assert marked.status == cs.Status.NOT_CONVERGED
    assert np.isnan(marked.covariances[1, 0, 0])
