"""Drives are looked at between the nodes: pulses wherever they stand, beside smooth drives, and functions of time."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import coldspot as cs
from coldspot.dynamics import solve_points
from coldspot.numerics.harmonics import harmonics
from coldspot.numerics.mesh import resolving

PERIOD = 10.0


def pulsed(where: float, width: float = 1e-2, smooth: float = 0.0) -> cs.JumpNetwork:
    """One level above one bath; it is six times as high in a pulse, a Gaussian of `width` in the phase."""
    sharp = 1 / width**2

    def energies(phase):
        pulse = 5 * jnp.exp(sharp * (jnp.cos(phase - where) - 1))
        return jnp.array([0.0, 1.0]) * (1 + smooth * jnp.cos(phase) + pulse)

    bath = {"bath": cs.HeatBath(1.0)}
    return cs.JumpNetwork(energies, bath, [cs.Channel("bath", 0, 1, cs.Glauber(1.0))], period=PERIOD)


def columns(points):
    """Arrays of the points' numbers."""
    return {name: jnp.asarray([point[name] for point in points]) for name in points[0]}


def level(time, where: float, width: float, smooth: float):
    phase = 2 * np.pi * time / PERIOD
    return 1 + smooth * np.cos(phase) + 5 * np.exp((np.cos(phase - where) - 1) / width**2)


def populated(where: float, width: float, smooth: float, start: float, end: float):
    """The upper state's population from empty at `start`, by SciPy in steps shorter than the pulse."""

    def slope(time, p):
        return [2 / (1 + np.exp(level(time, where, width, smooth))) - 2 * p[0]]

    step = width * PERIOD / 20
    return solve_ivp(slope, (start, end), [0.0], method="DOP853", rtol=1e-12, atol=1e-14, max_step=step)


def work_by_scipy(where: float, width: float, smooth: float) -> float:
    """Power ⟨−ε dp/dt⟩ in the second period: relaxation forgets the start by e^{−20}; corrected by its linearity.

    Steps are shorter than the pulse from 12 widths before it to 12 after it; elsewhere it is less than e^{−70}.
    """

    def slope(time, y):
        e = level(time, where, width, smooth)
        rise = 2 / (1 + np.exp(e)) - 2 * y[0]
        # p, ∫ε dp; the same for the homogeneous solution.
        return [rise, e * rise, -2 * y[2], -2 * e * y[2]]

    end = np.array([0.0, 0.0, 1.0, 0.0])
    times = np.array([0, where - 12 * width, where + 12 * width, 2 * np.pi]) * PERIOD / (2 * np.pi)
    for span, step in zip(itertools.pairwise(times), (np.inf, width * PERIOD / 20, np.inf), strict=True):
        end = solve_ivp(slope, span, end, method="DOP853", rtol=1e-12, atol=1e-15, max_step=step).y[:, -1]
    first = end[0] / (1 - end[2])
    return -(end[1] + first * end[3]) / PERIOD


PULSES = {
    "ordinary": [{"where": where, "width": 1e-2, "smooth": 0.0} for where in (0.0, 0.7, 2.0, 3.3, 4.71, 6.2)],
    "anywhere": [
        {"where": where, "width": 1e-2, "smooth": 0.0} for where in np.random.default_rng(3).uniform(0, 2 * np.pi, 40)
    ],
    # 2.7e-4 in the phase is a full width at half height of 1e-4 of the period.
    "short": [
        {"where": where, "width": width, "smooth": 0.0} for width in (6.3e-4, 2.7e-4) for where in (2.0, 2.00007, 5.1)
    ],
    "beside a smooth drive": [{"where": where, "width": 2e-3, "smooth": 0.4} for where in (0.3, 2.0)],
}


@pytest.fixture(scope="module")
def pulses():
    """Work and its error of all pulses, solved in one batch."""
    every = columns([point for points in PULSES.values() for point in points])
    # The sure way looks; the first one would leave them all, as their formulas tell of too many harmonics.
    found = solve_points.solve(lambda _, point: pulsed(**point), None, every, jnp.asarray(1e-8))
    assert np.all(found.status == 0)
    work, error = np.asarray(found.work_in), np.asarray(found.error.work_in)
    ends = np.cumsum([len(points) for points in PULSES.values()])[:-1]
    return dict(zip(PULSES, zip(np.split(work, ends), np.split(error, ends), strict=True), strict=True))


def test_a_pulse_is_seen_wherever_it_stands(pulses):
    work, _ = pulses["ordinary"]
    assert {f"{value:.8e}" for value in work} == {"8.95481727e-03"}


def test_positions_of_a_pulse_in_a_batch(pulses):
    """Many positions at once: the same work, within the errors that are reported."""
    work, error = pulses["anywhere"]
    assert np.all(np.abs(work - 8.95481726674e-3) <= 1e-13 + error)


def test_pulses_as_short_as_a_ten_thousandth_of_the_period(pulses):
    work_of_width = {width: work_by_scipy(2.0, width, 0.0) for width in (6.3e-4, 2.7e-4)}
    for point, work, error in zip(PULSES["short"], *pulses["short"], strict=True):
        exact = work_of_width[point["width"]]
        # SciPy's own error is of the order of 1e-9.
        assert abs(work - exact) <= error + 3e-9 * exact, point


def test_a_smooth_drive_does_not_hide_a_pulse(pulses):
    for point, work, error in zip(PULSES["beside a smooth drive"], *pulses["beside a smooth drive"], strict=True):
        exact = work_by_scipy(**point)
        assert abs(work - exact) <= error + 1e-10 * exact
        assert error <= 1e-8 * exact


@pytest.mark.parametrize("where", [0.4, 2.0, 3.9, 5.5])
def test_evolution_sees_a_pulse_between_its_times(where):
    width, end = 0.0314, where * PERIOD / (2 * np.pi) + 0.06
    exact = populated(where, width, 0.0, 0.0, end).y[0, -1]
    e = cs.evolve(pulsed(where, width), 0, [0.0, end])
    assert abs(e.populations[-1, 1] - exact) <= float(e.error) + 1e-11
    assert float(e.error) <= 1e-8


def test_a_function_of_time_is_told_from_one_of_the_phase():
    with pytest.raises(cs.InputError, match="2π"):
        cs.JumpNetwork(
            lambda time: jnp.array([0.0, 1.0]) * jnp.cos(2 * jnp.pi * time / 3.0),
            {"bath": cs.HeatBath(1.0)},
            [cs.Channel("bath", 0, 1, cs.Glauber(1.0))],
            period=3.0,
        )


# --------------------------------------------------------------------------- the estimates themselves


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda phase: jnp.cos(phase - 2.0), 1),
        (lambda phase: 1 + jnp.cos(phase) * jnp.sin(2 * phase), 3),
        (lambda phase: jnp.stack([jnp.zeros(()), 0.3 * jnp.sin(phase) ** 2]), 2),
        (cs.Fourier([1.0, 0.5, 0.2], [0.0, 0.0, 0.0]), 3),
        (cs.Samples(np.arange(10.0)), 5),
        (lambda phase: jnp.ones(3), 0),
        (cs.Steps([0.0, 2.0], [0.3, 0.7]), 0),
        # The value and the slope of a line are differentiated together, as works of drives are.
        (lambda phase: jax.jvp(cs.Samples([0.0, 1.0, 0.3], kinked=True), (phase,), (jnp.ones(()),)), 1),
    ],
)
def test_harmonics_of_formulas(function, expected):
    assert float(harmonics(function)) == expected


@pytest.mark.parametrize(
    "function",
    [
        lambda p: jnp.abs(jnp.cos(p)),
        lambda p: p,
        lambda p: jnp.where(p < 1, 0.0, 1.0),
        lambda p: jnp.where(jnp.cos(p) < 0.3, 0.0, 1.0),
        lambda p: jnp.log(jnp.cos(p) + 1),
        lambda p: jnp.tan(jnp.cos(p)),
        lambda p: jnp.maximum(jnp.cos(p), 0.9),
        lambda p: jnp.cos(p) // 0.5,
    ],
)
def test_formulas_that_tell_no_harmonics(function):
    assert harmonics(function) is None


COMPOSED = {
    "exp": lambda x, r: jnp.exp(x),
    "expm1": lambda x, r: jnp.expm1(x),
    "cosh": lambda x, r: jnp.cosh(x),
    "sinh": lambda x, r: jnp.sinh(x),
    "sin": lambda x, r: jnp.sin(x),
    "cos": lambda x, r: jnp.cos(x),
    "tanh": lambda x, r: jnp.tanh(x),
    "logistic": lambda x, r: jax.nn.sigmoid(x),
    "atan": lambda x, r: jnp.arctan(x),
    "asinh": lambda x, r: jnp.arcsinh(x),
    "erf": lambda x, r: jax.scipy.special.erf(x),
    "log": lambda x, r: jnp.log(x + 1.3 * r),
    "log1p": lambda x, r: jnp.log1p(x + 1.3 * r - 1),
    "sqrt": lambda x, r: jnp.sqrt(x + 1.3 * r),
    "rsqrt": lambda x, r: jax.lax.rsqrt(x + 1.3 * r),
    "power": lambda x, r: (x + 1.3 * r) ** -2.5,
    "whole power": lambda x, r: (x + 1.3 * r) ** -3,
    "division": lambda x, r: (x - 1) / (x - 1.3 * r),
    "branches": lambda x, r: jnp.where(x + 1.3 * r > 0, jnp.abs(x - 2 * r), jnp.nan) + jnp.maximum(x * x, -1.0),
    "entries": lambda x, r: jnp.zeros(3).at[1].set(x).at[2].add(x**3)[jnp.array([2, 1])],
    "nested": lambda x, r: jnp.exp(jnp.tanh(x / (1 + r))) / jnp.sqrt(1 + x**2),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_harmonics_of_functions_are_enough(name):
    """Fourier coefficients beyond the estimate are below 1e-9 of the largest."""
    theta = 2 * np.pi * np.arange(4096) / 4096
    few, inner = 0, COMPOSED[name]
    every = jax.jit(lambda size: jax.vmap(lambda phase: inner(size * jnp.cos(phase), size))(theta))
    for size in (1e-6, 0.1, 1.0, 5.0, 30.0, 200.0):

        def function(phase, size=size):
            return inner(size * jnp.cos(phase), size)

        most = harmonics(function)
        if most is None or most > 1000:
            continue
        few += most < 100
        values = np.asarray(every(size)).reshape(len(theta), -1)
        coefficients = np.abs(np.fft.rfft(values, axis=0))
        largest = coefficients.max(axis=0)
        # Rounding of the constants at which a small change is looked at is no harmonic.
        rounding = 1e-13 * np.abs(values).sum(axis=0)
        assert np.all(coefficients[int(most) + 1 :] <= 1e-9 * largest + rounding), size
    assert few >= 2


def test_meshes_are_fine_where_functions_are_sharp_and_there_alone():
    theta = 2 * np.pi * np.arange(2**15) / 2**15
    resolved = jax.jit(lambda values, allowed: resolving(values, allowed, 1024))
    for where in np.random.default_rng(4).uniform(0, 2 * np.pi, 20):
        pulse = np.exp((np.cos(theta - where) - 1) / 2.7e-4**2)
        borders, count = resolved((pulse + np.cos(theta))[None], np.array([1e-6]))
        borders = np.asarray(borders)[: int(count) + 1]
        assert int(count) < 80
        assert (borders[0], borders[-1]) == (0, 1)
        assert np.all(np.diff(borders) > 0)
        inside = np.searchsorted(borders, where / (2 * np.pi)) - 1
        assert np.diff(borders)[inside] == 2.0**-13


class Square(cs.Drive):
    """A gate that is on for the share `duty` of the period, from the phase `at` on: it jumps."""

    duty: jax.Array = cs.parameter()
    at: jax.Array = cs.parameter()

    def __call__(self, phase):
        return jnp.where(jnp.mod(phase - self.at, 2 * jnp.pi) < 2 * jnp.pi * self.duty, 2.0, 0.0)


def test_jumps_are_never_taken_to_stand_at_a_node():
    """Where a jump stands between two samples no mesh knows, so that two that agree on a wrong place prove nothing."""

    def gated(_, point):
        return cs.JumpNetwork(
            energies=lambda gate: jnp.stack([0.0, 1.0 + gate["g"]]),
            baths={"bath": cs.HeatBath(1.0)},
            channels=[cs.Channel("bath", 0, 1, cs.Glauber(0.1))],
            drives={"g": Square(**point)},
            period=10.0,
        )

    rng = np.random.default_rng(5)
    points = [{"duty": 0.01, "at": 0.0}, {"duty": 0.008, "at": 1.0}, {"duty": 0.004, "at": 3.656}]
    points += [{"duty": d, "at": a} for d, a in zip(rng.uniform(0.003, 0.5, 13), rng.uniform(0, 6.28, 13), strict=True)]
    # The first way looks, too, where formulas tell nothing; it leaves to others what it cannot vouch for.
    found, undecided = solve_points.attempts[0](gated, None, columns(points), jnp.asarray(1e-8))
    duty = np.array([point["duty"] for point in points])
    # Two relaxations, one after the other: the filling at the end of each piece, and the work of both jumps.
    on, off = 1 / (1 + np.exp(3.0)), 1 / (1 + np.exp(1.0))
    first, second = np.exp(-2.0 * duty), np.exp(-2.0 * (1 - duty))
    start = (second * (1 - first) * on + (1 - second) * off) / (1 - first * second)
    exact = 2 * (start - (first * start + (1 - first) * on)) / 10
    right = np.abs(found.work_in - exact) <= found.error.work_in
    marked = (np.asarray(found.status) == cs.Status.NOT_CONVERGED) & np.asarray(undecided)
    assert np.all(marked | right)
    # Those that begin and end anywhere are always told.
    assert np.all(marked[3:])
