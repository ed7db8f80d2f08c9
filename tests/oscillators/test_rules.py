"""What the constructor of an oscillator network refuses, a batch marks."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.dynamics import solve_batch

GOOD = {
    "masses": [1.0, 2.0],
    "springs": [[2.0, -1.0], [-1.0, 2.0]],
    "frictions": [1.0, 0.0],
    "temperature": 1.0,
    "amplitude": 0.5,
    "phase": 0.0,
    "frequency": 1.3,
}
WRONG = [
    {"masses": [-1.0, 2.0]},
    {"masses": [1.0, np.inf]},
    {"frictions": [-0.5, 0.0]},
    {"frictions": [1.0, 0.5]},
    {"springs": [[2.0, -0.9], [-1.0, 2.0]]},
    {"springs": [[2.0, -1.0], [-1.0, np.nan]]},
    {"temperature": 0.0},
    {"amplitude": np.inf},
    {"phase": np.nan},
    {"frequency": -1.3},
]


def network(p):
    return cs.OscillatorNetwork(
        p["masses"],
        p["springs"],
        p["frictions"],
        {"bath": cs.HeatBath(p["temperature"])},
        {"bath": 0},
        {"f": (1, cs.Cosine(p["amplitude"], p["phase"]))},
        p["frequency"],
    )


def test_constructor_and_batch_agree():
    for change in WRONG:
        with pytest.raises(cs.InputError):
            network(GOOD | change)
    points = [GOOD, *(GOOD | change for change in WRONG)]
    columns = {name: jnp.asarray([point[name] for point in points]) for name in GOOD}
    s = eqx.filter_jit(lambda c: solve_batch(eqx.filter_vmap(network, out_axes=eqx.if_array(0))(c), 1e-8))(columns)
    assert np.asarray(s.status).tolist() == [cs.Status.OK] + [cs.Status.INVALID] * len(WRONG)
    assert np.all(np.isnan(s.heat.array[1:]))
