"""Cumulants of heat against what a harmonic conductor transmits, and against the ledger.

Second route: μ(s) = −∫₀^∞ dω/2π ln[1 − 𝒯(ω) T_L T_R s (s + 1/T_R − 1/T_L)] with 𝒯 = 4ω²γ_Lγ_R|G_LR|² ("Large
deviations of heat flow in harmonic chains", Kundu, Sabhapandit and Dhar), s counting heat from the left bath.
"""

import numpy as np
import pytest
from scipy.integrate import quad

import coldspot as cs


def chain(torque=0.0):
    forces = {"pull": torque * np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])} if torque else None
    return cs.OscillatorNetwork(
        masses=[1.0, 2.0, 1.5],
        springs=[[2.5, -1.0, 0.0], [-1.0, 2.2, -0.8], [0.0, -0.8, 1.4]],
        frictions=[0.6, 0.0, 0.9],
        baths={"left": cs.HeatBath(2.0), "right": cs.HeatBath(0.7)},
        sites={"left": 0, "right": 2},
        forces=forces,
    )


def transmitted():
    """κ₁ … κ₄ from the logarithm's expansion in s, integrated over frequency."""
    one = chain()
    m, phi, gamma = (np.asarray(a) for a in (one.masses, one.springs, one.frictions))
    hot, cold = 2.0, 0.7

    def coefficients(w):
        g = np.linalg.inv(phi - w * w * np.diag(m) - 1j * w * np.diag(gamma))
        t = 4 * w * w * gamma[0] * gamma[2] * abs(g[0, 2]) ** 2
        a, b = t * hot * cold * (1 / cold - 1 / hot), t * hot * cold
        # −ln(1 − as − bs²) in powers of s.
        return np.array([a, b + a * a / 2, a * b + a**3 / 3, b * b / 2 + a * a * b + a**4 / 4])

    def integral(k):
        return sum(
            quad(lambda w: coefficients(w)[k], low, high, epsabs=1e-13, epsrel=1e-12, limit=400)[0]
            for low, high in ((0, 1), (1, 2), (2, 5), (5, np.inf))
        )

    return np.array([integral(k) * f / (2 * np.pi) for k, f in enumerate((1, 2, 6, 24))])


def test_against_transmission():
    expected = transmitted()
    found = cs.counting(chain(), "heat", "left").cumulants(4)
    assert np.max(np.abs(found.values - expected) / np.abs(expected)) < 1e-8
    assert float(found.values[0]) == pytest.approx(float(cs.steady_state(chain()).heat["left"]), rel=1e-12)
    # What leaves on the right is the same in the long run, order by order.
    other = cs.counting(chain(), "heat", "right").cumulants(4)
    assert np.max(np.abs(other.values * np.array([-1, 1, -1, 1]) - found.values) / expected) < 1e-10


def test_entropy_and_a_force_without_energy():
    """The first cumulant is the ledger's; entropy is heat over the temperature."""
    torque = chain(0.3)
    ledger = cs.steady_state(torque)
    heat = cs.counting(torque, "heat", "right").cumulants(2)
    entropy = cs.counting(torque, "entropy", "right").cumulants(2)
    assert float(heat.values[0]) == pytest.approx(float(ledger.heat["right"]), rel=1e-11)
    assert np.max(np.abs(entropy.values * np.array([0.7, 0.49]) / heat.values - 1)) < 1e-12


def test_what_is_refused():
    driven = cs.machines.OscillatorPair()
    with pytest.raises(cs.InputError, match="masses on constant springs"):
        cs.counting(driven, "heat", "left").cumulants(2)
    with pytest.raises(cs.InputError, match="but not work"):
        cs.counting(chain(0.3), "work", "pull").cumulants(2)
