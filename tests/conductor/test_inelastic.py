"""Modes on a conductor: the complete ledger of second order against reference values, quadrature and the laws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs
from coldspot import Status
from coldspot.conductor.hartree import hartree
from coldspot.conductor.inelastic import Bosons, inelastic
from coldspot.conductor.poles import poles_of, undecided
from coldspot.conductor.second_order import second_order
from coldspot.pytrees import Table
from tests.conductor.scattering import fermi, green, solve
from tests.optimised import OPTIONS
from tests.tolerance import assert_close

REFERENCE = {
    "link": 0.3,
    "phase": 0.0,
    "own": 0.0,
    "t1": 0.3,
    "m1": -0.25,
    "t2": 0.3,
    "m2": 0.25,
    "tp": 0.3,
    "damping": 0.0,
}
BIASED = REFERENCE | {"link": 0.2, "phase": 1.1, "own": 0.1, "t2": 0.2, "m2": 0.4, "tp": 0.5}
BROAD = BIASED | {"damping": 0.4}
APART = BIASED | {"link": 0.0}


def junction(p):
    """Two sites with a link of any phase, and a mode that moves a level and the link; without damping it is narrow.

    The static shift of the levels is in the ledger.
    """
    link = p["link"] * jnp.exp(1j * p["phase"])
    baths = {"phonons": cs.BosonBath(p["tp"])}
    modes = cs.Modes([0.8], [[[p["own"], 0.3], [0.3, 0.0]]], baths, jnp.reshape(p["damping"], 1), hartree=True)
    return cs.Conductor(
        [[0.4, link], [jnp.conj(link), -0.4]],
        {
            "left": cs.WideBandLead(0, 0.2, cs.ElectronBath(p["t1"], p["m1"])),
            "right": cs.WideBandLead(1, 0.2, cs.ElectronBath(p["t2"], p["m2"])),
        },
        modes=modes,
    )


def build(_, p):
    return junction(p)


@pytest.fixture(scope="module")
def found():
    """The reference, one with everything different, equilibrium, and random ones."""
    rng = np.random.default_rng(5)
    equilibrium = BIASED | {"t1": 0.25, "m1": 0.1, "t2": 0.25, "m2": 0.1, "tp": 0.25}
    cases = [REFERENCE, BIASED, equilibrium, BROAD, APART]
    for _ in range(7):
        t, mu = 10 ** rng.uniform(-1.5, 0, 3), rng.normal(size=2)
        random = {"link": rng.uniform(0, 0.5), "phase": rng.uniform(0, 6), "own": rng.normal() / 4}
        cases.append(random | {"t1": t[0], "m1": mu[0], "t2": t[1], "m2": mu[1], "tp": t[2], "damping": 0.0})
    return solve(build, {name: [case[name] for case in cases] for name in REFERENCE})


def test_the_reference_junction_cools_its_mode_at_the_cop_of_the_whole_ledger_with_the_shift_and_without(found):
    made, whole = junction(REFERENCE), found.ledger.chemical_works[0].sum()
    assert_close(found.ledger.heats[0, 2], 0.00425375, 2e-6)
    assert_close(found.ledger.heats[0, 2] / whole, 0.6574, 0.5e-4 / 0.6574)
    shift, *_ = jax.jit(hartree)(made.hamiltonian, made.leads, made.modes)
    work = whole - shift.particles @ np.array([REFERENCE["m1"], REFERENCE["m2"]])
    assert_close(work, 0.0055539, 1e-5)
    assert_close(found.ledger.heats[0, 2] / work, 0.7659, 2e-5)


def test_levels_that_do_not_mix_have_the_pairs_of_electrons_and_holes_alone(found):
    """The list of energies takes another way, by kinds of pairs, than the matrix."""
    p, made = APART, junction(APART)
    listed = cs.steady_state(cs.Conductor([0.4, -0.4], made.leads, made.modes))
    assert_close(listed.heat.array, found.ledger.heats[4], 1e-12, np.abs(found.ledger.heats[4]).max())
    assert_close(listed.particles.array, found.ledger.particle_numbers[4], 1e-12, abs(listed.particles["left"]))
    alone = cs.steady_state(cs.conductor.PairJunction.of(junction(p | {"link": 0.2})))
    assert bool(alone.flags["inelastic only"])
    with pytest.raises(cs.InputError, match="has 1 `modes`, counted from 0, but `mode` is 1"):
        cs.conductor.PairJunction.of(made, 1)


def test_particles_and_energy_are_conserved_and_nothing_flows_in_equilibrium(found):
    assert np.all(found.status == int(Status.OK))
    ledger = found.ledger
    energies = ledger.heats + ledger.chemical_works
    assert_close(energies.sum(-1), np.zeros(len(energies)), 2e-13, np.abs(ledger.heats).max(-1) + 1e-300)
    particles = ledger.particle_numbers
    assert_close(particles.sum(-1), np.zeros(len(particles)), 2e-13, np.abs(particles).max(-1) + 1e-300)
    assert np.max(np.abs(ledger.heats[2])) < 1e-18
    assert np.max(np.abs(particles[2])) < 1e-18


def test_small_currents_of_leads_and_mode_are_reciprocal():
    """L_ab = L_ba of heat and particles on the left and heat of the mode, by differences of the whole ledger."""
    still = BIASED | {"phase": 0.0, "t1": 0.25, "m1": 0.1, "t2": 0.25, "m2": 0.1, "tp": 0.25}
    step = 1e-4
    moved = [still | {name: still[name] + s * step} for name in ("t1", "m1", "tp") for s in (1, -1)]
    found = solve(build, {name: [case[name] for case in moved] for name in REFERENCE})
    ledger = found.ledger
    fluxes = np.stack([ledger.heats[:, 0], ledger.particle_numbers[:, 0], ledger.heats[:, 2]], -1)
    onsager = (fluxes[::2] - fluxes[1::2]).T / (2 * step) * np.array([0.25**2, 0.25, 0.25**2])
    assert np.abs(onsager[2, 1]) > 1e-2 * np.abs(onsager).max()
    # Differences leave (δ/T)²/6 of each, twice that where potentials and temperatures meet.
    assert_close(onsager, onsager.T, 2e-7, np.abs(onsager).max())


def test_the_energy_into_the_mode_is_that_of_plain_quadrature(found):
    p = BIASED
    link = p["link"] * np.exp(1j * p["phase"])
    h = np.array([[0.4, link], [np.conj(link), -0.4]])
    m = np.array([[p["own"], 0.3], [0.3, 0.0]])
    number = 1 / np.expm1(0.8 / p["tp"])
    baths = (p["t1"], p["m1"]), (p["t2"], p["m2"])

    def spectral(energy):
        g = green(h, [(0, -0.1j), (1, -0.1j)], energy)
        return [0.2 * np.outer(g[:, a], g[:, a].conj()) for a in (0, 1)]

    def power(energy):
        above, below = spectral(energy), spectral(energy - 0.8)
        total = 0.0
        for a in (0, 1):
            for b in (0, 1):
                f = fermi((energy - baths[a][1]) / baths[a][0])
                g = fermi((energy - 0.8 - baths[b][1]) / baths[b][0])
                net = f * (1 - g) * (number + 1) - (1 - f) * g * number
                total += np.trace(m @ above[a] @ m @ below[b]).real * net / 2
        return total / (2 * np.pi)

    points = [-0.5, -0.25, 0.3, 0.4, 0.55, 1.2]
    expected = quad(power, -15, 15, points=points, epsabs=1e-15, epsrel=1e-12, limit=400)[0]
    assert_close(-found.ledger.heats[1, 2], expected, 1e-11)


def test_the_energy_into_a_mode_of_finite_width_is_that_of_plain_quadrature(found):
    p, damping, made = BROAD, BROAD["damping"], junction(BROAD)
    h, m = np.asarray(made.hamiltonian), np.asarray(made.modes.couplings[0])
    baths = (p["t1"], p["m1"]), (p["t2"], p["m2"])
    # The trapezoidal rule on the whole line, with ω = eˣ.
    energies = np.linspace(-14.0, 14.0, 2801)
    omegas = np.exp(np.linspace(-16.0, 3.2, 385))

    def spectral(energy):
        g = np.linalg.inv(energy[:, None, None] * np.eye(2) - h + 0.1j * np.eye(2))
        return [0.2 * g[:, :, a, None] * g[:, None, :, a].conj() for a in (0, 1)]

    powers, above = [], spectral(energies)
    filled = [fermi((energies - mu) / t) for t, mu in baths]
    for omega in omegas:
        number, below = 1 / np.expm1(omega / p["tp"]), spectral(energies - omega)
        net = np.zeros_like(energies)
        for a in (0, 1):
            for b in (0, 1):
                lower = fermi((energies - omega - baths[b][1]) / baths[b][0])
                rate = filled[a] * (1 - lower) * (number + 1) - (1 - filled[a]) * lower * number
                net += np.einsum("ij,njk,kl,nli->n", m, above[a], m, below[b]).real * rate
        shape = 2 * damping * omega / ((omega**2 - 0.64) ** 2 + (damping * omega) ** 2)
        powers.append(omega * shape * net.sum() * (energies[1] - energies[0]) / (2 * np.pi))
    expected = np.sum(np.array(powers) * omegas) * np.log(omegas[1] / omegas[0]) / (2 * np.pi)
    assert_close(-found.ledger.heats[3, 2], expected, 1e-7)


def test_slopes_in_equilibrium_see_a_needle_in_the_damping_where_nothing_flows():
    """Panels of frequencies must follow what passes both ways: the net flows, which are 0, would resolve nothing.

    What the needle adds is linear in the mode's spectral function: narrow modes at the frequencies of the needle.
    """
    t, omega, at, damping = 0.3, 0.8, 1.37, 0.05
    lorentz, gauss = 2e-4, 2e-3  # the one shows in its tails, the other nowhere else
    h, coupling = jnp.asarray([[0.4 + 0j]]), jnp.asarray([[0.2 + 0j]])

    def leads(mu):
        baths = cs.ElectronBath(t, mu), cs.ElectronBath(t)
        return Table({name: cs.WideBandLead(0, 0.3, bath) for name, bath in zip("lr", baths, strict=True)})

    def flows(found, energy):
        return jnp.concatenate([found.particles, found.heats, jnp.atleast_1d(energy)])

    def loss(w, strengths):
        away = w - at
        needles = strengths[0] / (1 + (away / lorentz) ** 2) + strengths[1] * jnp.exp(-((away / gauss) ** 2))
        return (damping + needles) * w

    @functools.partial(jax.jit, compiler_options=OPTIONS)
    def slopes(strengths):
        def of(mu):
            modes = cs.Modes([omega], coupling[None], {"phonons": cs.BosonBath(t)}, [lambda w: loss(w, strengths)])
            value, _, converged = second_order(h, leads(mu), modes)
            return flows(value, value.energies), converged

        return jax.jvp(of, (jnp.zeros(()),), (jnp.ones(()),), has_aux=True)

    @jax.jit
    def narrow(frequencies):
        def one(w):
            def of(mu):
                value, *_ = inelastic(h, leads(mu), Bosons(w, coupling, jnp.asarray(t)))
                return flows(value, value.energy)

            return jax.jvp(of, (jnp.zeros(()),), (jnp.ones(()),))[1]

        return jax.lax.map(one, frequencies)

    still, without, _ = slopes(jnp.zeros(2))
    assert not np.any(still)
    x, weights = np.polynomial.legendre.leggauss(16)
    for strengths, width, doublings in (((0.1, 0.0), lorentz, 13), ((0.0, 0.1), gauss, 4)):
        _, found, converged = slopes(jnp.asarray(strengths))
        assert bool(converged)
        steps = np.array([0.0, *2.0 ** np.arange(doublings)])
        edges = at + width * np.concatenate([-steps[:0:-1], steps])
        w = ((edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * x).ravel()
        each = (np.diff(edges)[:, None] / 2 * weights).ravel()
        with_needle, plain = (
            2 * w * one / ((w**2 - omega**2) ** 2 + one**2) / np.pi for one in (loss(w, strengths), loss(w, (0.0, 0.0)))
        )
        added = (each * (with_needle - plain)) @ np.asarray(narrow(jnp.asarray(w)))
        assert np.abs(added).max() > 5e-6 * np.abs(found).max()
        assert_close(found - without, added, 1e-7, np.abs(found).max())


def test_a_mode_that_electrons_pump_without_limit_is_an_error_with_its_rates():
    quiet, pumped = (junction(REFERENCE | {"link": 0.0, "m1": mu, "m2": -mu}) for mu in (0.0, 2.0))
    populations = cs.mode_populations(quiet)
    assert_close(populations.effective_temperatures, [0.3], 1e-12)
    assert_close(populations.effective_chemical_potentials, [0.0], 1e-12, scale=1.0)
    with pytest.raises(cs.SolveError, match="electrons emit into mode 0 at the rate"):
        cs.mode_populations(pumped)
    assert not cs.mode_populations(pumped, throw=False).stable[0]


def test_residues_of_the_poles_have_derivatives():
    h, widths = (
        jnp.array([[0.4, 0.3], [0.3, -0.4]]) + 0j,
        jnp.stack([jnp.diag(jnp.array(d)) for d in ([0.2, 0.0], [0.0, 0.3])]),
    )
    change = jnp.array([[0.7, 0.1 + 0.2j], [0.1 - 0.2j, -0.3]])

    @jax.jit
    def at(x):
        poles = poles_of(h + x * change, widths + 0j)
        order = jnp.argsort(poles.places.real)
        return jnp.concatenate([poles.places[order], poles.residues()[:, order].reshape(-1)])

    _, slope = jax.jvp(at, (0.0,), (1.0,))
    step = 1e-5
    assert_close(slope, (at(step) - at(-step)) / (2 * step), 1e-8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda b: cs.Modes([0.8], [[[0.0, 1.0], [0.5, 0.0]]], {"b": b}), r"couplings\[0\]` must be Hermitian"),
        (lambda b: cs.Modes([0.8, 1.0], [[[0.0]]], {"b": b}), r"\(mode, site, site\) with 2 mode\(s\)"),
        (lambda b: cs.Modes([-0.8], [[[0.0]]], {"b": b}), "must be positive"),
        (lambda b: cs.Modes([0.8], [[[0.0]]], {"b": cs.ElectronBath(0.1)}), "without particles"),
        (lambda b: cs.Modes([0.8], [[[0.0]]], {}), "one for all modes"),
        (lambda b: cs.Modes([0.8], [[[0.0]]], {"b": b}, dampings=[-0.1]), "`dampings` must be 0"),
        (lambda b: cs.Modes([0.8], [[[0.0]]], {"b": b}, dampings=[0.1, 0.2]), "one number per mode"),
        (
            lambda b: cs.Modes([0.8, 1.0], np.zeros((2, 1, 1)), {"b": b}, dampings=[jnp.sin, 0.2]),
            "numbers or densities",
        ),
    ],
)
def test_bad_modes_are_refused_in_words(make, words):
    with pytest.raises(cs.InputError, match=words):
        make(cs.BosonBath(0.1))


def test_modes_that_do_not_fit_the_conductor_are_refused_in_words():
    bath = cs.ElectronBath(0.1)
    leads = {"left": cs.WideBandLead(0, 0.2, bath)}
    with pytest.raises(cs.InputError, match=r"1 site\(s\), but have shape \(1, 2, 2\)"):
        cs.Conductor([[0.0]], leads, cs.Modes([0.8], [np.eye(2)], {"phonons": cs.BosonBath(0.1)}))
    with pytest.raises(cs.InputError, match="name of a lead"):
        cs.Conductor([[0.0]], leads, cs.Modes([0.8], [[[1.0]]], {"left": cs.BosonBath(0.1)}))


def test_a_state_that_no_lead_touches_takes_part_as_the_limit_of_a_narrow_one():
    """Two of three sites that both leads see alike: their difference is dark, and a mode links it to the sum."""
    h = jnp.array([[0.1, 0.3, 0.3], [0.3, 2.0, 0.1], [0.3, 0.1, 2.0]]) + 0j
    m = jnp.array([[[0.1, 0.2, 0.0], [0.2, 0.0, 0.0], [0.0, 0.0, 0.3]]])

    @jax.jit
    def run(extra, temperature):
        widths = jnp.diag(jnp.stack([0.4 + 0 * extra, extra, extra]))
        leads = {
            "left": cs.WideBandLead([0, 1, 2], widths, cs.ElectronBath(temperature, 0.1)),
            "right": cs.WideBandLead(0, 0.3, cs.ElectronBath(temperature, -0.1)),
        }
        modes = cs.Modes([0.2], m, {"phonons": cs.BosonBath(temperature)})
        mode = Bosons(modes.frequencies[0], modes.couplings[0], modes.temperatures()[0])
        found, _, good = inelastic(h, Table(leads), mode)
        return found.heats, good, undecided(h, Table(leads), modes.frequencies, modes.couplings)

    dark, good, open_ = run(0.0, 0.03)
    narrow, *_ = run(1e-8, 0.03)
    assert bool(good)
    assert not bool(open_)
    assert_close(dark, narrow, 1e-6)
    assert bool(run(0.0, 0.2)[-1])  # then the mode fills it and empties it
