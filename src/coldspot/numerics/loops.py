"""Loops whose number of turns is known only at run time."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

State = TypeVar("State")


def free(one: Callable[[Array, State], State], count: Array, start: State) -> State:
    """State after `one(k, state)` for k = 0 … count−1; has no reverse derivative."""
    return jax.lax.fori_loop(0, count, one, start)


def bounded(one: Callable[[Array, State], State], count: Array, start: State, blocks: int) -> State:
    """As `free`, in at most blocks² turns, in loops of fixed length: differentiable in both modes.

    What lies beyond the last turn is skipped, not computed.
    """

    def skipped(of: Callable[[Array, State], State], unit: int) -> Callable[[Array, State], State]:
        def run(first: Array, state: State) -> State:
            def step(s: State, i: Array) -> tuple[State, None]:
                k = first + i * unit
                return jax.lax.cond(k < count, lambda s: of(k, s), lambda s: s, s), None

            return jax.lax.scan(jax.checkpoint(step), state, jnp.arange(blocks))[0]

        return run

    return skipped(skipped(one, 1), blocks)(jnp.asarray(0), start)
