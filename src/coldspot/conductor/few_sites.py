"""Currents through one or two sites between wide bands by panels of nodes: of all points of a batch at once.

For energies x from the middle of the levels, G^r = adj(x − h)/D(x), h = H − iΓ/2, and

T_αβ(x) = N_αβ(x)/|D(x)|², N_αβ = tr[Γ_α (x−K) Γ_β (x−K†)], K = tr h − h (one site: Γ_αΓ_β), D = Π_p (x−λ_p).

Nothing is subtracted here but x and λ, so that what closed forms lose in the tails of all levels, or near an
exceptional point, is kept. The panels are those of `numerics.quadrature`, few of them: where their bound of the error
says that they do not suffice, the adaptive integral follows.
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import EPS, adjoint, positive_or_one, product
from ..numerics.quadrature import cells, closed_sums, mesh, summed
from ..pytrees import Table
from .landauer import NARROWEST, REACH, Flows, Found, baths_of, steepness

MOST = 2
"""Sites up to which the transmission is a quotient of polynomials that loses no digits."""
LEVELS = 4
"""Panels on each side of a feature: enough for resonances of a thousandth of the window."""
CARE = 32.0
"""What the last coefficients of a panel count for in the bound of its error."""
TOGETHER = 16
"""Points that are worked on together, to stay in the processor's cache."""


def by_panels(
    matrix: Array, middle: Array, places: Array, moved: Array, widths: Array, leads: Table
) -> tuple[Found, Flows]:
    """Currents of a batch, and their gross flows ∫dε/2π Σ_β T_αβ|f_α − f_β|, for heat with |ε − μ_α|.

    `matrix` h (point, site, site) from `middle` (point); its eigenvalues `places` λ (point, pole), which may be
    `moved` by rounding; `widths` Γ (lead, point, site, site).
    """
    many = len(leads)
    potentials, temperatures = (part.T for part in jax.vmap(baths_of)(leads))  # (lead, point)
    # Energies from the first potential: differences of potentials may be as small as they like.
    origin = middle - potentials[0]
    levels, halves = origin + places.real.T, jnp.abs(places.imag).T
    # What rounding of these sums leaves out: levels keep their distances, however far potentials are.
    back = levels - origin
    rests = (origin - (levels - back)) + (places.real.T - back)
    seen = potentials - potentials[0]
    low, high = jnp.min(seen - REACH * temperatures, axis=0), jnp.max(seen + REACH * temperatures, axis=0)
    spread = jnp.concatenate([jnp.pi * temperatures, halves])
    m = mesh(cells(jnp.concatenate([seen, levels]), spread, low, high), LEVELS)
    size = jnp.sqrt(jnp.sum(_squared(matrix), axis=(-2, -1)))
    # |D|², and by how much rounding of the poles, or of the coefficients of D, may change it.
    denominator, near, far, doubt = jnp.ones_like(m.offset), jnp.ones_like(m.offset), size, jnp.zeros_like(m.offset)
    for level, rest, half, off in zip(levels, rests, halves, moved.T, strict=True):
        square = (((m.centre - level) - rest) + m.offset) ** 2 + half**2
        denominator = denominator * square
        root = jnp.sqrt(square)
        near, far, doubt = near * root, far + root, doubt + off / root
    doubt = 2 * jnp.minimum(doubt, 8 * EPS * size * far / near)
    above = [(m.centre - seen[a]) + m.offset for a in range(many)]
    flows: list[Any] = [0.0] * many
    noises: list[Any] = [0.0] * many
    for a, b in itertools.combinations(range(many), 2):
        hot, cold = temperatures[a], temperatures[b]
        lean = (above[a] * ((cold - hot) / hot) + (potentials[b] - potentials[a])) / cold
        x, y = above[a] / hot, above[b] / cold
        f = _gap(x, y, lean) / (2 * jnp.pi * denominator) * m.stretch
        rounding = doubt + EPS * (16 + steepness(x, y, lean))
        for into, out_of, sign in ((a, b, 1), (b, a, -1))[: 1 if many == 2 else 2]:
            top, rest = _numerator(matrix, widths[into], widths[out_of], (m.centre - origin) + m.offset)
            flows[into] += sign * top * f
            noises[into] += (jnp.abs(top) * rounding + rest) * jnp.abs(f)
    if many == 2:  # what goes one way is what goes the other
        flows[1], noises[1] = -flows[0], noises[0]

    def total(values: Array, errors: Array) -> list[Array]:
        sums = summed(values, errors, 1)
        value, error = closed_sums(sums, 0.0)
        # Panels as long as these may be fall short of a geometric fall of their coefficients.
        last = jnp.abs(sums.coefficients[0]) + jnp.abs(sums.coefficients[1])
        error += CARE * last * jnp.minimum(last / positive_or_one(sums.size), 1.0)
        return [jnp.sum(part, axis=0) for part in (value, error, sums.size)]

    parts = [total(flows[a], noises[a]) for a in range(1 if many == 2 else many)]
    if many == 2:
        parts.append([-parts[0][0], *parts[0][1:]])
    parts += [total(flows[a] * above[a], noises[a] * jnp.abs(above[a])) for a in range(many)]
    # Rounding moves the levels against the Fermi edges.
    apart = jnp.min(jnp.abs(levels[:, None] - seen), axis=1) + jnp.pi * jnp.min(temperatures, axis=0) + halves
    shifted = jnp.max(EPS * (2 * size + jnp.abs(origin)) / apart, axis=0)
    dark = jnp.any(halves <= NARROWEST * size, axis=0)
    values, errors, sizes = (jnp.stack(part, axis=-1) for part in zip(*parts, strict=True))
    errors = jnp.where(dark[:, None], jnp.inf, errors + shifted[:, None] * sizes)
    value, error, gross = (Flows(part[:, :many], part[:, many:]) for part in (values, errors, sizes))
    yes = jnp.ones(dark.shape, bool)
    return Found(value, error, yes, yes, yes), gross


def _gap(x: Array, y: Array, difference: Array) -> Array:
    """`fermi_gap` with one exponential for each lead."""
    one, other = jnp.exp(-jnp.abs(x)), jnp.exp(-jnp.abs(y))
    colder = difference < 0
    # f(x)f(−y) or f(y)f(−x): the larger of the two Fermi functions, times the holes of the smaller.
    left = jnp.where((x < 0) == colder, 1.0, one)
    right = jnp.where((y > 0) == colder, 1.0, other)
    larger = left * right / ((1 + one) * (1 + other))
    return -jnp.where(colder, larger, -larger) * jnp.expm1(-jnp.abs(difference))


def _numerator(matrix: Array, into: Array, out_of: Array, x: Array) -> tuple[Array, Array]:
    """N_αβ at nodes, and a bound of its rounding error."""
    if matrix.shape[-1] == 1:
        top = (into * out_of)[:, 0, 0].real
        return jnp.broadcast_to(top, x.shape), jnp.zeros_like(x)
    rest = jnp.trace(matrix, axis1=-2, axis2=-1)[:, None, None] * np.eye(MOST) - matrix

    def traces(into: Array, k: Array, out_of: Array) -> tuple[Array, Array, Array]:
        left = product(into, k)
        first = 2 * _trace(left, out_of)
        return _trace(product(left, out_of), adjoint(k)), first, _trace(into, out_of)

    c0, c1, c2 = traces(into, rest, out_of)
    s0, s1, s2 = traces(*(jnp.sqrt(_squared(part)) + 0j for part in (into, rest, out_of)))
    far = jnp.abs(x)
    return c0 + x * (x * c2 - c1), 8 * EPS * (s0 + far * (s1 + far * s2))


def _trace(left: Array, right: Array) -> Array:
    """Re tr[AB] (point)."""
    return jnp.sum((left * jnp.swapaxes(right, -1, -2)).real, axis=(-2, -1))


def _squared(z: Array) -> Array:
    return z.real * z.real + z.imag * z.imag
