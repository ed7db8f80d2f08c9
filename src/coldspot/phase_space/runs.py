"""What is wrong with the functions of one known machine, in words."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import tracing
from .._checks import InputError
from ..pytrees import compiled
from ..solution import Status
from .arguments import OWNER, apart, check_borders, known, turned
from .boundaries import Open, Periodic
from .course import LOOKED_AT, Course, Lowest, missed, phases_of, warmth
from .host import ROUGH, describe
from .landscape import Landscape, hole, kind_of, sample, walled
from .terrain import Terrain
from .tide import Moved, Pieces, Tide

REASONS = {
    Status.NOT_FINITE: (
        "the potential rises by more than 1400 temperatures between places where particles are, or so often that even "
        "the coarsest mesh is larger than memory, or drives move it too far; give each well alone, a shorter domain, "
        "or smaller drives (`evolve` follows farther ones)."
    ),
    Status.NOT_CONVERGED: (
        "the finest mesh is not as exact as asked. Weak friction, steep potentials and large differences of "
        "temperature need finer ones; at very strong friction little is left of the flux but rounding (density and "
        "flux there are `problem.overdamped()`'s). Ask for a larger `tolerance`, or use `throw=False` and read `error`."
    ),
}
UNLIKE = "`potential` must be the same after one turn at all phases; a constant slope is the `load`."
STIRRED = (
    "`drives` must leave the potential at rest at open ends, since the chemical potentials of what comes in there are "
    "counted from it; let what moves vanish at `start` and `stop`, or move these outwards."
)
MISSED = 8
"""Times of a run at which a potential is looked at between its samples."""


def wrong(
    potential: Callable[..., Array],
    profiles: tuple[Any, Any, Array, Any],
    seen: Landscape,
    terrain: Terrain,
    tide: tuple[Tide | Pieces, Any] | None,
) -> str:
    """Empty if nothing is; `profiles`: friction, temperature, mass and boundary; `tide` with whether it is the same

    after a turn, or at rest at open ends.
    """
    boundary = profiles[-1]
    if not bool(seen.confined):
        place = hole(potential)
        if place is not None:
            return (
                f"`potential` is {float(potential(jnp.asarray(place)))} near x = {place:.6g}; it must be a "
                "finite number wherever particles get, and may be infinite only where a wall keeps them out."
            )
        cold = np.argwhere(~(seen.samples.temperature > 0))
        if len(cold):
            # No wall is high against what is not positive.
            value, x = seen.samples.temperature[tuple(cold[0])], terrain.place(*cold[0].tolist())
            return f"`temperature` must be positive everywhere, but is {value:g} near x = {x:.6g}."
        return (
            "`potential` does not confine the particle: it escapes to infinity. Give Open or Periodic ends, walls "
            "with Closed(start, stop), or a potential that rises on both sides."
        )
    if not bool(seen.periodic):
        for name, profile in zip(("friction", "temperature"), profiles, strict=False):
            if words := apart(name, profile, getattr(seen.samples, name), boundary):
                return words
        if np.isfinite(seen.samples.potential).all():
            return turned(potential, np.ravel(seen.places), boundary)
    if tide is not None and not bool(tide[1]):
        return STIRRED if isinstance(boundary, Open) else UNLIKE
    return describe(seen.samples, terrain, None if tide is None else tide[0])


def reference_of(potential: Any, temperature: Any) -> Any:
    """What densities of a steady or periodic state are divided by: a potential at rest, its mean over the period, or

    where drives jump or have kinks that of `Lowest`.
    """
    if not isinstance(potential, Moved) or not potential.pieced:
        return potential
    return Lowest(potential, potential.middles(), warmth(temperature))


def beside(moved: Moved, temperature: Any, places: Array, boundary: Any) -> tuple[Tide | Pieces, Array]:
    """What moves beside the reference, and whether it is the same after a turn, or at rest at open ends."""
    same = jnp.asarray(True)
    if isinstance(boundary, Periodic):
        same = moved.same(places, places + boundary.length)
    if isinstance(boundary, Open):
        same = moved.still(jnp.stack([boundary.start, boundary.stop]))
    if moved.pieced:
        return moved.pieces(places, reference_of(moved, temperature)), same
    return tracing.called(moved.sampled, places), same


beside_one = compiled(beside)
"""The same of one known point, in one program and not in one for each operation."""


def narrowed(landscape: Landscape, moved: Any) -> Landscape:
    """With what is missed between the samples at some phases of a periodic potential, too, of one that drives move."""
    if not isinstance(moved, Moved):
        return landscape
    phases = moved.middles() if moved.pieced else jnp.asarray(2 * np.pi * (np.arange(MISSED) + 0.5) / MISSED)
    seen = jax.lax.map(lambda phase: missed(moved, landscape.places, phase), phases)
    samples = landscape.samples
    known = samples.missed.at[0].max(jnp.max(seen, axis=0))  # type: ignore[union-attr]
    return landscape._replace(samples=samples._replace(missed=known))


def run_of(verb: str, moved: Moved, profiles: tuple[Any, Any, Array, Any], stop: float) -> tuple[Course, Terrain]:
    """What drives do from time 0 to `stop`, and the terrain in which a density follows; what is wrong is refused.

    `verb`: who asks; `profiles`: friction, temperature, mass and boundary.
    """
    friction, temperature, mass, boundary = profiles
    last = float(moved.frequency) * stop
    check_borders(verb, moved.drives, last)
    low = Lowest(moved, jnp.asarray(phases_of(last)), warmth(temperature))
    sampled = tracing.called(_sampled, low, friction, temperature, mass, boundary)
    seen = jax.tree.map(known, sampled)
    terrain = Terrain(seen.samples, kind_of(boundary), walled(boundary))
    words = wrong(low, profiles, seen, terrain, None)
    course = Course(moved, low, sampled.places, stop)
    if not words:
        times = np.linspace(0.0, stop, LOOKED_AT)
        heights = course.heights(times)
        if not np.isfinite(heights).all():
            bad = np.argwhere(~np.isfinite(heights))[0]
            place, time = terrain.place(*bad[1:].tolist()), times[bad[0]]
            words = f"`potential` is not a finite number near x = {place:.6g} at time {time:.6g}."
        elif isinstance(boundary, Periodic) and not bool(moved.same(sampled.places, sampled.places + boundary.length)):
            words = UNLIKE
        elif isinstance(boundary, Open) and not bool(moved.still(jnp.stack([boundary.start, boundary.stop]))):
            words = STIRRED
        else:
            rough, place = terrain.tail(heights)
            narrow = course.missed(times[:: LOOKED_AT // MISSED]) / terrain.coldest
            if max(rough, narrow) > ROUGH:
                words = (
                    f"`potential` is not smooth, near x = {place:.6g} perhaps, or too narrow somewhere for the panels, "
                    f"at some time (to {max(rough, narrow):.0e}); round it off."
                )
    if words:
        raise InputError(f"{OWNER}: {words}")
    return course, terrain


@compiled
def _sampled(potential: Any, friction: Any, temperature: Any, mass: Array, boundary: Any) -> Landscape:
    return sample(potential, friction, temperature, mass, boundary)
