"""What a particle moves in: potential, friction and temperature on an interval, as piecewise polynomials.

A machine is sampled once (see `landscape`); any mesh then reads its functions from here. Friction and temperature may
jump at the borders of regions, where panels end; in a panel all three are Chebyshev sums.
"""

import copy
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

from .._checks import Values

NODES = 20
"""Samples in a panel."""
ABSCISSAE = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
"""Chebyshev points of the first kind: a jump at a panel's border is not sampled."""
TO_COEFFICIENTS = chebyshev.chebvander(ABSCISSAE, NODES - 1).T * 2 / NODES
TO_COEFFICIENTS[0] /= 2
BETWEEN = np.arange(0.5, 256) / 256
"""Places in a panel, as shares of it, at which functions are compared with their polynomials."""
INTERPOLATE = chebyshev.chebvander(2 * BETWEEN - 1, NODES - 1) @ TO_COEFFICIENTS
"""The values of a panel's polynomial there, from its samples."""
SEEN = 16.0
"""Differences up to so many times the last coefficients are what those stand for."""
EMPTY = 1e-12
"""A region shorter than this part of the whole is none."""
MISSED, ROUNDED = 1000.0, 1e-11
"""How far a slope at the end of a panel may be off: of the last coefficients, and by rounding of the largest one."""
REACH = 60.0
"""Closed problems are sampled where the potential is at most this many temperatures above its lowest."""

OPEN, PERIODIC, CLOSED = "open", "periodic", "closed"


class Samples(NamedTuple):
    """One machine in numbers.

    - `borders` (region + 1): ends of the regions, the domain's own among them;
    - `potential`, `friction`, `temperature` (region, panel, node) at the `ABSCISSAE` of equal panels;
    - `bath_borders` (bath + 1): where one bath ends and the next begins;
    - `mass`, `load`, `densities` (2): those of particles that come in at the ends, if these are open;
    - `missed` (function, region, panel): how far the three are from the polynomials through their samples, elsewhere.
    """

    borders: Values
    potential: Values
    friction: Values
    temperature: Values
    bath_borders: Values
    mass: Values
    load: Values
    densities: Values
    missed: Values


class Terrain:
    """The functions of one machine on an interval, ready to be read anywhere in it."""

    def __init__(self, samples: Samples, kind: str, walled: bool = False):
        """`walled`: the ends of a closed problem are walls of its own, not places where the potential is high."""
        self.samples, self.kind, self.walled = samples, kind, walled
        self.mass, self.load = float(samples.mass), float(samples.load)
        self.densities = np.asarray(samples.densities, float)
        self.bath_borders = np.asarray(samples.bath_borders, float)
        borders = np.asarray(samples.borders, float)
        self._borders = borders
        whole = np.diff(borders) > EMPTY * (borders[-1] - borders[0])
        # Of a potential that falls for ever no part may be left; that is said later.
        self._whole = whole = whole | (not whole.any())
        self.steps = np.concatenate([borders[:-1][whole], borders[-1:]])
        panels = samples.potential.shape[1]
        edges = [np.linspace(a, b, panels + 1) for a, b in zip(borders[:-1][whole], borders[1:][whole], strict=True)]
        self.edges = np.concatenate([e[:-1] for e in edges] + [borders[-1:]])
        self._coefficients = [
            np.asarray(values, float)[whole].reshape(-1, NODES) @ TO_COEFFICIENTS.T
            for values in (samples.potential, samples.friction, samples.temperature)
        ]
        self._values = [np.asarray(v, float)[whole] for v in (samples.potential, samples.friction, samples.temperature)]
        potential, friction, temperature = self._values
        self.positive = bool(self.mass > 0 and (friction > 0).all() and (temperature > 0).all())
        self.lowest = float(potential.min())
        self.coldest, self.hottest = float(temperature.min()), float(temperature.max())
        self.reference = (self.coldest + self.hottest) / 2
        """T₀ of the weight e^{−(V+mv²/2)/T₀} by which the density is divided."""

    def with_friction(self, friction: float) -> "Terrain":
        """The same with another friction, uniform."""
        samples = self.samples
        return Terrain(samples._replace(friction=np.full_like(samples.friction, friction)), self.kind, self.walled)

    def place(self, region: int, panel: int, node: int) -> float:
        """The position of a sample."""
        low, high = self._borders[region], self._borders[region + 1]
        panels = self._values[0].shape[1]
        return float(low + (high - low) * (panel + (ABSCISSAE[node] + 1) / 2) / panels)

    def divided_by(self, reference: float) -> "Terrain":
        """The same with another temperature T₀ of the weight."""
        found = copy.copy(self)
        found.reference = reference
        return found

    @property
    def uniform(self) -> bool:
        """Whether there is one temperature, and it is that of the weight."""
        return max(self.hottest, self.reference) - min(self.coldest, self.reference) <= 1e-15 * self.hottest

    def read(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Potential (above its lowest sample), friction and temperature at x, which must lie within the edges."""
        flat = x.ravel()
        panel = np.clip(np.searchsorted(self.edges, flat, side="right") - 1, 0, len(self.edges) - 2)
        left, right = self.edges[panel], self.edges[panel + 1]
        basis = chebyshev.chebvander((2 * flat - left - right) / (right - left), NODES - 1)
        v, g, t = (np.einsum("xn,xn->x", basis, c[panel]).reshape(x.shape) for c in self._coefficients)
        return v - self.lowest, g, t

    def field(self, values: np.ndarray, x: np.ndarray, slope: bool = False) -> np.ndarray:
        """Another function, or its slope, at x from its samples (region, panel, node)."""
        coefficients = self._sums(values)
        flat = x.ravel()
        panel = np.clip(np.searchsorted(self.edges, flat, side="right") - 1, 0, len(self.edges) - 2)
        left, right = self.edges[panel], self.edges[panel + 1]
        if slope:
            coefficients = chebyshev.chebder(coefficients, axis=-1) * (2 / np.diff(self.edges))[:, None]
        basis = chebyshev.chebvander((2 * flat - left - right) / (right - left), coefficients.shape[-1] - 1)
        return np.einsum("xn,xn->x", basis, coefficients[panel]).reshape(x.shape)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Chebyshev coefficients (…, panel, order) of samples (…, region, panel, node)."""
        kept = np.asarray(values)[..., self._whole, :, :]
        return kept.reshape(*kept.shape[:-3], -1, NODES) @ TO_COEFFICIENTS.T

    def _present(self) -> np.ndarray:
        """The most particles that are in each panel, relative."""
        if self.kind != CLOSED:
            return np.ones(len(self.edges) - 1)
        height = (self._values[0].min(-1) - self.lowest).ravel() / self.hottest
        return np.exp(-np.maximum(height, 0))

    def tail(self, values: np.ndarray) -> tuple[float, float]:
        """How far the sums of energies (…, region, panel, node) are off, relative to T, and where it is worst."""
        last = np.abs(self._sums(values)[..., -2:]).max(-1).reshape(-1, len(self.edges) - 1).max(0)
        return self._worst(last * self._present() / self.coldest)

    def largest(self, values: np.ndarray) -> tuple[float, float]:
        """The same of their size."""
        size = np.abs(self._sums(values)).max(-1).reshape(-1, len(self.edges) - 1).max(0)
        return self._worst(size * self._present() / self.coldest)

    def _worst(self, rough: np.ndarray) -> tuple[float, float]:
        worst = int(np.argmax(rough))
        return float(rough[worst]), float((self.edges[worst] + self.edges[worst + 1]) / 2)

    def roughness(self) -> tuple[float, float]:
        """How far the polynomials may be from the functions, relative (V: to T), and the place where it is worst.

        It is judged by the last two coefficients of each panel, and by `missed`: what is narrow stands between the
        samples. Only panels count where particles are.
        """
        potential, friction, temperature = self._coefficients
        t, present = self._values[2], self._present()

        def tail(c: np.ndarray, missed: np.ndarray) -> np.ndarray:
            last, missed = np.abs(c[:, -2:]).max(-1), missed[self._whole].ravel()
            hidden = missed > SEEN * last + ROUNDED * np.abs(c).max(-1)
            return np.where(hidden, missed, last)

        coefficients = potential, friction, temperature
        off = [tail(*both) for both in zip(coefficients, np.asarray(self.samples.missed), strict=True)]
        scales = t.min(-1).ravel(), np.abs(friction[:, 0]), np.abs(temperature[:, 0])
        rough = np.max([one / scale for one, scale in zip(off, scales, strict=True)], axis=0) * present
        found, torn = self._worst(rough), self._torn()
        return max(found, torn)

    def _torn(self) -> tuple[float, float]:
        """The largest jump of a function, or of its slope over a panel, where panels meet, and its place.

        A kink that stands at a border is in no panel. What the sums may miss there is allowed. Where a ring closes,
        steps have an edge, functions have none.
        """
        orders = np.arange(NODES)
        half, present = np.diff(self.edges) / 2, self._present()
        before = np.arange(len(half)) - 1
        kept = np.ones(len(half), bool)
        kept[0] = self.kind == PERIODIC
        inner = kept & ~np.isin(self.edges[:-1], self.steps)
        scales = self._values[2].min(-1).ravel(), *(np.abs(c[:, 0]) for c in self._coefficients[1:])
        worst = np.zeros(len(half))
        seam = np.arange(len(half)) == (0 if self.kind == PERIODIC else -1)
        wanted = kept, *(inner | (seam & bool(np.ptp(v, axis=-1).any())) for v in self._values[1:])
        for c, scale, looked in zip(self._coefficients, scales, wanted, strict=True):
            slopes = [(c * orders**2 * (-1.0) ** (k * (orders + 1))).sum(-1) / half for k in (0, 1)]
            values = [(c * (-1.0) ** (k * orders)).sum(-1) for k in (0, 1)]
            short = np.minimum(half, half[before])
            jump = np.abs(values[0][before] - values[1]) + short * np.abs(slopes[0][before] - slopes[1])
            doubt = MISSED * np.abs(c[:, -2:]).max(-1) + ROUNDED * np.abs(c).max(-1)
            excess = np.maximum(jump - doubt - doubt[before], 0) / scale * np.minimum(present, present[before])
            worst = np.maximum(worst, np.where(looked, excess, 0.0))
        place = int(np.argmax(worst))
        return float(worst[place]), float(self.edges[place])

    def ends(self, cut: float) -> tuple[float, float]:
        """The interval that a mesh covers: all, or where a potential that confines is less than `cut`·T high."""
        if self.kind != CLOSED or self.walled:
            return float(self.edges[0]), float(self.edges[-1])
        x = np.linspace(self.edges[0], self.edges[-1], 8 * len(self.edges))
        inside = np.flatnonzero(self.read(x)[0] < cut * self.hottest)
        return float(x[max(inside[0] - 1, 0)]), float(x[min(inside[-1] + 1, len(x) - 1)])

    def highest(self, cut: float) -> float:
        """The largest value of the potential that a mesh covers, above the lowest."""
        return float(self.read(np.linspace(*self.ends(cut), 400))[0].max())

    def variation(self, cut: float) -> float:
        """How much the potential rises and falls in all, in units of the lowest temperature, below `cut`·T."""
        x = np.linspace(*self.ends(cut), 400)
        return float(np.abs(np.diff(np.minimum(self.read(x)[0], cut * self.hottest))).sum() / self.coldest)
