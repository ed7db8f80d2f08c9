"""Oscillator networks without a steady state, and bad input."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.machines import OscillatorPair


def named(status, words, network, **keywords):
    with pytest.raises(cs.SolveError) as caught:
        cs.steady_state(network, **keywords)
    assert caught.value.status == status
    for word in words:
        assert word in str(caught.value)
    assert np.all(np.isnan(caught.value.solution.energy.array)) or status == cs.Status.NOT_CONVERGED


def pair(springs, frictions=(1.0, 1.0), **keywords):
    baths = {"left": cs.HeatBath(1.0), "right": cs.HeatBath(0.5)}
    return cs.OscillatorNetwork([1.0, 1.0], springs, frictions, baths, {"left": 0, "right": 1}, **keywords)


def test_no_steady_state():
    named(cs.Status.UNSTABLE, ["negative eigenvalue -1", "(1, -1)"], pair([[1.0, 2.0], [2.0, 1.0]]))
    named(cs.Status.UNSTABLE, ["eigenvalue 0", "(1, 1)", "wall"], pair(cs.oscillators.chain_springs(2, 1.0)))
    named(cs.Status.NOT_UNIQUE, ["frequency 1"], pair(cs.oscillators.chain_springs(2, 1.0, 1.0), (0.0, 0.0)))
    named(
        cs.Status.NOT_CONVERGED, ["rate", "frequency"], pair(cs.oscillators.chain_springs(2, 1.0, 2.0), (1e-13, 1e-13))
    )


def test_weak_walls_tend_to_none():
    """The heat between masses that no wall holds is the limit of weak walls."""
    limit = 1.0 * 9.0 * 0.5 / (2 * (9.0 + 3.0))
    for wall in (1e-4, 1e-8, 1e-12):
        s = cs.steady_state(pair(cs.oscillators.chain_springs(2, 3.0, wall)))
        assert abs(float(s.heat["left"]) - limit) < 2 * wall + 1e-15


def test_one_bad_point_leaves_the_others():
    network = pair(cs.oscillators.chain_springs(2, 1.0, 1.0))
    ds = cs.sweep(network, {"springs[0][0]": [2.0, 1.0], "baths.left.temperature": [1.0, -1.0, 2.0]})
    assert ds.status.values.tolist() == [[0, 1, 0], [0, 1, 0]]
    assert np.isnan(ds.heat.values[0, 1]).all()
    assert np.isfinite(ds.heat.values[0, 0]).all()
    ds = cs.sweep(OscillatorPair(), {"spring": [1.0, -1.0, 0.0], "friction": [1.0, 0.0, -1.0]})
    assert ds.status.values.tolist() == [[0, 1, 1], [5, 1, 1], [5, 1, 1]]
    with pytest.raises(cs.SolveError, match=r"`springs` must be finite, but springs\[0\]\[1\] is nan"):
        cs.steady_state(eqx.tree_at(lambda n: n.springs, network, jnp.array([[2.0, np.nan], [-1.0, 2.0]])))
    with pytest.raises(cs.SolveError, match=r"`baths.left`: `temperature` must be positive.*but is -1"):
        cs.steady_state(eqx.tree_at(lambda n: n.baths["left"].temperature, network, jnp.asarray(-1.0)))
    with pytest.raises(cs.SolveError, match=r"`springs` must be symmetric"):
        cs.steady_state(eqx.tree_at(lambda n: n.springs, network, jnp.array([[2.0, 1.0], [-1.0, 2.0]])))


def bad(**change):
    good = {
        "masses": [1.0, 1.0],
        "springs": [[2.0, -1.0], [-1.0, 2.0]],
        "frictions": [1.0, 0.0],
        "baths": {"bath": cs.HeatBath(1.0)},
        "sites": {"bath": 0},
    }
    return lambda: cs.OscillatorNetwork(**(good | change))


COSINE = cs.Cosine(1.0)
TWO = {"a": cs.HeatBath(1.0), "b": cs.HeatBath(2.0)}


BAD = {
    "masses negative": (bad(masses=[1.0, -1.0]), ["masses", "positive", "-1"]),
    "masses number": (bad(masses=1.0), ["masses", "list"]),
    "masses text": (bad(masses="heavy"), ["real number"]),
    "springs shape": (bad(springs=[1.0, 2.0]), ["springs", "(2, 2)", "(2,)"]),
    "springs not finite": (bad(springs=[[2.0, np.nan], [np.nan, 2.0]]), ["springs", "finite"]),
    "springs not symmetric": (bad(springs=[[2.0, 1.0], [-1.0, 2.0]]), ["symmetric", "springs[0][1] is 1"]),
    "frictions shape": (bad(frictions=[1.0]), ["frictions", "(2,)"]),
    "frictions negative": (bad(frictions=[-1.0, 0.0]), ["frictions[0] is -1", "negative"]),
    "friction without bath": (bad(frictions=[1.0, 0.5]), ["frictions[1] is 0.5", "no bath", "sites"]),
    "no baths": (bad(baths={}), ["baths", "at least one"]),
    "bath type": (bad(baths={"bath": cs.ElectronBath(1.0)}), ["bath", "HeatBath", "ElectronBath"]),
    "classical and quantum": (
        bad(baths={"bath": cs.HeatBath(1.0), "cold": cs.BosonBath(1.0)}, sites={"bath": 0, "cold": 1}),
        ["`bath`", "`cold`", "classical", "quantum"],
    ),
    "site of no bath": (bad(sites={"bat": 0}), ["bath `bat`", "Did you mean `bath`"]),
    "site beyond": (bad(sites={"bath": 2}), ["coordinate 2", "0 to 1"]),
    "site text": (bad(sites={"bath": "left"}), ["sites['bath']", "index", "left"]),
    "site missing": (bad(sites={}), ["sites", "`bath`"]),
    "site twice": (
        bad(baths={"bath": cs.HeatBath(1.0), "two": cs.HeatBath(1.0)}, sites={"bath": 0, "two": [0]}),
        ["coordinate 0", "`bath`", "`two`"],
    ),
    "frequency missing": (bad(forces={"f": (0, COSINE)}), ["frequency", "missing"]),
    "frequency alone": (bad(frequency=1.0), ["frequency", "nothing is driven"]),
    "frequency negative": (bad(forces={"f": (0, COSINE)}, frequency=-1.0), ["frequency", "positive", "-1"]),
    "force without site": (bad(forces={"f": COSINE}, frequency=1.0), ["force `f`", "(coordinate, Cosine)"]),
    "force beyond": (bad(forces={"f": (5, COSINE)}, frequency=1.0), ["coordinate 5"]),
    "force on two": (bad(forces={"f": ([0, 1], COSINE)}, frequency=1.0), ["force `f`", "one coordinate"]),
    "force of another form": (bad(forces={"f": (0, 1.0)}, frequency=1.0), ["force `f`", "Cosine", "matrix"]),
    "force matrix": (bad(forces={"f": [[1.0, 2.0]]}), ["forces['f']", "(2, 2)", "(1, 2)"]),
    "drives alone": (bad(drives={"d": COSINE}, frequency=1.0), ["`drives`", "`springs`", "function"]),
    "drive's name": (
        bad(springs=lambda v: jnp.diag(jnp.stack([v["dd"], v["d"]])), drives={"d": COSINE}, frequency=1.0),
        ["drive `dd`", "Did you mean `d`"],
    ),
    "name twice": (
        bad(springs=lambda v: v["d"] * jnp.eye(2), drives={"d": COSINE}, forces={"d": (0, COSINE)}, frequency=1.0),
        ["`d`", "force", "drive"],
    ),
    "springs of another shape": (
        bad(springs=lambda v: v["d"] * jnp.ones(3), drives={"d": COSINE}, frequency=1.0),
        ["springs", "(2, 2)", "(3,)"],
    ),
    "springs driven, not symmetric": (
        bad(springs=lambda v: jnp.eye(2) + v["d"] * jnp.eye(2, k=1), drives={"d": COSINE}, frequency=1.0),
        ["springs", "symmetric", "forces"],
    ),
    "springs that do not close": (
        bad(springs=lambda phase: (2 + phase) * jnp.eye(2), frequency=1.0),
        ["springs", "0 and 2π"],
    ),
    "light without a bath": (bad(masses=[1.0, 0.0]), ["coordinate 1", "no mass", "bath"]),
    "light between two baths": (
        bad(masses=[0.0, 1.0], baths=TWO, sites={"a": 0, "b": 0}, frictions={"a": 1.0, "b": 1.0}),
        ["coordinate 0", "exactly one bath"],
    ),
    "light without friction": (bad(masses=[0.0, 1.0], frictions=[0.0, 0.0]), ["frictions", "positive", "mass"]),
    "light beside heavy": (
        bad(masses=[0.0, 1.0], frictions=[[1.0, 0.1], [0.1, 1.0]], sites={"bath": [0, 1]}),
        ["frictions", "couple", "mass"],
    ),
    "friction matrix between baths": (
        bad(baths=TWO, sites={"a": 0, "b": 1}, frictions=[[1.0, 0.1], [0.1, 1.0]]),
        ["frictions[0][1] is 0.1", "same bath"],
    ),
    "friction matrix that pushes": (
        bad(frictions=[[1.0, 2.0], [2.0, 1.0]], sites={"bath": [0, 1]}),
        ["frictions", "negative"],
    ),
    "friction of no bath": (bad(frictions={"bth": 1.0}), ["bath `bth`", "Did you mean `bath`"]),
    "friction missing": (
        bad(baths=TWO, sites={"a": 0, "b": 0}, frictions={"a": 1.0}),
        ["frictions", "`b`"],
    ),
    "friction with an unknown memory": (bad(frictions={"bath": cs.Ohmic(1.0, 2.0)}), ["frictions['bath']", "Drude"]),
    "steady state of driven springs and a potential": (
        lambda: cs.steady_state(
            bad(
                springs=lambda v: (2.0 + v["d"]) * jnp.eye(2),
                drives={"d": COSINE},
                frequency=1.0,
                potential=lambda x: x[0] ** 4,
            )()
        ),
        ["driven", "potential", "trajectories"],
    ),
    "potential number": (bad(potential=3.0), ["potential", "function"]),
    "potential vector": (bad(potential=lambda x: x), ["potential", "one number", "(2,)"]),
    "cooled bath": (bad(cooled_bath="bth"), ["bath `bth`", "Did you mean `bath`"]),
    "chain of none": (lambda: cs.oscillators.chain_springs(0, 1.0), ["count", "positive integer", "0"]),
    "chain beyond memory": (lambda: cs.OscillatorNetwork.chain(10**6), ["1,000,000 coordinates", "GiB", "give fewer"]),
    "pair without friction": (lambda: OscillatorPair(friction=0.0), ["OscillatorPair", "friction", "positive"]),
    "pair without mass": (lambda: OscillatorPair(mass=-1.0), ["OscillatorPair", "mass", "-1"]),
    "pair with a lead": (lambda: OscillatorPair(left=cs.ElectronBath(1.0)), ["left", "HeatBath"]),
    "currents with potential": (lambda: bad(potential=lambda x: x[0] ** 4)().currents(), ["currents", "potential"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, words = BAD[case]
    with pytest.raises(cs.InputError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)
