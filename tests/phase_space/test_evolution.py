"""Densities that change in time, against Gaussians in a trap, a steady state, and the slowest rate."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import coldspot as cs

SPRING, FRICTION, MASS, TEMPERATURE = 2.0, 0.9, 1.3, 0.7


def gaussian(mean, spread):
    def density(x, v):
        x, v = (x - mean[0]) / spread[0], (v - mean[1]) / spread[1]
        return np.exp(-(x * x + v * v) / 2) / (2 * math.pi * spread[0] * spread[1])

    return density


def test_a_gaussian_in_a_trap():
    """Its mean and covariance obey linear equations, and it stays a Gaussian."""
    trap = cs.KleinKramers(
        lambda x: SPRING / 2 * x * x, friction=FRICTION, temperature=TEMPERATURE, mass=MASS, boundary=cs.Closed()
    )
    start, spread = np.array([0.5, -0.2]), np.array([0.45, 0.6])
    times = np.array([0.0, 0.4, 2.5])
    found = cs.evolve(trap, gaussian(start, spread), times, tolerance=1e-6)
    assert found.status == cs.Status.OK
    drift = np.array([[0.0, 1.0], [-SPRING / MASS, -FRICTION]])
    final = np.diag([TEMPERATURE / SPRING, TEMPERATURE / MASS])
    x = np.linspace(-1.5, 1.5, 13)
    for k, time in enumerate(times):
        turned = expm(drift * time)
        mean = turned @ start
        covariance = final + turned @ (np.diag(spread**2) - final) @ turned.T
        squares = covariance + np.outer(mean, mean)
        assert abs(found.particles[k] - 1) < 1e-6
        energy = SPRING / 2 * squares[0, 0] + MASS / 2 * squares[1, 1]
        assert abs(found.energy[k] - energy) < 2e-6
        assert abs(found.heat["bath"][k] - FRICTION * (TEMPERATURE - MASS * squares[1, 1])) < 2e-6
        width = covariance[0, 0]
        density = np.exp(-((x - mean[0]) ** 2) / (2 * width)) / math.sqrt(2 * math.pi * width)
        assert np.max(np.abs(found.profiles[k].density(x) - density)) < 1e-5


def test_a_ring_comes_to_its_steady_state():
    """With a load, from particles in one place."""
    ring = cs.KleinKramers(
        lambda x: 0.5 * jnp.cos(x),
        friction=1.0,
        temperature=1.0,
        boundary=cs.Periodic(2 * math.pi, load=0.7, start=-math.pi),
    )
    found = cs.evolve(ring, gaussian((0.3, 0.0), (0.5, 1.0)), [0.1, 40.0], tolerance=1e-5)
    steady = cs.steady_state(ring, tolerance=1e-6)
    assert found.particles[-1] == pytest.approx(found.particles[0], rel=1e-6)
    assert float(found.heat["bath"][-1]) == pytest.approx(float(steady.heat["bath"]), rel=1e-4)
    assert abs(found.heat["bath"][0] - steady.heat["bath"]) > 0.01


FAST, STIFF = 1.4, 1.0
"""How fast a trap softens, and by how much."""


def soft(drive):
    return cs.KleinKramers(
        lambda x, values: values["k"] / 2 * x * x,
        FRICTION,
        TEMPERATURE,
        MASS,
        cs.Closed(),
        drives={"k": drive},
        frequency=FAST,
    )


def test_a_ramp_by_three_routes():
    """A trap that softens: moments of the linear network, exact; trajectories, with Jarzynski's theorem."""
    start = np.diag([TEMPERATURE / (SPRING + STIFF), TEMPERATURE / MASS])
    density = gaussian((0.0, 0.0), np.sqrt(np.diag(start)))
    problem, end = soft(cs.Cosine(STIFF, mean=SPRING)), np.pi / FAST
    found = cs.evolve(problem, density, [0.0, 1.0, end], tolerance=1e-4)
    network = cs.OscillatorNetwork(
        [MASS],
        lambda values: values["k"][None, None],
        [MASS * FRICTION],
        {"bath": cs.HeatBath(TEMPERATURE)},
        {"bath": 0},
        drives={"k": cs.Cosine(STIFF, mean=SPRING)},
        frequency=FAST,
    )
    exact = cs.evolve(network, (np.zeros(2), start), found.times)
    assert found.error <= 1e-4
    for name, other in (("heat", "bath"), ("work", "k"), ("heat_amount", "bath"), ("work_amount", "k")):
        off = np.abs(getattr(found, name)[other] - getattr(exact, name)[other])
        assert np.max(off) < 1e-6
    assert np.max(np.abs(found.energy - exact.energy)) < 1e-6
    assert np.max(np.abs(found.first_law)) < 1e-6
    assert found.negative < 1e-6
    asked = {"n": 1024, "time": end, "time_step": end / 64, "start": (np.zeros(2), start), "progress": False}
    for machine, bath in ((problem, "bath"), (network, "bath")):
        t = cs.trajectories(machine, jax.random.key(5), **asked)
        assert t.status == cs.Status.OK
        assert t.time == end
        assert abs(t.heat[bath] * end - exact.heat_amount["bath"][-1]) < 4 * t.error.heat[bath] * end
        assert abs(t.work["k"] * end - exact.work_amount["k"][-1]) < 4 * t.error.work["k"] * end
        weights = np.exp(-np.asarray(t.works[:, 0]) / TEMPERATURE)
        wanted = np.sqrt((SPRING + STIFF) / (SPRING - STIFF))
        assert abs(weights.mean() - wanted) < 4 * weights.std() / 32
        books = t.heats.sum(1) + t.works.sum(1) - t.storages
        assert abs(float(np.mean(books))) < 2e-3


def test_a_quench():
    """A spring that jumps: its work is that of the density just then, and the first law holds."""
    quench = soft(cs.Steps([SPRING, 2 * SPRING], [0.2, 0.8]))
    border = 0.2 * 2 * np.pi / FAST
    found = cs.evolve(quench, gaussian((0.3, 0.0), (0.5, 0.7)), [0.0, border, 1.5 * border], tolerance=1e-3)
    x = np.linspace(found.profiles[1].start, found.profiles[1].stop, 4001)
    square = np.trapezoid(x * x * found.profiles[1].density(x), x)
    # What is said of the border is just before it.
    assert found.work_amount["k"].tolist()[:2] == [0.0, 0.0]
    assert found.work_amount["k"][2] == pytest.approx(SPRING / 2 * square, rel=1e-4)
    assert np.max(np.abs(found.first_law)) < 1e-3


def test_hot_and_far_starts():
    """Four times as hot, and five widths away: the weight of the bath's temperature would leave no digits."""
    trap = cs.KleinKramers(lambda x: x * x / 2, friction=1.0, temperature=1.0, boundary=cs.Closed())
    for mean, width in ((0.0, 2.0), (4.0, 1.0)):
        found = cs.evolve(trap, gaussian((mean, 0.0), (width, width)), [0.0, 0.5], tolerance=1e-4)
        turned = expm(np.array([[0.0, 1.0], [-1.0, -1.0]]) * 0.5)
        squares = np.eye(2) + turned @ (np.diag([width**2 + mean**2, width**2]) - np.eye(2)) @ turned.T
        assert abs(found.energy[1] - np.trace(squares) / 2) < 1e-4
        assert abs(found.heat_amount["bath"][1] - (found.energy[1] - found.energy[0])) < 1e-4
    for far in (gaussian((15.0, 0.0), (1.0, 1.0)), gaussian((0.0, 40.0), (1.0, 1.0))):
        with pytest.raises(cs.InputError, match="lies outside of x = "):
            cs.evolve(trap, far, [0.5])


class Sawtooth(cs.Drive):
    """A jump that `borders` does not name."""

    def __call__(self, phase):
        return 1 + jnp.mod(phase, 1.0)


class Pulse(cs.Drive):
    """A pulse at the phase 1, of a width."""

    width: float

    def __call__(self, phase):
        return jnp.exp((jnp.cos(phase - 1) - 1) / self.width**2)


def test_the_work_of_a_pulse():
    """It gives and takes much, and leaves little: against the mean motion in a trap."""
    trap = cs.KleinKramers(
        lambda x, values: (x - values["place"]) ** 2 / 2,
        friction=1.0,
        temperature=1.0,
        boundary=cs.Closed(),
        drives={"place": Pulse(0.05)},
        frequency=1.0,
    )
    found = cs.evolve(trap, gaussian((0.0, 0.0), (1.0, 1.0)), [0.0, 2.0], tolerance=1e-6)

    def moved(time, y):
        place = math.exp((math.cos(time - 1) - 1) / 0.05**2)
        speed = -math.sin(time - 1) / 0.05**2 * place
        return [y[1], place - y[0] - y[1], (place - y[0]) * speed]

    exact = solve_ivp(moved, (0.0, 2.0), [0.0, 0.0, 0.0], rtol=1e-11, atol=1e-13, max_step=0.01).y[2, -1]
    assert exact < 0.01
    assert abs(found.work_amount["place"][-1] - exact) < 1e-5


def test_what_no_mesh_reaches_is_refused_before_the_finest():
    """A ring almost without friction, whose finest mesh takes a minute."""
    ring = cs.KleinKramers(jnp.cos, friction=1e-9, temperature=1.0, boundary=cs.Periodic(2 * math.pi, load=0.1))
    s = cs.steady_state(ring, throw=False)
    assert int(s.status) == cs.Status.NOT_CONVERGED
    assert int(s.statistics["meshes"]) <= 3


def test_bad_input():
    with pytest.raises(cs.InputError, match=r"jumps at the phase [1-9]"):
        cs.evolve(soft(Sawtooth()), gaussian((0.0, 0.0), (1.0, 1.0)), [3.0])
    with pytest.raises(cs.InputError, match=r"trajectories: .* jumps at the phase [1-9].* `borders\(\)` do not name"):
        cs.trajectories(soft(Sawtooth()), jax.random.key(0), n=16, time=3.0, start=[0.0, 0.0])
    with pytest.raises(cs.InputError, match=r"`start` must be \(mean, covariance\) of position and velocity"):
        cs.trajectories(soft(cs.Cosine(1.0, mean=2.0)), jax.random.key(0), n=16, time=3.0, start=[0.0])
    trap = cs.KleinKramers(lambda x: x * x, friction=1.0, temperature=1.0, boundary=cs.Closed())
    with pytest.raises(cs.InputError, match=r"`initial` must be a function P\(x, v\)"):
        cs.evolve(trap, 0, [1.0])
    with pytest.raises(cs.InputError, match=r"`tolerance` must be at least 1e-11 for a KleinKramers.* is 1e-13"):
        cs.evolve(trap, gaussian((0.0, 0.0), (1.0, 1.0)), [1.0], tolerance=1e-13)
    with pytest.raises(cs.InputError, match="must be jumps, linear oscillators or a KleinKramers, but is Barrier"):
        cs.evolve(cs.machines.KramersBarrier(), 0, [1.0])
    with pytest.raises(cs.InputError, match="`times` must be finite"):
        cs.evolve(trap, gaussian((0.0, 0.0), (1.0, 1.0)), [1.0, 0.5])
