"""Conductors as machines: reference values, limits, laws, statuses."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot import Status
from tests.conductor.scattering import chain_sigma, landauer, solve
from tests.tolerance import assert_close

H = np.array([[0.3, 0.25], [0.25, -0.4]])


def wide(p):
    """Two sites between wide bands."""
    return cs.Conductor(
        [[p["level"], p["link"]], [p["link"], -0.4]],
        {
            "left": cs.WideBandLead(0, p["gamma"], cs.ElectronBath(p["t1"], p["m1"])),
            "right": cs.WideBandLead(1, 0.7, cs.ElectronBath(p["t2"], p["m2"])),
        },
    )


def dot(p):
    """One site between a chain and a lead given by a function."""
    return cs.Conductor(
        [[p["level"]]],
        {
            "left": cs.ChainLead(0, 1.0, p["contact"], cs.ElectronBath(p["t1"], p["m1"])),
            "right": cs.SelfEnergyLead(
                lambda energy: (
                    -0.5j
                    * p["gamma"]
                    * jnp.sqrt(jnp.maximum(1 - (energy / 4) ** 2, 0))
                    * jnp.where(energy < 3, 1.0, p["far"])
                ),
                0,
                cs.ElectronBath(p["t2"], p["m2"]),
            ),
        },
    )


def columns(points, **values):
    return {name: np.broadcast_to(np.asarray(value, float), (points,)) for name, value in values.items()}


def test_reference_values_of_two_sites():
    found = solve(
        lambda _, p: wide(p),
        columns(2, level=0.3, link=0.25, gamma=0.5, m1=[0.2, 0.5], t1=[0.1, 1.0], m2=[-0.1, -0.5], t2=[0.05, 0.3]),
    )
    energies = found.ledger.heats[:, 0] + found.ledger.chemical_works[:, 0]
    assert_close(found.ledger.particle_numbers[:, 0], [0.0156794214542012, 0.0260278180910688], 2e-14)
    assert_close(energies, [0.00160731402064958, 0.00355098860674448], 2e-14)


def test_symmetric_junctions_near_equilibrium_are_heated_by_halves():
    """Peltier heats of electrons and holes cancel: half of the Joule heat on each side is left, far smaller."""
    bias = 2.0 ** -np.array([10, 20, 30, 40])  # of which −.4 ± bias/2 are not rounded
    p = {"t1": 0.1, "t2": 0.1, "m1": bias / 2, "m2": -bias / 2}
    moved = p | {"m1": p["m1"] - 0.4, "m2": p["m2"] - 0.4}
    for found in (
        solve(lambda _, p: wide(p), columns(4, level=-0.4, link=0.25, gamma=0.7, **moved)),
        solve(lambda _, p: chain_pair(p), columns(4, level=0.0, contact=0.5, **p)),
    ):
        assert np.all(found.status == int(Status.OK))
        current, heats, errors = found.ledger.particle_numbers[:, 0], found.ledger.heats, found.error.heats
        assert_close(current / bias, np.full(4, current[1] / bias[1]), 2e-6)
        joule = -(bias * current / 2)[:, None]
        assert np.all(np.abs(heats - joule) <= errors)
        assert np.all(errors <= 1e-12 * 0.1 * current[:, None])
        assert np.all(np.abs(heats / joule - 1) <= 2e-4 * (bias / bias[-1])[:, None] ** -1)


def test_leads_that_depend_on_energy_against_plain_quadrature():
    cases = [
        {"level": 0.3, "contact": 0.6, "gamma": 0.4, "t1": 0.2, "m1": 0.3, "t2": 0.1, "m2": -0.2, "far": 1.0},
        {"level": 1.9, "contact": 0.5, "gamma": 0.2, "t1": 0.05, "m1": 1.8, "t2": 0.3, "m2": 1.5, "far": 1.0},
    ]
    found = solve(lambda _, p: dot(p), {name: [case[name] for case in cases] for name in cases[0]})
    assert np.all(found.status == int(Status.OK))
    for k, c in enumerate(cases):
        one = (0, lambda energy, c=c: chain_sigma(energy, 1.0, c["contact"]))
        other = (0, lambda energy, c=c: -0.5j * c["gamma"] * max(1 - (energy / 4) ** 2, 0.0) ** 0.5)
        ends = (c["t1"], c["m1"]), (c["t2"], c["m2"])
        breaks = (-4.0, -2.0, 2.0, 4.0, c["level"], c["m1"], c["m2"])
        particles, heat = (landauer([[c["level"]]], one, other, *ends, n, breaks) for n in (0, 1))
        assert_close(found.ledger.particle_numbers[k, 0], particles, 1e-11)
        assert_close(found.ledger.heats[k, 0], heat, 1e-11, scale=max(abs(heat), abs(particles)))


def test_narrow_resonances_are_found_wherever_they_lie():
    """The area of a resonance does not depend on where it lies between the potentials, nor on its width."""
    level = np.concatenate([np.linspace(-1.7, 1.7, 11), [1e-7, 0.4142135]])
    widths = 1e-6, 1e-10
    for contact in (np.sqrt(w) for w in widths):
        found = solve(
            lambda _, p: chain_pair(p),
            columns(len(level), level=level, contact=contact, t1=1e-9, m1=1.9, t2=1e-9, m2=-1.9),
        )
        assert np.all(found.status == int(Status.OK))
        # Γ = c²√(4−ε²) on both sides: ∫Γ²/((ε−E)²+Γ²)dε/2π = Γ/2, with Γ at the shifted level; small against 1.
        shifted = level + contact**2 * level
        expected = contact**2 * np.sqrt(4 - shifted**2) / 2
        assert_close(found.ledger.particle_numbers[:, 0], expected, 3 * contact**2 + 1e-12)


def chain_pair(p):
    return cs.Conductor(
        [[p["level"]]],
        {
            "left": cs.ChainLead(0, 1.0, p["contact"], cs.ElectronBath(p["t1"], p["m1"])),
            "right": cs.ChainLead(0, 1.0, p["contact"], cs.ElectronBath(p["t2"], p["m2"])),
        },
    )


STEP, WARM, COLD = 1e-6, 0.012, 0.01
BEST = 1.1445544409119055
"""Where x ln(1 + e^{−x}) is largest."""


@functools.cache
def channels():
    """A band that is open throughout: small differences in its middle, and generators at its edge."""
    t, x = 0.01, BEST * np.array([1.0, 0.999, 1.001])
    middle = {"t1": [t, t * (1 + STEP), t], "m1": [1e-6, 0.0, 0.0], "t2": [t, t, t * (1 + STEP)], "m2": [0.0] * 3}
    edge = {"t1": [WARM] * 3, "m1": -2 - x * WARM, "t2": [COLD] * 3, "m2": -2 - x * COLD}
    p = {name: np.concatenate([middle[name], edge[name]]) for name in middle}
    return solve(lambda _, p: chain_pair(p), columns(6, level=0.0, contact=1.0, **p))


def test_a_perfect_channel_carries_the_quanta_of_charge_and_heat():
    found, t = channels(), 0.01
    assert_close(found.ledger.particle_numbers[0, 0], 1e-6 / (2 * np.pi), 1e-12)
    # π²T²/6h per temperature: exact at any difference for a channel that is open throughout.
    expected = np.pi / 12 * t**2 * ((1 + STEP) ** 2 - 1)
    assert_close(found.ledger.heats[1, 0], expected, 1e-10)
    assert_close(found.ledger.heats[2, 1], expected, 1e-10)


def test_a_sharp_band_edge_generates_the_most_power():
    """R. S. Whitney, "Most efficient quantum thermoelectric at finite power output": x ln(1+e^{−x}) ΔT²/2π."""
    found, x = channels(), BEST * np.array([1.0, 0.999, 1.001])
    power = x * (WARM - COLD) * found.ledger.particle_numbers[3:, 0]
    assert_close(power, x * np.log1p(np.exp(-x)) * (WARM - COLD) ** 2 / (2 * np.pi), 1e-10)
    assert_close(-found.ledger.chemical_works[3:].sum(-1), power, 1e-10)
    assert power[0] > power[1:].max()
    # A₀π²k_B²ΔT²/h with his A₀ ≃ 0.0321.
    assert round(power[0] * 2 / np.pi / (WARM - COLD) ** 2, 4) == 0.0321


def test_laws_on_random_conductors():
    rng = np.random.default_rng(3)
    n = 16
    p = columns(
        n, level=rng.normal(size=n), link=rng.normal(size=n), gamma=10 ** rng.uniform(-4, 1, n), m2=rng.normal(size=n)
    )
    p |= {"t1": 10 ** rng.uniform(-3, 1, n), "t2": 10 ** rng.uniform(-3, 1, n), "m1": rng.normal(size=n)}
    p["t1"][0], p["m1"][0] = p["t2"][0], p["m2"][0]
    found = solve(lambda _, p: wide(p), p)
    assert np.all(found.status == int(Status.OK))
    assert np.all(found.ledger.heats[0] == 0)
    assert np.all(found.ledger.particle_numbers[0] == 0)
    entropy = -found.ledger.entropy_flows.sum(-1)
    assert np.all(entropy >= -1e-14 * np.abs(found.ledger.entropy_flows).max(-1))
    assert_close(found.ledger.particle_numbers.sum(-1), np.zeros(n), 1e-13, np.abs(found.ledger.particle_numbers).max())


def test_what_has_no_steady_state_is_a_status_in_a_batch_and_words_for_one():
    # A second site that touches nothing, between leads that do not agree on it.
    p = columns(3, level=0.3, link=[0.25, 0.0, 0.0], gamma=[0.5, 0.5, 0.0], t1=0.1, m1=0.5, t2=0.1, m2=-0.5)
    found = solve(lambda _, p: wide(p), p)
    assert [Status(int(s)).name for s in found.status] == ["OK", "OK", "NOT_UNIQUE"]
    one = wide({"level": 0.3, "link": 0.0, "gamma": 0.0, "t1": 0.1, "m1": 0.5, "t2": 0.1, "m2": -0.5})
    assert "a state at energy 0.3 with the level width 0.0e+00" in one.explain(Status.NOT_UNIQUE)


def test_a_self_energy_that_gives_electrons_is_refused_with_its_energy():
    bath = cs.ElectronBath(0.1)
    with pytest.raises(cs.InputError, match=r"retarded self-energy.*one is -0\.2"):
        cs.SelfEnergyLead(lambda energy: 0.1j, 0, bath)
    # It looks well where the lead's own bath is; the nodes further out find it.
    p = columns(2, level=0.3, contact=0.6, gamma=0.4, t1=2.0, m1=0.0, t2=0.1, m2=0.0, far=[1.0, -1.0])
    found = solve(lambda _, p: dot(p), p)
    assert [Status(int(s)).name for s in found.status] == ["OK", "INVALID"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda b: cs.Conductor([[0, 1], [2, 0]], {"l": cs.WideBandLead(0, 1.0, b)}), r"\[0, 1\] and \[1, 0\] are 1"),
        (
            lambda b: cs.Conductor([[0.0]], {"l": cs.WideBandLead(3, 1.0, b)}),
            "on site 3, but the sites are the integers 0",
        ),
        (lambda b: cs.Conductor([[0.0]], {}), "`leads` must be a mapping"),
        (lambda b: cs.Conductor([[0.0]], {1: cs.WideBandLead(0, 1.0, b)}), "each name` must be a str, but is 1"),
        (lambda b: cs.Conductor([[0.0, 1.0]], {"l": cs.WideBandLead(0, 1.0, b)}), "must be a square matrix"),
        (lambda b: cs.WideBandLead(0, -1.0, b), "eigenvalues ≥ 0"),
        (lambda b: cs.WideBandLead([0, 1], [[1.0, 0.0], [1.0, 1.0]], b), "must be Hermitian"),
        (lambda b: cs.WideBandLead([0, 1], [1.0, 2.0, 3.0], b), r"one per site \(2\)"),
        (lambda b: cs.WideBandLead([0, 0], 1.0, b), "twice"),
        (lambda b: cs.WideBandLead(-1, 1.0, b), "integer from 0"),
        (lambda b: cs.WideBandLead(0, 1.0, 0.1), "must be an ElectronBath"),
        (lambda b: cs.ChainLead(0, 0.0, 1.0, b), "must not be 0"),
        (lambda b: cs.SelfEnergyLead(0.1, 0, b), "must be a function"),
        (lambda b: cs.SelfEnergyLead(lambda energy: -1j * np.asarray(energy), 0, b), "`jnp.asarray` for `np.asarray`"),
        (lambda b: cs.SelfEnergyLead(lambda energy: np.zeros((2, 2)), 0, b), r"matrix \(1, 1\)"),
    ],
)
def test_bad_input_is_refused_in_words(make, words):
    with pytest.raises(cs.InputError, match=words):
        make(cs.ElectronBath(0.1))


@pytest.mark.parametrize(
    ("place", "width", "link"),
    [(-0.8427399, 1.8e-6, 1.2e-3), (-0.4026077, 2.3e-6, 6.3e-4), (0.2739234, 2.2e-8, 1.5e-4)],
)
def test_a_pole_of_a_self_energy_is_a_site_of_its_own_and_its_rounding_is_in_the_error(place, width, link):
    """A lead behind a narrow level, as a function that sees rounded energies, and as a second site."""
    place, width, link = (jnp.asarray(number) for number in (place, width, link))
    baths = {"a": cs.ElectronBath(0.1, 0.3), "b": cs.ElectronBath(0.15, -0.1)}
    behind = cs.SelfEnergyLead(lambda energy: link**2 / (energy - place + 1j * width), 0, baths["a"])
    one = cs.Conductor([[0.3]], {"a": behind, "b": cs.WideBandLead(0, 0.2, baths["b"])})
    leads = {"a": cs.WideBandLead(1, 2 * width, baths["a"]), "b": cs.WideBandLead(0, 0.2, baths["b"])}
    two = cs.Conductor(jnp.stack([jnp.stack([0.3, link]), jnp.stack([link, place])]), leads)
    found, expected = cs.steady_state(one), cs.steady_state(two)
    for name in ("particles", "heat"):
        off = abs(getattr(found, name)["b"] - getattr(expected, name)["b"])
        assert off <= getattr(found.error, name)["b"] + getattr(expected.error, name)["b"]
        assert off <= 1e-10 * abs(getattr(expected, name)["b"])


@pytest.mark.parametrize("sites", [2, 3])
def test_a_single_lead_is_in_equilibrium_and_nothing_fluctuates(sites):
    levels = 0.2 * (np.eye(sites, k=1) + np.eye(sites, k=-1))
    alone = cs.Conductor(levels, {"only": cs.WideBandLead(0, 0.1, cs.ElectronBath(0.5, 0.1))})
    s = cs.steady_state(alone)
    assert s.heat["only"] == s.particles["only"] == 0
    assert s.status == cs.Status.OK
    counted = cs.counting(alone, "particles", of="only")
    assert np.all(np.asarray(counted.cumulants(4).values) == 0)
