"""Solutions: a ledger, its errors, and the status that says whether they can be trusted."""

import enum
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import printed, regimes, show
from ._attributes import Spoken
from ._checks import InputError, Values, unknown_name
from .compiler import is_traced, looked_up
from .dataset import Variable, flag_attributes, provenance, to_dataset
from .ledger import Ledger, LedgerError, Named, about, added

if TYPE_CHECKING:
    import xarray


class Status(enum.IntEnum):
    """Whether a point can be trusted, and if not, why."""

    OK = 0
    INVALID = 1
    NOT_UNIQUE = 2
    NOT_CONVERGED = 3
    NOT_FINITE = 4
    UNSTABLE = 5

    @property
    def advice(self) -> str:
        """The likely cause and what to try."""
        return _ADVICE[self]


_ADVICE = {
    Status.OK: "the solution passed its checks.",
    Status.INVALID: "a parameter is outside its domain (a temperature or rate that is not positive, "
    "a value that is not finite, levels of a constant-rate bosonic channel that cross); "
    "check the values that were set or swept.",
    Status.NOT_UNIQUE: "the steady state is not unique: some states cannot be reached from others; "
    "add a channel that connects them or solve the parts separately.",
    Status.NOT_CONVERGED: "the method's own error estimate stayed above the requested tolerance; "
    "ask for a larger `tolerance`, or use `throw=False` and read `solution.error`.",
    Status.NOT_FINITE: "the arithmetic overflowed; rates or temperatures may span more than "
    "floating-point numbers can hold; rescale the energy unit.",
    Status.UNSTABLE: "there is no steady state: a mode gains more energy than it loses, and its motion grows; "
    "add damping, or weaken what amplifies it (bias, coupling, a negative spring).",
}


WORST_FIRST = (
    Status.INVALID,
    Status.NOT_UNIQUE,
    Status.UNSTABLE,
    Status.NOT_FINITE,
    Status.NOT_CONVERGED,
)
"""Of several faults the first in this list is reported."""
STATELESS = WORST_FIRST[:4]
"""Where one of these is reported there is no state to have numbers: they are NaN."""


PART = 16384
"""Points whose regimes are found together."""


class SolveError(RuntimeError):
    """No trustworthy result. `status` says why; `solution` holds what was found (a `Solution`, cumulants, …)."""

    def __init__(self, message: str, status: Status, solution: Any = None):
        super().__init__(message)
        self.status = status
        self.solution = solution


class NormalModes(Spoken, eqx.Module):
    """Normal modes that an analysis finds: motion e^{−iω_k t−κ_k t} of mode k, batch axes first.

    - `frequencies`, `dampings` (…, mode): ω_k and κ_k; a mode with κ_k < 0 grows;
    - `overlap` (…): |⟨u_1|u_2⟩| of the two nearest modes' normalised right eigenvectors, 1 where they coalesce.
    """

    frequencies: Array
    dampings: Array
    overlap: Array

    def record(self) -> dict[str, Any]:
        """The modes of one point as plain Python values."""
        return {
            "frequencies": plain(self.frequencies),
            "dampings": plain(self.dampings),
            "overlap": plain(self.overlap),
        }


class Solution(Spoken, eqx.Module):
    """A steady or periodic state: its ledger, the errors of the ledger, and the status that says if it can be trusted.

    All entries of the ledger are attributes here too (`heat`, `particles`, `work`, `entropy_production`, …).
    A batched solution has the batch axes first in every array.

    - `ledger`: a `Ledger`; `error`: a `LedgerError` with the error estimates of its entries;
    - `status` (…): integers, see `Status`; `residuals`: Named, sizes that should be zero, in units of the
      largest entry of the ledger; `statistics`: Named, what the method did (`elements` per period, …);
    - `temperatures`, `chemical_potentials` (…, bath): period means if driven;
    - `populations` (…, state): at phase 0 if driven; no states in dynamics that have none;
    - `observables`, `observable_errors`: Named, other averages of the state that this form of dynamics gives;
    - `cautions`: Named booleans, what the theory neglects here (see `regimes.CAUTIONS`); they are among the `flags`;
    - `modes`: `NormalModes`, or None; an analysis of modes alone has no baths and no regime;
    - `stochastic`: whether `error` holds standard errors of random sampling instead of bounds. A rate then has a sign,
      for the regime, if it exceeds three of them.
    """

    ledger: Ledger
    error: LedgerError
    status: Array
    residuals: Named
    statistics: Named
    temperatures: Array
    chemical_potentials: Array
    populations: Array
    observables: Named
    observable_errors: Named
    cautions: Named
    modes: NormalModes | None
    kinds: tuple[str, ...] = eqx.field(static=True)
    steady_baths: tuple[bool, ...] = eqx.field(static=True)
    cooled_bath: str | None = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)

    # ------------------------------------------------------------------ the ledger's entries
    energy = property(lambda self: self.ledger.energy)
    particles = property(lambda self: self.ledger.particles)
    chemical_work = property(lambda self: self.ledger.chemical_work)
    heat = property(lambda self: self.ledger.heat)
    entropy_flow = property(lambda self: self.ledger.entropy_flow)
    work = property(lambda self: self.ledger.work)
    current = property(lambda self: self.ledger.current)
    work_in = property(lambda self: self.ledger.work_in)
    power = property(lambda self: self.ledger.power)
    entropy_production = property(lambda self: self.ledger.entropy_production)
    first_law_residual = property(lambda self: self.ledger.first_law_residual)

    @property
    def baths(self) -> tuple[str, ...]:
        return self.ledger.baths

    @property
    def drives(self) -> tuple[str, ...]:
        return self.ledger.drives

    @property
    def ok(self) -> Values:
        return looked_up(lambda status: status == int(Status.OK), self.status)

    # ------------------------------------------------------------------ what the machine does
    def _view(self) -> "regimes.View":
        if not is_traced(self):
            self = jax.tree.map(np.asarray, self)
        index = None if self.cooled_bath is None else self.baths.index(self.cooled_bath)
        errors = jax.tree.map(lambda error: 3.0 * error, self.error) if self.stochastic else self.error
        view = regimes.View(
            heat=self.ledger.heats,
            heat_error=errors.heats,
            particles=self.ledger.particle_numbers,
            particles_error=errors.particle_numbers,
            work_in=self.work_in,
            work_error=errors.work_in,
            works=added(self.ledger.works),
            works_error=added(errors.works),
            chemical=added(self.ledger.chemical_works),
            chemical_error=added(errors.chemical_works),
            temperatures=self.temperatures,
            chemical_potentials=self.chemical_potentials,
            trusted=self.ok,
            complete=self._complete,
            kinds=self.kinds,
            steady=self.steady_baths,
            undriven=all(self.steady_baths) and not self.drives,
            cooled=index,
        )
        return view.in_numpy()

    def _judged(self, look: Callable[["regimes.View"], Any]) -> Any:
        """`look` of the view: of many points part by part, so that what it needs between fits into a cache."""
        view = self._view()
        many = np.shape(self.status)[0] if np.ndim(self.status) == 1 else 0
        if many <= PART or not isinstance(view.heat, np.ndarray):
            return look(view)
        parts = [look(view.part(slice(start, start + PART))) for start in range(0, many, PART)]
        if isinstance(parts[0], dict):
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return np.concatenate(parts)

    @property
    def _complete(self) -> Values:
        """Whether the ledger holds all currents."""
        if regimes.INELASTIC_ONLY in self.cautions:
            return self.cautions[regimes.INELASTIC_ONLY] == 0
        return np.ones(np.shape(self.status), bool)

    @property
    def regime(self) -> Any:
        """What the machine does, from signs alone (see `coldspot.regimes`): a string, or an array of them.

        None if there are no baths.
        """
        if not self.baths:
            return None
        return regimes.regime(self._view())

    @property
    def flags(self) -> "regimes.Flags":
        """Anomalies beside the regime, and cautions that are raised: name → boolean (array); see `regimes.Flags`."""
        return self._flags(self._judged(regimes.flags) if self.baths else {})

    def _flags(self, anomalies: dict[str, Any]) -> "regimes.Flags":
        cautions = {name: np.asarray(self.cautions[name]) for name in self.cautions}
        raised = {name: values for name, values in cautions.items() if np.any(values)}
        return regimes.Flags(np.shape(self.status), anomalies | raised)

    @property
    def cop(self) -> Values:
        """heat[cooled temperature]/work_in of a refrigerator or heat pump, or over the hottest's heat; NaN elsewhere.

        See `regimes.cop`; `cop_ratio` is the same ratio in any regime.
        """
        if not self.baths:
            return jnp.asarray(np.full(np.shape(self.status), np.nan))
        return self._judged(regimes.cop)

    @property
    def efficiency(self) -> Values:
        """−work_in/Σ(heats of the temperatures that give) of an engine; NaN elsewhere.

        See `regimes.efficiency`; `efficiency_ratio` is the same ratio in any regime.
        """
        if not self.baths:
            return jnp.asarray(np.full(np.shape(self.status), np.nan))
        return self._judged(regimes.efficiency)

    @property
    def cop_ratio(self) -> Values:
        """heat[cooled temperature]/work_in in any regime: smooth, for optimisers (see `regimes.cop_ratio`)."""
        return regimes.cop_ratio(self._view())

    @property
    def efficiency_ratio(self) -> Values:
        """−work_in/heat[hot temperature] in any regime: smooth, for optimisers (see `regimes.efficiency_ratio`)."""
        return regimes.efficiency_ratio(self._view())

    def second_law_efficiency(self, reference: str) -> Values:
        """Free-energy rate out over free-energy rate in, against the reservoir `reference`; at most 1.

        With T₀, μ₀ of the reference, heat from bath b brings Q̇_b − T₀⟨Q̇_b/T_b⟩, particles bring
        ⟨μ_b J_b⟩ − μ₀J_b, and the drives bring their summed work. These rates add up to T₀σ, so
        out/in = 1 − T₀σ/in. NaN where nothing comes in.
        """
        if reference not in self.baths:
            raise unknown_name("second_law_efficiency", "bath", reference, self.baths)
        index = self.baths.index(reference)
        if not self.steady_baths[index]:
            raise ValueError(
                f"second_law_efficiency: `reference` must be a bath with constant temperature and chemical "
                f"potential, but `{reference}` is driven."
            )
        own = self.ledger
        return looked_up(
            lambda heats, flows, chemical, particles, works, temperatures, potentials: regimes.second_law_efficiency(
                heats, flows, chemical, particles, works.sum(-1), temperatures[..., index], potentials[..., index]
            ),
            *(own.heats, own.entropy_flows, own.chemical_works, own.particle_numbers, own.works),
            *(self.temperatures, self.chemical_potentials),
        )

    # ------------------------------------------------------------------ for people
    def __repr__(self) -> str:
        if isinstance(self.status, jax.core.Tracer):
            return f"Solution(traced; baths {', '.join(self.baths)})"
        if np.ndim(self.status):
            return self._batch()
        return printed.text(jax.tree.map(np.asarray, self), *self._verdict())

    def _repr_html_(self) -> str:
        if isinstance(self.status, jax.core.Tracer) or np.ndim(self.status):
            return show.box("Solution", show.lines(repr(self)))
        return printed.html(jax.tree.map(np.asarray, self), *self._verdict())

    def _batch(self) -> str:
        status = np.asarray(self.status)
        counts = ((s.name, int(np.sum(status == s))) for s in Status if s is not Status.OK)
        bad = "".join(f", {name} {count}" for name, count in counts if count)
        return f"Solution(batch {status.shape}, {int(np.sum(status == 0))} of {status.size} points trusted{bad})"

    def _verdict(self) -> tuple[str, list[str]]:
        """The name of the status, and remarks: what the theory neglects here, what to do about the status."""
        status = Status(int(self.status))
        raised = (name for name in self.cautions if bool(self.cautions[name]))
        remarks = [f"{name}: {regimes.CAUTIONS[name]}" for name in raised if name in regimes.CAUTIONS]
        return status.name, remarks if status is Status.OK else [*remarks, status.advice]

    # ------------------------------------------------------------------ for programs
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Names along the axes `bath` and `drive`."""
        return {axis: names for axis, names in (("bath", self.baths), ("drive", self.drives)) if names}

    def variables(self) -> dict[str, Variable]:
        """Everything that a dataset shows of a solution, by name; see `coldspot.dataset.Variable`."""
        judged = self._judged(lambda view: regimes.judged(view) | regimes.flags(view)) if self.baths else {}
        found = self._ledger_variables(judged) if self.baths else {}
        flags = self._flags({name: judged[name] for name in regimes.FLAGS if name in judged})
        if self.populations.shape[-1]:
            found["population"] = Variable(self.populations, ("state",), "1", "probability of the state")
        for name in self.observables:
            found[_plain_name(name)] = Variable(self.observables[name])
        for name in self.observable_errors:
            found[_plain_name(f"{name}_error")] = Variable(self.observable_errors[name])
        if self.modes is not None:
            found["mode_frequency"] = Variable(self.modes.frequencies, ("mode",), *about("mode_frequency"))
            found["mode_damping"] = Variable(self.modes.dampings, ("mode",), *about("mode_damping"))
            found["mode_overlap"] = Variable(self.modes.overlap, (), *about("mode_overlap"))
        for name, values in (flags | {name: self.cautions[name] for name in self.cautions}).items():
            found[_plain_name(name)] = Variable(values, meaning=name, masked=False)
        for name in self.residuals:
            found[_plain_name(f"residual_{name}")] = Variable(self.residuals[name])
        for name in self.statistics:
            found[_plain_name(name)] = Variable(self.statistics[name])
        return found | {"status": status_variable(self.status)}

    def _ledger_variables(self, judged: Mapping[str, Any]) -> dict[str, Variable]:
        """The ledger's entries and their errors, per bath and per drive, and the regime as an integer."""
        ledger, error, found = self.ledger, self.error, {}
        for name in ("energy", "heat", "particles", "chemical_work", "entropy_flow", "current"):
            found[name] = Variable(getattr(ledger, name).array, ("bath",), *about(name))
        for name in ("work_in", "power", "entropy_production", "cop", "efficiency", "first_law_residual"):
            found[name] = Variable(judged[name] if name in judged else getattr(self, name), (), *about(name))
        for name in ("energy", "heat", "particles", "chemical_work", "entropy_flow"):
            found[f"{name}_error"] = Variable(getattr(error, name).array, ("bath",), *about(f"{name}_error"))
        for name in ("work_in", "entropy_production"):
            found[f"{name}_error"] = Variable(getattr(error, name), (), *about(f"{name}_error"))
        if self.drives:
            found["work"] = Variable(ledger.works, ("drive",), *about("work"))
            found["work_error"] = Variable(error.works, ("drive",), *about("work_error"))
        found["temperature"] = Variable(self.temperatures, ("bath",), *about("temperature"), masked=False)
        potentials = self.chemical_potentials
        found["chemical_potential"] = Variable(potentials, ("bath",), *about("chemical_potential"), masked=False)
        found["regime"] = Variable(
            np.asarray(judged["regime"]).astype(np.int8), (), "", "regime", flag_attributes(regimes.NAMES), False
        )
        return found

    def record(self) -> dict[str, Any]:
        """One point as plain Python values, for JSON: what is not finite is None."""
        if np.ndim(self.status):
            raise InputError(f"record: the solution is a batch of shape {np.shape(self.status)}; take one point.")
        return {
            "status": Status(int(self.status)).name,
            **_entries(self.ledger),
            "error": _entries(self.error),
            "regime": self.regime,
            "flags": [name for name, raised in self.flags.items() if bool(raised)],
            "efficiency": plain(self.efficiency),
            "cop": plain(self.cop),
            "modes": None if self.modes is None else self.modes.record(),
        }

    def to_dict(self) -> dict[str, Any]:
        """`record()` and everything else that one point holds, as plain Python values for JSON."""
        return {
            **self.record(),
            "entropy_flow": plain(self.entropy_flow),
            "current": plain(self.current),
            "power": plain(self.power),
            "temperature": dict(zip(self.baths, map(plain, self.temperatures), strict=True)),
            "chemical_potential": dict(zip(self.baths, map(plain, self.chemical_potentials), strict=True)),
            "population": plain(self.populations),
            "observables": plain(self.observables),
            "observable_errors": plain(self.observable_errors),
            "residuals": plain(self.residuals),
            "statistics": plain(self.statistics),
            "stochastic": self.stochastic,
        }

    def to_dataset(self, unit: str | None = None) -> "xarray.Dataset":
        """The solution as a Dataset like those of `coldspot.sweep`; batch axes are called `axis_0`, `axis_1`, …

        `unit`: the name of the energy in which the machine was given (`"meV"`); results then are in SI units.

        >>> import coldspot as cs
        >>> ds = cs.steady_state(cs.machines.QuantumDot()).to_dataset("meV")
        >>> ds.heat.dims, ds.heat.units
        (('bath',), 'W')
        """
        shape = {f"axis_{k}": n for k, n in enumerate(np.shape(self.status))}
        return to_dataset(self, {}, shape, provenance(unit=unit), unit)

    def raise_unless_ok(self, describe: Callable[[Status], str] | None = None) -> "Solution":
        """Return self if every point can be trusted; raise `SolveError` otherwise."""
        codes = np.unique(np.asarray(self.status))
        bad = [int(c) for c in codes if c != 0]
        if not bad:
            return self
        status = Status(bad[0])
        detail = (describe(status) if describe is not None else "") or status.advice
        raise SolveError(f"no trustworthy steady state ({status.name}): {detail}", status, self)


def status_variable(status: Any) -> Variable:
    """The status as a variable of a dataset, with the meanings of its integers."""
    meanings = flag_attributes([s.name.lower() for s in Status])
    return Variable(np.asarray(status).astype(np.int8), (), "", "status of the solution", meanings, False)


def _plain_name(name: str) -> str:
    return name.replace(" ", "_").replace("-", "_")


def plain(value: Any) -> Any:
    """A number, a list of them, or one per name, as JSON knows them: what is not finite becomes None."""
    if isinstance(value, Named):
        return {name: plain(value[name]) for name in value}
    if np.ndim(value):
        return [plain(entry) for entry in np.asarray(value)]
    number = float(value)
    return number if math.isfinite(number) else None


def _entries(ledger: Ledger | LedgerError) -> dict[str, Any]:
    names = ("energy", "heat", "particles", "chemical_work", "work")
    totals = ("work_in", "entropy_production", "first_law_residual")
    return {name: plain(getattr(ledger, name)) for name in (*names, *totals)}
