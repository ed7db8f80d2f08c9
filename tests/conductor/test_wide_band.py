"""Closed forms of wide bands against multiple precision and against the integral over energy."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import coldspot as cs
from coldspot.conductor.two_sites import closed_of_two
from coldspot.conductor.wide_band import by_nodes, closed, integrated, wide_flows
from coldspot.pytrees import Table

POINTS = 12


def stack(cases):
    """Cases (H, Γ_1, Γ_2, T_1, μ_1, T_2, μ_2) of two sites as one batch; the last one again to fill it."""
    cases = [*cases, *[cases[-1]] * (POINTS - len(cases))]

    def one(h, g1, g2, t1, m1, t2, m2):
        left = cs.WideBandLead(0, g1, cs.ElectronBath(t1, m1))
        return h, Table({"left": left, "right": cs.WideBandLead(1, g2, cs.ElectronBath(t2, m2))})

    columns = [jnp.asarray(np.array(column)) for column in zip(*cases, strict=True)]
    return jax.vmap(one)(columns[0] + 0j, *columns[1:])


INTEGRATED, FLOWS = jax.jit(integrated), jax.jit(wide_flows)
NODES = jax.jit(lambda h, leads: by_nodes(h, leads, jnp.asarray(1e-8)))


def exact(h, g1, g2, t1, m1, t2, m2):
    """Particles and heat into the first site, by poles in 60 digits."""
    with mp.workdps(60):
        h = mp.matrix([[mp.mpf(float(x)) for x in row] for row in h])
        h[0, 0] -= mp.mpc(0, mp.mpf(g1) / 2)
        h[1, 1] -= mp.mpc(0, mp.mpf(g2) / 2)
        mean, half = (h[0, 0] + h[1, 1]) / 2, (h[0, 0] - h[1, 1]) / 2
        root = mp.sqrt(half**2 + h[0, 1] * h[1, 0])
        poles = [mean + root, mean - root]
        # T = Γ_1Γ_2|t|²/Π(ε−λ)(ε−λ*), with residues at the poles in the lower half plane.
        top = mp.mpf(g1) * mp.mpf(g2) * abs(h[0, 1]) ** 2

        def whole(pole, mu, t):
            return mp.digamma(mp.mpf(1) / 2 + 1j * (pole - mp.mpf(mu)) / (2 * mp.pi * mp.mpf(t))) + mp.log(mp.mpf(t))

        values = [mp.mpf(0), mp.mpf(0)]
        for pole, other in (poles, poles[::-1]):
            residue = top / ((pole - other) * (pole - mp.conj(pole)) * (pole - mp.conj(other)))
            part = residue * (whole(pole, m1, t1) - whole(pole, m2, t2)) / mp.pi
            values[0] += part.real
            values[1] += ((pole - mp.mpf(m1)) * part).real
        return [float(v) for v in values]


ORDINARY = [[0.3, 0.25], [0.25, -0.4]]
CASES = {
    "ordinary": (ORDINARY, 0.5, 0.7, 0.1, 0.2, 0.05, -0.1),
    "cold": (ORDINARY, 0.5, 0.7, 1e-12, 0.2, 1e-9, -0.1),
    "hot": (ORDINARY, 0.5, 0.7, 1e3, 0.2, 999.0, -0.1),
    "small bias": (ORDINARY, 0.5, 0.7, 0.1, 0.2, 0.1, 0.2 - 1e-10),
    "small gradient": (ORDINARY, 0.5, 0.7, 0.1, 0.2, 0.1 * (1 + 1e-10), 0.2),
    "large bias": (ORDINARY, 0.5, 0.7, 0.1, 80.0, 0.1, -70.0),
    "narrow": ([[0.3, 0.25], [0.25, -0.4]], 3e-10, 1e-9, 0.1, 0.2, 0.05, -0.1),
    "weak link": ([[0.3, 1e-6], [1e-6, 0.3]], 0.5, 0.7, 0.1, 0.2, 0.05, -0.1),
    "exceptional point": ([[0.3, 0.05], [0.05, 0.3]], 0.5, 0.7, 0.1, 0.2, 0.05, -0.1),
    "near one": ([[0.3, 0.05 * (1 + 1e-9)], [0.05 * (1 + 1e-9), 0.3]], 0.5, 0.7, 0.1, 0.2, 0.05, -0.1),
    "tails": ([[30.0, 0.25], [0.25, 31.0]], 0.5, 0.7, 0.01, 0.2, 0.02, -0.1),
    "one site's levels": ([[0.0, 2.0], [2.0, 0.0]], 0.3, 0.3, 0.5, 0.1, 0.1, -0.1),
}


def test_currents_of_two_sites_are_those_in_multiple_precision_and_the_errors_are_honest():
    batch = stack(list(CASES.values()))
    found, check = FLOWS(*batch), INTEGRATED(*batch)
    for k, (name, case) in enumerate(CASES.items()):
        expected = limit(case) if name == "exceptional point" else exact(*case)
        scales = abs(expected[0]), max(abs(expected[1]), min(case[3], case[5]) * abs(expected[0]))
        for one, route in ((found, "found"), (check, "integral")):
            values = float(one.value.particles[k, 0]), float(one.value.heats[k, 0])
            errors = float(one.error.particles[k, 0]), float(one.error.heats[k, 0])
            for value, error, right, scale in zip(values, errors, expected, scales, strict=True):
                off = abs(value - right)
                # The elimination at each energy sees states that are spread over the sites and 1e-9 wide to 1e-7.
                assert off <= (1e-12 if route == "found" or name != "narrow" else 1e-8) * scale, (
                    name,
                    route,
                    off / scale,
                )
                assert off <= error + 4e-15 * scale, (name, route, off, error)


def limit(case):
    """At an exceptional point: the mean of its two sides, 1e-9 away, whose curvature is far below 1e-12."""
    sides = []
    for sign in (1, -1):
        link = 0.05 + sign * 1e-9
        sides.append(exact([[0.3, link], [link, 0.3]], *case[1:]))
    return list(np.mean(sides, axis=0))


def draw(rng, points):
    """Random conductors: widths over seven decades, temperatures over fifteen; half near equilibrium."""
    cases = []
    for k in range(points):
        h = rng.normal(size=(2, 2))
        t = 10 ** rng.uniform(-12, 3, 2)
        mu = rng.normal(size=2) * 10 ** rng.uniform(-1, 1)
        if k % 2:
            t[1], mu[1] = t[0] * (1 + 1e-9 * rng.normal()), mu[0] + 1e-9 * t[0] * rng.normal()
        g = 10 ** rng.uniform(-6, 1, 2)
        cases.append((h + h.T, g[0], g[1], t[0], mu[0], t[1], mu[1]))
    return cases


@pytest.mark.parametrize("seed", range(4))
def test_both_routes_agree_within_their_errors(seed):
    batch = stack(draw(np.random.default_rng(seed), POINTS))
    one, other = FLOWS(*batch), INTEGRATED(*batch)
    assert np.all(other.converged)
    for part in ("heats", "particles"):
        values = [np.asarray(getattr(found.value, part)) for found in (one, other)]
        errors = [np.asarray(getattr(found.error, part)) for found in (one, other)]
        rounding = 1e-15 * np.abs(values[1]).max(1, keepdims=True)
        assert np.all(np.abs(values[0] - values[1]) <= errors[0] + errors[1] + rounding)


def ways(cases):
    """What panels of nodes find, and where they are sure of it; and the expected numbers."""
    found, undecided = NODES(*stack(cases))
    sure = [k for k in range(len(cases)) if not undecided[k]]
    return found, sure, [limit(c) if c is CASES["exceptional point"] else exact(*c) for c in cases]


OFF_RESONANCE = [
    # Between leads that see the tails of all levels, and near exceptional points: what closed forms lose digits of.
    ([[0.86, 0.25], [0.25, -0.88]], 0.11, 1.64, 5e-10, -2e-5, 0.0187, -4e-4),
    ([[0.426, 0.149], [0.149, 0.132]], 0.243, 0.144, 6e-11, 8e-6, 1e-5, -3.4e-4),
    ([[0.1, 0.4], [0.4, 0.2]], 0.3, 0.2, 0.06, -2.0, 0.05, -1.8),
    ([[0.1, 0.4], [0.4, 0.2]], 0.3, 0.2, 900.0, -2.0, 1000.0, -1.8),
]


def test_panels_of_nodes_keep_the_digits_that_closed_forms_lose():
    cases = [CASES[name] for name in ("ordinary", "hot", "large bias", "exceptional point", "near one", "tails")]
    # Distances between levels are not those of their distances from potentials.
    cases += [*OFF_RESONANCE, ([[0.1, 0.2], [0.2, -0.1]], 0.3, 0.4, 0.1, 300.0, 0.1, -300.0)]
    found, sure, expected = ways(cases)
    assert len(sure) >= 8
    for k in sure:
        scales = abs(expected[k][0]), max(abs(expected[k][1]), min(cases[k][3], cases[k][5]) * abs(expected[k][0]))
        for part, right, scale in zip(("particles", "heats"), expected[k], scales, strict=True):
            value, error = (float(getattr(side, part)[k, 0]) for side in (found.value, found.error))
            assert abs(value - right) <= 5e-14 * scale, (k, part)
            assert abs(value - right) <= error <= 1e-12 * scale + 1e-15, (k, part)


def test_a_closed_form_that_loses_digits_says_so():
    """With a cold and a warm lead far from the levels, digamma functions cancel."""
    found = FLOWS(*stack(OFF_RESONANCE))
    for k, case in enumerate(OFF_RESONANCE):
        for part, right in zip(("particles", "heats"), exact(*case), strict=True):
            value, error = (float(getattr(side, part)[k, 0]) for side in (found.value, found.error))
            assert abs(value - right) <= error


def test_panels_with_three_leads_on_both_sites_are_those_of_plain_quadrature():
    gammas = [np.diag([0.4, 0.1]), np.diag([0.2, 0.3]), np.array([[0.2, 0.1j], [-0.1j, 0.3]])]
    baths = [(0.1, 0.3), (0.2, -0.2), (0.05, 0.0)]

    def one(h):
        widths = [gammas[0].diagonal(), gammas[1].diagonal(), gammas[2]]
        leads = {f"{k}": cs.WideBandLead([0, 1], widths[k], cs.ElectronBath(*baths[k])) for k in range(3)}
        return h, Table(leads)

    matrices = np.array([[[0.2, h], [np.conj(h), -0.1]] for h in (0.3, 0.3 * np.exp(0.7j))])
    found, undecided = NODES(*jax.vmap(one)(jnp.asarray(matrices)))
    assert not np.any(undecided)
    # Equal steps: Fermi functions and Green's functions are analytic within .15 of the axis.
    x = np.arange(-9, 9, 0.02)
    f = np.array([0.5 - 0.5 * np.tanh((x - mu) / (2 * t)) for t, mu in baths])
    for k, h in enumerate(matrices):
        green = np.linalg.inv(x[:, None, None] * np.eye(2) - h + 0.5j * sum(gammas))
        back = green.conj().swapaxes(1, 2)
        passed = np.array([[np.trace(a @ green @ b @ back, axis1=1, axis2=2).real for b in gammas] for a in gammas])
        flows = np.sum(passed * (f[:, None] - f), axis=1) * 0.02 / (2 * np.pi)
        expected = np.concatenate([np.sum(flows, 1), np.sum(flows * (x - np.array(baths)[:, 1:]), 1)])
        got = np.concatenate([np.asarray(part)[k] for part in found.value])
        errors = np.concatenate([np.asarray(part)[k] for part in found.error])
        assert np.all(np.abs(got - expected) <= 1e-14)
        assert np.all(errors <= 1e-14)


OF_TWO = jax.jit(lambda h, leads: closed_of_two(h, leads, ~(h[0, 0, 0].real < -1e300)))


def close_to_exceptional(rng):
    """Two levels whose poles all but coalesce: d and |t| − |Γ_1−Γ_2|/4 over eleven decades."""
    g, level = 10 ** rng.uniform(-1, 0.3, 2), rng.normal()
    link = abs(g[0] - g[1]) / 4 * (1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-12, -1))
    h = np.array([[level, link], [link, level + 10 ** rng.uniform(-12, -1)]])
    t, mu = 10 ** rng.uniform(-2, 1, 2), rng.normal(size=2)
    return h, g[0], g[1], t[0], mu[0], t[1], mu[1]


def test_the_form_for_two_sites_has_honest_errors_also_near_exceptional_points():
    rng = np.random.default_rng(11)
    for cases in (list(CASES.values()), draw(rng, POINTS), [close_to_exceptional(rng) for _ in range(POINTS)]):
        found, dark = OF_TWO(*stack(cases))
        assert not np.any(dark)
        for k, case in enumerate(cases):
            if case is not CASES["exceptional point"]:
                for part, right in zip(("particles", "heats"), exact(*case), strict=True):
                    value, error = (float(getattr(side, part)[k, 0]) for side in (found.value, found.error))
                    assert abs(value - right) <= error, (k, part, value - right, error)


def test_the_form_for_two_sites_is_that_of_any_matrix_with_leads_on_both_sites():
    def one(h, widths, baths):
        left, right = (cs.ElectronBath(*bath) for bath in baths)
        return h, Table({"l": cs.WideBandLead([0, 1], widths[0], left), "r": cs.WideBandLead([1, 0], widths[1], right)})

    rng = np.random.default_rng(3)
    h = rng.normal(size=(POINTS, 2, 2)) + 1j * rng.normal(size=(POINTS, 2, 2))
    h[0] = np.diag([0.1, 0.4])  # levels that nothing links
    baths = np.stack([rng.uniform(0.05, 1, (POINTS, 2)), rng.normal(size=(POINTS, 2))], -1)
    batch = jax.vmap(one)(h + h.conj().swapaxes(1, 2), rng.uniform(0.05, 1, (POINTS, 2, 2)), baths)
    (found, dark), other = OF_TWO(*batch), jax.jit(closed)(*batch)
    assert not np.any(dark)
    for part in ("heats", "particles"):
        values = [np.asarray(getattr(side.value, part)) for side in (found, other)]
        errors = [np.asarray(getattr(side.error, part)) for side in (found, other)]
        assert np.all(np.abs(values[0] - values[1]) <= errors[0] + errors[1])
        assert np.all(errors[0] <= 1e-11)


def test_a_state_that_no_lead_touches_is_left_to_the_form_of_any_matrix():
    cases = [([[0.1, 0.0], [0.0, 0.3]], 0.4, 0.0, 0.1, 0.2, 0.1, -0.1), CASES["ordinary"]]
    assert OF_TWO(*stack(cases))[1].tolist() == [True] + [False] * (POINTS - 1)
