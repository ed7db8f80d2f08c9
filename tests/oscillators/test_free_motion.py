"""What nothing holds has no steady state, however few the trajectories and however quiet their averages."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.oscillators.likeness import equivalent


def one(potential, spring=0.0, temperature=1.0, **forces):
    return cs.OscillatorNetwork(
        [1.0], [[spring]], [1.0], {"bath": cs.HeatBath(temperature)}, {"bath": 0}, potential=potential, **forces
    )


def cancels(x):
    return -0.5 * x[0] ** 2


class Shape(eqx.Module):
    """Potentials of one coordinate, of which the kind is a number, so that they are compiled once."""

    kind: jax.Array

    def __call__(self, x):
        return jax.lax.switch(
            self.kind,
            [
                lambda y: jnp.cos(y),
                lambda y: -3 * jnp.exp(-(y**2)),
                lambda y: -2 * jnp.log(1 - y**2 / 4),
                lambda y: jnp.cosh(y),
                lambda y: jnp.sqrt(1 + y**2),
            ],
            x[0],
        )


RIPPLES, HOLLOW, TETHER, COSH, ROOT = (Shape(np.array(kind)) for kind in range(5))


def bonds(x):
    """Two coordinates that hold each other, and nothing holds both."""
    return 0.25 * (x[0] - x[1]) ** 4


def test_a_free_particle():
    """The spring 1 and −x²/2 cancel: ⟨x²⟩ = 2Tt/γ grows without end."""
    network = one(cancels, spring=1.0)
    for time in (50.0, 200.0):
        t = cs.trajectories(network, jax.random.key(0), n=16, time=time, throw=False)
        assert t.status == cs.Status.UNSTABLE
        assert float(t.observables["x_squared 0"]) > 0.5 * time
    with pytest.raises(cs.SolveError, match="nothing holds its motion") as caught:
        cs.trajectories(network, jax.random.key(0), n=16, time=50.0)
    assert caught.value.status == cs.Status.UNSTABLE
    with pytest.raises(cs.SolveError, match="nothing holds its motion"):
        cs.steady_state(network)


held = eqx.filter_jit(lambda network: equivalent(network.system()).held)


@pytest.mark.parametrize("potential", [RIPPLES, HOLLOW], ids=["ripples", "hollow"])
def test_wells_that_end(potential):
    """In a hollow or on ripples a particle stays for a while, when it is cold for longer than most simulations."""
    for temperature in (0.25, 5.0):
        assert not held(one(potential, temperature=temperature))
        assert held(one(potential, spring=1e-4, temperature=temperature))
    # A trap 60 temperatures deep is left after e⁶⁰ of its times: that holds.
    assert held(one(HOLLOW, temperature=0.05))


def test_a_drifting_pair_and_a_tilted_plane():
    baths, sites = {"a": cs.HeatBath(1.0), "b": cs.HeatBath(2.0)}, {"a": 0, "b": 1}
    for wall in (0.0, 1e-3):
        springs = jnp.array([[wall, 0.0], [0.0, 0.0]])
        assert bool(held(cs.OscillatorNetwork([1.0, 1.0], springs, [1.0, 1.0], baths, sites, potential=bonds))) == (
            wall > 0
        )
    # cosh holds against any force, √(1+x²) against one that is smaller than its slope 1.
    for potential, holds in ((COSH, True), (ROOT, False)):
        tilted = one(potential, forces={"f": (0, cs.Cosine(0.1, mean=1.5))}, frequency=1.0)
        assert bool(held(tilted)) == holds


def test_walls_need_no_numbers():
    """What is infinite or no number far away is a wall: a spring that cannot be stretched beyond 2."""
    assert held(one(TETHER))


def test_a_sweep_marks_the_points_that_nothing_holds():
    ds = cs.sweep(one(cancels, spring=2.0), {"springs[0][0]": [0.5, 1.0, 2.0]})
    assert ds.status.values.tolist() == [5, 5, 0]
    assert jnp.isnan(ds.heat.values[:2]).all()
