"""The ledger in which every solution ends: rates per bath and per drive, and their errors.

Sign: a rate is positive when it flows into the system. First law of a steady or
period-averaged state: Σ_b energy[b] + Σ_d work[d] = storage; second law: σ = −Σ_b ⟨Q̇_b/T_b⟩ ≥ 0.
"""

import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from . import printed, show
from ._attributes import Spoken
from ._checks import InputError, Values, unknown_name
from .compiler import looked_up

FEW = 8
"""Entries that are added one after the other."""


class Named(Spoken, eqx.Module, Mapping):  # type: ignore[misc]
    """An array whose last axis has names: `heat["left"]` is the array's entry for the left bath.

    Arithmetic keeps the names; sums and the like are those of `array`.

    >>> heat = Named(("left", "right"), np.array([1.0, -1.0]))
    >>> float(heat["right"]), list(heat)
    (-1.0, ['left', 'right'])
    >>> -2 * heat, heat / 4 + heat, float(heat.array.sum())
    ({left: -2.0, right: 2.0}, {left: 1.25, right: -1.25}, 0.0)
    """

    names: tuple[str, ...] = eqx.field(static=True)
    array: Values

    __array_priority__: ClassVar[float] = 1000.0
    """NumPy's arrays leave arithmetic to this class."""

    @classmethod
    def of(cls, values: Mapping[str, Values], shape: tuple[int, ...]) -> "Named":
        """Arrays of one `shape`, put together; there may be none."""
        stacked = jnp.stack(list(values.values()), axis=-1) if values else jnp.zeros((*shape, 0))
        return cls(tuple(values), stacked)

    def __getitem__(self, name: str) -> Values:
        if name not in self.names:
            raise unknown_name("this result", "entry", str(name), self.names)
        index = self.names.index(name)
        return looked_up(lambda array: array[..., index], self.array)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __array__(self, *arguments: Any, **keywords: Any) -> np.ndarray:
        return np.asarray(self.array).__array__(*arguments, **keywords)

    def _with(self, rule: Callable[[Any, Any], Any], other: Any, *, turned: bool = False) -> Any:
        """`rule` of this and another array, number or `Named` of the same names; the other one first if `turned`."""
        if isinstance(other, Named):
            if other.names != self.names:
                ours, theirs = (", ".join(one.names) or "none" for one in (self, other))
                raise InputError(f"arithmetic needs the same names on both sides, but these are {ours} and {theirs}.")
            other = other.array
        elif not isinstance(other, int | float | complex | np.ndarray | np.generic | jax.Array):
            return NotImplemented
        elif np.shape(other)[-1:] not in ((), (1,), (len(self.names),)):
            raise InputError(f"arithmetic: an array must have {len(self.names)} entries along its last axis, or one.")
        return Named(self.names, rule(other, self.array) if turned else rule(self.array, other))

    def __add__(self, other: Any) -> Any:
        return self._with(operator.add, other)

    def __sub__(self, other: Any) -> Any:
        return self._with(operator.sub, other)

    def __mul__(self, other: Any) -> Any:
        return self._with(operator.mul, other)

    def __truediv__(self, other: Any) -> Any:
        return self._with(operator.truediv, other)

    def __pow__(self, other: Any) -> Any:
        return self._with(operator.pow, other)

    def __radd__(self, other: Any) -> Any:
        return self._with(operator.add, other, turned=True)

    def __rsub__(self, other: Any) -> Any:
        return self._with(operator.sub, other, turned=True)

    def __rmul__(self, other: Any) -> Any:
        return self._with(operator.mul, other, turned=True)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with(operator.truediv, other, turned=True)

    def __neg__(self) -> "Named":
        return Named(self.names, -self.array)

    def __abs__(self) -> "Named":
        return Named(self.names, abs(self.array))

    def __getattr__(self, name: str) -> Any:
        # Whoever copies asks for names that begin so before `names` is there.
        if not name.startswith("_") and hasattr(np.ndarray, name) and name not in self.names:
            raise AttributeError(f"a result with names has no `{name}`, but its numbers have: write `.array.{name}`.")
        return super().__getattr__(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        if isinstance(self.array, jax.core.Tracer):
            return f"Named({', '.join(self.names)}; traced)"
        return "{" + ", ".join(f"{n}: {np.asarray(self[n])}" for n in self.names) + "}"

    def _repr_html_(self) -> str:
        if isinstance(self.array, jax.core.Tracer):
            return show.escaped(repr(self))
        return show.table(("", ""), [(name, show.array(self[name])) for name in self.names])

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.names)


def added(entries: Values) -> Values:
    """Σ over the last axis: one entry after the other, which NumPy does in a fifth of the time for many points."""
    few = isinstance(entries, np.ndarray) and 0 < entries.shape[-1] <= FEW
    return functools.reduce(operator.add, np.moveaxis(entries, -1, 0)) if few else entries.sum(axis=-1)


class Entries(Spoken, eqx.Module):
    """The stored entries that a ledger and its errors share: arrays with batch axes first and the named axis last.

    - `heats` (…, bath): heat absorbed from each bath, Q̇_b = energy − μ_b·particles;
    - `particle_numbers` (…, bath): particles entering from each bath;
    - `chemical_works` (…, bath): ⟨μ_b·particles_b⟩;
    - `entropy_flows` (…, bath): ⟨Q̇_b/T_b⟩, the entropy that the bath gives;
    - `works` (…, drive): work done by each drive;
    - `storage` (…): d⟨E⟩/dt, zero in a steady state and over a period.

    Heat is stored and energy = heat + chemical work derived, so that a common shift of all energies and chemical
    potentials leaves heat as it is, to the last digit.
    """

    baths: eqx.AbstractVar[tuple[str, ...]]
    drives: eqx.AbstractVar[tuple[str, ...]]
    heats: eqx.AbstractVar[Values]
    particle_numbers: eqx.AbstractVar[Values]
    chemical_works: eqx.AbstractVar[Values]
    entropy_flows: eqx.AbstractVar[Values]
    works: eqx.AbstractVar[Values]
    storage: eqx.AbstractVar[Values]

    def __repr__(self) -> str:
        if isinstance(self.heats, jax.core.Tracer):
            return f"{type(self).__name__}(traced; baths {', '.join(self.baths)})"
        return printed.ledger_text(self)

    def _repr_html_(self) -> str:
        return show.escaped(repr(self)) if isinstance(self.heats, jax.core.Tracer) else printed.ledger_html(self)

    @property
    def energies(self) -> Values:
        """Energy entering from each bath (…, bath): heat + chemical work."""
        return looked_up(operator.add, self.heats, self.chemical_works)

    @property
    def energy(self) -> Named:
        return Named(self.baths, self.energies)

    @property
    def particles(self) -> Named:
        return Named(self.baths, self.particle_numbers)

    @property
    def chemical_work(self) -> Named:
        return Named(self.baths, self.chemical_works)

    @property
    def heat(self) -> Named:
        """Heat absorbed from each bath."""
        return Named(self.baths, self.heats)

    @property
    def entropy_flow(self) -> Named:
        return Named(self.baths, self.entropy_flows)

    @property
    def work(self) -> Named:
        return Named(self.drives, self.works)

    @property
    def work_in(self) -> Values:
        """Work done on the system: Σ_d work + Σ_b chemical work."""
        return looked_up(lambda w, c: added(w) + added(c), self.works, self.chemical_works)


class Ledger(Entries):
    """Rates per bath and per drive, averaged over the state (and over the period, if driven).

    All are averages of products: in a driven state ⟨μJ⟩ ≠ ⟨μ⟩⟨J⟩ and ⟨Q̇/T⟩ ≠ ⟨Q̇⟩/⟨T⟩. See `Entries`.
    """

    baths: tuple[str, ...] = eqx.field(static=True)
    drives: tuple[str, ...] = eqx.field(static=True)
    heats: Values
    particle_numbers: Values
    chemical_works: Values
    entropy_flows: Values
    works: Values
    storage: Values

    @property
    def current(self) -> Named:
        """Electric current out of each bath, −particles (the electron's charge is −e)."""
        return Named(self.baths, looked_up(operator.neg, self.particle_numbers))

    @property
    def power(self) -> Values:
        """Power that the machine delivers: −work_in."""
        return looked_up(operator.neg, self.work_in)

    @property
    def entropy_production(self) -> Values:
        """σ = −Σ_b ⟨Q̇_b/T_b⟩ of a steady or periodic state (units of k_B × rate)."""
        return looked_up(lambda flows: -added(flows), self.entropy_flows)

    @property
    def first_law_residual(self) -> Values:
        return looked_up(lambda e, w, storage: added(e) + added(w) - storage, self.energies, self.works, self.storage)


class LedgerError(Entries):
    """Error bounds of a ledger's entries, all positive; those of sums and differences are sums. See `Entries`."""

    baths: tuple[str, ...] = eqx.field(static=True)
    drives: tuple[str, ...] = eqx.field(static=True)
    heats: Values
    particle_numbers: Values
    chemical_works: Values
    entropy_flows: Values
    works: Values
    storage: Values

    @property
    def entropy_production(self) -> Values:
        return looked_up(lambda flows: added(flows), self.entropy_flows)

    @property
    def first_law_residual(self) -> Values:
        return looked_up(lambda e, w, storage: added(e) + added(w) + storage, self.energies, self.works, self.storage)


# --------------------------------------------------------------------------- what the entries mean

UNITS = {
    "energy": "E**2/hbar",
    "heat": "E**2/hbar",
    "chemical_work": "E**2/hbar",
    "work": "E**2/hbar",
    "work_in": "E**2/hbar",
    "power": "E**2/hbar",
    "particles": "E/hbar",
    "current": "e*E/hbar",
    "entropy_flow": "k_B*E/hbar",
    "entropy_production": "k_B*E/hbar",
    "first_law_residual": "E**2/hbar",
    "cop": "1",
    "efficiency": "1",
    "temperature": "E/k_B",
    "chemical_potential": "E",
    "mode_frequency": "E/hbar",
    "mode_damping": "E/hbar",
    "mode_overlap": "1",
}
"""Units of the variables, with E the unit in which energies were given (k_B = ħ = e = 1)."""

MEANINGS = {
    "energy": "energy absorbed from the bath",
    "heat": "heat absorbed from the bath",
    "chemical_work": "chemical work done by the bath",
    "work": "work done by the drive",
    "work_in": "work done on the machine, chemical work included",
    "power": "power delivered",
    "particles": "particles entering from the bath",
    "current": "electric current out of the bath",
    "entropy_flow": "heat over temperature, averaged",
    "entropy_production": "entropy production",
    "first_law_residual": "first-law residual",
    "cop": "coefficient of performance (refrigerator, heat pump)",
    "efficiency": "efficiency (engine)",
    "temperature": "temperature of the bath",
    "chemical_potential": "chemical potential of the bath",
    "mode_frequency": "frequency of the mode",
    "mode_damping": "damping of the mode's amplitude",
    "mode_overlap": "overlap of the two nearest modes",
}


def about(name: str) -> tuple[str, str]:
    """Unit and meaning of an entry, or of its error (`…_error`)."""
    base = name.removesuffix("_error")
    return UNITS[base], MEANINGS[base] + (", error estimate" if base != name else "")
