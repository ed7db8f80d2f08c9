"""States outside of the bands of all leads: found, counted where it is known how, and else told."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad

import coldspot as cs
from coldspot.conductor.bound_states import beyond_bands, bound_pairs
from coldspot.pytrees import Table
from tests.conductor.scattering import fermi
from tests.tolerance import assert_close

SITES = np.array([[3.0, 0.4], [0.4, -0.2]])
COUPLING = np.array([[0.3, 0.2], [0.2, 0.1]])
OMEGA, MU, T, LONG = jnp.asarray(1.7), 2.4, 0.5, 300


def leads(second=MU):
    return {name: cs.ChainLead(0, 1.0, 0.7, cs.ElectronBath(T, mu)) for name, mu in (("left", MU), ("right", second))}


@jax.jit
def found(levels, second):
    """States and pairs, and their derivatives with respect to the first level."""

    def of(level):
        table, hamiltonian = Table(leads(second)), levels.at[0, 0].add(level) + 0j
        pairs = bound_pairs(hamiltonian, table, jnp.asarray(COUPLING), OMEGA, jnp.asarray(0.3))
        return beyond_bands(hamiltonian, table), pairs

    return jax.jvp(of, (0.0,), (1.0,))


def long_chain():
    """Energies and states (as columns) of the two sites and both chains, each cut after many sites."""
    h = np.diag(np.r_[np.ones(LONG - 1), np.zeros(3), np.ones(LONG - 1)], 1)
    h[LONG - 1, LONG] = h[LONG, LONG + 2] = 0.7
    h = h + h.T
    h[LONG : LONG + 2, LONG : LONG + 2] = SITES
    return np.linalg.eigh(h)


def test_bound_states_and_their_pairs_are_those_of_a_long_finite_chain():
    (states, pairs), (moved, shifted) = found(jnp.asarray(SITES), MU)
    energies, vectors = long_chain()
    (at,) = np.flatnonzero(np.abs(energies) > 2.01)
    (own,) = np.flatnonzero(states.exists)
    assert_close(states.places[own], energies[at], 1e-13)
    inner = vectors[LONG : LONG + 2]
    assert_close(states.residues[own], np.outer(inner[:, at], inner[:, at]), 1e-12)
    # Golden-rule rates from levels to levels, each as wide as some spacings.
    width = 0.04
    gap = energies[at] - energies - OMEGA
    density = np.exp(-((gap / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))
    links = (inner[:, at] @ COUPLING @ inner) ** 2 * 2 * np.pi * density
    here, there = fermi((energies[at] - MU) / T), fermi((energies - MU) / T)
    # Of the second order in the width.
    assert_close(pairs.emission, np.sum(links * here * (1 - there)), 4e-3)
    assert_close(pairs.absorption, np.sum(links * (1 - here) * there), 4e-3)
    n = 1 / np.expm1(OMEGA / 0.3)
    assert_close(pairs.gain, pairs.emission * (1 + n) - pairs.absorption * n, 1e-13)
    assert bool(pairs.known)
    # Derivatives: Hellmann and Feynman, and differences.
    assert_close(moved.places[own], inner[0, at] ** 2, 1e-12)
    step = 1e-5
    above, below = (found(jnp.asarray(SITES).at[0, 0].add(by), MU)[0][1] for by in (step, -step))
    assert_close(shifted.emission, (above.emission - below.emission) / (2 * step), 1e-8)


def test_what_is_not_known_is_told():
    """Leads that do not agree on the state; a state that is dark in the bands; no state without width."""
    assert not bool(found(jnp.asarray(SITES), MU + 0.1)[0][1].known)
    # The second site touches nothing then.
    assert not bool(found(jnp.diag(jnp.asarray([3.0, -0.2])), MU)[0][1].known)
    (states, pairs), _ = found(jnp.asarray(SITES * [[0.1, 1.0], [1.0, 1.0]]), MU + 0.1)
    assert not np.any(states.exists)
    assert bool(pairs.known)
    assert float(pairs.emission) == 0


def test_the_edge_of_a_band_is_no_state_but_one_that_stands_there_without_a_link_is():
    """At the edges of a perfect chain 1/G^r is zero, as at a state, but nothing has its place there."""
    hot, cold, mu, nu, edge = 1.3, 0.4, -0.2, 0.2, 0.0

    def solved(level):
        ends = {
            name: cs.ChainLead(site, 1.0, 1.0, cs.ElectronBath(t, potential), onsite=edge + 2)
            for name, site, t, potential in (("hot", 0, hot, mu), ("cold", 1, cold, nu))
        }
        sites = np.array([[edge + 2, 1.0, 0.0], [1.0, edge + 2, 0.0], [0.0, 0.0, level]])
        return cs.steady_state(cs.Conductor(sites, ends), throw=False)

    perfect, held = solved(-60.0), solved(edge)  # where all leads agree on a third site, and where they do not
    assert int(perfect.status) == cs.Status.OK

    def passing(e):
        return (e - mu) * (fermi((e - mu) / hot) - fermi((e - nu) / cold)) / (2 * np.pi)

    exact = quad(passing, edge, edge + 4, epsabs=1e-15, epsrel=1e-13)[0]
    assert abs(float(perfect.heat["hot"]) - exact) <= 1e-13
    assert int(held.status) == cs.Status.NOT_UNIQUE
