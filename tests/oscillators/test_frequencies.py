"""Transmission and heat at each frequency, against formulas and against heats in all."""

import jax
import numpy as np
import pytest

import coldspot as cs
from coldspot.oscillators import heat_spectrum, transmission

MASSES = np.array([1.0, 0.6, 2.0])
SPRINGS = np.array([[2.5, -1.0, 0.0], [-1.0, 2.0, -0.7], [0.0, -0.7, 1.9]])
BATH = np.array([[0.4, 0.1], [0.1, 0.3]])
CUTOFF = 1.3
PLACES = {"left": [0, 1], "right": 2, "shared": 1}


def network(quantum, **changes):
    kind = cs.BosonBath if quantum else cs.HeatBath
    given = {
        "masses": MASSES,
        "springs": SPRINGS,
        "frictions": {"left": BATH, "right": cs.spectral.Drude(0.6, CUTOFF), "shared": 0.2},
        "baths": {"left": kind(0.8), "right": kind(0.3), "shared": kind(0.5)},
        "sites": PLACES,
    }
    return cs.OscillatorNetwork(**given | changes)


def by_inverses(w):
    """T_bb′ (3, 3) at one frequency."""
    own = np.zeros((3, 3, 3), complex)
    own[0, :2, :2] = BATH
    own[1, 2, 2] = 0.6 / (1 - 1j * w / CUTOFF)
    own[2, 1, 1] = 0.2
    green = np.linalg.inv(SPRINGS - w * w * np.diag(MASSES) - 1j * w * own.sum(0))
    return np.array([[4 * w * w * np.trace(a @ green @ b @ green.conj().T).real for b in own.real] for a in own.real])


@pytest.mark.parametrize("quantum", [False, True])
def test_heat_at_each_frequency_adds_up_to_that_in_all(quantum):
    machine = network(quantum)
    # ω = tan θ: all frequencies, by a rule that is exact for smooth functions.
    angles, weights = np.polynomial.legendre.leggauss(400)
    angles, weights = np.pi / 4 * (angles + 1), np.pi / 4 * weights
    w = np.tan(angles)
    found = heat_spectrum(machine, w)
    exact = cs.steady_state(machine).heat
    for name in PLACES:
        total = (weights / np.cos(angles) ** 2 * np.asarray(found[name])).sum()
        assert abs(total - exact[name]) < 1e-12
    warm = np.array([0.8, 0.3, 0.5])
    for k in (50, 200, 300):
        n = 1 / np.expm1(w[k] / warm) if quantum else warm / w[k]
        wanted = w[k] / (2 * np.pi) * (by_inverses(w[k]) * (n[:, None] - n)).sum(1)
        assert np.allclose([found[name][k] for name in PLACES], wanted, rtol=0, atol=1e-14)


def test_transmission_at_the_frequency_of_a_mode():
    """There the springs alone have a pole: one oscillator between two baths has 4γγ′/(γ+γ′)², and its slope is zero."""
    one = network(
        False,
        masses=[1.0],
        springs=[[1.0]],
        frictions={"left": 0.3, "right": 0.1},
        baths={"left": cs.HeatBath(1.0), "right": cs.HeatBath(0.5)},
        sites={"left": 0, "right": 0},
    )
    assert abs(float(transmission(one, 1.0, "left", "right")) - 0.75) < 1e-14
    assert abs(jax.grad(lambda w: transmission(one, w, "left", "right"))(1.0)) < 1e-13
    assert heat_spectrum(one, 0.0)["left"] == 0.0


def test_what_is_refused():
    machine = network(False)
    with pytest.raises(cs.InputError, match=r"there is no bath `rigth`.*`right`"):
        transmission(machine, 1.0, "left", "rigth")
    with pytest.raises(cs.InputError, match=r"two baths, but are the same one, `left`\."):
        transmission(machine, 1.0, "left", "left")
    with pytest.raises(cs.InputError, match="`frequencies` must be finite and not negative"):
        heat_spectrum(machine, [1.0, -1.0])
    for other, words in (
        ({"potential": lambda x: x[0] ** 4}, "a `potential`"),
        ({"masses": [0.0, 1.0, 1.0]}, "coordinates of mass 0"),
        ({"forces": {"torque": np.eye(3)}}, "given as a matrix"),
    ):
        simple = {"frictions": np.ones(3), "sites": {"left": 0, "right": 1, "shared": 2}}
        with pytest.raises(cs.InputError, match=words):
            heat_spectrum(network(False, **simple | other), 1.0)
    with pytest.raises(cs.InputError, match="`machine` must be an OscillatorNetwork, but is"):
        heat_spectrum(cs.machines.DoubleDot(), 1.0)
