"""Linear response: the Onsager matrix of any machine, by differentiating its ledger about its own equilibrium.

With all baths at one temperature T and all leads at one chemical potential μ nothing flows. Small changes of single
baths make heats and particles flow, and

    flux_a = Σ_b L_ab X_b,      X = δT_b/T² beside the heat of bath b,  δμ_b/T beside its particles,

so that the entropy production is σ = Σ_ab X_a L_ab X_b. L is symmetric (L. Onsager, "Reciprocal relations in
irreversible processes"), unless a magnetic flux tells the motion from its reverse; and a change that all baths share
makes nothing flow, nor does anything get lost: how well all this holds is the error.
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ._attributes import Spoken
from ._checks import InputError, Values, as_float, unknown_name, worded
from .baths import Bath
from .dataset import Variable, provenance, to_dataset
from .dynamics import TOLERANCE, Dynamics, as_dynamics, checked_tolerance, conclude, explained, is_traced, with_rules
from .numerics.dense import EPS
from .onsager import exact, opened
from .pytrees import batch_of_one, compiled, refreshed
from .solution import STATELESS, SolveError, Status, plain, status_variable
from .tiers import Tiers


class Entry(NamedTuple):
    """A flux: "heat" or "particles" of a bath; its force is a change of the bath's temperature or potential."""

    quantity: str
    bath: str


OF_TWO_LEADS = {
    "conductance": "conductance",
    "seebeck": "Seebeck coefficient",
    "peltier": "Peltier coefficient",
    "thermal_conductance": "thermal conductance",
    "figure_of_merit": "figure of merit ZT",
}
"""What linear response between two electron leads is called."""
UNITS = dict(zip(OF_TWO_LEADS, ("e**2/hbar", "k_B/e", "E/e", "k_B*E/hbar", "1"), strict=True))


class Response(Spoken, eqx.Module):
    """Linear response about equilibrium.

    - `entries`: the fluxes, ("heat", bath) of every bath and ("particles", bath) of those that exchange particles;
    - `onsager` L (entry, entry), its `errors`, and a `status`: for forces δT_b/T² and δμ_b/T;
    - `derivatives` (entry, entry): ∂flux_a/∂T_b in the columns of heats, ∂flux_a/∂μ_b in those of particles;
    - `second` (entry, entry, entry): second derivatives in the same variables, or None;
    - `temperature`, `chemical_potential` of the equilibrium.
    """

    entries: tuple[Entry, ...] = eqx.field(static=True)
    electrons: tuple[str, ...] = eqx.field(static=True)
    onsager: Values
    errors: Values
    derivatives: Values
    second: Values | None
    temperature: Values
    chemical_potential: Values
    status: Values

    @property
    def ok(self) -> Values:
        return self.status == int(Status.OK)

    def coefficient(self, flux: tuple[str, str], force: tuple[str, str]) -> Values:
        """One entry of L: `coefficient(("heat", "left"), ("particles", "right"))`."""
        return self.onsager[..., self._place(flux), self._place(force)]

    def _place(self, entry: Any) -> int:
        if entry not in self.entries:
            raise unknown_name("linear_response", "entry", " ".join(entry), [" ".join(e) for e in self.entries])
        return self.entries.index(Entry(*entry))

    def between(self, one: str, other: str) -> "Response":
        """The response of two baths while all others are open: nothing flows into them on average.

        Their temperatures and potentials follow, so that they are probes (M. Büttiker, "Role of quantum coherence in
        series resistors"), and only the differences of the two count: L_kk − L_ko L_oo⁻¹ L_ok of the entries k that are
        kept and the open ones o. Without second derivatives. The conductance, ZT and so on of two leads beside others,
        or beside phonons that take no heat, are those of `between`. A bath that exchanges nothing counts as absent.

        The status is `NOT_UNIQUE` if open baths touch nothing but each other, and `NOT_CONVERGED` if errors exceed the
        `tolerance` that verbs have by default, since those of the open baths weigh more.

        InputError: a bath that does not exist.

        >>> import coldspot as cs
        >>> leads = {name: cs.WideBandLead(0, 0.2, cs.ElectronBath(1e-3)) for name in ("left", "right", "probe")}
        >>> response = cs.linear_response(cs.Conductor([[0.0]], leads))
        >>> direct = response.coefficient(("particles", "left"), ("particles", "right"))
        >>> print(f"{response.between('left', 'right').onsager[1, 3] / direct:.6f}")  # and half as much by the probe
        1.500000
        """
        names = self._names()
        for name in (one, other):
            if name not in names:
                raise unknown_name("between", "bath", str(name), names)
        if one == other:
            raise InputError(f"between: the two baths must be different, but both are {one!r}.")
        numbers = (self.onsager, self.errors, self.temperature, self.status)
        inside = tuple(entry.bath in (one, other) for entry in self.entries)
        onsager, errors, derivatives, status = _opened(*map(jnp.asarray, numbers), self.entries, inside)
        return Response(
            tuple(entry for entry, kept in zip(self.entries, inside, strict=True) if kept),
            tuple(name for name in self.electrons if name in (one, other)),
            onsager,
            errors,
            derivatives,
            None,
            self.temperature,
            self.chemical_potential,
            status,
        )

    def _names(self) -> list[str]:
        """The baths."""
        return [entry.bath for entry in self.entries if entry.quantity == "heat"]

    @property
    def _has_two_leads(self) -> bool:
        return len(self.electrons) == 2 and len(self.entries) == 4

    def _two_leads(self, what: str) -> tuple[Values, Values, Values, Values]:
        """∂J/∂μ, ∂J/∂T, ∂Q/∂μ, ∂Q/∂T of the first of two leads."""
        if not self._has_two_leads:
            baths = ", ".join(self._names())
            some = [repr(name) for name in self.electrons[:2]]
            more = f" `.between({', '.join(some)})` has it with the others open." if len(some) == len("LR") else ""
            raise InputError(
                f"{what}: it is defined between two electron leads alone, but the baths are: {baths}.{more}"
            )
        heat, particles = (self._place((q, self.electrons[0])) for q in ("heat", "particles"))
        d = self.derivatives
        pairs = ((particles, particles), (particles, heat), (heat, particles), (heat, heat))
        return d[..., *pairs[0]], d[..., *pairs[1]], d[..., *pairs[2]], d[..., *pairs[3]]

    @property
    def conductance(self) -> Values:
        """G = ∂J/∂μ: particles per bias (e = 1) between two electron leads."""
        return self._two_leads("conductance")[0]

    @property
    def seebeck(self) -> Values:
        """S = −(∂J/∂T)/(∂J/∂μ), the voltage of the open circuit per temperature difference; negative for a level

        above the chemical potential, since electrons have the charge −e.
        """
        bias, gradient, _, _ = self._two_leads("seebeck")
        return -gradient / bias

    @property
    def peltier(self) -> Values:
        """Π, the heat that the electric current carries per charge, T·S."""
        bias, _, carried, _ = self._two_leads("peltier")
        return -carried / bias

    @property
    def thermal_conductance(self) -> Values:
        """κ = ∂Q/∂T with the circuit open (no particles flow); zero where heat flows with particles alone.

        It is a difference, and counts as zero where it does not exceed `thermal_conductance_error`, as rates do.
        """
        found, error = self._open_circuit("thermal_conductance")
        return jnp.where(abs(found) > error, found, 0.0)

    @property
    def thermal_conductance_error(self) -> Values:
        """By how much κ may be off; the largest that it can be where it counts as zero."""
        return self._open_circuit("thermal_conductance_error")[1]

    @property
    def figure_of_merit(self) -> Values:
        """ZT = G S² T/κ; infinite where κ counts as zero: it does not exceed its error (tight coupling)."""
        return self.conductance * self.seebeck**2 * self.temperature / self.thermal_conductance

    def _open_circuit(self, what: str) -> tuple[Values, Values]:
        """κ as the difference that it is, and its error."""
        bias, gradient, carried, direct = self._two_leads(what)
        heat, particles = (self._place((q, self.electrons[0])) for q in ("heat", "particles"))
        of, t = self.errors, self.temperature
        doubts = of[..., particles, particles] / t, of[..., particles, heat] / t**2, of[..., heat, particles] / t
        factors = abs(carried * gradient / bias**2), abs(carried / bias), abs(gradient / bias)
        error = of[..., heat, heat] / t**2 + sum(f * d for f, d in zip(factors, doubts, strict=True))
        return direct - carried * gradient / bias, error

    def __repr__(self) -> str:
        if isinstance(self.status, jax.core.Tracer) or np.ndim(self.status):
            points = "traced" if isinstance(self.status, jax.core.Tracer) else f"{np.shape(self.status)} points"
            return f"Response({points}; {len(self.entries)} entries)"
        names = [" ".join(e) for e in self.entries]
        width = max(map(len, names))
        rows = [
            f"{name:<{width}}  " + "  ".join(f"{x:>12.5g}" for x in row)
            for name, row in zip(names, np.asarray(self.onsager), strict=True)
        ]
        state = Status(int(self.status)).name
        place = f"T = {float(self.temperature):g}, μ = {float(self.chemical_potential):g}"
        return "\n".join([f"Onsager matrix at {place}", *rows, *self._between_leads(), f"status {state}"])

    def _between_leads(self) -> list[str]:
        """What two leads have, in lines."""
        if not self._has_two_leads or not bool(self.ok):
            return []
        width = max(map(len, OF_TWO_LEADS.values()))
        with np.errstate(divide="ignore", invalid="ignore"):
            return [f"{words:<{width}}  {float(getattr(self, name)):.5g}" for name, words in OF_TWO_LEADS.items()]

    def labels(self) -> dict[str, tuple[Any, ...]]:
        names = tuple(" ".join(e) for e in self.entries)
        return {"flux": names, "force": names}

    def variables(self) -> dict[str, Variable]:
        """The matrix with its errors, the derivatives, what two leads have, and the status."""
        axes, trusted = ("flux", "force"), np.asarray(self.ok)

        def variable(values: Values, axes: tuple[str, ...], meaning: str, units: str = "") -> Variable:
            array = np.asarray(values)
            known = np.where(trusted.reshape(trusted.shape + (1,) * len(axes)), array, np.nan)
            return Variable(known, axes, units, meaning, masked=False)

        found = {
            "onsager": variable(self.onsager, axes, "Onsager coefficient"),
            "onsager_error": variable(self.errors, axes, "Onsager coefficient, error estimate"),
            "derivative": variable(self.derivatives, axes, "derivative by the bath's temperature or potential"),
        }
        if self._has_two_leads:
            with np.errstate(divide="ignore", invalid="ignore"):
                for name, words in OF_TWO_LEADS.items():
                    found[name] = variable(getattr(self, name), (), f"{words} between two leads", UNITS[name])
        return found | {"response_status": status_variable(self.status)}

    def record(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        return {
            "status": Status(int(self.status)).name,
            "entries": [" ".join(e) for e in self.entries],
            "onsager": plain(self.onsager),
            "errors": plain(self.errors),
            "derivatives": plain(self.derivatives),
        }

    def to_dataset(self, unit: str | None = None) -> Any:
        return to_dataset(self, {}, {}, provenance(unit=unit), unit)


# --------------------------------------------------------------------------- baths of a dynamics, whatever its form


def _baths(dynamics: Dynamics) -> dict[str, Bath]:
    baths = {name: dynamics.baths[name] for name in dynamics.reservoirs()}
    if not baths:
        raise InputError(f"linear_response: {type(dynamics).__name__} has no baths.")
    for name, bath in baths.items():
        if not isinstance(bath, Bath):
            raise InputError(
                f"linear_response: bath `{name}` is driven, so that there is no equilibrium to start from."
            )
    return baths


def _with_baths(dynamics: Dynamics, temperatures: Array, potentials: Array) -> Dynamics:
    """The same dynamics with other temperatures and chemical potentials (bath)."""
    baths = _baths(dynamics)
    new: dict[int, Bath] = {}
    for k, bath in enumerate(baths.values()):
        changed = eqx.tree_at(lambda b: b.temperature, bath, temperatures[k])
        if bath.exchanges_particles:
            changed = eqx.tree_at(lambda b: b.chemical_potential, changed, potentials[k])
        new[id(bath)] = changed

    found: set[int] = set()

    def replaced(node: Any) -> Any:
        if id(node) in new:
            found.add(id(node))
            return new[id(node)]
        return node

    result = jax.tree.map(replaced, dynamics, is_leaf=lambda node: id(node) in new)
    if len(found) < len(baths):
        raise InputError(f"linear_response: the baths of {type(dynamics).__name__} cannot be changed one by one.")
    return result


# --------------------------------------------------------------------------- the verb


def response_at(
    dynamics: Dynamics, good: Array, temperature: Any, potential: Any, tolerance: Array, order: int, sure: bool
) -> tuple[Response, Array | None]:
    """The response of one point, whose rules hold where it is `good`; traceable.

    Unless it must be `sure`, by the dynamics' moderate way if it has one; and whether that is not to be used.
    """
    baths = _baths(dynamics)
    leads = [bath for bath in baths.values() if bath.exchanges_particles]
    t = jnp.mean(jnp.stack([b.temperature for b in baths.values()])) if temperature is None else temperature
    zero = jnp.zeros(())
    mean = jnp.mean(jnp.stack([b.potential for b in leads])) if leads else zero
    mu = mean if potential is None else potential

    def fluxes(x: Array) -> tuple[Array, tuple[Array, Array | None]]:
        changed = _with_baths(dynamics, t + x[0], mu + x[1])
        batch = batch_of_one(changed)
        possible = good & jnp.isfinite(t) & (t > 0) & jnp.isfinite(mu)
        tried = None if sure else batch.moderate(tolerance)
        outcome = batch.solve(tolerance) if tried is None else tried
        solution = conclude(batch, outcome, tolerance, possible[None])
        left = None if tried is None or tried.undecided is None else tried.undecided[0] & possible
        flows = jnp.stack([solution.ledger.heats[0], solution.ledger.particle_numbers[0]])
        # Whatever one bath alone gives comes back to it: rounding is all there would be.
        flows = jnp.zeros_like(flows) if len(baths) == 1 else flows
        return flows, (solution.status[0], left)

    def first(x: Array) -> tuple[Array, tuple[Array, Array | None]]:
        return jax.jacfwd(fluxes, has_aux=True)(x)

    start = jnp.zeros((2, len(baths)))
    slope, (found, left) = first(start)
    slope, least = _of_the_others(slope)
    curvature = jax.jacfwd(first, has_aux=True)(start)[0] if order == 2 else None
    names = list(baths)
    pairs = [(0, k) for k in range(len(names))] + [
        (1, k) for k, b in enumerate(baths.values()) if b.exchanges_particles
    ]
    pairs.sort(key=lambda pair: (pair[1], pair[0]))
    rows, columns = np.array(pairs).T
    entries = tuple(Entry(("heat", "particles")[q], names[k]) for q, k in pairs)
    derivatives = slope[rows[:, None], columns[:, None], rows, columns]
    second = None
    if curvature is not None:
        place = (rows[:, None, None], columns[:, None, None], rows[:, None], columns[:, None], rows, columns)
        second = curvature[place]
    raw = derivatives * jnp.where(jnp.asarray(rows) == 0, t**2, t)
    size = jnp.sqrt(jnp.abs(jnp.diagonal(raw)))
    scale = size[:, None] * size
    shared, lost = (
        jnp.stack([jnp.sum(jnp.where(jnp.asarray(rows) == q, matrix, 0.0), axis=1) for q in (0, 1)])[rows].T
        for matrix in (raw, raw.T)
    )
    turned = jnp.where(dynamics.reversible(), raw.T, raw)
    errors = jnp.abs(raw - turned) + jnp.abs(shared) + jnp.abs(lost.T) + 8 * EPS * len(entries) * scale + least
    inexact = ~exact(_alike(entries), raw, errors - least, tolerance)
    # At equilibrium nothing flows, and no error is small beside nothing: the matrix is judged instead.
    stateless = jnp.isin(found, jnp.array([int(s) for s in STATELESS]))
    status = jnp.where(stateless, found, jnp.where(inexact, int(Status.NOT_CONVERGED), int(Status.OK)))
    electrons = tuple(name for name, bath in baths.items() if bath.kind == "electron")
    return Response(entries, electrons, (raw + turned) / 2, errors, derivatives, second, t, mu, status), left


def _alike(entries: tuple[Entry, ...]) -> np.ndarray:
    """Whether two fluxes are of the same quantity."""
    return np.array([[one.quantity == other.quantity for other in entries] for one in entries])


CLOSED = 1e-140
"""Rates of zero may stand as numbers that give no more than this."""


def _of_the_others(slope: Array) -> tuple[Array, Array]:
    """Slopes (flux, bath, force, bath) with those of the one bath that is in touch from those of the others.

    Where all others are closed, or almost, what their one counterpart gives is rounding of what it exchanges with the
    machine, back and forth; to first order it gives what the others take. Beside them how far zeros may be off.
    """
    each = jnp.max(jnp.abs(slope), axis=(0, 2, 3))
    touching = each > EPS**2 * jnp.max(each)
    alone = jnp.sum(touching) == 1
    others = jnp.where(touching[:, None, None], 0.0, slope)
    others = jnp.where(jnp.max(jnp.abs(others)) <= CLOSED, 0.0, others)
    left = others - jnp.where(touching[:, None, None], jnp.sum(others, axis=1, keepdims=True), 0.0)
    return jnp.where(alone, left, slope), jnp.where(alone, CLOSED, 0.0)


@compiled
def _opened(
    onsager: Array,
    errors: Array,
    temperature: Array,
    status: Array,
    entries: tuple[Entry, ...],
    inside: tuple[bool, ...],
) -> tuple[Array, Array, Array, Array]:
    """L of the entries `inside` while nothing flows in the others, its errors, its derivatives, and the status."""
    kept, rest = np.flatnonzero(inside), np.flatnonzero(np.logical_not(inside))
    t = temperature[..., None]
    forces = jnp.where(np.array([entries[k].quantity == "heat" for k in kept]), t**2, t)[..., None, :]
    onsager, errors = opened(onsager, errors, kept, rest)
    known = jnp.all(jnp.isfinite(onsager) & jnp.isfinite(errors), axis=(-2, -1))
    poor = ~exact(_alike(tuple(entries[k] for k in kept)), onsager, errors, TOLERANCE)
    found = jnp.where(known, jnp.where(poor, int(Status.NOT_CONVERGED), int(Status.OK)), int(Status.NOT_UNIQUE))
    return onsager, errors, onsager / forces, jnp.where(status == int(Status.OK), found, status)


def check_undriven(dynamics: Dynamics) -> None:
    """Refuse what has no equilibrium to respond about."""
    dynamics.check_complete("linear_response")
    if dynamics.workers():
        raise InputError(
            f"linear_response: the machine is driven ({', '.join(dynamics.workers())}) by what does work on it."
        )
    _baths(dynamics)


def responses(dynamics: Dynamics, good: Array, tolerance: Array, sure: bool) -> tuple[Response, Array | None]:
    """The responses of a batch about the equilibria of its points, point by point, as `response_at`."""
    arrays, static = eqx.partition(dynamics, eqx.is_array)

    def one(point: Any) -> tuple[Response, Array | None]:
        part, fine = point
        return response_at(eqx.combine(part, static), fine, None, None, tolerance, 1, sure)

    return jax.lax.map(one, (arrays, good))


@compiled
def _one(
    sure: bool, machine: Any, temperature: Any, potential: Any, tolerance: Array, order: int
) -> tuple[Response, Array | None]:
    return response_at(*with_rules(machine), temperature, potential, tolerance, order, sure)


_response_one = Tiers((functools.partial(_one, False),), lambda *arguments: _one(True, *arguments)[0])


@worded
def linear_response(
    machine: Any,
    *,
    temperature: Any = None,
    chemical_potential: Any = None,
    order: int = 1,
    tolerance: float = TOLERANCE,
    throw: bool = True,
) -> Response:
    """The Onsager matrix of a machine about its own equilibrium, by automatic differentiation of its ledger.

    **Arguments:** `machine`, a machine or a dynamics of any form, not driven; `temperature`, `chemical_potential` of
    the equilibrium (by default the means of the machine's baths, and of its leads); `order`: 2 to have the second
    derivatives too; `tolerance`: how far the matrix may be from being symmetric, and a change that all baths share from
    making nothing flow, relative to √(L_aa L_bb); `throw`: whether to raise `SolveError` beyond.

    **Returns:** a `Response`; between two electron leads it has `conductance`, `seebeck`, `peltier`,
    `thermal_conductance` and `figure_of_merit`.

    >>> import coldspot as cs
    >>> dot = cs.machines.QuantumDot(level=4.0)
    >>> response = cs.linear_response(dot, temperature=2.0)
    >>> float(round(response.seebeck, 12)), float(round(response.peltier, 12))  # −ε/T and −ε
    (-2.0, -4.0)
    """
    check_undriven(as_dynamics(machine))
    if order not in (1, 2):
        raise InputError(f"linear_response: `order` must be 1 or 2, but is {order!r}.")
    given = [None if x is None else as_float(x) for x in (temperature, chemical_potential)]
    response = _response_one(machine, *given, checked_tolerance(tolerance), order)
    status = response.status
    if throw and not is_traced(status) and int(status) != int(Status.OK):
        known = Status(int(status))
        words = explained(refreshed(machine), known) or known.advice
        raise SolveError(f"no trustworthy linear response ({known.name}): {words}", known, response)
    return response
