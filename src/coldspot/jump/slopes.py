"""What drives do to the energies of a network at one phase."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ..drives import Drive
from ..numerics.held import held


def drive_terms(
    energies: Callable[[Any], Array], drives: Mapping[str, Drive], phase: Any, values: Any, start: Any
) -> dict[str, Array]:
    """`slopes`, `gains` and `rest` of a snapshot (see `graph.Snapshot`), by forward differentiation of the energies.

    `values` of the drives at the phase, and `start`, where the period begins: by name, or one without a name.
    """
    named, beginning = isinstance(values, dict), energies(start)
    found: dict[str, list[Array]] = {"slopes": [], "gains": [], "rest": []}
    for name, drive in drives.items():
        speed = held(jax.jvp(drive, (phase,), (jnp.ones_like(phase),))[1])
        alone: Any = start | {name: values[name]} if named else values
        direction: Any = {n: speed if n == name else jnp.zeros_like(v) for n, v in values.items()} if named else speed
        level, own = jax.jvp(energies, (alone,), (direction,))
        # The only drive is always alone.
        slope = own if len(drives) == 1 else jax.jvp(energies, (values,), (direction,))[1]
        found["slopes"].append(slope)
        found["gains"].append(level - beginning)
        found["rest"].append(slope - own)
    return {term: jnp.stack(rows) for term, rows in found.items()}
