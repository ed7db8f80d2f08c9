"""Functions as PyTrees, and every door by which functions of a user enter the library."""

import functools
import gc
import math
import sys
import weakref
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.modes import branches, exceptional_points
from coldspot.pytrees import Closure, compiled, opened
from tests.ways import SHIFT, Colour, Plain, Shift, by_closure, helper, jitted

GAP = 1.0
TABLE = {"gap": 1.0}
PLAIN = Plain(1.0)


def _put(name, value):
    setattr(sys.modules[__name__], name, value)


def test_functions_with_other_content_are_other_programs():
    apply = compiled(lambda function, x: function(x))
    functions = [lambda x: x + 1, lambda x: x + 2, jnp.sin, jnp.negative, functools.partial(jnp.power, 2.0)]
    assert [float(apply(f, jnp.asarray(0.0))) for f in functions] == [1.0, 2.0, 0.0, 0.0, 1.0]
    assert float(apply(jnp.cos, jnp.asarray(0.0))) == 1.0


def test_numbers_of_other_kinds_are_other_programs():
    """Integers are no floats: 1 and 1.0 and True are told apart, and so are 0.0 and −0.0."""
    apply = compiled(lambda function: function())
    made = [lambda n=n: jnp.asarray(n) for n in (1, True, 1.0)]
    assert [apply(f).dtype.kind for f in made] == ["i", "b", "f"]
    signs = [apply(lambda z=z: jnp.copysign(1.0, z)) for z in (0.0, -0.0)]
    assert [float(s) for s in signs] == [1.0, -1.0]


def test_opened_functions_are_trees_of_arrays():
    for function in (lambda x: x, jnp.sin, by_closure(1.0), Plain(1.0), Plain(1.0).shifted, jitted):
        tree = opened(function)
        assert isinstance(tree, Closure)
        assert all(eqx.is_array(leaf) for leaf in jax.tree.leaves(tree))
        jax.lax.stop_gradient(tree)
    assert opened(None) is None
    assert opened(SHIFT) is SHIFT
    assert opened(opened(helper)).plan.name == "helper"


def test_known_values_are_there_for_functions_that_need_them():
    """A function that branches on a number, opened and called while JAX traces something else."""
    gap = 2.0

    def function(x):
        return x * (math.sqrt(gap) if gap > 1 else 0.0)

    shape = jax.eval_shape(opened(function), jnp.zeros(3))
    assert shape.shape == (3,)
    apply = compiled(lambda f, x: f(x))
    assert float(apply(function, 1.0)) == math.sqrt(2)
    gap = 0.5
    assert float(apply(function, 1.0)) == 0.0


def test_errors_of_functions_are_their_own():
    def wrong(x):
        raise KeyError(f"no {GAP}")

    apply = compiled(lambda f, x: f(x))
    with pytest.raises(KeyError, match="no"):
        apply(wrong, 1.0)
    with pytest.raises(jax.errors.TracerBoolConversionError):
        apply(lambda x: 1.0 if x > GAP else 0.0, jnp.asarray(1.0))
    with pytest.raises(NameError, match="missing"):
        apply(lambda x: missing, 1.0)  # noqa: F821


# --------------------------------------------------------------------------- derivatives and batches


def test_gradients_through_captured_numbers():
    def at(gap):
        return compiled(lambda f, x: f(x))(lambda x: x * gap**2, 3.0)

    assert float(jax.grad(at)(2.0)) == 12.0
    assert jax.vmap(at)(jnp.array([1.0, 2.0])).tolist() == [3.0, 12.0]
    assert float(jax.jit(at)(2.0)) == 12.0


def test_a_partial_call_looks_once_and_gives_values_that_are_asked_for():
    settings = {"gap": 2.0}
    apply = compiled(lambda f, x: f(x))
    rest = apply.partial(lambda x: x * settings["gap"])
    rooted = apply.partial(lambda x: x * math.sqrt(settings["gap"]))  # wants the number, not what JAX traces
    found = [float(rest(3.0)), float(rooted(3.0))]
    settings["gap"] = 4.0
    assert [*found, float(rest(3.0)), float(apply.partial(lambda x: x * settings["gap"])(3.0))] == [
        6.0,
        3 * math.sqrt(2.0),
        6.0,
        12.0,
    ]
    assert float(rooted(1.0)) == math.sqrt(2.0)


def test_numbers_that_somebody_put_in_stay():
    """A closure whose numbers are traced or replaced is not read again."""
    gap = 2.0
    closure = opened(lambda x: x * gap**2)
    apply = compiled(lambda f, x: f(x))
    gradient = eqx.filter_grad(lambda f: apply(f, 3.0))(closure)
    assert float(gradient.numbers[0]) == 12.0
    doubled = jax.tree.map(lambda leaf: 2 * leaf, closure)
    assert float(apply(doubled, 3.0)) == 48.0
    gap = 1.0
    assert float(apply(doubled, 3.0)) == 48.0
    assert float(apply(closure, 3.0)) == 3.0


def test_machines_that_come_out_of_a_transformation_still_work():
    """Their numbers are those of the transformation, not the traced ones that their functions remember."""
    batch = eqx.filter_vmap(lambda gap: opened(lambda x: x * gap))(jnp.array([1.0, 2.0]))
    one = jax.tree.map(lambda leaf: leaf[1], batch)
    assert float(compiled(lambda f, x: f(x))(one, 3.0)) == 6.0


def test_programs_keep_nothing_alive_that_was_read():
    """A compiled program lives long; what it was compiled with may go."""

    class Large:
        def __init__(self):
            self.gap = 1.0

    large = Large()
    gone = weakref.ref(large)
    apply = compiled(lambda f, x: f(x))
    assert float(apply(by_reading(large), 1.0)) == 2.0
    del large
    gc.collect()
    assert gone() is None


def by_reading(parameters):
    return lambda x: x + parameters.gap


# --------------------------------------------------------------------------- the doors of the library

RATE = 0.5


def flow(gap, first=1.0, second=2.0, rate=0.5):
    """Heat from the first bath through two levels: g·r·(f₁−f₂), f = 1/(1+e^{g/T})."""
    occupation = [1 / (1 + math.exp(gap / t)) for t in (first, second)]
    return gap * rate * (occupation[0] - occupation[1])


def boson_flow(gamma):
    """The same with bosonic rates γn, γ(1+n) from both baths, levels 0 and 1."""
    n = [1 / math.expm1(1 / t) for t in (1.0, 2.0)]
    up, down = sum(n), sum(n) + 2
    return gamma * (n[0] * down - (n[0] + 1) * up) / (up + down)


def two_levels(energies=(0.0, 1.0), first=None, kinetics=None, drives=None, period=None):
    law = kinetics or cs.Glauber(RATE)
    return cs.JumpNetwork(
        energies=energies,
        baths={"first": first or cs.HeatBath(1.0), "second": cs.HeatBath(2.0)},
        channels=[cs.Channel(name, 0, 1, law) for name in ("first", "second")],
        drives=drives,
        period=period,
    )


def close(solution, expected):
    assert abs(float(solution.heat["first"]) - expected) < 1e-12 * abs(expected)


def test_builders_of_sweeps():
    """The two-level dot of the README with a shift: heats by detailed balance of two leads."""

    def build(level):
        return cs.machines.QuantumDot(level=level + GAP, left=cs.ElectronBath(10.0, 2.5))

    def heats(level):
        fermi = [1 / (1 + math.exp((level - mu) / t)) for mu, t in ((2.5, 10.0), (-2.5, 5.0))]
        return np.array([level - 2.5, -(level + 2.5)]) * (fermi[0] - fermi[1])

    for gap in (2.0, 0.0):
        _put("GAP", gap)
        found = cs.sweep(build, {"level": [1.0, 2.0]}).heat.values
        assert np.allclose(found, [heats(1.0 + gap), heats(2.0 + gap)], rtol=1e-12)


def test_energies_as_a_function():
    _put("GAP", 1.0)
    network = two_levels(
        lambda values: jnp.array([0.0, GAP]) + 0 * values["gate"], drives={"gate": cs.Cosine(0.0)}, period=1.0
    )
    for gap in (1.0, 0.5):
        _put("GAP", gap)
        close(cs.steady_state(network), flow(gap))
        last = cs.evolve(network, 0, [60.0])
        assert abs(float(last.heat["first"][-1]) / flow(gap) - 1) < 1e-6


def test_baths_and_kinetics_as_functions():
    network = two_levels(
        first=lambda values: cs.HeatBath(TABLE["gap"] + 0 * values["gate"]),
        kinetics=lambda values: cs.Glauber(PLAIN.gap + 0 * values["gate"]),
        drives={"gate": cs.Cosine(0.0)},
        period=1.0,
    )
    for temperature, rate in ((1.0, 0.5), (0.5, 0.5), (0.5, 2.0)):
        TABLE["gap"], PLAIN.gap = temperature, rate
        close(cs.steady_state(network), flow(1.0, first=temperature, rate=rate))


def test_spectral_functions_and_subclasses_of_drives_and_kinetics():
    """Methods of the user's classes read global names, too."""

    class Steady(cs.Drive):
        def __call__(self, phase):
            return GAP + 0 * phase

    class Halved(cs.Kinetics):
        detailed_balance: ClassVar[bool] = True

        def log_rates(self, step):
            size = jnp.log(2 * TABLE["gap"])
            return size - jnp.logaddexp(0.0, step.exponent), size - jnp.logaddexp(0.0, -step.exponent)

    network = two_levels(
        lambda values: jnp.stack([0.0, values["gate"]]), kinetics=Halved(), drives={"gate": Steady()}, period=1.0
    )
    for gap, rate in ((1.0, 0.5), (0.5, 1.0)):  # what is read by methods compiles another program
        _put("GAP", gap)
        TABLE["gap"] = rate
        close(cs.steady_state(network), flow(gap, rate=rate))
    boson = two_levels(kinetics=cs.Bosonic(lambda omega: GAP * omega))
    for gap in (1.0, 0.5):
        _put("GAP", gap)
        close(cs.steady_state(boson), boson_flow(gap))


class Reader(cs.Machine):
    name = "reader"
    summary = "Two levels whose gap is read from outside."
    shift: jax.Array = eqx.field(converter=jnp.asarray, default=0.0)

    def dynamics(self):
        return two_levels(jnp.stack([jnp.zeros(()), GAP + self.shift]))


def test_machines_of_the_user():
    for gap in (1.0, 0.5):
        _put("GAP", gap)
        close(cs.steady_state(Reader()), flow(gap))
        found = cs.sweep(Reader, {"shift": [0.0, 0.25]}).heat.sel(bath="first").values
        assert np.allclose(found, [flow(gap), flow(gap + 0.25)], rtol=1e-12)


def test_gradients_of_a_solution_by_a_captured_number():
    """The heat through bosonic baths is linear in a factor of their spectrum."""

    def heat(gap):
        return cs.steady_state(two_levels(kinetics=cs.Bosonic(lambda omega: gap * omega))).heat["first"]

    value, slope = jax.value_and_grad(heat)(1.5)
    assert abs(float(value) / boson_flow(1.5) - 1) < 1e-12
    assert abs(float(slope) / boson_flow(1.0) - 1) < 1e-10


def test_potentials_of_oscillators():
    """A stiff well by a function that reads a number: ⟨x²⟩ = T/k."""

    def network(potential):
        return cs.OscillatorNetwork([1.0], [[0.5]], [1.0], {"bath": cs.HeatBath(1.0)}, {"bath": 0}, potential=potential)

    name, reads = "x_squared 0", network(lambda x: 0.5 * GAP * x[0] ** 2)
    for gap in (0.5, 3.5):
        _put("GAP", gap)
        assert abs(float(cs.steady_state(reads).observables[name]) * (0.5 + gap) - 1) < 0.1
        sample = cs.trajectories(reads, jax.random.key(1), n=256, time=20.0)
        assert abs(float(sample.observables[name]) * (0.5 + gap) - 1) < 0.1


def test_matrices_of_modes():
    """Exceptional points of [[iq, g], [g, −iq]] + p: at q = ±g; branches: g sets the splitting."""

    def matrix(p, q):
        return jnp.array([[p + 1j * q, GAP], [GAP, -p - 1j * q]])

    for gap in (1.0, 0.5):
        _put("GAP", gap)
        points = exceptional_points(matrix, (-1, 1), (-2, 2)).parameters
        assert np.allclose(points, [[0.0, -gap], [0.0, gap]], atol=1e-9)
        found = branches(lambda p: jnp.array([[4.0, GAP], [GAP, 4.0]]) + 0 * p, [0.0, 1.0])
        assert np.allclose(found.frequencies[0] ** 2, [4 - gap, 4 + gap], rtol=1e-12)


def test_a_fresh_function_with_other_numbers_does_not_compile():
    """Compilations of a driven network that a factory makes again and again."""

    def factory(gap):
        return two_levels(lambda v: jnp.array([0.0, 1.0]) * gap + 0 * v["g"], drives={"g": cs.Cosine(0.0)}, period=1.0)

    close(cs.steady_state(factory(1.0)), flow(1.0))
    compiled_programs = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, _duration, **_: compiled_programs.append(event) if "jaxpr_to_mlir" in event else None
    )
    made = [factory(gap) for gap in (0.5, 0.25)]
    compiled_programs.clear()
    for network, gap in zip(made, (0.5, 0.25), strict=True):
        close(cs.steady_state(network), flow(gap))
    assert not compiled_programs


def test_colours_and_other_constants_stay_themselves():
    """What has an identity keeps it: members of enumerations, classes, sentinels."""
    nothing = object()

    def function(x, given=nothing, colour=Colour.RED):
        return x + (1.0 if given is nothing and colour is Colour.RED and isinstance(SHIFT, Shift) else 0.0)

    assert float(compiled(lambda f, x: f(x))(function, 1.0)) == 2.0
