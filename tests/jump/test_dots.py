"""Interacting dots: against QmeQ's Pauli kernel, a dense master equation written in NumPy, and Landauer's formula."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.beside import plans_of, ways
from coldspot.compiler import LIGHT
from coldspot.dynamics import solve_points
from coldspot.jump.coherences import _of_all, _of_near, _paths
from coldspot.jump.eigenstates import Eigenstates, by_blocks, eigenstates
from coldspot.jump.golden_rule import Layer
from coldspot.jump.graph import Joined, States
from coldspot.pytrees import compiled
from coldspot.solution import Status
from tests.jump.dots_by_hand import Contact, Shaking, flows, hamiltonian
from tests.tolerance import assert_close

PAIRS = [(0, 1), (2, 3), (0, 2), (0, 3), (1, 2), (1, 3)]
KEY = jax.random.key(1)
COHERENT = "coherence-neglected"


def at(build, point):
    return build(*point)


def solved(build, columns):
    """Steady states of `build` at each row of the columns; status unchecked."""
    return solve_points(at, build, tuple(jnp.asarray(column) for column in columns), jnp.asarray(1e-8))


def quickly(columns):
    """Of spinful double dots by plain elimination, and where that is not enough."""
    return solve_points.attempts[0](at, spinful, tuple(jnp.asarray(column) for column in columns), jnp.asarray(1e-8))


def hermitian(rng, n, size=1.0):
    matrix = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return size * (matrix + matrix.conj().T) / 2


# --------------------------------------------------------------------------- two dots with spin


def spinful(h, u, gammas, mu, t, window=None):
    leads = {f"lead {k}": cs.Lead(cs.ElectronBath(t[k], mu[k]), gammas[k]) for k in range(4)}
    return cs.Dots(h, leads, {pair: u[k] for k, pair in enumerate(PAIRS)}, window=window)


def windowed(*columns):
    return spinful(*columns, window=(1, 3, 4, 2, 0))


def test_spinful_double_dots():
    """A device that QmeQ (Pauli kernel, maiani/qmeq 1.2.0.dev1) has solved, and random ones by dense matrices."""
    rng = np.random.default_rng(1)
    h, u = np.zeros((5, 4, 4)), rng.uniform(0.5, 2, (5, 6))
    gammas, mu, t = np.zeros((5, 4, 4)), rng.uniform(-1, 1, (5, 4)), rng.uniform(0.7, 1, (5, 4))
    for k in range(5):
        h[k] = np.diag(rng.uniform(-2, 1, 4))
        for i, j in ((0, 2), (1, 3)):
            h[k, i, j] = h[k, j, i] = rng.uniform(-1, 1)
        # Each lead fills orbitals of one spin.
        for lead, own in enumerate(([0, 2], [2], [1], [1, 3])):
            gammas[k, lead, own] = rng.uniform(0, 0.1, len(own))
    h[0] = np.diag([-0.7, -0.6, -1.0, -0.85])
    h[0, 0, 2] = h[0, 2, 0] = h[0, 1, 3] = h[0, 3, 1] = -0.3
    u[0], mu[0], t[0] = [4, 5, 1.5, 1.5, 1.5, 1.5], [1.5, -1, 1.5, -1], [0.7, 0.5, 0.7, 0.5]
    small, large = 2 * np.pi * 0.08920620580763855**2, 2 * np.pi * 0.11283791670955126**2
    gammas[0] = 0
    for lead, orbital, gamma in ((0, 0, small), (1, 2, large), (2, 1, small), (3, 3, large)):
        gammas[0, lead, orbital] = gamma
    # Two spins of one energy, in leads that prefer one of them.
    h[1, 1, 1], h[1, 3, 3], h[1, 1, 3], h[1, 3, 1] = h[1, 0, 0], h[1, 2, 2], h[1, 0, 2], h[1, 0, 2]
    u[1, 2:] = u[1, 2]
    s = solved(spinful, (h, u, gammas, mu, t))
    assert np.all(np.asarray(s.status) == int(Status.OK))
    particles, heats = np.asarray(s.ledger.particle_numbers), np.asarray(s.ledger.heats)
    known = [0.011900743617633812, -0.011900743617633809, 0.011568126307824835, -0.011568126307824835]
    assert_close(particles[0], known, 1e-13)
    known = [-0.014860297500371905, -0.0150516737668781, -0.013256613160045613, -0.015503590386351]
    assert_close(heats[0], known, 1e-13)
    for k in range(5):
        contacts = [Contact(t[k, lead], mu[k, lead], np.diag(gammas[k, lead])) for lead in range(4)]
        coulomb = dict(zip(PAIRS, u[k], strict=True))
        exact = flows(h[k], coulomb, contacts, split=[0, 1, 0, 1])
        assert_close(particles[k], exact.particles, 1e-11)
        assert_close(heats[k], exact.heats, 1e-11)
    # Plain elimination decides them; points of one device have its eigenstates found once.
    one = [np.repeat(x[:1], 5, axis=0) for x in (h, u, gammas)]
    others = [np.concatenate([x[:4], y[4:]]) for x, y in zip(one, (h, u, gammas), strict=True)]
    alike, unlike = (quickly((*device, mu, t)) for device in (one, others))
    for found in (alike, unlike):
        assert not np.any(found[1])
        assert_close(np.asarray(found[0].ledger.heats)[0], heats[0], 1e-13)
    assert_close(np.asarray(unlike[0].ledger.heats)[4], heats[4], 1e-13)
    assert_close(np.asarray(alike[0].ledger.heats)[:4], np.asarray(unlike[0].ledger.heats)[:4], 1e-13)
    exact = flows(h[0], dict(zip(PAIRS, u[0], strict=True)), [
        Contact(t[4, lead], mu[4, lead], np.diag(gammas[0, lead])) for lead in range(4)
    ], split=[0, 1, 0, 1])  # fmt: skip
    assert_close(np.asarray(alike[0].ledger.heats)[4], exact.heats, 1e-11)
    assert np.max(alike[0].error.heats) < 1e-12 * np.max(np.abs(alike[0].ledger.heats))


# --------------------------------------------------------------------------- anything: flux, tensors, bosons


def anything(h, u, left, right, operator, mu, t):
    leads = {
        "left": cs.Lead(cs.ElectronBath(t[0], mu[0]), left),
        "right": cs.Lead(cs.ElectronBath(t[1], mu[1]), right),
    }
    return cs.Dots(h, leads, u, {"phonons": cs.jump.BosonCoupling(cs.BosonBath(1.2), operator, cs.Ohmic(0.01))})


POINTS = 8


def filled(rows):
    """Columns of points, filled up to one size with the last."""
    rows = rows + rows[-1:] * (POINTS - len(rows))
    return [np.stack([np.asarray(row[k]) + (0j if k < 5 else 0) for row in rows]) for k in range(7)]


def by_hand(row, split=None):
    h, u, left, right, operator, mu, t = row
    contacts = [Contact(t[0], mu[0], left), Contact(t[1], mu[1], right)]
    return flows(h, u, contacts, [Shaking(1.2, operator, lambda w: 0.01 * w)], split)


def some(seed):
    """Three orbitals with a flux, scattering of pairs, a lead of two channels, one of one channel, and phonons."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(3,) * 4) + 1j * rng.normal(size=(3,) * 4)
    u = (u + u.transpose(1, 0, 3, 2)) / 2
    u = (u + u.transpose(2, 3, 0, 1).conj()) / 2
    wide = rng.normal(size=(3, 2)) + 1j * rng.normal(size=(3, 2))
    one = rng.normal(size=(3, 1)) + 1j * rng.normal(size=(3, 1))
    left, right = 0.01 * wide @ wide.conj().T, 0.02 * one @ one.conj().T
    return hermitian(rng, 3), u, left, right, hermitian(rng, 3), (0.3, -0.4), (0.5, 0.8)


def test_any_hamiltonian_with_phonons():
    cases = [some(seed) for seed in range(4)]
    s = solved(anything, filled(cases))
    assert np.all(np.asarray(s.status) == int(Status.OK))
    for k, row in enumerate(cases):
        exact, found = by_hand(row), np.asarray(s.ledger.heats[k])
        assert_close(found, exact.heats, 1e-11)
        assert_close(np.asarray(s.ledger.particle_numbers[k]), exact.particles, 1e-11, scale=exact.heats.max())
        assert np.max(np.abs(found - exact.heats)) <= np.max(np.asarray(s.error.heats[k])) + 1e-15


def pair(level, left, right, repulsion=2.0, mu=(0.5, 0.25), shift=0.0):
    """Two orbitals, and a third one far above them, on the right lead alone."""
    u = np.zeros((3,) * 4)
    u[0, 1, 0, 1] = u[1, 0, 1, 0] = repulsion
    h, left, right = (np.pad(np.asarray(x, complex), (0, 1)) for x in (level, left, right))
    h[2, 2], right[2, 2] = 4.0, 0.01
    h = h + shift * np.eye(3)
    return h, u, left, right, np.zeros((3, 3)), np.array(mu) + shift, (1.0, 0.5)


LEVELS = np.array([[-0.5, 0.25], [0.25, 0.125]])
LEFT, RIGHT = np.diag([0.01, 0.03]), np.array([[0.02, 0.01j], [-0.01j, 0.02]])


def test_what_a_window_leaves_out_is_in_the_errors():
    """Against all eigenstates; bias, warm leads and leads of one spin included."""
    rng = np.random.default_rng(4)
    h = np.stack([hermitian(rng, 4, 0.4) for _ in range(5)]).real
    u, gammas = rng.uniform(0.3, 1.5, (5, 6)), rng.uniform(0.01, 0.1, (5, 4, 4))
    gammas[1, 0, [1, 3]], gammas[2, :, 0] = 0, 1e-5
    mu, t = rng.uniform(-0.4, 0.4, (5, 4)), rng.uniform(0.05, 0.1, (5, 4)) * np.array([1, 1, 1, 2, 4])[:, None]
    columns = (h, u, gammas, mu, t)
    every, few = solved(spinful, columns), solved(windowed, columns)
    for name in ("heats", "particle_numbers"):
        whole, part, error = (np.asarray(getattr(x, name)) for x in (every.ledger, few.ledger, few.error))
        off = np.abs(part - whole)
        assert np.all(off <= error), "errors are understated"
        assert np.median(error / off) < 1e4, "errors are overstated"
    # A window that costs digits is not OK by default.
    assert np.all(np.asarray(few.status) == int(Status.NOT_CONVERGED))

    def machine(window):
        return spinful(*(column[0] for column in columns), window=window)

    energies = np.linalg.eigvalsh(hamiltonian(h[0], dict(zip(PAIRS, u[0], strict=True))))
    spectrum = machine(None).spectrum()
    grand = np.asarray(spectrum.energies)[:, None] - np.asarray(spectrum.electrons)[:, None] * mu[0]
    np.testing.assert_allclose(np.sort(spectrum.energies), energies, atol=1e-12)
    near = np.any(grand - grand.min(axis=0) <= 1.2, axis=1)
    counted = np.bincount(np.asarray(spectrum.electrons, int)[near], minlength=5)
    found = machine(1.2)
    assert found.window == tuple(counted)
    assert found.states == near.sum() < 16
    again = cs.Dots(**found.arguments())
    assert again.window == found.window
    for verb in (
        lambda: cs.counting(found, "heat", "lead 0").cumulants(1),
        lambda: cs.counting(found, "heat", "lead 0").generating_function(0.1),
        lambda: cs.counting(found, "heat", "lead 0").spectrum(0.1),
        lambda: cs.trajectories(found, KEY),
        lambda: cs.linear_response(found),
        lambda: cs.evolve(found, 0, [1.0]),
        lambda: cs.jump.first_passage(found, to=0, start=1),
        lambda: cs.jump.dissipation(found),
    ):
        with pytest.raises(cs.InputError, match="with a `window` have steady states alone"):
            verb()


def test_an_energy_that_all_share_costs_nothing():
    s = solved(anything, filled([pair(LEVELS, LEFT, RIGHT, shift=shift) for shift in (0.0, 2.0**20)]))
    assert_close(np.asarray(s.ledger.heats[1]), np.asarray(s.ledger.heats[0]), 1e-13)
    assert_close(np.asarray(s.ledger.heats[0])[:2], by_hand(pair(LEVELS, LEFT, RIGHT)).heats[:2], 1e-10)


def test_cautions_and_broken_rules_of_a_batch():
    """Coherence matters where levels are near and a lead leads to both; what constructors refuse, batches mark."""
    level = np.diag([0.5, 0.5])
    spins, tilted = np.diag([0.02, 0.01]), np.array([[0.015, 0.005], [0.005, 0.015]])
    near, far = (level + np.array([[0, t], [t, 0]]) for t in (0.005, 0.05))
    rows = [
        pair(level, spins, spins),
        pair(level, spins, tilted),
        pair(near, np.diag([0.02, 0]), np.diag([0, 0.02])),
        pair(far, np.diag([0.02, 0]), np.diag([0, 0.02])),
        pair(level + np.array([[0, 0.1], [0.2, 0]]), spins, spins),
        pair(level, -spins, spins),
        pair(level, spins + np.array([[0, 1], [0, 0]]), spins),
        pair(level, spins, spins, np.nan),
    ]
    s = solved(anything, filled(rows))
    assert np.asarray(s.status).tolist() == [0] * 4 + [int(Status.INVALID)] * 4
    assert np.asarray(s.cautions[COHERENT])[:4].tolist() == [False, True, True, False]
    assert not np.asarray(s.cautions["broadening-neglected"]).any()
    # Leads that tell the spins apart: the spins keep their names, though their energies are the same.
    assert_close(np.asarray(s.ledger.heats[0])[:2], by_hand(rows[0], split=[0, 1, 2]).heats[:2], 1e-12)
    for row in rows[4:]:
        with pytest.raises(cs.InputError):
            anything(*row)


def test_states_that_are_near_are_all_that_need_a_look():
    """Of large blocks only pairs near in energy are looked at: they tell the same as all pairs do."""
    rng = np.random.default_rng(4)
    energies = np.sort(rng.uniform(0, 1, 40)) + np.repeat([0.0, 0.5], 20)
    amplitudes = [rng.normal(size=(2, 3, 40, k)) * 10 ** rng.uniform(-3, 0, (1, 1, 40, 1)) for k in (3, 5)]
    # A channel for each of two kinds of states: these never mix, however near they are.
    kinds = np.arange(40) % 2
    amplitudes = [a * np.stack([kinds == 0, kinds == 1, kinds == 1])[None, :, :, None] for a in amplitudes]

    @jax.jit
    def both(energies, amplitudes, strength):
        block, none = Eigenstates(energies, jnp.eye(40), jnp.asarray(kinds, float)), jnp.zeros((40, 40))
        ways = [strength * a for a in amplitudes]
        largest = jnp.max(sum(jnp.sum(a**2, axis=(0, 1, 3)) for a in ways))
        every = _of_all(block, sum(map(_paths, ways), none), largest, jnp.asarray(1e-15))
        return every, _of_near(block, ways, none, largest, jnp.asarray(1e-15), jnp.maximum(largest, 0.2))

    for strength, mixed in ((1e-2, False), (1.0, True)):
        every, near = both(energies, amplitudes, strength)
        assert bool(every.coherent) == bool(near.coherent) == mixed
        assert np.all(np.asarray(near.turned) >= np.asarray(every.turned))
        assert_close(np.maximum(np.asarray(every.turned), 1e-15 / 0.2), np.asarray(near.turned), 0.1)


def test_blocks_one_by_one_are_those_of_the_whole_matrix():
    rng, matrix = np.random.default_rng(1), np.zeros((9, 9), complex)
    for places in ([0, 3, 5], [1, 2], [4], [6, 8, 7]):
        matrix[np.ix_(places, places)] = hermitian(rng, len(places))
    whole, parts = jax.jit(eigenstates)(matrix), Eigenstates(*by_blocks(matrix))
    np.testing.assert_array_equal(parts.labels, whole.labels)
    np.testing.assert_allclose(parts.energies, whole.energies, atol=1e-13)
    # Up to the phase of each.
    np.testing.assert_allclose(abs(np.sum(np.conj(parts.vectors) * whole.vectors, axis=0)), 1.0, atol=1e-13)


def test_weak_leads_give_landauers_currents():
    """Without repulsion the poles of G^r = (ε − H + iΓ/2)⁻¹ are narrow; each carries its part of tr[Γ_L G Γ_R G†].

    That holds with a flux through a ring of both leads, whose sign a wrong convention of Γ_ij would turn.
    """
    h = np.array([[0.4, 0.3 + 0.2j], [0.3 - 0.2j, -0.3]])
    left, right = 1e-2 * np.array([[1, 0.5j], [-0.5j, 1]]), 1e-2 * np.array([[1, 0.6], [0.6, 0.5]])
    s = solved(anything, filled([pair(h, left, right, 0.0)]))
    narrow, heats = 1e-7, np.zeros(2)
    poles = np.linalg.eigvals(h - 0.5j * narrow * (left + right))
    for pole in poles:
        green = np.linalg.inv(pole.real * np.eye(2) - h + 0.5j * narrow * (left + right))
        top = np.trace(narrow * left @ green @ (narrow * right) @ green.conj().T).real
        filling = [1 / (1 + np.exp((pole.real - mu) / t)) for mu, t in ((0.5, 1.0), (0.25, 0.5))]
        # ∫dε/2π of a Lorentzian of that height and width.
        current = top * (-2 * pole.imag / narrow) / 4 * (filling[0] - filling[1])
        heats += [(pole.real - 0.5) * current, -(pole.real - 0.25) * current]
    assert_close(np.asarray(s.ledger.heats[0])[:2], heats, 1e-6)


def test_noise_of_a_single_level():
    """Current, heat and noise as QmeQ's Pauli kernel gives them."""
    gammas = [2 * np.pi * t**2 for t in (0.126156626101008, 0.19947114020071635)]
    baths = [cs.ElectronBath(1.0, 0.8), cs.ElectronBath(0.6, -0.3)]
    single = cs.Dots([[-0.5]], {f"lead {k}": cs.Lead(baths[k], gammas[k]) for k in range(2)})
    found = cs.counting(single, [("particles", "lead 0"), ("heat", "lead 1")]).covariance()
    assert_close(found.values[0, 0], 0.031138084785373173, 1e-13)


def test_noises_of_many_points_by_plain_elimination():
    """Beside dense matrices; what it does not decide is where rounding turns levels into each other."""
    rng, points = np.random.default_rng(12), 16
    c = {
        "levels": rng.normal(0, 1, (points, 2)),
        "hopping": rng.uniform(0.1, 1, points),
        "repulsion": rng.uniform(0, 2, points),
        "temperature": rng.uniform(0.5, 2, (points, 2)),
        "potential": rng.uniform(-1, 1, (points, 2)),
        "gamma": rng.uniform(0.1, 1, (points, 2, 2)),
    }
    c["levels"][:3], c["hopping"][:3] = c["levels"][:3, :1], 1e-9

    def matrix(p, numbers):
        return p["levels"] * numbers.eye(2) + p["hopping"] * (1 - numbers.eye(2))

    def build(_, p):
        baths = [cs.ElectronBath(p["temperature"][k], p["potential"][k]) for k in range(2)]
        leads = {name: cs.Lead(baths[k], p["gamma"][k]) for k, name in enumerate("ab")}
        return cs.Dots(matrix(p, jnp), leads, {(0, 1): p["repulsion"]})

    _, tiers, _ = ways(plans_of([cs.Counting([("particles", "a"), ("heat", "a")])]))[0]
    attempt = compiled(lambda columns: tiers.attempts[0](build, None, columns, jnp.asarray(1e-8)), **LIGHT)
    (found,), undecided = attempt({name: jnp.asarray(x) for name, x in c.items()})
    assert np.all(undecided[:3])
    assert not np.any(undecided[3:])
    for k in range(3, points):
        p = {name: x[k] for name, x in c.items()}
        contacts = [
            Contact(*[p[name][b] for name in ("temperature", "potential")], np.diag(p["gamma"][b])) for b in range(2)
        ]
        by_hand = flows(matrix(p, np), {(0, 1): p["repulsion"]}, contacts)
        assert_close(np.diag(found.values[k]), np.array([by_hand.noise, by_hand.heat_noise]), 1e-12)


# --------------------------------------------------------------------------- input


def test_files_and_paths(tmp_path):
    h, _, left, _, operator, _, _ = some(7)
    machine = cs.Dots(
        h,
        {"left": cs.Lead(cs.ElectronBath(0.5), left), "right": cs.Lead(cs.ElectronBath(0.5), [0.1, 0, 0.2])},
        {(2, 0): 1.5, (0, 1): 0.5},
        {"phonons": cs.jump.BosonCoupling(cs.BosonBath(1.0), operator, 0.1)},
    )
    cs.save(machine, tmp_path / "dots.toml")
    again = cs.load(tmp_path / "dots.toml")
    assert repr(again) == repr(machine)
    assert again.pairs == ((2, 0), (0, 1))


LEAD = {"left": cs.Lead(cs.ElectronBath(1.0), 0.1)}
FLAT = [[0.0, 0.0], [0.0, 1.0]]


def test_an_interaction_is_a_matrix_too():
    """Symmetric or with each pair once; one that contradicts itself is not a number where JAX traces it."""
    above, level = np.array([[0, 2, 1.0], [0, 0, 0.5], [0, 0, 0]]), np.diag([0.0, 1.0, 2.0])
    pairs = cs.Dots(level, LEAD, {(0, 1): 2.0, (0, 2): 1.0, (1, 2): 0.5})
    for matrix in (above, above + above.T):
        assert eqx.tree_equal(cs.Dots(level, LEAD, matrix), pairs)
    found = jax.jit(jax.vmap(lambda x: cs.Dots(level, LEAD, above + x * above.T).coulomb))(jnp.array([0.0, 1.0, 0.5]))
    assert np.array_equal(found, [[2.0, 1.0, 0.5]] * 2 + [[np.nan] * 3], equal_nan=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cs.Dots(FLAT, {}), "`leads` is empty"),
        (lambda: cs.Dots(FLAT, [cs.Lead(cs.ElectronBath(1.0), 0.1)]), "must be a mapping"),
        (lambda: cs.Dots(FLAT, {"left": cs.ElectronBath(1.0)}), "must be a Lead"),
        (lambda: cs.Dots([0.0, 1.0], LEAD), "square matrix"),
        (lambda: cs.Dots([[0, 0.1], [0.2, 0]], LEAD), r"Hermitian, but its entries \[0, 1\] and \[1, 0\]"),
        (lambda: cs.Dots([[0.1j]], LEAD), "Hermitian"),
        (lambda: cs.Dots([[np.nan]], LEAD), "finite"),
        (lambda: cs.Dots(FLAT, LEAD, {(0, 0): 1.0}), "pairs a spin-orbital with itself"),
        (lambda: cs.Dots(FLAT, LEAD, {(0, 2): 1.0}), "integers 0 to 1"),
        (lambda: cs.Dots(FLAT, LEAD, {(0, 0.5): 1.0}), "integers 0 to 1"),
        (lambda: cs.Dots(FLAT, LEAD, {(0, 1, 1, 0): 1.0}), "tensor U_ijkl"),
        (lambda: cs.Dots(FLAT, LEAD, {(0, 1): 1.0, (1, 0): 2.0}), "twice"),
        (lambda: cs.Dots(FLAT, LEAD, {(0, 1): 1j}), "real number"),
        (lambda: cs.Dots(FLAT, LEAD, {(0, 1): np.inf}), "`coulomb` must be finite"),
        (lambda: cs.Dots(FLAT, LEAD, np.ones((2, 3))), r"a matrix of shape \(2, 2\) or a tensor of shape"),
        (lambda: cs.Dots(FLAT, LEAD, np.ones((2, 2))), r"`coulomb\[0\]\[0\]` is 1, but must be 0"),
        (lambda: cs.Dots(FLAT, LEAD, [[0, 1], [2, 0]]), r"symmetric.* entries \[0, 1\] and \[1, 0\] are 1 and 2"),
        (lambda: cs.Dots(FLAT, LEAD, [[0, 0], [2, 0]]), r"entries \[0, 1\] and \[1, 0\] are 0 and 2"),
        (lambda: cs.Dots(FLAT, LEAD, [[0, 0], [np.nan, 0]]), "finite"),
        (lambda: cs.Dots(FLAT, LEAD, [[0, 1j], [1j, 0]]), "must be real"),
        (lambda: cs.Dots(FLAT, LEAD, window=-1.0), "`window` must be positive"),
        (lambda: cs.Dots(FLAT, LEAD, window=[1, 3, 1]), r"at most \(1, 2, 1\), but is \(1, 3, 1\)"),
        (lambda: cs.Dots(FLAT, LEAD, window=[1, 0, 1]), "one after the other"),
        (lambda: cs.Dots(FLAT, LEAD, window=[0.5, 1]), "list of integers"),
        (lambda: jax.jit(lambda e: cs.Dots(e * jnp.eye(2), LEAD, window=9.0))(1.0), "`window=dots.window`"),
        (lambda: cs.Dots(FLAT, LEAD, np.arange(16.0).reshape(2, 2, 2, 2)), "U_ijkl = U_jilk"),
        (lambda: cs.Dots(FLAT, {"left": cs.Lead(cs.ElectronBath(1.0), [0.1, 0.1, 0.1])}), r"shape \(3,\)"),
        (lambda: cs.Lead(cs.ElectronBath(1.0), [[0.1, 0.2], [0.2, 0.1]]), "eigenvalues ≥ 0"),
        (lambda: cs.Lead(cs.ElectronBath(1.0), [[0.1, 0.2], [0.1, 0.1]]), "Hermitian"),
        (lambda: cs.Lead(cs.ElectronBath(1.0), [0.1, -0.1]), "not negative"),
        (lambda: cs.Lead(cs.BosonBath(1.0), 0.1), "ElectronBath"),
        (lambda: cs.jump.BosonCoupling(cs.ElectronBath(1.0), FLAT, 0.1), "heat alone"),
        (lambda: cs.jump.BosonCoupling(cs.BosonBath(1.0), FLAT, -0.1), "not negative"),
        (
            lambda: cs.Dots([[0.0]], LEAD, bosons={"p": cs.jump.BosonCoupling(cs.BosonBath(1.0), [[1]], 1)}),
            "one orbital",
        ),
        (
            lambda: cs.Dots(FLAT, LEAD, bosons={"left": cs.jump.BosonCoupling(cs.BosonBath(1.0), FLAT, 1)}),
            "name of a lead",
        ),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(cs.InputError, match=words):
        make()


def test_transitions_between_blocks_are_the_listed_ones():
    """Of large dots they are broadcasts and sums instead of lists of indices."""
    rng, sizes = np.random.default_rng(3), (1, 4, 6, 4, 1)
    for upper in (False, True):
        layer = Layer(sizes, upper)
        listed = States(layer.array)
        assert len(layer) == len(listed)
        assert layer == listed
        numbers, back = rng.normal(size=(2, 16)), rng.normal(size=len(layer))
        both = Joined([layer, listed])
        assert np.array_equal(both.array, np.concatenate([layer.array, listed.array]))

        @jax.jit
        def gathered(numbers, back, layer=layer, listed=listed, both=both):
            twice = jnp.concatenate([back, -2 * back])
            each = layer.collect(back, 16), listed.collect(back, 16), both.collect(twice, 16)
            return layer.of(numbers), listed.of(numbers), *each

        one, other, collected, summed, whole = gathered(numbers, back)
        assert np.array_equal(one, other)
        np.testing.assert_allclose(collected, summed, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(whole, -collected, rtol=1e-14, atol=1e-14)
    lower, upper = (Layer(sizes, k).array for k in (False, True))
    first = np.concatenate([[0], np.cumsum(sizes)])
    pairs = [(i, f) for n in range(1, 5) for f in range(first[n], first[n + 1]) for i in range(first[n - 1], first[n])]
    assert list(zip(lower.tolist(), upper.tolist(), strict=True)) == pairs
