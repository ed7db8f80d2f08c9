"""Electron–hole pairs as baths: what one kind of pair exchanges with bosons of one frequency.

Pair αβ: an electron goes from ε in lead α to ε−ω in lead β and emits a boson ω, or the reverse. With the weight
W(ε) = tr[M A_α(ε) M A_β(ε−ω)] its golden-rule rates (2π/ħ and the modes' density left out; see `junction`) are

- emission   E = ∫dε/2π W f_α(ε)(1−f_β(ε−ω)),
- absorption A = ∫dε/2π W (1−f_α(ε)) f_β(ε−ω),     Λ = A − E,

and beside bosons with n = n_B(ω/T_ph) the net rate of emission is R = E(1+n) − A n, which takes the heat
Q = ∫dε/2π W (ε−μ_α)[f_α(1−f_β)(1+n) − (1−f_α)f_β n] out of α. E and A of a mode that is slow against the temperature
nearly are one number; R beside a second kind of bosons, as warm as the leads, says by how much they differ. (Hu, Nian
and Lü, "Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid energy transport", eqs. 4–7 and
13.)

The two directions differ by the factor e^{−a}, where a(ε) is the entropy that the emission at ε produces, and so
1 − e^{−a} is written with expm1: R and Q keep their digits near equilibrium and vanish in it.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from ..numerics.blocks import stored
from ..numerics.dense import EPS
from ..numerics.digamma import first_difference, mixed_difference
from ..numerics.quadrature import LEVELS, Cells, Mesh, cells, closed_sums, left_out, mesh, steps, summed
from ..occupation import bose, fermi
from .levels import LevelWeight
from .spectral_functions import Weight

REACH = 90.0
"""Fermi functions are followed to e^{−90}: there a resonance that is 10⁻²⁰ as wide as the temperature is forgotten."""
GOOD = 1e-11
"""Relative error up to which the closed form is kept."""
BLOCK = 64
"""Points that are integrated together."""
ROUNDING = 4 * EPS
COARSE = 5
"""Panels on each side of a feature, at first."""
CARE = 4.0
"""What the panels leave out must be so many times smaller than rounding, for these to be kept."""


class Pair(eqx.Module):
    """Pairs of one kind αβ per point, bosons of one frequency, and all baths; arrays (point).

    `reference` is μ_α, `bias` is μ_α − μ_β; α is the upper lead, where the electron has its energy before the emission.
    `compared`: the temperature of the bosons of which it is asked what they gain.
    """

    weight: Weight
    upper_temperature: Array
    lower_temperature: Array
    reference: Array
    bias: Array
    phonon_temperature: Array
    compared: Array
    omega: Array


class Rates(NamedTuple):
    """Emission E, absorption A, net emission R and its heat Q out of α (point), or bounds of their errors.

    `gain`: R beside the bosons that are compared.
    """

    emission: Array
    absorption: Array
    net: Array
    heat: Array
    gain: Array


@jax.custom_jvp
def rates(pair: Pair, anyhow: Array | bool = False) -> tuple[Rates, Rates]:
    """The rates of a batch of pairs, and bounds of their errors.

    Levels between leads of one temperature have a closed form; it is kept where its error is small, or `anyhow`.
    Everything else is integrated. Derivatives always are those of the integral: the closed form does not know what
    happens when only one lead grows warmer.
    """
    if not isinstance(pair.weight, LevelWeight):
        none = Rates(*(jnp.zeros_like(pair.omega) for _ in Rates._fields))
        return _refine(pair, jnp.ones(pair.omega.shape, bool), (none, none))
    found, errors = closed(pair)
    amount = jnp.abs(found.heat) + (pair.omega + jnp.abs(pair.bias)) * jnp.abs(found.net)
    good = (errors.net <= GOOD * jnp.abs(found.net)) & (errors.heat <= GOOD * amount)
    good = (good | anyhow) & (pair.upper_temperature == pair.lower_temperature)
    # Points that are not numbers have their status, and cost nothing here.
    return _refine(pair, _is_number(pair) & ~good, (found, errors))


def _refine(pair: Pair, poor: Array, start: tuple[Rates, Rates]) -> tuple[Rates, Rates]:
    """Integrate the points that are marked, a block at a time: by few panels, and by all where those do not do.

    One program for both. Panels are worked on step by step away from their features, so that what is between stays in
    the cache.
    """
    points = poor.shape[0]
    lanes = min(BLOCK, points)
    certain = ~(pair.phonon_temperature[0] < 0)  # of numbers of its own a compiler would know

    def turn(k: Array, state: _Refined) -> _Refined:
        poor, levels = state[0], jnp.where(k == 0, COARSE, LEVELS)
        (order,) = jnp.nonzero(poor, size=points, fill_value=points - 1)

        def block(k: Array, state: _Refined) -> _Refined:
            at = jax.lax.dynamic_slice(order, (jnp.minimum(k * lanes, points - lanes),), (lanes,))
            some, keep = jax.tree.map(lambda leaf: leaf[at], pair), poor[at]
            panels, kept = steps(_window(some), levels), functools.partial(stored, certain)

            def add(step: Array, sums: Any) -> Any:
                # Stored by itself: every loop that has nodes to work out goes over them one by one.
                return jax.tree.map(jnp.add, sums, _over(some, kept(lambda: panels(step)), kept))

            blank = Rates(*(jnp.zeros(lanes) for _ in Rates._fields))
            *better, missed = jax.lax.fori_loop(0, levels, add, (blank, blank, blank))
            still = [~(CARE * out <= whole - out) for whole, out in zip(better[1], missed, strict=True)]
            new = functools.reduce(jnp.logical_or, still) & _is_number(some), tuple(better)
            return jax.tree.map(lambda old, new: old.at[at].set(jnp.where(keep, new, old[at])), state, new)

        return jax.lax.fori_loop(0, (jnp.sum(poor) + lanes - 1) // lanes, block, state)

    return jax.lax.fori_loop(0, 2, turn, (poor, start))[1]


_Refined = tuple[Array, tuple[Rates, Rates]]
"""Which points few panels do not do for, and what is known of all."""


def _is_number(pair: Pair) -> Array:
    return jnp.isfinite(pair.omega + pair.bias + pair.upper_temperature + pair.lower_temperature)


@rates.defjvp
def _rates_jvp(primals: Any, tangents: Any) -> Any:
    return jax.jvp(integrated, primals[:1], tangents[:1])


# --------------------------------------------------------------------------- any temperatures


def integrated(pair: Pair) -> tuple[Rates, Rates]:
    """The rates by panels, some points at a time to stay in the processor's cache."""
    points = pair.omega.shape[0]
    lanes = min(BLOCK, points)
    blocks = -(-points // lanes)
    index = jnp.minimum(jnp.arange(blocks * lanes), points - 1).reshape(blocks, lanes)

    def block(at: Array) -> tuple[Rates, Rates]:
        return _integrated(jax.tree.map(lambda leaf: leaf[at], pair))

    if blocks == 1:
        return _integrated(pair)
    found = jax.lax.map(block, index)
    return jax.tree.map(lambda leaf: leaf.reshape(-1)[:points], found)


def _integrated(pair: Pair) -> tuple[Rates, Rates]:
    window = _window(pair)
    return _over(pair, mesh(window))[:2]


def _window(pair: Pair) -> Cells:
    """The energies from μ_α on that count, divided among what is narrow there."""
    gap = pair.omega - pair.bias
    reach = REACH * jnp.maximum(pair.upper_temperature, pair.lower_temperature)
    return cells(*_features(pair), jnp.minimum(gap, 0.0) - reach, jnp.maximum(gap, 0.0) + reach)


def _over(
    pair: Pair, m: Mesh, compute: Callable[[Callable[[], Any]], Any] = lambda values: values()
) -> tuple[Rates, Rates, Rates]:
    """The integrals over some panels, bounds of their errors, and what of these is not rounding.

    `compute` calls a function that gives the values at all nodes.
    """
    gap = pair.omega - pair.bias
    hot, cold = pair.upper_temperature, pair.lower_temperature
    centres, widths = _features(pair)

    def values() -> tuple[Array, Array, tuple[Array, ...]]:
        x = m.nodes
        weight, doubt = pair.weight(m.centre, m.offset, pair.reference, pair.omega)
        out, back = _occupations(x / hot, ((m.centre - gap) + m.offset) / cold)
        # Entropy that the emission at x produces; differences of temperatures first: it is small where they are.
        unlike = x * ((hot - cold) / (hot * cold))
        net, gain = (
            net_rate(out, back, bose(pair.omega / bosons), unlike + _common_entropy(pair, cold, bosons))
            for bosons in (pair.phonon_temperature, pair.compared)
        )
        return weight * m.stretch, EPS * doubt * m.stretch, (out, back, net, x * net, gain)

    weight, doubt, factors = compute(values)
    above, below = m.middle / hot, (m.middle - gap) / cold
    forward = jnp.abs(above) * fermi(-above) + jnp.abs(below) * fermi(below)
    backward = jnp.abs(above) * fermi(above) + jnp.abs(below) * fermi(-below)
    both = jnp.maximum(forward, backward)
    # Rounding moves resonances and Fermi edges against each other.
    edges = (pair.omega + jnp.abs(pair.bias)) / (jnp.abs(gap) + jnp.pi * (hot + cold))
    apart = jnp.minimum(jnp.abs(centres[2:]), jnp.abs(centres[2:] - gap)) + jnp.pi * jnp.minimum(hot, cold)
    moved = edges + jnp.max((jnp.abs(centres[2:]) + jnp.abs(pair.bias) + pair.omega) / (apart + widths[2:]), axis=0)

    def integral(factor: Array, rounding: Array) -> list[Array]:
        sums = summed(weight * factor, doubt * jnp.abs(jax.lax.stop_gradient(factor)), 1)
        parts = *closed_sums(sums, rounding + moved), left_out(sums)
        return [jnp.sum(part, axis=0) / (2 * jnp.pi) for part in parts]

    columns = zip(*map(integral, factors, (forward, backward, both, both, both)), strict=True)
    found, errors, cut_off = (Rates(*column) for column in columns)
    return found, errors, cut_off


def _features(pair: Pair) -> tuple[Array, Array]:
    """Centres, relative to μ_α, and widths (feature, point) of what is narrow in the integrands."""
    (above, wide), (below, broad) = pair.weight.upper(), pair.weight.lower()
    gap = pair.omega - pair.bias
    edges = jnp.stack([jnp.zeros_like(gap), gap])
    smears = jnp.pi * jnp.stack([pair.upper_temperature, pair.lower_temperature])
    # Formed as the weights form them: a node's centre is the resonance itself, to the last digit.
    levels = jnp.concatenate([above.T - pair.reference, (below.T - pair.reference) + pair.omega])
    return jnp.concatenate([edges, levels]), jnp.concatenate([smears, wide.T, broad.T])


def _common_entropy(pair: Pair, temperature: Array, bosons: Array) -> Array:
    """μ_αβ/T − ω/T + ω/T_b, beside bosons of the temperature T_b."""
    return pair.bias / temperature + pair.omega * ((temperature - bosons) / (temperature * bosons))


@jax.custom_jvp
def _occupations(a: Array, b: Array) -> tuple[Array, Array]:
    """f(a)(1−f(b)) and (1−f(a))f(b), at the cost of two exponentials."""
    one, other = jnp.exp(-jnp.abs(a)), jnp.exp(-jnp.abs(b))
    both = 1 / ((1 + one) * (1 + other))
    return (
        both * jnp.where(a > 0, one, 1.0) * jnp.where(b > 0, 1.0, other),
        both * jnp.where(a > 0, 1.0, one) * jnp.where(b > 0, other, 1.0),
    )


@_occupations.defjvp
def _occupations_jvp(primals: Any, tangents: Any) -> Any:
    (a, b), (da, db) = primals, tangents
    out, back = _occupations(a, b)
    return (out, back), (out * (fermi(b) * db - fermi(-a) * da), back * (fermi(a) * da - fermi(-b) * db))


@jax.custom_jvp
def net_rate(out: Array, back: Array, n: Array, entropy: Array) -> Array:
    """out·(1+n) − back·n, given entropy = ln(out(1+n)/(back n)), from the larger of the two."""
    larger = jnp.where(entropy > 0, out * (1 + n), -back * n)
    return -larger * jnp.expm1(-jnp.abs(entropy))


@net_rate.defjvp
def _net_jvp(primals: Any, tangents: Any) -> Any:
    # The entropy follows from the others.
    out, back, n, _ = primals
    d_out, d_back, d_n, _ = tangents
    return net_rate(*primals), (1 + n) * d_out - n * d_back + (out - back) * d_n


# --------------------------------------------------------------------------- one electron temperature


def closed(pair: Pair) -> tuple[Rates, Rates]:
    """The rates of levels between leads of one temperature T.

    f_α(1−f_β) = n_B(u)(f_β−f_α) with u = (ω−μ_αβ)/T. Over two Lorentzians f_β − f_α integrates to differences Φ of ψ
    at ½ + (p−μ)/2πiT, at the poles p = E + iγ/2: with S = p_1 − p_2*, Δ = [Φ(p_1) − Φ(p_2)]/(p_1 − p_2),

    ∫dε a_1(ε) a_2(ε) (f_β − f_α) = 4 Im[(γ_2/2) Δ/S + (γ_1+γ_2)/2 Φ(p_2)/|S|²],

    and pΦ in place of Φ gives the integral with another factor ε. All is divided by u, which the Bose functions give
    back.
    """
    levels = pair.weight
    assert isinstance(levels, LevelWeight)
    t = pair.upper_temperature
    gap = pair.omega - pair.bias
    u = gap / t
    weight, moment, size, moment_size = (jnp.zeros_like(u) for _ in range(4))
    for step in range(levels.strengths.shape[-1]):
        e1, w1, e2, w2, strength = (v[:, step] for v in jax.tree.leaves(levels))
        strength = strength / (2 * jnp.pi)
        above, below = (e1 - pair.reference, w1), ((e2 - pair.reference) + pair.omega, w2)
        terms = _over_lorentzians(above, below, t, u)
        # Rounding of the distances between resonances and Fermi edges, against how fast the terms change with them.
        shift = jnp.abs(e1 - pair.reference) + jnp.abs(e2 - pair.reference) + pair.omega + jnp.abs(pair.bias)
        apart = 1 / jnp.hypot(above[0] - below[0], above[1] + below[1])
        digits = 4 + shift * (apart + _steepness(above, t, gap) + _steepness(below, t, gap))
        weight, moment = weight + strength * terms[0], moment + strength * terms[1]
        size, moment_size = size + strength * digits * terms[2], moment_size + strength * digits * terms[3]
    out, back = _u_bose(u), _u_bose(-u)
    # Of u and of the bosons' ω/T, and of the entropy where it is a small difference.
    of_u = jnp.minimum(jnp.abs(u), 750.0)

    def beside(bosons: Array) -> tuple[Array, Array]:
        """R over the weight, and a bound of the error of that."""
        v = pair.omega / bosons
        n = bose(v)
        net = net_rate(out, back, n, _common_entropy(pair, t, bosons))
        parts = jnp.abs(pair.bias) / t + pair.omega * jnp.abs((t - bosons) / (t * bosons))
        gross = jnp.minimum(out * (1 + n), back * n)
        lost = jnp.where(gross > 0, gross * parts, 0.0)
        return net, ROUNDING * ((1 + of_u + jnp.minimum(v, 750.0)) * jnp.abs(net) + lost)

    (net, of_net), (gain, of_gain) = beside(pair.phonon_temperature), beside(pair.compared)
    found = Rates(weight * out, weight * back, weight * net, moment * net, weight * gain)
    doubt = ROUNDING * (size + (1 + of_u) * jnp.abs(weight))
    errors = Rates(
        doubt * out,
        doubt * back,
        ROUNDING * size * jnp.abs(net) + jnp.abs(weight) * of_net,
        ROUNDING * moment_size * jnp.abs(net) + jnp.abs(moment) * of_net,
        ROUNDING * size * jnp.abs(gain) + jnp.abs(weight) * of_gain,
    )
    return found, jax.tree.map(jax.lax.stop_gradient, errors)


def _steepness(level: Any, t: Array, gap: Array) -> Array:
    """How fast the occupation seen by a resonance changes with its energy: one over the distance to a Fermi edge."""
    energy, width = level
    distance = jnp.minimum(jnp.abs(energy), jnp.abs(energy - gap))
    return 1 / (distance + width + jnp.pi * t)


def _u_bose(u: Array) -> Array:
    """u·n_B(u) = u/(eᵘ−1), 1 at u = 0."""
    safe = jnp.where(u == 0, 1.0, u)
    return jnp.where(u == 0, 1.0, safe / jnp.expm1(safe))


def _over_lorentzians(above: Any, below: Any, t: Array, u: Array) -> tuple[Array, Array, Array, Array]:
    """∫dε a_1 a_2 (f_β−f_α)/u, the same with a factor ε, and the sizes of the terms that each is the sum of.

    `above`, `below`: energy from μ_α (shifted by ω for the lower level) and half width of a_1 and a_2.
    """
    narrow = above[1] < below[1]
    # The level with the smaller width is number 2: then the terms have no large parts that cancel.
    e1, e2 = jnp.where(narrow, below[0], above[0]), jnp.where(narrow, above[0], below[0])
    g1, g2 = jnp.where(narrow, below[1], above[1]), jnp.where(narrow, above[1], below[1])
    p1, p2 = e1 + 1j * g1, e2 + 1j * g2
    scale = 2 * jnp.pi * t
    x1, x2, d = 0.5 - 1j * p1 / scale, 0.5 - 1j * p2 / scale, 0.5j * u / jnp.pi
    phi = 0.5j / jnp.pi * first_difference(x2, d)
    delta = mixed_difference(x1, x2, d) / (2 * jnp.pi * scale)
    s = (e1 - e2) + 1j * (g1 + g2)
    distance = s.real**2 + s.imag**2
    near, far = 4 * g2 * jnp.conj(s) / distance, 4 * (g1 + g2) / distance
    terms = near * delta, far * phi
    moments = near * (p1 * delta + phi), far * p2 * phi
    size, moment_size = abs(terms[0]) + abs(terms[1]), abs(near) * (abs(p1 * delta) + abs(phi)) + abs(moments[1])
    return (terms[0] + terms[1]).imag, (moments[0] + moments[1]).imag, size, moment_size
