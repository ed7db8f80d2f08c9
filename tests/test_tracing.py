"""Functions of the user that use a traced number as a known one: which, where, and what to write instead."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs


def dot(energies):
    return cs.JumpNetwork(
        energies=energies,
        occupations=[0, 1],
        baths={"left": cs.ElectronBath(1.0), "right": cs.ElectronBath(2.0)},
        channels=[cs.Channel(bath, 0, 1, cs.Tunnelling(1.0)) for bath in ("left", "right")],
    )


def chain(spins):
    return cs.SpinChain(spins, 1.0, 0.0, 1.0, cs.HeatBath(1.0), cs.HeatBath(2.0))


def helper(level):
    return math.exp(level)


BAD = [
    (lambda level: dot(np.array([0.0, level])), "`np.array([0.0, level])`", "`jnp.array` for `np.array`"),
    (lambda level: dot([0.0, np.exp(level)]), "`np.exp(level)`", "`jnp.exp` for `np.exp`"),
    (lambda level: dot([0.0, math.exp(level)]), "`math.exp(level)`", "`jnp.exp` for `math.exp`"),
    (lambda level: dot([0.0, float(level)]), "`float(level)`", "Leave out `float`"),
    (lambda level: dot([0.0, level if level > 0 else 0.0]), "`level > 0`", "`jnp.where(condition, a, b)`"),
    (lambda level: dot([0.0, max(level, 0.0)]), "`max(level, 0.0)`", "`jnp.maximum`"),
    (lambda level: dot([0.0, helper(level)]), "`helper`", "`jnp.exp` for `math.exp`"),
    (lambda level: dot([0.0, {1.0: 2.0}[level]]), "`{1.0: 2.0}[level]`", "`jnp.where` or in a `jnp.array`"),
    (lambda level: dot([0.0, float(f"{level}")]), "{level}", "`jnp.where` or in a `jnp.array`"),
    (lambda level: chain(level), "`chain`", "solve one machine for each value"),
]


@pytest.mark.parametrize(("build", "code", "remedy"), BAD, ids=[code for _, code, _ in BAD])
def test_what_is_traced_where_and_what_to_write(build, code, remedy):
    with pytest.raises(cs.InputError) as caught:
        cs.sweep(build, {"level": [1.0, 2.0]})
    for part in ("`level` is traced", "of test_tracing.py", code, remedy):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda level: dot([0.0, level]),
        lambda level: dot((0, level)),
        lambda level: dot(jnp.array([0.0, level])),
        lambda level: dot([0.0, jnp.where(level > 0, level, 0.0)]),
    ],
)
def test_lists_may_hold_traced_numbers(build):
    ds = cs.sweep(build, {"level": [1.0, 2.0]})
    assert np.allclose(ds.heat[1], cs.steady_state(dot([0.0, 2.0])).heat, rtol=1e-13)


def driven(**changes):
    parts = {
        "energies": lambda d: jnp.array([0.0, 1.0]) * d["gate"],
        "baths": {"bath": cs.HeatBath(1.0)},
        "channels": [cs.Channel("bath", 0, 1, cs.Glauber(1.0))],
    }
    return cs.JumpNetwork(**(parts | changes), drives={"gate": cs.Cosine(0.5, mean=1.0)}, period=10.0)


GAP = 1.5
DRIVEN = [
    ({"energies": lambda d: np.array([0.0, d["gate"]])}, "`jnp.array` for `np.array`"),
    ({"energies": lambda d: [0.0, np.exp(GAP * d["gate"])]}, "`jnp.exp` for `np.exp`"),
    ({"energies": lambda d: [0.0, 1.0 if d["gate"] > GAP else 2.0]}, "`jnp.where(condition, a, b)`"),
    ({"baths": {"bath": lambda d: cs.HeatBath(math.exp(d["gate"]))}}, "`jnp.exp` for `math.exp`"),
    ({"channels": [cs.Channel("bath", 0, 1, lambda d: cs.Glauber(np.exp(d["gate"])))]}, "`jnp.exp` for `np.exp`"),
]


@pytest.mark.parametrize(("changes", "remedy"), DRIVEN, ids=[str(k) for k in range(len(DRIVEN))])
def test_functions_of_drives(changes, remedy):
    with pytest.raises(cs.InputError) as caught:
        cs.steady_state(driven(**changes))
    for part in ("`gate` is traced", "of test_tracing.py", remedy):
        assert part in str(caught.value)


def test_potentials():
    with pytest.raises(cs.InputError, match=r"`math.cos\(x\[0\]\)`. Write `jnp.cos` for `math.cos`"):
        cs.OscillatorNetwork(
            masses=[1.0],
            springs=[[1.0]],
            frictions=[1.0],
            baths={"bath": cs.HeatBath(1.0)},
            sites={"bath": 0},
            potential=lambda x: math.cos(x[0]),
        )
