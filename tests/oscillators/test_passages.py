"""First passage against closed forms and quadrature (without a mass), and against the rate of escape (with one)."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs

FRICTIONS, WARM = (3.0, 0.7), 1.0


class Energy(eqx.Module):
    """Two wells for the heavy coordinate, a quartic wall for the light one."""

    wall: jax.Array

    def __call__(self, x):
        return 5 * (x[0] ** 2 - 1) ** 2 + self.wall * x[1] ** 4


def network(wall=0.0, spring=0.0):
    """Coordinate 0 has mass 1, coordinate 1 none, and neither knows of the other."""
    return cs.OscillatorNetwork(
        masses=[1.0, 0.0],
        springs=[[0.0, 0.0], [0.0, spring]],
        frictions=FRICTIONS,
        baths={"bath": cs.HeatBath(WARM)},
        sites={"bath": [0, 1]},
        potential=Energy(jnp.asarray(wall)),
    )


def passages(coordinate, start, net=None, n=256, **options):
    return cs.oscillators.first_passage(
        net or network(), jax.random.key(5), coordinate=coordinate, start=start, n=n, **options
    )


def near(found, expected):
    return abs(found.mean - expected) <= 3.5 * found.error + 0.01 * expected


def test_the_exit_of_a_free_particle():
    """(x−a)(b−x)/2D, and upwards with the probability (x−a)/(b−a)."""
    diffusion, a, b, x = WARM / FRICTIONS[1], -0.4, 1.0, 0.2
    found = passages(1, [-1.0, x], below=a, above=b, n=2048)
    assert near(found, (x - a) * (b - x) / 2 / diffusion)
    assert abs(found.share - (x - a) / (b - a)) < 4 * math.sqrt(0.25 / 2048)
    # The first trajectories do not depend on how many follow.
    assert np.array_equal(found.times[:16], passages(1, [-1.0, x], below=a, above=b, n=16).times)
    coarse = passages(1, [-1.0, x], below=a, above=b, n=512, time_step=0.01)
    assert abs(coarse.mean - (x - a) * (b - x) / 2 / diffusion) <= 3.5 * coarse.error + coarse.bias


def test_uphill_by_quadrature():
    """∫_x^b e^{V/T} ∫_{−∞}^y e^{−V/T} dz dy / D."""
    net, x, b = network(wall=0.5, spring=1.0), -0.5, 1.2

    def energy(y):
        return 0.5 * y**4 + y * y / 2

    inner = quad(lambda y: math.exp(energy(y)) * quad(lambda z: math.exp(-energy(z)), -6, y)[0], x, b, epsabs=1e-9)[0]
    assert near(passages(1, [-1.0, x], net, above=b), inner * FRICTIONS[1] / WARM)


def test_escape_over_a_barrier_with_inertia():
    wells = cs.KleinKramers(
        lambda x: 5 * (x**2 - 1) ** 2, friction=FRICTIONS[0], temperature=WARM, boundary=cs.Closed()
    )
    rate = float(cs.escape_rate(wells, tolerance=1e-4))
    found = passages(0, [-1.0, 0.0], network(wall=0.5), above=1.0, time_step=0.02)
    assert near(found, 1 / rate)
    assert found.status == cs.Status.OK


def test_what_has_not_arrived_is_said():
    with pytest.raises(cs.SolveError, match=r"\d+ of 256 trajectories have not left at time 1; give a larger"):
        passages(0, [-1.0, 0.0], network(wall=0.5), above=1.0, time_step=0.02, longest=1.0)
    with pytest.raises(cs.SolveError, match=r"escaped to infinity at time .*, in coordinate 1; nothing holds it"):
        passages(0, [-1.0, 0.0], network(wall=-0.5), above=1.0, time_step=0.02)


def test_a_step_in_which_all_leave_is_noticed():
    """From an interval that is left in L²/2D = .0035 a step of .05 tells nothing: all leave in the middle of it."""
    options = {"below": -0.1, "above": 0.1, "time_step": 0.05}
    with pytest.raises(cs.SolveError, match=r"the time step 0.05 biases the mean .* give a shorter `time_step`"):
        passages(1, [-1.0, 0.0], **options)
    found = passages(1, [-1.0, 0.0], **options, throw=False)
    assert found.status == cs.Status.NOT_CONVERGED
    assert found.bias > 5 * found.bias_error
    # What has no bias is not accused.
    assert passages(1, [-1.0, 0.0], **(options | {"time_step": 2e-5}), throw=False).status == cs.Status.OK


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"above": None}, "give `below` or `above`"),
        ({"coordinate": 2}, "`coordinate` must be an integer from 0 to 1"),
        ({"start": [0.0]}, "`start`.*a position for each coordinate"),
        ({"start": [2.0, 0.0]}, "puts coordinate 0 at 2, which is not between -inf and 1"),
        ({"n": 3}, "`n` must be an integer of at least 16"),
        ({"time_step": -1.0}, "`time_step` must be positive"),
    ],
)
def test_bad_input(options, words):
    given = {"coordinate": 0, "start": [-1.0, 0.0], "above": 1.0} | options
    with pytest.raises(cs.InputError, match=words):
        passages(given.pop("coordinate"), given.pop("start"), **given)
