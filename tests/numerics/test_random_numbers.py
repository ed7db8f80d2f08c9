"""Random numbers against the generator's published answers and the normal distribution."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from coldspot.numerics import random_numbers as noise


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_generator_gives_the_published_words(counter, key, words):
    """Known answers of Philox4x32-10 that its authors publish."""
    given = tuple(jnp.uint64(c) for c in counter), tuple(jnp.uint64(k) for k in key)
    assert tuple(int(w) for w in noise.philox(*given)) == words


def test_box_muller_is_accurate():
    words = np.random.default_rng(0).integers(0, 2**64, 200_000, dtype=np.uint64)
    words[:4] = 0, 2**64 - 1, 2**24 - 1, (2**40 - 1) << 24
    first, second = (np.asarray(z) for z in jax.jit(noise.box_muller)(words))
    uniform = ((words >> np.uint64(24)).astype(float) + 0.5) / 2**40
    radius = np.sqrt(-2 * np.log(uniform))
    assert np.max(np.abs(np.hypot(first, second) / radius - 1)) < 1e-11
    # The angle: a quarter of the circle to each side of the second axis, as bits 0–22 say; bit 23: half a turn.
    angle = ((words & np.uint64(2**23 - 1)).astype(float) + 0.5) / 2**22 - 1
    sign = np.where((words >> np.uint64(23)) & np.uint64(1), math.pi, 0.0)
    found = np.arctan2(first, second)
    turns = (found - sign - angle * math.pi / 2) / (2 * math.pi)
    assert np.max(np.abs(turns - np.round(turns))) < 1e-11


@pytest.fixture(scope="module")
def sample():
    """Half a million numbers: (coordinate, block, step, lane)."""
    draw = jax.jit(lambda block: noise.normals(jnp.array([7, 11], jnp.uint32), 0, jnp.arange(4096), block, 8))
    return np.stack([np.stack(draw(block)) for block in range(4)], axis=1)


def test_normal_numbers_are_normal(sample):
    z = sample.ravel()
    n = z.size
    for order in range(1, 9):
        mean = 0.0 if order % 2 else special.factorial2(order - 1)
        square = special.factorial2(2 * order - 1)
        assert abs(np.mean(z**order) - mean) < 4 * math.sqrt((square - mean**2) / n), order
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert stats.kstest(stats.norm.cdf(z) * 2**16 % 1, "uniform").pvalue > 1e-3
    for far in (3.0, 4.0, 4.8):
        expected = n * 2 * stats.norm.sf(far)
        assert abs(np.sum(np.abs(z) > far) - expected) < 4 * math.sqrt(expected), far


def test_neighbouring_counters_are_independent(sample):
    """No correlation of values, squares or signs of tails between coordinates, steps, blocks and lanes."""
    for shift in itertools.product((0, 1), (0, 1), (0, 1, 3), (0, 1, 2, 64)):
        if not any(shift):
            continue
        one = sample[tuple(slice(s, None) for s in shift)]
        other = sample[tuple(slice(None, size - s) for s, size in zip(shift, sample.shape, strict=True))]
        for f in (lambda z: z, lambda z: (z**2 - 1) / math.sqrt(2), lambda z: z**3 / math.sqrt(15)):
            product = f(one) * f(other)
            assert abs(product.mean()) < 4.5 * product.std() / math.sqrt(product.size), shift


def test_streams_keys_and_blocks_differ():
    lanes = jnp.arange(8)
    drawn = jax.jit(lambda key, stream, block: noise.normals(key, stream, lanes, block, 1), static_argnums=1)
    draws = [
        np.asarray(drawn(np.array(key, np.uint32), stream, block)).ravel()
        for key, stream, block in itertools.product(([0, 0], [0, 1], [1, 0]), (0, 1), (0, 1))
    ]
    assert np.unique(np.concatenate(draws)).size == sum(d.size for d in draws)
