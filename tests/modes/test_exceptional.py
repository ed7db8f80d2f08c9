"""Exceptional points and branches, against resultants and closed forms."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.modes import exceptional
from coldspot.modes.dynamical_matrices import two_mode_matrix
from coldspot.modes.eigenvalues import discriminant, orders
from coldspot.pytrees import opened
from tests.modes.matrices import printed
from tests.tolerance import assert_close

# --------------------------------------------------------------------------- exceptional points


class Affine(eqx.Module):
    """K = A + pB + qC."""

    a: jax.Array
    b: jax.Array
    c: jax.Array

    def __call__(self, p, q):
        return self.a + p * self.b + q * self.c


def random_affine(rng, n):
    return [rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)) for _ in range(3)]


def by_resultant(a, b, c):
    """All real (p, q) where the discriminant of a 2×2 matrix A + pB + qC is zero: eliminate q, find the roots in p.

    tr²−4det is a quadratic form z in (1, p, q); its two parts are conics, and they meet in at most four points.
    """

    def form(u, v):
        return (u[0, 0] - u[1, 1]) * (v[0, 0] - v[1, 1]) + 2 * (u[0, 1] * v[1, 0] + v[0, 1] * u[1, 0])

    # z = (zqq) q² + (zq0 + zq1 p) q + (z00 + z01 p + z11 p²)
    quadratic, linear = form(c, c), np.array([2 * form(b, c), 2 * form(a, c)])
    constant = np.array([form(b, b), 2 * form(a, b), form(a, a)])
    poly = [(np.poly1d([f(quadratic)]), np.poly1d(f(linear)), np.poly1d(f(constant))) for f in (np.real, np.imag)]
    (a2, a1, a0), (b2, b1, b0) = poly
    resultant = (a2 * b0 - b2 * a0) ** 2 - (a2 * b1 - b2 * a1) * (a1 * b0 - b1 * a0)
    points = []
    for p in resultant.roots:
        if abs(p.imag) < 1e-9:
            q = -(a2(p.real) * b0(p.real) - b2(p.real) * a0(p.real)) / (
                a2(p.real) * b1(p.real) - b2(p.real) * a1(p.real)
            )
            points.append((p.real, q))
    return np.array(points).reshape(-1, 2)


def test_the_search_finds_all_points_that_elimination_finds():
    rng = np.random.default_rng(11)
    found_all = 0
    for _ in range(40):
        parts = random_affine(rng, 2)
        expected = by_resultant(*parts)
        expected = expected[np.all(np.abs(expected) < 2, axis=1)]
        found = cs.modes.exceptional_points(Affine(*map(jnp.asarray, parts)), (-2.0, 2.0), (-2.0, 2.0))
        assert found.status is cs.Status.OK
        assert len(found.parameters) == len(expected)
        assert_close(found.parameters, expected[np.lexsort(expected.T[::-1])].reshape(-1, 2), 1e-9, 2.0)
        np.testing.assert_allclose(found.overlaps, 1.0, rtol=1e-6)
        assert np.all(np.abs(found.charges) == 1)
        assert found.charges.sum() == found.winding
        assert np.all(found.residuals < 1e-12)
        found_all += len(expected)
    assert found_all > 30


def test_other_numbers_compile_nothing():
    """A second search of a matrix of the same kind has the programs of the first."""
    rng, sizes = np.random.default_rng(11), []
    first, second = (Affine(*map(jnp.asarray, random_affine(rng, 2))) for _ in range(2))
    for matrix in (first, second):
        search = exceptional._Search(opened(matrix), jnp.zeros(2), jnp.ones(2))
        search.residuals(np.full((3, 2), 0.4), float(rng.uniform(1, 9)))
        sizes.append(exceptional._Search._residuals.count())
    assert sizes[0] == sizes[1]


def test_three_modes():
    """A third mode apart from two with a known point leaves it where it is; a generic matrix has its own."""

    def three(p, q):
        k = two_mode_matrix(1.0, 0.04, 0.001, p, 0.05, q, 0.02)
        third = jnp.array([0.0, 0.0, 1.3])
        return jnp.pad(k, ((0, 1), (0, 1))) + jnp.diag(third)

    found = cs.modes.exceptional_points(three, (0.1, 1.2), (-0.01, 0.012))
    root = np.sqrt(0.04**2 * (1 + 0.001j) ** 2 - 0.02**2)
    assert found.status is cs.Status.OK
    np.testing.assert_allclose(found.parameters, [[root.real / 0.05, root.imag / root.real * 0.05]], rtol=1e-9)
    rng = np.random.default_rng(3)
    generic = cs.modes.exceptional_points(Affine(*map(jnp.asarray, random_affine(rng, 3))), (-2.0, 2.0), (-2.0, 2.0))
    assert generic.status is cs.Status.OK
    assert len(generic.parameters) > 0
    np.testing.assert_allclose(generic.overlaps, 1.0, rtol=1e-5)
    assert found.orders.tolist() == [2]
    assert set(generic.orders) == {2}


def test_published_point():
    """V² = (δ²(Ω+iγ)² − c²Ω²)/(a+ibΩ)²: complex V in the paper's form, or real V and b."""
    found = cs.modes.exceptional_points(
        lambda x, y: jnp.array(printed(1.0, 0.04, 0.001, x + 1j * y, 0.05, 0.0, 0.02)), (0.0, 1.2), (-0.1, 0.1)
    )
    bias = np.sqrt((0.04**2 * (1 + 0.001j) ** 2 - 0.02**2) / 0.05**2)
    assert found.status is cs.Status.OK
    np.testing.assert_allclose(found.parameters, [[bias.real, bias.imag]], rtol=1e-10)
    # The printed digits.
    np.testing.assert_allclose(found.parameters, [[0.69282, 0.00092]], rtol=0, atol=5e-6)
    real = cs.modes.exceptional_points(
        lambda v, b: two_mode_matrix(1.0, 0.04, 0.001, v, 0.05, b, 0.02), (-1.2, 1.2), (-0.1, 0.1)
    )
    root = np.sqrt(0.04**2 * (1 + 0.001j) ** 2 - 0.02**2)
    expected = np.array([root.real / 0.05, root.imag / (root.real / 0.05)])
    np.testing.assert_allclose(real.parameters, [[-expected[0], expected[1]], expected], rtol=1e-9)
    assert real.charges.tolist() in ([1, -1], [-1, 1])
    # The modes do coalesce there.
    v, b = real.parameters[1]
    s = cs.steady_state(cs.machines.TwoModeJunction(bias=v, berry=b))
    assert float(s.modes.overlap) == pytest.approx(1.0, abs=1e-7)
    assert abs(float(np.diff(s.modes.frequencies)[0])) < 2 * float(s.statistics["mode error"])


def test_a_crossing_of_orthogonal_modes_is_told_apart():
    """A Hermitian pair crosses at one point of two parameters; its eigenvectors stay orthogonal, its charge is 0."""
    found = cs.modes.exceptional_points(lambda p, q: jnp.array([[p, q - 0.3], [q - 0.3, -p]]), (-1, 1.1), (-1, 1))
    assert_close(found.parameters, [[0.0, 0.3]], 1e-6, 1.0)
    assert found.charges.tolist() == [0]
    assert found.overlaps[0] < 1e-6
    assert found.orders.tolist() == [1]


def test_the_order_of_a_point_is_how_many_modes_coalesce():
    """λ³ = z of three modes in a row, fed back from the last to the first: all of them at z = 0, where it turns twice.

    A crossing with a vector of its own beside two that coalesce leaves the order at 2.
    """
    row = [np.zeros((3, 3), complex) for _ in range(3)]  # z = p − .21 + i(q + .37)
    row[0] += np.array([[2.1, 0.3, 0], [0, 2.1, 0.3], [0.3 * (-0.21 + 0.37j), 0, 2.1]])
    row[1][2, 0], row[2][2, 0] = 0.3, 0.3j
    found = cs.modes.exceptional_points(Affine(*map(jnp.asarray, row)), (-2.0, 2.0), (-2.0, 2.0))
    assert found.status is cs.Status.OK
    np.testing.assert_allclose(found.parameters, [[0.21, -0.37]], rtol=0, atol=1e-7)
    assert (found.orders.tolist(), found.charges.tolist()) == ([3], [2])
    apart = np.array([[2.0, 1, 0], [1e-14, 2, 0], [0, 0, 2.0 + 1e-9]])
    near = np.array([[2.0, 1, 0], [1e-14, 2, 0.01], [0, 0, 2.01]])  # a third mode close by, not in the point
    assert orders(np.stack([apart, near])).tolist() == [2, 2]


@pytest.mark.parametrize(("scale", "trace"), [(1.0, 0.0), (1e-3, 1.0)])
def test_three_modes_of_gain_and_loss_coalesce_where_the_discriminant_is_a_cube(scale, trace):
    """Eigenvalues 0, ±√s with s = 2 + z², z = q + ip: the discriminant is 4s³, and s has the zeros z = ±i√2."""

    def chain(p, q):
        z = q + 1j * p
        return scale * jnp.array([[z, 1, 0], [1, 0, 1], [0, 1, -z]]) + trace * jnp.eye(3)

    found = cs.modes.exceptional_points(chain, (-2.0, 3.0), (-1.0, 1.2))
    assert found.status is cs.Status.OK
    np.testing.assert_allclose(found.parameters, [[-(2**0.5), 0], [2**0.5, 0]], rtol=0, atol=1e-8)
    assert (found.orders.tolist(), found.charges.tolist(), found.winding) == ([3, 3], [-3, -3], -6)
    assert_close(found.eigenvalues, [trace, trace], 1e-4 * scale, 1.0)


def test_a_mode_that_crosses_two_that_coalesce_leaves_the_order_at_two():
    """z² + 1 = 0 with a third mode at 0 that nothing links: a point of order 2, in which three eigenvalues meet."""
    found = cs.modes.exceptional_points(
        lambda p, q: jnp.array([[p + 1j * q, 1, 0], [1, -p - 1j * q, 0], [0, 0, 0]]), (-1, 1.5), (-2, 2)
    )
    assert found.status is cs.Status.OK
    found_in_order = found.parameters[np.argsort(found.parameters[:, 1])]
    np.testing.assert_allclose(found_in_order, [[0, -1], [0, 1]], rtol=0, atol=1e-8)
    assert (found.orders.tolist(), found.charges.tolist()) == ([2, 2], [3, 3])


def test_points_nearer_than_a_loop_are_counted_each():
    """λ³ = aλ + z: two points at z = ±2(a/3)^{3/2}, that is 1e-5 of the box apart."""
    found = cs.modes.exceptional_points(
        lambda p, q: jnp.array([[0, 1, 0], [0, 0, 1], [p + 1j * q, 1e-3, 0]]), (-1.0, 1.0), (-1.0, 1.0)
    )
    assert found.status is cs.Status.OK
    place = 2 * (1e-3 / 3) ** 1.5
    np.testing.assert_allclose(found.parameters, [[-place, 0], [place, 0]], rtol=0, atol=1e-12)
    assert (found.orders.tolist(), found.charges.tolist()) == ([2, 2], [1, 1])


TURN = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]


@pytest.mark.parametrize(
    "matrix",
    [
        lambda p, q: jnp.array([[p + 1j * q, 0], [0, p + 1j * q]]),
        lambda p, q: TURN @ jnp.diag(jnp.array([p + 1j * q, 1.3, p + 1j * q])) @ TURN.T,
        lambda p, q: jnp.array([[0, 1], [0, 0j]]),
    ],
)
def test_eigenvalues_that_coincide_everywhere_are_refused_in_words(matrix):
    with pytest.raises(cs.InputError, match="coincide all over the box"):
        cs.modes.exceptional_points(matrix, (0, 1.5), (-2, 2))


def test_missing_points_are_noticed(monkeypatch):
    def pair(p, q):
        return jnp.array([[p + 1j * q, 1.0], [1.0, -p - 1j * q]])

    whole = cs.modes.exceptional_points(pair, (-1, 1), (-2, 2))
    assert (len(whole.parameters), whole.winding, whole.status) == (2, 2, cs.Status.OK)
    search = exceptional._zeros
    monkeypatch.setattr(exceptional, "_zeros", lambda *arguments: search(*arguments)[:1])
    lost = cs.modes.exceptional_points(pair, (-1, 1), (-2, 2))
    assert (len(lost.parameters), lost.winding, lost.status) == (1, 2, cs.Status.NOT_CONVERGED)
    monkeypatch.undo()
    # On the border nothing can be counted.
    assert cs.modes.exceptional_points(pair, (-1, 1), (-1, 2)).status is cs.Status.NOT_CONVERGED
    assert cs.modes.exceptional_points(lambda p, q: pair(p, q) / 0, (-1, 1), (-1, 2)).status is cs.Status.NOT_FINITE
    nothing = cs.modes.exceptional_points(pair, (0.5, 1), (-2, 2))
    assert (len(nothing.parameters), nothing.winding, nothing.status) == (0, 0, cs.Status.OK)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e4])
@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_discriminant_is_the_product_of_differences(n, scale):
    """In any unit: of modes whose frequencies differ by little it once had no digits."""
    rng = np.random.default_rng(n)
    matrices = scale * (rng.normal(size=(20, n, n)) + 1j * rng.normal(size=(20, n, n)))
    values = np.linalg.eigvals(matrices)
    i, j = np.triu_indices(n, 1)
    expected = np.prod((values[:, i] - values[:, j]) ** 2, axis=-1)
    np.testing.assert_allclose(jax.jit(discriminant)(matrices), expected, rtol=1e-9)


# --------------------------------------------------------------------------- branches


def circle(centre, radius, turns, points):
    angle = np.linspace(0.0, 2 * np.pi * turns, points)
    return np.asarray(centre) + np.stack([radius[0] * np.cos(angle), radius[1] * np.sin(angle)], axis=-1)


def junction(point):
    return two_mode_matrix(1.0, 0.04, 0.001, point[0], 0.05, point[1], 0.02)


def test_modes_change_places_round_an_exceptional_point():
    (point,) = cs.modes.exceptional_points(lambda v, b: junction((v, b)), (0.1, 1.2), (-0.05, 0.06)).parameters
    once = cs.modes.branches(junction, circle(point, (0.1, 0.02), 1, 401))
    twice = cs.modes.branches(junction, circle(point, (0.1, 0.02), 2, 801))
    beside = cs.modes.branches(junction, circle((point[0] + 0.2, point[1]), (0.1, 0.02), 1, 401))
    for loop, swapped in ((once, True), (twice, False), (beside, False)):
        omega = loop.frequencies - 1j * loop.dampings
        np.testing.assert_allclose(omega[-1][::-1] if swapped else omega[-1], omega[0], rtol=1e-12)
        assert np.abs(omega[0, 0] - omega[0, 1]) > 1e-3
        assert loop.doubts.max() < 0.3
    # Too few steps are not certain.
    assert cs.modes.branches(junction, circle(point, (0.1, 0.02), 1, 4)).doubts.max() > 0.3


def test_branches_are_the_modes():
    path = np.linspace(0.0, 1.2, 61)
    found = cs.modes.branches(lambda v: junction((v, 0.0)), path)
    ds = cs.sweep(cs.machines.TwoModeJunction(), {"bias": path})
    np.testing.assert_allclose(np.sort(found.frequencies, axis=1), np.sort(ds.mode_frequency, axis=1), rtol=1e-12)
    assert_close(np.sort(found.dampings, axis=1), np.sort(ds.mode_damping, axis=1), 1e-13, found.frequencies.max())
    assert_close(found.overlaps, ds.mode_overlap, 1e-10, 1.0)


def test_three_modes_are_followed_through_crossings():
    """Uncoupled modes that cross keep their names."""

    def crossing(t):
        return jnp.diag(jnp.stack([1.0 + t, 2.0 - 0.3 * t, 1.7 + 0 * t]) ** 2 + 0j)

    path = np.linspace(0.0, 2.0, 101)
    found = cs.modes.branches(crossing, path)
    np.testing.assert_allclose(
        found.frequencies, np.stack([1 + path, 1.7 + 0 * path, 2 - 0.3 * path], axis=1), rtol=1e-13
    )
