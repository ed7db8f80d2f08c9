"""Residuals with twice the digits against fractions."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

from coldspot.compiler import LIGHT
from coldspot.numerics.residuals import residual, whole


def exact(number):
    return Fraction(float(number.real)), Fraction(float(number.imag))


def compiled(terms, columns):
    return jax.jit(lambda terms, columns: residual(whole(*terms), columns, np.array([0, 2])), compiler_options=LIGHT)(
        terms, columns
    )


def test_a_residual_is_that_of_fractions_to_twice_the_digits_of_its_terms():
    """Of a matrix that is singular but for 1e-9, its terms not rounded into one number."""
    rng = np.random.default_rng(7)
    h = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    h = h + h.conj().T
    terms = [np.linalg.eigvalsh(h)[0] * np.eye(3) + 0j, -h, 3.3e-9 * np.eye(3) + 0j, np.diag([1e-9j, 0, 0])]
    inverse = np.linalg.inv(sum(terms))
    value, error = compiled([jnp.asarray(term) for term in terms], jnp.asarray(inverse[:, [0, 2]]))
    assert 1e-9 < np.max(np.abs(value)) < 1e-3
    for column, place in enumerate((0, 2)):
        for i in range(3):
            total = [Fraction(int(i == place)), Fraction(0)]
            for j in range(3):
                parts = [exact(np.complex128(term[i, j])) for term in terms]
                (a, b), (c, d) = (
                    (sum(part[0] for part in parts), sum(part[1] for part in parts)),
                    exact(inverse[j, place]),
                )
                total = [total[0] - (a * c - b * d), total[1] - (a * d + b * c)]
            off = [total[0] - exact(value[i, column])[0], total[1] - exact(value[i, column])[1]]
            assert abs(complex(*map(float, off))) <= error[i, column] < 1e-18
