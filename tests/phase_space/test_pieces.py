"""Drives that jump or have kinks beside smooth ones: exact moments of a trap, time evolution, harmonics, and laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import coldspot as cs
from tests.phase_space.trap import FRICTION, MASS, OMEGA, TEMPERATURE, generator, height

START = np.array([1.0, 0, 0, 0, 0, 0])


def exact_works(parts):
    """Per time, of the stiffness, which changes first, and of the place, in the periodic state.

    `parts`: (share, stiffness, place), two functions of the time from the part's start, with their slopes.
    """
    period = 2 * np.pi / OMEGA

    def turned(moments):
        works, before = np.zeros(2), parts[-1]
        for part in parts:
            share, stiffness, place = part
            (k0, _), (b0, _) = (f(before[0] * period) for f in before[1:])
            (k, _), (b, _) = stiffness(0.0), place(0.0)
            works += height(k, b0, moments) - height(k0, b0, moments), height(k, b, moments) - height(k, b0, moments)

            def rates(t, y, stiffness=stiffness, place=place):
                (k, dk), (b, db) = stiffness(t), place(t)
                done = dk / 2 * (y[3] - 2 * b * y[1] + b * b * y[0]), -k * db * (y[1] - b * y[0])
                return np.concatenate([generator(k, b) @ y[:6], done])

            start = np.concatenate([moments, [0, 0]])
            end = solve_ivp(rates, (0, share * period), start, "DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
            moments, works, before = end[:6], works + end[6:], part
        return moments, works / period

    shift = turned(START)[0][1:]
    turn = np.array([turned(START + unit)[0][1:] - shift for unit in np.eye(6)[1:]]).T
    return turned(np.append(1.0, np.linalg.solve(np.eye(5) - turn, shift)))[1]


def trap(stiffness, place):
    return cs.KleinKramers(
        lambda x, values: values["stiffness"] / 2 * (x - values["place"]) ** 2,
        friction=FRICTION,
        temperature=TEMPERATURE,
        mass=MASS,
        boundary=cs.Closed(),
        drives={"stiffness": stiffness, "place": place},
        frequency=OMEGA,
    )


def cosine(amplitude, start):
    """Value and slope of a cosine, in a part that starts at a share of the period."""
    phase = 2 * np.pi * start
    return lambda t: (amplitude * np.cos(OMEGA * t + phase), -amplitude * OMEGA * np.sin(OMEGA * t + phase))


def line(first, last, share):
    slope = (last - first) / (share * 2 * np.pi / OMEGA)
    return lambda t: (first + slope * t, slope)


JUMPS = (
    (cs.Steps([2.0, 1.6], [0.4, 0.6]), cs.Cosine(0.3)),
    [(0.4, line(2.0, 2.0, 0.4), cosine(0.3, 0.0)), (0.6, line(1.6, 1.6, 0.6), cosine(0.3, 0.4))],
)
KINKS = (
    (cs.Samples([2.0, 1.5], kinked=True), cs.Steps([0.3, -0.2], [0.7, 0.3])),
    [
        (0.5, line(2.0, 1.5, 0.5), line(0.3, 0.3, 0.5)),
        (0.2, line(1.5, 1.7, 0.2), line(0.3, 0.3, 0.2)),
        (0.3, line(1.7, 2.0, 0.3), line(-0.2, -0.2, 0.3)),
    ],
)


@pytest.mark.parametrize(("drives", "parts"), [JUMPS, KINKS])
def test_a_trap_by_its_moments(drives, parts):
    s = cs.steady_state(trap(*drives), tolerance=1e-5)
    works = np.array([float(s.work[name]) for name in ("stiffness", "place")])
    errors = np.array([float(s.error.work[name]) for name in ("stiffness", "place")])
    exact = exact_works(parts)
    # Moments are integrated to ten digits.
    assert np.all(np.abs(works - exact) <= errors + 1e-9 * np.abs(exact).max())
    assert errors.max() < 1e-5 * np.abs(works).max()
    assert abs(float(s.heat["bath"]) + works.sum()) <= s.error.heat["bath"] + errors.sum()


class Named(cs.Drive):
    """A cosine, whose `borders` say that something may be there."""

    def __call__(self, phase):
        return 0.4 * jnp.cos(phase)

    def borders(self):
        return jnp.array([0.3, 0.3, 0.8])


def rocked(place):
    """In a quartic well, with a step of the temperature."""
    return cs.KleinKramers(
        lambda x, values: x**4 / 4 + x * x / 2 - values["place"] * x,
        friction=1.0,
        temperature=cs.Steps([1.0, 1.3], [0.5, 0.5]),
        boundary=cs.Closed(-3.0, 3.0),
        baths=("cold", "hot"),
        drives={"place": place},
        frequency=2.0,
    )


def test_pieces_of_a_smooth_drive_by_harmonics():
    pieces, harmonics = (cs.steady_state(rocked(d), tolerance=1e-2) for d in (Named(), cs.Cosine(0.4)))
    for mine, other, error in (
        (pieces.work["place"], harmonics.work["place"], pieces.error.work["place"] + harmonics.error.work["place"]),
        (pieces.heat["hot"], harmonics.heat["hot"], pieces.error.heat["hot"] + harmonics.error.heat["hot"]),
    ):
        assert abs(float(mine - other)) <= float(error)


def valve(height):
    """A barrier between reservoirs."""
    return cs.KleinKramers(
        lambda x, values: (1 + values["height"]) * (1 - (x / 3) ** 2) ** 2,
        friction=2.0,
        temperature=1.0,
        boundary=cs.Open(-3.0, 3.0, left=1.0, right=0.5),
        drives={"height": height},
        frequency=1.0,
    )


def test_open_ends_by_harmonics():
    pieces, harmonics = (cs.steady_state(valve(d), tolerance=1e-2) for d in (Named(), cs.Cosine(0.4)))
    for name in ("left", "right"):
        error = float(pieces.error.heat[name] + harmonics.error.heat[name])
        assert abs(float(pieces.heat[name] - harmonics.heat[name])) <= error
    assert abs(float(pieces.work["height"] - harmonics.work["height"])) < 1e-4 * float(harmonics.work["height"])
    flux, error = pieces.observables["flux"], pieces.observable_errors["flux"] + harmonics.observable_errors["flux"]
    assert abs(float(flux - harmonics.observables["flux"])) <= float(error)


def quartic(drives, frequency=2.0):
    return cs.KleinKramers(
        lambda x, values: x**4 / 4 + x * x / 2 - values["place"] * x,
        friction=2.0,
        temperature=0.7,
        boundary=cs.Closed(),
        drives=drives,
        frequency=frequency,
    )


def test_a_quartic_well_by_time_evolution():
    """What a density comes to after some periods: the start is forgotten."""
    carried, period = quartic({"place": cs.Samples([-0.5, 0.5], kinked=True)}), np.pi
    s = cs.steady_state(carried, tolerance=1e-4)
    e = cs.evolve(
        carried,
        lambda x, v: np.exp(-2 * x * x - v * v / 1.4) * np.sqrt(2 / 1.4) / np.pi,
        [0.0, 7 * period, 8 * period],
        tolerance=1e-5,
    )
    work = float(np.diff(e.work_amount["place"])[-1]) / period
    assert abs(work - float(s.work["place"])) < 2e-4 * float(s.work["place"])


class Pulse(cs.Drive):
    """What its borders do not name, or are far from."""

    width: float
    edge: float = 0.0

    def __call__(self, phase):
        at = jnp.mod(phase, 2 * jnp.pi) - 2.0
        return 0.3 * jnp.exp(-((at / self.width) ** 2)) + self.edge * (at > 0)

    def borders(self):
        return jnp.array([0.5])


@pytest.mark.parametrize("drive", [Pulse(2e-3), Pulse(0.5, 0.1)])
def test_what_is_missed_between_samples_is_refused(drive):
    with pytest.raises(cs.SolveError, match=r"`drives` jump, have a kink or change too fast between .* `borders\(\)`"):
        cs.steady_state(quartic({"place": drive}), tolerance=1e-2)


class Ripple(cs.Drive):
    """A pulse beside a cosine; no border is named, so that all is taken for smooth."""

    place: float

    def __call__(self, phase):
        at = jnp.mod(phase - self.place + jnp.pi, 2 * jnp.pi) - jnp.pi
        return 0.1 * jnp.cos(phase) + 0.3 * jnp.exp(-((at / 6e-4) ** 2))


@pytest.mark.parametrize("place", [np.pi / 64, 2.2])
def test_a_pulse_between_the_samples_of_a_smooth_drive_is_refused(place):
    with pytest.raises(cs.SolveError, match="what `drives` move jumps, has a kink or changes too fast near the phase"):
        cs.steady_state(quartic({"place": Ripple(place)}), tolerance=1e-2)


def test_by_trajectories():
    drives = {"place": cs.Steps([0.4, -0.4], [0.5, 0.5]), "tilt": cs.Cosine(0.3)}
    carried = cs.KleinKramers(
        lambda x, values: x**4 / 4 + x * x / 2 - (values["place"] + values["tilt"]) * x,
        friction=2.0,
        temperature=0.7,
        boundary=cs.Closed(),
        drives=drives,
        frequency=2.0,
    )
    s = cs.steady_state(carried, tolerance=1e-3)
    t = cs.trajectories(carried, jax.random.key(1), n=512, time=20 * np.pi)
    for name in drives:
        allowed = 4 * float(t.error.work[name]) + 0.01 * abs(float(s.work[name]))
        assert abs(float(t.work[name] - s.work[name])) < allowed


def test_what_is_driven_too_far_is_refused():
    far = trap(cs.Steps([8.0, 1.0], [0.4, 0.6]), cs.Cosine(1.0, phase=0.3))
    with pytest.raises(cs.SolveError, match="drives move it too far"):
        cs.steady_state(far, tolerance=1e-2)
