"""Pumped quantities beside far larger flows: values, honest errors, and exact zeros."""

import importlib
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import coldspot as cs
from coldspot.dynamics import solve_points
from tests.optimised import optimised

PERIOD = 10.0
sweep = importlib.import_module("coldspot.sweep")  # beside the function of that name


def pump(barrier, temperature=0.05, height=0.5, lag=np.pi / 2, period=PERIOD, other=None) -> cs.JumpNetwork:
    """A level between two leads whose barriers go up and down against each other: rates e^{±a cos θ}."""
    return cs.JumpNetwork(
        energies=lambda drives: jnp.stack([jnp.zeros(()), drives["level"]]),
        occupations=[0, 1],
        baths={"left": cs.ElectronBath(temperature), "right": cs.ElectronBath(other or temperature)},
        channels=[
            cs.Channel("left", 0, 1, lambda drives: cs.Tunnelling(jnp.exp(barrier * drives["barrier"]))),
            cs.Channel("right", 0, 1, lambda drives: cs.Tunnelling(jnp.exp(-barrier * drives["barrier"]))),
        ],
        drives={"level": cs.Cosine(height, phase=lag), "barrier": cs.Cosine(1.0)},
        period=period,
    )


SIZE = 24
"""Points of every batch here: one program solves them all."""
REST = solve_points._replace(attempts=solve_points.attempts[1:])
"""What a sweep goes on to: the way that has the last word, which for driven networks is the one inside `jax.jit`."""
OPTIMISED, LIGHT = optimised(sweep.solve_few), sweep.solve_few


def _pump(_: None, point: dict[str, jax.Array]) -> cs.JumpNetwork:
    return pump(**point)


def solved_at(tolerance: float, **columns: np.ndarray) -> cs.Solution:
    """Pumps in a batch, by `REST`; what is not given as in `pump`.

    The last point fills the batch up.
    """
    values = {"temperature": 0.05, "height": 0.5, "lag": np.pi / 2, "period": PERIOD} | columns
    given = np.broadcast_arrays(*values.values())
    count = given[0].size
    filled = [np.append(v, [v.flat[-1]] * (SIZE - count)) for v in given]
    points = dict(zip(values, filled, strict=True))
    s = by_sweep(REST, points, tolerance)
    return jax.tree.map(lambda a: np.asarray(a)[:count], s)


def by_sweep(verb, points: dict[str, np.ndarray], tolerance: float):
    """As a sweep solves pumps, with programs for `SIZE` points, of which those of `REST` are optimised."""

    def partial(way, *given):
        return (OPTIMISED if way is REST.attempts[0] else LIGHT).partial(way, *given)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("solve_chunk", "solve_few"):
            patch.setattr(sweep, name, SimpleNamespace(partial=partial))
        return sweep.solve_columns(verb, _pump, None, points, jnp.asarray(tolerance), progress=False, sizes=(SIZE,))


def test_pumped_energy_keeps_its_digits():
    """Energy per cycle, from the integral of the deviation from the frozen state, which has no cancellation."""
    cases = {14.0: "-6.2301796e-07", 16.0: "-1.98664482e-07"}
    s = solved_at(1e-8, barrier=np.array(list(cases)))
    for k, energy in enumerate(cases.values()):
        for lead in ("left", "right"):
            value = PERIOD * float(s.energy[lead][k])
            error = PERIOD * float(s.error.heats[k, s.ledger.baths.index(lead)])
            printed = 0.5 * 10.0 ** (np.floor(np.log10(abs(value))) - len(energy.split("e")[0].split(".")[1]))
            assert abs(value - float(energy)) <= error + printed
            assert error <= 2e-8 * abs(value)


def test_gross_flows_do_not_decide_what_is_trusted():
    """From a=9 to 18, gross flows grow by e^{9}: all are solved, the two leads give the same by symmetry.

    The last two to 1e-6 only: at 18 the mesh would need more elements than are allowed, and 17 is at the limit, which
    programs reach that are optimised, as those of users are, and those of tests are not.
    """
    barriers = np.linspace(9.0, 18.0, 10)
    assert np.all(solved_at(1e-8, barrier=barriers[:-2]).status == 0)
    solved = solved_at(1e-6, barrier=barriers)
    assert np.all(solved.status == 0)
    heats, errors = solved.ledger.heats, solved.error.heats
    assert np.all(np.abs(heats[:, 0] - heats[:, 1]) <= errors.sum(-1))
    assert np.all(errors < 1e-6 * np.abs(heats))


def test_drives_of_barriers_alone_pump_exactly_nothing():
    """The state stays at equilibrium at one temperature, whatever barriers do: not small numbers, but 0."""
    s = solved_at(1e-8, barrier=np.array([5.0]), temperature=0.7, height=0.0)
    assert np.all(s.heat.array == 0.0)
    assert np.all(s.work.array == 0.0)
    assert np.all(s.error.heats == 0.0)


def by_scipy(barrier, temperature, height, lag, period) -> np.ndarray:
    """Heat rates and particle rate of the left lead from the deviation q = p − f(ε), by LSODA."""

    def motion(time):
        theta = 2 * np.pi * time / period
        level = height * np.cos(theta + lag)
        speed = -height * np.sin(theta + lag) * 2 * np.pi / period
        slope = -1 / (4 * temperature * np.cosh(level / (2 * temperature)) ** 2)
        return level, slope * speed, np.exp(barrier * np.cos(theta)), np.exp(-barrier * np.cos(theta))

    def rates(time, y):
        level, moved, left, right = motion(time)
        q, h = y[0], y[1]
        return [
            -(left + right) * q - moved,
            -(left + right) * h,
            -left * q * level,
            -right * q * level,
            -left * q,
            -left * h * level,
            -right * h * level,
            -left * h,
        ]

    y = solve_ivp(
        rates, (0, period), [0, 1, 0, 0, 0, 0, 0, 0], method="LSODA", rtol=1e-12, atol=1e-15, max_step=period / 200
    ).y[:, -1]
    start = y[0] / (1 - y[1])
    return (y[2:5] + start * y[5:8]) / period


def test_random_pumps_against_scipy():
    rng = np.random.default_rng(5)
    n = SIZE
    draws = {
        "barrier": rng.uniform(0, 5, n),
        "temperature": 10 ** rng.uniform(-1.3, 0.3, n),
        "height": rng.uniform(0.1, 1, n),
        "lag": rng.uniform(0, 6.3, n),
        "period": 10 ** rng.uniform(-1, 2.5, n),
    }
    s = solved_at(1e-8, **draws)
    assert np.all(s.status == 0)
    for k in range(n):
        left, right, particles = by_scipy(**{name: values[k] for name, values in draws.items()})
        found = np.array([*s.ledger.heats[k], s.ledger.particle_numbers[k, 0]])
        errors = np.array([*s.error.heats[k], s.error.particle_numbers[k, 0]])
        exact = np.array([left, right, particles])
        # The route is good to 1e-10 of what flows to and fro.
        assert np.all(np.abs(found - exact) <= errors + 1e-9 * (np.abs(exact) + 1e-2 / draws["period"][k])), k


def test_a_pump_that_moves_almost_nothing_goes_on_to_deviations():
    """The sweep's own way, batch axis last; of points whose numbers are refused the attempt has the last word."""
    columns = {"barrier": np.array([2.0, 14.0, 3.0, 15.0, 2.0, 2.0]), "period": np.array([10.0] * 4 + [-1.0, np.nan])}
    columns |= {name: np.full(6, value) for name, value in (("temperature", 0.05), ("height", 0.5), ("lag", np.pi / 2))}
    attempted, undecided = by_sweep(solve_points.attempts[0], columns, 1e-8)
    assert undecided.tolist() == [False, True, False, True, False, False]
    assert np.asarray(attempted.status)[4:].tolist() == [cs.Status.INVALID] * 2
    s = by_sweep(solve_points, columns, 1e-8)
    assert np.asarray(s.status).tolist() == [0] * 4 + [cs.Status.INVALID] * 2
    for k, barrier in enumerate(columns["barrier"][:4]):
        exact = by_scipy(barrier, 0.05, 0.5, np.pi / 2, 10.0)[:2]
        # The route is good to 1e-10 of what flows to and fro.
        allowed = s.error.heats[k] + 1e-9 * (np.abs(exact) + 1e-3)
        assert np.all(np.abs(s.ledger.heats[k] - exact) <= allowed)
    assert np.all(s.error.heats[1:4:2] <= 1e-7 * np.abs(s.ledger.heats[1:4:2]))


def test_an_error_larger_than_the_tolerance_is_never_accepted():
    rng = np.random.default_rng(6)
    barriers, periods = rng.uniform(0, 25, SIZE), 10 ** rng.uniform(-2, 5, SIZE)
    for tolerance in (1e-5, 1e-8, 1e-12):
        s = solved_at(tolerance, barrier=barriers, period=periods)
        good = np.asarray(s.status) == 0
        top = np.max(np.abs(np.concatenate([s.ledger.heats, s.ledger.works], -1)), -1)
        worst = np.max(np.concatenate([s.error.heats, s.error.works], -1), -1)
        # What the rounding of the drives' own numbers moves: 8 units of what goes through the level.
        floor = 8 * np.finfo(float).eps * 4 / periods
        assert np.all(worst[good] <= np.maximum(tolerance * top[good], floor[good]))


def test_derivatives_of_a_pump():
    """Against central differences of the values, which keep their digits."""
    step = 1e-3
    ahead, behind = solved_at(1e-8, barrier=6.0 + np.array([step, -step])).heat["left"]

    def heat(barrier):
        numbers = {"temperature": 0.05, "height": 0.5, "lag": np.pi / 2, "period": PERIOD}
        point = {name: jnp.full(1, value) for name, value in numbers.items()} | {"barrier": barrier[None]}
        # The first way has the derivatives of any: they are taken at the state, however that was found.
        return solve_points.attempts[0].__wrapped__(_pump, None, point, jnp.asarray(1e-8))[0].heat["left"][0]

    slope = jax.jit(lambda barrier: jax.jvp(heat, (barrier,), (1.0,))[1])(6.0)
    difference = (ahead - behind) / (2 * step)
    assert abs(slope - difference) < 1e-5 * abs(difference)
