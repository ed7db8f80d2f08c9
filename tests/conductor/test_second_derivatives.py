"""Second derivatives of the closed form, forwards over backwards, alone and in batches."""

import jax
import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot.compiler import LIGHT
from coldspot.pytrees import batch_of_one
from tests.conductor.scattering import fermi
from tests.tolerance import assert_close


def particles(v):
    """From one of two leads through one level, by its energy and one level width."""
    leads = {
        "left": cs.WideBandLead(0, v[1], cs.ElectronBath(0.3, 0.2)),
        "right": cs.WideBandLead(0, 0.3, cs.ElectronBath(0.2, -0.1)),
    }
    return batch_of_one(cs.Conductor(v[0].reshape(1, 1) + 0j, leads))._flows().value.particles[0, 0]


def test_a_hessian_alone_and_in_a_batch_is_that_of_the_integral():
    points = jnp.array([[0.3, 0.4], [0.1, 0.7]])
    many, one = (
        jax.jit(function, compiler_options=LIGHT)
        for function in (jax.vmap(jax.hessian(particles)), jax.hessian(particles))
    )
    found = np.asarray(many(points))
    assert_close(one(points[0]), found[0], 1e-14, 0.1)
    # The trapezoidal rule, of second derivatives of T = gb/|x + i(g+b)/2|² that are written out.
    energies = np.linspace(-9.0, 9.0, 3601)
    gap = (fermi((energies - 0.2) / 0.3) - fermi((energies + 0.1) / 0.2)) * (energies[1] - energies[0]) / (2 * np.pi)
    for k, (level, g) in enumerate(np.asarray(points)):
        b, x = 0.3, energies - level
        s, n = g + b, x**2 + (g + b) ** 2 / 4
        by_level = g * b * (8 * x**2 / n**3 - 2 / n**2)
        mixed = b * (2 * x / n**2) - g * b * (2 * x * s / n**3)
        by_width = -b * s / n**2 - g * b * (1 / (2 * n**2) - s**2 / (2 * n**3))
        expected = [[gap @ by_level, gap @ mixed], [gap @ mixed, gap @ by_width]]
        assert_close(found[k], expected, 1e-12, 0.1)
