"""Periodic states of a potential whose drives jump or have kinks: the period in parts, in each of which all is smooth.

In a part the density follows M ẏ = (L + G(t)) y, with L of a potential at rest there and G the force of what moves
beside it, in steps (see `stages`). A step is split where the last coefficient of its polynomial in time is not small,
and what it is split into again. Where a part is at rest (G = 0) steps grow as the density comes to rest, and from where
it is near the steady state one step is left: a part of any length takes some dozens. All are halved once more to see
what that changes. Long steps leave no error in the heat, since L times the integral of a step is its change.

Unknown are y at the start of the period and at all stages of the steps in which G ≠ 0. One round through the period
gives them anew: GY of what is known, and L's steps one after another. What returns is the fixed point; GMRES finds it,
after multiplication of what is missing at the start with 1 − (L₀τ)⁻¹, τ the period and L₀ the operator of the reference
potential: nearly the inverse of 1−P, P what a period does to a density, where driving is fast (P ≈ 1 + τL), and 1 where
all is forgotten in a period. All densities are one of one particle and others of none; with open ends, P has a part
that does not depend on the density, what has come in, and they are any.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.polynomial import chebyshev, legendre
from scipy.sparse import linalg

from .flow import Flow
from .space import Space
from .stages import KEPT, NODES, POINTS, STAGES, TO_SERIES, WEIGHTS, Stages
from .stationary import MOST_UNKNOWNS
from .terrain import NODES as SAMPLES
from .terrain import TO_COEFFICIENTS, Terrain
from .tide import Pieces
from .velocity import Velocity
from .whole import inverse_of

SHORTEST = 1e-12
"""Parts of the period below this are none."""
STILL = 1e-13
"""What moves by less than this part of its height, and of a temperature, is at rest."""
OWN = 4
"""Parts that move have an operator of their own mean potential each, if there are no more of them."""
EXACT, FINEST = 1e-3, 1e-9
"""How well a density returns to itself, relative to the tolerance, and at least."""
ROUGHLY = 1e-2
"""How well stages are found where steps are chosen, relative to what their last coefficient may be."""
LESS = 0.3
"""By this the last coefficients in time, √tolerance on the first mesh, become less from mesh to mesh."""
GROWN = 1e8
"""Densities that become so many times larger, in the weight of the reference potential, are driven beyond it."""
HALVINGS = 50
"""Of one step, at most."""
NEAR, FAR = (2, 2), (2, 4, 8, 8)
"""What a step is split into, from its end on, where it is a little or far too long."""
RESTART, ROUNDS = 60, 2
HELD = 2 * MOST_UNKNOWNS
"""Unknowns times operators and lengths of steps whose factors are held, at most: some gigabytes."""
MOST_NUMBERS = 4_000_000
"""Unknowns of a period together, at most."""


class Part(NamedTuple):
    """A part of the period: its share; the potential beside the reference and the power of each drive, each sampled in

    time or once; by what each drive changed the potential at its start.
    """

    share: float
    heights: np.ndarray
    powers: np.ndarray
    jumps: np.ndarray

    @property
    def moves(self) -> bool:
        return len(self.heights) > 1


def parts_of(pieces: Pieces, coldest: float) -> list[Part]:
    """The parts in which drives are smooth; what changes in no time changes at the next one."""
    found, waiting = [], np.zeros_like(pieces.jumps[:, 0])
    for k, share in enumerate(np.diff(pieces.borders)):
        waiting = waiting + pieces.jumps[:, k]
        if share > SHORTEST:
            heights, powers = np.asarray(pieces.heights[k]), np.asarray(pieces.powers[:, k])
            if np.ptp(heights, axis=0).max() <= STILL * (coldest + np.abs(heights).max()):
                heights, powers = heights[:1], 0 * powers[:, :1]
            found.append(Part(float(share), heights, powers, waiting))
            waiting = np.zeros_like(waiting)
    # Those at the very end are at the start of the next period.
    found[0] = found[0]._replace(jumps=found[0].jumps + waiting)
    return found


def roughness(pieces: Pieces, terrain: Terrain) -> tuple[float, float]:
    """How far the sums in x may be from the potential, relative to T, and the place where it is worst."""
    return terrain.tail(np.asarray(pieces.heights))


def roughness_in_time(pieces: Pieces, terrain: Terrain) -> np.ndarray:
    """The same of the sums in time in each part, and how far drives are from theirs between samples."""
    heights = np.asarray(pieces.heights)
    missed = np.asarray(pieces.missed)
    if heights.shape[1] == 1:
        return missed
    panels = heights.reshape(heights.shape[0], -1, SAMPLES, *heights.shape[2:])
    last = np.moveaxis(np.tensordot(panels, TO_COEFFICIENTS[-2:], (2, 1)), -1, 2)
    return np.array([max(terrain.largest(own)[0], off) for own, off in zip(last, missed, strict=True)])


class Step:
    """One step of a part: of a panel in time, its start and width there. Where drives move it knows the pushes at its

    stages, the power of each drive and, once found, its `path`: y at the start and the stages.
    """

    def __init__(self, piece: "Piece", panel: int, start: float, width: float):
        self.panel, self.start, self.width = panel, start, width
        self.length = width * piece.panel_length
        self.path = np.zeros((STAGES + 1, 0))
        self.crosses: list[sp.csr_array] = []
        self.powers = np.zeros((STAGES, 0))
        if piece.part.moves:
            basis = chebyshev.chebvander(2 * (start + width * NODES) - 1, SAMPLES - 1) @ TO_COEFFICIENTS
            own = slice(panel * SAMPLES, (panel + 1) * SAMPLES)
            heights = np.tensordot(basis, piece.part.heights[own], 1) - piece.heights
            self.powers = np.tensordot(basis, piece.part.powers[:, own], (1, 1))
            self.crosses = [piece.flow.push(one) for one in heights]


class Piece:
    """One part of the period: the operator of a potential at rest there, and its steps."""

    def __init__(self, part: Part, flow: Flow, stages: Stages, period: float, limit: float):
        """`flow` and `stages`: of the potential at rest."""
        self.part, self.flow, self.heights = part, flow, flow.heights
        self._stages, self._limit = stages, limit
        panels = max(1, len(part.heights) // SAMPLES)
        self.panel_length = part.share * period / panels
        self.steps = [Step(self, panel, 0.0, 1.0) for panel in range(panels)]
        self._settled = None if part.moves else flow.settled()

    def halve(self) -> None:
        """Steps half as long from now on; their paths are the polynomials of now."""
        found = []
        for step in self.steps:
            for half in (0, 1):
                one = Step(self, step.panel, step.start + half * step.width / 2, step.width / 2)
                one.path = legendre.legvander(POINTS + half - 1, STAGES) @ TO_SERIES @ step.path
                found.append(one)
        self.steps = found

    def _pushed(self, step: Step, stages: np.ndarray) -> np.ndarray:
        """GY of the stages (stage, unknown) of a step."""
        return np.stack([self.flow.pushed(cross, one) for cross, one in zip(step.crosses, stages, strict=True)])

    def after(self, step: Step, y: np.ndarray, given: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """The stages of a step from y, of which those are known that push."""
        right = self._stages.right_of(y - rest)
        if self.part.moves:
            right = right + step.length * self._pushed(step, given)
        return rest + self._stages.solved(right, step.length)

    def _followed(self, step: Step, y: np.ndarray) -> np.ndarray | None:
        """The stages of a step from y alone; None if it must be shorter."""
        rest = self.flow.rest
        if not self.part.moves:
            return self.after(step, y, np.zeros(0), rest)
        held = np.broadcast_to(rest, (STAGES, y.size))
        first = self.after(step, y, held, rest) - rest
        found = self._stages.pushed(
            first, step.length, lambda stages: self._pushed(step, stages), ROUGHLY * self._limit
        )
        return None if found is None else rest + found

    def _comes_to_rest(self, y: np.ndarray, near: float) -> bool:
        return self._settled is not None and self.flow.square(y - self._settled) <= near**2

    def shorten(self, y: np.ndarray, largest: float) -> tuple[np.ndarray, bool]:
        """y at the end, and whether steps had to become shorter before they were short enough.

        `largest`: what y may become.
        """
        done: list[Step] = []
        left, shorter = self.steps[::-1], False
        while left:
            step = left.pop()
            stages, off, size = self._followed(step, y), math.inf, 0.0
            if stages is not None:
                size = math.sqrt(max(self.flow.square(y), self.flow.square(stages[-1])))
                last = TO_SERIES[-1] @ np.concatenate([y[None], stages])
                off = math.sqrt(self.flow.square(last)) / size
            if stages is not None and off <= self._limit:
                if size > largest:
                    raise RuntimeError("drives move particles to where the reference potential lets none be")
                done.append(step)
                step.path = np.concatenate([y[None], stages])
                y = stages[-1]
                if left and self._comes_to_rest(y, self._limit**2 * size):
                    # The rest of the part changes less than one step may be off.
                    left = [Step(self, 0, left[-1].start, sum(one.width for one in left))]
            elif step.width <= 2.0**-HALVINGS:
                raise RuntimeError("no step is short enough")
            else:
                shorter, start = True, step.start
                ways = FAR if off > FAR[0] * self._limit else NEAR
                new = []
                for way in ways[::-1]:
                    new.append(Step(self, step.panel, start, step.width / way))
                    start += step.width / way
                left += new[::-1]
        self.steps = done
        return y, shorter


class Pieced:
    """The periodic state on one mesh: `mean`, as a steady state, and the work of each drive."""

    def __init__(self, space: Space, velocity: Velocity, pieces: Pieces, tolerance: float, number: int):
        """`number` of the mesh in its ladder."""
        self._flow = Flow(space, velocity, tolerance)
        parts = parts_of(pieces, space.terrain.coldest)
        self._period = 2 * np.pi / float(pieces.frequency)
        self._still = inverse_of(space, velocity)
        self._accuracy = min(EXACT * tolerance, FINEST)
        limit = math.sqrt(tolerance) * LESS**number
        kept = max(KEPT, HELD // (operators_of(parts) * self._still.unknowns))
        many = sum(part.moves for part in parts) > OWN
        shared = self._flow, Stages(self._flow.mass, self._flow.operator, kept)
        self._pieces = []
        for part in parts:
            flow, stages = shared
            if not (part.moves and many):
                flow = flow.under(part.heights.mean(axis=0))
                stages = Stages(flow.mass, flow.operator, kept)
            self._pieces.append(Piece(part, flow, stages, self._period, limit))
        # Steps that could not be halved need not be tried.
        self._most = MOST_NUMBERS // 2 if number else MOST_NUMBERS
        known, shorter = self._still.steady[None], True
        self._shorten(known[0])
        while shorter:
            # Steps are chosen by the density itself, and stay while the one that returns is found.
            known = self._returning(known[0])
            shorter = self._shorten(known[0])
        self._turn(known)
        self.doubt = np.zeros(())
        """What steps half as long change in the ledger and the works."""
        if number:
            before, self._most = self._entries(), MOST_NUMBERS
            for piece in self._pieces:
                piece.halve()
            self._turn(self._returning(known[0]))
            self.doubt = np.abs(self._entries() - before)

    def _entries(self) -> np.ndarray:
        return np.concatenate([self.mean.ledger().entries(), self.works()])

    def _shorten(self, y: np.ndarray) -> bool:
        """Make steps short enough to follow y through a period; whether any became shorter."""
        shorter, largest = False, GROWN * math.sqrt(self._flow.square(y))
        for piece in self._pieces:
            y, more = piece.shorten(y, largest)
            shorter = shorter or more
        return shorter

    def _round(self, known: np.ndarray, alone: bool = False) -> Iterator[tuple[Piece, Step, np.ndarray]]:
        """Each step with its path, from y at the start and the stages that push; `alone`: if nothing comes in."""
        y, row = known[0], 1
        for piece in self._pieces:
            rest = np.zeros_like(y) if alone else piece.flow.rest
            for step in piece.steps:
                path = np.concatenate([y[None], piece.after(step, y, known[row : row + STAGES], rest)])
                row += STAGES * piece.part.moves
                y = path[-1]
                yield piece, step, path

    def _missing(self, known: np.ndarray, alone: bool = False) -> np.ndarray:
        """What a round changes, at the start multiplied as is said above."""
        stages, y = [], known[0]
        for piece, _, path in self._round(known, alone):
            y = path[-1]
            if piece.part.moves:
                stages.append(path[1:])
        found = np.concatenate([y[None], *stages]) - known
        start = self._still.emptied(found[0])
        found[0] = start - self._still(start) / self._period
        return found

    def _returning(self, y: np.ndarray) -> np.ndarray:
        """What returns to itself after a period, at its start, near y, and at the stages that push (row, unknown)."""
        paths = [step.path[1:] for piece in self._pieces if piece.part.moves for step in piece.steps]
        known = np.concatenate([y[None], *paths])
        if known.size > self._most:
            raise RuntimeError("too many steps for the memory")
        first = self._missing(known)
        if not first.any():
            return known
        operator = linalg.LinearOperator(
            (known.size,) * 2, matvec=lambda z: -self._missing(z.reshape(known.shape), alone=True).ravel(), dtype=float
        )
        accuracy = self._accuracy * float(np.linalg.norm(known, axis=1).max())
        change, wrong = linalg.gmres(operator, first.ravel(), rtol=0.0, atol=accuracy, restart=RESTART, maxiter=ROUNDS)
        if wrong:
            raise RuntimeError("GMRES did not converge")
        return known + np.array([self._still.emptied(row) for row in change.reshape(known.shape)])

    def _turn(self, known: np.ndarray) -> None:
        """Follow what returns through a period, and keep what is seen: y before changes, the mean, and works."""
        whole, works = np.zeros_like(known[0]), np.zeros(len(self._pieces[0].part.jumps))
        self._ends = {}
        for piece, step, path in self._round(known):
            step.path = path
            whole = whole + step.length * (WEIGHTS @ path[1:])
            for weight, stage, powers in zip(WEIGHTS, path[1:], step.powers, strict=True):
                works[: len(powers)] += step.length * weight * self._flow.held(stage, powers)
            self._ends[piece] = path[-1]
        self.mean = self._flow.state(whole / self._period)
        ends = list(self._ends.values())
        for piece, before in zip(self._pieces, [ends[-1], *ends[:-1]], strict=True):
            works = works + self._flow.held(before, piece.part.jumps)
        self._works = works / self._period

    def smallest(self) -> float:
        """The smallest value of the density over its largest of the moment, at the end of each part."""
        return min(self._flow.state(y).smallest() for y in self._ends.values())

    def works(self) -> np.ndarray:
        """Of each drive per time, moving and jumping."""
        return self._works


def operators_of(parts: list[Part]) -> int:
    """How many operators a period needs: one for each part, or one for all that move if these are many."""
    moving = sum(part.moves for part in parts)
    return len(parts) - moving + (moving if moving <= OWN else 1)


def most_unknowns(pieces: Pieces, most: int) -> int:
    """Unknowns of a mesh, at most, if the factors of all operators are to be no larger than those of evolutions."""
    return 3 * most // max(3, operators_of(parts_of(pieces, 0.0)))
