"""Voltage and temperature probes against root finding on plain quadrature."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import root

import coldspot as cs
from tests.conductor.scattering import fermi
from tests.tolerance import assert_close

LEVELS = np.array([[0.1, 0.2, 0.0], [0.2, 0.0, 0.3], [0.0, 0.3, -0.1]])
GAMMAS = {"left": 0.3, "probe": 0.1, "right": 0.2}


def chain(levels=LEVELS, left=(0.2, 0.5), right=(0.05, 0.0)):
    baths = {"left": left, "probe": (0.1, 0.0), "right": right}
    leads = {
        name: cs.WideBandLead(k, GAMMAS[name], cs.ElectronBath(t, mu))
        for k, (name, (t, mu)) in enumerate(baths.items())
    }
    return cs.Conductor(levels, leads)


def test_a_probe_takes_neither_particles_nor_heat_as_root_finding_on_quadrature_says():
    found = cs.conductor.probe(chain(), "probe", temperature=True)
    own = found.leads["probe"].bath
    widths = np.array(list(GAMMAS.values()))

    def transmission(energy):
        g = np.linalg.inv(energy * np.eye(3) - LEVELS + 0.5j * np.diag(widths))
        return [widths[1] * widths[b] * abs(g[1, b]) ** 2 for b in (0, 2)]

    def into(x):
        mu, t = x

        def value(energy, power):
            f = fermi((energy - mu) / t)
            others = fermi((energy - 0.5) / 0.2), fermi(energy / 0.05)
            flow = sum(p * (f - other) for p, other in zip(transmission(energy), others, strict=True))
            return (energy - mu) ** power * flow

        marks = [-0.4, 0.0, 0.1, 0.3, 0.5]
        return [quad(value, -8, 8, (n,), points=marks, epsabs=1e-14, limit=300)[0] for n in (0, 1)]

    exact = root(into, [0.25, 0.12], tol=1e-13).x
    assert_close([own.chemical_potential, own.temperature], exact, 1e-9)
    # From where Newton's steps lead nowhere, too.
    nowhere = cs.ElectronBath(1e-9, chemical_potential=50.0)
    leads = dict(chain().leads) | {"probe": cs.WideBandLead(1, GAMMAS["probe"], nowhere)}
    again = cs.conductor.probe(cs.Conductor(LEVELS, leads), "probe", temperature=True).leads["probe"].bath
    assert_close([again.chemical_potential, again.temperature], [own.chemical_potential, own.temperature], 1e-12)
    s = cs.steady_state(found)
    assert abs(s.particles["probe"]) < 1e-12 * abs(s.particles["left"])
    assert abs(s.heat["probe"]) < 1e-12 * abs(s.heat["left"])


def test_a_thermometer_far_from_equilibrium_is_found_unless_the_electrons_are_inverted():
    """Beside a bias of 400 widths; and where the left lead fills an upper level and the right one empties a lower."""
    turned = LEVELS - 2 * np.diag(np.diag(LEVELS))  # the left lead fills the lower levels
    far = cs.conductor.probe(chain(turned, left=(0.1, 20.0), right=(0.2, -20.0)), "probe", temperature=True)
    s = cs.steady_state(far)
    assert abs(s.particles["probe"]) < 1e-12 * abs(s.particles["left"])
    assert abs(s.heat["probe"]) < 1e-12 * abs(s.heat["left"])
    inverted = chain(LEVELS + np.diag([2.0, 0.0, -2.0]), left=(0.1, 3.0), right=(0.1, -3.0))
    with pytest.raises(cs.SolveError, match=r"NOT_CONVERGED.*grows without limit.*inverted"):
        cs.conductor.probe(inverted, "probe", temperature=True)


@pytest.mark.parametrize(
    ("leads", "words"), [("prob", "`probe`"), (["left", "probe", "right"], "not all"), ([], "not all")]
)
def test_bad_probes_are_refused_in_words(leads, words):
    with pytest.raises(cs.InputError, match=words):
        cs.conductor.probe(chain(), leads)


def test_a_probe_that_touches_nothing_has_no_bath_and_a_status_in_a_sweep_beside_what_has():
    cut = chain(levels=np.diag(np.diag(LEVELS)))
    with pytest.raises(cs.SolveError, match=r"NOT_CONVERGED.*does it touch what carries"):
        cs.conductor.probe(cut, "probe", temperature=True)
    assert np.isnan(cs.conductor.probe(cut, "probe", temperature=True, throw=False).leads["probe"].bath.temperature)

    bare = np.diag(np.diag(LEVELS))
    rest = LEVELS - bare

    def thermometer(link):
        return cs.conductor.probe(chain(levels=bare + link * rest), "probe", temperature=True)

    swept = cs.sweep(thermometer, {"link": [0.0, 1.0]})
    assert swept.status.values.tolist() == [int(cs.Status.INVALID), 0]
    assert "no baths of the probes probe are found (NOT_CONVERGED)" in swept.untrusted
    alone = cs.conductor.probe(chain(), "probe", temperature=True).leads["probe"].bath
    assert_close(swept.temperature.values[1, 1], alone.temperature, 1e-12)


def test_a_probe_on_leads_of_many_features_is_where_plain_quadrature_says():
    """More of them than a few hundred panels resolve."""
    many = 60.0
    leads = {
        "left": cs.SelfEnergyLead(lambda e: -0.2j - 0.1j * jnp.sin(many * e), 0, cs.ElectronBath(1.0, 0.5)),
        "right": cs.WideBandLead(0, 0.3, cs.ElectronBath(1.0)),
        "probe": cs.SelfEnergyLead(lambda e: -0.1j - 0.05j * jnp.cos(many * e), 0, cs.ElectronBath(1.0, 0.1)),
    }
    found = cs.conductor.probe(cs.Conductor([[0.2]], leads), "probe")
    x, w = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(-40, 40, 2001)
    e, w = (edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * x, np.diff(edges)[:, None] / 2 * w
    widths = [0.4 + 0.2 * np.sin(many * e), np.full(e.shape, 0.3), 0.2 + 0.1 * np.cos(many * e)]
    passed = widths[2] / ((e - 0.2) ** 2 + sum(widths) ** 2 / 4) * w
    filled = [fermi(e - lead.bath.chemical_potential) for lead in found.leads.values()]
    into = [(passed * width * (filled[2] - other)).sum() for width, other in zip(widths[:2], filled[:2], strict=True)]
    assert abs(sum(into)) < 1e-13 * max(np.abs(into))
