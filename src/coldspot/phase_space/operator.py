"""The Klein–Kramers operator as a sparse matrix in functions of velocity × position.

∂_tP = −v∂_xP + (V′−F)/m ∂_vP + γ∂_v(vP + (T/m)∂_vP), P = e^{−V/T₀−u²/2} f(u, x), u = v/s, s = √(T₀/m). In f:

∂_t f = −s[∂†∂_x + ∂(∂_x−V′/T₀)] f + (F/ms) ∂†f − γ∂†∂ f + γ(T/T₀−1) ∂†∂†f, with ∂ = ∂_u and ∂† = u − ∂.

Equations of even functions are taken in weak form, with the derivatives on the test function, those of odd ones as
they stand: the streaming part is then exactly antisymmetric, and walls where nothing is added reflect particles.
At an open end the particles that come in are prescribed by an upwind flux.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .space import Space
from .terrain import OPEN
from .velocity import Velocity


class Operator(NamedTuple):
    """Blocks of the operator, (even, even), (even, odd), (odd, even), (odd, odd), and what comes in at the ends."""

    even_even: sp.csc_array
    even_odd: sp.csc_array
    odd_even: sp.csc_array
    odd_odd: sp.csc_array
    source: tuple[np.ndarray, np.ndarray]

    def matrix(self) -> sp.csc_array:
        return sp.block_array([[self.even_even, self.even_odd], [self.odd_even, self.odd_odd]], format="csc")


def assembled(space: Space, velocity: Velocity, half: bool = False) -> Operator:
    """The operator on one mesh; on functions odd about its left end, where those even in v vanish, if `half`."""
    terrain = space.terrain
    s = math.sqrt(terrain.reference / terrain.mass)
    raising, lowering = velocity.raising, velocity.lowering
    rows = slice(int(half), None)
    oe = (-s * (sp.kron(raising, space.up[:, rows]) + sp.kron(lowering, space.down[:, rows]))).tocsc()
    eo = -oe.T.tocsc()
    if terrain.load:
        force = terrain.load / (terrain.mass * s)
        oe = oe + force * sp.kron(raising, space.cross)
        eo = eo + force * sp.kron(lowering.T, space.cross.T)
    friction = space.friction[0][rows, rows], space.friction[1]
    ee, oo = (-sp.kron(loss, resisted) for loss, resisted in zip(velocity.loss, friction, strict=True))
    if not terrain.uniform:
        ee, oo = (
            block + sp.kron(excess, heat)
            for block, excess, heat in zip((ee, oo), velocity.excess, space.excess, strict=True)
        )
    source = np.zeros(ee.shape[0]), np.zeros(oo.shape[0])
    if terrain.kind == OPEN:
        inner, mixed, outer = velocity.half
        for side, sign in ((0, 1.0), (1, -1.0)):
            e, o, weight = space.end(side)
            # On odd functions u < 0 counts with the other sign: `sign` is that of the particles that come in.
            oe = oe - s * weight * sign * sp.kron(mixed.T, o @ e.T)
            oo = oo - s * weight * sp.kron(outer, o @ o.T)
            ee = ee - s * weight * sp.kron(inner, e @ e.T)
            eo = eo + s * weight * sign * sp.kron(mixed, e @ o.T)
            theta = end_temperature(space, side) / terrain.reference
            even, odd = velocity.incoming(theta)
            density = s * terrain.densities[side]
            source[0][:] += density * np.kron(even, e.toarray()[:, 0])
            source[1][:] += density * sign * np.kron(odd, o.toarray()[:, 0])
    return Operator(*(block.tocsc() for block in (ee, eo, oe, oo)), source)  # type: ignore[call-arg]


def end_temperature(space: Space, side: int) -> float:
    """The temperature of the particles that come in at an end: that of the bath there."""
    x = space.mesh.edges[[0 if side == 0 else -1]]
    return float(space.terrain.read(x)[2][0])
