"""Transmission, spectral functions and densities of states against Kwant's numbers and NumPy."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.sparse

import coldspot as cs
from coldspot.conductor import density_of_states, spectral_function
from tests.conductor.scattering import chain_sigma, green
from tests.tolerance import assert_close

BATH = cs.ElectronBath(0.1)


def ring(flux):
    """Four sites in a ring with a flux, three leads."""
    h = np.diag([0.1, -0.2, 0.3, 0.0]).astype(complex)
    for k in range(4):
        h[k, (k + 1) % 4] += 0.5 * np.exp(1j * flux / 4)
        h[(k + 1) % 4, k] += 0.5 * np.exp(-1j * flux / 4)
    gammas = {"a": (0, 0.4), "b": (1, 0.7), "c": (2, 0.9)}
    return cs.Conductor(h, {name: cs.WideBandLead(site, gamma, BATH) for name, (site, gamma) in gammas.items()})


def test_a_double_dot_between_chains_is_that_of_kwant():
    double = cs.Conductor(
        [[0.2, -0.1], [-0.1, -0.15]], {"l": cs.ChainLead(0, -1.0, -0.4, BATH), "r": cs.ChainLead(1, -1.0, -0.4, BATH)}
    )
    expected = [0.10328332335885433, 0.23446658851113714, 0.2449325209392351]
    assert_close(cs.transmission(double, [-0.3, 0.0, 0.18], "l", "r"), expected, 1e-14)


def test_onsager_symmetry_with_flux_and_the_sum_rule():
    energies = np.linspace(-1.5, 1.5, 7)
    one, other = ring(0.7), ring(-0.7)
    pairs = [(s, d) for s in "abc" for d in "abc" if s != d]
    found = {pair: np.asarray(cs.transmission(one, energies, *pair)) for pair in pairs}
    for (s, d), value in found.items():
        assert_close(value, cs.transmission(other, energies, d, s), 1e-13)
    assert np.max(np.abs(found["a", "b"] - found["b", "a"])) > 0.01
    for lead in "abc":
        into = sum(value for (_, d), value in found.items() if d == lead)
        out = sum(value for (s, _), value in found.items() if s == lead)
        assert_close(into, out, 1e-13)


def test_spectral_functions_add_up_to_the_density_of_states():
    conductor = ring(0.3)
    energies = np.array([[-0.4, 0.2], [0.5, 3.0]])
    parts = [np.asarray(spectral_function(conductor, energies, name)) for name in "abc"]
    total = np.trace(sum(parts), axis1=-2, axis2=-1).real / (2 * np.pi)
    assert total.shape == energies.shape
    assert_close(density_of_states(conductor, energies), total, 1e-13)


def test_a_site_between_chains_is_that_of_numpy_in_and_outside_the_band():
    conductor = cs.Conductor(
        [[0.4]], {"l": cs.ChainLead(0, 0.7, 0.5, BATH, onsite=0.2), "r": cs.WideBandLead(0, 0.3, BATH)}
    )
    energies = [-1.3, -1.2, 0.4, 1.5999, 1.7, 5.0]
    expected = []
    for energy in energies:
        sigma = chain_sigma(energy, 0.7, 0.5, 0.2)
        g = green([[0.4]], [(0, sigma - 0.15j)], energy)[0, 0]
        expected.append(0.3 * max(-2 * sigma.imag, 0.0) * abs(g) ** 2)
    assert_close(cs.transmission(conductor, energies, "l", "r"), expected, 1e-13)


def test_a_chain_far_from_zero_knows_by_how_much_rounding_moves_its_band():
    """Its edges at 1e4 are sums that are 1e-12 off; in 80 digits they are not. At 0 nothing is moved."""
    near, far = (cs.ChainLead(0, 0.7, 0.5, BATH, onsite) for onsite in (0.0, 1e4 + 0.1))
    low, high = map(float, far.kinks())
    centres = np.repeat([low, high, 1e4], 6)
    offsets = np.tile([1e-15, 1e-9, 0.3, -1e-13, -0.2, -3.0], 3)
    nodes = jnp.asarray(centres), jnp.asarray(offsets)
    found, bounds = (np.asarray(part)[:, 0, 0] for part in (far.self_energy(*nodes), far.doubt(*nodes)))
    with mp.workdps(80):
        exact = []
        for centre, offset in zip(centres, offsets, strict=True):
            x, t = mp.mpf(centre) + mp.mpf(offset) - mp.mpf(float(far.onsite)), mp.mpf(0.7)
            root = mp.sqrt(4 * t**2 - x**2)
            # Below and above the band the root is that for which Σ falls off.
            root = -1j * mp.sign(x) * abs(root) if abs(x) > 2 * t else root
            exact.append(complex(mp.mpf(0.25) * (x - 1j * root) / (2 * t**2)))
    off = np.abs(found - exact)
    assert np.all(off <= bounds + 1e-15)
    assert np.all(bounds <= 1e-5)
    assert np.max(off[2::6]) > 1e-13
    assert np.max(bounds[2::6]) < 1e-11
    assert not np.any(near.doubt(jnp.zeros(18), nodes[1]))


def test_bad_input_is_refused_in_words():
    conductor = ring(0.0)
    with pytest.raises(cs.InputError, match="no lead for `drain`, `d`"):
        cs.transmission(conductor, 0.0, "a", "d")
    with pytest.raises(cs.InputError, match="the same lead"):
        cs.transmission(conductor, 0.0, "a", "a")
    with pytest.raises(cs.InputError, match="must be a Conductor"):
        cs.transmission(3, 0.0, "a", "b")
    with pytest.raises(cs.InputError, match="transmission: `energies` must be"):
        cs.transmission(conductor, "all", "a", "b")
    with pytest.raises(cs.InputError, match="transmission: `energies` must be finite, but are"):
        cs.transmission(conductor, [0.0, np.inf], "a", "b")
    with pytest.raises(cs.InputError, match=r"`source` must be the name of a lead \(a, b, c\), but is 0"):
        cs.transmission(conductor, 0.0, 0, "b")
    with pytest.raises(cs.InputError, match=r"the machine ResonantThermoelectric; .*\(…\).dynamics\(\)"):
        cs.transmission(cs.machines.ResonantThermoelectric(), 0.0, "left", "right")
    with pytest.raises(cs.InputError, match="steady_state: `machine` must be a machine or a dynamics"):
        cs.steady_state([[0.0]])
    with pytest.raises(cs.InputError, match="steady_state: `machine` is a function; call it"):
        cs.steady_state(ring)
    with pytest.raises(cs.InputError, match="steady_state: `tolerance` must be a number between 0 and 1, but is 2"):
        cs.steady_state(conductor, tolerance=2)
    closed = cs.Conductor([[0.0]], {"l": cs.WideBandLead(0, 0.0, BATH), "r": cs.WideBandLead(0, 0.0, BATH)})
    with pytest.raises(cs.InputError, match="no finite value at energy 0"):
        cs.transmission(closed, [0.0, 0.0], "l", "r")
    giving = cs.SelfEnergyLead(lambda energy: 0.2j * jnp.sign(energy - 1.5), 0, BATH)
    leads = {"l": giving, "r": cs.WideBandLead(0, 0.3, BATH)}
    with pytest.raises(cs.InputError, match="retarded self-energy"):
        cs.transmission(cs.Conductor([[0.0]], leads), [1.0, 2.0], "l", "r")
    # Of many at once there are no words.
    found = jax.jit(lambda level: cs.transmission(cs.Conductor([[level]], leads), [1.0, 2.0], "l", "r"))(0.0)
    assert np.isfinite(found).tolist() == [True, False]


def test_an_energy_with_a_dark_state_is_nan_with_a_warning_and_the_others_have_their_values():
    """The difference of two sites that both leads see alike is dark at 1; the sum is one level of width Γ at −1."""
    both = np.full((2, 2), 0.2)
    leads = {name: cs.WideBandLead([0, 1], both, BATH) for name in "lr"}
    conductor = cs.Conductor([[0.0, -1.0], [-1.0, 0.0]], leads)
    energies = np.array([[0.3, 1.0], [-1.0, 0.5]])
    seen = {
        cs.transmission: (conductor, energies, "l", "r"),
        spectral_function: (conductor, energies, "l"),
        density_of_states: (conductor, energies),
    }
    for function, arguments in seen.items():
        with pytest.warns(RuntimeWarning, match=r"no finite value at energy 1; .* NaN at 1 of 4 energies") as raised:
            found = np.asarray(function(*arguments))
        assert len(raised) == 1
        assert np.isnan(found[0, 1]).all()
        assert np.isfinite(found).reshape(2, 2, -1).all(-1).tolist() == [[True, False], [True, True]]
        if function is cs.transmission:
            expected = 0.4**2 / ((energies + 1) ** 2 + 0.4**2)
            assert_close(found[[0, 1, 1], [0, 0, 1]], expected[[0, 1, 1], [0, 0, 1]], 1e-13)
    with pytest.raises(cs.InputError, match="no finite value at energy 1"):
        cs.transmission(conductor, 1.0, "l", "r")
    assert cs.transmission(conductor, [], "l", "r").shape == (0,)

    def wider(width):
        leads = {name: cs.WideBandLead([0, 1], width * both, BATH) for name in "lr"}
        return cs.transmission(cs.Conductor([[0.0, -1.0], [-1.0, 0.0]], leads), energies.reshape(-1), "l", "r")[::2]

    # T = Γ²/(x²+Γ²) with Γ = .4w and x = ε+1, beside the energy without a value.
    x = energies.reshape(-1)[::2] + 1
    slope = 2 * 0.4**2 * x**2 / (x**2 + 0.4**2) ** 2
    assert_close(jax.jacrev(jax.jit(wider))(1.0), slope, 1e-12)


def test_a_quantum_point_contact_between_lattices_is_that_of_kwant():
    """30 × 10 sites with a saddle; each transverse mode of a square lattice is a chain of its own."""
    i, j = np.indices((30, 10))
    onsite = 4 + 0.8 * np.exp(-(((i - 14.5) / 5) ** 2)) * ((j - 4.5) / 3) ** 2
    along, across = (np.eye(n, k=1) + np.eye(n, k=-1) for n in (30, 10))
    h = np.diag(onsite.reshape(-1)) - np.kron(along, np.eye(10)) - np.kron(np.eye(30), across)
    numbers = np.arange(1, 11)
    modes = np.sqrt(2 / 11) * np.sin(np.pi * np.outer(numbers, numbers) / 11)
    bottoms = 4 - 2 * np.cos(np.pi * numbers / 11)

    @jax.jit
    def lattice(energy):
        x = energy - bottoms
        inside = jnp.abs(x) < 2
        root = jnp.sqrt(jnp.abs(x**2 - 4))
        surface = jnp.where(inside, (x - 1j * root) / 2, (x - jnp.sign(x) * root) / 2)
        return (modes * surface) @ modes.T

    leads = {"l": cs.SelfEnergyLead(lattice, range(10), BATH), "r": cs.SelfEnergyLead(lattice, range(290, 300), BATH)}
    found = cs.transmission(cs.Conductor(h, leads), [0.5, 0.8, 1.2], "l", "r")
    assert_close(found, [0.9996540990309818, 1.1616849891541523, 2.0075847987458775], 1e-11)


def test_a_long_conductor_is_eliminated_slice_by_slice():
    """A ribbon with disorder, a flux and leads between two dead ends, as one matrix inverted by NumPy.

    Without disorder the dead ends have levels of their own exactly at energies where the whole has none.
    """
    rng = np.random.default_rng(3)
    sites = 75
    h = np.diag(rng.normal(size=sites))
    for k in (1, 2, 3):
        h = h + np.diag(rng.normal(size=sites - k), k)
    h = np.triu(h) + np.triu(h, 1).T + 1j * (np.diag(np.full(sites - 3, 0.1), 3) - np.diag(np.full(sites - 3, 0.1), -3))
    widths = {"a": ([9, 11], np.array([[0.5, 0.1j], [-0.1j, 0.4]])), "b": ([40], 0.3), "c": ([65, 62], [0.6, 0.2])}
    leads = {name: cs.WideBandLead(where, gamma, BATH) for name, (where, gamma) in widths.items()}
    full = {name: np.zeros((sites, sites), complex) for name in widths}
    for name, (where, gamma) in widths.items():
        gamma = np.asarray(gamma) if np.ndim(gamma) == 2 else np.diag(np.broadcast_to(gamma, len(where)))
        full[name][np.ix_(where, where)] = gamma

    def exact(h, energies, source, drain):
        inverses = [np.linalg.inv(energy * np.eye(sites) - h + 0.5j * sum(full.values())) for energy in energies]
        return [np.trace(full[drain] @ g @ full[source] @ g.conj().T).real for g in inverses]

    along, across = (np.eye(n, k=1) + np.eye(n, k=-1) for n in (sites // 3, 3))
    plain = np.kron(along, np.eye(3)) + np.kron(np.eye(sites // 3), across)
    energies = np.array([0.0, np.sqrt(2), (np.sqrt(5) - 1) / 2])
    found = cs.transmission(cs.Conductor(plain, leads), energies, "a", "c")
    assert_close(found, exact(plain, energies, "a", "c"), 1e-12)
    energies = np.array([-0.7, 0.0, 1.3])
    for source, drain in (("a", "b"), ("c", "a"), ("b", "c")):
        expected = exact(h, energies, source, drain)
        dense, sparse = (cs.Conductor(matrix, leads) for matrix in (h, scipy.sparse.csr_array(h)))
        assert dense.cut == 3
        assert_close(cs.transmission(dense, energies, source, drain), expected, 1e-11)
        assert_close(cs.transmission(sparse, energies, source, drain), expected, 1e-11)
    with pytest.raises(cs.InputError, match=r"of 75 sites in a sparse `hamiltonian` only `transmission`, the ledger"):
        cs.conductor.density_of_states(sparse, 0.0)
    crossed = cs.WideBandLead([2, 3], np.full((2, 2), 0.1), BATH)
    with pytest.raises(cs.InputError, match="within one slice of 3 sites"):
        cs.Conductor(scipy.sparse.csr_array(h), {"a": crossed})
    h[0, 1] += 1.0
    with pytest.raises(cs.InputError, match="differs from its adjoint by up to 1"):
        cs.Conductor(scipy.sparse.csr_array(h), leads)
