"""Trajectories of networks of any kind against exact averages, equilibrium and fluctuation theorems."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.machines import BrownianGyrator
from coldspot.oscillators import floquet, journey

KEY = jax.random.key(7)


def mixed_springs(drives):
    trap = drives["trap"]
    return jnp.array([[trap + 1, -1.0, 0.0], [-1.0, 2.5, -0.5], [0.0, -0.5, 1.5]])


def mixed():
    """Masses and none, a bath matrix, two baths on one coordinate, forces, and a spring that breathes."""
    return cs.OscillatorNetwork(
        masses=[1.0, 0.0, 2.0],
        springs=mixed_springs,
        frictions={"a": [0.5], "b": [[0.4, 0.1], [0.1, 0.6]], "c": [0.7]},
        baths={"a": cs.HeatBath(1.0), "b": cs.HeatBath(2.0), "c": cs.HeatBath(0.5)},
        sites={"a": 0, "b": [0, 2], "c": 1},
        forces={
            "turn": [[0, 0.3, 0], [-0.2, 0, 0], [0, 0.1, 0]],
            "push": (1, cs.Cosine(0.5, mean=0.2)),
        },
        drives={"trap": cs.Cosine(0.5, mean=2.0)},
        frequency=1.3,
    )


def test_against_the_exact_average():
    """Heat and work of everything at once: six standard deviations at most, and the mean square not too large."""
    network = mixed()
    exact = cs.steady_state(network)
    found = cs.trajectories(network, KEY, n=1024, time=20.0, time_step=0.03, progress=False)
    assert found.status == cs.Status.OK
    z = [(found.heat[name] - exact.heat[name]) / found.error.heat[name] for name in exact.heat]
    z += [(found.work[name] - exact.work[name]) / found.error.work[name] for name in exact.work]
    assert np.max(np.abs(z)) < 4
    assert np.mean(np.square(z)) < 3
    # Amounts of each trajectory, and their means.
    assert found.heats.shape == (1024, 3)
    assert np.max(np.abs(found.works.mean(0) / found.time - found.work.array)) < 1e-12
    assert abs(found.solution.first_law_residual) < 1e-3


def test_the_order_of_light_coordinates():
    """With the mean area beside chords, steps of a fifth of the relaxation time are 3 % off, not 20 %."""
    gyrator = BrownianGyrator()
    exact = cs.steady_state(gyrator)
    found = cs.trajectories(gyrator, KEY, n=1024, time=150.0, time_step=0.053, progress=False, throw=False)
    for name in exact.heat:
        off = abs(found.heat[name] - exact.heat[name])
        assert off < 3 * found.error.heat[name] + 0.01 * abs(exact.heat["first"])


def test_too_long_a_step_is_seen():
    """The bias that is stated is that which there is, and is not OK."""
    gyrator = BrownianGyrator()
    exact = cs.steady_state(gyrator)
    found = cs.trajectories(gyrator, KEY, n=1024, time=150.0, time_step=0.25, progress=False, throw=False)
    off = abs(found.heat["first"] - exact.heat["first"]) / abs(found.heat["first"])
    assert off > 0.02
    assert found.status == cs.Status.NOT_CONVERGED
    assert float(found.solution.statistics["time_step_bias"]) > off / 4
    with pytest.raises(cs.InputError, match="stable only below"):
        cs.trajectories(gyrator, KEY, n=64, time_step=1.0)
    with pytest.raises(cs.InputError, match=r"`time_step` is 9, .* stable only below"):
        cs.trajectories(mixed(), KEY, n=64, time_step=9.0)


def quartic(x):
    return (x[0] ** 2 - 1) ** 2 + 0.3 * x[0] + 0.5 * (x[1] - x[0]) ** 2 + 0.1 * x[1] ** 4


def test_equilibrium_of_an_overdamped_potential():
    """Boltzmann's distribution, and no heat; a mass beside it changes neither."""
    x, y = np.meshgrid(np.linspace(-4, 4, 801), np.linspace(-5, 5, 801), indexing="ij")
    weight = np.exp(-quartic(np.stack([x, y])) / 0.7)
    wanted = [(weight * z * z).sum() / weight.sum() for z in (x, y)]
    network = cs.OscillatorNetwork(
        masses=[1.0, 0.0],
        springs=np.zeros((2, 2)),
        frictions=[1.0, 2.0],
        baths={"a": cs.HeatBath(0.7), "b": cs.HeatBath(0.7)},
        sites={"a": 0, "b": 1},
        potential=quartic,
    )
    found = cs.trajectories(network, KEY, n=512, time=30.0, time_step=0.03, progress=False)
    for k, value in enumerate(wanted):
        error = found.solution.observable_errors[f"x_squared {k}"]
        assert abs(found.observables[f"x_squared {k}"] - value) < 4 * error + 2e-3 * value
    assert abs(found.heat["a"]) < 4 * found.error.heat["a"]
    assert "v_squared 0" in found.observables
    assert "v_squared 1" not in found.observables


def test_fluctuation_theorem_of_a_torque():
    """P(W) = e^{W/T} P(−W) at any time: with a round trap the entropy produced is W/T, boundary terms and all."""
    turned = cs.OscillatorNetwork(
        masses=[0.0, 0.0],
        springs=np.eye(2),
        frictions=[1.0, 1.0],
        baths={"bath": cs.HeatBath(0.8)},
        sites={"bath": [0, 1]},
        forces={"torque": [[0.0, 0.6], [-0.6, 0.0]]},
    )
    found = cs.trajectories(turned, KEY, n=1024, time=1.0, time_step=1 / 64, progress=False)
    work = np.asarray(found.works[:, 0]) / 0.8
    assert np.mean(work) > 0.3

    def agrees(values, expected):
        return abs(np.mean(values) - expected) < 4 * np.std(values) / np.sqrt(values.size)

    assert agrees(np.exp(-work), 1.0)
    assert agrees(work * np.exp(-work) + work, 0.0)
    assert agrees((work < 0) - np.exp(-work) * (work > 0), 0.0)


def test_paths_and_reproducibility():
    gyrator = BrownianGyrator().dynamics()
    few, more = (
        cs.trajectories(gyrator, KEY, n=n, time=3.0, time_step=0.053, keep=2, progress=False, throw=False)
        for n in (1018, 1024)
    )
    assert np.array_equal(few.heats, more.heats[:1018])
    assert few.positions.shape == (2, few.times.size, 2)
    assert np.all(np.isnan(few.velocities))
    assert np.all(np.isfinite(few.positions))


def breathing():
    """Two coordinates on a spring that breathes, and no wall."""
    return cs.OscillatorNetwork(
        [1.0, 1.0],
        lambda drives: drives["k"] * jnp.array([[1.0, -1.0], [-1.0, 1.0]]),
        [0.5, 0.5],
        {"a": cs.HeatBath(1.0), "b": cs.HeatBath(0.5)},
        {"a": 0, "b": 1},
        drives={"k": cs.Cosine(0.5, mean=1.0)},
        frequency=1.0,
    )


def test_no_periodic_state_of_what_no_wall_holds():
    """After a period its position is the same but for rounding, which is no decay."""
    total = jnp.diag(jnp.array([1 - 2e-13, 0.5, 1.0]))
    assert floquet._periodic(total, jnp.eye(3))[1] > floquet.GONE
    assert re.search(r"nothing holds the motion along \(1, 1\)", breathing().explain(cs.Status.NOT_UNIQUE))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        # A torque beyond what friction damps: x and y feed each other.
        (
            lambda: cs.OscillatorNetwork(
                [0.0, 0.0],
                np.eye(2),
                [1.0, 1.0],
                {"b": cs.HeatBath(1.0)},
                {"b": [0, 1]},
                forces={"push": [[0.0, 1.5], [1.5, 0.0]]},
            ),
            "grows or is not damped",
        ),
        # A free particle without mass, and a parametric resonance.
        (
            lambda: cs.OscillatorNetwork([0.0], [[0.0]], [1.0], {"b": cs.HeatBath(1.0)}, {"b": 0}),
            "grows or is not damped",
        ),
        (
            lambda: cs.OscillatorNetwork(
                [1.0],
                lambda drives: drives["k"] * jnp.eye(1),
                [0.05],
                {"b": cs.HeatBath(1.0)},
                {"b": 0},
                drives={"k": cs.Cosine(0.5, mean=1.0)},
                frequency=2.0,
            ),
            "no periodic state",
        ),
        (
            lambda: cs.OscillatorNetwork(
                [0.0], [[1.0]], [1.0], {"b": cs.HeatBath(1.0)}, {"b": 0}, potential=lambda x: -0.5 * x[0] ** 2
            ),
            "nothing holds its motion",
        ),
        # Pushed with nothing to hold it; and a spring that breathes between two that no wall holds.
        (
            lambda: cs.OscillatorNetwork(
                [0.0],
                [[0.0]],
                [1.0],
                {"b": cs.HeatBath(1.0)},
                {"b": 0},
                forces={"push": (0, cs.Cosine(0.3, mean=1.0))},
                frequency=1.0,
            ),
            "spreads or drifts for ever",
        ),
        (breathing, "spreads or drifts for ever"),
    ],
)
def test_no_steady_state(network, words):
    with pytest.raises(cs.SolveError, match=words) as error:
        cs.trajectories(network(), KEY, n=16)
    assert error.value.status == cs.Status.UNSTABLE


def test_what_is_refused():
    with pytest.raises(cs.InputError, match="`bias` is measured"):
        cs.trajectories(BrownianGyrator(), KEY, n=16, bias=1e-3)
    with pytest.raises(cs.InputError, match="at least 16"):
        cs.trajectories(BrownianGyrator(), KEY, n=4)
    quantum = cs.OscillatorNetwork.chain(3, quantum=True)
    with pytest.raises(cs.InputError, match="quantum baths has none"):
        cs.trajectories(quantum, KEY, n=16)
    light = cs.OscillatorNetwork(
        [0.0], [[1.0]], [1.0], {"b": cs.HeatBath(1.0)}, {"b": 0}, potential=lambda x: x[0] ** 4
    )
    with pytest.raises(cs.InputError, match="has no `steady_state` yet"):
        cs.steady_state(light)


def test_the_transient_near_a_parametric_resonance():
    """At Ω = 2ω a spring that breathes by a feeds motion at the rate a/4, of the γ/2 at which friction damps it."""
    network = cs.OscillatorNetwork(
        [1.0],
        lambda drives: drives["k"] * jnp.eye(1),
        [0.05],
        {"b": cs.HeatBath(1.0)},
        {"b": 0},
        drives={"k": cs.Cosine(0.09, mean=1.0)},
        frequency=2.0,
    )
    looked = jax.vmap(network.instant)(2 * jnp.pi * jnp.arange(64) / 64)
    longest = journey._check_period(looked, np.full(64, 1 / 64), np.zeros((2, 2)), 2.0)
    assert longest == pytest.approx(1 / (0.05 / 2 - 0.09 / 4), rel=0.01)


class Ripple(cs.Drive):
    """Faster than any harmonic that is looked at where steps are."""

    def __call__(self, phase):
        return 10 * jnp.cos(127 * phase)


class Jump(cs.Drive):
    """It jumps, and does not say so."""

    def __call__(self, phase):
        return jnp.where(jnp.mod(phase, 2 * jnp.pi) < 3.0, 1.0, 2.0)


LAST = np.eye(129)[-1] * 10


@pytest.mark.parametrize(
    ("drive", "spring", "words"),
    [
        # At 128 steps of a period the 129th harmonic looks like the first.
        (cs.Fourier(LAST, 0 * LAST), False, "129 harmonics, which the 128 steps .* below 1/516 of the period"),
        (cs.Steps([0.0, 1000.0, 0.0], [0.5, 2e-9, 0.5 - 2e-9]), False, "a piece shorter than 1e-08 of the period"),
        (Ripple(), False, "faster than the 128 steps"),
        (Jump(), False, r"`f` jumps at the phase 3, which its `borders\(\)` do not name"),
        (Jump(), True, r"`k` jumps at the phase 3, which its `borders\(\)` do not name"),
    ],
)
def test_drives_that_steps_do_not_follow_are_refused(drive, spring, words):
    own = {"drives": {"k": drive}} if spring else {"forces": {"f": (0, drive)}}
    springs = (lambda drives: drives["k"] * jnp.eye(1)) if spring else [[1.0]]
    network = cs.OscillatorNetwork(
        [1.0], springs, {"b": [[1.0]]}, {"b": cs.HeatBath(1.0)}, {"b": [0]}, frequency=1.0, **own
    )
    with pytest.raises(cs.InputError, match=words):
        cs.trajectories(network, KEY, n=16, time=6.0)
