"""Forces that are functions of positions and velocities: exact linear laws by SciPy, books, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

import coldspot as cs

KEY = jax.random.key(3)
FRICTIONS, TEMPERATURES, DAMPING = np.array([1.0, 0.6]), np.array([1.0, 0.5]), 0.7
SPRINGS, TURN = np.array([[5.0, -3.0], [-3.0, 4.0]]), np.array([[0.2, 0.4], [-0.3, 0.1]])
now = {"turn": TURN, "damping": DAMPING, "cube": 0.0}
"""What the law reads from outside; other numbers compile nothing."""


def law(x, v):
    return now["turn"] @ x - jnp.array([now["damping"] * v[0] - 0.3, now["cube"] * x[1] ** 3])


def sampled(springs=SPRINGS, turn=TURN, damping=DAMPING, cube=0.0):
    """A coordinate with a mass and one without, both fed back."""
    now.update(turn=np.asarray(turn, float), damping=damping, cube=cube)
    network = cs.OscillatorNetwork(
        masses=[2.0, 0.0],
        springs=springs,
        frictions=FRICTIONS,
        baths={"left": cs.HeatBath(TEMPERATURES[0]), "right": cs.HeatBath(TEMPERATURES[1])},
        sites={"left": 0, "right": 1},
        forces={"feedback": law},
    )
    return cs.trajectories(network, KEY, n=1024, time=200.0, time_step=0.02, progress=False)


def exact(turn=TURN, damping=DAMPING):
    """Heats and work, y = (x, v of the mass), from the Lyapunov equation; a constant force does no work in the mean."""
    pull = turn - SPRINGS
    drift = np.array([[0, 0, 1], [*pull[1] / FRICTIONS[1], 0], [*pull[0] / 2, -(FRICTIONS[0] + damping) / 2]])
    noise = np.diag([0, 2 * TEMPERATURES[1] / FRICTIONS[1], 2 * FRICTIONS[0] * TEMPERATURES[0] / 4])
    covariance = solve_continuous_lyapunov(drift, -noise)
    left = FRICTIONS[0] * (TEMPERATURES[0] / 2 - covariance[2, 2])
    # On the light coordinate f∘dx = ⟨fẋ⟩ by its drift, and half the noise times its slope.
    work = turn[0] @ covariance[:2, 2] - damping * covariance[2, 2]
    work += turn[1] @ covariance[:2] @ drift[1] + turn[1, 1] * noise[1, 1] / 2
    return np.array([left, -left - work]), work


def deviation(found, heats, work):
    """The largest, in standard errors."""
    z = [(found.heat[b] - q) / found.error.heat[b] for b, q in zip(("left", "right"), heats, strict=True)]
    return np.max(np.abs([*z, (found.work["feedback"] - work) / found.error.work["feedback"]]))


def test_cold_damping_against_the_exact_average():
    found = sampled()
    assert deviation(found, *exact()) < 4
    # Along each trajectory, not in the mean alone.
    books = (found.heats.sum(1) + found.works.sum(1) - found.storages) / found.time
    assert float(jnp.max(jnp.abs(books))) < 1e-3 < 0.1 * jnp.std(found.works) / found.time
    # More than the second law allows: somebody measured.
    assert found.work["feedback"] < 0 < found.heat["left"]
    assert found.solution.entropy_production < 0
    assert bool(found.solution.flags["information-neglected"])


def test_feedback_that_holds_what_springs_do_not():
    """The same force as springs and as feedback: one is energy, the other work. And what the law reads now counts."""
    held = np.diag([5.0, 4.0])
    assert deviation(sampled(SPRINGS - held, TURN - held, DAMPING), exact()[0], exact()[1]) < 4
    assert deviation(sampled(damping=1.5), *exact(damping=1.5)) < 4


def test_a_law_that_is_not_linear():
    """−x³ has an energy: Boltzmann's distribution, no heat, and work that is a change of x⁴/4 along each trajectory."""
    found = sampled(np.eye(2), np.zeros((2, 2)), 0.0, 1.0)
    x = np.linspace(-4, 4, 2001)
    weight = np.exp(-(x**2 / 2 + x**4 / 4) / TEMPERATURES[1])
    wanted, error = (weight * x**2).sum() / weight.sum(), found.solution.observable_errors["x_squared 1"]
    assert abs(found.observables["x_squared 1"] - wanted) < 4 * error + 1e-2 * wanted
    assert abs(found.heat["right"]) < 4 * found.error.heat["right"] + 2e-3
    assert jnp.std(found.works) < 1.0


def one(law, spring=1.0, mass=1.0, **others):
    return cs.OscillatorNetwork(
        [mass], [[spring]], [0.5], {"bath": cs.HeatBath(1.0)}, {"bath": 0}, {"fed": law}, **others
    )


@pytest.mark.parametrize(
    ("law", "others", "words"),
    [
        (lambda x, v: 0.9 * v, {}, "a motion with the rate 0.2.* grows"),
        (lambda x, v: -0.1 * v, {"spring": 0.0}, "a motion with the rate 0 grows or is not damped"),
        (lambda x, v: -jnp.sign(x), {"spring": 0.0}, "without its feedback nothing holds"),
        (lambda x, v: jnp.sqrt(x), {}, "fed back to coordinate 0 is nan at x"),
        (lambda x, v: -0.1 * v, {"mass": 0.0}, "no mass, and so no velocity"),
        (lambda x: x, {}, "must be a function f"),
        (lambda x, v: x[0], {}, "one on each coordinate"),
        (dict, {}, "or a function"),
    ],
)
def test_what_is_refused(law, others, words):
    with pytest.raises((cs.InputError, cs.SolveError), match=words):
        cs.trajectories(one(law, **others), KEY, n=64, time=5.0)


def test_what_has_no_other_verbs():
    network = one(lambda x, v: -0.1 * v)
    for call in (
        lambda: cs.steady_state(network),
        lambda: cs.evolve(network, (np.zeros(2), np.eye(2)), [1.0]),
        lambda: network.covariance(),
        lambda: cs.counting(network, "heat", "bath").cumulants(2),
    ):
        with pytest.raises(cs.InputError, match=r"functions of positions|fed back"):
            call()
