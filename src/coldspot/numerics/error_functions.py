"""Sums of a rising and a falling Gaussian tail, as logarithms that neither overflow nor cancel.

Both ends of a barrier send particles; each end's share of the density is a complementary error function. Such sums
span e^{±1600} between ξ = −40 and 40, and so they are kept as logarithms.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

SCALE = 3.75
COEFFICIENTS = (
    1.1775789345674017541, -4.5900545806464773309e-3, -8.4249133366517915584e-2, 5.9209939998191890498e-2,
    -2.6658668435305752277e-2, 9.0749976707052650939e-3, -2.4131635404176081909e-3, 4.9077583652580863229e-4,
    -6.9169733025012063671e-5, 4.1390279860730101675e-6, 7.7403830661984906686e-7, -2.1886401049234395661e-7,
    1.0764999465670910377e-8, 4.5219598112182868979e-9, -7.7544002088313511065e-10, -6.3180883408866844944e-11,
    2.8687950109306698981e-11, 1.945586854577734723e-13, -9.6546967484334389059e-13, 3.2525481481487398415e-14,
    3.3478119482868053878e-14, -1.8645628804193131015e-15, -1.2507950530688647085e-15, 7.418235256624043463e-17,
    5.0681489047961113168e-17, -2.2370566594359995974e-18,
)  # fmt: skip
"""Chebyshev coefficients of (1+2y)·erfcx(y) in t = (y−3.75)/(y+3.75), from its values with 50 digits."""

TERMS = 18
"""Terms of the series of artanh, enough at |x| < 1/3."""


@jax.jit
def erfcx(y: Any) -> Array:
    """e^{y²} erfc(y) for y ≥ 0, to a few rounding units; differentiable. (JAX has it only in recent versions.)

    >>> round(float(erfcx(0.0)), 15), f"{float(erfcx(1e9) * 1e9 * math.sqrt(math.pi)):.12f}"
    (1.0, '1.000000000000')
    """
    y = jnp.asarray(y)
    t = (y - SCALE) / (y + SCALE)
    last, before = jnp.zeros_like(t), jnp.zeros_like(t)
    for c in COEFFICIENTS[:0:-1]:  # Clenshaw's sum
        last, before = c + 2 * t * last - before, last
    return (COEFFICIENTS[0] + t * last - before) / (1 + 2 * y)


@jax.jit
def _terms(x: Array, share: Array) -> tuple[Array, Array, Array, Array]:
    """What the logarithm of w = share·erfcx(x) + (1−share)·erfcx(−x) is made of.

    With y = |x| and r twice the share of the tail that grows, w = r e^{y²} + (1−r) erfcx(y), since
    erfcx(−y) = 2e^{y²} − erfcx(y). Returns ln r, ln erfcx(y), whether the first term leads, and
    ln(w/leading term).
    """
    y = jnp.abs(x)
    r = 2 * jnp.where(x < 0, share, 1 - share)
    log_r, log_tail = jnp.log(r), jnp.log(erfcx(y))
    d = log_r + y**2 - log_tail
    first = d > 0
    # Each branch sees only its own range of d, so that the other cannot overflow.
    above = jnp.log1p((1 - r) * jnp.exp(-jnp.maximum(d, 0.0)))
    below = jnp.log1p(jnp.exp(jnp.minimum(d, 0.0)) - r)
    return log_r, log_tail, first, jnp.where(first, above, below)


@jax.custom_jvp
def log_scaled_mixture(x: Any, share: Any) -> Array:
    """ln w, w = share·erfcx(x) + (1−share)·erfcx(−x), for a share from 0 to 1 and any x.

    >>> [round(float(log_scaled_mixture(x, 0.5)), 9) for x in (-40.0, -1.0, 40.0)]
    [1600.0, 1.0, 1600.0]
    """
    x, share = jnp.broadcast_arrays(jnp.asarray(x, float), jnp.asarray(share, float))
    log_r, log_tail, first, rest = _terms(x, share)
    return jnp.where(first, log_r + x**2, log_tail) + rest


@log_scaled_mixture.defjvp
def _log_scaled_mixture_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x, share), (dx, dshare) = primals, tangents
    log_w = log_scaled_mixture(x, share)
    # erfcx' = 2x·erfcx − 2/√π
    along = 2 * x - 2 / math.sqrt(math.pi) * (2 * share - 1) * jnp.exp(-log_w)
    return log_w, along * dx + _share_derivative(log_scaled_mixture, x, log_w) * dshare


@jax.custom_jvp
def log_mixture(z: Any, share: Any) -> Array:
    """ln[share·Φ(z) + (1−share)·Φ(−z)], Φ the normal distribution function, for a share from 0 to 1 and any z.

    >>> round(float(jnp.exp(log_mixture(0.3, 0.5))), 15), round(float(log_mixture(-40.0, 1.0)), 6)
    (0.5, -804.608442)
    """
    z, share = jnp.broadcast_arrays(jnp.asarray(z, float), jnp.asarray(share, float))
    # It is e^{−x²}w/2; where r e^{x²} leads, the two exponentials cancel and are not formed.
    log_r, log_tail, first, rest = _terms(-z / math.sqrt(2), share)
    return jnp.where(first, log_r, log_tail - z**2 / 2) + rest - math.log(2)


@log_mixture.defjvp
def _log_mixture_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (z, share), (dz, dshare) = primals, tangents
    log_sum = log_mixture(z, share)
    along = (2 * share - 1) * jnp.exp(-(z**2) / 2 - 0.5 * math.log(2 * math.pi) - log_sum)
    return log_sum, along * dz + _share_derivative(log_mixture, z, log_sum) * dshare


def _share_derivative(log_sum: Any, x: Array, value: Array) -> Array:
    """The derivative with respect to the share: (first tail − second tail)/sum."""
    return jnp.exp(log_sum(x, jnp.ones_like(x)) - value) - jnp.exp(log_sum(x, jnp.zeros_like(x)) - value)


@jax.custom_jvp
def logit(share: Any) -> Array:
    """ln[share/(1−share)] to full relative accuracy, also beside ½, where the naive form loses its digits.

    >>> float(logit(0.5)), f"{float(logit(0.5 + 1e-14)):.6e}"
    (0.0, '3.996803e-14')
    """
    share = jnp.asarray(share, float)
    excess = 2 * share - 1
    near = jnp.abs(excess) < 1 / 3
    # 2·artanh(excess) by its series; XLA's own log1p and arctanh are wrong by up to 100 rounding units.
    square = jnp.where(near, excess, 0.0) ** 2
    series = jnp.zeros_like(share)
    for k in range(TERMS - 1, -1, -1):
        series = series * square + 1 / (2 * k + 1)
    return jnp.where(near, 2 * excess * series, jnp.log(share / (1 - share)))


@logit.defjvp
def _logit_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (share,), (dshare,) = primals, tangents
    return logit(share), dshare / (share * (1 - share))
