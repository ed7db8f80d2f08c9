"""A cheap way first, and the sure one for the points that it leaves undecided."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

SIZES = tuple(4**k for k in range(8))
"""Numbers of points in a call of compiled code: few, so that programs are shared; the largest bounds the memory."""


class Tiers(NamedTuple):
    """A verb in two traceable ways with the same arguments; `batch` tells which of them has the points, if many.

    `attempt(*arguments)` gives a result and the points at which it is not to be used, or None instead of these if it is
    the only way; `solve(*arguments)` gives a result that is always the last word. Results are PyTrees of arrays with a
    leading axis of points.

    Called with numbers, it attempts all points and solves the undecided ones, gathered; inside `jax.jit` and its like,
    where nobody can look at numbers, it solves.

    >>> halve = Tiers(lambda x: (x / 2, x > 2), lambda x: -x, batch=0)
    >>> halve(jnp.array([1.0, 2.0, 3.0])).tolist()
    [0.5, 1.0, -3.0]
    """

    attempt: Callable[..., Any]
    solve: Callable[..., Any]
    batch: int | None = None

    def __call__(self, *arguments: Any) -> Any:
        if is_traced(arguments):
            return self.solve(*arguments)
        result, undecided = self.attempt(*arguments)
        if is_traced(undecided):  # functions among the arguments hold what is traced
            return self.solve(*arguments)
        return self.completed(result, undecided, self.solve, arguments)

    def completed(
        self,
        result: Any,
        undecided: Any,
        solve: Callable[..., Any],
        arguments: tuple[Any, ...],
        axis: int = 0,
        sizes: Sequence[int] = SIZES,
    ) -> Any:
        """The result with the undecided points solved, in a call of one of the `sizes`; `axis` is that of points."""
        left = np.flatnonzero(undecided) if undecided is not None else np.zeros(0, int)
        if not left.size:
            return result
        count = np.size(undecided)
        if left.size == count:
            return solve(*arguments)
        # Few sizes, so that compiled programs are shared; what fills up is the last point again.
        size = min(next((size for size in sizes if size >= left.size), count), count)
        index = left[np.minimum(np.arange(size), left.size - 1)]
        some = tuple(
            jax.tree.map(lambda c: jnp.asarray(np.asarray(c)[index]), argument) if k == self.batch else argument
            for k, argument in enumerate(arguments)
        )

        def put(whole: Any, part: Any) -> np.ndarray:
            known = np.moveaxis(np.array(whole), axis, 0)
            known[left] = np.moveaxis(np.asarray(part), axis, 0)[: left.size]
            return np.moveaxis(known, 0, axis)

        return jax.tree.map(put, result, solve(*some))


def is_traced(tree: Any) -> bool:
    """Whether numbers of a tree are not known yet."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))
