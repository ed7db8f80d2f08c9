"""Resonances and modes that are narrow beside everything else, wherever they stand: right, or said not to be."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

import coldspot as cs
from coldspot.conductor.pair_rates import integrated
from coldspot.dynamics import checked_tolerance, solve_points
from coldspot.machines import BosonJunction
from tests.conductor.junctions import NAMES, bose, solve

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
POSITIONS = np.linspace(-3.1, 3.3, 16)


def integral(function, marks, low=-60.0, high=60.0):
    """∫ of arrays of numbers by Gauss–Legendre panels, cut at distances that double from every mark (centre, width)."""
    cuts = {low, high}
    for centre, width in marks:
        steps = width * 2.0 ** np.arange(-1, 60)
        cuts |= {centre, *(centre + s * d for s in (-1, 1) for d in steps if d < 120)}
    ends = np.array(sorted(x for x in cuts if low <= x <= high))
    half = np.diff(ends)[:, None] / 2
    return np.sum(half * WEIGHTS * function((ends[:-1, None] + half) + half * NODES))


def fermi(x):
    return expit(-x)


def ledger(weights, t, mu, tp, omega):
    """Heats of left, right and phonons of a narrow mode; `weights` {(a, b): (function of (offset, centre), marks)}."""
    n, heat = bose(omega / tp), np.zeros(3)
    for (a, b), terms in weights.items():
        for function, centre, marks in terms:

            def net(y, power, function=function, centre=centre, a=a, b=b):
                x, edge = centre + y, mu[b] + omega
                one, other = (x - mu[a]) / t[a], (x - edge) / t[b]
                flow = fermi(one) * fermi(-other) * (1 + n) - fermi(-one) * fermi(other) * n
                # Of the mode's unit mass; moments about both potentials.
                moment = (1.0, x - mu[a], x - edge)[power]
                return function(y) * flow * moment / (4 * np.pi * omega)

            rate, upper, lower = (integral(lambda y, p=p: net(y, p), marks) for p in range(3))
            heat += np.array([upper if c == a else 0.0 for c in (0, 1, 2)])
            heat -= np.array([lower if c == b else 0.0 for c in (0, 1, 2)])
            heat[2] -= omega * rate
    return heat


@pytest.mark.parametrize("width", [1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("temperatures", [(0.7, 0.7), (0.7, 0.4)], ids=["one temperature", "two temperatures"])
def test_a_narrow_level_anywhere_in_the_window(width, temperatures):
    """A level so narrow that the other factors of the integrand are constant over it, but for its tails."""

    hot, cold = temperatures
    numbers = (POSITIONS, -0.4, width, 0.3, 0.5, 0.9, 0.0, hot, 0.2, cold, -0.3, 0.5)
    s = solve({name: np.broadcast_to(x, POSITIONS.shape) for name, x in zip(NAMES, numbers, strict=True)})
    assert list(s.status) == [0] * len(POSITIONS)
    for k, level in enumerate(POSITIONS):
        # A node's distance from the level is the variable, so that these panels too see the resonance.
        weights = {}
        for kind, shift in (((0, 1), -0.9), ((1, 0), 0.9)):

            def weight(y, shift=shift, level=level, kind=kind):
                centre = -0.4 if kind == (0, 1) else level
                other = (level + y + shift + 0.4) if kind == (0, 1) else (level + y + 0.9 + 0.4)
                del centre
                return 0.25 * 2 * width / (y**2 + width**2) * 0.6 / (other**2 + 0.09)

            # ε is the level itself in the first kind, and lies ω above it in the second.
            start = level if kind == (0, 1) else level + 0.9
            edges = [(e - start, 0.3) for e in (0.2, 0.6, -0.3, 1.1, -0.4, 0.5)]
            weights[kind] = [(weight, start, [(0.0, width), *edges])]
        exact = ledger(weights, temperatures, (0.2, -0.3), 0.5, 0.9)
        off, bound = np.abs(np.asarray(s.heat.array[k]) - exact), np.asarray(s.error.heats[k])
        top = np.max(np.abs(exact))
        assert np.all(off <= bound + 1e-11 * top), (level, off / top, bound / top)
        assert np.max(bound) <= 1e-8 * top


def device(width, level, damping=0.0):
    """A side level that decays with `width` only, through a weak link to a broad one, between two leads."""
    link = jnp.sqrt(width * 0.5) / 2
    return cs.conductor.PairJunction(
        cs.conductor.Device(
            jnp.array([[0.3, link, 0.2], [link, level, 0.0], [0.2, 0.0, -0.2]]),
            {"left": (0, 0.5), "right": (2, 0.8)},
        ),
        {(0, 2): 0.3, (0, 1): 0.4, (1, 2): 0.1},
        {"left": cs.ElectronBath(0.5, 0.4), "right": cs.ElectronBath(0.3, -0.2), "phonons": cs.BosonBath(0.4)},
        frequency=0.8,
        damping=damping,
    )


def devices(_, p):
    return device(p["width"], p["level"])


@pytest.mark.parametrize("width", [1e-3, 1e-6, 1e-9])
def test_a_narrow_resonance_of_a_device_anywhere_in_the_window(width):
    """Against a mesh that is finer everywhere; the error bounds the difference, and what it says is kept."""
    points = {"width": jnp.full(POSITIONS.size, width), "level": jnp.asarray(POSITIONS)}
    s = solve_points(devices, None, points, checked_tolerance(1e-8))
    allowed = {0} if width > 1e-6 else {0, int(cs.Status.NOT_CONVERGED)}
    assert set(map(int, s.status)) <= allowed
    for k in range(0, len(POSITIONS), 5):
        exact = by_diagonalisation(width, POSITIONS[k])
        off, bound = np.abs(np.asarray(s.heat.array[k]) - exact), np.asarray(s.error.heats[k])
        assert np.all(off <= bound + 1e-9 * np.max(np.abs(exact))), (POSITIONS[k], off, bound)


def by_diagonalisation(width, level):
    """The heats of `device`, by panels from each pole of G outwards; G as a sum over its poles."""
    link = np.sqrt(width * 0.5) / 2
    h = np.array([[0.3, link, 0.2], [link, level, 0.0], [0.2, 0.0, -0.2]])
    gammas = (np.diag([0.5, 0, 0]), np.diag([0, 0, 0.8]))
    poles, right = np.linalg.eig(h - 0.5j * sum(gammas))
    left = np.linalg.inv(right)
    m = np.array([[0, 0.4, 0.3], [0.4, 0, 0.1], [0.3, 0.1, 0]])
    t, mu, tp, omega = (0.5, 0.3), (0.4, -0.2), 0.4, 0.8
    n, heat = bose(omega / tp), np.zeros(3)
    narrow = poles[np.argmax(poles.imag)]

    def spectral(a, y, start):
        # y is the distance from `start`: nearer to the narrow pole than rounding of the sum.
        g = (right / ((start - poles.real) + y[..., None, None] - 1j * poles.imag)) @ left
        return g @ gammas[a] @ np.conj(np.swapaxes(g, -1, -2))

    # Cells about the narrow pole in ε and in ε − ω, cut in the middle between them.
    for start, low, high in ((narrow.real, -40.0, omega / 2), (narrow.real + omega, -omega / 2, 40.0)):
        marks = [(0.0, max(-narrow.imag, 1e-13))]
        marks += [
            (c - start, 0.2) for c in (*poles.real, *(poles.real + omega), mu[0], mu[1], mu[0] + omega, mu[1] + omega)
        ]
        for a, b in itertools.product((0, 1), repeat=2):

            def values(y, a=a, b=b, start=start):
                above = spectral(a, y, start)
                below = (
                    spectral(b, y, start - omega) if start < narrow.real + omega / 2 else spectral(b, y, narrow.real)
                )
                x = start + y
                one, other = (x - mu[a]) / t[a], (x - omega - mu[b]) / t[b]
                flow = fermi(one) * fermi(-other) * (1 + n) - fermi(-one) * fermi(other) * n
                return np.trace(m @ above @ m @ below, axis1=-2, axis2=-1).real * flow / (4 * np.pi * omega), x

            rate = integral(lambda y: values(y)[0], marks, low, high)
            upper = integral(lambda y, a=a: values(y)[0] * (values(y)[1] - mu[a]), marks, low, high)
            heat[a] += upper
            heat[b] -= upper + (mu[a] - omega - mu[b]) * rate
            heat[2] -= omega * rate
    return heat


DAMPINGS = 10.0 ** np.array([-12, -9, -7, -6, -5, -4, -1])


def test_any_damping_of_a_mode_is_solved_and_one_far_above_the_temperatures_is_not_cut_off():
    """From 1e-12 of the frequency up; the difference to a narrow mode is linear in a small damping.

    At Ω = 100 T the narrow mode's share e^{−Ω/T} is above the tail, which is as small as the damping.
    """

    plain = BosonJunction(left=cs.ElectronBath(1.2))
    assert plain.left.chemical_potential == 0
    assert plain.frequency == 1
    right, levels = plain.right, (plain.level_left, plain.level_right, plain.halfwidth_left, plain.halfwidth_right)
    usual = [1.2, 0.0, right.temperature, right.chemical_potential, plain.phonons.temperature]
    rows = [[damping, *usual] for damping in (*DAMPINGS, 0.0)]
    rows += [[damping, 0.01, 0.0, 0.01, -0.97, 0.01] for damping in (1e-12, 0.0)]
    table = np.array([[*levels, plain.element, plain.frequency, *row] for row in rows])
    s = solve(dict(zip(NAMES, table.T, strict=True)))
    assert list(s.status) == [0] * len(rows)
    heats, bounds = np.asarray(s.heat.array), np.asarray(s.error.heats)
    narrow = heats[len(DAMPINGS)]
    gap, bound = (np.max(np.abs(part), axis=-1)[: len(DAMPINGS)] for part in (heats - narrow, bounds))
    assert np.all(gap[:3] <= bound[:3] + 10 * DAMPINGS[:3] * np.max(np.abs(narrow)))
    slope = gap[3:6] / DAMPINGS[3:6]
    assert np.max(np.abs(slope / slope[0] - 1)) < 1e-2
    assert abs(heats[-2, 2] / heats[-1, 2] - 1) < 1e-6


def shifted(by, damping):
    return BosonJunction(
        level_left=0.5 + by, level_right=-0.25 + by, halfwidth_left=0.0625, frequency=0.75, damping=damping,
        left=cs.ElectronBath(0.5, 0.25 + by), right=cs.ElectronBath(0.25, by), phonons=cs.BosonBath(0.375),
    )  # fmt: skip


@pytest.mark.parametrize("damping", [0.0, 0.125])
def test_energies_shifted_by_1e4_leave_heat_and_its_bound(damping):
    """Binary fractions: the shifted numbers are exact, and so is every distance between them."""
    one, two = (cs.steady_state(shifted(by, damping)) for by in (0.0, 1e4))
    np.testing.assert_allclose(two.heat.array, one.heat.array, rtol=1e-14)
    np.testing.assert_allclose(two.error.heats, one.error.heats, rtol=1e-6)
    assert np.max(np.asarray(two.error.heats)) <= 1e-11 * np.max(np.abs(one.heat.array))


def test_energies_of_a_device_shifted_by_1e4_leave_heat_and_its_bound():
    def build(by):
        h = jnp.array([[0.5, 0.25], [0.25, -0.5]]) + by * jnp.eye(2)
        return cs.conductor.PairJunction(
            cs.conductor.Device(h, {"left": (0, 0.5), "right": (1, 0.75)}),
            {(0, 1): 0.5},
            {"left": cs.ElectronBath(0.5, 0.25 + by), "right": cs.ElectronBath(0.25, by), "p": cs.BosonBath(0.375)},
            frequency=0.75,
        )

    one, two = (cs.steady_state(build(by)) for by in (0.0, 1e4))
    scale = np.max(np.abs(one.heat.array))
    assert np.max(np.abs(np.asarray(two.heat.array) - np.asarray(one.heat.array))) <= 1e-11 * scale
    np.testing.assert_allclose(two.error.heats, one.error.heats, rtol=0.1)


def test_a_narrow_level_that_is_not_told_of_is_noticed():
    """The guard itself: features taken away, the panels' error says that something is there."""
    batch = jax.tree.map(
        lambda leaf: leaf[None], BosonJunction(halfwidth_left=1e-2, left=cs.ElectronBath(0.7)).dynamics()
    )
    pairs = eqx.filter_jit(lambda batch: batch._pairs(batch.frequency))(batch)
    integral = eqx.filter_jit(integrated)

    class Blind(type(pairs.weight)):
        def upper(self):
            return self.upper_energies, jnp.ones_like(self.upper_halfwidths)

        def lower(self):
            return self.lower_energies, jnp.ones_like(self.lower_halfwidths)

    exact, _ = integral(pairs)
    blind, errors = integral(eqx.tree_at(lambda p: p.weight, pairs, Blind(*jax.tree.leaves(pairs.weight))))
    off = np.abs(np.asarray(blind.net) - np.asarray(exact.net))
    assert np.max(off / np.abs(exact.net)) > 1e-9
    assert np.all(off <= np.asarray(errors.net))
