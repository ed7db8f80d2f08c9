"""A function of one point for many points at once, number by number.

`jax.vmap` makes of each small array a table whose last axis stays small, and compilers then compute a sine or an
exponential anew in each use. Here each number is an array of its own along the points, which processors go through in
steps of many, and what costs much is put into memory once. For formulas of some hundred operations inside of loops.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from .blocks import stored

COSTLY = (
    "exp exp2 log log1p expm1 sin cos tan sinh cosh tanh asin acos atan atan2 logistic pow sqrt rsqrt cbrt erf erfc "
    "lgamma digamma"
)
"""Operations that take longer than to write a number and read it again."""
CHEAP = (
    "add sub mul div neg abs sign max min integer_pow square select_n eq ne lt le gt ge and or not xor is_finite floor "
    "ceil round rem convert_element_type copy stop_gradient clamp add_any"
)
MOVING = (
    "broadcast_in_dim reshape squeeze expand_dims transpose slice rev concatenate stack gather dynamic_slice scatter "
    "split"
)
"""Operations that choose numbers by places that are known."""
WHERE = {"gather": slice(1, 2), "scatter": slice(1, 2), "dynamic_slice": slice(1, None)}
"""Which of their operands are places."""
KINDS = {name: kind for kind, names in enumerate((COSTLY, CHEAP, MOVING)) for name in names.split()}
FOLDED = {
    "reduce_sum": lax.add_p,
    "reduce_max": lax.max_p,
    "reduce_min": lax.min_p,
    "reduce_prod": lax.mul_p,
    "reduce_and": lax.and_p,
    "reduce_or": lax.or_p,
}
INSIDE = {
    "pjit": "jaxpr",
    "jit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


class Number:
    """One number of a formula, for each point or for all: computed `of` others, and how many costly steps deep."""

    __slots__ = ("compute", "costly", "depth", "of", "value")

    def __init__(self, compute: Callable[..., Any], of: tuple["Number", ...], costly: bool = False, value: Any = None):
        self.compute, self.of, self.costly, self.value = compute, of, costly, value
        self.depth: int = max((n.depth for n in of), default=0) + costly


def lanewise(function: Callable[..., Any], *points: Array, certain: Array) -> Any:
    """`function` of one number of each of the `points` (lane): its arrays, with lists in place of axes, as NumPy arrays

    of objects, whose entries are arrays (lane), or () where all points share a number. `certain` as for `stored`.
    """
    one = [jax.ShapeDtypeStruct((), x.dtype) for x in points]
    program, shapes = jax.make_jaxpr(function, return_shape=True)(*one)
    found = _walk(program.jaxpr, program.consts, [_table([_known(x)], ()) for x in points])
    tables = [t if _is_table(t) else _numbers(t) for t in found]
    ends = [n for t in tables for n in t.ravel()]
    for depth in range(1, max((n.depth for n in ends), default=0) + 1):
        needed = [n for n in _below(ends) if n.costly and n.depth == depth]
        made = stored(certain, functools.partial(_values, needed))
        for n, value in zip(needed, made, strict=True):
            n.value = value
    values = iter(_values(ends))
    rows = [_table([next(values) for _ in range(t.size)], t.shape) for t in tables]
    return jax.tree.unflatten(jax.tree.structure(shapes), rows)


def numbers_in(function: Callable[..., Any], *points: Array) -> int:
    """About how many numbers `lanewise` makes of a function: those that depend on the points, and what they meet."""
    program = jax.make_jaxpr(function)(*[jax.ShapeDtypeStruct((), x.dtype) for x in points])
    return _counted(program.jaxpr, [True] * len(points))[0]


def _counted(jaxpr: Any, depends: list[bool]) -> tuple[int, list[bool]]:
    """How many numbers, and which results depend on the points, of which arguments do."""
    moving = {v for v, yes in zip(jaxpr.invars, depends, strict=True) if yes}
    count = 0
    for equation in jaxpr.eqns:
        among = [not hasattr(v, "val") and v in moving for v in equation.invars]
        if not any(among):
            continue
        name = equation.primitive.name
        if name in INSIDE:
            inner, results = _counted(equation.params[INSIDE[name]].jaxpr, among)
            count += inner
        else:
            results = [True] * len(equation.outvars)
            count += max(v.aval.size for v in (*equation.invars, *equation.outvars))
        moving |= {v for v, yes in zip(equation.outvars, results, strict=True) if yes}
    return count, [not hasattr(v, "val") and v in moving for v in jaxpr.outvars]


def _known(value: Any) -> Number:
    return Number(lambda: value, (), value=value)


def _below(ends: list[Number]) -> list[Number]:
    """All that numbers which are not known yet are made of, these included."""
    found: dict[int, Number] = {}
    todo = [n for n in ends if n.value is None]
    while todo:
        n = todo.pop()
        if id(n) not in found:
            found[id(n)] = n
            todo += [m for m in n.of if m.value is None]
    return list(found.values())


def _values(some: list[Number]) -> list[Any]:
    """Values of numbers, of those that are known; what is used twice here is computed once."""
    made: dict[int, Any] = {}

    def of(n: Number) -> Any:
        if n.value is not None:
            return n.value
        if id(n) not in made:
            made[id(n)] = n.compute(*[of(m) for m in n.of])
        return made[id(n)]

    return [of(n) for n in some]


def _is_table(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object


def _table(entries: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    table = np.empty(len(entries), object)
    for k, entry in enumerate(entries):
        table[k] = entry
    return table.reshape(shape)


def _numbers(shared: Any) -> np.ndarray:
    """The table of an array that all points share."""
    shape = np.shape(shared)
    flat = jnp.reshape(shared, (-1,))
    return _table([_known(flat[k]) for k in range(int(np.prod(shape)))], shape)


def _walk(jaxpr: Any, constants: Any, arguments: Any) -> list[Any]:
    known: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True))

    def read(v: Any) -> Any:
        return v.val if hasattr(v, "val") else known[v]

    for equation in jaxpr.eqns:
        values, name = [read(v) for v in equation.invars], equation.primitive.name
        if name in INSIDE:
            inner = equation.params[INSIDE[name]]
            found = _walk(inner.jaxpr, inner.consts, values)
        elif not any(_is_table(v) for v in values):
            found = shared(equation, values)
        else:
            found = _step(equation, values)
        known |= dict(zip(equation.outvars, found, strict=True))
    return [read(v) for v in jaxpr.outvars]


def bound(equation: Any) -> Callable[..., Any]:
    params = equation.primitive.get_bind_params(equation.params)
    if equation.primitive.multiple_results:
        return lambda *x: list(equation.primitive.bind(*x, **params))
    return lambda *x: [equation.primitive.bind(*x, **params)]


def shared(equation: Any, values: list[Any]) -> list[Any]:
    """What all points share; places that are known stay so."""
    if any(isinstance(v, jax.core.Tracer) for v in values):
        return bound(equation)(*values)
    with jax.ensure_compile_time_eval():
        return bound(equation)(*values)


def _step(equation: Any, values: list[Any]) -> list[Any]:
    name, bind = equation.primitive.name, bound(equation)
    kind = KINDS.get(name)
    if not any(_is_table(v) and v.size for v in values):
        # Nothing depends on the points: sums and largest values of no numbers.
        pairs = zip(values, equation.invars, strict=True)
        return shared(equation, [jnp.zeros(v.shape, x.aval.dtype) if _is_table(v) else v for v, x in pairs])
    if kind in (0, 1):
        return [_each(lambda *x: bind(*x)[0], values, equation.outvars[0].aval.shape, kind == 0)]
    # A value to fill up with is not among the numbers that move.
    if kind == 2 and equation.params.get("fill_value") is None:
        moved = _moved(name, bind, values)
        if moved is not None:
            return moved
    if name in FOLDED and values[0].size:
        axes = tuple(equation.params["axes"])
        table = np.moveaxis(values[0], axes, range(len(axes)))
        shape = table.shape[len(axes) :]
        lines = list(table.reshape(-1, max(1, int(np.prod(shape)))))
        total = lines[0]
        for line in lines[1:]:
            total = _each(FOLDED[name].bind, [total, line], total.shape, False)
        return [total.reshape(shape)]
    return _mapped(bind, values, [v.aval.shape for v in equation.outvars])


def _wide(*values: Any) -> list[Array]:
    """Numbers as arrays of one shape."""
    return list(jnp.broadcast_arrays(*values))


def _each(bind: Callable[..., Any], values: list[Any], shape: tuple[int, ...], costly: bool) -> np.ndarray:
    """An operation number by number; arrays may be () beside larger ones."""
    tables = [v if _is_table(v) else _numbers(v) for v in values]
    wide = [np.broadcast_to(t, shape).ravel() for t in tables]

    def compute(*x: Any) -> Any:
        return bind(*_wide(*x))

    entries = [Number(compute, of, costly) for of in zip(*wide, strict=True)]
    return _table(entries, shape)


def _moved(name: str, bind: Callable[..., Any], values: list[Any]) -> list[np.ndarray] | None:
    """Where numbers go, told by the places of all of them; None if it is not known beforehand."""
    places_at = range(len(values))[WHERE.get(name, slice(0, 0))]
    if any(_is_table(values[k]) or isinstance(values[k], jax.core.Tracer) for k in places_at):
        return None
    every: list[Number] = []
    places = []
    for k, v in enumerate(values):
        if k in places_at:
            places.append(v)
            continue
        table = v if _is_table(v) else _numbers(v)
        places.append(np.arange(len(every), len(every) + table.size).reshape(table.shape))
        every += list(table.ravel())
    with jax.ensure_compile_time_eval():
        found = [np.asarray(f) for f in bind(*places)]
    if any(f.size and (f.min() < 0 or f.max() >= len(every)) for f in found):
        return None
    return [_table([every[k] for k in f.ravel()], f.shape) for f in found]


def _mapped(bind: Callable[..., Any], values: list[Any], shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Any other operation: on arrays with the points as first axis, as `jax.vmap` does it."""
    tables = [v if _is_table(v) else _numbers(v) for v in values]
    sizes = np.cumsum([t.size for t in tables])[:-1].tolist()
    of = tuple(n for t in tables for n in t.ravel())

    def compute(*x: Any) -> Any:
        wide = _wide(*[jnp.atleast_1d(n) for n in x])
        parts = [wide[a:b] for a, b in zip([0, *sizes], [*sizes, len(wide)], strict=True)]
        stacks = [
            jnp.stack(part, axis=-1).reshape(-1, *t.shape) if part else jnp.zeros((wide[0].shape[0], *t.shape))
            for part, t in zip(parts, tables, strict=True)
        ]
        return jax.vmap(bind)(*stacks)

    whole = Number(compute, of)
    found = []
    for k, shape in enumerate(shapes):
        entries = [
            Number(lambda w, k=k, j=j: w[k].reshape(w[k].shape[0], -1)[:, j], (whole,), True)
            for j in range(int(np.prod(shape)))
        ]
        found.append(_table(entries, shape))
    return found
