"""How many harmonics a function of the phase has: an estimate from its formula, not from samples.

A traced function of the phase θ is walked through operation by operation. Each intermediate number carries a centre and
a radius, within which it stays over the period, and how many harmonics it has at most (to about ten digits):

    cos(kθ + c)                 |k|                 sums                 the larger number
    products                    the sum             e^g, g within ±r     H (√(46 r) + 6), if g has H

(e^{r cos θ} has the Fourier coefficients I_k(r), which fall below 10⁻¹⁰ of the largest there.) Anything else that
depends on the phase is unknown: such functions must be looked at (see `mesh`).
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .compositions import FUNCTIONS, Range, between, inverse, power, whole_power


class Known(NamedTuple):
    """A number that depends on the phase: `centre` and `radius`, elementwise, and the harmonics of all entries."""

    centre: Any
    radius: Any
    harmonics: Any


class Angle(NamedTuple):
    """A multiple of the phase, up to a constant."""

    multiple: Any


class Unknown(Exception):
    """The formula holds an operation whose harmonics are not known."""


SHAPING = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "slice", "rev", "copy"}
ADDING = {"convert_element_type", "concatenate", "stack", "reduce_sum", "cumsum", "pad"}
PICKING = {"gather", "dynamic_slice", "scatter", "scatter-add", "dynamic_update_slice"}
"""Their indices come as whole numbers among the operands."""
LOGICAL = {"and", "or", "not", "xor", "reduce_and", "reduce_or"}
PIECEWISE = {"coldspot_held": (2, 0.0), "coldspot_line": (1, 1.0)}
"""Functions of the phase that are constants and straight lines between borders: which of their arguments are the values

between which they stay, and the harmonics that take as many elements within a piece.
"""
INSIDE = {"pjit": "jaxpr", "jit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}


def harmonics(function: Callable[[Array], Any]) -> Any:
    """Harmonics (a number) of all arrays that a function of the phase returns; None if its formula does not tell.

    A plain number where the formula alone decides, an array where numbers in it do.

    >>> harmonics(lambda phase: 1 + jnp.cos(phase) * jnp.sin(2 * phase))
    3.0
    """
    closed = jax.make_jaxpr(function)(jnp.zeros(()))
    try:
        values = _walk(closed.jaxpr, closed.consts, [Angle(np.ones(()))])
    except Unknown:
        return None
    if any(isinstance(v, Angle) for v in values):
        return None
    most = _most([v.harmonics for v in values if isinstance(v, Known)])
    return None if isinstance(most, float) and not most < np.inf else most


def _known(value: Any) -> bool:
    return not isinstance(value, jax.core.Tracer)


def _most(values: list[Any]) -> Any:
    if all(_known(v) for v in values):
        return max((float(v) for v in values), default=0.0)
    return jnp.max(jnp.stack([jnp.asarray(v, float) for v in values]))


def _piecewise(equation: Any, values: list[Any]) -> list[Any]:
    """What stays between some values and, if it is differentiated, its slope."""
    place, many = PIECEWISE[equation.params["name"]]
    held = values[place]
    low, high = jnp.min(held), jnp.max(held)
    found = [Known((low + high) / 2, (high - low) / 2, many)]
    if len(equation.outvars) > 1:
        speed = values[-1]
        if len(equation.outvars) > 2 or isinstance(speed, (Known, Angle)):
            raise Unknown
        # A line goes from one value to the next in an equal part of the period.
        found.append(Known(0.0, jnp.abs(speed) * (high - low) * held.shape[-1] / (2 * jnp.pi), many))
    return found


def _walk(jaxpr: Any, constants: Any, arguments: Any) -> list[Any]:
    known: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True))

    def read(v: Any) -> Any:
        return v.val if hasattr(v, "val") else known[v]

    for equation in jaxpr.eqns:
        values = [read(v) for v in equation.invars]
        if not any(isinstance(v, (Known, Angle)) for v in values):
            params = equation.primitive.get_bind_params(equation.params)
            # What does not depend on traced numbers is computed now, so that it stays known.
            with jax.ensure_compile_time_eval() if all(map(_known, values)) else contextlib.nullcontext():
                found = equation.primitive.bind(*values, **params)
            found = found if equation.primitive.multiple_results else [found]
            found = [np.asarray(f) if _known(f) else f for f in found]
        elif equation.primitive.name in ("eq", "ne") and equation.invars[0] is equation.invars[1]:
            # x ≠ x asks for NaN, and a range holds none.
            values[1] = _plain(values[0])
            found = [
                Known(equation.primitive.bind(*map(_plain, values)), jnp.zeros(equation.outvars[0].aval.shape), 0.0)
            ]
        elif equation.params.get("name") in PIECEWISE:
            found = _piecewise(equation, values)
        elif equation.primitive.name in INSIDE:
            inner = equation.params[INSIDE[equation.primitive.name]]
            found = _walk(inner.jaxpr, inner.consts, values)
        else:
            numbers = [part for v in values for part in (v if isinstance(v, (Known, Angle)) else (v,))]
            with jax.ensure_compile_time_eval() if all(map(_known, numbers)) else contextlib.nullcontext():
                found = [_step(equation.primitive, equation.params, values)]
        known |= dict(zip(equation.outvars, found, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _still(count: Any) -> bool:
    return isinstance(count, float) and bool(count == 0)


def _plain(value: Any) -> Any:
    return value.centre if isinstance(value, Known) else value


def _step(primitive: Any, params: dict[str, Any], values: list[Any]) -> Any:
    name = primitive.name
    if any(isinstance(v, Angle) for v in values):
        return _of_angle(primitive, params, values)
    if all(_still(v.harmonics) for v in values if isinstance(v, Known)) and not primitive.multiple_results:
        # Whatever is made of constants alone is one.
        shape = jax.eval_shape(lambda *v: primitive.bind(*v, **params), *[_plain(v) for v in values])
        return Known(jnp.zeros(shape.shape, shape.dtype), jnp.full(shape.shape, jnp.inf), 0.0)
    exact = [v if isinstance(v, Known) else Known(v, jnp.zeros_like(v), 0.0) for v in values]
    most = _most([v.harmonics for v in exact])
    ranges = [Range(v.centre, v.radius) for v in exact]
    centres, radii = [v.centre for v in exact], [v.radius for v in exact]

    def each(parts: list[Any]) -> Array:
        return primitive.bind(*parts, **params)

    def composed(found: tuple[Range, Any]) -> Known:
        x, degree = found
        # What does not change is a constant, whatever the function.
        degree = jnp.where(radii[0] > 0, degree, jnp.where(radii[0] == 0, 0.0, jnp.inf))
        return Known(*x, exact[0].harmonics * jnp.max(degree, initial=0.0))

    def decided(value: Array, sure: Array) -> Known:
        return Known(value, jnp.zeros(value.shape), jnp.where(jnp.all(sure), 0.0, jnp.inf))

    if name in SHAPING or name in ADDING:
        return Known(each(centres), each(radii), most)
    if name in PICKING:
        numbers = [jnp.issubdtype(jnp.result_type(c), jnp.floating) for c in centres]
        if any(isinstance(v, Known) and not number for v, number in zip(values, numbers, strict=True)):
            raise Unknown(name)
        return Known(
            each(centres), each([r if n else c for c, r, n in zip(centres, radii, numbers, strict=True)]), most
        )
    if name in ("add", "sub", "add_any"):
        return Known(each(centres), radii[0] + radii[1], most)
    if name == "neg":
        return Known(-centres[0], radii[0], most)
    if name == "mul":
        return Known(*_product(*ranges), exact[0].harmonics + exact[1].harmonics)
    if name == "div":
        if not isinstance(values[1], Known):
            return Known(each(centres), radii[0] / jnp.abs(centres[1]), most)
        inverted, degree = inverse(ranges[1])
        return Known(*_product(ranges[0], inverted), exact[0].harmonics + exact[1].harmonics * jnp.max(degree))
    if name in ("square", "integer_pow"):
        found = whole_power(ranges[0], params.get("y", 2))
        return Known(*found[0], found[1] * most) if isinstance(found[1], float) else composed(found)
    if name == "pow" and not isinstance(values[1], Known):
        return composed(power(ranges[0], centres[1]))
    if name in FUNCTIONS:
        return composed(FUNCTIONS[name](ranges[0]))
    if name == "dot_general" and sum(isinstance(v, Known) for v in values) == 1:
        sizes = [v.radius if isinstance(v, Known) else jnp.abs(v) for v in values]
        return Known(each(centres), each(sizes), most)
    if name in ("abs", "sign"):
        sure = jnp.abs(centres[0]) >= radii[0]
        settled = decided(jnp.sign(centres[0]), sure)
        return settled if name == "sign" else Known(each(centres), radii[0], settled.harmonics + most)
    if name in ("max", "min", "lt", "le", "gt", "ge"):
        apart = decided(each(centres), jnp.abs(centres[0] - centres[1]) > radii[0] + radii[1])
        if name not in ("max", "min"):
            return apart
        first = apart.centre == centres[0]
        return Known(apart.centre, jnp.where(first, radii[0], radii[1]), apart.harmonics + most)
    if name in ("eq", "ne"):
        return decided(each(centres), jnp.abs(centres[0] - centres[1]) > radii[0] + radii[1])
    if name == "is_finite":
        return decided(each(centres), jnp.isfinite(centres[0]) & jnp.isfinite(radii[0]))
    if name in LOGICAL:
        value = each(centres)
        return Known(value, jnp.zeros(value.shape), most)
    if name == "select_n":
        return Known(each(centres), each([centres[0], *radii[1:]]), most)
    raise Unknown(name)


def _product(one: Range, other: Range) -> Range:
    ends = [(one.centre + s * one.radius) * (other.centre + t * other.radius) for s in (-1, 1) for t in (-1, 1)]
    return between(functools.reduce(jnp.minimum, ends), functools.reduce(jnp.maximum, ends))


def _of_angle(primitive: Any, params: dict[str, Any], values: list[Any]) -> Any:
    name, angles = primitive.name, [isinstance(v, Angle) for v in values]
    one = next(v.multiple for v in values if isinstance(v, Angle))
    alone = sum(angles) == 1 and not any(isinstance(v, Known) for v in values)
    if name in SHAPING:
        with jax.ensure_compile_time_eval() if _known(one) else contextlib.nullcontext():
            return Angle(primitive.bind(one, **params))
    if name == "convert_element_type":
        return Angle(one)
    if name in ("add", "sub") and alone:
        sign = -1.0 if name == "sub" and angles[1] else 1.0
        other = values[1 - angles.index(True)]
        # Shapes are equal already; a constant moves the origin only.
        return Angle(sign * one + 0.0 * np.zeros(np.shape(other)))
    if name == "mul" and alone:
        return Angle(one * values[1 - angles.index(True)])
    if name == "neg":
        return Angle(-one)
    if name in ("sin", "cos"):
        most = np.max(np.abs(one), initial=0.0) if _known(one) else jnp.max(jnp.abs(one), initial=0.0)
        return Known(jnp.zeros(np.shape(one)), jnp.ones(np.shape(one)), most)
    raise Unknown(name)
