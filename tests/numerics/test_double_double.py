"""Sums in twice the precision, and their derivatives."""

from fractions import Fraction

import jax
import mpmath
import numpy as np
import pytest

from coldspot.numerics import double_double as precise


def test_precise_sums():
    """Products of numbers of very different size, exactly to 2⁻¹⁰⁰, in compiled code too."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20, 4, 4)) * 10 ** rng.uniform(-8, 8, (2, 20, 4, 4))
    c = rng.normal(size=(20, 1, 4))
    found = jax.jit(lambda a, b, c: precise.matmul(a, precise.times(precise.plain(b), c)))(a, b, c)
    with mpmath.workprec(300):
        for p, i, j in np.ndindex(20, 4, 4):
            terms = [mpmath.mpf(a[p, i, k]) * mpmath.mpf(b[p, k, j]) * mpmath.mpf(c[p, 0, j]) for k in range(4)]
            value = mpmath.mpf(float(found.high[p, i, j])) + mpmath.mpf(float(found.low[p, i, j]))
            assert abs(value - mpmath.fsum(terms)) <= 5 * precise.UNIT * mpmath.fsum(map(abs, terms))


def test_sums_of_products_whose_parts_are_found_apart():
    """Compilers may join a product and a sum in the place of one part, not in that of the other."""
    a, b, c = np.random.default_rng(1).normal(size=(3, 200))

    def part(k):
        def found(a, b, c):
            product, rest = precise.exact_product(a, b)
            total, lost = precise.exact_sum(product, c)
            return (total, lost + rest)[k]

        return np.asarray(jax.jit(found, compiler_options={"xla_backend_optimization_level": 2})(a, b, c))

    for x, y, z, high, low in zip(a, b, c, part(0), part(1), strict=True):
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        assert abs(Fraction(high) + Fraction(low) - exact) <= precise.UNIT * (abs(Fraction(x) * Fraction(y)) + abs(z))


def test_precise_derivatives():
    def f(x):
        return precise.add(precise.times(precise.plain(x), x), precise.plain(3 * x)).value

    assert jax.jit(jax.grad(f))(0.7) == pytest.approx(2 * 0.7 + 3, rel=1e-15)
    assert jax.jit(jax.grad(jax.grad(f)))(0.7) == pytest.approx(2.0, rel=1e-15)
