"""Random undriven machines of graphs of every kind: laws, honesty against multiple precision, symmetries.

Each graph is compiled once, its five hundred machines are solved once, and all that is known of them is checked.
`tests.campaign.random_graphs` does the same with many more graphs.
"""

import dataclasses
import functools

import hypothesis
import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st

import coldspot as cs
from coldspot.jump import quick
from coldspot.jump.assembly import members
from coldspot.jump.network import JumpNetwork
from tests import machines_random as mr
from tests import routes
from tests.jump.laws import ROUNDING, TINY, check_laws, check_schnakenberg, largest_rate
from tests.jump.test_stationary import dot_current

SIZES = {"ordinary": 250, "extreme": 150, "equilibrium": 40, "near equilibrium": 60}
POINTS = sum(SIZES.values())


def places(kind: str) -> range:
    """The points of a kind."""
    start = sum(size for other, size in SIZES.items() if mr.KINDS.index(other) < mr.KINDS.index(kind))
    return range(start, start + SIZES[kind])


@functools.lru_cache(maxsize=1)
def machines(t: mr.Topology) -> tuple[dict[str, np.ndarray], cs.Solution]:
    """Numbers of all kinds, and what they lead to."""
    rng = np.random.default_rng(len(t.edges) + 100 * t.states)
    columns = mr.join(*(mr.draw(t, rng, size, kind) for kind, size in SIZES.items()))
    return columns, mr.solve(t, columns)


def laws(t: mr.Topology) -> None:
    columns, s = machines(t)
    # Refused is what loses its digits to faster loops, and nothing else: an error above the tolerance is never OK.
    refused, tolerance = np.asarray(s.status) != 0, 1e-8
    largest, worst = (np.max(np.abs(np.asarray(a)), axis=-1) for a in (s.heat.array, s.error.heat.array))
    assert np.all(np.asarray(s.status)[refused] == cs.Status.NOT_CONVERGED)
    assert np.all(worst[refused] > tolerance * largest[refused])
    assert refused.mean() < 0.01
    check_laws(t, s)
    check_schnakenberg(t, columns, s)


def equilibrium(t: mr.Topology) -> None:
    """No flow of energy at all, and Gibbs' populations."""
    columns, s = machines(t)
    still = np.array(places("equilibrium"))
    assert np.all(np.asarray(s.energy.array)[still] == 0.0)
    assert set(np.ravel(s.regime[still])) == {"passive"}
    energies, temperature, potentials = (columns[name][still] for name in ("energies", "temperature", "potential"))
    electrons = [k for k, (_, kind) in enumerate(t.baths) if kind == "electron"]
    potential = potentials[:, electrons[:1]].sum(axis=1, keepdims=True)
    weight = -(energies - potential * np.array(t.occupations)) / temperature[:, :1]
    expected = np.exp(weight - weight.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.max(np.abs(np.asarray(s.populations)[still] / expected - 1)) < 1e-13


USEFUL = {"ordinary": 1e-11, "extreme": 1e-7, "equilibrium": None, "near equilibrium": 1e-9}
"""How large a reported error may be, beside the largest contribution of an edge."""


def honesty(t: mr.Topology) -> None:
    """True errors ≤ reported errors ≤ something useful; and the digits that are lost to nothing."""
    drawn = ((mr.draw(t, np.random.default_rng(5), POINTS, kind), size) for kind, size in SIZES.items())
    columns = mr.join(*({name: values[:size] for name, values in some.items()} for some, size in drawn))
    s, many = mr.solve(t, columns), t.states <= 4
    for kind, count in {"ordinary": 60, "extreme": 60, "equilibrium": 3, "near equilibrium": 30}.items():
        for k in places(kind)[: count if many else 12]:
            assert int(s.status[k]) == 0
            exact = routes.ledger_exactly(t, mr.pick(columns, k))
            check_against_exact(t, s, k, exact, USEFUL[kind])
            if kind == "ordinary":
                with mpmath.workdps(60):
                    assert abs(-mpmath.fsum(exact.entropy) / exact.schnakenberg - 1) < 1e-30
                assert abs(float(s.entropy_production[k]) / exact.schnakenberg - 1) < 1e-12
            if kind == "near equilibrium":
                largest = max(map(abs, exact.energies))
                for b in range(len(t.baths)):
                    # Differences of temperatures and potentials enter as given; 1e-12: some thousand rounding units.
                    assert abs(float(s.ledger.energies[k, b]) - exact.energies[b]) <= 1e-12 * largest


def check_against_exact(t: mr.Topology, s: cs.Solution, k: int, exact: routes.Exact, useful: float | None) -> None:
    """Energies, particles, entropy flows of each bath within the reported errors; and those not absurdly large."""
    for size, (name, values, errors, truth) in zip(
        exact.sizes,
        (
            ("energy", s.ledger.energies, s.error.energies, exact.energies),
            ("particles", s.ledger.particle_numbers, s.error.particle_numbers, exact.particles),
            ("entropy", s.ledger.entropy_flows, s.error.entropy_flows, exact.entropy),
        ),
        strict=True,
    ):
        for b in range(len(t.baths)):
            # Below 1e-290 floats lose digits; 1e-50 of order one is what the reference rounds in equilibrium.
            slack = mpmath.mpf("1e-50") if size < mpmath.mpf("1e-50") and useful is None else mpmath.mpf("1e-290")
            error = mpmath.mpf(float(errors[k, b])) + slack
            off = abs(float(values[k, b]) - truth[b])
            assert off <= error, f"{t.name}, point {k}, {name} of bath {b}: off by {float(off)}, said {float(error)}"
            if useful is not None:
                assert float(errors[k, b]) <= useful * size + mpmath.mpf("1e-290"), (t.name, k, name, b)


def names_mean_nothing(t: mr.Topology) -> None:
    """Baths in another order: the same flows."""
    columns, first = machines(t)
    order = np.roll(np.arange(len(t.baths)), 1)
    other = dataclasses.replace(t, name=t.name + ", other order", baths=tuple(t.baths[k] for k in order))
    second = mr.solve(other, columns | {name: columns[name][:, order] for name in ("temperature", "potential")})
    ordinary = np.array(places("ordinary"))
    for name in ("energies", "particle_numbers", "entropy_flows"):
        a, b = np.asarray(getattr(first.ledger, name))[:, order], np.asarray(getattr(second.ledger, name))
        sizes = np.asarray(getattr(first.error, name))[:, order] + np.asarray(getattr(second.error, name))
        assert np.all(np.abs(a - b) <= sizes + TINY), name
        if name == "energies":
            largest = np.max(np.abs(a[ordinary]), axis=-1, keepdims=True)
            assert np.all(np.abs(a - b)[ordinary] <= ROUNDING * largest)


def energies_may_be_shifted(t: mr.Topology) -> None:
    """A shift of all energies with the potentials changes nothing but the energy that particles carry."""
    columns = mr.draw(t, np.random.default_rng(5), POINTS)
    # Multiples of 2^-20, so that the shift itself is exact.
    for name in ("energies", "potential"):
        columns[name] = np.round(columns[name] * 2**20) / 2**20
    electrons = np.array([kind == "electron" for _, kind in t.baths])
    shift = 4.0
    moved = columns | {
        "energies": columns["energies"] + shift * np.array(t.occupations),
        "potential": columns["potential"] + shift * electrons,
    }
    first, second = mr.solve(t, columns), mr.solve(t, moved)
    top = largest_rate(second)[:, None]
    assert np.all(np.abs(first.heat.array - second.heat.array) < 1e-14 * top)
    assert np.all(np.abs(first.particles.array - second.particles.array) < 1e-14 * top)
    gain = np.asarray(second.energy.array - first.energy.array)
    assert np.all(np.abs(gain - shift * np.asarray(first.particles.array)) < 1e-14 * top)


def units_mean_nothing(t: mr.Topology) -> None:
    """Energies, temperatures and rates times c: particle rates times c, heats times c²."""
    columns, first = machines(t)
    unit = 1024.0
    scaled = columns | {name: columns[name] * unit for name in ("energies", "temperature", "potential", "strength")}
    second, some = mr.solve(t, scaled), np.array(places("ordinary"))
    particles = np.asarray(second.particles.array - first.particles.array * unit)
    heat = np.asarray(second.heat.array - first.heat.array * unit**2)
    # The error bounds of both; logarithms of the rates differ by ln c, and round differently.
    allowed = np.asarray(second.error.particle_numbers + first.error.particle_numbers * unit)
    assert np.all(np.abs(particles)[some] <= allowed[some])
    assert np.all(np.abs(heat)[some] <= np.asarray(second.error.heat.array + 2 * second.error.energies)[some])


def own_channels(t: mr.Topology) -> None:
    """Swapping two baths of one kind in a single channel moves heat, though the sum of all heats stays zero."""
    columns, s = machines(t)
    p = routes.parts(t, columns)
    populations, some = np.asarray(s.populations), np.array(places("ordinary"))
    for b, (name, _) in enumerate(t.baths):
        own, size = np.zeros(POINTS), np.zeros(POINTS)
        for k, e in enumerate(t.edges):
            if name in e.baths:
                out = np.exp(p.log_forward[:, k]) * populations[:, e.initial]
                back = np.exp(p.log_backward[:, k]) * populations[:, e.final]
                own += p.energy[:, b, k] * (out - back)
                size += np.abs(p.energy[:, b, k]) * (out + back)
        assert np.all((np.abs(own - np.asarray(s.energy[name])) <= 1e-13 * size)[some])


# Multiples of 1e-9: gaps of 1e-150 would only test where floats end.
_any_energy = st.one_of(st.floats(-5, 5), st.floats(-1e3, 1e3), st.sampled_from([0.0, 1.0])).map(lambda e: round(e, 9))
_any_temperature = st.one_of(st.floats(0.2, 5), st.floats(-3, 3).map(lambda e: 10.0**e))
_any_strength = st.one_of(st.floats(0.1, 10), st.floats(-300, 300).map(lambda e: 10.0**e))


@st.composite
def any_point(draw, t: mr.Topology):
    def numbers(strategy, *shape):
        size = int(np.prod(shape))
        return np.array(draw(st.lists(strategy, min_size=size, max_size=size))).reshape(1, *shape)

    n, baths, edges = t.states, len(t.baths), len(t.edges)
    electrons = np.array([kind == "electron" for _, kind in t.baths])
    energies = numbers(_any_energy, n)
    return {
        "energies": energies,
        "temperature": numbers(_any_temperature, baths),
        "potential": numbers(_any_energy, baths) * electrons,
        "strength": numbers(_any_strength, edges),
        "barrier": energies.max(axis=1, keepdims=True) + np.zeros((1, edges)),
        "fraction": numbers(st.floats(-1, 2), edges),
        "tilt": np.zeros((1, n)),
        "wave": np.zeros((1, n)),
        "sway": np.zeros((1, edges)),
        "amplitude": np.zeros(1),
        "phase": np.zeros(1),
        "period": np.ones(1),
    }


def any_numbers(t: mr.Topology) -> None:
    """Levels to ±1000, temperatures over six decades, rates over six hundred, degenerate levels."""
    found = []

    @hypothesis.given(any_point(t))
    def collect(columns):
        # A coupling spectrum is a function in plain numbers: far above its cut-off it is zero, and so not a rate.
        hypothesis.assume(t.name != "degenerate-8" or np.ptp(columns["energies"]) < 600)
        found.append(columns)

    collect()
    # As large a batch as elsewhere, so that no other program is compiled: all that was found, and the first again.
    found = found[:POINTS]
    columns = mr.join(*found, *[found[0]] * (POINTS - len(found)))
    s = mr.solve(t, columns)
    (wrong,) = np.nonzero(np.asarray(s.status))
    assert not wrong.size, mr.pick(columns, wrong[0])
    check_laws(t, s)


SMALL = ("dot", "ring-3", "two-dots", "assisted-4", "complete-4")
CHECKS = {
    laws: tuple(t.name for t in mr.STATIC),
    equilibrium: tuple(t.name for t in mr.STATIC),
    honesty: (*SMALL, "parallel-9", "ring-4", "bow-tie", "three-dots", "degenerate-dots", "two degenerate dots"),
    names_mean_nothing: SMALL,
    energies_may_be_shifted: ("dot", "two-dots", "three-dots"),
    units_mean_nothing: ("two-dots",),
    own_channels: ("two-dots",),
    any_numbers: ("dot", "two-dots", "assisted-4", "degenerate-8"),
}
EVERY = [(t, check) for t in mr.STATIC for check, names in CHECKS.items() if t.name in names]
ONES = ("dot", "parallel-9", "ring-3", "bow-tie", "two-dots", "assisted-4", "degenerate-8")
"""One graph of every kind, in the smallest size where a larger one is solved by the same code (loops that share a
state, and those of more than four states, are in the bow tie and in eight degenerate states, double edges and several
charges in the dots); the others, which the campaign has, take minutes to compile."""
FEWER = {names_mean_nothing: ("assisted-4",), any_numbers: ("dot", "two-dots", "assisted-4")}
"""What needs more programs. Another order of baths: with neutral edges, edges of leads and of two baths at once. Any
numbers need the sure way, too."""
CASES = [(t, check) for t, check in EVERY if t.name in FEWER.get(check, ONES)]


@pytest.mark.parametrize(("t", "check"), CASES, ids=lambda c: getattr(c, "__name__", None) or c.name)
def test_random_machines(t, check):
    check(t)


@pytest.mark.parametrize("kind", ["ordinary", "extreme", "near equilibrium"])
def test_honesty_on_thousands_of_dots(kind):
    """A thousand single dots of each kind against the closed form J = γ_Lγ_R/(γ_L+γ_R)·(f_L − f_R)."""
    rng = np.random.default_rng(6)
    for batch in range(2):
        columns = mr.draw(mr.DOT, rng, 500, kind)
        solution = mr.solve(mr.DOT, columns)
        values, errors = np.asarray(solution.ledger.particle_numbers), np.asarray(solution.error.particle_numbers)
        for k in range(500):
            numbers = (
                columns["energies"][k, 1],
                *columns["temperature"][k],
                *columns["potential"][k],
                *columns["strength"][k],
                columns["energies"][k, 0],
            )
            flow = dot_current(*(mpmath.mpf(float(v)) for v in numbers))
            for b, sign in ((0, 1), (1, -1)):
                value, error = float(sign * values[k, b]), float(errors[k, b])
                assert abs(value - flow) <= error + 1e-300, (batch, k, b)
                assert error <= 1e-11 * abs(flow) + 1e-290, (batch, k, b)


def test_a_flipped_channel_is_noticed(monkeypatch):
    """If one channel books its heat with the wrong sign, the laws do not hold: the checks above can fail."""
    honest, brief = JumpNetwork.snapshot, quick.glance
    t = mr.DOT
    columns = mr.draw(t, np.random.default_rng(7), POINTS)

    def flipped(self, phase):
        s = honest(self, phase)
        return s._replace(heat=s.heat.at[:, 0].multiply(-1.0))

    def at_a_glance(moment, deviating):
        g = brief(moment, deviating)
        owners = members(moment.channels, [name for name, _ in t.baths])
        signs = (np.where(np.array(own) == 1, -1.0, 1.0) for own in owners)
        return g._replace(heats=tuple(heat * sign for heat, sign in zip(g.heats, signs, strict=True)))

    # In the sure way that of the left lead, in the cheap one that of the right lead.
    for where, name, wrong, k in ((JumpNetwork, "snapshot", flipped, 1), (quick, "glance", at_a_glance, 0)):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, wrong)
            s = mr.one_way(k)(t, columns)
        with pytest.raises(AssertionError, match="first law"):
            check_laws(t, s)
    check_laws(t, mr.solve(t, columns))
