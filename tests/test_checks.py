"""What every constructor refuses, in words that say what to write instead."""

import jax
import jax.numpy as jnp
import numpy as np
import pint
import pytest

import coldspot as cs
from coldspot._checks import check_type
from coldspot.phase_space.boundaries import Boundary


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


def test_units_and_masks_are_never_dropped():
    kelvin = pint.UnitRegistry().kelvin

    class Tagged(np.ndarray):
        unit = "K"

    for value in (4.0 * kelvin, [4.0 * kelvin], np.array([4.0]).view(Tagged)):
        for refuses in (cs.HeatBath, lambda v: cs.sweep(cs.machines.QuantumDot(), {"level": v}), cs.Dots):
            arguments = () if refuses is not cs.Dots else ({},)
            with pytest.raises(cs.InputError, match=r"in units of one energy.*without a unit"):
                refuses(value, *arguments)
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    with pytest.raises(cs.InputError, match="`values` must have no masked entries"):
        cs.Samples(masked)
    with pytest.raises(cs.InputError, match="`level` must have no masked entries"):
        cs.sweep(cs.machines.QuantumDot(), {"level": masked})
    assert cs.Samples(np.ma.array([1.0, 2.0])).values.shape == (2,)


def test_huge_integers_are_not_written_out():
    for exponent in (400, 5000):
        with pytest.raises(cs.InputError, match="`temperature` must be a real number") as caught:
            cs.HeatBath(10**exponent)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("ring", Boundary, r"a Boundary \(Closed, Open, Periodic\), but is 'ring'\."),
        (cs.Periodic, Boundary, r"is the class Periodic; make one: Periodic\(…\)"),
        (1.0, cs.Bath, r"a Bath \(BosonBath, ElectronBath, HeatBath, ParticleBath\)"),
        (1.0, cs.Channel, r"a Channel, but is 1\.0"),
    ],
)
def test_what_may_stand_in_a_place_is_named(value, kind, words):
    with pytest.raises(cs.InputError, match=rf"Machine: `part` must be .*{words}"):
        check_type("Machine", "part", value, kind)


def test_a_machine_at_the_root_is_told_its_place():
    with pytest.raises(AttributeError, match=r"it is `coldspot\.machines\.QuantumDot`"):
        cs.QuantumDot  # noqa: B018


def test_what_a_derivative_is_taken_of_is_shown():
    """Outside of compiled programs its value is known, and told."""

    def heat(gamma):
        return cs.steady_state(cs.machines.QuantumDot(gamma_left=gamma)).heat["left"]

    with pytest.raises(cs.InputError, match="QuantumDot: `gamma_left` must be positive and finite, but is -1"):
        jax.grad(heat)(-1.0)

    def flux(friction):
        ring = cs.KleinKramers(jnp.cos, friction=friction, temperature=1.0, boundary=cs.Periodic(2 * jnp.pi))
        return cs.steady_state(ring).observables["flux"]

    with pytest.raises(cs.InputError, match="KleinKramers: `friction` must be positive and finite, but is -1"):
        jax.grad(flux)(-1.0)


def test_verbs_without_derivatives_say_so():
    def evolved(spring):
        one = cs.OscillatorNetwork([1.0], [[spring]], [1.0], {"bath": cs.HeatBath(1.0)}, {"bath": 0})
        return cs.evolve(one, ([0.0, 1.0], jnp.eye(2)), [0.0, 1.0]).heat["bath"][1]

    with pytest.raises(cs.InputError, match="what becomes of the OscillatorNetwork is not traceable by JAX"):
        jax.grad(evolved)(1.0)

    def escape(friction):
        wells = cs.KleinKramers(lambda x: 5 * (x * x - 1) ** 2, 1.0, 1.0, boundary=cs.Closed())
        return cs.escape_rate(wells, friction=[friction], tolerance=1e-3).rate[0]

    with pytest.raises(cs.InputError, match="rates and profiles are not traceable by JAX"):
        jax.grad(escape)(1.0)
