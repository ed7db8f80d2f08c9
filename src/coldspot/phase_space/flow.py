"""y(t) on one mesh: exponentials of the operator at rest in small subspaces, and what is read from y.

M ẏ = L y. From y at one time a subspace is spanned by (M − shift·L)⁻¹M, one factorisation for all steps of one length;
in it the exponential is that of a small matrix. It is orthonormal in M, in which the operator of one temperature
dissipates. What open ends bring is taken out with the steady state. The subspace grows until the result stands still.
"""

import copy
import math
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.linalg import expm
from scipy.sparse import linalg

from .nodes import gauss
from .operator import assembled
from .space import Space
from .stationary import PIVOT, Discrete, solved
from .terrain import OPEN
from .velocity import Velocity

SHIFT = 0.1
"""Of a step's length, to the nearest power of two, so that steps of almost one length share their factors."""
LARGEST = 100
"""Vectors of a subspace; a step that needs more is halved."""
TRIED = 5
"""So many vectors are added before the result is looked at again."""
PANELS, POINTS = 40, 12
"""In the velocity, for the integrals of a density that is given."""
HALVINGS = 12


class Flow:
    """y(t) on one mesh."""

    def __init__(self, space: Space, velocity: Velocity, tolerance: float):
        self.space, self.velocity, self._tolerance = space, velocity, tolerance
        blocks = assembled(space, velocity)
        self.operator = blocks.matrix()
        self._source = np.concatenate(blocks.source)
        masses = [sp.kron(v, x) for v, x in zip(velocity.mass, space.mass, strict=True)]
        self.mass = sp.block_diag(masses, format="csc")
        self.size = masses[0].shape[0]
        self.rest = self._resting()
        """The steady state of what comes in; zero where nothing does."""
        self.heights = np.zeros_like(space.terrain.samples.potential)
        """What the potential has beside the reference, in samples."""
        self._inverses: dict[float, linalg.SuperLU] = {}

    def under(self, heights: np.ndarray) -> "Flow":
        """The same with a potential U at rest beside, in samples."""
        cross, velocity = self.push(heights), self.velocity
        found = copy.copy(self)
        found.heights, found._inverses = heights, {}
        sides = sp.kron(velocity.lowering.T, cross.T), sp.kron(velocity.raising, cross)
        found.operator = (self.operator + sp.block_array([[None, sides[0]], [sides[1], None]])).tocsc()
        found.rest = found._resting()
        return found

    def _resting(self) -> np.ndarray:
        return solved(self.operator, -self._source) if self.space.terrain.kind == OPEN else np.zeros_like(self._source)

    def settled(self) -> np.ndarray:
        """The steady state, of one particle where nothing comes in."""
        space, terrain = self.space, self.space.terrain
        if terrain.kind == OPEN:
            return self.rest
        counted = self.mass @ self._along(self.velocity.one, space.one)
        # A sink where particles are; no equation makes any, so that the density there is what is set.
        likely = np.zeros(space.size)
        likely[space.even_of] = -terrain.field(self.heights, space.nodes) / terrain.reference
        pin = int(np.argmax(self._along(self.velocity.one, space.one * np.exp(likely - likely.max()))))
        sink = np.zeros(len(counted))
        sink[pin] = float(self.operator.diagonal()[pin]) or -1.0
        found = solved((self.operator + sp.diags_array(sink)).tocsc(), sink)
        return found / (counted @ found)

    def _along(self, speeds: np.ndarray, places: np.ndarray) -> np.ndarray:
        """y of an even function of v times one of x, from their coefficients."""
        return np.concatenate([np.kron(speeds, places), np.zeros(len(self._source) - self.size)])

    def projected(self, density: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """The y whose P is as near to a density as can be, with all its integrals over functions of the basis."""
        space, velocity, terrain = self.space, self.velocity, self.space.terrain
        s = math.sqrt(terrain.reference / terrain.mass)
        nodes, weights = gauss(POINTS)
        edges = np.linspace(-velocity.reach, velocity.reach, PANELS + 1)
        half = np.diff(edges)[:, None] / 2
        u = ((edges[1:] + edges[:-1])[:, None] / 2 + half * nodes).ravel()
        plain = (half * weights).ravel() * np.exp(u * u / 2) * math.sqrt(2 * math.pi)
        values = density(space.x.reshape(-1, 1), s * u[None, :]).reshape(*space.x.shape, -1)
        along = s * values * plain * space.plain[:, :, None]
        even, odd = velocity.values(u)
        right = [np.zeros((even.shape[1], space.size)), np.zeros((odd.shape[1], space.odd_size))]
        for found, speeds, own, places in zip(
            right, (even, odd), (space.even, space.odd), (space.even_of, space.odd_of), strict=True
        ):
            blocks = np.einsum("equ,eqi,un->ein", along, own, speeds, optimize=True)
            np.add.at(found.T, places, blocks)
        return linalg.spsolve(self.mass, np.concatenate([part.ravel() for part in right]))

    def after(self, y: np.ndarray, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
        """y at `stop`, and what has come in meanwhile: heat per bath, and the work of the load."""
        time = stop - start
        now, whole = self.decayed(y - self.rest, time)
        return self.rest + now, self.rates(time * self.rest + whole)

    def decayed(self, y: np.ndarray, time: float, halved: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """y a time later, and its integral over the time, if nothing comes in."""
        found = self._in_subspace(y, time)
        if found is not None:
            return found
        if halved == HALVINGS:
            raise RuntimeError("no step is short enough")
        middle, first = self.decayed(y, time / 2, halved + 1)
        end, second = self.decayed(middle, time / 2, halved + 1)
        return end, first + second

    def _in_subspace(self, y: np.ndarray, time: float) -> tuple[np.ndarray, np.ndarray] | None:
        shift = 2.0 ** round(math.log2(SHIFT * time))
        if shift not in self._inverses:
            matrix = (self.mass - shift * self.operator).tocsc()
            self._inverses[shift] = linalg.splu(
                matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=PIVOT, options={"SymmetricMode": True}
            )
        inverse, mass = self._inverses[shift], self.mass
        size = math.sqrt(self.square(y))
        if size == 0:
            return y, y
        basis, images = [y / size], [mass @ y / size]
        small = np.zeros((LARGEST + 1, LARGEST))
        last: np.ndarray | None = None
        for k in range(LARGEST):
            new = inverse.solve(images[k])
            for _ in range(2):
                parts = np.array([image @ new for image in images])
                new = new - np.array(basis).T @ parts
                small[: k + 1, k] += parts
            image = mass @ new
            small[k + 1, k] = norm = math.sqrt(max(float(new @ image), 0.0))
            closed = norm < 1e-14
            if closed or (k + 1) % TRIED == 0:
                square = small[: k + 1, : k + 1]
                # The last column is that of ∫₀¹ e^{At} dt: of what is kept constant beside.
                rates = np.zeros((k + 2, k + 2))
                rates[:-1, :-1] = (np.eye(k + 1) - np.linalg.inv(square)) * (time / shift)
                rates[0, -1] = 1.0
                now = size * expm(rates)[:-1, [0, -1]]
                if last is not None or closed:
                    before = np.zeros((k + 1, 2)) if last is None else np.pad(last, ((0, k + 1 - len(last)), (0, 0)))
                    if closed or np.linalg.norm(now - before) <= 0.1 * self._tolerance * size:
                        end, whole = np.array(basis).T @ now[:, 0], np.array(basis).T @ now[:, 1]
                        return end, time * whole
                last = now
            basis.append(new / norm)
            images.append(image / norm)
        return None

    def state(self, y: np.ndarray) -> Discrete:
        even = y[: self.size].reshape(len(self.velocity.number), -1)
        return Discrete.of(self.space, self.velocity, even, y[self.size :])

    def square(self, y: np.ndarray) -> float:
        return max(float(y @ (self.mass @ y)), 0.0)

    def rates(self, y: np.ndarray) -> np.ndarray:
        """Heat per time from each region, and the work of the load."""
        space, state = self.space, self.state(y)
        flow = space.weight * space.odd_at_points(self.velocity.first @ state.odd)
        return np.append(state.ledger().heats, space.terrain.load * state.thermal * flow.sum())

    def held(self, y: np.ndarray, fields: np.ndarray) -> np.ndarray:
        """∫ field n dx of samples (field, region, panel, node)."""
        space = self.space
        number = space.weight * space.at_points(self.velocity.number @ self.state(y).even)
        return np.array([(number * space.terrain.field(one, space.x)).sum() for one in fields])

    def push(self, heights: np.ndarray) -> sp.csr_array:
        """The part in the position, ⟨o, −(∂_xU/ms) e⟩, of the force of a potential U in samples."""
        space, terrain = self.space, self.space.terrain
        scale = -1 / (terrain.mass * math.sqrt(terrain.reference / terrain.mass))
        return space.crossed(scale * terrain.field(heights, space.x, slope=True))

    def pushed(self, cross: sp.csr_array, y: np.ndarray) -> np.ndarray:
        """G y of that force."""
        state, velocity = self.state(y), self.velocity
        fast = (cross @ (velocity.raising @ state.even).T).T
        slow = (cross.T @ (velocity.lowering.T @ state.odd).T).T
        return np.concatenate([slow.ravel(), fast.ravel()])
