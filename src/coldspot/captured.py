"""What a function reads from outside itself: numbers to be passed on, everything else by its content or identity.

Followed are the global names that its code mentions, captured variables, defaults, and what is found there: entries of
dictionaries and lists, attributes of objects and of the user's modules, other functions of the user with all that they
read. Installed libraries are not entered. What cannot be followed is refused in words, since a later change of it would
go unseen by a program that was compiled before.
"""

import builtins
import copy
import copyreg
import enum
import functools
import io
import math
import random
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ._checks import InputError
from ._mentions import Chain, Mentions, a_or_an, generated, installed, is_slot, mentions, name_of, of_library, slots
from ._outside import BLIND, asked, asked_of, asks
from ._plans import Making, Mode, Part, Plan

INSTEAD = "pass its numbers as an argument, as captured numbers or arrays, or as fields of an eqx.Module"
MUTATING = ("append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "add", "discard")
"""Methods by which a list, a dictionary or a set is changed."""
WHOLE: frozenset[Chain] = frozenset({()})
"""A name that is read as it is, without an attribute."""


def read(function: Any, choose: Callable[[Any], Mode]) -> tuple[Plan, tuple[Any, ...]]:
    """A function (or a class) as a plan, and the numbers that the plan takes; `choose` gives the mode for its code."""
    name, code = name_of(function), _code(function)
    mode = choose(code)
    reader = _Reader(mode)
    reader.owners.append(name)
    part = reader.read(function, f"`{name}`")
    reader.check_excused()
    return Plan(part, name, mode, code, reader.identities), tuple(reader.numbers)


def _code(function: Any) -> Any:
    """The code that runs when a function is called; of an object, its class."""
    if isinstance(function, WRAPPERS):
        return _code(function.__wrapped__)
    if isinstance(function, types.MethodType):
        return _code(function.__func__)
    if isinstance(function, functools.partial):
        return _code(function.func)
    return function.__code__ if isinstance(function, types.FunctionType) else type(function)


@functools.lru_cache(maxsize=4096)
def _number(value: float, sign: float) -> Array:
    with jax.ensure_compile_time_eval():
        return jnp.asarray(value, dtype=jnp.float64)


WRAPPERS: tuple[Any, ...] = (type(jax.jit(abs)), type(eqx.filter_jit(abs)), type(functools.lru_cache(abs)))
"""Wrappers that keep what they were compiled with (or found): what is inside is taken without them."""


class _Reader:
    """Reads objects into parts, and collects the numbers; every object once, so that circles close."""

    def __init__(self, mode: Mode):
        self.mode = mode
        self.numbers: list[Any] = []
        self.identities: list[Any] = []  # known by address, so that they must live as long as the plan
        self.owners: list[str] = []
        self._alive: list[Any] = []
        self._mentioned: set[str] = set()
        self._excused: list[tuple[str, InputError]] = []
        self._seen: dict[tuple[bool, int], int] = {}

    def read(self, value: Any, where: str, chains: frozenset[Chain] = WHOLE) -> Part:
        kind = type(value)
        if kind is types.ModuleType:
            return self._module(value, where, chains)
        if value is None or kind in (int, bool, str, bytes, type(Ellipsis), type(NotImplemented)):
            return Part((kind, value), lambda _: value)
        if kind in (float, complex) or isinstance(value, np.inexact):
            return self._real(value)
        self._alive.append(value)
        key = self.mode is Mode.CONTENT, id(value)
        known = self._seen.get(key)
        if known is not None:
            return Part(("again", known), lambda making: making.made[known])
        place = self._seen[key] = len(self._seen)
        part = self._object(value, where, place)

        def make(making: Making) -> Any:
            made = part.make(making)
            making.made[place] = made
            return made

        return Part(part.key, make)

    def _same(self, value: Any) -> Part:
        """Something that is its own identity."""
        self.identities.append(value)
        return Part(("same", type(value), id(value)), lambda _: value)

    def _attribute(self, name: str, value: Any, where: str) -> Part | None:
        """An attribute of an object or a class; one that cannot be followed is excused as long as nothing reads it."""
        seen, numbers, owners, mode = len(self._seen), len(self.numbers), len(self.owners), self.mode
        try:
            return self.read(value, where)
        except InputError as refusal:
            while len(self._seen) > seen:
                self._seen.popitem()
            del self.numbers[numbers:], self.owners[owners:]
            self.mode = mode
            self._excused.append((name, refusal))
            return None

    def check_excused(self) -> None:
        for name, refusal in self._excused:
            if name in self._mentioned:
                raise refusal

    # ------------------------------------------------------------------ numbers and arrays
    def _passed(self, number: Any) -> Part:
        index = len(self.numbers)
        self.numbers.append(number)
        return Part("number", lambda making: making.numbers[index])

    def _real(self, value: Any) -> Part:
        if self.mode is not Mode.PASSED:
            kind = type(value)
            sign = math.copysign(1.0, value.real), math.copysign(1.0, value.imag)
            return Part((kind, repr(value), sign), lambda _: value)
        if isinstance(value, complex | np.complexfloating):
            return self._passed(jnp.asarray(value, dtype=jnp.complex128))
        return self._passed(_number(float(value), math.copysign(1.0, value)))

    def _array(self, value: Any, where: str) -> Part:
        if isinstance(value, np.ndarray) and type(value) not in (np.ndarray, np.memmap):
            raise self._refusal(where, f"{a_or_an(value)}, which is more than its numbers")
        traced = isinstance(value, jax.core.Tracer)
        typed = isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.extended)
        if self.mode is Mode.PASSED or (self.mode is Mode.FIXED and (traced or typed)):
            if isinstance(value, jax.Array):
                return self._passed(value)
            if value.dtype.kind in "fc":
                with jax.ensure_compile_time_eval():
                    return self._passed(jnp.array(value))  # a copy: the original may be changed in place
        if traced or typed:
            return self._same(value)
        fixed = np.array(value)
        if fixed.dtype.kind not in "biufcSU":
            raise self._refusal(where, f"an array of the type {fixed.dtype}")
        fixed.setflags(write=False)
        kept = value if isinstance(value, jax.Array) else fixed
        key = ("array", isinstance(value, jax.Array), fixed.dtype.str, fixed.shape, fixed.tobytes())
        return Part(key, lambda _: kept)

    # ------------------------------------------------------------------ everything else
    def _object(self, value: Any, where: str, place: int) -> Part:
        if isinstance(value, jax.Array | np.ndarray):
            return self._array(value, where)
        if isinstance(value, np.generic):
            return Part((type(value), value.tobytes()), lambda _: value)
        if callable(value) and of_library(value):
            if asks(value):
                raise self._asks(where, value.__name__)
            return self._same(value)
        if isinstance(value, types.FunctionType | type):
            return self._class(value) if isinstance(value, type) else self._function(value, place)
        if isinstance(value, WRAPPERS):
            return self.read(value.__wrapped__, where)
        if isinstance(value, types.BuiltinFunctionType):
            return self._builtin(value, where)
        if isinstance(value, types.MethodType):
            owner = self.read(value.__self__, f"{where} (the object it belongs to)")
            function = self.read(value.__func__, where)
            return Part(
                ("method", owner.key, function.key),
                lambda making: types.MethodType(function.make(making), owner.make(making)),
            )
        if isinstance(value, functools.partial):
            return self._partial(value, where)
        if isinstance(value, Iterator | io.IOBase | random.Random | np.random.Generator | np.random.RandomState):
            raise self._refusal(where, a_or_an(value))
        if isinstance(value, enum.Enum):
            return self._member(value, where)
        if type(value) is object or isinstance(value, np.ufunc | jax.Device):
            return self._same(value)
        if self.mode is not Mode.CONTENT and isinstance(value, eqx.Module):
            return self._passed(value)
        return self._container(value, where, place)

    def _container(self, value: Any, where: str, place: int) -> Part:
        kind = type(value)
        if kind is dict or kind is types.MappingProxyType:
            return self._dictionary(value, where, place)
        if kind in (list, tuple, set, frozenset) or (isinstance(value, tuple) and hasattr(kind, "_make")):
            return self._sequence(value, where, place)
        if self.mode is not Mode.CONTENT and not jax.tree_util.all_leaves([value]):
            return self._passed(value)
        return self._instance(value, where, place)

    def _dictionary(self, value: Any, where: str, place: int) -> Part:
        kind = type(value)
        keys = tuple(self._content(name, f"a key of {where}").key for name in value)
        entries = [(name, self.read(entry, f"{_bare(where)}[{name!r}]`")) for name, entry in value.items()]

        def make(making: Making) -> Any:
            made = making.made[place] = {}
            made.update((name, entry.make(making)) for name, entry in entries)
            return made if kind is dict else types.MappingProxyType(made)

        return Part((kind, keys, tuple(entry.key for _, entry in entries)), make)

    def _sequence(self, value: Any, where: str, place: int) -> Part:
        kind = type(value)
        ordered = sorted(value, key=repr) if kind in (set, frozenset) else value
        entries = [self.read(entry, f"{_bare(where)}[{k}]`") for k, entry in enumerate(ordered)]
        gather = getattr(kind, "_make", kind)

        def make(making: Making) -> Any:
            if kind is list:
                made = making.made[place] = []
                made.extend(entry.make(making) for entry in entries)
                return made
            return gather(entry.make(making) for entry in entries)

        return Part((kind, tuple(entry.key for entry in entries)), make)

    def _function(self, function: types.FunctionType, place: int) -> Part:
        code, world = function.__code__, function.__globals__
        library = installed(world.get("__name__"))
        said = mentions(code)
        self.owners.append(function.__name__)
        names: dict[str, Part] = {}
        if not library:
            self._mentioned |= said.attributes
            self._check(said, world)
            for name, chains in said.names.items():
                if name in world:
                    self._check_use(name, world[name], chains)
                    names[name] = self.read(world[name], f"`{name}`", chains)
        cells: list[Part | None] = []
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                content = cell.cell_contents
            except ValueError:  # not bound yet, or not any more
                cells.append(None)
            else:
                chains = said.captured.get(name, WHOLE)
                self._check_use(name, content, frozenset() if library else chains)
                cells.append(self.read(content, f"`{name}`", chains))
        defaults = self.read(function.__defaults__, "the defaults of its arguments")
        keywords = self.read(function.__kwdefaults__, "the defaults of its arguments")
        own = {name: entry for name, entry in vars(function).items() if name != "__wrapped__"}
        attributes = None if library or not own else self.read(own, "its attributes")
        self.owners.pop()
        # Nothing below may keep the function itself, whose variables may be traced.
        name, qualified, module = function.__name__, function.__qualname__, function.__module__
        home = world.get("__name__")
        around_library = world if library else None

        def make(making: Making) -> Any:
            around = {"__builtins__": builtins, "__name__": home} if around_library is None else around_library
            holes = tuple(types.CellType() for _ in cells)
            made = types.FunctionType(code, around, name, None, holes)
            making.made[place] = made
            for read_name, part in names.items():
                around[read_name] = part.make(making)
            for hole, cell in zip(holes, cells, strict=True):
                if cell is not None:
                    hole.cell_contents = cell.make(making)
            made.__defaults__, made.__kwdefaults__ = defaults.make(making), keywords.make(making)
            made.__qualname__, made.__module__ = qualified, module
            if attributes is not None:
                vars(made).update(attributes.make(making))
            return made

        key = (
            "function",
            code,
            tuple((name, part.key) for name, part in names.items()),
            tuple(None if cell is None else cell.key for cell in cells),
            (defaults.key, keywords.key, None if attributes is None else attributes.key),
        )
        return Part(key, make)

    def _check(self, said: Mentions, world: Mapping[str, Any]) -> None:
        """Refuse what the function does to names, or reads past them."""
        for name in sorted(said.rebound):
            raise InputError(
                f"the function `{self.owners[-1]}` sets `{name}` outside itself, which happens only while it is "
                f"compiled; return the value, or {INSTEAD}."
            )
        for name in sorted(said.imports):
            if not installed(name):
                raise InputError(
                    f"the function `{self.owners[-1]}` imports `{name}` when it is called, which cannot be followed; "
                    "import it at the top of the file."
                )
            if used := asked(name, frozenset({(attribute,) for attribute in said.attributes})):
                raise self._asks(f"`{name}`", used)
        for name in sorted(said.attributes & {"read_bytes", "read_text"}):
            raise self._asks("a file", name)
        for name in BLIND:
            if name in said.names and world.get(name, vars(builtins).get(name)) is getattr(builtins, name):
                raise InputError(
                    f"the function `{self.owners[-1]}` calls `{name}`: what that reads cannot be followed; {INSTEAD}."
                )

    def _check_use(self, name: str, value: Any, chains: frozenset[Chain]) -> None:
        """Refuse functions that change a container outside themselves, or ask the world there."""
        if used := asked_of(value, chains):
            raise self._asks(f"`{name}`", f"{name}.{used}")
        changes = {chain[0] for chain in chains if chain} & set(MUTATING)
        if changes and isinstance(value, list | dict | set):
            raise InputError(
                f"the function `{self.owners[-1]}` changes `{name}` outside itself (`{name}.{min(changes)}`), which "
                f"happens only while it is compiled; return the value, or {INSTEAD}."
            )

    def _module(self, module: types.ModuleType, where: str, chains: frozenset[Chain]) -> Part:
        """A library's module is itself; of a module of the user, the attributes that are read."""
        if installed(module.__name__):
            if name := asked(module.__name__, chains):
                raise self._asks(where, name)
            return self._same(module)
        if () in chains:
            raise InputError(
                f"the function `{self.owners[-1]}` hands on the module {where} as a whole, so that what it reads there "
                f"cannot be followed; write `module.name` where a value is read, or {INSTEAD}."
            )
        rest: dict[str, set[Chain]] = {}
        for chain in sorted(chains):
            rest.setdefault(chain[0], set()).add(chain[1:])
        parts = {
            name: self.read(getattr(module, name), f"{_bare(where)}.{name}`", frozenset(after))
            for name, after in rest.items()
            if hasattr(module, name)
        }

        def make(making: Making) -> Any:
            made = types.ModuleType(module.__name__)
            for name, part in parts.items():
                setattr(made, name, part.make(making))
            return made

        return Part(("module", module.__name__, tuple((name, part.key) for name, part in parts.items())), make)

    def _builtin(self, value: Any, where: str) -> Part:
        owner = value.__self__
        if owner is None or isinstance(owner, types.ModuleType | type):
            if asks(value):
                raise self._asks(where, value.__name__)
            return self._same(value)
        part = self.read(owner, f"{where} (the object it belongs to)")
        return Part(("builtin", value.__name__, part.key), lambda making: getattr(part.make(making), value.__name__))

    def _partial(self, value: "functools.partial[Any]", where: str) -> Part:
        function = self.read(value.func, where)
        arguments = self.read(value.args, f"the arguments of {where}")
        keywords = self.read(dict(value.keywords), f"the arguments of {where}")
        return Part(
            ("partial", function.key, arguments.key, keywords.key),
            lambda m: functools.partial(function.make(m), *arguments.make(m), **keywords.make(m)),
        )

    def _instance(self, value: Any, where: str, place: int) -> Part:
        """An object with attributes: made anew from its class and them; of a library, its whole content is fixed."""
        kind = type(value)
        plain = kind is types.SimpleNamespace or not any(
            installed(base.__module__) and base.__module__ not in ("abc", "typing") and base is not object
            for base in kind.__mro__
        )
        if not plain and not (self.mode is Mode.CONTENT and isinstance(value, eqx.Module)):
            return self._foreign(value, where)
        slotted = [n for base in kind.__mro__ for n in slots(base) if hasattr(value, n)]
        state = {n: getattr(value, n) for n in slotted} | getattr(value, "__dict__", {})
        law = self._content(kind, where)
        tried = {name: self._attribute(name, entry, f"{_bare(where)}.{name}`") for name, entry in state.items()}
        parts = {name: part for name, part in tried.items() if part is not None}

        def make(making: Making) -> Any:
            new: Callable[[Any], Any] = (
                types.SimpleNamespace.__new__ if kind is types.SimpleNamespace else object.__new__
            )
            made = making.made[place] = new(kind)
            for name, part in parts.items():
                object.__setattr__(made, name, part.make(making))
            return made

        return Part(("object", law.key, tuple((name, part.key) for name, part in parts.items())), make)

    def _foreign(self, value: Any, where: str) -> Part:
        """An object of a library, by what it would be pickled from."""
        try:
            known = copyreg.dispatch_table.get(type(value))
            recipe = value.__reduce_ex__(2) if known is None else known(value)
            content = self._same(value) if isinstance(recipe, str) else self._content(recipe[:3], where)
            rest = () if isinstance(recipe, str) else tuple(list(more) for more in recipe[3:5] if more is not None)
            kept = value if isinstance(recipe, str) else _copied(value)
        except InputError:
            raise
        except Exception:
            raise self._refusal(where, a_or_an(value)) from None
        return Part(("foreign", content.key, self._content(rest, where).key), lambda _: kept)

    def _content(self, value: Any, where: str) -> Part:
        """Something whose numbers, too, belong to the content."""
        mode, self.mode = self.mode, Mode.CONTENT
        try:
            return self.read(value, where)
        finally:
            self.mode = mode

    def _class(self, kind: type) -> Part:
        """A class is itself; one of the user with what its methods read and its attributes hold."""
        if installed(kind.__module__):
            return self._same(kind)
        found = []
        above = type(kind)
        if not installed(above.__module__):
            found.append(("its class", self._content(above, f"`{above.__name__}`").key))
        for base in kind.__mro__:
            for name, entry in () if installed(base.__module__) else vars(base).items():
                entry = getattr(entry, "fget", None) or getattr(entry, "__func__", None) or entry
                entry = entry.func if isinstance(entry, functools.cached_property) else entry
                made = isinstance(entry, types.FunctionType) and entry.__code__.co_filename == "<string>"
                hidden = name.startswith("__") and not isinstance(entry, types.FunctionType)
                if hidden or name == "_abc_impl" or generated(base, name, made) or is_slot(entry):
                    continue
                where, mode, self.mode = f"`{kind.__name__}.{name}`", self.mode, Mode.CONTENT
                needed = name.startswith("__") or any(hasattr(b, name) for b in kind.__mro__ if installed(b.__module__))
                part = self.read(entry, where) if needed else self._attribute(name, entry, where)
                self.mode = mode
                found.append((name, None if part is None else part.key))
        self.identities.append(kind)
        return Part(("class", id(kind), tuple(found)), lambda _: kind)

    def _member(self, value: enum.Enum, where: str) -> Part:
        """A member of an enumeration is itself; one of the user's, with its class and what else it holds."""
        if installed(type(value).__module__):
            return self._same(value)
        state = {name: entry for name, entry in vars(value).items() if name != "__objclass__"}
        content = self._content([type(value), state], where)
        self.identities.append(value)
        return Part(("member", id(value), content.key), lambda _: value)

    def _asks(self, where: str, name: str) -> InputError:
        return self._refusal(where, f"where `{name}` may answer differently each time")

    def _refusal(self, where: str, what: str) -> InputError:
        return InputError(
            f"the function `{self.owners[-1]}` reads {where}, {what}: that cannot be followed, and a change of it "
            f"would go unseen; {INSTEAD}."
        )


def _copied(value: Any) -> Any:
    """A copy that later changes in place do not reach, where there can be one."""
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def _bare(where: str) -> str:
    return where.removesuffix("`")
