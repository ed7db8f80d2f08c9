"""What constructors refuse is marked in sweeps; flags; few compilations."""

import dataclasses
import functools
import inspect
from operator import attrgetter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.conductor import device as devices
from coldspot.dynamics import checked_tolerance, solve_points
from tests.conductor import junctions
from tests.optimised import optimised

INVALID = int(cs.Status.INVALID)


def junction(h01=0.3, h10=0.3, width=0.4, other=0.0, m01=0.2, m10=0.2, frequency=0.8, damping=0.0, energy=0.4):
    """A device with every matrix written out, so that each number can be wrong alone."""
    h = jnp.array([[energy, h01], [h10, -0.4]])
    return cs.conductor.PairJunction(
        cs.conductor.Device(h, {"left": jnp.array([[width, other], [other, 0.0]]), "right": (1, 0.3)}),
        jnp.array([[0.0, m01], [m10, 0.0]]),
        {"left": cs.ElectronBath(0.5), "right": cs.ElectronBath(0.4), "phonons": cs.BosonBath(0.3)},
        frequency,
        damping,
    )


def levels(energy=0.5, gamma=1.0, element=0.2):
    return cs.conductor.PairJunction(
        cs.conductor.Levels([energy, -0.5], [gamma, 1.0], ["left", "right"]),
        {(0, 1): element},
        {"left": cs.ElectronBath(0.5), "right": cs.ElectronBath(0.4), "phonons": cs.BosonBath(0.3)},
        0.8,
    )


def conductor(
    h01=0.3,
    h10=0.3,
    energy=0.4,
    gamma=0.4,
    off=0.1,
    back=0.1,
    hopping=1.0,
    contact=0.5,
    onsite=0.1,
    slope=1.0,
    t1=0.5,
    mu1=0.2,
    t2=0.4,
):
    """Three leads of all kinds, each of whose numbers can be wrong alone."""
    self_energy = cs.SelfEnergyLead(lambda energy: -0.1j * slope, 1, cs.ElectronBath(0.3))
    return cs.Conductor(
        jnp.array([[energy, h01], [h10, -0.4]]),
        {
            "wide": cs.WideBandLead([0, 1], jnp.array([[gamma, off], [back, 0.3]]), cs.ElectronBath(t1, mu1)),
            "chain": cs.ChainLead(1, hopping, contact, cs.ElectronBath(t2), onsite),
            "given": self_energy,
        },
    )


def with_modes(m01=0.2, m10=0.2, m11=0.1, frequency=0.8, damping=0.1, phonons=0.3, bias=0.0):
    baths = {"left": cs.ElectronBath(0.5, bias), "right": cs.ElectronBath(0.4)}
    modes = cs.Modes(
        jnp.stack([jnp.asarray(frequency, float)]), jnp.array([[[0.0, m01], [m10, m11]]]),
        {"phonons": cs.BosonBath(phonons)}, jnp.stack([jnp.asarray(damping, float)]),
    )  # fmt: skip
    leads = {name: cs.WideBandLead(k, 0.3, bath) for k, (name, bath) in enumerate(baths.items())}
    return cs.Conductor([0.5, -0.5], leads, modes)


def minimum(
    e1=0.5, e2=-0.5, w1=0.25, w2=0.25, m=0.2, omega=1.0, damping=0.0, t1=1.2, mu1=0.0, t2=1.0, mu2=0.0, tp=1.0
):  # fmt: skip
    """The machine of one mode and two levels."""
    return junctions.junction(None, {name: value for name, value in locals().items() if name in junctions.NAMES})


WRONG = {
    conductor: {
        "h01": [-0.3, np.nan], "energy": [np.inf], "gamma": [-0.4, np.nan], "off": [0.2], "back": [0.7],
        "hopping": [0.0, np.nan], "contact": [np.inf], "onsite": [np.nan], "slope": [-1.0], "t1": [0.0, -1.0],
        "mu1": [np.nan], "t2": [np.inf],
    },
    with_modes: {
        "m01": [0.3, np.nan], "m11": [np.inf], "frequency": [0.0, -1.0], "damping": [-0.1, np.nan], "phonons": [0.0],
        "bias": [np.nan],
    },
    junction: {
        "h01": [-0.3, np.nan], "width": [-0.4, np.nan], "other": [0.4], "m01": [0.3, np.inf], "frequency": [0.0, -1.0],
        "damping": [-0.1, np.inf], "energy": [np.nan],
    },
    levels: {"energy": [np.inf], "gamma": [0.0, -1.0, np.inf], "element": [np.nan]},
    minimum: {
        "e1": [np.nan], "e2": [np.inf], "w1": [0.0, -1.0], "w2": [0.0], "m": [np.nan], "omega": [0.0, np.inf],
        "damping": [-1e-3], "t1": [0.0], "mu1": [np.nan], "t2": [-1.0], "mu2": [np.inf], "tp": [0.0],
    },
    cs.machines.TwoModeJunction: {
        "frequency": [0.0, -1.0], "detuning": [2.0, np.nan], "damping": [np.nan], "bias": [np.inf],
        "nonconservative": [np.nan], "berry": [np.nan], "dissipative": [np.inf],
    },
}  # fmt: skip


ALLOWED = {
    # Less damping would ask for more panels of frequencies at all points.
    with_modes: ({"bias": 2.0, "damping": 1e-2}, cs.Status.UNSTABLE),
    junction: ({"h01": 0.0, "h10": 0.0}, cs.Status.OK),
}
"""Numbers that are not wrong: electrons pump a mode without limit; nothing but the mode takes them across."""

LONG = optimised(solve_points)
"""For modes, whose frequencies are added up one by one."""


@functools.cache
def solved(make):
    """One batch: the defaults, for each wrong value the defaults with it, and what is `ALLOWED`."""
    is_machine = isinstance(make, type)
    default = make()
    cases = [(name, value) for name, values in WRONG[make].items() for value in values]
    allowed, _ = ALLOWED.get(make, ({}, None))
    names = dict.fromkeys((*WRONG[make], *allowed))
    start = {name: float(read(default, name) if is_machine else defaults(make)[name]) for name in names}

    def build(_, numbers):
        if not is_machine:
            return make(**numbers)
        machine = default
        for name, value in numbers.items():
            machine = replaced(machine, name, value)
        return machine

    for name, value in cases:
        with pytest.raises(cs.InputError):
            build(None, {name: value})
    points = [start, *(start | {name: value} for name, value in cases)]
    points += [start | allowed] if allowed else []
    columns = {name: jnp.array([point[name] for point in points]) for name in names}
    if make is minimum:
        return cases, junctions.solve(columns)
    return cases, (LONG if make is with_modes else solve_points)(build, None, columns, checked_tolerance(1e-8))


@pytest.mark.parametrize("make", WRONG, ids=lambda make: make.__name__)
def test_what_a_constructor_refuses_a_sweep_marks(make):
    cases, found = solved(make)
    assert int(found.status[0]) == 0
    for case, status in zip(cases, found.status[1 : 1 + len(cases)], strict=True):
        assert int(status) == INVALID, case
    more = [int(ALLOWED[make][1])] if make in ALLOWED else []
    assert list(map(int, found.status[1 + len(cases) :])) == more


def defaults(make):
    return {name: parameter.default for name, parameter in inspect.signature(make).parameters.items()}


def read(machine, path):
    return functools.reduce(getattr, path.split("."), machine)


def replaced(machine, path, value):
    head, _, rest = path.partition(".")
    inner = replaced(getattr(machine, head), rest, value) if rest else value
    fields = {name: getattr(machine, name) for name in map(attrgetter("name"), dataclasses.fields(machine))}
    return type(machine)(**fields | {head: inner})


@pytest.mark.parametrize(
    ("h", "leads", "expected"),
    [
        ([[0.4, 0.3], [0.3, -0.4]], {"left": (0, 0.2), "right": (1, 0.2)}, True),
        ([[0.4, 0.0], [0.0, -0.4]], {"left": (0, 0.2), "right": (1, 0.2)}, False),
        ([[0.4, 0.0], [0.0, -0.4]], {"left": (0, 0.2), "right": np.full((2, 2), 0.1)}, True),
        ([[0.4, 0.3], [0.3, -0.4]], {"left": np.eye(2)}, False),
        (np.diag([0.1] * 4, 1) + np.diag([0.1] * 4, -1), {"left": (0, 0.2), "right": (4, 0.2)}, True),
        (
            np.diag([0.1, 0.1, 0, 0.1], 1) + np.diag([0.1, 0.1, 0, 0.1], -1),
            {"left": (0, 1.0), "right": (4, 1.0)},
            False,
        ),
    ],
)
def test_elastic_transmission_is_seen(h, leads, expected):
    """And it is there where the Green's function links the leads."""
    device = cs.conductor.Device(h, leads)
    assert bool(device.elastic()) == expected
    green = np.asarray(device.green(0.237))
    widths = [np.asarray(width) for width in device.widths.values()]
    passed = [np.trace(a @ green @ b @ green.conj().T).real for k, a in enumerate(widths) for b in widths[k + 1 :]]
    assert (max(passed, default=0.0) > 0) == expected


def test_inelastic_only_is_flagged_where_the_conductor_connects_leads():
    """A device with hopping and one without, in one batch; levels never."""
    _, found = solved(junction)
    flags = found.flags["inelastic only"]
    assert [bool(flags[-1]), bool(flags[0])] == [False, True]
    assert "inelastic only" in repr(jax.tree.map(lambda leaf: leaf[0], found))
    assert not bool(solved(levels)[1].flags["inelastic only"][0])


def test_a_level_that_touches_no_lead_has_no_steady_state():
    conductor = cs.conductor.Device([[0.4, 0.0], [0.0, -0.4]], {"left": (0, 0.2), "right": (0, 0.2)})
    baths = {"left": cs.ElectronBath(0.5), "right": cs.ElectronBath(0.4), "phonons": cs.BosonBath(0.3)}
    with pytest.raises(cs.SolveError, match=r"NOT_UNIQUE.*touches no lead"):
        cs.steady_state(cs.conductor.PairJunction(conductor, {(0, 1): 0.2}, baths, 0.8))


def test_green_compiles_once():
    """New devices, and new numbers of energies up to a power of two: one trace each."""
    devices._green_at.clear_cache()
    devices._spectral_at.clear_cache()
    for k in range(1, 9):
        device = cs.conductor.Device(np.diag([0.1 * k, 0.3]), {"left": (0, 1.0), "right": (1, 1.0)})
        energies = np.linspace(0, 1, k)
        exact = np.linalg.inv(energies[:, None, None] * np.eye(2) - np.diag([0.1 * k - 0.5j, 0.3 - 0.5j]))
        np.testing.assert_allclose(device.green(energies), exact, rtol=1e-13)
        assert device.green(0.3).shape == (2, 2)
        assert device.spectral("left", energies).shape == (k, 2, 2)
    assert devices._green_at._cache_size() == 4  # 1, 2, 4 and 8 energies
    assert devices._spectral_at._cache_size() == 4
    assert np.all(np.isfinite(jax.jacfwd(lambda e: device.green(e).real)(0.2)))
