"""Ways in which a function reads a number from outside itself: each sets the number, and gives the function."""

import dataclasses
import enum
import functools
import math
import sys
import types
from collections import namedtuple
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

HERE = sys.modules[__name__]

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


class Gaps(enum.Enum):
    ONE = "one"

    def by_method(self):
        return GAP


class _ReadsGap(type):
    @property
    def by_metaclass(cls):
        return GAP


class OfMetaclass(metaclass=_ReadsGap):
    pass


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


def put(name, value):
    setattr(HERE, name, value)


def by_global(gap):
    put("GAP", gap)
    return lambda x: x + GAP


def by_helper(gap):
    put("GAP", gap)
    return lambda x: helper_of_helper(x)


def by_argument(gap):
    put("GAP", gap)
    return helper


def by_nested_code(gap):
    put("GAP", gap)
    return lambda x: sum([(lambda y: y * GAP)(w) for w in (0.5, 0.5)]) + x


def by_closure(gap):
    return lambda x: x + gap


def by_default(gap):
    return lambda x, gap=gap: x + gap


def by_keyword_default(gap):
    def function(x, *, gap=gap):
        return x + gap

    return function


def by_attribute_of_a_member(gap):
    Gaps.ONE.gap = gap
    return lambda x: x + Gaps.ONE.gap


def by_method_of_a_member(gap):
    put("GAP", gap)
    member = Gaps.ONE
    return lambda x: x + member.by_method()


def by_metaclass(gap):
    put("GAP", gap)
    return lambda x: x + OfMetaclass.by_metaclass


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
    put("PAIR", Pair(0.0, gap))
    return lambda x: x + PAIR.high


def by_class_attribute(gap):
    Settings.gap = gap
    return lambda x: x + Settings.gap


def by_static_method(gap):
    put("GAP", gap)
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
    put("GAP", gap)
    return functools.partial(helper)


def by_equinox_module(gap):
    put("SHIFT", Shift(gap))
    return lambda x: SHIFT(x)


def by_bound_method_of_a_module(gap):
    put("GAP", gap)
    return Shift(0.0).by_global


def by_module_that_is_a_function(gap):
    return Shift(gap)


def by_jitted_function(gap):
    put("GAP", gap)
    return jitted


def by_jitted_helper(gap):
    put("GAP", gap)
    return lambda x: jitted(x) + 0 * filter_jitted(x)


def by_filter_jitted_function(gap):
    put("GAP", gap)
    return filter_jitted


def by_cached_function(gap):
    put("GAP", gap)
    return lambda x: x + cached()


def by_decorated_function(gap):
    put("GAP", gap)
    return decorated


def by_mapped_function(gap):
    put("GAP", gap)
    return lambda x: mapped(x[None])[0]


def by_gradient(gap):
    put("GAP", gap)
    return lambda x: x + slope(x)


def by_custom_derivative(gap):
    put("GAP", gap)
    return lambda x: custom(x)


def by_recursion(gap):
    put("GAP", gap)
    return lambda x: x + even(4)


def by_local_recursion(gap):
    def function(x, n=3):
        return x + gap if n == 0 else function(x, n - 1)

    return function


def by_branch(gap):
    put("GAP", gap)
    return lambda x: x + (math.sqrt(GAP) ** 2 if GAP > 0 else 0.0)


def by_numpy(gap):
    GRID[1] = gap
    return lambda x: x + np.sum(GRID)


def by_size(gap):
    put("SIZE", int(2 * gap))
    return lambda x: x + jnp.sum(jnp.ones(SIZE)) / 2


def by_word(gap):
    put("MODE", "half" if gap == 0.5 else "whole")
    return lambda x: x + {"half": 0.5, "whole": 1.0}[MODE]


def by_attribute_of_a_function(gap):
    def function(x):
        return x + inner.gap

    def inner():
        pass

    inner.gap = gap
    return function


WAYS = {name: way for name, way in vars(HERE).items() if name.startswith("by_")}
