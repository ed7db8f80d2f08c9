"""Ledgers of long conductors, slice by slice, against sums over the poles of the whole matrix."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import coldspot as cs
from coldspot.conductor.long_devices import links_far, sliced
from coldspot.conductor.wide_band import closed
from coldspot.paths import replace
from coldspot.pytrees import batch_of_one
from tests.conductor.scattering import chain_sigma, transmission
from tests.tolerance import assert_close

SITES = 66
EPS = 2.0**-52
CLOSED = jax.jit(closed)


def ladder(seed):
    """Two coupled wires with a magnetic flux and random levels, most of whose states are narrow."""
    rng = np.random.default_rng(seed)
    along = np.exp(0.4j * np.tile([1, -1], SITES // 2 - 1))
    across = np.zeros(SITES - 1)
    across[::2] = 0.5
    return scipy.sparse.diags([np.conj(along), across, 0.3 * rng.normal(size=SITES), across, along], [-2, -1, 0, 1, 2])


def leads(gamma):
    baths = {"left": (0.05, 0.3), "right": (0.1, -0.1), "gate": (0.02, 0.0)}
    sites = {"left": [0, 1], "right": [SITES - 1], "gate": [40]}
    return {name: cs.WideBandLead(sites[name], gamma, cs.ElectronBath(*bath)) for name, bath in baths.items()}


def test_ledgers_are_those_of_the_poles_of_the_whole_matrix():
    """Of broad and of narrow states."""
    matrix = ladder(1)
    for gamma in (0.1, 1e-3, 1e-7):
        s = cs.steady_state(cs.Conductor(matrix, leads(gamma)), throw=False)
        whole = batch_of_one(cs.Conductor(matrix.toarray(), leads(gamma)))
        found = CLOSED(whole.hamiltonian, whole.leads)
        for name, part in (("heat", "heats"), ("particles", "particles")):
            value, error = (np.asarray(getattr(side, name).array) for side in (s, s.error))
            expected, doubt = (np.asarray(getattr(side, part))[0] for side in (found.value, found.error))
            assert np.all(np.abs(value - expected) <= error + doubt)
            # Energies of 1 are known to their rounding, of which 1/Γ is left at a resonance.
            assert np.all(np.abs(value - expected) <= 16 * EPS / gamma * np.abs(expected).max())
        # A width of 1e-7 is known to eight digits, and said not to reach the tolerance.
        assert (s.status == cs.Status.OK) == (gamma > 1e-7)


def test_what_is_too_long_is_refused_with_its_size_before_anything_is_allocated():
    bath = cs.ElectronBath(0.1)
    wire = scipy.sparse.diags([1.0, 1.0], offsets=[-1, 1], shape=(100_000, 100_000))
    ends = {"left": cs.ChainLead(0, 1.0, 1.0, bath), "right": cs.ChainLead(99_999, 1.0, 1.0, bath)}
    with pytest.raises(cs.InputError, match=r"100000 sites only `transmission` .* up to 2000 sites.* 1.6e\+02 GB"):
        cs.steady_state(cs.Conductor(wire, ends))
    matrix = np.ones((201, 201))
    with pytest.raises(cs.InputError, match="links sites of all 201"):
        cs.steady_state(cs.Conductor(matrix, {"left": ends["left"]}))


def test_a_sparse_conductor_comes_back_from_its_file_and_a_wrong_block_is_refused(tmp_path):
    conductor, path = cs.Conductor(ladder(2), leads(0.1)), tmp_path / "wire.toml"
    cs.save(conductor, path)
    back = cs.load(path)
    for one, other in zip(jax.tree.leaves(conductor), jax.tree.leaves(back), strict=True):
        assert np.array_equal(one, other)
    block = eqx.tree_at(lambda h: h.diagonal, conductor.hamiltonian, conductor.hamiltonian.diagonal + 1j)
    with pytest.raises(cs.InputError, match="finite and Hermitian"):
        cs.Conductor(block, leads(0.1))


def test_known_slices_have_nothing_of_the_size_of_the_matrix_and_traced_ones_are_the_same():
    """Of 10,000 sites each such array takes a second and a gigabyte at every call."""
    for width in (1, 2, 3, 7):
        matrix = np.asarray(ladder(4).toarray())
        matrix = np.where(abs(np.subtract.outer(range(SITES), range(SITES))) <= width, matrix, 0.0)
        known, traced = sliced(jnp.asarray(matrix), width), jax.jit(sliced, static_argnums=1)(matrix, width)
        assert known.far is None
        for one in (known, traced):
            assert np.array_equal(one.dense(), matrix)
        assert not links_far(jnp.asarray(matrix), width)
        matrix[0, 2 * width] = 1e-300
        assert links_far(jnp.asarray(matrix), width)
        assert jax.jit(links_far, static_argnums=1)(matrix, width)


def test_a_link_between_distant_sites_that_is_set_later_is_not_dropped():
    n = 66
    hops = -np.eye(n, k=1) - np.eye(n, k=-1)
    leads = {
        name: cs.ChainLead(sites=[site], hopping=-1.0, contact=-0.5, bath=cs.ElectronBath(0.1, level))
        for name, site, level in (("left", 0, 0.2), ("right", n - 1, -0.2))
    }
    conductor = cs.Conductor(hops, leads)
    paths = f"hamiltonian[0][{n - 1}]", f"hamiltonian[{n - 1}][0]"
    found = cs.sweep(conductor, [dict.fromkeys(paths, x) for x in (0.0, -0.8)])
    assert found.status.values.tolist() == [0, int(cs.Status.INVALID)]
    assert "linked sites at most 1 apart" in found.attrs["untrusted"]

    @jax.jit
    def closed(x):  # into a ring
        matrix = conductor.hamiltonian.at[jnp.array([0, n - 1]), jnp.array([n - 1, 0])].add(x)
        return cs.transmission(eqx.tree_at(lambda c: c.hamiltonian, conductor, matrix), [0.3], "left", "right")

    def exact(x):
        matrix = hops + x * (np.eye(n, k=n - 1) + np.eye(n, k=1 - n))
        return transmission(matrix, *((site, lambda e: chain_sigma(e, 1.0, 0.5)) for site in (0, n - 1)), 0.3)

    _, slope = jax.jvp(closed, (0.0,), (1.0,))
    assert_close(slope, [(exact(1e-5) - exact(-1e-5)) / 2e-5], 1e-8)
    linked = replace(replace(conductor, paths[0], -0.8), paths[1], -0.8)
    with pytest.raises(cs.InputError, match="linked sites at most 1 apart"):
        cs.transmission(linked, [0.3], "left", "right")
