"""What a constructor refuses, a batch marks: numbers of kinetics and static machines, and the rules of networks."""

import dataclasses
import math

import jax
import numpy as np
import pytest

import coldspot as cs
from coldspot._checks import Checked, InputError
from coldspot.dynamics import built
from coldspot.jump import kinetics
from coldspot.sweep import builder

SOLVED = (
    cs.machines.QuantumDot, cs.machines.BrownianGyrator, cs.machines.ResonantThermoelectric, cs.machines.KramersBarrier
)  # fmt: skip
"""One of each form, whose points are solved, too; what the rules of a batch say of a point is marked by the same code
in all of them."""


def numbers(module, path=""):
    """{dotted path: (value, domain)} of all declared numbers in a module and below."""
    found = {}
    for field in dataclasses.fields(module):
        value = getattr(module, field.name)
        if "domain" in field.metadata and value is not None:
            found[f"{path}{field.name}"] = (float(value), field.metadata["domain"])
        elif isinstance(value, Checked):
            found |= numbers(value, f"{path}{field.name}.")
    return found


def outside(domain):
    """Values that a domain excludes."""
    bad = [math.nan] + ([math.inf] if domain.finite else []) + ([0.0, -1.0] if domain.positive else [])
    bad += [] if domain.minimum is None else [domain.minimum - 1]
    return bad + ([] if domain.maximum is None else [domain.maximum + 1])


def marked(machine, found, prefix="", each=False):
    """Put values outside their domains in place of all numbers; the paths and values that pass.

    Numbers take turns in the kinds of values, or have `each` of them: all are told by the same rule.
    """
    good = {f"{prefix}{path}": value for path, (value, _) in found.items()}
    cases = []
    for turn, (path, (_, domain)) in enumerate(found.items()):
        bad = outside(domain)
        cases += [(f"{prefix}{path}", value) for value in (bad if each else [bad[turn % len(bad)]])]
    points = [good, *({**good, path: bad} for path, bad in cases)]
    held = hold(machine, {path: np.array([point[path] for point in points]) for path in good})
    assert held[0]
    if type(machine) in SOLVED:
        status = cs.sweep(machine, points).status.values
        assert status[0] == int(cs.Status.OK)
        assert np.array_equal(status[1:] == int(cs.Status.INVALID), ~held[1:])
    return [case for case, passed in zip(cases, held[1:], strict=True) if passed]


def hold(machine, parameters):
    """Whether all rules hold at each point of a batch: what a sweep marks as INVALID where they do not."""
    build, shared, _ = builder(machine, tuple(parameters))
    rules = jax.jit(lambda columns: built(build, shared, columns)[1])
    return np.asarray(rules({name: np.asarray(values, float) for name, values in parameters.items()}))


@pytest.mark.parametrize("machine", cs.machines.ALL, ids=lambda m: m.name)
def test_every_number_of_a_machine(machine):
    one = machine()
    found = numbers(one)
    assert found
    assert marked(one, found, each=machine is cs.machines.QuantumDot) == []


@pytest.mark.parametrize("machine", cs.machines.ALL, ids=lambda m: m.name)
def test_constructors_refuse_the_same_numbers(machine):
    for path, (_, domain) in numbers(machine()).items():
        if "." not in path:
            for bad in outside(domain):
                with pytest.raises(InputError, match=path):
                    machine(**{path: bad})


LAWS = {
    "Tunnelling": (cs.Tunnelling(0.3), "lead"),
    "Glauber": (cs.Glauber(0.3), "heat"),
    "Arrhenius": (kinetics.Arrhenius(2.0, 0.3), "heat"),
    "Bosonic": (cs.Bosonic(0.3), "heat"),
    "Explicit": (cs.Explicit(0.3, 0.3 * np.exp(1.0)), "heat"),
}
BATHS = {"lead": cs.ElectronBath(1.0, 0.2), "heat": cs.HeatBath(1.0), "other": cs.HeatBath(2.0)}


def network(law, bath, **changes):
    arguments = {
        "energies": [0.0, 1.0],
        "occupations": [0, 1] if bath == "lead" else [0, 0],
        "baths": {bath: BATHS[bath]},
        "channels": [cs.Channel(bath, 0, 1, law)],
    }
    return cs.JumpNetwork(**(arguments | changes))


def test_all_kinetics_are_here():
    laws = {
        name for name, law in vars(kinetics).items() if isinstance(law, type) and issubclass(law, kinetics.Kinetics)
    }
    assert laws - {"Kinetics"} == set(LAWS)


@pytest.mark.parametrize("name", LAWS)
def test_every_number_of_a_kinetics(name):
    law, bath = LAWS[name]
    found = numbers(law)
    if name == "Bosonic":
        # A number or a function: its rule stands beside its declaration.
        domain = dataclasses.fields(cs.Tunnelling)[0].metadata["domain"]
        found = {"gamma": (0.3, domain)}
    assert found
    assert marked(network(law, bath), found, "channels[0].kinetics.") == []


def test_a_spectrum_inside_a_kinetics():
    law = cs.Bosonic(cs.spectral.Ohmic(0.1, 5.0))
    assert marked(network(law, "heat"), numbers(law.gamma), "channels[0].kinetics.gamma.") == []


def statuses(machine, parameters):
    """0 where all rules hold, 1 where not."""
    return [int(not held) for held in hold(machine, parameters)]


def test_detailed_balance_of_given_rates():
    rates = [cs.Channel("other", 0, 1, cs.Explicit(1.0, np.exp(0.5))), cs.Channel("heat", 0, 1, cs.Explicit(1.0, np.e))]
    both = {"heat": BATHS["heat"], "other": BATHS["other"]}
    broken = cs.JumpNetwork([0.0, 1.0], both, rates)
    assert statuses(broken, {"baths.other.temperature": [2.0, 0.5]}) == [0, 1]
    assert statuses(broken, {"channels[0].kinetics.forward": [1.0, 1.001]}) == [0, 1]
    assert statuses(broken, {"energies[1]": [1.0, 1.5]}) == [0, 1]
    # Rates that are meant to break it say so, and may.
    meant = cs.JumpNetwork([0.0, 1.0], both, [rates[0], cs.Channel("heat", 0, 1, cs.Explicit(1.0, np.e, check=False))])
    assert statuses(meant, {"baths.heat.temperature": [1.0, 0.5]}) == [0, 0]
    with pytest.raises(InputError, match="break detailed balance"):
        cs.JumpNetwork([0.0, 1.0], both | {"other": cs.HeatBath(0.5)}, rates)


def test_shares_add_up():
    channel = cs.Channel({"heat": cs.Share(0.5), "other": cs.Share(0.5)}, 0, 1, cs.Glauber(1.0))
    shared = cs.JumpNetwork([0.0, 1.0], {"heat": BATHS["heat"], "other": BATHS["other"]}, [channel])
    assert statuses(shared, {"energies[1]": [1.0, 1.5]}) == [0, 1]
    assert statuses(shared, {"channels[0].shares[0].energy": [0.5, 0.7]}) == [0, 1]
    assert statuses(shared, {"channels[0].shares[0].particles": [0.0, 1.0]}) == [0, 1]
    assert statuses(shared, {"occupations[1]": [0.0, 1.0]}) == [0, 1]


def test_particles_go_where_they_can():
    dot = network(cs.Tunnelling(0.1), "lead")
    assert statuses(dot, {"occupations[1]": [1.0, 0.0, np.nan]}) == [0, 1, 1]
    with pytest.raises(InputError, match=r"moves no particle.*occupations"):
        network(cs.Tunnelling(0.1), "lead", occupations=None)
    neutral = network(cs.Glauber(0.1), "heat")
    assert statuses(neutral, {"occupations[1]": [0.0, 1.0]}) == [0, 1]


def test_bosons_have_no_chemical_potential():
    one = {"lead": cs.ElectronBath(1.0, 0.0)}
    free = network(cs.Bosonic(0.1), "lead", baths=one)
    assert statuses(free, {"baths.lead.chemical_potential": [0.0, 0.1]}) == [0, 1]
    with pytest.raises(InputError, match=r"Bosonic.*chemical potential"):
        network(cs.Bosonic(0.1), "lead")


def test_levels_that_cross_where_a_bosonic_rate_diverges():
    crossing = network(cs.Bosonic(0.1), "heat")  # of which no rule tells, but what solves it
    assert cs.sweep(crossing, {"energies[1]": [1.0, 0.0, np.inf]}).status.values.tolist() == [0, 1, 1]
