"""Voltage and temperature probes: leads that take nothing from a conductor on average, whose baths follow from that."""

from collections.abc import Iterable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, check_type, concrete, unknown_name, worded
from ..compiler import LIGHT
from ..numerics.dense import inverse
from ..pytrees import Table, batch_of_one, compiled
from ..solution import SolveError, Status
from .coherent import Conductor
from .landauer import Flows

STEPS = 80
SHORTEST = 1e-4
"""Steps of Newton's method, halved ones included, and to what part one may be halved."""
ENOUGH = 1e-14
SMALL = 1e-10
"""What may still flow into a probe, relative to what flows into all leads."""


@worded
def probe(
    conductor: Conductor, leads: str | Iterable[str], *, temperature: bool = False, throw: bool = True
) -> Conductor:
    """The same conductor, with the baths of some leads such that no particles flow into them: voltage probes.

    With `temperature`, no heat flows either, and the probes are voltmeters and thermometers at once. Their baths as
    given are where the search starts. What comes back is a conductor like any other; read `leads["…"].bath`. Its
    numbers have derivatives with respect to those of the conductor. (M. Büttiker, "Role of quantum coherence in series
    resistors"; H.-L. Engquist and P. W. Anderson, "Definition and measurement of the electrical and thermal
    resistances".)

    InputError: a lead that does not exist, or all leads. `SolveError` (`NOT_CONVERGED`) if no such baths are found,
    unless `throw` is false: then the baths are not numbers, as they are in batches.

    >>> import coldspot as cs
    >>> potentials = {"left": 0.4, "right": 0.0, "probe": 0.1}
    >>> leads = {name: cs.WideBandLead(0, 0.2, cs.ElectronBath(0.1, mu)) for name, mu in potentials.items()}
    >>> found = probe(cs.Conductor([[0.2]], leads), "probe")
    >>> print(f"{found.leads['probe'].bath.chemical_potential:.12f}")  # half way, by symmetry
    0.200000000000
    """
    check_type("probe", "conductor", conductor, Conductor)
    names = (leads,) if isinstance(leads, str) else tuple(leads)
    for name in names:
        if name not in conductor.leads:
            raise unknown_name("probe", "lead", str(name), conductor.leads)
    if not names or len(set(names)) == len(conductor.leads):
        raise InputError(
            f"probe: `leads` must be some leads of the conductor and not all ({', '.join(conductor.leads)}), but is "
            f"{leads!r}."
        )
    if conductor.modes is not None:
        raise InputError("probe: a conductor with `modes` has no probes here; leave them out.")
    unknowns, rest = _solved(conductor, tuple(dict.fromkeys(names)), temperature)
    left = concrete(rest)
    if throw and left is not None and not left <= SMALL:
        raise SolveError(
            f"no baths of the probes {', '.join(names)} are found (NOT_CONVERGED): {float(left):.1e} of what flows "
            "still flows into one of them; start nearer, with other baths of these leads.",
            Status.NOT_CONVERGED,
            None,
        )
    unknowns = jnp.where(rest <= SMALL, unknowns, jnp.nan)
    return _with(conductor, tuple(dict.fromkeys(names)), unknowns)


def _with(conductor: Conductor, names: tuple[str, ...], unknowns: Array) -> Conductor:
    """The conductor with these leads' potentials, and temperatures if they are given: unknowns (1 or 2, lead)."""
    leads = dict(conductor.leads)
    for k, name in enumerate(names):
        bath = eqx.tree_at(lambda b: b.chemical_potential, leads[name].bath, unknowns[0, k])
        if len(unknowns) == 2:
            bath = eqx.tree_at(lambda b: b.temperature, bath, unknowns[1, k])
        leads[name] = eqx.tree_at(lambda lead: lead.bath, leads[name], bath)
    return eqx.tree_at(lambda c: c.leads, conductor, Table(leads))


class _Search(NamedTuple):
    """Steps so far, the best place, the part of the next step that is tried, and the slopes and what flows there."""

    steps: Array
    place: Array
    length: Array
    move: Array
    slope: Array
    rest: Array


def _find(conductor: Conductor, names: tuple[str, ...], thermal: bool) -> tuple[Array, Array]:
    """Potentials and temperatures (1 or 2, lead), and what still flows into a probe, relative to all flows."""
    places = np.array([list(conductor.leads).index(name) for name in names])
    baths = [conductor.leads[name].bath for name in names]
    many = len(names)
    start = jnp.stack([b.chemical_potential for b in baths])
    if thermal:
        start = jnp.concatenate([start, jnp.log(jnp.stack([b.temperature for b in baths]))])

    def baths_at(x: Array) -> Array:
        return jnp.stack([x[:many], jnp.exp(x[many:])]) if thermal else x[None, :many]

    def flows(x: Array, of: Conductor) -> tuple[Array, Array]:
        """What flows into the probes, and the same relative to what flows into all leads."""
        found: Flows = batch_of_one(_with(of, names, baths_at(x)))._flows().value
        each = [found.particles[0]] + ([found.heats[0]] if thermal else [])
        into = jnp.concatenate([part[places] for part in each])
        size = jnp.concatenate([jnp.full(many, jnp.max(jnp.abs(part))) for part in each])
        return into, jnp.max(jnp.abs(into) / jnp.where(size > 0, size, 1.0))

    frozen = jax.lax.stop_gradient(conductor)

    def slopes(x: Array, of: Conductor) -> tuple[Array, tuple[Array, Array]]:
        def both(x: Array) -> tuple[Array, tuple[Array, Array]]:
            into, relative = flows(x, of)
            return into, (into, relative)

        return jax.jacfwd(both, has_aux=True)(x)

    def step(state: _Search) -> _Search:
        trial = state.place + state.length * state.move
        slope, (into, rest) = slopes(trial, frozen)
        good = rest < state.rest
        move = -inverse(slope) @ into
        better = _Search(state.steps + 1, trial, jnp.ones(()), move, slope, rest)
        shorter = state._replace(steps=state.steps + 1, length=state.length / 2)
        return jax.tree.map(lambda one, other: jnp.where(good, one, other), better, shorter)

    def going(state: _Search) -> Array:
        return (state.steps < STEPS) & (state.rest > ENOUGH) & (state.length > SHORTEST)

    first = _Search(
        jnp.asarray(0), start, jnp.ones(()), jnp.zeros_like(start), jnp.eye(start.size), jnp.asarray(jnp.inf)
    )
    state = jax.lax.stop_gradient(jax.lax.while_loop(going, step, jax.lax.stop_gradient(first)))
    x, matrix = state.place, state.slope
    # The last step of Newton's method carries the derivatives of the solution.
    into, rest = flows(x, conductor)
    # What touches nothing has any bath.
    rest = jnp.where(jnp.all(jnp.isfinite(inverse(matrix))), rest, jnp.nan)
    change = inverse(matrix) @ (into - jax.lax.stop_gradient(into))
    return baths_at(x - change), jax.lax.stop_gradient(rest)


_solved = compiled(_find, **LIGHT)
