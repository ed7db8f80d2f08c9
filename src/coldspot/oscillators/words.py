"""Words on why an oscillator network has no steady state that can be trusted."""

import jax
import numpy as np
from jax import Array

from ..compiler import LIGHT, preferences
from ..pytrees import compiled
from ..solution import Status
from .continuity import Jump
from .ensemble import LONGEST
from .instant import Instant, moments
from .model import System

UNHELD = (
    "nothing holds its motion: far away, or in the distribution that fits it best, the springs and the potential "
    "together do not rise in every direction, so that positions spread for ever or run away; add a wall, however weak"
)
"""What a system without a confining energy lacks."""


def explain(system: System, status: Status) -> str:
    """Why this network has that status, with numbers where there are some."""
    if system.potential is not None:
        return _explain_ensemble(status)
    if status == Status.UNSTABLE:
        return explain_springs(system.springs)
    if status in (Status.NOT_UNIQUE, Status.NOT_CONVERGED):
        return _explain_damping(system, status)
    return ""


def jump_words(jump: Jump) -> str:
    """Where a potential has no slope to feel."""
    place, height = np.asarray(jump.place).tolist(), float(jump.height)
    what = f"jumps by {height:.3g}, or has a pole," if np.isfinite(height) else "has a pole, or is not a number,"
    return (
        f"`potential` {what} at x = {place}, where motion goes: a force is its slope, which does not feel that; "
        "smooth it over a length that the time step resolves."
    )


def start_words(system: System) -> str:
    """Why there is no linear network from whose steady state trajectories could start."""
    if system.potential is None:
        values = np.linalg.eigvalsh(np.asarray(system.springs))
        loose = values[0] <= 1e-12 * np.max(np.abs(values))
        return explain_springs(system.springs) if loose else _explain_damping(system, Status.NOT_UNIQUE)
    derivatives = system.energy, jax.grad(system.energy), jax.hessian(system.energy)
    # In one program, not in one for each operation.
    look = jax.jit(lambda x: [derivative(x) for derivative in derivatives], compiler_options=preferences(**LIGHT))
    for name, number in zip(("value", "slope", "curvature"), look(np.zeros(system.size)), strict=True):
        if not np.isfinite(number).all():
            shown = np.asarray(number)[~np.isfinite(number)].ravel()[0]
            return (
                f"the {name} of `potential` with the springs is {shown} at x = {np.zeros(system.size).tolist()}, where "
                "the search for the start begins; it must be a finite number there: move the origin to where motion "
                "goes, and round off what is singular."
            )
    return f"{UNHELD}."


def _explain_ensemble(status: Status) -> str:
    if status == Status.INVALID:
        return (
            "`potential` jumps or has a pole where motion goes, which its slope does not feel; smooth it. "
            "`coldspot.trajectories` says where."
        )
    if status == Status.UNSTABLE:
        return (
            f"a trajectory left the range of numbers, or {UNHELD}. "
            "`coldspot.trajectories` says which, with the time and the coordinate."
        )
    if status == Status.NOT_CONVERGED:
        return (
            f"its averages still drift or do not balance, or it needs more than {LONGEST} steps to forget its start or "
            "for two periods; see `residuals`, and use `coldspot.trajectories` with a longer `time` or `transient`, or "
            "a smaller `time_step`."
        )
    return ""


def _pattern(vector: np.ndarray) -> str:
    """The motion along a vector, its largest entry positive (the first of those that rounding alone tells apart)."""
    sizes = np.abs(vector)
    vector = np.real(vector / vector[np.argmax(sizes > 0.999 * np.max(sizes))])
    return "(" + ", ".join(f"{x + 0.0:.3g}" for x in vector[:8]) + (", …)" if vector.size > 8 else ")")


def explain_springs(springs: Array) -> str:
    values, vectors = np.linalg.eigh(np.asarray(springs))
    where = f"along {_pattern(vectors[:, 0])}"
    if values[0] >= -1e-12 * np.max(np.abs(values)):
        return (
            f"no spring holds the motion {where} (eigenvalue 0 of `springs`), so that its position spreads for ever; "
            "give it a spring to a wall, however weak."
        )
    return f"`springs` has the negative eigenvalue {values[0]:.6g} {where}: that motion runs away; stiffen it."


def _explain_damping(system: System, status: Status) -> str:
    mass, n = np.asarray(system.masses), system.size
    matrix = np.block(
        [
            [np.zeros((n, n)), np.eye(n)],
            [-np.asarray(system.springs) / mass[:, None], -np.diag(np.asarray(system.frictions) / mass)],
        ]
    )
    values, vectors = np.linalg.eig(matrix)
    weakest = np.argmin(-values.real / np.abs(values))
    frequency, shape = abs(values[weakest]), _pattern(vectors[:n, weakest])
    if status == Status.NOT_UNIQUE:
        return (
            f"the steady state is not unique: no friction damps the mode of frequency {frequency:.6g} along {shape} "
            "(or so little that floating-point numbers cannot tell), which keeps the energy that it has, "
            "or that a force gives it; give a coordinate that takes part in it a bath."
        )
    return (
        f"the mode of frequency {frequency:.6g} along {shape} is damped at the rate {-values[weakest].real:.2g} only, "
        "so that rounding spoils the heats; ask for a larger `tolerance`, or use `throw=False` and read "
        "`solution.error`."
    )


_drift = compiled(lambda instant: moments(instant).drift, **LIGHT)


def shown_rate(value: complex) -> str:
    """A number that may be complex, or is real but for rounding.

    >>> shown_rate(-0.5 + 0j), shown_rate(0.25 + 2j)
    ('-0.5', '0.25+2i')
    """
    return f"{value.real:.6g}" + (f"{value.imag:+.6g}i" if abs(value.imag) > 1e-12 * abs(value) else "")


def explain_motion(instant: Instant, status: Status, driven: bool) -> str:
    """Why a network of any linear kind has no steady state, with the eigenvalue of its motion at one moment."""
    if driven:
        if status == Status.INVALID:
            return (
                "`springs` or `forces` jump where no drive says so, are not finite, or may have a pulse too narrow to "
                "be seen, somewhere in the period; give what jumps as `drives`, `Steps` or one whose `borders()` name "
                "the places."
            )
        if status == Status.UNSTABLE:
            return (
                "the motion grows from period to period (parametric resonance, or springs that push for too long); "
                "drive less, at another frequency, or give it more friction."
            )
    if status not in (Status.UNSTABLE, Status.NOT_UNIQUE):
        return ""
    values, vectors = np.linalg.eig(np.asarray(_drift(instant))[:-1, :-1])
    worst = int(np.argmax(values.real))
    shape, value = _pattern(vectors[: instant.size, worst]), values[worst]
    shown = shown_rate(value)
    if abs(value) <= 1e-9 * np.abs(values).max():
        return f"nothing holds the motion along {shape}: it spreads for ever; give it a spring to a wall, however weak."
    if status == Status.UNSTABLE:
        return f"the motion along {shape} has the eigenvalue {shown}, whose real part is not negative: it runs away."
    which = f"the motion along {shape} (eigenvalue {shown})"
    return f"no friction damps {which}, which keeps the energy that it has, or that a drive gives it."
