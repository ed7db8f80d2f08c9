"""Solutions at many points of one machine by one compiled program, whichever of its numbers are varied."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..dynamics import TOLERANCE, solve_points, steady_state
from ..jump.system import System
from ..parallel import spread
from ..solution import Solution
from ..sweep import FEW, builder, solve_columns
from .subject import Subject

CHUNK, LARGE_CHUNK = 256, 2112
"""Points of a call, and of one for static jump networks, whose points are quick beside the call: five of these are a
map of 101 × 101 with its curves. With one size there is one program to compile, before the first picture."""
SLOW = 0.05
"""Seconds for one point from which on points are solved one by one, and maps on demand."""
ROUGHLY = 1e-5
"""The tolerance of what is looked at in passing where points are solved one by one: while a slider moves, and of maps
and curves. Meshes of so many digits take a tenth of the time."""
APART = 1e-9
"""How far points that are solved for their time lie from one another, as parts of the sliders' ranges."""


class Batches:
    """How the points of one machine are solved, and how long a point takes.

    All its numbers are columns of every batch, so that another axis or another slider compiles nothing. Machines that
    are slow at one point, or simulated, are solved one by one instead.
    """

    def __init__(self, subject: Subject):
        self.subject = subject
        self.build, self.shared, _ = builder(subject.machine, tuple(subject.numbers), "explore")
        dynamics = subject.dynamics
        quick = isinstance(dynamics, System) and dynamics.period is None
        self.chunk = LARGE_CHUNK if quick else CHUNK
        self.together, self.prepared, self.seconds = quick, False, 0.0
        self._last: tuple[Any, Solution] | None = None

    def alone(self, values: Mapping[str, float], tolerance: float = TOLERANCE) -> Solution:
        """One point by the program of `steady_state`, which takes half the time to compile that one for many does.

        The last one is kept: the page asks for the first one when it has been solved for it already.
        """
        asked = tolerance, tuple(values.items())
        if self._last is None or self._last[0] != asked:
            columns = {path: np.full(1, value) for path, value in values.items()}
            self._last = asked, self._singly(columns, 1, tolerance)
        return self._last[1]

    def prepare(self, values: Mapping[str, float]) -> None:
        """Find out how points are solved, and compile what many of them need: before the first map, of `values`."""
        if self.prepared:
            return
        quick, numbers = self.together, self.subject.numbers
        if not quick:
            found = self.alone(values)  # it may have to be compiled first
            self.together = not found.stochastic and all(self._takes(t) < SLOW for t in (ROUGHLY, TOLERANCE))
        if self.together:
            # Maps have points that the cheapest way leaves undecided: both programs are compiled at once.
            other = threading.Thread(target=self._undecided, args=(numbers,), daemon=True, name="compiling")
            if quick:
                other.start()
            self.solved(numbers, {})  # compiles
            self.solved(numbers, self._nearby(self.chunk))  # tells how long a point takes
            if quick:
                other.join()
        self.prepared = True

    def _takes(self, tolerance: float) -> float:
        """Seconds of one point whose program is compiled."""
        begun = time.perf_counter()
        self._singly(self._nearby(1), 1, tolerance)
        self.seconds = time.perf_counter() - begun
        return self.seconds

    def _nearby(self, total: int) -> dict[str, np.ndarray]:
        """Points beside the machine's own numbers, no two the same: some machines remember results."""
        steps = APART * np.arange(1, total + 1) / total
        return {s.path: s.value + steps * ((s.low + s.high) / 2 - s.value) for s in self.subject.sliders}

    def solved(self, values: Mapping[str, float], varied: Mapping[str, np.ndarray]) -> Solution:
        """Solutions with one leading axis: `values` of all numbers, of which some are `varied`, in NumPy arrays.

        One by one they are solved to `ROUGHLY`.
        """
        total = max((len(column) for column in varied.values()), default=1)
        columns = {path: np.full(total, value) for path, value in values.items()} | dict(varied)
        begun = time.perf_counter()
        if self.together:
            tolerance = jnp.asarray(TOLERANCE)
            found: Solution = solve_columns(
                solve_points,
                self.build,
                self.shared,
                columns,
                tolerance,
                progress=False,
                sizes=(self.chunk,),
                later=(FEW,) if self.chunk == LARGE_CHUNK else None,
            )
        else:
            return self._singly(columns, total, ROUGHLY)
        self.seconds = (time.perf_counter() - begun) / (-(-total // self.chunk) * self.chunk)
        return found

    def _undecided(self, values: Mapping[str, float]) -> None:
        """What `solved` does with points that the cheapest way leaves."""
        rest = solve_points._replace(attempts=solve_points.attempts[1:])
        columns = {path: np.full(1, value) for path, value in values.items()}
        tolerance = jnp.asarray(TOLERANCE)
        solve_columns(rest, self.build, self.shared, columns, tolerance, progress=False, sizes=(FEW,))

    def _singly(self, columns: Mapping[str, np.ndarray], total: int, tolerance: float) -> Solution:
        def one(k: int) -> Solution:
            point = {path: jnp.asarray(column[k]) for path, column in columns.items()}
            # Not through constructors, which refuse what a batch marks.
            found = steady_state(self.build(self.shared, point), tolerance=tolerance, throw=False)
            return jax.tree.map(np.asarray, found)

        parts = list(spread(one, range(total), label="explore", progress=False))
        return jax.tree.map(lambda *leaves: np.stack(leaves), *parts)


def at(solution: Solution, index: Any) -> Solution:
    """One point, or a slice, of a batch."""
    return jax.tree.map(lambda leaf: leaf[index], solution)
