"""Crossings of curves, to rounding."""

import numpy as np
import pytest

from coldspot.reproduction.crossings import crossings


def test_crossings_find_zeros_to_rounding():
    x = np.linspace(0.0, 7.0, 400)
    assert crossings(np.cos, x, np.cos(x), 400) == pytest.approx([np.pi / 2, 3 * np.pi / 2], rel=1e-15, abs=0)
    on_a_point = np.linspace(-2.0, 2.0, 401)
    assert crossings(np.sin, on_a_point, np.sin(on_a_point), 401) == pytest.approx([0.0], abs=1e-14)
    assert crossings(np.cosh, x, np.cosh(x), 400) == []
