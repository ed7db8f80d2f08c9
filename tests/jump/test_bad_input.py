"""Bad input: each a clear error that names the argument, its value, and what was expected."""

import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.machines import QuantumDot, SpinPair


def network(**changes):
    arguments = {
        "energies": [0.0, 1.0, 2.0],
        "baths": {"lead": cs.ElectronBath(1.0), "phonons": cs.BosonBath(1.0)},
        "channels": [cs.Channel("phonons", 0, 1, cs.Bosonic(0.1)), cs.Channel("phonons", 1, 2, cs.Bosonic(0.1))],
    }
    return cs.JumpNetwork(**(arguments | changes))


def dots(**changes):
    bath = cs.ElectronBath(1.0)
    arguments = {"hamiltonian": [[0.0, 0.0], [0.0, 0.0]], "leads": {"left": cs.Lead(bath, 0.1)}}
    return cs.Dots(**(arguments | changes))


def tensor(one, other):
    """A two-body tensor of two orbitals, with two entries that exchange makes equal and adjoining real."""
    u = np.zeros((2,) * 4, complex if isinstance(one, complex) else float)
    u[0, 1, 0, 1], u[1, 0, 1, 0] = one, other
    return u


PHONON = cs.Channel("phonons", [0, 1], [1, 2], cs.Bosonic(0.1))

CASES = {
    # temperatures and potentials
    "T = 0": (lambda: cs.ElectronBath(0.0), ["ElectronBath", "temperature", "0", "positive"]),
    "T < 0": (lambda: cs.HeatBath(-1.5), ["HeatBath", "temperature", "-1.5", "positive"]),
    "T NaN": (lambda: cs.BosonBath(np.nan), ["BosonBath", "temperature", "nan", "finite"]),
    "T infinite": (lambda: cs.BosonBath(np.inf), ["BosonBath", "temperature", "inf", "finite"]),
    "mu NaN": (lambda: cs.ElectronBath(1.0, np.nan), ["ElectronBath", "chemical_potential", "nan"]),
    "mu infinite": (lambda: cs.ElectronBath(1.0, -np.inf), ["chemical_potential", "-inf"]),
    "T a word": (lambda: cs.ElectronBath("warm"), ["warm"]),
    "T None": (lambda: cs.ElectronBath(None), ["None"]),
    "T complex": (lambda: cs.ElectronBath(1j), ["1j"]),
    # rates
    "tunnelling < 0": (lambda: cs.Tunnelling(-0.1), ["Tunnelling", "gamma", "-0.1", "not negative"]),
    "gamma < 0": (lambda: cs.Bosonic(-0.1), ["Bosonic", "gamma", "-0.1"]),
    "rate driven": (
        lambda: cs.Glauber(cs.Steps([1.0, 0.0], [0.5, 0.5])),
        [
            "Glauber: `rate` must be a real number",
            "is Steps(",
            "`lambda values: Glauber(values[",
            "`drives={name: drive}`",
        ],
    ),
    "density driven": (lambda: cs.Bosonic(cs.Cosine(1.0)), ["Bosonic: `gamma` must be a real number", "`drives="]),
    "rate NaN": (lambda: cs.Glauber(np.nan), ["Glauber", "rate", "nan"]),
    "rate infinite": (lambda: cs.Arrhenius(1.0, np.inf), ["Arrhenius", "rate", "inf"]),
    "barrier infinite": (lambda: cs.Arrhenius(np.inf), ["Arrhenius", "barrier", "inf"]),
    "forward = 0": (lambda: cs.Explicit(0.0, 1.0), ["Explicit", "forward", "0"]),
    "backward < 0": (lambda: cs.Explicit(1.0, -2.0), ["Explicit", "backward", "-2"]),
    "ohmic strength": (lambda: cs.Ohmic(0.0), ["Ohmic", "strength", "0"]),
    "ohmic cutoff = 0": (lambda: cs.Ohmic(1.0, 0.0), ["Ohmic", "cutoff", "0"]),
    "ohmic cutoff < 0": (lambda: cs.Ohmic(1.0, -1.0), ["Ohmic", "cutoff", "-1"]),
    "ohmic cutoff NaN": (lambda: cs.Ohmic(1.0, np.nan), ["Ohmic", "cutoff", "nan"]),
    # machines
    "dot level": (lambda: QuantumDot(level=np.nan), ["QuantumDot", "level", "nan"]),
    "dot gamma": (lambda: QuantumDot(gamma_right=-1.0), ["QuantumDot", "gamma_right", "-1"]),
    "spin period = 0": (lambda: SpinPair(period=0.0), ["SpinPair", "period", "0", "positive"]),
    "spin period < 0": (lambda: SpinPair(period=-3.0), ["SpinPair", "period", "-3"]),
    "spin rate": (lambda: SpinPair(rate=0.0), ["SpinPair", "rate", "0"]),
    "spin phase": (lambda: SpinPair(phase=np.inf), ["SpinPair", "phase", "inf"]),
    "dot bath of the wrong kind": (lambda: cs.steady_state(QuantumDot(left=cs.HeatBath(1.0))), ["left", "HeatBath"]),
    "dot bath a number": (lambda: cs.steady_state(QuantumDot(left=3.0)), ["left", "3"]),
    "level a list": (lambda: cs.steady_state(QuantumDot(level=[1.0, 2.0])), ["level", "(2,)"]),
    # networks
    "energies NaN": (lambda: network(energies=[0.0, np.nan, 1.0]), ["energies", "nan"]),
    "energies a number": (lambda: network(energies=1.0), ["energies", "()"]),
    "energies a matrix": (lambda: network(energies=np.zeros((3, 3))), ["energies", "(3, 3)"]),
    "one state": (lambda: network(energies=[0.0]), ["energies", "(1,)", "2"]),
    "occupations shape": (lambda: network(occupations=[0, 1]), ["occupations", "(3,)", "(2,)"]),
    "occupations NaN": (lambda: network(occupations=[0, 0, np.nan]), ["occupations", "nan"]),
    "no baths": (lambda: network(baths={}), ["baths"]),
    "bath a number": (lambda: network(baths={"phonons": 3.0}), ["phonons", "3"]),
    "no channels": (lambda: network(channels=[]), ["channels"]),
    "channel a tuple": (lambda: network(channels=[("phonons", 0, 1)]), ["channels[0]", "Channel", "phonons"]),
    "unknown bath": (
        lambda: network(channels=[cs.Channel("phonos", 0, 1, cs.Bosonic(0.1))]),
        ["channels[0]", "phonos", "Did you mean `phonons`"],
    ),
    "state that does not exist": (
        lambda: network(channels=[PHONON, cs.Channel("phonons", 0, 3, cs.Bosonic(0.1))]),
        ["channels[1]", "final", "3", "0 to 2"],
    ),
    "negative state": (
        lambda: network(channels=[PHONON, cs.Channel("phonons", -1, 1, cs.Bosonic(0.1))]),
        ["channels[1]", "initial", "-1", "0 to 2"],
    ),
    "same state": (lambda: cs.Channel("phonons", 1, 1, cs.Bosonic(0.1)), ["initial", "final", "1"]),
    "states of different length": (
        lambda: cs.Channel("phonons", [0, 1], [1], cs.Bosonic(0.1)),
        ["initial", "final", "2", "1"],
    ),
    "states not integers": (lambda: cs.Channel("phonons", 0.5, 1, cs.Bosonic(0.1)), ["0.5", "integer"]),
    "kinetics a number": (lambda: cs.Channel("phonons", 0, 1, 0.1), ["kinetics", "float"]),
    "bath of a channel": (lambda: cs.Channel(3, 0, 1, cs.Bosonic(0.1)), ["bath", "3"]),
    "particles from phonons": (
        lambda: network(occupations=[0, 1, 1], channels=[PHONON]),
        ["channels[0]", "particles", "phonons"],
    ),
    "kinetics list of the wrong length": (
        lambda: cs.steady_state(network(channels=[cs.Channel("phonons", [0, 1], [1, 2], cs.Bosonic([0.1, 0.2, 0.3]))])),
        ["gamma", "Bosonic", "2", "(3,)"],
    ),
    "period missing": (lambda: network(drives={"x": cs.Cosine(1.0)}), ["period"]),
    "period without drive": (lambda: network(period=3.0), ["period", "3"]),
    "period = 0": (lambda: network(drives={"x": cs.Cosine(1.0)}, period=0.0), ["period", "0", "positive"]),
    "period < 0": (lambda: network(drives={"x": cs.Cosine(1.0)}, period=-2.0), ["period", "-2", "positive"]),
    "period NaN": (lambda: network(drives={"x": cs.Cosine(1.0)}, period=np.nan), ["period", "nan"]),
    "period a list": (lambda: network(drives={"x": cs.Cosine(1.0)}, period=[1.0, 2.0]), ["period", "(2,)"]),
    "drive a number": (lambda: network(drives={"x": 1.0}, period=1.0), ["drive", "x", "float"]),
    "cooled bath": (lambda: network(cooled_bath="phonon"), ["phonon", "phonons"]),
    # detailed balance
    "explicit rates": (
        lambda: network(channels=[PHONON, cs.Channel("phonons", 0, 2, cs.Explicit(1.0, 1.0))]),
        ["channels[1]", "detailed balance", "0", "2", "check=False"],
    ),
    "shares of energy": (
        lambda: network(
            channels=[PHONON, cs.Channel({"phonons": cs.Share(1.0), "lead": cs.Share(3.0)}, 0, 2, cs.Glauber(1.0))]
        ),
        ["channels[1]", "energy", "4", "2"],
    ),
    "shares of particles": (
        lambda: network(
            channels=[PHONON, cs.Channel({"phonons": cs.Share(1.0), "lead": cs.Share(1.0, 1.0)}, 0, 2, cs.Glauber(1.0))]
        ),
        ["channels[1]", "particles", "1"],
    ),
    "particles shared with phonons": (
        lambda: network(
            channels=[
                PHONON,
                cs.Channel({"phonons": cs.Share(1.0, 1.0), "lead": cs.Share(1.0, -1.0)}, 0, 2, cs.Glauber(1.0)),
            ]
        ),
        ["channels[1]", "phonons", "particles"],
    ),
    # solving
    "tolerance = 0": (lambda: cs.steady_state(QuantumDot(), tolerance=0.0), ["tolerance", "0"]),
    "tolerance = 1": (lambda: cs.steady_state(QuantumDot(), tolerance=1.0), ["tolerance", "1"]),
    "tolerance NaN": (lambda: cs.steady_state(QuantumDot(), tolerance=np.nan), ["tolerance", "nan"]),
    "tolerance a word": (lambda: cs.steady_state(QuantumDot(), tolerance="small"), ["tolerance", "small"]),
    "machine a number": (lambda: cs.steady_state(3.0), ["machine", "float"]),
    "machine a class": (lambda: cs.steady_state(QuantumDot), ["machine"]),
    # what dots are made of
    "U of one orbital": (lambda: dots(coulomb={(0, 0): 1.0}), ["Dots", "coulomb[(0, 0)]", "itself"]),
    "U twice": (lambda: dots(coulomb={(0, 1): 1.0, (1, 0): 2.0}), ["coulomb", "twice", "1 and 2"]),
    "U complex": (lambda: dots(coulomb={(0, 1): 1 + 1j}), ["coulomb[(0, 1)]", "real", "(1+1j)"]),
    "U a word": (lambda: dots(coulomb={"01": 1.0}), ["coulomb", "'01'", "pairs (i, j)"]),
    "tensor not exchanged": (lambda: dots(coulomb=tensor(1.0, 0.0)), ["coulomb", "U_ijkl = U_jilk", "U[0, 1, 0, 1]"]),
    "tensor not Hermitian": (lambda: dots(coulomb=tensor(1j, 1j)), ["coulomb", "U_klij*", "U[0, 1, 0, 1]"]),
    "leads empty": (lambda: dots(leads={}), ["leads", "empty"]),
    "leads a list": (lambda: dots(leads=[]), ["leads", "mapping", "[]"]),
    # orders of cumulants
    **{
        f"order {order!r}": (lambda order=order: cs.Counting("heat", "lead", order=order), ["order", repr(order)])
        for order in (0, -1, 1.5, True, "2", 10**6)
    },
    "mixed order": (
        lambda: cs.Counting([("heat", "a"), ("heat", "b")], order=14, what="mixed cumulants"),
        ["order 14", "2 quantities", "13", "generating_function"],
    ),
    # strokes
    **{
        f"break {at!r}": (
            lambda at=at: network(drives={"x": cs.Cosine(1.0)}, period=1.0, breaks=[at]),
            ["breaks", "2π"],
        )
        for at in (-1.0, 7.0, np.nan)
    },
    **{
        f"durations {shares!r}": (lambda shares=shares: cs.Steps([1.0, 2.0], shares), ["Steps", "durations", word])
        for shares, word in (
            ([0.5, -0.5], "positive"),
            ([1.0, 0.0], "positive"),
            ([0.5, 0.6], "add up to 1"),
            ([np.nan, 0.5], "finite"),
            ([1.0], "same length"),
        )
    },
    # work reservoirs and species
    "bosons of two baths": (
        lambda: cs.JumpNetwork(
            [0.0, 1.0],
            {"a": cs.HeatBath(1.0), "b": cs.HeatBath(2.0)},
            [cs.Channel({"a": cs.Share(0.4), "b": cs.Share(0.6)}, 0, 1, cs.Bosonic(0.1))],
        ),
        ["`channels[0]` is Bosonic", "no common temperature"],
    ),
    "work reservoir at a temperature": (lambda: cs.WorkReservoir(1.0), ["WorkReservoir", "no temperature", "1.0"]),
    "species that no bath holds": (
        lambda: network(occupations={"proton": [0, 1, 1]}),
        ["species `proton`", "electron", "ParticleBath"],
    ),
    # beyond the memory
    "dots beyond the memory": (
        lambda: cs.steady_state(dots(hamiltonian=np.diag(np.arange(20.0)), coulomb=None)),
        ["20 spin-orbitals", "184756 states", "GiB", "leave out"],
    ),
    "spins beyond the memory": (
        lambda: cs.SpinChain(40, 1.0, 0.3, 0.5, cs.HeatBath(2.0), cs.HeatBath(1.0)),
        ["2^40 states", "GiB", "fewer"],
    ),
    # sweeps
    "sweep nothing": (lambda: cs.sweep(QuantumDot(), {}), ["sweep", "parameters"]),
    "sweep unknown": (lambda: cs.sweep(QuantumDot(), {"levl": [1.0]}), ["levl", "Did you mean `level`"]),
    "sweep unknown below": (
        lambda: cs.sweep(QuantumDot(), {"left.temprature": [1.0]}),
        ["temprature", "Did you mean `temperature`"],
    ),
    "sweep static": (lambda: cs.sweep(network(), {"states": [1.0]}), ["states", "static"]),
    "sweep static below": (lambda: cs.sweep(network(), {"channels[0].initial": [1.0]}), ["initial", "static"]),
    "sweep a bath": (lambda: cs.sweep(QuantumDot(), {"left": [1.0]}), ["left", "ElectronBath", "temperature"]),
    "sweep an array": (lambda: cs.sweep(network(), {"energies": [1.0]}), ["energies", "(3,)", "energies[0]"]),
    "sweep words": (lambda: cs.sweep(QuantumDot(), {"level": ["a", "b"]}), ["level", "a"]),
    "sweep a matrix": (lambda: cs.sweep(QuantumDot(), {"level": np.zeros((2, 2))}), ["level", "(2, 2)"]),
    "sweep an empty list": (lambda: cs.sweep(QuantumDot(), {"level": []}), ["level", "(0,)"]),
    "sweep a number": (lambda: cs.sweep(3.0, {"level": [1.0]}), ["machine", "float"]),
    "sweep not a path": (lambda: cs.sweep(QuantumDot(), {"level..x": [1.0]}), ["level..x", "path"]),
    "sweep an argument that build lacks": (lambda: cs.sweep(_build, {"levl": [1.0]}), ["levl"]),
    "build returns a number": (lambda: cs.sweep(_nothing, {"level": [1.0]}), ["machine"]),
}


def _build(level):
    return QuantumDot(level=level)


def _nothing(level):
    return level


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_named(name):
    make, words = CASES[name]
    with pytest.raises(cs.InputError) as caught:
        make()
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert "\n" not in message


def test_states_that_nothing_connects_are_listed():
    lonely = network(channels=[cs.Channel("phonons", 0, 1, cs.Bosonic(0.1))])
    with pytest.raises(cs.SolveError) as caught:
        cs.steady_state(lonely)
    assert caught.value.status == cs.Status.NOT_UNIQUE
    assert "[0, 1]" in str(caught.value)
    assert "[2]" in str(caught.value)
    s = cs.steady_state(lonely, throw=False)
    assert int(s.status) == int(cs.Status.NOT_UNIQUE)
    assert s.regime == "unknown"


def test_crossing_levels_of_a_constant_bosonic_rate():
    with pytest.raises(cs.SolveError, match=r"0 and 1 cross.*Ohmic") as caught:
        cs.steady_state(network(energies=[1.0, 1.0, 2.0]))
    assert caught.value.status == cs.Status.INVALID
    driven = network(
        energies=_crossing,
        channels=[PHONON],
        drives={"x": cs.Cosine(2.0)},
        period=3.0,
    )
    with pytest.raises(cs.SolveError, match=r"cross.*Ohmic") as caught:
        cs.steady_state(driven)
    assert caught.value.status == cs.Status.INVALID


def _crossing(values):
    return jnp.stack([jnp.zeros(()), 1.0 + values["x"], jnp.asarray(7.0)])


def test_crossing_levels_of_an_ohmic_rate_are_fine():
    channels = [cs.Channel("phonons", [0, 1], [1, 2], cs.Bosonic(cs.Ohmic(0.1)))]
    s = cs.steady_state(network(energies=[1.0, 1.0, 2.0], channels=channels))
    assert np.allclose(s.populations[0], s.populations[1], rtol=1e-14)
    assert s.ok


def test_numbers_that_turn_bad_on_the_way_are_named():
    """A driven temperature that becomes negative, seen only at some phases."""
    hot = network(
        energies=[0.0, 1.0, 2.0],
        baths={"phonons": _freezing, "lead": cs.ElectronBath(1.0)},
        drives={"x": cs.Cosine(2.0)},
        period=3.0,
    )
    with pytest.raises(cs.SolveError, match=r"phonons.*temperature") as caught:
        cs.steady_state(hot)
    assert caught.value.status == cs.Status.INVALID


def _freezing(values):
    return cs.BosonBath(1.0 + values["x"])


def test_throw_false_keeps_the_status_and_raises_nothing():
    s = cs.steady_state(network(energies=[1.0, 1.0, 2.0]), throw=False)
    assert int(s.status) == int(cs.Status.INVALID)
    assert np.isnan(s.cop)
    assert np.isnan(s.efficiency)
    repr(s)


def test_unknown_names_in_results():
    s = cs.steady_state(QuantumDot())
    with pytest.raises(cs.InputError, match=r"lift.*Did you mean `left`"):
        s.heat["lift"]
    assert "lift" not in s.heat


def test_a_user_function_that_cannot_be_called_says_why():
    """An `energies` function that asks for a drive that is not there."""
    with pytest.raises(Exception, match="gate"):
        network(energies=lambda v: jnp.stack([v["gate"], v["gate"]]), drives={"x": cs.Cosine(1.0)}, period=1.0)
