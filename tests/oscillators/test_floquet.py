"""Driven springs: the periodic state against an integration in time, and what must be refused."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_discrete_lyapunov

import coldspot as cs
from coldspot.machines import ParametricPump
from tests.tolerance import assert_close


def test_published_numbers():
    s = cs.steady_state(ParametricPump(left=cs.HeatBath(1.0)))
    assert np.array_equal(np.round(s.heat.array, 8), [0.00450082, -0.00612605])
    assert abs(float(cs.steady_state(ParametricPump()).cop) - 0.497) < 5e-4
    assert cs.steady_state(ParametricPump(left=cs.HeatBath(0.9))).regime != "refrigerator"


def by_time(p):
    """Heat of each bath and work of each spring: the moments' own equations by DOP853, where they repeat."""
    omega, g = float(p.frequency), float(p.friction)
    t = np.array([float(p.left.temperature), float(p.right.temperature)])
    means = np.array([float(p.spring), float(p.spring), float(p.coupling)])
    sizes = np.array([float(p.spring_amplitude), float(p.spring_amplitude), float(p.coupling_amplitude)])
    turns = np.array([0.0, float(p.phase), float(p.coupling_phase)])
    shapes = np.array([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]], [[1.0, -1.0], [-1.0, 1.0]]])

    def slope(time, z):
        x, turned = z[:16].reshape(4, 4), z[16:32].reshape(4, 4)
        k = np.einsum("d,dij->ij", means + sizes * np.cos(omega * time + turns), shapes)
        a = np.block([[np.zeros((2, 2)), np.eye(2)], [-k, -g * np.eye(2)]])
        moved = a @ x + x @ a.T + np.diag([0, 0, 2 * g * t[0], 2 * g * t[1]])
        speed = -omega * sizes * np.sin(omega * time + turns)
        works = 0.5 * speed * np.einsum("dij,ij->d", shapes, x[:2, :2])
        return np.concatenate([moved.ravel(), (a @ turned).ravel(), g * (t - np.diag(x)[2:]), works])

    period = 2 * math.pi / omega

    def after_a_period(x):
        start = np.concatenate([x.ravel(), np.eye(4).ravel(), np.zeros(5)])
        return solve_ivp(slope, (0, period), start, method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]

    # What noise makes in a period, and how motion turns in it, tell which moments are there again after it.
    made = after_a_period(np.zeros((4, 4)))
    z = after_a_period(solve_discrete_lyapunov(made[16:32].reshape(4, 4), made[:16].reshape(4, 4)))
    return z[32:34] / period, z[34:] / period


def test_against_integration_in_time():
    for change in ({}, {"frequency": 1.9, "friction": 0.6, "left": cs.HeatBath(1.7)}):
        p = ParametricPump(**change)
        s = cs.steady_state(p)
        heats, works = by_time(p)
        assert_close(s.heat.array, heats, 1e-8)
        assert_close(s.work.array, works, 1e-8, np.abs(heats).max())


def breathing(phase_of=lambda phase: phase, frequency=0.8, **keywords):
    """One overdamped coordinate in a trap that breathes."""
    return cs.OscillatorNetwork(
        [0.0], lambda phase: jnp.reshape(2.0 + jnp.cos(phase_of(phase)), (1, 1)), [0.7],
        {"bath": cs.HeatBath(1.5)}, {"bath": 0}, frequency=frequency, **keywords,
    )  # fmt: skip


def test_overdamped_trap():
    """γ d⟨x²⟩/dt = 2T − 2k⟨x²⟩ in closed form: an integral over the past, on Gauss–Legendre panels."""
    omega, gamma, t = 0.8, 0.7, 1.5
    nodes, weights = np.polynomial.legendre.leggauss(24)

    def panels(start, end, count):
        edges = np.linspace(start, end, count + 1)
        half = np.diff(edges)[:, None] / 2
        return (edges[:-1, None] + half + half * nodes).ravel(), (half * weights).ravel()

    grown = lambda time: 2 * time + np.sin(omega * time) / omega  # noqa: E731  (∫k dt)
    times, share = panels(0, 2 * math.pi / omega, 4)
    past, step = panels(0, 14.0, 40)
    weight = np.exp(-2 * (grown(times[:, None]) - grown(times[:, None] - past)) / gamma)
    square = 2 * t / gamma * weight @ step
    work = np.sum(share * 0.5 * -omega * np.sin(omega * times) * square) * omega / (2 * math.pi)
    s = cs.steady_state(breathing())
    assert_close(s.work["drive"], work, 1e-10)
    assert_close(s.heat["bath"], -work, 1e-10)


def test_pulses_are_seen_wherever_they_stand():
    """A narrow pulse of the spring does the same work at any phase."""

    def pulse(centre):
        def springs(phase):
            return jnp.reshape(1.0 + 3.0 * jnp.exp(300 * (jnp.cos(phase - centre) - 1)), (1, 1))

        net = cs.OscillatorNetwork(
            [0.0], springs, [1.0], {"bath": cs.HeatBath(1.0)}, {"bath": 0}, frequency=0.6
        )  # fmt: skip
        return float(cs.steady_state(net).work["drive"])

    works = [pulse(c) for c in (0.0, 0.7, 2.345, 3.3)]
    assert works[0] > 1e-2
    assert_close(np.array(works) - works[0], np.zeros(4), 1e-8, works[0])


def test_jumps_and_resonance_are_refused():
    with pytest.raises(cs.SolveError, match="jump") as caught:
        cs.steady_state(breathing(lambda phase: jnp.where(phase % (2 * np.pi) < 3.0, 0.0, 2.0)))
    assert caught.value.status == cs.Status.INVALID
    with pytest.raises(cs.SolveError, match="parametric resonance") as caught:
        cs.steady_state(ParametricPump(friction=0.01, frequency=2.0, left=cs.HeatBath(1.0)))
    assert caught.value.status == cs.Status.UNSTABLE


def test_derivatives():
    def ledger(theta):
        p = ParametricPump(
            spring=theta[0], phase=theta[1], friction=theta[2], left=cs.HeatBath(theta[3]), frequency=1.1
        )
        s = cs.steady_state(p)
        return jnp.concatenate([s.heat.array, s.work.array])

    @jax.jit
    def both(x):
        return jax.value_and_grad(lambda x: (every := ledger(x)) @ np.cos(np.arange(every.size)))(x)

    theta, step = np.array([1.0, 3.5, 0.4, 0.9]), 1e-4
    value, gradient = both(theta)
    for k in range(4):
        move = step * np.eye(4)[k]
        slope = (both(theta + move)[0] - both(theta - move)[0]) / (2 * step)
        assert_close(gradient[k], slope, 1e-7, np.abs(value))


def pumped(numbers):
    """Heats of `parametric-pump` by harmonic balance of its covariance: an analytic function of all numbers."""
    spring, coupling, mass, friction, own, between, frequency, phase, other = numbers
    cosines = [(own, 0.0), (own, phase), (between, other)]

    def pull(left, right, middle):
        rows = np.array([[left + middle, -middle], [-middle, right + middle]]) / -mass
        return np.block([[np.zeros((2, 2)), np.zeros((2, 2))], [rows, np.zeros((2, 2))]])

    still = pull(spring, spring, coupling) + np.diag([0, 0, -friction / mass, -friction / mass]) + np.eye(4, k=2)
    drifts = {0: still} | {h: pull(*(a / 2 * np.exp(1j * h * p) for a, p in cosines)) for h in (1, -1)}
    most = 16
    count = 2 * most + 1
    matrix = np.zeros((count, 16, count, 16), complex)
    for k in range(count):
        matrix[k, :, k] -= 1j * (k - most) * frequency * np.eye(16)
        for h, drift in drifts.items():
            if 0 <= k - h < count:
                matrix[k, :, k - h] += np.kron(drift, np.eye(4)) + np.kron(np.eye(4), drift)
    noise = np.zeros((count, 4, 4), complex)
    temperatures = np.array([0.95, 1.0])
    noise[most, [2, 3], [2, 3]] = -2 * friction * temperatures / mass**2
    mean = np.linalg.solve(matrix.reshape(16 * count, -1), noise.ravel()).reshape(count, 4, 4)[most]
    return friction / mass * (temperatures - mass * np.diag(mean)[2:])


def test_all_slopes_of_the_parametric_pump():
    """Against Cauchy's integral of harmonic balance around each number: no difference of two states."""
    machine, radius = cs.machines.ParametricPump(), 1e-2
    names = ["spring", "coupling", "mass", "friction", "spring_amplitude", "coupling_amplitude"]
    names += ["frequency", "phase", "coupling_phase"]
    point = np.array([float(getattr(machine, name)) for name in names])

    def heats(numbers):
        return cs.steady_state(cs.machines.ParametricPump(**dict(zip(names, numbers, strict=True)))).heat.array

    slopes = np.asarray(jax.jacfwd(heats)(jnp.asarray(point)))
    # Sixteen places around each number, of which those below the real axis have the conjugate heats.
    turns, weights = np.exp(2j * np.pi * np.arange(9) / 16), np.array([1, *[2] * 7, 1]) / 16
    assert_close(heats(point), pumped(point).real, 1e-10)
    for k in range(len(names)):
        around = [pumped(point + radius * turn * np.eye(len(names))[k]) * np.conj(turn) for turn in turns]
        assert_close(slopes[:, k], weights @ np.real(around) / radius, 1e-10)
