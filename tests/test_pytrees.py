"""Functions as PyTrees: a number that a user changes changes the answer, whatever way the function reads it."""

import dataclasses
import enum
import functools
import gc
import importlib.util
import math
import random
import sys
import types
import weakref
from collections import namedtuple
from types import SimpleNamespace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.modes.exceptional import branches, exceptional_points
from coldspot.pytrees import Closure, compiled, opened

HERE = sys.modules[__name__]

# --------------------------------------------------------------------------- ways to read a number

GAP = 1.0
SIZE = 2
MODE = "half"
TABLE = {"gap": 1.0, "other": {"names": ["a", "b"]}}
NESTED = [0.0, {"gap": (2.0, 1.0)}]
GRID = np.array([0.0, 1.0])
WHOLE = np.array([3, 1])
Pair = namedtuple("Pair", "low high")
PAIR = Pair(0.0, 1.0)
FROZEN = types.MappingProxyType(TABLE)


class Plain:
    def __init__(self, gap):
        self.gap = gap

    @property
    def twice(self):
        return 2 * self.gap

    def shifted(self, x):
        return x + self.gap

    def __call__(self, x):
        return x + self.gap


class Slotted:
    __slots__ = ("gap",)


@dataclasses.dataclass(frozen=True)
class Frozen:
    gap: float
    inner: SimpleNamespace


class Settings:
    gap = 1.0

    @staticmethod
    def add(x):
        return x + GAP


class Shift(eqx.Module):
    gap: jax.Array = eqx.field(converter=jnp.asarray)

    def __call__(self, x):
        return x + self.gap

    def by_global(self, x):
        return x + self.gap + GAP


class Colour(enum.Enum):
    RED = 1


PLAIN, NAMESPACE, SHIFT = Plain(1.0), SimpleNamespace(gap=1.0), Shift(1.0)
FROZEN_OBJECT = Frozen(0.0, SimpleNamespace(gap=1.0))
SLOTTED = Slotted()


def _module():
    module = types.ModuleType("settings_of_a_user")
    module.gap, module.deeper = 1.0, types.ModuleType("settings_of_a_user.deeper")
    module.deeper.gap = 1.0
    return module


settings = _module()


def helper(x):
    return x + GAP


def helper_of_helper(x):
    return helper(x)


@jax.jit
def jitted(x):
    return x + GAP


@eqx.filter_jit
def filter_jitted(x):
    return x + GAP


@functools.lru_cache
def cached():
    return GAP


def decorator(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@decorator
def decorated(x):
    return x + GAP


mapped = jax.vmap(helper)
slope = jax.grad(lambda x: x * GAP)


@jax.custom_jvp
def custom(x):
    return x + GAP


custom.defjvps(lambda dot, ans, x: dot)


def even(n):
    return GAP if n == 0 else odd(n - 1)


def odd(n):
    return even(n - 1)


def _put(name, value):
    setattr(HERE, name, value)


def by_global(gap):
    _put("GAP", gap)
    return lambda x: x + GAP


def by_helper(gap):
    _put("GAP", gap)
    return lambda x: helper_of_helper(x)


def by_argument(gap):
    _put("GAP", gap)
    return helper


def by_nested_code(gap):
    _put("GAP", gap)
    return lambda x: sum([(lambda y: y * GAP)(w) for w in (0.5, 0.5)]) + x


def by_closure(gap):
    return lambda x: x + gap


def by_default(gap):
    return lambda x, gap=gap: x + gap


def by_keyword_default(gap):
    def function(x, *, gap=gap):
        return x + gap

    return function


def by_dictionary(gap):
    TABLE["gap"] = gap
    return lambda x: x + TABLE["gap"]


def by_read_only_dictionary(gap):
    TABLE["gap"] = gap
    return lambda x: x + FROZEN["gap"]


def by_nested_containers(gap):
    NESTED[1]["gap"] = (0.0, gap)
    return lambda x: x + NESTED[1]["gap"][1]


def by_array_in_place(gap):
    GRID[1] = gap
    return lambda x: x + jnp.sum(jnp.asarray(GRID))


def by_array_of_integers(gap):
    WHOLE[1] = int(2 * gap)
    return lambda x: x + np.eye(9)[WHOLE[1]] @ np.arange(9) / 2


def by_attribute(gap):
    PLAIN.gap = gap
    return lambda x: x + PLAIN.gap


def by_property(gap):
    PLAIN.gap = gap
    return lambda x: x + PLAIN.twice / 2


def by_method_of_a_global(gap):
    PLAIN.gap = gap
    return lambda x: PLAIN.shifted(x)


def by_bound_method(gap):
    return Plain(gap).shifted


def by_callable_object(gap):
    return Plain(gap)


def by_slot(gap):
    SLOTTED.gap = gap
    return lambda x: x + SLOTTED.gap


def by_namespace(gap):
    NAMESPACE.gap = gap
    return lambda x: x + NAMESPACE.gap


def by_dataclass(gap):
    FROZEN_OBJECT.inner.gap = gap
    return lambda x: x + FROZEN_OBJECT.inner.gap


def by_named_tuple(gap):
    _put("PAIR", Pair(0.0, gap))
    return lambda x: x + PAIR.high


def by_class_attribute(gap):
    Settings.gap = gap
    return lambda x: x + Settings.gap


def by_static_method(gap):
    _put("GAP", gap)
    return lambda x: Settings.add(x)


def by_module(gap):
    settings.gap = gap
    return lambda x: x + settings.gap


def by_nested_module(gap):
    settings.deeper.gap = gap
    return lambda x: x + settings.deeper.gap


def by_partial(gap):
    return functools.partial(lambda gap, x: x + gap, gap)


def by_partial_of_a_global(gap):
    _put("GAP", gap)
    return functools.partial(helper)


def by_equinox_module(gap):
    _put("SHIFT", Shift(gap))
    return lambda x: SHIFT(x)


def by_bound_method_of_a_module(gap):
    _put("GAP", gap)
    return Shift(0.0).by_global


def by_module_that_is_a_function(gap):
    return Shift(gap)


def by_jitted_function(gap):
    _put("GAP", gap)
    return jitted


def by_jitted_helper(gap):
    _put("GAP", gap)
    return lambda x: jitted(x) + 0 * filter_jitted(x)


def by_filter_jitted_function(gap):
    _put("GAP", gap)
    return filter_jitted


def by_cached_function(gap):
    _put("GAP", gap)
    return lambda x: x + cached()


def by_decorated_function(gap):
    _put("GAP", gap)
    return decorated


def by_mapped_function(gap):
    _put("GAP", gap)
    return lambda x: mapped(x[None])[0]


def by_gradient(gap):
    _put("GAP", gap)
    return lambda x: x + slope(x)


def by_custom_derivative(gap):
    _put("GAP", gap)
    return lambda x: custom(x)


def by_recursion(gap):
    _put("GAP", gap)
    return lambda x: x + even(4)


def by_local_recursion(gap):
    def function(x, n=3):
        return x + gap if n == 0 else function(x, n - 1)

    return function


def by_branch(gap):
    _put("GAP", gap)
    return lambda x: x + (math.sqrt(GAP) ** 2 if GAP > 0 else 0.0)


def by_numpy(gap):
    GRID[1] = gap
    return lambda x: x + np.sum(GRID)


def by_size(gap):
    _put("SIZE", int(2 * gap))
    return lambda x: x + jnp.sum(jnp.ones(SIZE)) / 2


def by_word(gap):
    _put("MODE", "half" if gap == 0.5 else "whole")
    return lambda x: x + {"half": 0.5, "whole": 1.0}[MODE]


def by_attribute_of_a_function(gap):
    def function(x):
        return x + inner.gap

    def inner():
        pass

    inner.gap = gap
    return function


WAYS = {name: way for name, way in vars(HERE).items() if name.startswith("by_")}


@pytest.mark.parametrize("name", WAYS)
def test_a_changed_number_changes_the_answer(name):
    """Between two calls of one compiled function, for every way to read a number."""
    apply = compiled(lambda function, x: function(x))
    for gap in (1.0, 0.5, 1.0):
        found = apply(WAYS[name](gap), jnp.asarray(3.0))
        assert abs(float(found) - 3 - gap) < 1e-15, gap


IN_PLACE = [
    by_global, by_helper, by_dictionary, by_nested_containers, by_array_in_place, by_attribute, by_namespace,
    by_dataclass, by_class_attribute, by_module, by_jitted_helper, by_slot, by_branch, by_size,
]  # fmt: skip


@pytest.mark.parametrize("way", IN_PLACE)
def test_what_was_opened_before_is_read_again(way):
    """A function that was opened when a machine was made is read at every call."""
    apply = compiled(lambda tree, x: tree["function"](x))
    tree = {"function": opened(way(1.0))}
    assert isinstance(tree["function"], Closure)
    assert float(apply(tree, jnp.asarray(3.0))) == 4.0
    way(0.5)
    assert float(apply(tree, jnp.asarray(3.0))) == 3.5
    way(1.0)
    assert float(apply(tree, jnp.asarray(3.0))) == 4.0


NUMBERS = [n for n in WAYS if n not in (
    "by_array_of_integers", "by_class_attribute", "by_static_method", "by_bound_method_of_a_module", "by_branch",
    "by_numpy", "by_size", "by_word", "by_custom_derivative",
)]  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_other_numbers_compile_nothing(name):
    """Numbers are leaves: the program is traced once."""
    traces = []

    def run(function, x):
        traces.append(None)
        return function(x)

    apply = compiled(run)
    for gap in (1.0, 0.5, 0.25):
        assert abs(float(apply(WAYS[name](gap), jnp.asarray(3.0))) - 3 - gap) < 1e-15
    assert len(traces) == 1


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


# --------------------------------------------------------------------------- refusals


def refused(function, *words):
    with pytest.raises(cs.InputError) as caught:
        opened(function)
    for word in (*words, "eqx.Module"):
        assert word in str(caught.value)


def test_what_cannot_be_followed_is_refused_in_words(tmp_path):
    numbers = (k for k in range(3))
    path = tmp_path / "numbers.txt"
    path.write_text("1")
    lines = path.open()
    inside = {"deep": [numbers]}
    generator = np.random.default_rng(0)

    def reads_a_generator(x):
        return x + next(numbers)

    def reads_deep(x):
        return x + inside["deep"]

    def reads_a_file(x):
        return x + len(lines.read())

    def calls_eval(x):
        return x + eval("GAP")

    def calls_globals(x):
        return x + globals()["GAP"]

    def opens_a_file(x):
        return x + float(open(path).read())

    def sets_a_global(x):
        global GAP
        GAP = x
        return x

    def draws(x):
        return x + random.random()

    def draws_with_numpy(x):
        return x + np.random.normal()

    def hands_on_a_module(x):
        return x + vars(settings)["gap"]

    def asks_a_module(x):
        return x + settings.deeper.__dict__["gap"]

    refused(reads_a_generator, "`reads_a_generator`", "`numbers`", "generator")
    refused(reads_deep, "`reads_deep`", "`inside['deep'][0]`")
    refused(reads_a_file, "`reads_a_file`", "`lines`")
    refused(calls_eval, "`calls_eval`", "`eval`")
    refused(calls_globals, "`globals`")
    refused(opens_a_file, "`open`")
    refused(sets_a_global, "`sets_a_global`", "`GAP`")
    refused(draws, "`random`")
    refused(draws_with_numpy, "`np`")
    refused(lambda x: x + generator.normal(), "`generator`", "Generator")
    refused(hands_on_a_module, "`settings`", "as a whole")
    lines.close()
    with pytest.raises(cs.InputError, match=r"JumpNetwork|`reads_a_generator`"):
        cs.JumpNetwork(reads_a_generator, {"a": cs.HeatBath(1.0)}, [cs.Channel("a", 0, 1, cs.Glauber(1.0))], period=1.0)


def test_what_nobody_reads_may_be_anything(tmp_path):
    """Attributes and methods that cannot be followed matter only to functions that read them."""

    class Parameters:
        def __init__(self, gap):
            self.gap, self.log = gap, (tmp_path / "log.txt").open("w")

        def save(self, path):
            with open(path, "w") as file:
                file.write(str(self.gap))

    parameters = Parameters(1.0)
    apply = compiled(lambda f, x: f(x))
    for gap in (1.0, 0.5):
        parameters.gap = gap
        assert float(apply(lambda x: x + parameters.gap, 1.0)) == 1 + gap
    refused(lambda x: parameters.log.write(str(x)), "`parameters.log`")
    refused(lambda x: parameters.save(x), "`save`", "`open`")
    parameters.log.close()

    class Saved(Shift):
        def save(self, path):
            with open(path, "w") as file:
                file.write(str(self.gap))

        def __call__(self, x):
            return self.shifted(x)

        def shifted(self, x):
            return x + self.gap + GAP

    for gap in (1.0, 0.5):
        _put("GAP", gap)
        assert float(apply(Saved(1.0), 1.0)) == 2 + gap


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


def test_a_module_imported_inside_is_refused(tmp_path):
    (tmp_path / "settings_elsewhere.py").write_text("gap = 1.0\n")
    spec = importlib.util.spec_from_file_location("settings_elsewhere", tmp_path / "settings_elsewhere.py")
    sys.modules["settings_elsewhere"] = importlib.util.module_from_spec(spec)
    try:

        def imports(x):
            import settings_elsewhere

            return x + settings_elsewhere.gap

        with pytest.raises(cs.InputError, match=r"`imports` imports `settings_elsewhere`.*top of the file"):
            opened(imports)
    finally:
        del sys.modules["settings_elsewhere"]


def test_counting_outside_is_refused():
    count = 0

    def counts(x):
        nonlocal count
        count += 1
        return x

    refused(counts, "`counts` sets `count` outside")
    calls = []

    def counts_in_a_list(x):
        calls.append(x)
        return x

    refused(counts_in_a_list, "`counts_in_a_list` changes `calls` outside", "calls.append")

    def gathers_inside(x):
        parts = []
        (lambda y: parts.append(y))(x)
        return parts[0]

    assert opened(gathers_inside)(2.0) == 2.0


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
        assert abs(float(last.heat["first"][-1]) - flow(gap)) < 1e-7 * flow(gap) or gap
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
    for gap, rate in ((1.0, 0.5), (0.5, 0.5), (0.5, 1.0)):
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
    """A stiff well by a function of nothing but its argument, and by one that reads a number: ⟨x²⟩ = T/k."""

    def network(potential):
        return cs.OscillatorNetwork([1.0], [[0.5]], [1.0], {"bath": cs.HeatBath(1.0)}, {"bath": 0}, potential=potential)

    closed = cs.steady_state(network(lambda x: 0.25 * x[0] ** 2))
    name = "x_squared 0"
    assert abs(float(closed.observables[name]) - 1.0) < 0.1
    reads = network(lambda x: 0.5 * GAP * x[0] ** 2)
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
