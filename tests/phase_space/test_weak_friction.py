"""Where friction is too weak for Kramers' formula, the barrier says so: against the Klein–Kramers equation itself.

Second routes: the lowest relaxation rate of a double well, by orthogonal polynomials in x and v with SciPy; and the
factor of Mel'nikov and Meshkov by quadrature.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.integrate import quad
from scipy.sparse.linalg import eigs

import coldspot as cs
from coldspot.phase_space.barrier import WEAK


def escape_rate(friction, height, frequency, speeds, polynomials):
    """Half the lowest rate at which V = E(1−x²/a²)², m = T = 1, equilibrates; `frequency` is that of its barrier."""
    a = 2 * np.sqrt(height) / frequency
    x, weight = np.polynomial.legendre.leggauss(1500)
    edge = a * np.sqrt(1 + np.sqrt(40 / height))
    x, weight = x * edge, weight * edge * np.exp(-height * (1 - (x * edge / a) ** 2) ** 2)
    root = np.sqrt(weight / weight.sum())
    # Orthonormal polynomials of the Boltzmann weight by Lanczos, and their derivatives by the same recurrence.
    p, slope = np.zeros((2, polynomials, x.size))
    middle, next_ = np.zeros(polynomials), np.zeros(polynomials)
    p[0] = root
    for k in range(polynomials - 1):
        rest = x * p[k]
        middle[k] = rest @ p[k]
        for _ in range(2):
            rest = rest - p[: k + 1].T @ (p[: k + 1] @ rest)
        next_[k] = np.linalg.norm(rest)
        p[k + 1] = rest / next_[k]
        before = next_[k - 1] * slope[k - 1] if k else 0.0
        slope[k + 1] = (p[k] + (x - middle[k]) * slope[k] - before) / next_[k]
    derivative = sp.csr_matrix(np.triu(p @ slope.T, 1))
    order = np.arange(speeds)
    raised = sp.diags(np.sqrt(order[1:]), 1)
    motion = sp.kron(raised, derivative.T) - sp.kron(raised.T, derivative)
    damping = friction * sp.kron(sp.diags(order.astype(float)), sp.eye(polynomials))
    rates = np.sort(eigs((motion.T + damping).tocsc(), k=2, sigma=-1e-7, which="LM")[0].real)
    return rates[1] / 2


def test_the_second_route_has_the_published_rate():
    """V = 5(x²−1)², γ = 1, in many digits."""
    assert escape_rate(1.0, 5.0, np.sqrt(20.0), 36, 70) == pytest.approx(4.77275769417e-3, rel=2e-4)


def turnover(loss):
    """Υ²(δ)/Υ(2δ)."""

    def single(loss):
        def integrand(y):
            return np.log(-np.expm1(-loss * (y * y + 0.25))) / (y * y + 0.25)

        return np.exp(quad(integrand, 0, np.inf, limit=200)[0] / np.pi)

    return single(loss) ** 2 / single(2 * loss)


def test_the_flag_stands_where_the_flux_is_five_per_cent_too_large():
    assert turnover(WEAK) == pytest.approx(0.95, abs=2e-3)
    assert turnover(3.0) == pytest.approx(0.63, abs=5e-3)


def test_action_of_wells_as_curved_as_the_barrier():
    """∮ p dx at the height of the top, through V = (E/2)(1+cos qx) up to its bottom and ω²y²/2 beyond."""
    height, frequency, mass, temperature = 3.0, 1.7, 0.6, 0.4
    wave = frequency * np.sqrt(2 * mass / height)

    def energy(x):
        bottom = np.pi / wave
        return height / 2 * (1 + np.cos(wave * x)) if x < bottom else mass * frequency**2 * (x - bottom) ** 2 / 2

    end = np.pi / wave + np.sqrt(2 * height / mass) / frequency
    action = 2 * quad(lambda x: np.sqrt(2 * mass * max(height - energy(x), 0.0)), 0, end, points=[np.pi / wave])[0]
    # The friction force −mγv takes γ∮p dx from it.
    barrier = cs.Barrier(0.3, frequency, mass, temperature, 0.7, height)
    assert float(barrier.loss) == pytest.approx(0.3 * action / temperature, rel=1e-6)


@pytest.mark.parametrize(("friction", "flagged"), [(0.12, True), (0.5, False)])
def test_flag_against_the_double_well(friction, flagged):
    """E = 6T: what is left of Kramers' rate for this well, κ(ω₀/2π)e^{−E/T}, ω₀ = √2 ω, is less than 90 % if flagged.

    (A barrier of finite height alone takes four to seven per cent.)
    """
    barrier = cs.Barrier(friction, 1.0, 1.0, 1.0, 1.0, 6.0)
    kramers = np.sqrt(2) * float(barrier.current)
    left = escape_rate(friction, 6.0, 1.0, 40, 70) / kramers
    assert (left < 0.9) == flagged
    s = cs.steady_state(cs.Barrier(friction, 1.0, 1.0, 1.0, 0.75, 6.0))
    assert bool(s.flags["weak friction"]) == flagged
    assert ("weak friction" in repr(s)) == flagged


def test_flags_of_the_worst_cases_and_in_a_sweep():
    ds = cs.sweep(cs.machines.KramersBarrier(barrier=6.0), {"friction": [0.01, 0.1, 1.0, 10.0]})
    assert ds["weak_friction"].values.tolist() == [True, True, False, False]
    assert np.all(ds.status == 0)
