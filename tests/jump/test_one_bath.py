"""Networks that one bath alone fills: in equilibrium whatever goes one way comes back, and nothing is right."""

import numpy as np
import pytest

import coldspot as cs


def dots():
    """Two levels, of which the lead reaches one: the other is filled through it."""
    lead = cs.Lead(cs.ElectronBath(0.3, 0.1), gamma=[0.01, 0.0])
    return cs.Dots([[0.2, 0.1], [0.1, 0.5]], leads={"l": lead}, coulomb={(0, 1): 0.7})


def ring():
    """Three states that a bath joins each with each, at rates far apart."""
    rates = cs.Glauber([0.01, 0.3, 20.0])
    return cs.JumpNetwork([0.0, 0.2, 0.5], {"l": cs.HeatBath(0.3)}, [cs.Channel("l", [0, 1, 0], [1, 2, 2], rates)])


def test_cumulants_of_equilibrium_are_nothing_within_their_errors():
    for found in (
        cs.counting(dots(), "heat", "l").cumulants(2),
        cs.counting(ring(), "heat", "l").cumulants(4),
        cs.counting(ring(), [("heat", "l"), ("entropy", "l")]).covariance(),
    ):
        values, errors = np.asarray(found.values), np.asarray(found.errors)
        assert np.all(np.abs(values) <= errors)
        # Beside the noise of single transitions, some 1e-4 at least.
        assert np.all(errors < 1e-28)


def test_one_bath_responds_to_nothing():
    found = cs.linear_response(dots())
    assert np.array_equal(found.onsager, np.zeros((2, 2)))
    assert np.all(found.errors == 0)


def test_a_level_that_nothing_reaches_is_told():
    lead = cs.Lead(cs.ElectronBath(0.3, 0.1), gamma=[0.01, 0.0])
    alone = cs.Dots([[0.2, 0.0], [0.0, 0.5]], leads={"l": lead}, coulomb={(0, 1): 0.7})
    with pytest.raises(cs.SolveError, match=r"connects the groups of states \[0, 1\], \[2, 3\]"):
        cs.counting(alone, "heat", "l").cumulants(2)
