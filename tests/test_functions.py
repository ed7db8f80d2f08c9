"""Functions of the user that take something else than they are given, or return no numbers: said at once."""

import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs

HOT, COLD = cs.HeatBath(2.0), cs.HeatBath(1.0)
MOVED = {"kick": cs.Cosine(0.1, mean=1.0)}


def jumps(energies=(0.0, 1.0), law=None, **driven):
    law = cs.Glauber(1.0) if law is None else law
    return cs.JumpNetwork(energies, {"hot": HOT}, [cs.Channel("hot", 0, 1, law)], **driven)


def springs(given=((2.0, -1.0), (-1.0, 2.0)), **more):
    return cs.OscillatorNetwork(
        [1.0, 1.0], given, [1.0, 1.0], {"hot": HOT, "cold": COLD}, {"hot": 0, "cold": 1}, **more
    )


def particle(potential, friction=1.0, **more):
    return cs.KleinKramers(potential, friction, 1.0, boundary=cs.Closed(), **more)


def lead(function):
    return cs.SelfEnergyLead(function, 0, cs.ElectronBath(1.0))


DRIVEN = {"drives": MOVED, "frequency": 1.0}
CASES = {
    "other drive": (lambda: particle(lambda x, d: d["kic"] * x * x, **DRIVEN), "no drive `kic`. Did you mean `kick`"),
    "no drives": (lambda: particle(lambda x, d: x * x), r"`potential` .* position x, but .*argument `d` is missing"),
    "of x alone": (lambda: particle(lambda x: x * x, **DRIVEN), r"the drives' values .* takes x, but 2 values were"),
    "friction": (lambda: particle(lambda x: x * x, lambda: 1.0), r"`friction` .* takes nothing, but 1 value was"),
    "None": (lambda: particle(lambda x: None), "`potential` .* returns numbers, but returns None"),
    "text": (lambda: particle(lambda x: "a"), "`potential` .* returns numbers, but returns 'a'"),
    "coordinates": (lambda: springs(potential=lambda x, d: x[0]), r"`potential` .*U\(x\).*argument `d` is missing"),
    "springs": (lambda: springs(lambda: jnp.eye(2), **DRIVEN), "`springs` .*values of `drives`.* takes nothing"),
    "phase": (
        lambda: springs(lambda: jnp.eye(2), frequency=1.0),
        "`springs` .* function of the phase, .*takes nothing",
    ),
    "force": (lambda: springs(forces={"f": lambda x: x}), r"force `f` .*f\(x, v\).* takes x, but 2 values were"),
    "energies": (
        lambda: jumps(lambda: [0.0, 1.0], drives=MOVED, period=1.0),
        r"with \{kick: …\}, but .* takes nothing",
    ),
    "law": (lambda: jumps(law=lambda: cs.Glauber(1.0), drives=MOVED, period=1.0), r"\{kick: …\}, but .* takes nothing"),
    "gamma": (lambda: cs.Bosonic(lambda: 1.0), "`gamma` must be a function of the frequency, but .* takes nothing"),
    "spectrum": (lambda: cs.Bosonic(lambda w: "a"), "Bosonic: `gamma` .* returns numbers, but returns 'a'"),
    "energy": (lambda: lead(lambda: 0.1j), "`function` must be a function of the energy, but .* takes nothing"),
    "lead": (lambda: lead(lambda energy: None), "`function` .* returns numbers, but returns None"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_is_said_when_it_is_given(case):
    make, words = CASES[case]
    with pytest.raises(cs.InputError, match=words):
        make()


def test_numpy_in_a_spectrum():
    with pytest.raises(cs.InputError, match=r"`jnp\.sqrt` for `np\.sqrt`"):
        cs.Bosonic(lambda w: np.sqrt(w))
