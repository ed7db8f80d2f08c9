"""Random driven machines of seven graphs: laws, and honesty against two independent routes.

Each graph is compiled once, its machines are solved once, and all that is known of them is checked.
`tests.campaign.random_graphs` does the same with three more.
"""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import coldspot as cs
from coldspot.jump import kinetics
from tests import machines_random as mr
from tests import routes
from tests.jump.laws import check_laws


def driven(name: str) -> mr.Topology:
    (t,) = (t for t in mr.DRIVEN if t.name == name)
    return t


MANY, SOME = 500, 60
FEW = {"driven ring-4": 16}
"""Machines of a graph: many, or some of those that take long; here even fewer of these than in a campaign."""


def count(t: mr.Topology) -> int:
    return MANY if t.states <= 3 or t.name == "driven two-dots" else FEW.get(t.name, SOME)


@functools.lru_cache(maxsize=1)
def machines(t: mr.Topology) -> tuple[dict[str, np.ndarray], cs.Solution]:
    """Numbers and what they lead to."""
    columns = mr.draw(t, np.random.default_rng(len(t.edges)), count(t))
    return columns, mr.solve(t, columns)


def has_kinks(t: mr.Topology) -> bool:
    """Rates with kinks (an ohmic cut-off where levels cross) converge slowly; some points run out of elements."""
    return any(e.law == "ohmic" for e in t.edges)


def laws(t: mr.Topology) -> None:
    _, s = machines(t)
    status = np.asarray(s.status)
    assert set(status) <= {int(cs.Status.OK), int(cs.Status.NOT_CONVERGED)}
    good = np.flatnonzero(status == 0)
    assert good.size >= (0.94 if has_kinks(t) else 0.99) * len(status)
    s = mr.take(s, good)
    check_laws(t, s)
    # The error estimate is what was asked for: 1e-8 of the largest heat or work.
    scale = np.max(np.abs(np.concatenate([np.asarray(s.heat.array), np.asarray(s.work.array)], -1)), -1)
    worst = np.max(np.concatenate([np.asarray(s.error.heats), np.asarray(s.error.works)], -1), -1)
    assert np.all((worst <= 1e-8 * scale * (1 + 1e-12)) | (scale <= worst))


def collocation(t: mr.Topology) -> None:
    """Thirty machines, if there are as many, within their errors."""
    columns, s = machines(t)
    for k in np.flatnonzero(np.asarray(s.status) == 0)[:30]:
        point = mr.pick(columns, k)
        elements = int(np.clip(point["period"], 32, 256))
        coarse, fine = (routes.period_by_collocation(t, point, n) for n in (elements, 2 * elements))
        # Kinks are met by no order: the route is refined until it is finer than what it judges.
        while (
            has_kinks(t)
            and elements < 4096
            and np.max(np.abs(fine.energies - coarse.energies)) > np.max(s.error.energies[k] / 10)
        ):
            elements *= 2
            coarse, fine = fine, routes.period_by_collocation(t, point, 2 * elements)
        # 1e-13: rounding of a product of hundreds of propagators.
        assert_within(t, s, k, fine, 1e-13, coarse)


def dop853(t: mr.Topology) -> None:
    """Driven level, chemical potential, temperature and rate: also the averages of products, μJ and Q̇/T."""
    columns, s = machines(t)
    for k in np.flatnonzero((np.asarray(s.status) == 0) & (columns["period"] < 30.0))[:2]:
        assert_within(t, s, k, routes.period_by_dop853(t, mr.pick(columns, k)), 1e-10)


def assert_within(t, s: cs.Solution, k: int, exact: routes.PeriodLedger, slack: float, coarse=None) -> None:
    """Entries within the reported error and the route's own: `slack` of the largest of its kind, and last change."""
    pairs = zip(exact, exact if coarse is None else coarse, strict=True)
    change = max(np.max(np.abs(a - b)) for a, b in pairs)
    works = np.max(np.abs(np.concatenate([exact.energies, exact.works])))
    for values, errors, truth, size in (
        (s.ledger.energies, s.error.energies, exact.energies, works),
        (s.ledger.works, s.error.works, exact.works, works),
        (s.ledger.particle_numbers, s.error.particle_numbers, exact.particles, 1 + np.max(np.abs(exact.particles))),
        (s.ledger.chemical_works, s.error.chemical_works, exact.chemical, 1 + np.max(np.abs(exact.chemical))),
        (s.ledger.entropy_flows, s.error.entropy_flows, exact.entropy, 1 + np.max(np.abs(exact.entropy))),
    ):
        off = np.abs(np.asarray(values)[k] - truth)
        assert np.all(off <= np.asarray(errors)[k] + slack * size + change), (
            t.name,
            k,
            off / (np.asarray(errors)[k] + 1e-300),
        )


def without_drive(t: mr.Topology) -> None:
    """Amplitude zero: the periodic ledger is the stationary one and the drives do no work."""
    columns = mr.draw(t, np.random.default_rng(9), 500)
    columns["amplitude"][:] = 0.0
    plain = next(static for static in mr.STATIC if static.name == t.name.removeprefix("driven "))
    driven, static = mr.solve(t, columns), mr.solve(plain, columns)
    top = np.max(np.abs(static.energy.array), axis=-1, keepdims=True)
    assert np.asarray(driven.ok).all()
    assert np.all(np.abs(driven.energy.array - static.energy.array) <= np.asarray(driven.error.energies) + 1e-13 * top)
    assert np.all(np.asarray(driven.work.array) == 0.0)


def only_energies_do_work(t: mr.Topology) -> None:
    """A driven potential does chemical work, a driven temperature or rate none; ⟨μJ⟩ is not ⟨μ⟩⟨J⟩."""
    _, s = machines(t)
    assert np.all(np.asarray(s.work.array) == 0.0)
    mean = np.asarray(s.chemical_potentials) * np.asarray(s.particles.array)
    assert np.max(np.abs(mean - np.asarray(s.chemical_work.array))) > 1e-3


def means_of_baths(t: mr.Topology) -> None:
    """Driven baths report their averages over the period."""
    columns, s = machines(t)
    theta = 2 * np.pi * np.arange(64) / 64
    for k in range(3):
        p = routes.parts(t, mr.pick(columns, k), theta)
        assert np.allclose(s.temperatures[k], p.temperature.mean(axis=0), rtol=1e-12)
        largest = np.max(np.abs(p.potential))
        assert np.max(np.abs(s.chemical_potentials[k] - p.potential.mean(axis=0))) <= 1e-13 * largest


def parts_of_a_batch(t: mr.Topology) -> None:
    """Refinement works on some points at a time: a batch gives what another one with the same points gives."""
    columns, whole = machines(t)
    order = np.roll(np.arange(500), 250)
    other = mr.take(mr.solve(t, {name: values[order] for name, values in columns.items()}), np.argsort(order))
    for of in (lambda s: s.statistics["elements"], lambda s: s.status):
        assert np.array_equal(of(whole), of(other))


def slow_currents(t: mr.Topology) -> None:
    """τ → ∞ between two leads: currents are the stationary ones averaged over the phase."""
    columns, _ = machines(t)
    columns = {name: np.repeat(values[:1], 500, axis=0) for name, values in columns.items()}
    columns["strength"][:] = [1.0, 0.4]
    columns["period"][:] = 1e6
    slow = mr.solve(t, columns)
    p = routes.parts(t, mr.pick(columns, 0), 2 * np.pi * np.arange(64) / 64)
    gamma = 1.0 * 0.4 / 1.4
    x = (p.energies[:, 1:] - p.energies[:, :1] - p.potential) / p.temperature
    f = 1 / (1 + np.exp(x))
    current = gamma * np.mean(f[:, 0] - f[:, 1])
    gross = gamma * np.mean(np.abs(f[:, 0] - f[:, 1]))
    assert abs(float(slow.particles["left"][0]) - current) < 1e-5 * gross


def fast_driving(t: mr.Topology) -> None:
    """τ → 0: populations see the mean rates; the work is the missing energy."""
    columns, _ = machines(t)
    columns = {name: np.repeat(values[:1], len(values), axis=0) for name, values in columns.items()}
    columns["period"][:] = 1e-5
    s = mr.solve(t, columns)
    p = routes.parts(t, mr.pick(columns, 0), 2 * np.pi * np.arange(64) / 64)
    w = routes.generator(t, p).mean(axis=0)
    populations = routes.stationary(np.where(np.eye(t.states, dtype=bool), 0, w))
    assert np.allclose(s.populations[0], populations, rtol=0, atol=1e-4)
    rows = routes.rows(t, p).mean(axis=0)[: len(t.baths)]
    assert np.allclose(np.asarray(s.energy.array)[0], rows @ populations, rtol=0, atol=1e-4 * np.max(np.abs(rows)))


CHECKS = {
    laws: tuple(t.name for t in mr.DRIVEN),
    collocation: ("driven dot", "dot, all driven", "driven two-dots", "driven ring-4"),
    dop853: tuple(t.name for t in mr.DRIVEN if t.states <= 5 and not has_kinks(t)),
    without_drive: ("driven two-dots",),
    only_energies_do_work: ("dot, driven potential",),
    means_of_baths: ("dot, all driven",),
    parts_of_a_batch: ("driven dot",),
    slow_currents: ("driven dot",),
    fast_driving: ("driven ring-5",),
}
EVERY = [(t, check) for t in mr.DRIVEN for check, names in CHECKS.items() if t.name in names]
CAMPAIGN = ("driven ring-3", "driven complete-4", "driven ladder-8", "driven degenerate-3")
CASES = [(t, check) for t, check in EVERY if t.name not in CAMPAIGN]
"""More than one loop is there in "driven ring-4", whose edge across makes two, and more states than are eliminated
without a loop in "driven ring-5"."""


@pytest.mark.parametrize(("t", "check"), CASES, ids=lambda c: getattr(c, "__name__", None) or c.name)
def test_random_machines(t, check):
    check(t)


def test_the_routes_agree_with_each_other():
    """The two routes against one another, and collocation against itself at twice the elements."""
    t = driven("dot, all driven")
    columns = mr.draw(t, np.random.default_rng(1), 3)
    columns["period"] = np.array([0.3, 5.0, 40.0])
    for k in range(3):
        point = mr.pick(columns, k)
        coarse, fine = (routes.period_by_collocation(t, point, n) for n in (64, 128))
        other = routes.period_by_dop853(t, point)
        for a, b, c in zip(coarse, fine, other, strict=True):
            size = np.max(np.abs(b)) + 1e-3
            assert np.max(np.abs(a - b)) < 1e-13 * size
            assert np.max(np.abs(b - c)) < 1e-10 * size


def test_kinks_of_rates_where_levels_cross_are_in_the_error():
    """Of 512 two-level machines those whose changes were small by chance, some that cross and some that do not."""
    t = mr._thermal("bent two", 2, [(0, 1), (0, 1)], ("ohmic", "glauber", "glauber"), driven=("energy",))
    columns = mr.draw(t, np.random.default_rng(3), 512)
    chosen = [0, 1, 3, 214, 242, 273, 298, 310, 350, 443, 477, 487]
    columns = {name: values[chosen] for name, values in columns.items()}
    s = mr.solve(t, columns)
    assert np.all(np.asarray(s.status) == 0)
    for k in range(len(chosen)):
        exact = routes.period_by_collocation(t, mr.pick(columns, k), 4096).energies
        # Two kinks in the reference, at 4096 elements, move its energies by some 1e-11 themselves.
        off = np.abs(np.asarray(s.ledger.energies[k]) - exact)
        assert np.all(off <= np.asarray(s.error.energies[k]) + 1e-10 * np.max(np.abs(exact)))


def test_kinks_of_energies_that_no_border_marks_are_in_the_error():
    """Levels |λ(t)| apart: found by looking, against DOP853 that stops and starts where λ changes its sign."""
    rng = np.random.default_rng(1)
    for k in range(44):
        mean, amplitude, omega, *rest = *rng.uniform([-1, 1, 0.3], [1, 3, 3]), *rng.uniform(0.4, 2, 2)
        temperatures, rates = np.array(rest), rng.uniform(0.1, 1, 2)
        if k not in (1, 43):
            continue
        cold, hot = map(cs.HeatBath, temperatures)
        found = cs.steady_state(
            cs.JumpNetwork(
                energies=lambda drives: jnp.array([0.0, 1.0]) * jnp.abs(drives["gap"]),
                baths={"cold": cold, "hot": hot},
                channels=[
                    cs.Channel(name, 0, 1, cs.Glauber(r)) for name, r in zip(("cold", "hot"), rates, strict=True)
                ],
                drives={"gap": cs.Cosine(amplitude, mean=mean)},
                period=2 * np.pi / omega,
            )
        )

        def slope(t, y, p=(mean, amplitude, omega, temperatures, rates)):
            gap = abs(p[0] + p[1] * np.cos(p[2] * t))
            flows = 2 * p[4] * (y[0] / (1 + np.exp(gap / p[3])) - (1 - y[0]) / (1 + np.exp(-gap / p[3])))
            return [-flows.sum(), *(gap * flows)]

        turn = np.arccos(-mean / amplitude)
        marks, ends = np.array([0.0, turn, 2 * np.pi - turn, 2 * np.pi]) / omega, []
        for y in np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]):
            for span in itertools.pairwise(marks):
                y = solve_ivp(slope, span, y, method="DOP853", rtol=3e-14, atol=1e-16).y[:, -1]
            ends.append(y)
        start = ends[0][0] / (1 - ends[1][0] + ends[0][0])
        exact = ((1 - start) * ends[0] + start * ends[1])[1:] * omega / (2 * np.pi)
        off = np.abs(np.asarray(found.heat.array) - exact)
        assert np.all(off <= np.asarray(found.error.heats) + 1e-13)


def test_what_is_not_known_to_be_smooth_counts_as_kinked():
    class Own(kinetics.Kinetics):
        detailed_balance = True

        def log_rates(self, step):
            return -jnp.abs(step.exponent) - step.exponent / 2, -jnp.abs(step.exponent) + step.exponent / 2

    laws = {
        kinetics.ANYHOW: [Own(), cs.Bosonic(lambda w: w), cs.Bosonic(cs.spectral.Tabulated([0.0, 9.0], [0.0, 1.0]))],
        kinetics.BENT: [cs.Bosonic(cs.Ohmic(0.1, 2.0))],
        kinetics.DIVERGING: [cs.Bosonic(0.1), cs.Bosonic(cs.spectral.Flat(0.1))],
        kinetics.SMOOTH: [cs.Bosonic(cs.spectral.Drude(0.1, 2.0)), cs.Glauber(1.0), cs.Explicit(1.0, 1.0, check=False)],
    }
    for smoothness, examples in laws.items():
        channels = [cs.Channel("bath", 0, 1, law) for law in examples]
        net = cs.JumpNetwork([0.0, 1.0], {"bath": cs.BosonBath(1.0)}, channels)
        assert net.smoothness().tolist() == [smoothness] * len(examples)
