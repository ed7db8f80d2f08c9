"""Programs of tests that run for longer than it takes to optimise them.

Others are not optimised at all: `conftest` sees to that.
"""

import importlib

import pytest

from coldspot import dynamics
from coldspot.pytrees import compiled
from coldspot.tiers import Tiers

OPTIONS = {"xla_backend_optimization_level": 2, "xla_disable_hlo_passes": ""}


def optimised(way):
    """A compiled function, or tiers of such, with programs of its own."""
    if isinstance(way, Tiers):
        return way._replace(attempts=tuple(map(optimised, way.attempts)), solve=optimised(way.solve))
    return compiled(way.__wrapped__, **OPTIONS)


def optimise(patch: pytest.MonkeyPatch) -> None:
    """Let `steady_state` and `sweep` have such programs until the patch is undone."""
    patch.setattr(dynamics, "_solve_one", optimised(dynamics._solve_one))
    sweep = importlib.import_module("coldspot.sweep")  # beside the function of that name
    for name in ("solve_chunk", "solve_few"):
        patch.setattr(sweep, name, optimised(getattr(sweep, name)))
