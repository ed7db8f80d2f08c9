"""Coupled modes against eigenvalues in multiple precision and closed forms."""

import itertools
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad
from scipy.linalg import eigvals

import coldspot as cs
from coldspot import cli
from coldspot.dynamics import solve_batch
from tests.modes.matrices import NAMES, hermitian, printed
from tests.tolerance import assert_close


def exactly(matrix):
    """(ω ascending in Re ω², overlap) of a retarded 2×2 matrix in multiple precision, from eigenvectors."""
    (k11, k12), (k21, k22) = ((mp.mpc(complex(z)) for z in row) for row in np.asarray(matrix))
    mean, root = (k11 + k22) / 2, mp.sqrt(((k11 - k22) / 2) ** 2 + k12 * k21)
    squares = sorted((mean - root, mean + root), key=lambda z: z.real)
    vectors = []
    for square in squares:
        # Of the two rows of (K−λ)u = 0, the one that is larger.
        rows = ((k12, square - k11), (square - k22, k21))
        vector = max(rows, key=lambda u: abs(u[0]) + abs(u[1]))
        norm = mp.sqrt(abs(vector[0]) ** 2 + abs(vector[1]) ** 2)
        vectors.append((vector[0] / norm, vector[1] / norm) if norm else None)
    inner = sum(mp.conj(p) * q for p, q in zip(*vectors, strict=True))
    return [mp.sqrt(square) for square in squares], abs(inner)


def solve(matrices):
    batch = cs.modes.CoupledModes.__new__(cs.modes.CoupledModes)
    object.__setattr__(batch, "matrix", jnp.asarray(matrices, dtype=complex))
    return eqx.filter_jit(lambda m: solve_batch(m, 1e-8))(batch)


def draw(size, rng):
    """Matrices from ordinary to nearly defective, nearly normal and nearly degenerate."""
    normal = rng.normal(size=(size, 2, 2)) + 1j * rng.normal(size=(size, 2, 2))
    matrices = np.eye(2) * (1 + 0.1 * rng.random(size))[:, None, None] + normal * 10.0 ** rng.uniform(
        -10, -1, (size, 1, 1)
    )
    third = size // 3
    # K_12K_21 = −h²(1+small): close to coalescence.
    h = (matrices[:third, 0, 0] - matrices[:third, 1, 1]) / 2
    matrices[:third, 1, 0] = -(h**2) / matrices[:third, 0, 1] * (1 + 10.0 ** rng.uniform(-15, -1, third))
    # Hermitian, up to a little.
    hermitian = matrices[third : 2 * third]
    hermitian += np.conj(np.swapaxes(hermitian, 1, 2)) * (1 - 10.0 ** rng.uniform(-16, -1, (third, 1, 1)))
    return matrices


# --------------------------------------------------------------------------- one pair of modes


def test_modes_agree_with_multiple_precision_and_their_errors_are_honest():
    matrices = draw(900, np.random.default_rng(0))
    s = solve(matrices)
    assert np.all(np.asarray(s.status) == 0)
    error = np.asarray(s.statistics["mode error"])
    assert np.all(np.asarray(s.residuals["characteristic equation"]) < 1e-15)
    tight = 0
    with mp.workdps(50):
        for k, matrix in enumerate(matrices):
            omega, overlap = exactly(matrix)
            found = np.asarray(s.modes.frequencies[k]) - 1j * np.asarray(s.modes.dampings[k])
            # Where both have the same real part to rounding, either may come first.
            off = min(max(abs(found[0] - a), abs(found[1] - b)) for a, b in (omega, omega[::-1]))
            assert off <= error[k]
            assert abs(mp.mpf(float(s.modes.overlap[k])) - overlap) < 4e-15 + 2 * near(matrix)
            tight += error[k] < 1e-13
    assert tight > 500


def near(matrix):
    """How far rounding of the discriminant moves the overlap: it matters where √D is lost."""
    h = (matrix[0, 0] - matrix[1, 1]) / 2
    size = 2 * abs(h) ** 2 + abs(matrix[0, 1]) ** 2 + abs(matrix[1, 0]) ** 2
    return 8 * 2.0**-52 * np.linalg.norm(matrix) / np.sqrt(size)


@pytest.mark.parametrize("k", range(8))
def test_the_machine_is_the_printed_matrix(k):
    rng = np.random.default_rng(k)
    values = np.array([1.0, 0.0, 0.002, 0.5, 0.05, 0.1, 0.0]) + rng.uniform(-0.05, 0.05, 7)
    machine = cs.machines.TwoModeJunction(**dict(zip(NAMES, values, strict=True)))
    # The spectrum does not see the signs of V and c; the matrix does.
    np.testing.assert_allclose(machine.dynamics().matrix, np.conj(printed(*values)), rtol=1e-15)
    modes = cs.steady_state(machine).modes
    squares, vectors = np.linalg.eig(np.array(printed(*values)))
    order = np.argsort(squares.real)
    omega = np.sqrt(squares)[order]
    np.testing.assert_allclose(modes.frequencies, omega.real, rtol=1e-13)
    # Dampings are what is left of the frequencies' rounding; an overlap is a number up to 1.
    assert_close(modes.dampings, omega.imag, 1e-14, np.abs(omega))
    assert_close(modes.overlap, abs(np.vdot(*vectors.T)), 1e-13, 1.0)


def test_published_overlap_and_uncoupled_limits():
    s = cs.steady_state(cs.machines.TwoModeJunction())
    assert float(s.modes.overlap) == pytest.approx(0.9990, abs=5e-5)
    assert s.regime is None
    assert s.baths == ()
    free = cs.steady_state(cs.machines.TwoModeJunction(bias=0.0, dissipative=0.0, berry=0.3)).modes
    np.testing.assert_allclose(free.frequencies, [0.98, 1.02], rtol=1e-15)
    np.testing.assert_allclose(free.dampings, [0.001, 0.001], rtol=1e-12)
    assert float(free.overlap) == 0.0
    same = cs.steady_state(cs.machines.TwoModeJunction(bias=0.0, dissipative=0.0, detuning=0.0)).modes
    assert float(same.overlap) == 0.0


def test_a_mode_grows_beyond_the_coalescence():
    """(2γΩ)² = (aV)² + (cΩ)² − (δΩ)² + O(γ²): damping vanishes there, and the solution says so and stays trusted."""
    onset = np.sqrt((4 * 0.001**2 + 0.04**2 - 0.02**2) / 0.05**2)
    ds = cs.sweep(cs.machines.TwoModeJunction(), {"bias": onset * np.array([0.9, 0.999, 1.001, 1.1])})
    assert np.all(ds.status == 0)
    assert (ds.mode_damping.min("mode").values > 0).tolist() == [True, True, False, False]
    # … up to O(γ²), O(δ²) of the mean.
    assert_close(ds.mode_damping.mean("mode"), np.full(4, 0.001), 1e-3)


def test_motion_in_time():
    """The retarded K describes ü = −Ku with real matrices: springs, friction −C u̇, and a force that is no gradient."""
    springs = np.array([[1.04, 0.0], [0.0, 0.96]])
    friction = np.array([[0.004, 0.001], [0.001, 0.003]])
    force = np.array([[0.0, 0.02], [-0.02, 0.0]])
    # (−ω² − iωC + S + A)u = 0 as a linear problem for (u, ωu).
    zero, one = np.zeros((2, 2)), np.eye(2)
    omega = eigvals(np.block([[zero, one], [springs + force, -1j * friction]]))
    omega = np.sort_complex(omega[omega.real > 0])
    modes = cs.steady_state(cs.modes.CoupledModes(springs + force - 1j * friction)).modes
    # −iωC is taken at ω = 1: an error of second order in C and in the width of the pair.
    assert_close(modes.frequencies, omega.real, 2e-5)
    assert_close(modes.dampings, -omega.imag, 1e-4, np.abs(omega))
    assert np.all(np.asarray(modes.dampings) > 0)


def test_derivatives_of_modes():
    def outputs(values):
        modes = cs.steady_state(cs.machines.TwoModeJunction(**dict(zip(NAMES, values, strict=True)))).modes
        return jnp.concatenate([modes.frequencies, modes.dampings, modes.overlap[None]])

    values = np.array([1.1, 0.04, 0.002, 0.4, 0.05, 0.03, 0.01])
    found = np.asarray(jax.jit(jax.jacfwd(outputs))(values))
    with mp.workdps(40):
        for k in range(7):

            def quantities(y, k=k):
                with mp.workdps(40):
                    arguments = [mp.mpf(v) for v in values]
                    arguments[k] = y
                    matrix = [[mp.conj(mp.mpc(z)) for z in row] for row in printed_exactly(*arguments)]
                    omega, overlap = exactly_of(matrix)
                    return [w.real for w in omega] + [-w.imag for w in omega] + [overlap]

            h = mp.mpf("1e-9")
            centre = mp.mpf(values[k])
            slopes = [(p - m) / (2 * h) for p, m in zip(quantities(centre + h), quantities(centre - h), strict=True)]
            assert_close(found[:, k], [float(x) for x in slopes], 1e-10, np.max(np.abs(found)))


def printed_exactly(omega, delta, gamma, bias, a, b, c):
    i = mp.mpc(0, 1)
    return [
        [(omega + delta / 2 + i * gamma) ** 2, bias * (a + i * b * omega) + i * c * omega],
        [-bias * (a + i * b * omega) + i * c * omega, (omega - delta / 2 + i * gamma) ** 2],
    ]


def exactly_of(matrix):
    (k11, k12), (k21, k22) = matrix
    mean, root = (k11 + k22) / 2, mp.sqrt(((k11 - k22) / 2) ** 2 + k12 * k21)
    squares = sorted((mean - root, mean + root), key=lambda z: z.real)
    vectors = [(k12, square - k11) for square in squares]
    norms = [mp.sqrt(abs(u) ** 2 + abs(v) ** 2) for u, v in vectors]
    inner = sum(mp.conj(p) * q for p, q in zip(*vectors, strict=True))
    return [mp.sqrt(square) for square in squares], abs(inner) / (norms[0] * norms[1])


# --------------------------------------------------------------------------- status, input, files


def test_what_has_no_frequency_is_unstable_and_what_is_no_number_invalid():
    with pytest.raises(cs.SolveError, match=r"UNSTABLE.*negative spring"):
        cs.steady_state(cs.modes.CoupledModes([[1.0, 0.0], [0.0, -1.0]]))
    s = solve(
        [
            [[1.0, 0.0], [0.0, 2.0]],
            [[np.nan, 0.0], [0.0, 1.0]],
            [[1.0, 3.0], [3.0, 1.0]],
            [[1e308, 1e308], [1e308, 0.0]],
        ]
    )
    assert np.asarray(s.status).tolist() == [0, 1, 5, 4]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cs.machines.TwoModeJunction(frequency=0.0), "`frequency` must be positive"),
        (lambda: cs.machines.TwoModeJunction(detuning=-2.0), r"`detuning` must be smaller than 2·frequency = 2.*-2"),
        (lambda: cs.machines.TwoModeJunction(bias=np.nan), "`bias` must be finite"),
        (lambda: cs.modes.CoupledModes([[1.0]]), r"`matrix` must have shape \(2, 2\), but has shape \(1, 1\)"),
        (lambda: cs.modes.CoupledModes([[1.0, np.inf], [0.0, 1.0]]), "`matrix` must be finite"),
        (lambda: cs.modes.flat_band(np.eye(2), np.eye(2), np.eye(2)), r"`couplings` must have shape .*\(2, 2\)"),
        (lambda: cs.modes.flat_band([[[0, 1], [0, 0]]], np.eye(2), np.eye(2)), r"`couplings` must be H.*\[0, 1]"),
        (lambda: cs.modes.exceptional_points(1.0, (0, 1), (0, 1)), "`matrix` must be a function.*float"),
        (
            lambda: cs.modes.exceptional_points(lambda p, q: jnp.eye(2), (1, 0), (0, 1)),
            r"`first` must .*rise.*\(1, 0\)",
        ),
        (lambda: cs.modes.exceptional_points(lambda p, q: jnp.eye(2), (0, 1), 3), "`second` must be two numbers.*3"),
        (lambda: cs.modes.exceptional_points(lambda p, q: jnp.eye(4), (0, 1), (0, 1)), r"n from 2 to 3.*\(4, 4\)"),
        (lambda: cs.modes.branches(lambda p: jnp.eye(2), [0.0]), r"`path` must hold two or more points.*\(1,\)"),
        (lambda: cs.modes.branches(lambda p: jnp.eye(6), [0.0, 1.0]), r"n from 2 to 5, but its shape is \(6, 6\)"),
        (lambda: cs.modes.branches(lambda p: jnp.eye(2) / p, [0.0, 1.0]), "`matrix` must be finite along the path"),
    ],
)  # fmt: skip
def test_bad_input_is_named(make, message):
    with pytest.raises(cs.InputError, match=message):
        make()


def test_sweeps_and_files(tmp_path):
    bias = np.linspace(0.0, 1.2, 7)
    ds = cs.sweep(cs.machines.TwoModeJunction(), {"bias": bias, "detuning": [0.04, 2.0, 0.02]})
    assert ds.mode_frequency.dims == ("bias", "detuning", "mode")
    assert ds.mode_overlap.dims == ("bias", "detuning")
    # At δ = 2Ω one frequency is zero.
    assert ds.status.values.T.tolist() == [[0] * 7, [1] * 7, [0] * 7]
    assert np.isnan(ds.mode_frequency.sel(detuning=2.0)).all()
    one = cs.steady_state(cs.machines.TwoModeJunction(bias=bias[3])).modes
    np.testing.assert_allclose(ds.mode_damping.sel(detuning=0.04).values[3], one.dampings, rtol=1e-10)
    assert "regime" not in ds
    assert ds.bias.attrs["natural_units"] == "E"
    ds.to_netcdf(tmp_path / "modes.nc")
    with xr.open_dataset(tmp_path / "modes.nc") as back:
        xr.testing.assert_identical(back.load(), ds)


def test_command_line(capsys):
    assert cli.run(["solve", "two-mode-junction", "--json", "--set", "bias=0.5"]) == 0
    record = json.loads(capsys.readouterr().out)
    modes = cs.steady_state(cs.machines.TwoModeJunction(bias=0.5)).modes
    assert record["modes"] == {
        "frequencies": modes.frequencies.tolist(),
        "dampings": modes.dampings.tolist(),
        "overlap": float(modes.overlap),
    }
    assert record["regime"] is None
    assert record["heat"] == {}
    assert cli.run(["solve", "two-mode-junction"]) == 0
    assert "overlap of the modes 0.999" in capsys.readouterr().out


def positive(rng, n):
    z = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return z @ np.conj(z.T)


@pytest.mark.parametrize(("temperature", "bias", "omega"), [(0.1, 0.7, 1.0), (2.0, -0.4, 0.3)])
def test_flat_band_is_the_self_energy_of_the_pair_baths(temperature, bias, omega):
    """−iΛ/2, with Λ by quadrature over the electrons' energy, of spectral functions that are constant."""
    rng = np.random.default_rng(5)
    couplings, spectra = hermitian(rng, 2, 3, 3), {"L": positive(rng, 3), "R": positive(rng, 3)}
    potential = {"L": bias / 2, "R": -bias / 2}

    def fermi(energy, lead):
        return 0.5 * (1 - np.tanh((energy - potential[lead]) / (2 * temperature)))

    total = np.zeros((2, 2), dtype=complex)
    for (m, one), (n, other) in itertools.product(enumerate(couplings), repeat=2):
        for alpha, beta in itertools.product("LR", repeat=2):
            trace = np.trace(one @ spectra[alpha] @ other @ spectra[beta])

            def difference(energy, alpha=alpha, beta=beta):
                return fermi(energy, alpha) - fermi(energy - omega, beta)

            window, _ = quad(difference, -100, 100, points=(-1, 0, 1), epsabs=1e-12, limit=400)
            total[m, n] -= trace * window / (2 * np.pi)
    band = cs.modes.flat_band(couplings, spectra["L"], spectra["R"])
    expected = bias * np.asarray(band.nonconservative) - 1j * omega * np.asarray(band.dissipative)
    assert_close(-0.5j * total, expected, 1e-10)
    assert np.array_equal(band.nonconservative, -band.nonconservative.T)
    assert np.array_equal(band.dissipative, band.dissipative.T)
    assert np.all(np.linalg.eigvalsh(np.asarray(band.dissipative)) > 0)


def test_flat_band_of_what_is_not_hermitian_is_no_number_in_a_batch():
    matrices = jnp.array([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [0.5, 0.0]]])
    band = jax.jit(jax.vmap(lambda m: cs.modes.flat_band(m[None], jnp.eye(2), jnp.eye(2))))(matrices)
    for numbers in band:
        assert np.isfinite(numbers[0]).all()
        assert np.isnan(numbers[1]).all()


def test_flat_band_damps_one_mode_as_stated():
    """A single mode: ω² = Ω² − iωC has the damping C/2."""
    rng = np.random.default_rng(6)
    band = cs.modes.flat_band(0.01 * hermitian(rng, 1, 2, 2), positive(rng, 2), positive(rng, 2))
    damping = float(band.dissipative[0, 0]) / 2
    omega = np.roots([1, 1j * 2 * damping, -1.0])
    np.testing.assert_allclose(-omega.imag, damping, rtol=1e-12)
