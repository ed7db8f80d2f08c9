"""Energies that follow the drives linearly, as data: they sweep, differentiate and go into files."""

from collections.abc import Iterable, Mapping
from typing import Any

from jax import Array

from .._checks import Checked, InputError, Rule, Vector, as_float, check_shape, parameter
from ..compiler import plainly
from ..pytrees import Table


def _table(slopes: Any) -> Table:
    if not isinstance(slopes, Mapping) or not slopes:
        raise InputError("LinearEnergies: `slopes` must be a mapping from drives to a number for each state.")
    return Table({name: as_float(values, f"LinearEnergies: `slopes[{name!r}]`") for name, values in slopes.items()})


class LinearEnergies(Checked):
    """E_i(λ) = fixed_i + Σ_d slopes[d]_i λ_d of the drives' values λ.

    - `fixed` (state): energies without drives; `slopes`: {drive: (state)}, how each drive moves them.

    >>> import coldspot as cs
    >>> pump = cs.JumpNetwork(
    ...     energies=cs.jump.LinearEnergies([0.0, 1.0], {"gate": [0.0, 1.0]}),
    ...     baths={"left": cs.HeatBath(1.0)},
    ...     channels=[cs.Channel("left", 0, 1, cs.Glauber(0.5))],
    ...     drives={"gate": cs.Cosine(0.5)},
    ...     period=20.0,
    ... )
    >>> bool(cs.steady_state(pump).work["gate"] > 0)
    True
    """

    slopes: Table
    fixed: Vector = parameter(dimension="energy", shape=None)

    def __init__(self, fixed: Any, slopes: Mapping[str, Any]):
        self.fixed, self.slopes = as_float(fixed, "LinearEnergies: `fixed`"), _table(slopes)

    def __check_init__(self) -> None:
        if self.fixed.ndim != 1:
            raise InputError(f"LinearEnergies: `fixed` must be a list of numbers, but has shape {self.fixed.shape}.")
        for name, values in self.slopes.items():
            check_shape("LinearEnergies", f"slopes[{name!r}]", values, self.fixed.shape, "one number per state")

    def rules(self) -> Iterable[Rule]:
        for name, values in self.slopes.items():
            xp, values = plainly(values)
            yield Rule(xp.all(xp.isfinite(values)), lambda n=name, v=values: f"`slopes[{n!r}]` must be finite: {v}.")

    def __call__(self, values: Mapping[str, Any]) -> Array:
        return self.fixed + sum(slope * values[name] for name, slope in self.slopes.items())
