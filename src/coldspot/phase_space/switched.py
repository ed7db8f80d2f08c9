"""Periodic states of a potential that drives switch: at rest between sudden changes, at which they do work.

Between two changes the density follows M ẏ = L y of the potential at rest there, in steps (see `stages`) that grow as
it comes to rest. A step is split where the last coefficient of its polynomial in time is not small, and what it is
split into again; from where the density is near the steady state one step is left. Thus a part of any length takes some
dozens. All are halved once more to see what that changes. Long steps leave no error in the heat, since L times the
integral of a step is its change. With P what a period does to a density, the one that returns to itself is s + z, s any
of one particle, with

(1−P) z = P s − s,

which GMRES solves after multiplication with 1 − (L₀τ)⁻¹, τ the period and L₀ the operator of the reference potential:
nearly the inverse of 1−P where switching is fast (P ≈ 1 + τL), and 1 where all is forgotten in a period. With open
ends P has a part that does not depend on the density, what has come in, and z is any.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.sparse import linalg

from .flow import Flow
from .space import Space
from .stages import KEPT, TO_SERIES, WEIGHTS, Stages
from .stationary import MOST_UNKNOWNS
from .terrain import Terrain
from .tide import Switches
from .velocity import Velocity
from .whole import Through, Whole, inverse_of

SHORTEST = 1e-12
"""Parts of the period below this are none."""
EXACT, FINEST = 1e-3, 1e-9
"""How well a density returns to itself, relative to the tolerance, and at least."""
LESS = 0.3
"""By this the last coefficients in time, √tolerance on the first mesh, become less from mesh to mesh."""
HALVINGS = 50
"""Of one step, at most."""
NEAR, FAR = (2, 2), (2, 4, 8, 8)
"""What a step is split into, from its end on, where it is a little or far too long."""
RESTART, ROUNDS = 60, 2
HELD = 2 * MOST_UNKNOWNS
"""Unknowns times parts and lengths of steps whose factors are held, at most: some gigabytes."""


class Held(NamedTuple):
    """A part of the period: its share, the potential beside the reference, and by what each drive changed it before."""

    share: float
    heights: np.ndarray
    jumps: np.ndarray


def held_parts(switches: Switches) -> list[Held]:
    """The parts in which the potential rests; what changes in no time changes at the next one."""
    shares = np.diff(switches.borders)
    found, waiting = [], np.zeros_like(switches.jumps[:, 0])
    for k, share in enumerate(shares):
        waiting = waiting + switches.jumps[:, k]
        if share > SHORTEST:
            found.append(Held(float(share), np.asarray(switches.heights[k]), waiting))
            waiting = np.zeros_like(waiting)
    # Those at the very end are at the start of the next period.
    found[0] = found[0]._replace(jumps=found[0].jumps + waiting)
    return found


def roughness(switches: Switches, terrain: Terrain) -> tuple[float, float]:
    """How far the sums in x may be from the potential, relative to T, and the place where it is worst."""
    return terrain.tail(np.asarray(switches.heights))


class Rest:
    """One part of the period, in which the potential rests: the operator there, and the lengths of its steps."""

    def __init__(self, flow: Flow, length: float, limit: float, kept: int):
        self._flow, self._limit = flow, limit
        self._stages = Stages(flow.mass, flow.operator, kept)
        self._settled = flow.settled()
        self._lengths, self._shortest = [length], length * 2.0**-HALVINGS

    def halve(self) -> None:
        """Steps half as long from now on."""
        self._lengths = [length / 2 for length in self._lengths for _ in range(2)]

    def _step(self, y: np.ndarray, rest: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
        """The stages of a step, and the last coefficient of their polynomial in time."""
        stages = rest + self._stages.begun(y - rest, length)
        return stages, TO_SERIES[-1] @ np.concatenate([y[None], stages])

    def __call__(self, y: np.ndarray, alone: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """y at the end, and its integral; `alone`: if nothing comes in."""
        whole, rest = np.zeros_like(y), np.zeros_like(y) if alone else self._flow.rest
        for length in self._lengths:
            stages, _ = self._step(y, rest, length)
            y, whole = stages[-1], whole + length * (WEIGHTS @ stages)
        return y, whole

    def shorten(self, y: np.ndarray) -> tuple[np.ndarray, bool]:
        """y at the end, and whether steps had to become shorter before they were short enough."""
        done, left, shorter = [], self._lengths[::-1], False
        while left:
            length = left.pop()
            stages, last = self._step(y, self._flow.rest, length)
            size = math.sqrt(max(self._flow.square(y), self._flow.square(stages[-1])))
            off = math.sqrt(self._flow.square(last)) / size
            if off <= self._limit:
                done.append(length)
                y = stages[-1]
                if left and self._flow.square(y - self._settled) <= self._limit**4 * size**2:
                    # The rest of the part changes less than one step may be off.
                    left = [sum(left)]
            elif length <= self._shortest:
                raise RuntimeError("no step is short enough")
            else:
                shorter = True
                left += [length / part for part in (FAR if off > FAR[0] * self._limit else NEAR)]
        self._lengths = done
        return y, shorter


class Switched:
    """The periodic state on one mesh: `mean`, as a steady state, and the work of each drive."""

    def __init__(self, space: Space, velocity: Velocity, switches: Switches, tolerance: float, number: int):
        """`number` of the mesh in its ladder."""
        self._flow = Flow(space, velocity, tolerance)
        self._parts = held_parts(switches)
        self._period = 2 * np.pi / float(switches.frequency)
        limit = math.sqrt(tolerance) * LESS**number
        still, accuracy = inverse_of(space, velocity), min(EXACT * tolerance, FINEST)
        y = still.steady
        kept = max(KEPT, HELD // (len(self._parts) * y.size))
        self._rests = [
            Rest(self._flow.under(part.heights), part.share * self._period, limit, kept) for part in self._parts
        ]
        shorter = True
        self._shorten(y)
        while shorter:
            # Steps are chosen by the density itself, and stay while the one that returns is found.
            y = self._returning(y, still, accuracy)
            shorter = self._shorten(y)
        self._turn(y)
        self.doubt = np.zeros(())
        """What steps half as long change in the ledger and the works."""
        if number:
            before = self._entries()
            for rest in self._rests:
                rest.halve()
            self._turn(self._returning(y, still, accuracy))
            self.doubt = np.abs(self._entries() - before)

    def _entries(self) -> np.ndarray:
        return np.concatenate([self.mean.ledger().entries(), self.works()])

    def _shorten(self, y: np.ndarray) -> bool:
        """Make steps short enough to follow y through a period; whether any became shorter."""
        shorter = False
        for rest in self._rests:
            y, more = rest.shorten(y)
            shorter = shorter or more
        return shorter

    def _turn(self, y: np.ndarray) -> None:
        """Follow y through a period, and keep what is seen: y at the borders of its parts, and the mean."""
        self._borders, whole = [y], np.zeros_like(y)
        for rest in self._rests:
            y, amount = rest(y)
            self._borders.append(y)
            whole = whole + amount
        self.mean = self._flow.state(whole / self._period)

    def _after(self, y: np.ndarray, alone: bool = False) -> np.ndarray:
        """P y, with the steps of now; `alone`: if nothing comes in."""
        for rest in self._rests:
            y = rest(y, alone)[0]
        return y

    def _returning(self, y: np.ndarray, still: Whole | Through, accuracy: float) -> np.ndarray:
        """What returns to itself after a period, near y."""

        def nearly_inverse(z: np.ndarray) -> np.ndarray:
            z = still.emptied(z)
            return z - still(z) / self._period

        first = nearly_inverse(self._after(y) - y)
        if not first.any():
            return y
        operator = linalg.LinearOperator(
            (y.size,) * 2, matvec=lambda z: nearly_inverse(z - self._after(z, alone=True)), dtype=float
        )
        change, wrong = linalg.gmres(
            operator, first, rtol=0.0, atol=accuracy * float(np.linalg.norm(y)), restart=RESTART, maxiter=ROUNDS
        )
        if wrong:
            raise RuntimeError("GMRES did not converge")
        return y + still.emptied(change)

    def smallest(self) -> float:
        """The smallest value of the density over its largest of the moment, wherever the potential changes."""
        return min(self._flow.state(y).smallest() for y in self._borders[1:])

    def works(self) -> np.ndarray:
        """Σ ∫ ΔV n dx of each drive over the changes in a period, per time."""
        before = [self._borders[-1], *self._borders[1:-1]]
        each = [self._flow.held(y, part.jumps) for y, part in zip(before, self._parts, strict=True)]
        return np.sum(each, axis=0) / self._period


def most_unknowns(switches: Switches, most: int) -> int:
    """Unknowns of a mesh, at most, if the factors of all parts are to be no larger than those of evolutions."""
    return 3 * most // max(3, len(held_parts(switches)))
