"""Linear algebra on one thread: for long chains of small matrices."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

try:
    from threadpoolctl import threadpool_limits
except ImportError:
    # It only makes things quicker.
    threadpool_limits = None


def one_thread() -> AbstractContextManager[Any]:
    """NumPy's and SciPy's BLAS use one thread inside.

    Threads gain nothing on matrices of a hundred rows, and where other programs use the processors they wait for each
    other at every product: measured, a hundred times as long.
    """
    # What is loaded later would not be limited: SciPy has a BLAS of its own.
    import scipy.linalg  # noqa: F401

    return nullcontext() if threadpool_limits is None else threadpool_limits(limits=1, user_api="blas")
