"""What functions read: a number that a user changes changes the answer, whatever way the function reads it."""

import datetime
import importlib.util
import os
import random
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.pytrees import Closure, compiled, opened
from tests.ways import WAYS, Shift, settings

GAP = 1.0


@pytest.mark.parametrize("name", WAYS)
def test_a_changed_number_changes_the_answer(name):
    """Between two calls of one compiled function, for every way to read a number."""
    apply = compiled(lambda function, x: function(x))
    for gap in (1.0, 0.5, 1.0):
        found = apply(WAYS[name](gap), jnp.asarray(3.0))
        assert abs(float(found) - 3 - gap) < 1e-15, gap


IN_PLACE = [
    "by_global", "by_helper", "by_dictionary", "by_nested_containers", "by_array_in_place",
    "by_attribute", "by_namespace", "by_dataclass", "by_class_attribute", "by_module",
    "by_jitted_helper", "by_slot", "by_branch", "by_size",
    "by_attribute_of_a_member", "by_method_of_a_member", "by_metaclass",
]  # fmt: skip


@pytest.mark.parametrize("name", IN_PLACE)
def test_what_was_opened_before_is_read_again(name):
    """A function that was opened when a machine was made is read at every call."""
    way = WAYS[name]
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
    "by_attribute_of_a_member", "by_method_of_a_member", "by_metaclass",
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

    def imports_a_reader(x):
        from numpy import loadtxt

        return x + loadtxt(path)

    def counts_modules(x):
        return x + len(sys.modules)

    masked = np.ma.array([1.0, 5.0], mask=[False, True])
    aliased = eval

    refused(lambda x: x + np.loadtxt(path), "`numpy.loadtxt`")
    refused(lambda x: x + np.lib.npyio.load(path), "`np`", "load`")
    refused(imports_a_reader, "`imports_a_reader`", "`numpy`", "loadtxt")
    refused(lambda x: x + float((tmp_path / "numbers.txt").read_text()), "`read_text`")
    refused(lambda x: x + float(path.open().read()), "`path.open`")
    refused(lambda x: x + float(os.getenv("GAP")), "`os.getenv`")
    refused(counts_modules, "`sys.modules`")
    refused(lambda x: x + importlib.import_module("tests.ways").GAP, "import_module`")
    refused(lambda x: x + datetime.datetime.now().second, "`datetime.datetime.now`")
    refused(lambda x: x + aliased("GAP"), "`aliased`", "`eval`")
    refused(lambda x: x + masked.sum(), "`masked`", "MaskedArray")
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
            return x + self.gap + gap

    for gap in (1.0, 0.5):
        assert float(apply(Saved(1.0), 1.0)) == 2 + gap


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
