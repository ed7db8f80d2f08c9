"""Arguments of a wrong plain type, and ready-made tools on what they are not for: said in words."""

import dataclasses

import jax
import pytest

import coldspot as cs

MOVED = cs.Cosine(0.1, mean=1.0)
DOT = cs.machines.QuantumDot()
HOT = cs.HeatBath(2.0)


def jumps(energies=(0.0, 1.0), **more):
    return cs.JumpNetwork(energies, {"hot": HOT}, [cs.Channel("hot", 0, 1, cs.Glauber(1.0))], **more)


def simulated():
    pair = cs.machines.OscillatorPair()
    return cs.trajectories(pair, jax.random.key(1), n=64, time=20.0, until=0.01)


CASES = {
    "jumps": (lambda: jumps(lambda d: [0.0, 1.0], drives=MOVED, period=1.0), "JumpNetwork: `drives` must be a mapping"),
    "particle": (
        lambda: cs.KleinKramers(lambda x, d: x * x, 1.0, 1.0, boundary=cs.Closed(), drives=MOVED, frequency=1.0),
        "KleinKramers: `drives` must be a mapping",
    ),
    "until": (simulated, r"`until` must be an Until, such as .*, but is 0\.01"),
    "lattice": (lambda: cs.oscillators.lattice(3), "`shape` must be a list of counts, one for each axis, but is 3"),
    "ring": (lambda: cs.oscillators.ring(4, [1.0, 2.0]), r"ring: `baths` must be \{name: .*, but is \[1\.0, 2\.0\]"),
    "chain": (
        lambda: cs.oscillators.chain_springs(3, spring=[1.0, 2.0]),
        r"chain_springs: `spring` must have shape \(\)",
    ),
    "to": (lambda: cs.sweep(DOT, {"level": [1.0]}, to=3), "sweep: `to` must be a path, .* but is 3"),
    "load": (lambda: cs.load(3), "load: `path` must be a path, .* but is 3"),
    "save": (lambda: cs.save(DOT, 3), "save: `path` must be a path, .* but is 3"),
    "swapped": (lambda: cs.save("dot.toml", DOT), r"`save\(thing, path\)`"),
    "replace": (
        lambda: dataclasses.replace(jumps(), cooled_bath="hot"),
        r"JumpNetwork: `dataclasses.replace` is for .*ready-made .* anew: JumpNetwork\(energies, baths",
    ),
    "held": (lambda: jumps(held=3), "JumpNetwork: there is no argument `held`"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_it_must_be_is_said(case):
    make, words = CASES[case]
    with pytest.raises(cs.InputError, match=words):
        make()
