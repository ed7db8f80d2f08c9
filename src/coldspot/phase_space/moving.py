"""Time evolution of a density in a potential that drives move: collocation in time, exact pushes in space.

    M ẏ = (L₀ + G(t)) y,   G = −(∂_x(V(t)−V₀)/ms) ∂†,

with L₀ and ∂† of `operator`, V₀ the reference potential (see `course`). The equations of a step (see `stages`), with
L₀+G_k at each stage, are solved by GMRES, after multiplication with (D⊗M − hL₀)⁻¹. Steps are halved until the last
coefficient of the polynomial in time is small, and until that polynomial follows the drives.
"""

import math

import numpy as np
from numpy.polynomial import legendre

from .course import Course
from .flow import Flow
from .stages import NODES, POINTS, STAGES, TO_SERIES, WEIGHTS, Stages

FOLLOWED, LEAST = 1e-3, 1e-12
"""How far a drive may be from the polynomial through a step's stages, relative to its range: most, and least."""
HALVINGS = 20
GMRES, FINEST = 1e-2, 1e-13
"""Accuracy of the stages, relative to the tolerance, and at best."""
KEPT = 2
"""Potentials at rest whose factors are kept."""
ALLOWED = 2.0**-STAGES / 2
"""Steps become longer where the last coefficient is this part of what is allowed."""


class Moving:
    """y(t) on one mesh under a course of the drives.

    `limit` of the last coefficient in time; `followed`: how far drives may be from their polynomials in a step.
    """

    def __init__(self, flow: Flow, course: Course, tolerance: float, limit: float, followed: float):
        self.flow, self._course, self._tolerance, self._limit = flow, course, tolerance, limit
        self._followed = min(max(followed, LEAST), FOLLOWED)
        self._stages = Stages(flow.mass, flow.operator)
        self._rests: dict[bytes, tuple[Stages, np.ndarray]] = {}
        self._length = math.inf

    def after(self, y: np.ndarray, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
        """y at `stop`, and what has come in meanwhile: heat per bath, work of the load, work per drive."""
        course = self._course
        inner = course.borders[(course.borders >= start - course.early) & (course.borders < stop - course.early)]
        total, now = np.zeros(self.flow.rates(y).size + course.count), start
        for border in [*inner, stop]:
            if border > now + course.early:
                y, amounts = self._smooth(y, now, border)
                total, now = total + amounts, border
            if border in inner:
                total[-course.count :] += self.flow.held(y, course.jumps(border))
        return y, total

    def energy(self, y: np.ndarray, time: float) -> float:
        """⟨V⟩ less that of the reference potential, just before `time`."""
        return float(self.flow.held(y, self._course.heights(np.array([self._before(time)])))[0])

    def power(self, y: np.ndarray, time: float) -> np.ndarray:
        """The work per time of each drive, just before `time`."""
        return self.flow.held(y, self._course.powers(np.array([self._before(time)]))[0])

    def _before(self, time: float) -> float:
        return time - self._course.early if time > 0 else self._course.early

    def _smooth(self, y: np.ndarray, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
        level = max(0, math.ceil(math.log2((stop - start) / min(self._length, stop - start)) - 1e-9))
        place, total = 0, np.zeros(())
        while place < 1 << level:
            length = (stop - start) / (1 << level)
            found = self._step(y, start + place * length, length)
            if found is None:
                level, place = level + 1, 2 * place
                if level > HALVINGS:
                    raise RuntimeError("no step is short enough")
                continue
            y, amounts, size = found
            total, place, self._length = total + amounts, place + 1, length
            if size < ALLOWED and level and place % 2 == 0:
                level, place = level - 1, place // 2
                self._length = 2 * length
        return y, total

    def _step(self, y: np.ndarray, start: float, length: float) -> tuple[np.ndarray, np.ndarray, float] | None:
        """y a step later, amounts, and the last coefficient relative to what is allowed; None if it must be shorter."""
        course, flow = self._course, self.flow
        times = start + length * np.clip(NODES, 0, 1)
        times = np.clip(times, start + course.early, start + length - course.early)
        if not self._follows(start, length):
            return None
        heights = course.heights(times)
        resting = course.switched
        pushes = [] if resting else [flow.push(one) for one in heights]

        def pushed(stages: np.ndarray) -> np.ndarray:
            return np.stack([flow.pushed(cross, stage) for cross, stage in zip(pushes, stages, strict=True)])

        shape = STAGES, y.size
        if resting:
            stages = self._at_rest(heights[0], y, length)
        else:
            # The rest, which what comes in makes, does not move by itself, but is pushed.
            right = self._stages.begun(y - flow.rest, length)
            if flow.rest.any():
                right = right + self._stages.solved(length * pushed(np.broadcast_to(flow.rest, shape)), length)
            if max((abs(cross).max() for cross in pushes), default=0) == 0:
                stages = flow.rest + right
            else:
                found = self._stages.pushed(right, length, pushed, max(GMRES * self._tolerance, FINEST))
                if found is None:
                    return None
                stages = flow.rest + found
        last = TO_SERIES[-1] @ np.concatenate([y[None], stages])
        size = math.sqrt(flow.square(last) / max(flow.square(y), flow.square(stages[-1]), 1e-300)) / self._limit
        if not size <= 1:
            return None
        amounts = length * flow.rates(WEIGHTS @ stages)
        powers = course.powers(times)
        works = sum(
            length * weight * flow.held(stage, power)
            for weight, stage, power in zip(WEIGHTS, stages, powers, strict=True)
        )
        return stages[-1], np.concatenate([amounts, np.asarray(works)]), size

    def _at_rest(self, heights: np.ndarray, y: np.ndarray, length: float) -> np.ndarray:
        """The stages of a step in a potential at rest between changes."""
        name = heights.tobytes()
        if name not in self._rests:
            while len(self._rests) >= KEPT:
                self._rests.pop(next(iter(self._rests)))
            under = self.flow.under(heights)
            self._rests[name] = Stages(self.flow.mass, under.operator), under.rest
        stages, rest = self._rests[name]
        return rest + stages.begun(y - rest, length)

    def _follows(self, start: float, length: float) -> bool:
        course = self._course
        moments, seen = course.between(start, start + length)
        if not len(moments):
            return True
        points = np.clip(start + length * POINTS, start + course.early, start + length - course.early)
        basis = legendre.legvander(2 * (moments - start) / length - 1, STAGES)
        return bool(np.all(np.abs(basis @ TO_SERIES @ course.values(points) - seen) <= self._followed * course.span))
