"""Comparing arrays on the scale of what is compared."""

from typing import Any

import numpy as np


def assert_close(found: Any, expected: Any, relative: float, scale: Any = None) -> None:
    """No entry is further off than `relative` of the scale: the largest entry that is expected, or the given `scale`.

    An entry that cancels to nearly nothing is compared with what it is made of, not with itself.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    size = np.max(np.abs(expected)) if scale is None else np.asarray(scale)
    off = np.abs(found - expected)
    assert off.shape == expected.shape
    assert np.all(off <= relative * size), f"off by {np.max(off / size):.1e} of the scale, {relative:.1e} are allowed"
