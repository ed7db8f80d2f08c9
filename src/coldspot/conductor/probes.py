"""Voltage and temperature probes: leads that take nothing from a conductor on average, whose baths follow from that."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, check_type, concrete, unknown_name, worded
from ..compiler import LIGHT
from ..numerics.dense import EPS, inverse
from ..occupation import fermi
from ..pytrees import Table, batch_of_one, compiled
from ..solution import SolveError, Status
from .coherent import Conductor
from .green_functions import Contacts, transmissions
from .landauer import Energies, Flows, baths_of, gaps, over_window
from .long_devices import check_size

STEPS = 80
SHORTEST = 1e-4
"""Steps of Newton's method from one start, halved ones included, and to what part one may be halved."""
ENOUGH = 1e-14
SMALL = 1e-10
"""What may still flow into a probe, relative to what flows into all leads."""

INVERTED = 1e3
"""A probe that seeks a temperature of so many of those of all leads, biases included, finds none."""


@worded
def probe(
    conductor: Conductor, leads: str | Iterable[str], *, temperature: bool = False, throw: bool = True
) -> Conductor:
    """The same conductor, with the baths of some leads such that no particles flow into them: voltage probes.

    With `temperature`, no heat flows either, and the probes are voltmeters and thermometers at once. Their baths as
    given are where the search starts; from where it does not arrive, it starts once more, between all other leads.
    Electrons that are inverted, with upper states fuller than lower ones, have no temperature (A. Shastry and C. A.
    Stafford, "Temperature and voltage measurement in quantum systems far from equilibrium"). What comes back is a
    conductor like any other; read `leads["…"].bath`. Its numbers have derivatives with respect to those of the
    conductor. (M. Büttiker, "Role of quantum coherence in series resistors"; H.-L. Engquist and P. W. Anderson,
    "Definition and measurement of the electrical and thermal resistances".)

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
        if not np.isfinite(left):
            why = (
                "no bath of one of them changes what flows into it (does it touch what carries the currents?), or the "
                "integrals are not numbers, or have features that are too many or too narrow to be resolved."
            )
        elif temperature and np.max(unknowns[1]) > INVERTED * np.exp(_between(conductor, names, True)[-1]):
            why = (
                f"a temperature grows without limit, beyond {float(np.max(unknowns[1])):.1e}: the electrons there are "
                "inverted, with upper states fuller than lower ones, as at no temperature; ask for potentials alone, "
                "or lower the bias."
            )
        else:
            why = (
                f"{float(left):.1e} of what flows still flows into one of them; start nearer, with other baths of "
                "these leads."
            )
        raise SolveError(
            f"no baths of the probes {', '.join(names)} are found (NOT_CONVERGED): {why}",
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
    """Starts and steps so far, the best place, the part of the next step that is tried, the slopes and what flows.

    What flows into the probes is `left`, by which steps are judged, as an amount of particles, and `rest`, relative to
    all flows: the largest of those may be that of a probe, wherever it is.
    """

    starts: Array
    steps: Array
    place: Array
    length: Array
    move: Array
    slope: Array
    rest: Array
    left: Array


def _find(conductor: Conductor, names: tuple[str, ...], thermal: bool) -> tuple[Array, Array]:
    """Potentials and temperatures (1 or 2, lead), and what still flows into a probe, relative to all flows."""
    baths = [conductor.leads[name].bath for name in names]
    start = jnp.stack([b.chemical_potential for b in baths])
    if thermal:
        start = jnp.concatenate([start, jnp.log(jnp.stack([b.temperature for b in baths]))])
    frozen = jax.lax.stop_gradient(conductor)
    between = _between(frozen, names, thermal)
    # A particle carries about as much energy.
    scale = jnp.where(np.arange(start.size) < len(names), 1.0, jnp.exp(between))

    def from_(start: Array, starts: int) -> _Search:
        nowhere = jnp.asarray(jnp.inf)
        return _Search(
            jnp.asarray(starts),
            jnp.asarray(0),
            start,
            jnp.ones(()),
            jnp.zeros_like(start),
            jnp.eye(start.size),
            nowhere,
            nowhere,
        )

    def going(state: _Search) -> Array:
        return (state.steps < STEPS) & (state.rest > ENOUGH) & (state.length > SHORTEST)

    def step(state: _Search) -> _Search:
        trial = _moved(state.place, state.length * state.move, len(names))
        into, slope, rest = _into(_at(frozen, names, trial), names, between)
        left = jnp.max(jnp.abs(into) / scale)
        good = (left < state.left) & ~jnp.isnan(rest)
        move = -inverse(slope) @ into
        better = state._replace(
            steps=state.steps + 1, place=trial, length=jnp.ones(()), move=move, slope=slope, rest=rest, left=left
        )
        shorter = state._replace(steps=state.steps + 1, length=state.length / 2)
        after = jax.tree.map(lambda one, other: jnp.where(good, one, other), better, shorter)
        # Where rounding alone ends the search it has arrived.
        lost = ~((after.rest <= SMALL) | going(after)) & (after.starts == 1)
        return jax.tree.map(lambda one, other: jnp.where(lost, one, other), from_(between, 2), after)

    first = from_(start, 1)
    state = jax.lax.stop_gradient(jax.lax.while_loop(going, step, jax.lax.stop_gradient(first)))
    x, back = state.place, inverse(state.slope)
    # What touches nothing has any bath.
    rest = jnp.where(jnp.all(jnp.isfinite(back)), state.rest, jnp.nan)
    change = _change(conductor, x, names, thermal)
    if thermal:
        particles, heats = change.reshape(2, -1)
        change = jnp.concatenate([particles, heats + (x - between)[: len(names)] * particles])
    found = x - back @ change
    return _baths(found, len(names)), rest


def _between(conductor: Conductor, names: tuple[str, ...], thermal: bool) -> Array:
    """The bath that has the mean charge and energy of all other leads, for each of the probes, as unknowns."""
    others = np.array([name not in names for name in conductor.leads])
    potentials, temperatures = (part[others] for part in baths_of(conductor.leads))
    mean = jnp.mean(potentials)
    hot = jnp.sqrt(jnp.mean(temperatures**2 + 3 * ((potentials - mean) / np.pi) ** 2))
    return jnp.repeat(jnp.stack([mean, jnp.log(hot)] if thermal else [mean]), len(names))


def _moved(x: Array, move: Array, many: int) -> Array:
    """The unknowns after a step, which is one of μ/T and 1/T; no numbers beyond T = ∞.

    In these what flows into a probe is the slope of a convex function, so that steps do not get lost far away.
    """
    if x.size == many:
        return x + move
    (potential, hot), (shift, growth) = x.reshape(2, many), move.reshape(2, many)
    return jnp.concatenate([(potential + shift - potential * growth) / (1 - growth), hot - jnp.log(1 - growth)])


def _baths(x: Array, many: int) -> Array:
    """Potentials, and temperatures of their logarithms (1 or 2, lead)."""
    return jnp.stack([x[:many], jnp.exp(x[many:])]) if x.size > many else x[None]


def _at(conductor: Conductor, names: tuple[str, ...], x: Array) -> Conductor:
    return _with(conductor, names, _baths(x, len(names)))


def _into(conductor: Conductor, names: tuple[str, ...], between: Array) -> tuple[Array, Array, Array]:
    """Particles into the probes, and energy; their slopes in potentials, and in ln T; the largest of particles and heat
    relative to all flows.

    With D_αp = ∂f_p/∂μ_p (δ_αp Σ_β T_αβ − T_αp) the slopes are ∫dε/2π D, with ε − μ_p of ln T. Energies are measured
    from a potential that stays the same, which `between` begins with.
    """
    thermal = between.size > len(names)
    own = np.array([list(conductor.leads).index(name) for name in names])
    potentials, temperatures = baths_of(conductor.leads)
    many, probes = len(conductor.leads), len(names)

    def integrand(c: Contacts, seen: Energies) -> tuple[Array, Array]:
        values, errors = transmissions(c)
        off = 1.0 - np.eye(many)[..., None]
        gap = gaps(potentials, temperatures, seen) * off
        flow, noise = jnp.sum(values * gap, axis=1), jnp.sum((errors + 16 * EPS * values) * jnp.abs(gap), axis=1)
        x, above = seen.reduced[own], seen.above[own]
        steep = fermi(x) * fermi(-x) / temperatures[own, None]
        all_ = jnp.sum(values * off, axis=1)[own]
        d = (jnp.eye(probes)[..., None] * all_[:, None] - (values * off)[own[:, None], own]) * steep
        parts = [d] if not thermal else [d, d * above, above[:, None] * d, above[:, None] * d * above]
        slopes = jnp.concatenate([part.reshape(-1, x.shape[-1]) for part in parts])
        found = jnp.concatenate([flow, flow * seen.above, slopes])
        return found / (2 * jnp.pi), jnp.concatenate([noise, noise * jnp.abs(seen.above), EPS * jnp.abs(slopes)])

    kinds = 4 if thermal else 1
    check_size(conductor.sites, conductor.cut)
    known = conductor.slices()
    matrix = conductor.matrix if known is None else known
    whole, unique, good = over_window(matrix, conductor.leads, integrand, 2 * many + kinds * probes**2)
    particles, heats = whole.value[:many], whole.value[many : 2 * many]
    parts = whole.value[2 * many :].reshape(kinds, probes, probes)
    into, slope = particles[own], parts[0]
    if thermal:
        above = (potentials[own] - between[0])[:, None]
        slope = jnp.block([[parts[0], parts[1]], [parts[2] + above * parts[0], parts[3] + above * parts[1]]])
        into = jnp.concatenate([into, heats[own]])
    sizes = jnp.repeat(jnp.stack([jnp.max(jnp.abs(part)) for part in (particles, heats)]), probes)[: into.size]
    rest = jnp.max(jnp.abs(into) / jnp.where(sizes > 0, sizes, 1.0))
    if thermal:
        into = into.at[probes:].add(above[:, 0] * into[:probes])
    return into, slope, jnp.where(unique & good & whole.converged, rest, jnp.nan)


@eqx.filter_custom_jvp
def _change(conductor: Conductor, x: Array, names: tuple[str, ...], thermal: bool) -> Array:
    """By how much what flows into the probes at x differs from what does: 0, which has the derivatives of that."""
    return jnp.zeros_like(x)


@_change.def_jvp
def _change_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (conductor, x, names, thermal), (moved, *_) = primals, tangents
    own = np.array([list(conductor.leads).index(name) for name in names])

    def flows(of: Conductor) -> Array:
        found: Flows = batch_of_one(_at(of, names, x))._flows().value
        return jnp.concatenate([part[0, own] for part in ((found.particles, found.heats) if thermal else found[:1])])

    _, change = eqx.filter_jvp(flows, (conductor,), (moved,))
    return jnp.zeros_like(x), change


_solved = compiled(_find, **LIGHT)
