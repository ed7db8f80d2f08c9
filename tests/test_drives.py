"""Drives: their values, their derivatives, and that the three kinds describe the same function."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from tests.tolerance import assert_close

PHASES = np.linspace(-7.0, 7.0, 41)


_values = eqx.filter_jit(lambda drive: jax.vmap(drive)(jnp.asarray(PHASES)))
_slopes = eqx.filter_jit(lambda drive: jax.vmap(jax.grad(drive))(jnp.asarray(PHASES)))


def values(drive):
    return np.asarray(_values(drive))


def slopes(drive):
    return np.asarray(_slopes(drive))


def test_cosine():
    drive = cs.Cosine(0.25, phase=2.2, mean=-1.0)
    assert_close(values(drive), -1 + 0.25 * np.cos(PHASES + 2.2), 1e-15)
    assert_close(slopes(drive), -0.25 * np.sin(PHASES + 2.2), 2e-15)


def test_fourier():
    drive = cs.Fourier([1.0, 0.5, 0.0], [0.0, -0.25, 0.125], mean=3.0)
    expected = 3 + np.cos(PHASES) + 0.5 * np.cos(2 * PHASES) - 0.25 * np.sin(2 * PHASES) + 0.125 * np.sin(3 * PHASES)
    assert_close(values(drive), expected, 2e-15)


@pytest.mark.parametrize("count", [2, 3, 4, 7, 8, 16])
def test_samples_pass_through_their_points(count):
    given = np.random.default_rng(count).normal(size=count)
    drive = cs.Samples(given)
    at = 2 * np.pi * np.arange(count) / count
    assert_close([drive(jnp.asarray(x)) for x in at], given, 1e-15 * count)


@pytest.mark.parametrize("count", [7, 8])
def test_samples_of_a_resolved_function_are_that_function(count):
    fourier = cs.Fourier([1.0, -0.5], [0.25, 0.125], mean=0.5)
    at = 2 * np.pi * np.arange(count) / count
    samples = cs.Samples([float(fourier(jnp.asarray(x))) for x in at])
    assert_close(values(samples), values(fourier), 1e-14)
    assert_close(slopes(samples), slopes(fourier), 4e-14)


def test_kinds_give_the_same_machine():
    """The same field as a cosine and as samples: the same ledger."""

    def network(drive):
        return cs.JumpNetwork(
            energies=_level,
            occupations=[0, 1],
            baths={"left": cs.ElectronBath(1.0), "right": cs.ElectronBath(0.7, 0.1)},
            channels=[cs.Channel("left", 0, 1, cs.Tunnelling(1.0)), cs.Channel("right", 0, 1, cs.Tunnelling(0.3))],
            drives={"gate": drive},
            period=7.0,
        )

    at = 2 * np.pi * np.arange(8) / 8
    drives = [
        cs.Cosine(0.5, phase=0.3, mean=0.2),
        cs.Samples(0.2 + 0.5 * np.cos(at + 0.3)),
    ]
    first, other = (cs.steady_state(network(d)) for d in drives)
    assert_close(other.heat.array, first.heat.array, 1e-12)
    assert_close(other.work["gate"], first.work["gate"], 1e-12)


def _level(values):
    return jnp.stack([jnp.zeros(()), values["gate"]])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cs.Cosine(np.nan), ["Cosine", "amplitude", "nan"]),
        (lambda: cs.Cosine(1.0, np.inf), ["Cosine", "phase", "inf"]),
        (lambda: cs.Cosine("big"), ["big"]),
        (lambda: cs.Fourier([1.0, 2.0], [1.0]), ["Fourier", "cosines", "sines", "(2,)", "(1,)"]),
        (lambda: cs.Fourier([np.inf], [1.0]), ["Fourier", "cosines", "inf"]),
        (lambda: cs.Samples([1.0]), ["Samples", "values", "(1,)"]),
        (lambda: cs.Samples([1.0, np.nan]), ["Samples", "values", "nan"]),
    ],
)
def test_bad_drives_are_named(make, words):
    with pytest.raises(cs.InputError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)
