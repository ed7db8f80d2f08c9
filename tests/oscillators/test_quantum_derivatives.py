"""Derivatives of heats of quanta where modes of the springs have one frequency, or no friction, by inverses instead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from tests.tolerance import assert_close

SIZE, SECOND, HOT, COLD = 8, 3, 0.5, 0.25
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
EDGES = np.concatenate([np.linspace(0.0, 3.0, 91), np.linspace(3.0, 45 * HOT, 40)[1:]])
HALF, MIDDLE = np.diff(EDGES)[:, None] / 2, (EDGES[1:, None] + EDGES[:-1, None]) / 2
OMEGA, STEPS = (MIDDLE + HALF * NODES).ravel(), (HALF * WEIGHTS).ravel()


def ring(change):
    """Springs and masses of a ring, six modes of which are three pairs, and the friction of its first bath."""
    springs = 3 * jnp.eye(SIZE) - jnp.roll(jnp.eye(SIZE), 1, 0) - jnp.roll(jnp.eye(SIZE), -1, 0)
    springs = springs.at[2, 2].add(change[0])
    return springs, jnp.ones(SIZE).at[1].add(change[1]), 1.0 + change[2]


def network(change, bath=cs.BosonBath, **keywords):
    springs, masses, friction = ring(change)
    frictions = jnp.zeros(SIZE).at[0].set(friction).at[SECOND].set(1.0)
    return cs.OscillatorNetwork(
        masses, springs, frictions, {"h": bath(HOT), "c": bath(COLD)}, {"h": 0, "c": SECOND}, **keywords
    )


def heat(change):
    return cs.steady_state(network(change), throw=False).heat["h"]


def by_inverses(change):
    """∫dω/2π ω (n_h − n_c) 4ω² γ_h γ_c |G_hc|² with each G an inverse of its own."""
    springs, masses, friction = ring(change)

    def green(w):
        drag = jnp.zeros(SIZE).at[0].set(friction).at[SECOND].set(1.0)
        return jnp.linalg.inv(springs - w**2 * jnp.diag(masses) - 1j * w * jnp.diag(drag))[0, SECOND]

    # One after the other: batched calls of LAPACK can hang on few cores.
    passed = 4 * OMEGA**2 * friction * jnp.abs(jax.lax.map(green, OMEGA)) ** 2
    carried = OMEGA * (1 / jnp.expm1(OMEGA / HOT) - 1 / jnp.expm1(OMEGA / COLD))
    return jnp.sum(STEPS * passed * carried) / (2 * jnp.pi)


@pytest.fixture(scope="module")
def derivatives():
    """Value, gradient, and the second derivatives forwards over backwards and twice backwards."""

    def all_of(function, hessians):
        return jax.jit(lambda at: (function(at), jax.grad(function)(at), [h(function)(at) for h in hessians]))

    backwards = lambda f: jax.jacrev(jax.grad(f))  # noqa: E731
    return all_of(heat, (jax.hessian, backwards)), all_of(by_inverses, (jax.hessian,))


@pytest.mark.parametrize("split", [0.0, 1e-9, 1e-3, 0.3])
def test_modes_of_one_frequency(derivatives, split):
    ours, theirs = derivatives
    at = jnp.array([split, 0.0, 0.0])
    (value, slopes, second), (true, true_slopes, (true_second,)) = ours(at), theirs(at)
    assert_close(value, true, 1e-13)
    assert_close(slopes, true_slopes, 1e-11)
    for curvatures in second:
        assert_close(curvatures, true_second, 1e-10)


def test_in_batches(derivatives):
    at = jnp.array([[0.0, 0.0, 0.0], [0.3, 0.1, 0.0]])
    slopes = jax.jit(jax.vmap(jax.grad(heat)))(at)
    assert_close(slopes, jnp.stack([derivatives[1](one)[1] for one in at]), 1e-11)


def test_pushed_modes_of_one_frequency():
    """Mean motion does not know of quanta: works have the slopes that the moments of classical baths give them."""

    def work(change, bath):
        pushed = {"p": (0, cs.Cosine(0.5)), "q": (2, cs.Fourier([0.3, 0.2], [0.1, 0.3]))}
        return cs.steady_state(network(change, bath, forces=pushed, frequency=0.8), throw=False).work["p"]

    quantum, classical = (
        jax.jit(jax.value_and_grad(lambda change, bath=bath: work(change, bath)))(jnp.zeros(3))
        for bath in (cs.BosonBath, cs.HeatBath)
    )
    assert_close(quantum[0], classical[0], 1e-12)
    assert_close(quantum[1], classical[1], 1e-10)


def test_beside_a_mode_that_nothing_damps():
    """A spring to a mode without friction changes heat by its square: no slope, and no second derivative is claimed."""

    def heat(given):
        springs = jnp.array([[2.0, -1.0, 0.0], [-1.0, 2.0, 0.0], [0.0, 0.0, 3.0]]).at[0, 2].add(given[0])
        network = cs.OscillatorNetwork(
            jnp.ones(3),
            springs.at[2, 0].add(given[0]),
            jnp.array([1.0, given[1], 0.0]),
            {"h": cs.BosonBath(0.5), "c": cs.BosonBath(0.25)},
            {"h": 0, "c": 1},
        )
        return cs.steady_state(network, throw=False).heat["h"]

    slopes, second = jax.jit(lambda at: (jax.grad(heat)(at), jax.hessian(heat)(at)))(jnp.array([0.0, 1.0]))
    alone = jax.jit(jax.grad(lambda friction: heat(jnp.array([0.0, friction]))))
    assert abs(slopes[0]) < 1e-15
    assert_close(slopes[1], alone(1.0), 1e-13)
    assert jnp.isnan(second[0, 0])
    step = 1e-4
    assert_close(second[1, 1], (alone(1.0 + step) - alone(1.0 - step)) / (2 * step), 1e-7)
