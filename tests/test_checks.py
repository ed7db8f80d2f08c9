"""What every constructor refuses, in words that say what to write instead."""

import numpy as np
import pytest

import coldspot as cs


@pytest.mark.parametrize(
    ("make", "wrong", "right"),
    [
        (lambda **named: cs.machines.QuantumDot(**named), "levle", "level"),
        (lambda **named: cs.ElectronBath(0.1, **named), "chemical_potental", "chemical_potential"),
        (lambda **named: cs.Cosine(1.0, **named), "phse", "phase"),
        (lambda **named: cs.Channel("a", 0, 1, **named), "kinetic", "kinetics"),
        (lambda **named: cs.JumpNetwork([0.0, 1.0], {}, [], **named), "perod", "period"),
        (lambda **named: cs.Conductor(np.eye(1), {}, **named), "mode", "modes"),
        (lambda **named: cs.OscillatorNetwork([1.0], [[1.0]], [1.0], {}, [0], **named), "drive", "drives"),
    ],
)
def test_an_argument_that_does_not_exist_names_the_nearest(make, wrong, right):
    with pytest.raises(cs.InputError, match=f"there is no argument `{wrong}`. Did you mean `{right}`"):
        make(**{wrong: 1.0})


@pytest.mark.parametrize("value", [True, np.bool_(False), "warm", None, 1j, [1.0, "a"]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(cs.InputError, match="`temperature` must be a real number"):
        cs.HeatBath(value)
