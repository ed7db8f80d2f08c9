"""A function of one point for many points at once, along the last axis of every array.

`jax.vmap` moves the axis of the points to the front wherever arrays are joined or looked up, and compilers then go over
points in the slow direction, or turn arrays around before each use. Here it stays the last one, contiguous in memory.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .held import FEW, added
from .lanewise import CHEAP, COSTLY, INSIDE, bound, shared
from .reduction import halved

ENTRYWISE = {*CHEAP.split(), *COSTLY.split()}
ALONG_OWN = {"squeeze", "rev", "concatenate", "argmax", "argmin"} | {
    f"reduce_{how}" for how in ("sum", "max", "min", "prod", "and", "or")
}
"""Operations that name axes by their numbers, which one more axis behind them does not change."""
LOGICAL = {"reduce_and": jnp.logical_and, "reduce_or": jnp.logical_or}
"""Of these, what goes by halves along the only axis: compilers would take it number by number."""


def trailing(function: Callable[..., Any], batch: Any) -> Any:
    """`function` of each point of a batch, a tree of arrays (…, point); so are the results.

    >>> trailing(lambda x: x[jnp.array([1, 0])] * x.sum(), jnp.array([[1.0, 2.0], [3.0, 5.0]])).tolist()
    [[12.0, 35.0], [4.0, 14.0]]
    """
    leaves, structure = jax.tree.flatten(batch)
    one = [jax.ShapeDtypeStruct(x.shape[:-1], x.dtype) for x in leaves]
    program, shapes = jax.make_jaxpr(lambda *x: function(jax.tree.unflatten(structure, x)), return_shape=True)(*one)
    points = leaves[0].shape[-1]
    values, moving = _walk(program.jaxpr, program.consts, leaves, [True] * len(leaves), points)
    wide = [_widened(v, yes, v.shape[: v.ndim - yes], points) for v, yes in zip(values, moving, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(shapes), wide)


def _walk(
    jaxpr: Any, constants: Any, arguments: list[Any], moving: list[bool], points: int
) -> tuple[list[Any], list[bool]]:
    """The results, and which of them have the axis of the points: those of arguments that have it."""
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True))
    has = {v for v, yes in zip(jaxpr.invars, moving, strict=True) if yes}

    def read(v: Any) -> tuple[Any, bool]:
        return (jnp.asarray(v.val), False) if hasattr(v, "val") else (jnp.asarray(known[v]), v in has)

    for equation in jaxpr.eqns:
        values, there = map(list, zip(*map(read, equation.invars), strict=True)) if equation.invars else ([], [])
        name = equation.primitive.name
        if name in INSIDE:
            inner = equation.params[INSIDE[name]]
            found, yes = _walk(inner.jaxpr, inner.consts, values, there, points)
        elif any(there):
            found = _step(equation, values, there, points)
            yes = [True] * len(found)
        else:
            found = shared(equation, values)
            yes = [False] * len(found)
        known |= dict(zip(equation.outvars, found, strict=True))
        has |= {v for v, y in zip(equation.outvars, yes, strict=True) if y}
    pairs = list(map(read, jaxpr.outvars))
    return [v for v, _ in pairs], [y for _, y in pairs]


def _product(one: Any, other: Any, numbers: Any) -> Any:
    """A product of matrices or its like, the points last, written out; None if its sums are long."""
    (summed, summed_too), (batch, batch_too) = numbers
    terms = math.prod(one.shape[k] for k in summed)
    if not 0 < terms <= FEW:
        return None

    def arranged(x: Any, batch: tuple[int, ...], summed: tuple[int, ...], own: int, axes: int) -> Any:
        """(term, batch, free axes of its own and of the other, point), of an operand with `own` free axes there."""
        free = tuple(k for k in range(x.ndim - 1) if k not in batch and k not in summed)
        x = lax.transpose(x, (*summed, *batch, *free, x.ndim - 1))
        sizes = x.shape[len(summed) : len(summed) + len(batch)]
        shape = x.shape[len(summed) + len(batch) : -1]
        return x.reshape(terms, *sizes, *(1,) * own, *shape, *(1,) * (axes - own - len(shape)), x.shape[-1])

    left, right = one.ndim - 1 - len(summed) - len(batch), other.ndim - 1 - len(summed) - len(batch)
    one = arranged(one, batch, summed, 0, left + right)
    other = arranged(other, batch_too, summed_too, left, left + right)
    return added(one * other)


def _widened(value: Any, moving: bool, shape: tuple[int, ...], points: int) -> Any:
    """A number or an array of that `shape`, with the axis of the points."""
    own = value.shape[: value.ndim - moving]
    dims = (*range(len(own)), *((len(shape),) if moving else ()))
    return lax.broadcast_in_dim(value, (*shape, points), dims if own else dims[-1:] if moving else ())


def _step(equation: Any, values: list[Any], there: list[bool], points: int) -> list[Any]:
    name, params, shape = equation.primitive.name, equation.params, equation.outvars[0].aval.shape
    if name in ENTRYWISE:
        return bound(equation)(*[_widened(v, y, shape, points) for v, y in zip(values, there, strict=True)])
    if name in LOGICAL and equation.invars[0].aval.ndim == 1 and equation.invars[0].aval.size:
        return [halved(LOGICAL[name], values[0])]
    if name in ALONG_OWN:
        wide = [_widened(v, y, x.aval.shape, points) for v, y, x in zip(values, there, equation.invars, strict=True)]
        return bound(equation)(*wide)
    x = values[0]
    if name == "broadcast_in_dim" and there == [True]:
        dims = (*params["broadcast_dimensions"], len(shape))
        return [lax.broadcast_in_dim(x, (*shape, points), dims)]
    if name == "reshape" and params["dimensions"] is None:
        return [lax.reshape(x, (*shape, points))]
    if name == "slice":
        strides = params["strides"]
        return [
            lax.slice(
                x,
                (*params["start_indices"], 0),
                (*params["limit_indices"], points),
                None if strides is None else (*strides, 1),
            )
        ]
    if name == "gather" and there == [True, False]:
        numbers = params["dimension_numbers"]
        wider = numbers._replace(offset_dims=(*numbers.offset_dims, len(shape)))
        more = params | {"dimension_numbers": wider, "slice_sizes": (*params["slice_sizes"], points)}
        return [equation.primitive.bind(x, values[1], **more)]
    if name == "transpose":
        return [lax.transpose(x, (*params["permutation"], len(shape)))]
    if name == "dot_general":
        operands = [
            _widened(v, y, a.aval.shape, points) for v, y, a in zip(values, there, equation.invars, strict=True)
        ]
        found = _product(operands[0], operands[1], params["dimension_numbers"])
        if found is not None:
            return [found]
    axes = tuple(-1 if y else None for y in there)
    return list(jax.vmap(bound(equation), in_axes=axes, out_axes=-1)(*values))
