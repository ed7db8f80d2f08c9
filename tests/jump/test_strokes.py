"""Strokes, switches and valves against products of matrix exponentials; borders, closed valves and their words."""

import functools
import itertools
from typing import NamedTuple

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import coldspot as cs
from coldspot.dynamics import solve_points

NAMES = ("g", "v")
"""A gate and a valve, which is closed at 0, opens left at 1, right at −1, and both at 2, and shifts energies, too."""


class Cycle(NamedTuple):
    """Values and durations (drive, step); temperatures and potentials of two leads; the period; a scale of rates."""

    values: np.ndarray
    durations: np.ndarray
    temperature: np.ndarray
    potential: np.ndarray
    period: float
    rate: float = 1.0


def energies_of(g, v):
    """Empty and filled; the level holds a product of the drives, whose work must be shared between them."""
    return [0.0 * g, 0.3 + g + 0.5 * v + 0.7 * g * v]


def left(v):
    return abs(v) * (v > 0)


def right(v):
    return abs(v) * abs(v - 1)


def network(c) -> cs.JumpNetwork:
    drives = {name: cs.Steps(c.values[k], c.durations[k]) for k, name in enumerate(NAMES)}
    return cs.JumpNetwork(
        energies=lambda d: jnp.stack(energies_of(d["g"], d["v"])),
        occupations=[0, 1],
        baths={
            "left": cs.ElectronBath(c.temperature[0], c.potential[0]),
            "right": cs.ElectronBath(c.temperature[1], c.potential[1]),
        },
        channels=[
            cs.Channel("left", 0, 1, lambda d: cs.Tunnelling(c.rate * left(d["v"]))),
            cs.Channel("right", 0, 1, lambda d: cs.Tunnelling(0.4 * c.rate * right(d["v"]))),
        ],
        drives=drives,
        period=c.period,
    )


# --------------------------------------------------------------------------- second route


def by_exponentials(c: Cycle) -> dict[str, np.ndarray]:
    """Averages over the period from exp(W t) in each piece; integrals by blocks (Van Loan, "Computing integrals

    involving the matrix exponential"). A sudden change is booked drive by drive, in their order and in the reverse.
    In multiple precision: exponentials of thousands of relaxation times cost doubles their last digits.
    """
    with mpmath.workdps(40):
        return {name: np.array(value, float) for name, value in _exactly(c).items()}


def _exactly(c: Cycle) -> dict[str, list]:
    ends = np.cumsum(c.durations, axis=1)
    borders = np.unique(np.round(np.concatenate([[0.0], ends.ravel()]), 13))
    borders[-1] = 1.0
    pieces = []
    for start, end in itertools.pairwise(borders):
        values = [v[np.searchsorted(e, (start + end) / 2)] for v, e in zip(c.values, ends, strict=True)]
        pieces.append((mpmath.mpf(end) - mpmath.mpf(start), [mpmath.mpf(v) for v in values]))
    propagators, gains = [], []
    for share, (g, v) in pieces:
        e = energies_of(g, v)
        block = mpmath.zeros(6)
        for bath, gamma in enumerate((c.rate * left(v), c.rate * right(v) * 2 / 5)):
            heat = e[1] - e[0] - c.potential[bath]
            x = heat / c.temperature[bath]
            up, down = gamma / (1 + mpmath.exp(x)), gamma / (1 + mpmath.exp(-x))
            block[:2, :2] += mpmath.matrix([[-up, down], [up, -down]])
            block[2 + bath, 0], block[2 + bath, 1] = heat * up, -heat * down
            block[4 + bath, 0], block[4 + bath, 1] = up, -down
        whole = mpmath.expm(block * share * c.period)
        propagators.append(whole[:2, :2])
        gains.append(whole[2:, :2])
    p = mpmath.eye(2)
    for one in propagators:
        p = one * p
    closed = p[1, 0] + p[0, 1] == 0  # a valve that never opens: any state stays
    state = mpmath.matrix([1, 0] if closed else [p[0, 1] / (p[1, 0] + p[0, 1]), p[1, 0] / (p[1, 0] + p[0, 1])])
    first, totals, works = state, mpmath.zeros(4, 1), [mpmath.mpf(0), mpmath.mpf(0)]
    for k, (propagator, gain) in enumerate(zip(propagators, gains, strict=True)):
        totals += gain * state
        state = propagator * state
        old, new = pieces[k][1], pieces[(k + 1) % len(pieces)][1]
        for order in ((0, 1), (1, 0)):
            now = list(old)
            for d in order:
                before = energies_of(*now)
                now[d] = new[d]
                works[d] += state[1] * (energies_of(*now)[1] - before[1]) / 2
    rates = [x / c.period for x in [*totals, *works]]
    return {"state": list(first), "heats": rates[:2], "particles": rates[2:4], "works": rates[4:]}


THIRDS = np.tile([1 / 3, 1 / 3, 1 / 6, 1 / 6], (2, 1))


def cycles() -> list[Cycle]:
    leads = (np.array([1.0, 0.7]), np.array([0.2, -0.1]))
    square = Cycle(
        np.array([[0.5, 0.5, 2.0, 2.0], [2.0] * 4]), np.tile([0.2, 0.17, 0.33, 0.3], (2, 1)),
        np.array([1.0, 0.7]), np.zeros(2), 5.0,
    )  # fmt: skip
    turnstile = Cycle(np.array([[-1.0, 0.4, 1.5, 1.5], [1.0, 0, -1.0, -1.0]]), THIRDS, *leads, 9.0)
    otto = Cycle(
        np.array([[1.0, 1.0, 0.4, 0.4], [1.0, 0, -1.0, 0]]), np.tile([0.4, 0.1, 0.4, 0.1], (2, 1)),
        np.array([3.0, 0.5]), np.zeros(2), 400.0,
    )  # fmt: skip
    rng = np.random.default_rng(7)
    drawn = []
    for period in (0.3, 4.0, 50.0, 3e4):
        durations = rng.dirichlet(np.full(4, 2.0), 2)
        # One border is common to both drives, as far as rounding lets it be.
        durations[1] *= durations[0, 0] / durations[1, 0]
        durations[1, 1:] *= (1 - durations[1, 0]) / durations[1, 1:].sum()
        drawn.append(Cycle(rng.normal(0, 1, (2, 4)), durations, rng.uniform(0.3, 2, 2), rng.normal(0, 0.5, 2), period))
    return [square, turnstile, otto, *drawn, turnstile._replace(rate=0.0)]


def _made(_, c):
    return network(c)


@functools.cache
def solved():
    found = cycles()
    stacked = Cycle(*(jnp.asarray(np.stack([getattr(c, f) for c in found])) for f in Cycle._fields))
    return found, solve_points(_made, None, stacked, jnp.asarray(1e-8))


def test_cycles_against_products_of_exponentials():
    """A square wave, a turnstile of thirds, an Otto cycle and random ones: heat, particles and work of each drive."""
    found, s = solved()
    for k, c in enumerate(found[:-1]):
        assert int(s.status[k]) == 0, k
        exact = by_exponentials(c)
        size = max(np.max(np.abs(exact["heats"])), np.max(np.abs(exact["works"])))
        flow = np.max(np.abs(exact["particles"])) + size
        for name, values, errors, top in (
            ("heats", s.ledger.heats, s.error.heats, size),
            ("works", s.ledger.works, s.error.works, size),
            ("particles", s.ledger.particle_numbers, s.error.particle_numbers, flow),
        ):
            off = np.abs(np.asarray(values)[k] - exact[name])
            assert np.max(off) < 1e-10 * top, (k, name, off / top)
            assert np.all(off <= np.asarray(errors)[k] + 1e-15 * top), (k, name, off, np.asarray(errors)[k])


def test_valves_that_never_open_leave_no_unique_state():
    found, s = solved()
    assert int(s.status[-1]) == int(cs.Status.NOT_UNIQUE)
    assert np.all(np.isnan(s.ledger.heats[-1]))
    words = network(found[-1]).explain(cs.Status.NOT_UNIQUE)
    assert "[0], [1]" in words
    assert "ever open" in words


def test_evolution_over_a_period_adds_up_to_the_periodic_ledger():
    """From the periodic state, with times at borders, between and in the second period; sudden changes are booked."""
    c = cycles()[3]._replace(period=4.0)
    exact = by_exponentials(c)
    border = float(c.durations[0, 0])
    shares = [0.05, border, 1.0, 1 + border, 2.0]
    e = cs.evolve(network(c), exact["state"], [x * c.period for x in shares])
    size = np.max(np.abs(exact["heats"])) * c.period
    for k, periods in ((2, 1), (4, 2)):
        for values, errors, name in (
            (e.amounts.heats, e.amounts_error.heats, "heats"),
            (e.amounts.works, e.amounts_error.works, "works"),
            (e.amounts.particle_numbers, e.amounts_error.particle_numbers, "particles"),
        ):
            off = np.abs(np.asarray(values)[k] - periods * exact[name] * c.period)
            assert np.all(off <= np.asarray(errors)[k] + 1e-12 * size), (name, k, off)
            assert np.max(np.asarray(errors)[k]) < 1e-5 * size
    assert np.allclose(np.asarray(e.populations)[[2, 4]], exact["state"], rtol=0, atol=1e-8)
    # What is behind a border is the same a period later.
    assert np.allclose(e.ledger.heats[1], e.ledger.heats[3], rtol=0, atol=1e-7 * size)
    assert np.all(np.abs(e.amounts.first_law_residual) <= e.amounts_error.first_law_residual)
    assert set(e.to_dataset().data_vars) >= {"heat_amount", "work_amount", "work_amount_error"}


def test_steps_and_kinked_samples():
    steps = cs.Steps([1.0, -2.0, 0.5], [0.2, 0.5, 0.3])
    phases = 2 * np.pi * np.array([0.0, 0.1, 0.2, 0.69, 0.71, 0.99, 1.1, -0.1])
    assert [float(steps(p)) for p in phases] == [1.0, 1.0, -2.0, -2.0, 0.5, 0.5, 1.0, 0.5]
    assert np.allclose(steps.borders(), [0.2, 0.7], rtol=0, atol=1e-16)
    kinked = cs.Samples([0.0, 1.0, 4.0, 1.0], kinked=True)
    shares = np.linspace(0, 1, 29)
    lines = np.interp(shares, np.arange(5) / 4, [0.0, 1.0, 4.0, 1.0, 0.0])
    assert np.allclose([kinked(2 * np.pi * x) for x in shares], lines, rtol=0, atol=1e-14)
    assert np.allclose(kinked.borders(), [0.25, 0.5, 0.75])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cs.Steps([1.0, 2.0], [0.5, 0.6]), ["durations", "1.1", "add up to 1"]),
        (lambda: cs.Steps([1.0, 2.0], [1.5, -0.5]), ["durations", "-0.5", "positive"]),
        (lambda: cs.Steps([1.0, 2.0], [1.0, 0.0]), ["durations", "positive"]),
        (lambda: cs.Steps([1.0, 2.0], [1.0]), ["values", "durations", "same length"]),
        (lambda: broken_at([7.0]), ["breaks", "7", "2π"]),
        (lambda: broken_at([-1.0]), ["breaks", "-1"]),
        (lambda: broken_at(1.0), ["breaks", "list"]),
        (lambda: broken_at([1.0], driven=False), ["breaks", "nothing is driven"]),
        (lambda: cs.Tunnelling(-0.1), ["gamma", "-0.1", "not negative"]),
        (lambda: cs.Explicit(1.0, 0.0), ["forward", "backward", "both"]),
    ],
)
def test_words(make, words):
    with pytest.raises(cs.InputError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)


def broken_at(breaks, driven: bool = True) -> cs.JumpNetwork:
    return cs.JumpNetwork(
        (lambda phase: jnp.stack([0.0, phase])) if driven else [0.0, 1.0],
        {"bath": cs.HeatBath(1.0)},
        [cs.Channel("bath", 0, 1, cs.Glauber(1.0))],
        period=2.0 if driven else None,
        breaks=breaks,
    )
