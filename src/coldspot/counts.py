"""What counting gives: cumulants, covariances, spectra, generating and rate functions, with errors and a status."""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import show
from ._attributes import Spoken
from ._checks import InputError, Values
from .compiler import is_traced
from .dataset import Variable, provenance, to_dataset
from .dynamics import Counted, Target
from .numerics.lacking import lacking, summed
from .solution import STATELESS, WORST_FIRST, Status, plain, status_variable

QUANTITIES = {"heat": "E", "particles": "", "work": "E", "entropy": "k_B"}
"""What can be counted, with the unit of one of it."""


class Counts(Spoken, eqx.Module):
    """Numbers of a counting field: `values` with `errors` (bounds) and a `status`; it is an array of its values.

    - `Cumulants`: `values` (…, order) of one target, or (…, target, order) of a list of them, for orders 1, 2, …;
    - `Covariance`: `values` (…, target, target);
    - `MixedCumulants`: `values` (…, target, target, …), as many axes of targets as the order has;
    - `Spectrum`, `GeneratingFunction`, `RateFunction`, `Uncertainty`: see there.
    """

    targets: eqx.AbstractVar[tuple[Target, ...]]
    values: eqx.AbstractVar[Values]
    errors: eqx.AbstractVar[Values]
    status: eqx.AbstractVar[Values]

    def __repr__(self) -> str:
        rows = self._rows()
        if not rows:
            return show.module(self)
        width = max(len(name) for name, _ in rows)
        return "\n".join([f"{name.ljust(width)}  {number}" for name, number in rows] + [self._verdict()])

    def _repr_html_(self) -> str:
        rows = self._rows()
        parts = [show.table(("", "value"), rows), show.lines(self._verdict())] if rows else [show.tree(self)]
        return show.box(type(self).__name__, *parts)

    def _verdict(self) -> str:
        return f"status: {Status(int(self.status)).name}"

    def _rows(self) -> list[tuple[str, str]]:
        """Each number by name, with its error; none of a batch, or while JAX traces."""
        if is_traced(self.status) or np.ndim(self.status):
            return []
        found, rows = self.variables(), []
        for name, variable in found.items():
            if name.endswith(("_error", "_status")):
                continue
            values = np.atleast_1d(variable.values)
            error = found.get(f"{name}_error")
            errors = [None] * values.size if error is None else np.broadcast_to(error.values, values.shape).ravel()
            for k, (value, doubt) in enumerate(zip(values.ravel(), errors, strict=True)):
                place = f" [{k}]" if values.size > 1 else ""
                number = show.number(value) if doubt is None else show.measured(value, doubt)
                rows.append((name.replace("_", " ") + place, number))
        return rows

    def __array__(self, *arguments: Any, **keywords: Any) -> np.ndarray:
        return np.asarray(self.values).__array__(*arguments, **keywords)

    def __getitem__(self, index: Any) -> Values:
        return self.values[index]

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def ok(self) -> Values:
        return self.status == int(Status.OK)

    def labels(self) -> dict[str, tuple[Any, ...]]:
        return {}

    def record(self) -> dict[str, Any]:
        """One point as plain Python values, for JSON: what is not finite is None."""
        return {
            "status": Status(int(self.status)).name,
            "counted": [f"{t.quantity} {t.of}" for t in self.targets],
            "values": plain(self.values),
            "errors": plain(self.errors),
        }

    def variables(self) -> dict[str, Variable]:
        """Each number by name, with its unit."""
        raise NotImplementedError

    def to_dataset(self, unit: str | None = None) -> Any:
        """Each number by name as a Dataset; `unit` as for `Solution.to_dataset`."""
        shape = {f"axis_{k}": n for k, n in enumerate(np.shape(self.status))}
        return to_dataset(self, {}, shape, provenance(unit=unit), unit)


def _variable(value: Values, trusted: Values, targets: Sequence[Target], meaning: str) -> Variable:
    """A product of counted amounts per time."""
    return _masked(value, trusted, _units(targets), meaning)


def _in_line(array: Values, status: Values, behind: int = 0) -> np.ndarray:
    """The axes of a grid, of which a number has none, as the one that a dataset has; `behind` it stay so many."""
    array = np.asarray(array)
    return array.reshape(*np.shape(status), -1, *array.shape[array.ndim - behind :])


def _masked(value: Values, trusted: Values, units: str, meaning: str) -> Variable:
    """A number with a status of its own."""
    return Variable(np.where(trusted, np.asarray(value), np.nan), (), units, meaning, masked=False)


def _units(targets: Sequence[Target]) -> str:
    parts = [QUANTITIES[t.quantity] for t in targets]
    powers = {symbol: parts.count(symbol) + (symbol == "E") for symbol in ("k_B", "E")}
    return "*".join(f"{symbol}**{n}" if n > 1 else symbol for symbol, n in powers.items() if n) + "/hbar"


def _spelled(target: Target) -> str:
    return f"{target.quantity}_{target.of}".replace(" ", "_").replace("-", "_")


class Cumulants(Counts):
    """Cumulants per time; see `Counts`.

    - `single`: whether they are those of one target, whose axis is then left out.
    """

    targets: tuple[Target, ...] = eqx.field(static=True)
    single: bool = eqx.field(static=True)
    values: Values
    errors: Values
    status: Values

    @property
    def fano(self) -> Values:
        """κ₂/κ₁: 1 for particles that come one by one and independently (Poisson)."""
        if self.values.shape[-1] < 2:
            raise InputError("fano: it needs the second cumulant; ask for `cumulants(2)`.")
        return self.values[..., 1] / self.values[..., 0]

    def variables(self) -> dict[str, Variable]:
        """`cumulant_2_heat_left`, …, their errors, and the status."""
        trusted, found = np.asarray(self.ok), {}
        values, errors = (x[..., None, :] if self.single else x for x in (self.values, self.errors))
        for k, target in enumerate(self.targets):
            for m in range(values.shape[-1]):
                name = f"cumulant_{m + 1}_{_spelled(target)}"
                meaning = f"cumulant {m + 1} of {target.quantity} of {target.of}, per time"
                of = (target,) * (m + 1)
                found[name] = _variable(values[..., k, m], trusted, of, meaning)
                found[f"{name}_error"] = _variable(errors[..., k, m], trusted, of, f"{meaning}, error estimate")
        names = "_".join(_spelled(target) for target in self.targets)
        return found | {f"cumulants_{names}_status": status_variable(self.status)}


class Covariance(Counts):
    """Covariances per time; see `Counts`."""

    targets: tuple[Target, ...] = eqx.field(static=True)
    values: Values
    errors: Values
    status: Values

    def variables(self) -> dict[str, Variable]:
        """`covariance_heat_left_work_drive`, …, their errors, and the status."""
        trusted, found = np.asarray(self.ok), {}
        for k, one in enumerate(self.targets):
            for m, other in enumerate(self.targets[k:], k):
                name = f"covariance_{_spelled(one)}_{_spelled(other)}"
                meaning = f"covariance of {one.quantity} of {one.of} and {other.quantity} of {other.of}, per time"
                found[name] = _variable(self.values[..., k, m], trusted, (one, other), meaning)
                error = self.errors[..., k, m]
                found[f"{name}_error"] = _variable(error, trusted, (one, other), f"{meaning}, error estimate")
        names = "_".join(_spelled(target) for target in self.targets)
        return found | {f"covariance_{names}_status": status_variable(self.status)}


class MixedCumulants(Counts):
    """Joint cumulants of one order, per time; see `Counts`."""

    targets: tuple[Target, ...] = eqx.field(static=True)
    order: int = eqx.field(static=True)
    values: Values
    errors: Values
    status: Values

    def variables(self) -> dict[str, Variable]:
        """`mixed_cumulant_heat_left_heat_left_work_drive`, …, their errors, and the status."""
        trusted, found = np.asarray(self.ok), {}
        for places in itertools.combinations_with_replacement(range(len(self.targets)), self.order):
            of = tuple(self.targets[k] for k in places)
            name = "mixed_cumulant_" + "_".join(_spelled(target) for target in of)
            meaning = f"cumulant of {', '.join(f'{t.quantity} of {t.of}' for t in of)}, per time"
            found[name] = _variable(self.values[..., *places], trusted, of, meaning)
            found[f"{name}_error"] = _variable(self.errors[..., *places], trusted, of, f"{meaning}, error estimate")
        names = "_".join(_spelled(target) for target in self.targets)
        return found | {f"mixed_cumulants_{names}_status": status_variable(self.status)}


class Spectrum(Counts):
    """Noise at finite frequencies; see `Counts`.

    - `frequencies` (frequency), angular; `single`: whether one target is counted, `values` then being real;
    - `values` (…, frequency), or (…, frequency, target, target) complex and Hermitian of a list.
    """

    targets: tuple[Target, ...] = eqx.field(static=True)
    single: bool = eqx.field(static=True)
    frequencies: Values
    values: Values
    errors: Values
    status: Values

    def labels(self) -> dict[str, tuple[Any, ...]]:
        return {"frequency": tuple(np.ravel(self.frequencies).tolist())}

    def record(self) -> dict[str, Any]:
        """One point as plain Python values, for JSON; of a list the real and imaginary parts."""
        found = super().record() | {"frequencies": plain(self.frequencies)}
        if not self.single:
            found |= {"values": plain(np.real(self.values)), "imaginary": plain(np.imag(self.values))}
        return found

    def variables(self) -> dict[str, Variable]:
        """`spectrum_heat_left` or `spectrum_heat_left_heat_right`, `…_imaginary`, their errors, and the status."""
        values, errors = (np.asarray(x) for x in (self.values, self.errors))
        if self.single:
            values, errors = (x[..., None, None] for x in (values, errors))
        values, errors = (_in_line(x, self.status, 2) for x in (values, errors))
        found: dict[str, Variable] = {}
        for k, one in enumerate(self.targets):
            for m, other in enumerate(self.targets[k:], k):
                name = "spectrum_" + "_".join(_spelled(t) for t in ((one,) if self.single else (one, other)))
                meaning = f"noise of {one.quantity} of {one.of} and {other.quantity} of {other.of}"
                parts = {name: values[..., k, m].real, f"{name}_error": errors[..., k, m]}
                parts |= {f"{name}_imaginary": values[..., k, m].imag} if k != m else {}
                units = _units((one, other))
                found |= {key: Variable(part, ("frequency",), units, meaning) for key, part in parts.items()}
        return found | {"spectrum_status": status_variable(self.status)}


class GeneratingFunction(Counts):
    """The scaled generating function λ(χ) = lim (1/t) ln⟨e^{χ·X(t)}⟩; see `Counts`.

    - `fields` χ (field) of one target, or (field, target) of a list; `values` λ (…, field);
    - `slopes` ∂λ/∂χ (…, field) or (…, field, target), with `slope_errors`: the amounts per time that are typical under
      the tilt e^{χ·X}.
    """

    targets: tuple[Target, ...] = eqx.field(static=True)
    single: bool = eqx.field(static=True)
    fields: Values
    values: Values
    errors: Values
    slopes: Values
    slope_errors: Values
    status: Values

    @property
    def rate_function(self) -> Values:
        """I = χ·λ′(χ) − λ(χ): how unlikely the amounts per time `slopes` are, P ~ e^{−tI} (…, field)."""
        each = self.fields * self.slopes
        return (each if self.single else each.sum(axis=-1)) - self.values

    def variables(self) -> dict[str, Variable]:
        """`generating_function`, its error, the slopes by what is counted, and the status, along `field`."""
        slopes, fields = (x[..., None] if self.single else x for x in (self.slopes, self.fields))
        axes, shape = ("field",), np.shape(self.values)
        line = functools.partial(_in_line, status=self.status)
        found = {
            "generating_function": Variable(line(self.values), axes, "E/hbar", "scaled generating function"),
            "generating_function_error": Variable(line(self.errors), axes, "E/hbar", "its error estimate"),
        }
        for k, target in enumerate(self.targets):
            name, words = _spelled(target), f"{target.quantity} of {target.of}"
            field = np.broadcast_to(np.asarray(fields)[..., k], shape)
            found[f"field_{name}"] = Variable(line(field), axes, "", f"counting field of {words}", masked=False)
            found[f"slope_{name}"] = Variable(line(slopes[..., k]), axes, _units((target,)), f"{words} under the tilt")
        return found | {"generating_function_status": status_variable(self.status)}


class RateFunction(Counts):
    """How unlikely amounts per time are, P(X/t ≈ j) ~ e^{−t I(j)}; see `Counts`.

    - `currents` j (current); `values` I (…, current), at least 0, and 0 at the mean; `fields` χ = I′(j) (…, current).
    """

    targets: tuple[Target, ...] = eqx.field(static=True)
    currents: Values
    values: Values
    errors: Values
    fields: Values
    field_errors: Values
    status: Values

    def labels(self) -> dict[str, tuple[Any, ...]]:
        return {"current": tuple(np.ravel(self.currents).tolist())}

    def variables(self) -> dict[str, Variable]:
        """`rate_function`, its error, the fields, and the status, along `current`."""
        axes, line = ("current",), functools.partial(_in_line, status=self.status)
        return {
            "rate_function": Variable(line(self.values), axes, "E/hbar", "rate function of large deviations"),
            "rate_function_error": Variable(line(self.errors), axes, "E/hbar", "its error estimate"),
            "field": Variable(line(self.fields), axes, "", "counting field"),
            "rate_function_status": status_variable(self.status),
        }


class Uncertainty(Counts):
    """Quotients of thermodynamic uncertainty relations, at least 1 by a theorem; see `Counts`.

    - `values` (…) of one target, or (…, target) of a list; see `Fluctuations.uncertainty`.
    """

    targets: tuple[Target, ...] = eqx.field(static=True)
    single: bool = eqx.field(static=True)
    values: Values
    errors: Values
    status: Values

    def variables(self) -> dict[str, Variable]:
        """`uncertainty_heat_left`, …, their errors, and the status."""
        trusted, found = np.asarray(self.ok), dict[str, Variable]()
        values, errors = (x[..., None] if self.single else x for x in (self.values, self.errors))
        for k, target in enumerate(self.targets):
            name, meaning = f"uncertainty_{_spelled(target)}", f"uncertainty quotient, {target.quantity} of {target.of}"
            found[name] = _masked(values[..., k], trusted, "", meaning)
            found[f"{name}_error"] = _masked(errors[..., k], trusted, "", f"{meaning}, error estimate")
        names = "_".join(_spelled(target) for target in self.targets)
        return found | {f"uncertainty_{names}_status": status_variable(self.status)}


# --------------------------------------------------------------------------- from a form's answer to a result


def judge(counted: Counted, tolerance: Array, good: Array, dynamics: Any) -> tuple[Array, Array, Array]:
    """Values, errors and status of a batch: what `conclude` is for solutions.

    A point is OK if no fault is reported, all numbers are finite and each error is at most the tolerance times the
    value or its scale, whichever is larger; where there is no state, values are NaN.
    """
    values, errors = counted.values, counted.errors
    points = good.shape

    def each(condition: Array) -> Array:
        return jnp.all(condition.reshape(*points, -1), axis=-1)

    scale = jnp.abs(values) if counted.scale is None else jnp.maximum(counted.scale, jnp.abs(values))
    finite = each(jnp.isfinite(values) & jnp.isfinite(errors))
    faults = dict.fromkeys(WORST_FIRST, jnp.zeros(points, bool)) | dict(counted.faults)
    faults[Status.INVALID] |= ~good
    faults[Status.NOT_FINITE] |= ~finite & ~faults[Status.NOT_CONVERGED]
    faults[Status.NOT_CONVERGED] |= ~each(errors <= tolerance * scale)
    status = jnp.select([faults[s] for s in WORST_FIRST], [int(s) for s in WORST_FIRST], int(Status.OK))
    stateless = jnp.isin(status, jnp.array([int(s) for s in STATELESS]))
    blank = stateless.reshape(*points, *(1,) * (values.ndim - len(points)))
    return (
        lacking(blank, values, jnp.broadcast_to(summed(dynamics), points).reshape(blank.shape)),
        jnp.where(blank, jnp.nan, errors),
        status,
    )
