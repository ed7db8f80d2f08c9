"""Potentials that drives switch, against exact moments of a trap, and laws."""

import jax.numpy as jnp
import numpy as np
from scipy.linalg import expm

import coldspot as cs
from tests.phase_space.trap import FRICTION, MASS, OMEGA, TEMPERATURE, generator, height

SHARE = 0.4
STIFF, PLACES = (2.0, 1.6), (0.3, -0.2)


def exact_works():
    """Per time, of the stiffness, which changes first, and of the place."""
    period = 2 * np.pi / OMEGA
    turns = [expm(generator(k, b) * s * period) for k, b, s in zip(STIFF, PLACES, (SHARE, 1 - SHARE), strict=True)]
    values, vectors = np.linalg.eig(turns[1] @ turns[0])
    moments = vectors[:, np.argmin(abs(values - 1))].real
    moments /= moments[0]

    works = np.zeros(2)
    for now, before in ((0, 1), (1, 0)):
        tighter = height(STIFF[now], PLACES[before], moments)
        works += [
            tighter - height(STIFF[before], PLACES[before], moments),
            height(STIFF[now], PLACES[now], moments) - tighter,
        ]
        moments = turns[now] @ moments
    return works / period


def works_at_rest():
    """The same per period where each part is long: its start is the equilibrium of the other one, ⟨xx⟩ = T/k + b²."""

    def height(k, b, other, at):
        return k / 2 * (TEMPERATURE / STIFF[other] + (at - b) ** 2)

    works = np.zeros(2)
    for now, before in ((0, 1), (1, 0)):
        at = PLACES[before]
        tighter = height(STIFF[now], at, before, at)
        works += [
            tighter - height(STIFF[before], at, before, at),
            height(STIFF[now], PLACES[now], before, at) - tighter,
        ]
    return works


def trap(stiffness, place, frequency=OMEGA):
    return cs.KleinKramers(
        lambda x, values: values["stiffness"] / 2 * (x - values["place"]) ** 2,
        friction=FRICTION,
        temperature=TEMPERATURE,
        mass=MASS,
        boundary=cs.Closed(),
        drives={"stiffness": stiffness, "place": place},
        frequency=frequency,
    )


def test_a_trap_that_is_switched():
    shares = [SHARE, 1 - SHARE]
    s = cs.steady_state(trap(cs.Steps(STIFF, shares), cs.Steps(PLACES, shares)), tolerance=1e-5)
    works = [float(s.work[name]) for name in ("stiffness", "place")]
    errors = [float(s.error.work[name]) for name in ("stiffness", "place")]
    assert np.all(np.abs(works - exact_works()) <= errors)
    assert max(errors) < 1e-5 * max(works)
    assert abs(float(s.heat["bath"]) + sum(works)) <= s.error.heat["bath"] + sum(errors)


def test_parts_of_any_length():
    """Hundreds of relaxation times long; steps as short as the first ones need would be ten thousand."""
    shares, frequency = [SHARE, 1 - SHARE], 5e-3
    s = cs.steady_state(trap(cs.Steps(STIFF, shares), cs.Steps(PLACES, shares), frequency), tolerance=1e-2)
    period = 2 * np.pi / frequency
    works = np.array([period * float(s.work[name]) for name in ("stiffness", "place")])
    errors = np.array([period * float(s.error.work[name]) for name in ("stiffness", "place")])
    assert np.all(np.abs(works - works_at_rest()) <= errors)
    assert errors.max() < 1e-3 * works.max()
    assert abs(period * float(s.heat["bath"]) + works.sum()) < 1e-5 * works.max()


def test_a_ring_of_two_temperatures_is_switched():
    """A barrier that is high and low for half of the time each, warmer on its right."""
    ring = cs.KleinKramers(
        lambda x, values: (1 + 0.5 * values["height"]) * (1 + jnp.cos(x)),
        friction=1.0,
        temperature=cs.Steps([1.0, 1.5], [0.5, 0.5]),
        boundary=cs.Periodic(2 * np.pi, start=-np.pi),
        baths=("cold", "hot"),
        drives={"height": cs.Steps([1.0, -1.0], [0.5, 0.5])},
        frequency=4.0,
    )
    s = cs.steady_state(ring, tolerance=1e-2)
    total = sum(float(heat) for heat in s.heat.values()) + float(s.work["height"])
    assert abs(total) < 1e-6 * float(s.work["height"])
    assert float(s.entropy_production) > 0 > float(s.observables["flux"])
    assert float(s.residuals["negative density"]) == 0
