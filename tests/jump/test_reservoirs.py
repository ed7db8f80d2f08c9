"""Reservoirs of work, species of particles, and valves that are closed for good."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.dynamics import solve_points


def dot(left, right=0.3) -> cs.JumpNetwork:
    return cs.JumpNetwork(
        energies=[0.0, 0.4],
        occupations=[0, 1],
        baths={"left": cs.ElectronBath(1.0, 0.1), "right": cs.ElectronBath(0.7, -0.2)},
        channels=[cs.Channel("left", 0, 1, cs.Tunnelling(left)), cs.Channel("right", 0, 1, cs.Tunnelling(right))],
    )


def test_a_closed_valve_and_how_the_current_begins():
    """J = γ_Lγ_R/(γ_L+γ_R)(f_L−f_R): at γ_L = 0 nothing flows, and dJ/dγ_L is f_L−f_R there."""
    filled = 1 / (1 + np.exp(0.3)) - 1 / (1 + np.exp(0.6 / 0.7))

    s = solve_points(lambda _, x: dot(*x), None, jnp.array([[0.0, 0.3], [0.2, 0.3], [0.0, 0.0]]), jnp.asarray(1e-8))
    assert abs(float(s.particles["left"][0])) < 1e-140
    assert float(s.particles["left"][1]) == pytest.approx(0.12 * filled, rel=1e-12)
    assert s.status.tolist() == [0, 0, int(cs.Status.NOT_UNIQUE)]
    assert np.all(np.isnan(s.ledger.heats[2]))

    def current(left):
        return cs.steady_state(dot(left), throw=False).particles["left"]

    _, begins = jax.jit(lambda left: jax.jvp(current, (left,), (jnp.ones(()),)))(jnp.zeros(()))
    assert float(begins) == pytest.approx(filled, rel=1e-12)
    words = dot(0.0, 0.0).explain(cs.Status.NOT_UNIQUE)
    assert "ever open" in words
    assert "[0], [1]" in words


def pump(fuel: float, **changes) -> cs.JumpNetwork:
    """Ions that fuel carries from one side to the other, against a lead of electrons that goes its own way."""
    share = cs.Share
    return cs.JumpNetwork(
        **(
            {
                "energies": [0.0, 0.5, 0.3, 0.8],
                "occupations": {"ion": [0, 1, 0, 1], "electron": [0, 0, 1, 1]},
                "baths": {
                    "inside": cs.ParticleBath(1.0, 0.2, species="ion"),
                    "outside": cs.ParticleBath(1.0, 0.9, species="ion"),
                    "lead": cs.ElectronBath(1.0, 0.4),
                    "fuel": cs.ParticleBath(1.0, fuel, species="ATP"),
                },
                "channels": [
                    cs.Channel("inside", [0, 2], [1, 3], cs.Tunnelling(0.5)),
                    cs.Channel(
                        {"outside": share([-0.5, -0.5], -1.0), "fuel": share(0.0, 1.0)}, [1, 3], [0, 2], cs.Glauber(0.2)
                    ),
                    cs.Channel("lead", [0, 1], [2, 3], cs.Tunnelling(0.7)),
                ],
            }
            | changes
        )
    )


@pytest.mark.parametrize("fuel", [3.0, 0.7, 0.1])
def test_species_have_their_own_numbers_and_potentials(fuel):
    """Ions go uphill by .7 for one unit of fuel each: nothing flows where the fuel is worth that."""
    s = cs.steady_state(pump(fuel))
    x = {"inside": 0.5 - 0.2, "outside": -0.5 + 0.9 - fuel}
    up, down = 0.5 / (1 + np.exp(x["inside"])), 0.5 / (1 + np.exp(-x["inside"]))
    out, back = 0.4 / (1 + np.exp(x["outside"])), 0.4 / (1 + np.exp(-x["outside"]))
    current = (up * out - down * back) / (up + down + out + back)
    tiny = 1e-15
    assert abs(s.particles["inside"] - current) < 1e-13 * abs(current) + tiny
    assert abs(s.particles["outside"] + current) < 1e-13 * abs(current) + tiny
    assert abs(s.particles["fuel"] - current) < 1e-13 * abs(current) + tiny
    assert abs(s.particles["lead"]) < 1e-14
    assert abs(s.entropy_production - current * (fuel - 0.7)) < 1e-13 * abs(current) + tiny
    assert (s.regime == "passive") == (fuel == 0.7)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cs.WorkReservoir(1.0), ["WorkReservoir", "no temperature", "1.0", "HeatBath"]),
        (lambda: cs.WorkReservoir(temperature=2.0), ["temperature=2.0", "HeatBath"]),
        (lambda: pump(1.0, occupations={"iom": [0, 1, 0, 1]}), ["species", "`iom`", "Did you mean `ion`"]),
        (lambda: pump(1.0, occupations={"ion": [0, 1, 0]}), ["occupations['ion']", "(4,)", "(3,)"]),
        (lambda: pump(1.0, occupations={"ion": [0, 1, 0, 1]}), ["channels[2]", "lead", "electron", "occupations"]),
        (lambda: pump(1.0, occupations={"ion": [0, 1, 0, 1], "electron": [0, 0, 1, 2]}), ["channels[0]", "other"]),
        (lambda: cs.ParticleBath(1.0, 0.0, species=""), ["species", "name"]),
        (lambda: in_field(cs.Bosonic(0.1)), ["channels[1]", "Bosonic", "work reservoir", "Glauber"]),
        (lambda: in_field(cs.Glauber(0.1), cooled_bath="field"), ["field", "bath", "Valid: bath"]),
        (lambda: cs.JumpNetwork([0.0, 1.0], {"f": cs.WorkReservoir()}, [cs.Channel("f", 0, 1, cs.Glauber(1.0))]),
         ["work reservoirs alone"]),
    ],
)  # fmt: skip
def test_words(make, words):
    with pytest.raises(cs.InputError) as caught:
        make()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def in_field(law: cs.Kinetics, **options) -> cs.JumpNetwork:
    return cs.JumpNetwork(
        energies=[0.0, 1.0],
        baths={"bath": cs.HeatBath(1.0), "field": cs.WorkReservoir()},
        channels=[cs.Channel("bath", 0, 1, cs.Glauber(0.3)), cs.Channel("field", 0, 1, law)],
        **options,
    )
