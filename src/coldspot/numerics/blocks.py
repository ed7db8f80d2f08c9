"""Batches in equal blocks, so that what is computed between stays in a cache."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

Result = TypeVar("Result")

LINE = 64
"""Bytes that processors take from memory together."""
PAGE = 2**21
"""Bytes of a large page of memory."""
MANY = 4
"""Of more of these, one more does not count."""


def one_by_one(solve: Callable[[Any], Result], batch: Any) -> Result:
    """`solve` of each point of a batch (arrays with a leading axis of points, in and out), one after the other.

    A single point is in no loop: where a loop is differentiated backwards and that once more forwards
    (`jax.hessian`), JAX forgets the rules of what has a derivative of its own.
    """
    if jax.tree.leaves(batch)[0].shape[0] == 1:
        found = solve(jax.tree.map(lambda x: x[0], batch))
        return jax.tree.map(lambda x: jnp.asarray(x)[None], found)
    return jax.lax.map(solve, batch)


def blockwise(batch: Any, solve: Callable[[Any], Result], most: int, filled: bool = False) -> Result:
    """`solve` of a batch (arrays with a leading axis of points, in and out), in equal blocks of at most `most`.

    If the batch may be `filled` up with copies of one point, blocks at its end that equal the one before them have its
    results; that looks at values alone, and is not to be differentiated.
    """
    points = jax.tree.leaves(batch)[0].shape[0]
    blocks = -(-points // most)
    if blocks == 1:
        return solve(batch)
    lanes = -(-points // blocks)
    ends = [(0, blocks * lanes - points)]
    whole = jax.tree.map(lambda x: jnp.pad(x, ends + [(0, 0)] * (x.ndim - 1), mode="edge"), batch)
    if filled:
        found = _until_repeated(whole, solve, blocks)
        return jax.tree.map(lambda x: x[:points], found)

    # Within a block the batch axis is the last one in memory; it stays there until all blocks are done.
    def cut(x: Array) -> Array:
        return jnp.moveaxis(jnp.moveaxis(x, 0, -1).reshape(*x.shape[1:], blocks, lanes), -2, 0)

    def one(part: Any) -> Result:
        return turned(solve(turned(part, -1, 0)))

    def join(x: Array) -> Array:
        return jnp.moveaxis(x, 0, -2).reshape(*x.shape[1:-1], blocks * lanes)[..., :points]

    found = jax.tree.map(join, jax.lax.map(one, jax.tree.map(cut, whole)))
    # The last step, so that whoever wants the batch axis last has the two undo each other.
    return turned(found, -1, 0)


def _until_repeated(batch: Any, solve: Callable[[Any], Result], blocks: int) -> Result:
    """`solve` of equal blocks of a batch, but of those at its end that all equal the one before them."""
    lanes, last = jax.tree.leaves(batch)[0].shape[0] // blocks, turned(batch)

    def part(k: Array | int) -> Any:
        return turned(jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, k * lanes, lanes, -1), last), -1, 0)

    kinds: list[Packed] = []

    def work(k: Array | int) -> dict[str, Array]:
        kinds.append(packed(turned(solve(part(k)))))
        return kinds[-1].arrays

    # Results go to their places with the points last; nothing is turned or joined afterwards.
    program, shapes = jax.make_jaxpr(work, return_shape=True)(jnp.asarray(0))

    def put(whole: dict[str, Array], some: dict[str, Array], k: Array) -> dict[str, Array]:
        return {
            kind: jax.lax.dynamic_update_slice_in_dim(x, some[kind], k * lanes, axis=-1) for kind, x in whole.items()
        }

    def step(k: Array, whole: dict[str, Array]) -> dict[str, Array]:
        some = jax.core.eval_jaxpr(program.jaxpr, program.consts, k)
        return put(whole, jax.tree.unflatten(jax.tree.structure(shapes), some), k)

    alike = _repeated([x.reshape(blocks, lanes, *x.shape[1:]) for x in jax.tree.leaves(batch)])
    count = blocks - jnp.sum(jnp.cumprod(alike[::-1].astype(int)))
    whole = {kind: jnp.zeros((x.shape[0], blocks * lanes), x.dtype) for kind, x in shapes.items()}
    whole = jax.lax.fori_loop(0, count, step, whole)

    def again(k: Array, whole: dict[str, Array]) -> dict[str, Array]:
        last = {kind: jax.lax.dynamic_slice_in_dim(x, (count - 1) * lanes, lanes, -1) for kind, x in whole.items()}
        return put(whole, last, k)

    whole = jax.lax.fori_loop(count, blocks, again, whole)
    return turned(unpacked(kinds[-1]._replace(arrays=whole)), -1, 0)


def _repeated(parts: list[Array]) -> Array:
    """Whether each part (first axis of all arrays) equals the one before it."""

    def equal(some: list[Array]) -> Array:
        return functools.reduce(jnp.logical_and, [jnp.all(x[1:] == x[:-1], axis=range(1, x.ndim)) for x in some])

    # One number of each tells of almost all parts that they differ; all of them are looked at only if it does not.
    alike = equal([x.reshape(x.shape[0], -1)[:, :1] for x in parts if x.size])
    later = jax.lax.cond(jnp.any(alike), lambda: equal(parts), lambda: alike)
    return jnp.concatenate([jnp.zeros(1, bool), later])


class Packed(NamedTuple):
    """A tree of arrays that have the points last, in one array (row, point) for each kind of numbers: cheap to pass on.

    `arrays`: {name: (row, point)}; `parts`: of each leaf the name, its first row there, and its shape without points.
    """

    arrays: dict[str, Any]
    parts: tuple[tuple[str, int, tuple[int, ...]], ...]
    structure: Any


def packed(tree: Any, xp: Any = jnp, *, apart: bool = False) -> Packed:
    """Arrays (…, point) packed by NumPy or its like, or each by itself (`apart`); `unpacked` gives the tree again.

    >>> parts = packed({"heat": jnp.ones((2, 3)), "sure": jnp.ones(3, bool), "work": jnp.zeros((1, 3))})
    >>> {kind: array.shape for kind, array in parts.arrays.items()}, unpacked(parts)["work"].tolist()
    ({'float64': (3, 3), 'bool': (1, 3)}, [[0.0, 0.0, 0.0]])
    """
    leaves, structure = jax.tree.flatten(tree)
    rows: dict[str, list[Any]] = {}
    count: dict[str, int] = {}
    parts = []
    for k, leaf in enumerate(leaves):
        kind, shape = str(k) if apart else leaf.dtype.name, leaf.shape[:-1]
        flat = leaf.reshape(-1, leaf.shape[-1])
        parts.append((kind, count.get(kind, 0), shape))
        rows.setdefault(kind, []).append(flat)
        count[kind] = count.get(kind, 0) + flat.shape[0]
    return Packed(
        {kind: own[0] if apart else xp.concatenate(own) for kind, own in rows.items()}, tuple(parts), structure
    )


def unpacked(p: Packed) -> Any:
    """The tree of what `packed` has packed: views, where arrays are those of NumPy."""
    leaves = []
    for kind, start, shape in p.parts:
        array = p.arrays[kind]
        leaves.append(array[start : start + math.prod(shape)].reshape(*shape, array.shape[-1]))
    return jax.tree.unflatten(p.structure, leaves)


def room(arrays: Mapping[str, np.ndarray], total: int) -> dict[str, np.ndarray]:
    """Arrays (row, point) like these for `total` points, in one piece of memory: it comes in large pages.

    >>> {name: array.shape for name, array in room({"heat": np.ones((2, 3))}, 5).items()}
    {'heat': (2, 5)}
    """
    sizes = [array.shape[0] * total * array.itemsize for array in arrays.values()]
    starts = np.cumsum([0, *(-(-size // LINE) * LINE for size in sizes)])
    needed = int(starts[-1])
    # Where a large page is not whole, at either end, memory comes in hundreds of small ones.
    page = PAGE if needed > MANY * PAGE else LINE
    memory = np.empty(-(-needed // page) * page + page, np.uint8)
    memory = memory[-memory.ctypes.data % page :]
    return {
        kind: memory[start : start + size].view(array.dtype).reshape(array.shape[0], total)
        for (kind, array), start, size in zip(arrays.items(), starts, sizes, strict=False)
    }


def stored(certain: Array, compute: Callable[[], Result]) -> Result:
    """`compute()`, whose results are put into memory as they are.

    Compilers would compute them again in each use, or in an order that suits one use alone. They do not look into a
    branch: `certain` is a condition that always holds, but that they cannot know.
    """
    # Traced once: both branches, and the shapes, come from this.
    program, shapes = jax.make_jaxpr(compute, return_shape=True)()
    leaves, structure = jax.tree.flatten(shapes)

    def computed() -> list[Array]:
        return jax.core.eval_jaxpr(program.jaxpr, program.consts)

    found = jax.lax.cond(certain, computed, lambda: [jnp.zeros(x.shape, x.dtype) for x in leaves])
    return jax.tree.unflatten(structure, found)


def turned(tree: Result, front: int = 0, last: int = -1) -> Result:
    """The first axis of every array as the last one."""
    return jax.tree.map(lambda x: jnp.moveaxis(x, front, last), tree)
