"""Potentials that drives move, against exact oscillators, the static solver, and laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs

ENDS = cs.Open(-3.0, 3.0, left=1.0, right=0.4)
SPRING, FRICTION, MASS, TEMPERATURE, OMEGA = 2.0, 0.8, 1.5, 0.7, 1.9


def trap(x, values):
    """A trap whose place and stiffness are moved."""
    return SPRING / 2 * (1 + values["stiffness"]) * (x - values["place"]) ** 2


def moved(place=0.0, stiffness=0.0, friction=FRICTION, temperature=TEMPERATURE, frequency=OMEGA):
    return cs.KleinKramers(
        trap,
        friction=friction,
        temperature=temperature,
        mass=MASS,
        boundary=cs.Closed(),
        drives={"place": cs.Cosine(place), "stiffness": cs.Cosine(stiffness, phase=0.4)},
        frequency=frequency,
    )


def test_a_trap_that_is_carried_to_and_fro():
    """mẍ = −k(x−a cos Ωt) − mγẋ on average: W = mγ⟨ẋ²⟩, whatever the temperature."""
    s = cs.steady_state(moved(place=0.6), tolerance=1e-8)
    amplitude = SPRING * 0.6 / (SPRING - MASS * OMEGA**2 + 1j * OMEGA * MASS * FRICTION)
    work = MASS * FRICTION * (OMEGA * abs(amplitude)) ** 2 / 2
    assert float(s.work["place"]) == pytest.approx(work, rel=2e-8)
    assert float(s.heat["bath"]) == pytest.approx(-work, rel=2e-8)
    assert abs(float(s.work["stiffness"])) < 1e-8 * work
    assert abs(float(s.work["place"]) - work) <= s.error.work["place"]


def test_errors_of_what_is_driven_far_show_the_walls():
    """At resonance, three thermal velocities fast: to walls in velocity that particles at rest never come near."""
    resonance = np.sqrt(SPRING / MASS)
    far = moved(place=1.5 * np.sqrt(TEMPERATURE / SPRING), friction=0.5 * resonance, frequency=resonance)
    s = cs.steady_state(far, tolerance=1e-3)
    work = 0.5 * resonance * 9 * TEMPERATURE / 2
    assert abs(float(s.work["place"]) - work) <= s.error.work["place"] < 1e-6 * work


def test_a_trap_that_breathes():
    """The covariance of a linear network with a driven spring; friction there is a force per velocity."""
    s = cs.steady_state(moved(stiffness=0.3), tolerance=1e-6)
    same = cs.OscillatorNetwork(
        masses=[MASS],
        springs=lambda values: SPRING * (1 + values["stiffness"])[None, None],
        frictions=[MASS * FRICTION],
        baths={"bath": cs.HeatBath(TEMPERATURE)},
        sites={"bath": 0},
        drives={"stiffness": cs.Cosine(0.3, phase=0.4)},
        frequency=OMEGA,
    )
    exact = cs.steady_state(same)
    assert float(s.work["stiffness"]) == pytest.approx(float(exact.work["stiffness"]), rel=1e-6)
    assert float(s.heat["bath"]) == pytest.approx(float(exact.heat["bath"]), rel=1e-6)


def rocked(amplitude):
    return cs.KleinKramers(
        lambda x, values: 1 + jnp.cos(x) + values["rocking"] * jnp.sin(x + 0.5),
        friction=1.0,
        temperature=1.0,
        boundary=cs.Periodic(2 * np.pi, load=0.2, start=-np.pi),
        drives={"rocking": cs.Cosine(amplitude)},
        frequency=1.3,
    )


def test_a_ring_that_is_rocked():
    """A drive of no amplitude is none; with one, the laws hold, and a small one acts in proportion to its square."""
    still = cs.KleinKramers(
        lambda x: 1 + jnp.cos(x), friction=1.0, temperature=1.0, boundary=cs.Periodic(2 * np.pi, load=0.2, start=-np.pi)
    )
    ds = cs.sweep(rocked, {"amplitude": [0.0, 0.05, 0.1]}, tolerance=1e-5)
    assert np.all(ds.status == 0)
    alone = cs.steady_state(still, tolerance=1e-5)
    assert float(ds.heat[0, 0]) == pytest.approx(float(alone.heat["bath"]), rel=2e-5)
    work = ds.work.sel(drive="rocking").values
    assert work[0] == 0
    assert work[2] / work[1] == pytest.approx(4, rel=0.01)
    total = ds.heat.sum("bath") + ds.work.sum("drive")
    assert np.all(np.abs(total) < 1e-9 * np.abs(ds.heat).max("bath"))


def barrier(height):
    """A barrier between reservoirs, flat at both ends."""
    return cs.KleinKramers(lambda x: height * (1 - (x / 3) ** 2) ** 2, 2.0, 1.0, boundary=ENDS)


def valve(height, frequency):
    return cs.KleinKramers(
        lambda x, values: values["height"] * (1 - (x / 3) ** 2) ** 2,
        friction=2.0,
        temperature=1.0,
        boundary=ENDS,
        drives={"height": height},
        frequency=frequency,
    )


def test_a_barrier_between_reservoirs_that_rises_and_falls():
    """Slow, the flux is the mean of those at rest; fast, that of the mean barrier, whatever the drive's shape."""
    still = cs.sweep(barrier, {"height": [1.3, 1.5, 1.7]}, tolerance=1e-2).flux.values
    slow = cs.steady_state(valve(cs.Cosine(0.2, mean=1.5), 1e-3), tolerance=1e-2)
    # By the trapezoidal rule, which the fourth harmonic of the flux alone puts off.
    assert float(slow.observables["flux"]) == pytest.approx(still @ [1, 2, 1] / 4, rel=2e-5)
    fast = cs.steady_state(valve(cs.Steps([0.7, 2.3], [0.5, 0.5]), 30.0), tolerance=1e-2)
    assert float(fast.observables["flux"]) == pytest.approx(still[1], rel=1e-4)
    for s in (slow, fast):
        assert float(s.particles["left"]) == -float(s.particles["right"]) == float(s.observables["flux"])
        assert float(s.work["height"]) > 0
        assert abs(float(s.first_law_residual)) < 1e-8
    assert float(fast.work["height"]) > 100 * float(slow.work["height"])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: cs.KleinKramers(trap, 1.0, 1.0, boundary=cs.Closed(), frequency=1.0), "`drives` is missing"),
        (
            lambda: cs.KleinKramers(
                lambda x, values: values["a"] * x,
                1.0,
                1.0,
                boundary=cs.Open(-1.0, 1.0),
                drives={"a": cs.Cosine(1.0)},
                frequency=1,
            ).terrain(),
            "must leave the potential at rest at open ends",
        ),
        (
            # Between two samples, and of no mean.
            lambda: cs.KleinKramers(
                lambda x, v: jnp.cos(x) + v["a"] * jnp.exp((jnp.cos(x - 50.5 * np.pi / 48) - 1) / 4e-4**2),
                1.0,
                1.0,
                boundary=cs.Periodic(2 * np.pi),
                drives={"a": cs.Cosine(1.0)},
                frequency=1.0,
            ).terrain(),
            r"not smooth near x = 3\.3",
        ),
        (
            lambda: cs.trajectories(valve(cs.Cosine(1.0), 1.0), jax.random.key(1), n=256, time=1.0),
            "with Open ends particles follow each other, in a potential at rest",
        ),
        (
            lambda: cs.KleinKramers(cs.Steps([0.0, 1.0], [0.5, 0.5]), 1.0, 1.0, boundary=cs.Periodic(1.0)),
            "must be a function of the position x, but is Steps.* must be rounded off",
        ),
        (lambda: moved(0.1).overdamped(), "potentials at rest"),
        (lambda: moved(0.1).relaxation_rates(), "potentials at rest"),
        (lambda: moved(0.1).state(), "potentials at rest"),
        (lambda: cs.escape_rate(moved(0.1)), "potentials at rest"),
    ],
)
def test_bad_input(build, words):
    with pytest.raises(cs.InputError, match=words):
        build()


def test_derivatives_of_rates_are_refused_in_words():
    def rate(height):
        problem = cs.KleinKramers(lambda x: height * (x * x - 1) ** 2, 1.0, 1.0, boundary=cs.Closed())
        return cs.escape_rate(problem).rate

    with pytest.raises(cs.InputError, match="no derivatives"):
        jax.grad(rate)(5.0)
