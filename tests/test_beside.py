"""What is asked beside steady states: in any combination and order, what each verb finds of each point by itself."""

import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.jump.large import SMALL

TARGETS = [("heat", "left"), ("particles", "right")]
ALSO = {
    "covariance": cs.Counting(TARGETS),
    "cumulants": cs.Counting("heat", "left", order=2),
    "response": cs.linear_response,
}
POINTS = [{"gap": 0.8, "hot": 1.7}, {"gap": 0.8, "hot": -1.0}, {"gap": 3.0, "hot": 1.0}]


class Ladder(eqx.Module):
    """Energies of so many charges, the least `gap` away from each other."""

    steps: jnp.ndarray
    gap: jnp.ndarray

    def __call__(self, values):
        return self.steps * (self.gap + values["gate"])


def ladder(states, driven):
    """So many charges that come and go one by one between two leads."""
    steps = np.linspace(0, 1, states) + 0.1 * np.cos(np.arange(states))
    below, above = np.arange(states - 1), np.arange(1, states)

    def build(gap, hot):
        drives = {"drives": {"gate": cs.Cosine(0.3, 0.0)}, "period": 9.0} if driven else {}
        return cs.JumpNetwork(
            energies=Ladder(jnp.asarray(steps), gap) if driven else jnp.asarray(steps) * gap,
            occupations=np.arange(states) * 1.0,
            baths={"left": cs.ElectronBath(hot, 0.3), "right": cs.ElectronBath(1.0, -0.2)},
            channels=[
                cs.Channel("left", below, above, cs.Tunnelling(np.linspace(0.3, 1, states - 1))),
                cs.Channel("right", below, above, cs.Tunnelling(np.linspace(1, 0.4, states - 1))),
            ],
            **drives,
        )

    return build


def by_itself(machine, name):
    if name == "response":
        return cs.linear_response(machine).to_dataset()
    if name == "covariance":
        return cs.counting(machine, TARGETS).covariance().to_dataset()
    return cs.counting(machine, "heat", "left").cumulants(2).to_dataset()


@pytest.mark.parametrize(
    ("states", "driven", "names"),
    [
        (2, False, list(ALSO)),
        (3, False, list(ALSO)),
        (SMALL + 1, False, ["covariance", "response"]),
        (2, True, ["covariance", "cumulants"]),
    ],
)
def test_any_of_them_together_are_what_each_is_by_itself(states, driven, names):
    """Of a pair of states, of few, of more than plain elimination is for, and of driven ones, with a point refused."""
    build = ladder(states, driven)
    fine = [k for k, point in enumerate(POINTS) if point["hot"] > 0]
    expected = {}
    for k in fine:
        machine = build(**POINTS[k])
        expected[k] = {name: by_itself(machine, name) for name in names}
        expected[k]["state"] = cs.steady_state(machine).to_dataset()[["heat", "heat_error", "particles", "status"]]
    for some in itertools.chain.from_iterable(itertools.permutations(names, m) for m in range(len(names) + 1)):
        ds = cs.sweep(build, POINTS, also=[ALSO[name] for name in some])
        statuses = [name for name in ds if str(name).endswith("status")]
        assert len(statuses) == 1 + len(some)
        for k, point in enumerate(POINTS):
            one = ds.isel(point=k)
            assert all((one[name] == 0) == (point["hot"] > 0) for name in statuses), some
            for name in ("state", *some) if k in fine else ():
                agree(one, expected[k][name], some)


def agree(found, expected, some):
    for name in map(str, expected):
        error = "onsager_error" if name == "onsager" else f"{name}_error"
        if name.endswith("status"):
            assert int(found[name]) == int(expected[name]), (some, name)
        elif error in expected:
            assert found[name].dims == expected[name].dims
            allowed = found[error].values + expected[error].values
            assert np.all(np.abs(found[name].values - expected[name].values) <= allowed), (some, name)
