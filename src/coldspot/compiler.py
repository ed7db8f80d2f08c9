"""The way in which the compiler makes coldspot's programs."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

PREFERRED = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_prefer_vector_width": 512}
"""For processors: loops as the compiler wrote them before it had a second way to. For the small matrices here that is
compiled in little more than half the time, and runs as fast or faster (random networks of 16 states: twice as fast).
And vector units as wide as the processor has them, where it would use half: an eighth of the time of these networks."""

LIGHT = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_parallel_codegen_split_count": 1,
    "xla_disable_hlo_passes": "while-loop-invariant-code-motion,small-while-loop-hoisting",
}
"""Beside these, for programs that have next to nothing to do: optimising them takes longer than they ever will. To look
for what does not change in loops is a third of the time that the compiler takes for integrals in integrals."""


@functools.cache
def is_known(option: str, value: Any) -> bool:
    """Whether this release of the compiler has an option: they come and go."""
    try:
        jax.jit(lambda: 0, compiler_options={option: value}).lower().compile()
    except Exception:  # releases refuse what they do not know in ways of their own
        return False
    return True


@functools.cache
def preferences(**more: Any) -> dict[str, Any] | None:
    """Those options of the compiler, `more` included, that it knows; None where it compiles for no processor."""
    if jax.default_backend() != "cpu":
        return None
    return {option: value for option, value in (PREFERRED | more).items() if is_known(option, value)}


def with_room(function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
    """function(*arguments, **keywords), with room beside it for the frames of all that it calls.

    Python keeps frames in pieces of 16 kB, and gives one back to the system each time that calls return from it. Calls
    go up and down there ten thousand times while JAX traces a machine, a tenth of the time that it takes. A frame of
    2 MB comes in a piece of 4 MB, whose rest holds a thousand frames; none of it is memory before it is used.
    To get that piece takes 20 µs.
    """
    return function(*arguments, **keywords)


with_room.__code__ = with_room.__code__.replace(co_stacksize=270_000)


def is_staged() -> bool:
    """Whether what is called now becomes part of a program (inside `jax.jit`, a loop), which has its own options."""
    return isinstance(jax.lax.neg(np.zeros(())), jax.core.Tracer)


def is_traced(tree: Any) -> bool:
    """Whether numbers of a tree are not known yet."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def plainly(*arrays: Any) -> tuple[Any, ...]:
    """The library to look at arrays with, and the arrays: NumPy and NumPy's, where all their numbers are known.

    `jax.numpy` compiles a program for each operation on each new shape, which takes longer than any look. Arrays that
    are traced, or in the memory of a GPU, are left to it.

    >>> xp, x = plainly(jnp.arange(3.0))
    >>> xp.__name__, x
    ('numpy', array([0., 1., 2.]))
    """
    far = jax.default_backend() != "cpu" and any(isinstance(array, jax.Array) for array in arrays)
    if far or is_traced(arrays):
        return jnp, *arrays
    return np, *map(np.asarray, arrays)


def unwarned() -> Any:
    """A context in which NumPy overflows as JAX does, in silence: what comes of it has its status, or its words."""
    return np.errstate(all="ignore")


def placed(array: Any) -> Any:
    """An array of NumPy, which nobody else may change, as one of JAX.

    With its type named, `jax.numpy.asarray` compiles nothing.
    """
    return jnp.asarray(array, array.dtype)


def plain_tree(tree: Any) -> tuple[Any, Any]:
    """As `plainly`, of all arrays in a tree."""
    leaves, structure = jax.tree.flatten(tree)
    arrays = [leaf for leaf in leaves if isinstance(leaf, jax.Array)]
    xp, *found = plainly(*arrays)
    known = iter(found)
    kept = (next(known) if isinstance(leaf, jax.Array) else leaf for leaf in leaves)
    return xp, jax.tree.unflatten(structure, list(kept))


def converted(array: Any, kind: Any) -> Any:
    """An array of JAX with another type of numbers.

    >>> converted(jnp.arange(2), float)
    Array([0., 1.], dtype=float64)
    """
    if array.dtype == kind and not getattr(array, "weak_type", False):
        return array
    _, plain = plainly(array)
    return placed(plain.astype(kind))


def stacked(numbers: Iterable[Any]) -> Any:
    """Numbers one after the other along a new first axis; those that are known without a program.

    >>> stacked([1.0, jnp.asarray(2.0)])
    Array([1., 2.], dtype=float64)
    """
    xp, *rows = plainly(*numbers)
    return placed(xp.stack(rows) if rows else np.zeros(0))


def spread(shape: Any, places: Any, numbers: Any) -> Any:
    """An array of zeros to which numbers are added at their places.

    >>> spread(3, np.array([0, 2, 0]), jnp.asarray([1.0, 2.0, 4.0]))
    Array([5., 0., 2.], dtype=float64)
    """
    xp, plain = plainly(numbers)
    if xp is jnp:
        return jnp.zeros(shape, numbers.dtype).at[places].add(numbers)
    whole = np.zeros(shape, plain.dtype)
    np.add.at(whole, places, plain)
    return placed(whole)


def looked_up(rule: Callable[..., Any], *arrays: Any) -> Any:
    """`rule` of arrays as `plainly` gives them; what it gives is an array of JAX again, unless all are NumPy's.

    >>> looked_up(lambda x: x[..., 0], jnp.arange(3.0))
    Array(0., dtype=float64)
    """
    _, *found = plainly(*arrays)
    with unwarned():
        value = rule(*found)
    return placed(value) if any(isinstance(array, jax.Array) for array in arrays) else value
