"""Currents through one or two sites between wide bands by panels of nodes: of all points of a batch at once.

For energies x from the middle of the levels, G^r = adj(x − h)/D(x), h = H − iΓ/2, and

T_αβ(x) = N_αβ(x)/|D(x)|², N_αβ = tr[Γ_α (x−K) Γ_β (x−K†)], K = tr h − h (one site: Γ_αΓ_β), D = Π_p (x−λ_p).

Nothing is subtracted here but x and λ, so that what closed forms lose in the tails of all levels, or near an
exceptional point, is kept. The panels are those of `numerics.quadrature`, few of them: where their bound of the error
says that they do not suffice, the adaptive integral follows.
"""

import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.blocks import stored
from ..numerics.dense import EPS, adjoint, positive_or_one, product
from ..numerics.quadrature import cells, closed_sums, steps, summed
from ..pytrees import Table
from .green_functions import pairs_of
from .landauer import NARROWEST, REACH, Flows, Found, baths_of, steepness

MOST = 2
"""Sites up to which the transmission is a quotient of polynomials that loses no digits."""
LEVELS = 4
"""Panels on each side of a feature: enough for resonances of a thousandth of the window."""
CARE = 32.0
"""What the last coefficients of a panel count for in the bound of its error."""
NEAR, NEAR_TERMS = 0.5, 16
"""Difference of two exponents below which 1 − e^{−d} is a series, and of how many terms."""
TOGETHER = 64
"""Points that are worked on together, to stay in the processor's cache."""


def by_panels(
    matrix: Array, middle: Array, places: Array, moved: Array, widths: Array, leads: Table
) -> tuple[Found, Flows]:
    """Currents of a batch, and their gross flows ∫dε/2π Σ_β T_αβ|f_α − f_β|, for heat with |ε − μ_α|.

    `matrix` h (point, site, site) from `middle` (point); its eigenvalues `places` λ (point, pole), which may be
    `moved` by rounding; `widths` Γ (lead, point, site, site).
    """
    many = len(leads)
    several = 1 if many == 2 else many  # between two leads what goes one way is what goes the other
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
    step = steps(cells(jnp.concatenate([seen, levels]), spread, low, high), LEVELS)
    size = jnp.sqrt(jnp.sum(_squared(matrix), axis=(-2, -1)))
    tops = {pair: _numerator(matrix, widths[pair[0]], widths[pair[1]]) for pair in pairs_of(many)}

    def integrands(k: Array) -> tuple[list[Array], list[Array], list[Array]]:
        """Particles out of each lead and their rounding errors, and energies seen from each (panel, node, point)."""
        m = step(k)
        # 1/|D|, and by how much rounding of the poles, or of the coefficients of D, may change |D|².
        roots = [
            jnp.sqrt((((m.centre - level) - rest) + m.offset) ** 2 + half**2)
            for level, rest, half in zip(levels, rests, halves, strict=True)
        ]
        near, far = (functools.reduce(way, roots) for way in (jnp.multiply, jnp.add))
        shifts = [functools.reduce(jnp.multiply, [off, *roots[:p], *roots[p + 1 :]]) for p, off in enumerate(moved.T)]
        inverse = 1 / near
        doubt = 2 * inverse * jnp.minimum(functools.reduce(jnp.add, shifts), 8 * EPS * size * (far + size))
        above = [(m.centre - seen[a]) + m.offset for a in range(many)]
        scaled = [one / t for one, t in zip(above, temperatures, strict=True)]
        flows: list[Any] = [0.0] * many
        noises: list[Any] = [0.0] * many
        for a, b in itertools.combinations(range(many), 2):
            hot, cold = temperatures[a], temperatures[b]
            lean = above[a] * ((cold - hot) / hot / cold) + (potentials[b] - potentials[a]) / cold
            f = _gap(scaled[a], scaled[b], lean) * (inverse * inverse) * (m.stretch / (2 * jnp.pi))
            rounding = doubt + EPS * (16 + 3 * steepness(scaled[a], scaled[b], lean))
            for into, out_of, sign in ((a, b, 1), (b, a, -1))[:several]:
                top, rest = _at(tops[into, out_of], (m.centre - origin) + m.offset)
                flows[into] += sign * top * f
                noises[into] += (jnp.abs(top) * rounding + rest) * jnp.abs(f)
        if several == 1:
            flows[1], noises[1] = -flows[0], noises[0]
        return flows, noises, above

    def add(k: Array, sums: Array) -> Array:
        flows, noises, above = stored(certain, functools.partial(integrands, k))
        parts = [_total(flows[a], noises[a]) for a in range(several)]
        parts += [_total(flows[a] * above[a], noises[a] * jnp.abs(above[a])) for a in range(many)]
        return sums + jnp.stack(parts)

    certain = ~(temperatures[0, 0] < 0)
    blank = jnp.zeros((several + many, len(Total._fields), origin.size))
    found = jax.lax.fori_loop(0, LEVELS, add, blank)
    if several == 1:
        found = jnp.concatenate([found[:1], found[:1] * np.array([-1.0, 1.0, 1.0])[:, None], found[1:]])
    values, errors, sizes = jnp.moveaxis(found, 0, -1)
    # Rounding moves the levels against the Fermi edges.
    apart = jnp.min(jnp.abs(levels[:, None] - seen), axis=1) + jnp.pi * jnp.min(temperatures, axis=0) + halves
    shifted = jnp.max(EPS * (2 * size + jnp.abs(origin)) / apart, axis=0)
    dark = jnp.any(halves <= NARROWEST * size, axis=0)
    errors = jnp.where(dark[:, None], jnp.inf, errors + shifted[:, None] * sizes)
    value, error, gross = (Flows(part[:, :many], part[:, many:]) for part in (values, errors, sizes))
    yes = jnp.ones(dark.shape, bool)
    return Found(value, error, yes, yes, yes), gross


class Total(NamedTuple):
    """An integral over panels, a bound of its error, and the integral of the integrand's size (point)."""

    value: Array
    error: Array
    size: Array


def _total(values: Array, errors: Array) -> Array:
    """The `Total` (part, point) of values (panel, node, point) that have errors."""
    sums = summed(values, errors, 1)
    value, error = closed_sums(sums, 0.0)
    # Panels as long as these may be fall short of a geometric fall of their coefficients.
    last = jnp.abs(sums.coefficients[0]) + jnp.abs(sums.coefficients[1])
    error += CARE * last * jnp.minimum(last / positive_or_one(sums.size), 1.0)
    return jnp.stack([jnp.sum(part, axis=0) for part in Total(value, error, sums.size)])


def _gap(x: Array, y: Array, difference: Array) -> Array:
    """`fermi_gap` with one exponential for each lead, and no other.

    Both energies on one side of the edges: ±(e^{−|x|} − e^{−|y|})/(1+e^{−|x|})(1+e^{−|y|}); on two: 1 − e^{−|x|−|y|} on
    top. What is near is a series of the difference.
    """
    one, other, far = jnp.exp(-jnp.abs(x)), jnp.exp(-jnp.abs(y)), jnp.abs(difference)
    same = (x < 0) == (y < 0)
    more, less = (
        jnp.where(same, way(one, other), apart) for way, apart in ((jnp.maximum, 1.0), (jnp.minimum, one * other))
    )
    series = jnp.zeros_like(far)
    for k in range(NEAR_TERMS, 0, -1):
        series = (1 - far * series) * (1 / k)
    top = jnp.where(far < NEAR, more * (far * series), more - less)
    return jnp.where(difference < 0, top, -top) / ((1 + one) * (1 + other))


def _numerator(matrix: Array, into: Array, out_of: Array) -> list[tuple[Array, Array]]:
    """The coefficients of N_αβ(x), from the constant one on, and of a bound of its rounding error over |x|."""
    if matrix.shape[-1] == 1:
        top = (into * out_of)[:, 0, 0].real
        return [(top, jnp.zeros_like(top))]
    rest = jnp.trace(matrix, axis1=-2, axis2=-1)[:, None, None] * np.eye(MOST) - matrix

    def traces(into: Array, k: Array, out_of: Array) -> tuple[Array, Array, Array]:
        left = product(into, k)
        first = 2 * _trace(left, out_of)
        return _trace(product(left, out_of), adjoint(k)), first, _trace(into, out_of)

    c0, c1, c2 = traces(into, rest, out_of)
    sizes = traces(*(jnp.sqrt(_squared(part)) + 0j for part in (into, rest, out_of)))
    return list(zip((c0, -c1, c2), (8 * EPS * part for part in sizes), strict=True))


def _at(coefficients: list[tuple[Array, Array]], x: Array) -> tuple[Array, Array]:
    """N_αβ at nodes, and a bound of its rounding error."""
    top, rest = (jnp.broadcast_to(part, x.shape) for part in coefficients[-1])
    for more, doubt in reversed(coefficients[:-1]):
        top, rest = more + x * top, doubt + jnp.abs(x) * rest
    return top, rest


def _trace(left: Array, right: Array) -> Array:
    """Re tr[AB] (point)."""
    return jnp.sum((left * jnp.swapaxes(right, -1, -2)).real, axis=(-2, -1))


def _squared(z: Array) -> Array:
    return z.real * z.real + z.imag * z.imag
