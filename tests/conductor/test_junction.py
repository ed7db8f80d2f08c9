"""Junctions: derivatives of the ledger, statuses of bad points, errors of bad input."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.conductor.second_order import widest
from coldspot.machines import BosonJunction
from tests.conductor.junctions import NAMES, draw, junction, solve
from tests.tolerance import assert_close

# --------------------------------------------------------------------------- derivatives


@pytest.mark.parametrize("t2", [0.7, 1.1], ids=["one temperature", "two temperatures"])
def test_derivatives(t2):
    base = np.array([0.5, -0.4, 0.3, 0.6, 0.5, 1.0, 0.0, 0.7, 0.2, t2, -0.1, 0.5])
    free = [k for k, name in enumerate(NAMES) if name != "damping"]

    def values(v):
        s = cs.steady_state(junction(None, dict(zip(NAMES, v, strict=True))))
        return jnp.concatenate([s.heat.array, s.particles.array[:1], s.observables.array[:4]])

    slopes = np.asarray(jax.jacfwd(values)(base))[:, free]
    assert np.all(np.isfinite(slopes))
    step = 1e-5
    for column, k in enumerate(free):
        ahead, behind = (np.asarray(values(base + sign * step * np.eye(len(base))[k])) for sign in (1, -1))
        numeric = (ahead - behind) / (2 * step)
        # Each output on the scale of its largest slope.
        assert_close(numeric, slopes[:, column], 3e-8, np.max(np.abs(slopes), axis=1))


def test_response_to_one_lead_alone_at_equal_temperatures():
    """The closed form is for equal temperatures; the derivative to one of them is still right, also in equilibrium."""

    def current(dt):
        machine = BosonJunction(left=cs.ElectronBath(0.8 + dt), right=cs.ElectronBath(0.8))
        return cs.steady_state(machine).particles["left"]

    slope = jax.grad(current)(0.0)
    assert_close(slope, (current(1e-5) - current(-1e-5)) / 2e-5, 1e-8)
    assert abs(float(slope)) > 1e-4


# --------------------------------------------------------------------------- status and bad input


def test_bad_values_in_a_batch_have_their_status():
    columns = draw(np.random.default_rng(14), 10, "one temperature")
    bad = {"t1": -1.0, "t2": 0.0, "tp": np.nan, "w1": 0.0, "w2": -1.0, "omega": 0.0, "damping": -0.1, "mu1": np.inf}
    for k, (name, value) in enumerate(bad.items()):
        columns[name][k] = value
    s = solve(columns)
    assert list(s.status[:8]) == [int(cs.Status.INVALID)] * 8
    assert list(s.status[8:]) == [0, 0]
    good = draw(np.random.default_rng(14), 10, "one temperature")
    np.testing.assert_array_equal(solve(good).ledger.energies[8:], s.ledger.energies[8:])


def test_a_tolerance_that_cannot_be_met_is_said():
    s = cs.steady_state(BosonJunction(left=cs.ElectronBath(1.2)), tolerance=1e-16, throw=False)
    assert int(s.status) == int(cs.Status.NOT_CONVERGED)


LEVELS = cs.conductor.Levels([0.5, -0.5], [1.0, 1.0], ["left", "right"])


BATHS = {"left": cs.ElectronBath(1.0), "right": cs.ElectronBath(1.0), "phonons": cs.BosonBath(0.8)}


def pair_junction(**changes):
    arguments = {"conductor": LEVELS, "coupling": {(0, 1): 0.5}, "baths": BATHS, "frequency": 1.0}
    return cs.conductor.PairJunction(**(arguments | changes))


WRONG = {
    "frequency = 0": (lambda: pair_junction(frequency=0.0), ["frequency", "0", "positive"]),
    "frequency NaN": (lambda: pair_junction(frequency=np.nan), ["frequency", "nan"]),
    "damping < 0": (lambda: pair_junction(damping=-0.1), ["damping", "-0.1", "narrow"]),
    "machine damping < 0": (lambda: BosonJunction(damping=-0.1), ["BosonJunction", "damping", "-0.1"]),
    "machine frequency": (lambda: BosonJunction(frequency=-1.0), ["BosonJunction", "frequency", "-1"]),
    "machine half width": (lambda: BosonJunction(halfwidth_left=0.0), ["halfwidth_left", "0", "positive"]),
    "machine bath": (lambda: BosonJunction(phonons=cs.ElectronBath(1.0)), ["phonons", "BosonBath"]),
    "coupling not Hermitian": (lambda: pair_junction(coupling=[[0, 1], [2, 0]]), ["coupling", "Hermitian"]),
    "coupling zero": (lambda: pair_junction(coupling=np.zeros((2, 2))), ["coupling", "zero"]),
    "coupling empty": (lambda: pair_junction(coupling={}), ["coupling", "empty"]),
    "coupling of another shape": (lambda: pair_junction(coupling=np.eye(3)), ["coupling", "(2, 2)", "(3, 3)"]),
    "coupling site": (lambda: pair_junction(coupling={(0, 2): 1.0}), ["coupling", "site 2", "0 to 1"]),
    "coupling key": (lambda: pair_junction(coupling={"a": 1.0}), ["coupling", "'a'"]),
    "coupling twice": (lambda: pair_junction(coupling={(0, 1): 1.0, (1, 0): 1.0}), ["(0, 1)", "twice"]),
    "coupling complex on the diagonal": (lambda: pair_junction(coupling={(0, 0): 1j}), ["(0, 0)", "real"]),
    "coupling infinite": (lambda: pair_junction(coupling={(0, 1): np.inf}), ["(0, 1)", "finite"]),
    "conductor": (lambda: pair_junction(conductor=3), ["conductor", "3"]),
    "bath missing": (lambda: pair_junction(baths={"left": BATHS["left"], "phonons": BATHS["phonons"]}), ["right"]),
    "two boson baths": (lambda: pair_junction(baths=BATHS | {"light": cs.BosonBath(1.0)}), ["phonons", "light"]),
    "lead a boson bath": (lambda: pair_junction(baths=BATHS | {"left": cs.BosonBath(1.0)}), ["left", "ElectronBath"]),
    "no pairs": (
        lambda: cs.conductor.PairJunction(
            cs.conductor.Device([[0.0]], {"left": (0, 1.0)}),
            np.zeros((1, 1)),
            {"left": BATHS["left"], "p": BATHS["phonons"]},
            1.0,
        ),
        ["coupling", "zero"],
    ),
    "Hamiltonian not Hermitian": (
        lambda: cs.conductor.Device([[0, 1], [2, 0]], {"left": (0, 1.0)}),
        ["hamiltonian", "Hermitian", "[0, 1]"],
    ),
    "Hamiltonian not square": (lambda: cs.conductor.Device([[0, 1]], {"left": (0, 1.0)}), ["hamiltonian", "(1, 2)"]),
    "Hamiltonian a word": (lambda: cs.conductor.Device("H", {"left": (0, 1.0)}), ["'H'"]),
    "Hamiltonian NaN": (lambda: cs.conductor.Device([[np.nan]], {"left": (0, 1.0)}), ["hamiltonian", "nan"]),
    "lead's site": (lambda: cs.conductor.Device(np.eye(2), {"left": (2, 1.0)}), ["leads['left']", "2", "0 to 1"]),
    "lead's width": (lambda: cs.conductor.Device(np.eye(2), {"left": (0, -1.0)}), ["leads['left']", "-1", "positive"]),
    "width matrix": (lambda: cs.conductor.Device(np.eye(2), {"left": -np.eye(2)}), ["leads['left']", "eigenvalues"]),
    "width not Hermitian": (
        lambda: cs.conductor.Device(np.eye(2), {"left": [[1, 1], [0, 1]]}),
        ["leads['left']", "Hermitian"],
    ),
    "no leads": (lambda: cs.conductor.Device(np.eye(2), {}), ["leads"]),
    "levels of different length": (
        lambda: cs.conductor.Levels([0.0], [1.0, 2.0], ["a", "b"]),
        ["energies", "(2,)", "(1,)"],
    ),
    "level width 0": (lambda: cs.conductor.Levels([0.0], [0.0], ["a"]), ["gammas", "0", "positive"]),
    "level without a lead": (lambda: cs.conductor.Levels([0.0], [1.0], [3]), ["leads[0]", "3"]),
    "spectral of an unknown lead": (lambda: LEVELS.spectral("lefft", 0.0), ["lefft", "Did you mean `left`"]),
    "modes: not Hermitian": (
        lambda: cs.conductor.pair_spectra(LEVELS, [np.eye(2), [[0, 1], [2, 0]]], BATHS, 1.0),
        ["couplings[1]", "Hermitian"],
    ),
    "modes: one matrix": (lambda: cs.conductor.pair_spectra(LEVELS, np.eye(2), BATHS, 1.0), ["(mode, 2, 2)", "(2, 2)"]),
    "modes: none": (
        lambda: cs.conductor.pair_spectra(LEVELS, np.ones((0, 2, 2)), BATHS, 1.0),
        ["couplings", "(0, 2, 2)"],
    ),
    "modes: NaN": (
        lambda: cs.conductor.pair_spectra(LEVELS, [np.full((2, 2), np.nan)], BATHS, 1.0),
        ["couplings", "nan"],
    ),
    "modes: bath": (
        lambda: cs.conductor.pair_spectra(LEVELS, [np.eye(2)], {"left": BATHS["left"]}, 1.0),
        ["lead `right`"],
    ),
    "modes: boson bath": (
        lambda: cs.conductor.pair_spectra(LEVELS, [np.eye(2)], BATHS | {"left": cs.BosonBath(1.0)}, 1.0),
        ["left", "ElectronBath"],
    ),
    "modes: conductor": (lambda: cs.conductor.pair_spectra(3, [np.eye(2)], BATHS, 1.0), ["conductor", "3"]),
    "modes: ω": (
        lambda: cs.conductor.pair_spectra(LEVELS, [np.eye(2)], BATHS, [1.0, -1.0]),
        ["omega", "-1", "positive"],
    ),
    "spectra at ω = 0": (lambda: pair_junction().spectra(0.0), ["omega", "0", "positive"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input(case):
    make, words = WRONG[case]
    with pytest.raises(cs.InputError) as caught:
        make()
    for word in words:
        assert word in str(caught.value), str(caught.value)


@pytest.mark.parametrize("element", [1e-3, 1.0])
def test_modes_that_take_more_across_than_widths_let_pass_are_flagged(element):
    """A level of width Γ passes no more than Γ electrons per time."""
    width, flag = 0.01, "second order not small"
    s = cs.steady_state(cs.machines.BosonJunction(halfwidth_left=width / 2, halfwidth_right=width / 2, element=element))
    too_many = abs(float(s.particles.array[0])) > width / 3
    assert bool(s.cautions[flag]) == too_many == (element == 1.0)
    leads = {
        name: cs.WideBandLead(k, width, cs.ElectronBath(0.05, bias))
        for k, (name, bias) in enumerate((("left", 2.0), ("right", -2.0)))
    }
    modes = cs.Modes([1.0], [[[0.0, element], [element, 0.0]]], {"phonons": cs.BosonBath(0.1)})
    joined = cs.steady_state(cs.Conductor([[0.5, 0.0], [0.0, -0.5]], leads, modes))
    assert bool(joined.cautions[flag]) == (abs(float(joined.particles["left"])) > width / 3) == (element == 1.0)


def test_they_are_flagged_between_chains_too():
    """In its band a chain makes the width (2 contact²/|hopping|)√(1 − x²/4hopping²), x from its middle, else none.

    The second pair of chains has its bands beyond all electrons but the tails', the first has both levels inside.
    """
    hopping, width = 1.5, 0.01

    @eqx.filter_jit
    def flags(onsites, particles):
        def build(onsite):
            leads = {
                name: cs.ChainLead(k, hopping, (width * hopping / 2) ** 0.5, cs.ElectronBath(0.05, bias), onsite)
                for k, (name, bias) in enumerate((("left", 2.0), ("right", -2.0)))
            }
            modes = cs.Modes([1.0], [[[0.0, 0.1], [0.1, 0.0]]], {"phonons": cs.BosonBath(0.1)})
            return cs.Conductor([[0.5, 0.0], [0.0, -0.5]], leads, modes)

        batch = eqx.filter_vmap(build)(onsites)
        return batch._too_fast(particles), eqx.filter_vmap(lambda one: widest(one.matrix, one.leads, one.modes))(batch)

    taken = width / 3 * np.array([[1.01, -1.01], [0.98, -0.98], [0.98, -0.98]])
    flagged, most = flags(jnp.array([0.1, 0.1, 7.5]), jnp.array(taken))
    assert flagged.tolist() == [True, False, True]
    x = 7.5 - (2.0 + 40 * 0.05 + 1.0)  # to the end of what is looked at
    assert_close(most, width * np.sqrt([[1.0], [1.0], [1 - (x / (2 * hopping)) ** 2]]) * np.ones(2), 1e-3)
