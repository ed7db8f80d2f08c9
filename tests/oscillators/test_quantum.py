"""Quantum baths and friction with a memory: heat by transmission, against SciPy and the classical state."""

import itertools
import math

import jax
import mpmath
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from tests.tolerance import assert_close

MASSES, SPRINGS = np.array([1.0, 2.0, 0.7]), np.asarray(cs.oscillators.chain_springs(3, 1.0, 1.0))
LEFT, RIGHT = np.zeros((3, 3)), np.zeros((3, 3))
LEFT[0, 0], RIGHT[1:, 1:] = 0.4, [[0.5, 0.1], [0.1, 0.3]]
FORCES = {"p": (1, cs.Cosine(0.5)), "q": (0, cs.Fourier([0.3, 0.2], [0.1, 0.3]))}


def network(bath, temperatures, left=0.4, **keywords):
    return cs.OscillatorNetwork(
        MASSES,
        SPRINGS,
        {"a": left, "b": RIGHT[1:, 1:]},
        {name: bath(t) for name, t in zip("ab", temperatures, strict=True)},
        {"a": 0, "b": [1, 2]},
        **keywords,
    )


def transmitted(hot, cold, quantum, cutoff=math.inf):
    """∫dω/2π 4ω² tr(Γ_a G Γ_b G†) times ω(n_a − n_b), or the difference of the temperatures."""

    def rate(w):
        friction = LEFT / (1 - 1j * w / cutoff)
        g = np.linalg.inv(SPRINGS - w**2 * np.diag(MASSES) - 1j * w * (friction + RIGHT))
        passed = 4 * w**2 * np.trace(friction.real @ g @ RIGHT @ g.conj().T).real
        held = [w / math.expm1(min(w / t, 700.0)) for t in (hot, cold)] if quantum else (hot, cold)
        carried = held[0] - held[1]
        return passed * carried / (2 * math.pi)

    end = min(40.0, 60 * max(hot, cold)) if quantum else math.inf
    edges = [edge for edge in (0.0, 1.0, 2.0, 4.0) if edge < end] + [end]
    parts = [quad(rate, a, b, epsabs=1e-17, epsrel=1e-12, limit=500)[0] for a, b in itertools.pairwise(edges)]
    return sum(parts)


def test_quanta():
    for hot, cold in ((1.0, 0.5), (0.1, 0.02)):
        s = cs.steady_state(network(cs.BosonBath, (hot, cold)))
        true = transmitted(hot, cold, quantum=True)
        assert abs(float(s.heat["a"]) - true) <= 1e-11 * true
        assert_close(s.heat["b"], -s.heat["a"], 1e-14)
    # Hot baths are classical, up to (ω/T)²/12; at one temperature nothing flows.
    hot, classical = (cs.steady_state(network(bath, (1e3, 5e2))) for bath in (cs.BosonBath, cs.HeatBath))
    assert_close(hot.heat["a"], classical.heat["a"], 1e-6)
    assert np.all(cs.steady_state(network(cs.BosonBath, (0.3, 0.3))).heat.array == 0)


def test_temperatures_far_apart():
    """A cold bath has no quanta where the warm one has all of its own: a number, with derivatives, both ways."""
    for hot, cold in ((1.0, 1e-3), (0.02, 1.0)):
        s = cs.steady_state(network(cs.BosonBath, (hot, cold)))
        true = transmitted(hot, cold, quantum=True)
        assert abs(float(s.heat["a"]) - true) <= 1e-11 * abs(true)
        assert_close(s.heat["b"], -s.heat["a"], 1e-14)
    slope = jax.grad(lambda t: cs.steady_state(network(cs.BosonBath, (0.02, t))).heat["a"])(1.0)
    ends = [cs.steady_state(network(cs.BosonBath, (0.02, 1.0 + h))).heat["a"] for h in (-1e-4, 1e-4)]
    assert_close(slope, (ends[1] - ends[0]) / 2e-4, 1e-7)


def test_memory():
    drude = cs.spectral.Drude(0.4, 1.7)
    s = cs.steady_state(network(cs.HeatBath, (1.0, 0.5), drude))
    assert_close(s.heat["a"], transmitted(1.0, 0.5, quantum=False, cutoff=1.7), 1e-10)
    # A fast memory is none.
    fast, none = (
        cs.steady_state(network(cs.HeatBath, (1.0, 0.5), left)) for left in (cs.spectral.Drude(0.4, 1e6), 0.4)
    )
    assert_close(fast.heat["a"], none.heat["a"], 1e-5)


def test_forces_do_not_know_of_quanta():
    quantum, classical = (
        cs.steady_state(network(bath, (1.0, 1.0), forces=FORCES, frequency=0.8)) for bath in (cs.BosonBath, cs.HeatBath)
    )
    assert_close(quantum.heat.array, classical.heat.array, 1e-13)
    assert_close(quantum.work.array, classical.work.array, 1e-13)


def exact_works(friction, cutoff, detuning):
    """Work of two forces per time at the frequency 1 + detuning, with 40 digits, and that frequency."""
    w = 1.0 + detuning
    with mpmath.workdps(40):
        frequency = mpmath.mpf(w)
        own = mpmath.mpf(friction) / (1 - (0 if cutoff is None else 1j * frequency / cutoff))
        other = mpmath.mpf(0.7 * friction)
        stiff = mpmath.matrix([[2 - frequency**2 - 1j * frequency * own, -1], [-1, 2 - frequency**2]])
        stiff[1, 1] -= 1j * frequency * other
        pushes = mpmath.matrix([1, mpmath.exp(-0.3j) / 2])
        moved = mpmath.lu_solve(stiff, pushes)
        works = [frequency * mpmath.im(mpmath.conj(f) * u) / 2 for f, u in zip(pushes, moved, strict=True)]
    return np.array([float(work) for work in works]), w


@pytest.mark.parametrize("cutoff", [None, 1.7])
def test_forces_at_the_frequency_of_a_mode_of_the_springs(cutoff):
    """There the equations of the modes alone have a pole, which friction takes away; errors are honest, too."""
    detunings = 0.0, 2.0**-52, 1e-13, 1e-10, 1e-8, 1e-6, 1e-3, -1e-9
    for friction in (30.0, 1.0, 1e-6):
        for detuning in detunings:
            works, w = exact_works(friction, cutoff, detuning)
            s = cs.steady_state(
                cs.OscillatorNetwork(
                    [1.0, 1.0],
                    [[2.0, -1.0], [-1.0, 2.0]],
                    {"a": friction if cutoff is None else cs.spectral.Drude(friction, cutoff), "b": 0.7 * friction},
                    {"a": cs.BosonBath(1.0), "b": cs.BosonBath(0.5)},
                    {"a": 0, "b": 1},
                    forces={"p": (0, cs.Cosine(1.0)), "q": (1, cs.Cosine(0.5, phase=0.3))},
                    frequency=w,
                )
            )
            off = abs(s.work.array - works)
            assert np.all(off <= s.error.work.array + 4e-16 * abs(works)), (friction, detuning)
            assert np.all(s.error.work.array <= (1e-12 + 4e-14 / friction) * max(abs(works))), (friction, detuning)


def test_derivatives_at_the_frequency_of_a_mode_of_the_springs():
    def work(bath, frequency):
        one = cs.OscillatorNetwork(
            [1.0, 1.0],
            [[2.0, -1.0], [-1.0, 2.0]],
            [1.0, 0.7],
            {"a": bath(1.0), "b": bath(0.5)},
            {"a": 0, "b": 1},
            forces={"p": (0, cs.Cosine(1.0))},
            frequency=frequency,
        )
        return cs.steady_state(one).work["p"]

    for order in (jax.grad, lambda f: jax.grad(jax.grad(f))):
        quantum, classical = (order(lambda w, b=bath: work(b, w))(1.0) for bath in (cs.BosonBath, cs.HeatBath))
        assert_close(quantum, classical, 1e-12)


def test_what_is_refused():
    for change, words in (
        ({"masses": [0.0, 1.0]}, "coordinates of mass 0"),
        ({"forces": {"n": np.eye(2)}}, "`forces` given as a matrix"),
        ({"springs": lambda phase: np.eye(2), "frequency": 1.0}, "driven `springs`"),
    ):
        given = {
            "masses": [1.0, 1.0],
            "springs": np.eye(2),
            "frictions": [1.0, 1.0],
            "baths": {"bath": cs.BosonBath(1.0)},
            "sites": {"bath": [0, 1]},
        }
        with pytest.raises(cs.InputError, match=f"quantum baths together with {words}"):
            cs.OscillatorNetwork(**(given | change))
    unheld = cs.OscillatorNetwork([1.0], [[-1.0]], [1.0], {"bath": cs.BosonBath(1.0)}, {"bath": 0})
    with pytest.raises(cs.SolveError, match="negative eigenvalue"):
        cs.steady_state(unheld)


@pytest.mark.parametrize(("memory", "cutoff", "friction"), [(1e-6, 2.0, 1e-5), (3e-4, 0.5, 1e-5)])
def test_narrow_modes_are_rounded_by_their_frequency_over_their_width(memory, cutoff, friction):
    """One oscillator between a bath with a memory and one without, against 30 digits."""
    frictions, baths = {"a": cs.spectral.Drude(memory, cutoff), "b": friction}, {"a": 0.7, "b": 0.3}
    net = cs.OscillatorNetwork(
        [1.0], [[1.0]], frictions, {name: cs.BosonBath(t) for name, t in baths.items()}, {"a": 0, "b": 0}
    )
    s = cs.steady_state(net)

    def carried(w):
        own = memory / (1 - 1j * w / cutoff)
        green = 1 / (1 - w**2 - 1j * w * (own + friction))
        filled = 1 / mpmath.expm1(w / mpmath.mpf(7) * 10) - 1 / mpmath.expm1(w / mpmath.mpf(3) * 10)
        return 2 * w**3 * own.real * friction * abs(green) ** 2 * filled / mpmath.pi

    with mpmath.workdps(30):
        width = memory + friction
        near = [1 + side * width * far for side in (-1, 1) for far in (1, 3, 10, 30, 100, 1000)]
        expected = mpmath.quad(carried, sorted([0, 1, *near, 2, 4, 8, 16, 32, 64]))
        assert abs(float(s.heat["a"]) - expected) < float(s.error.heat["a"])
