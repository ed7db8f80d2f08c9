"""What the constructor of an oscillator network is given: which bath, force and drive acts where."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import tracing
from .._checks import (
    Checked,
    InputError,
    Numbers,
    as_float,
    check_memory,
    check_shape,
    concrete,
    parameter,
    unknown_name,
)
from ..baths import Bath, BosonBath, HeatBath
from ..compiler import is_traced, placed, plainly, unwarned
from ..drives import Drive, _Phase, as_drive
from ..pytrees import Table, opened
from ..spectral import Drude, Ohmic, SpectralDensity

OWNER = "OscillatorNetwork"
PULL, SPRING, FEEDBACK = -1, -2, -3
"""In the place of the coordinate of a force: what acts by a matrix, what moves springs, and what is fed back."""

MATRICES = 24
"""Of size (n, n) at once at least: what a solution takes."""


class Pull(Checked):
    """A force N x that need not have an energy: the row i of `matrix` N (n, n) is the force on coordinate i."""

    matrix: Numbers = parameter(shape=None)


class Feedback(eqx.Module):
    """A force that is a function f(x, v) → (n,) of positions and velocities (n,)."""

    law: Callable[[Array, Array], Array]


class Acting(NamedTuple):
    """All that does work, by name, and on which coordinate each acts (`PULL`, `SPRING`, `FEEDBACK`)."""

    drives: Table
    targets: tuple[int, ...]


def check_size(n: int) -> None:
    """Refuse matrices (n, n) that do not fit into memory, before there are any."""
    check_memory(f"{OWNER}: a network of {n:,} coordinates", MATRICES * 8.0 * n * n, "give fewer.")


def baths_of(baths: Any) -> Table:
    if not isinstance(baths, Mapping) or not baths:
        raise InputError(f"{OWNER}: `baths` must be a mapping from names to baths with at least one entry.")
    for name, bath in baths.items():
        if not isinstance(bath, HeatBath | BosonBath):
            raise InputError(
                f"{OWNER}: bath `{name}` must be a HeatBath (classical) or a BosonBath (quantum), but is {bath!r}."
            )
    kinds = {type(bath): name for name, bath in baths.items()}
    if len(kinds) > 1:
        classical, quantum = kinds[HeatBath], kinds[BosonBath]
        raise InputError(
            f"{OWNER}: `baths` mixes a classical bath (`{classical}`) with a quantum one (`{quantum}`), which would "
            "exchange heat at one temperature; make all of them HeatBath, or all BosonBath."
        )
    return Table(baths)


def is_quantum(baths: Mapping[str, Bath]) -> bool:
    return any(isinstance(bath, BosonBath) for bath in baths.values())


def indices(argument: str, value: Any, n: int) -> tuple[int, ...]:
    array = np.atleast_1d(np.asarray(value))
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise InputError(f"{OWNER}: `{argument}` must be a coordinate's index or a list of them, but is {value!r}.")
    beyond = array[(array < 0) | (array >= n)]
    if beyond.size:
        raise InputError(
            f"{OWNER}: `{argument}` names coordinate {beyond[0]}, which does not exist; coordinates are 0 to {n - 1}."
        )
    found = tuple(array.tolist())
    if len(set(found)) < len(found):
        raise InputError(f"{OWNER}: `{argument}` names a coordinate twice: {value!r}.")
    return found


def places_of(sites: Any, baths: tuple[str, ...], n: int) -> tuple[tuple[int, ...], ...]:
    """The coordinates of each bath."""
    if not isinstance(sites, Mapping):
        raise InputError(f"{OWNER}: `sites` must be a mapping from baths' names to coordinates, but is {sites!r}.")
    for name in sites:
        if name not in baths:
            raise unknown_name(f"{OWNER}: `sites`", "bath", str(name), baths)
    for name in baths:
        if name not in sites:
            raise InputError(f"{OWNER}: `sites` does not say on which coordinate the bath `{name}` acts.")
    return tuple(indices(f"sites[{name!r}]", sites[name], n) for name in baths)


def frictions_of(frictions: Any, baths: tuple[str, ...], places: tuple[tuple[int, ...], ...], n: int) -> Any:
    """A vector or a matrix over all coordinates, or a table by bath of matrices or spectral densities."""
    if isinstance(frictions, Mapping):
        for name in frictions:
            if name not in baths:
                raise unknown_name(f"{OWNER}: `frictions`", "bath", str(name), baths)
        for name in baths:
            if name not in frictions:
                raise InputError(f"{OWNER}: `frictions` does not give the friction of the bath `{name}`.")
        return Table({name: _own(name, frictions[name], at) for name, at in zip(baths, places, strict=True)})
    array = as_float(frictions, f"{OWNER}: `frictions`")
    shape = (n, n) if array.ndim == 2 else (n,)
    check_shape(OWNER, "frictions", array, shape, "one number per mass, or a row and a column per mass")
    owners: dict[int, str] = {}
    for name, at in zip(baths, places, strict=True):
        for i in at:
            if i in owners:
                raise InputError(
                    f"{OWNER}: `sites` gives coordinate {i} to `{owners[i]}` and to `{name}`; say then how strong the "
                    "friction of each is: frictions={'" + owners[i] + "': …, '" + name + "': …}."
                )
            owners[i] = name
    return array


def _own(name: str, friction: Any, at: tuple[int, ...]) -> Any:
    """The friction of one bath: a matrix over its coordinates, or a spectral density."""
    if isinstance(friction, SpectralDensity):
        if isinstance(friction, Drude) or (isinstance(friction, Ohmic) and not np.any(np.isfinite(friction.cutoff))):
            return friction
        raise InputError(
            f"{OWNER}: `frictions[{name!r}]` must be a number, an array, `Drude` or `Ohmic` without cut-off, whose "
            f"memory is known, but is {friction!r}."
        )
    array, size = as_float(friction, f"{OWNER}: `frictions[{name!r}]`"), len(at)
    if array.ndim == 2:
        check_shape(OWNER, f"frictions[{name!r}]", array, (size, size), "a row and a column per coordinate of the bath")
        return array
    if array.ndim == 1:
        check_shape(OWNER, f"frictions[{name!r}]", array, (size,), "one number per coordinate of the bath")
    elif array.ndim:
        raise InputError(f"{OWNER}: `frictions[{name!r}]` must be a number, a list or a matrix, but is {friction!r}.")
    return array * np.eye(size)


def acting(forces: Any, drives: Any, springs: Any, n: int) -> Acting:
    """Forces on coordinates, forces by a matrix, and the drives of the springs, in this order."""
    found: dict[str, Any] = {}
    targets: list[int] = []
    for name, force in _mapping("forces", forces, "(coordinate, Drive), to a matrix or to a function").items():
        if isinstance(force, tuple | list) and len(force) == 2 and isinstance(force[1], Drive):
            at = indices(f"forces[{name!r}]", force[0], n)
            if len(at) != 1:
                raise InputError(f"{OWNER}: force `{name}` must act on one coordinate, but names {list(at)}.")
            found[name], target = force[1], at[0]
        elif callable(force) and not isinstance(force, Drive | type):
            found[name], target = _feedback(name, force, n), FEEDBACK
        else:
            found[name], target = _pull(name, force, n), PULL
        targets.append(target)
    given = _mapping("drives", drives, "drives")
    if given and not callable(springs):
        raise InputError(
            f"{OWNER}: `drives` are given ({', '.join(given)}), but `springs` is no function of their values."
        )
    if callable(springs):
        known = "the values of `drives` {name: λ}" if given else "the phase"
        tracing.check_takes(f"{OWNER}: `springs` must be a function of {known}", springs, {})
        names = {name: as_drive(OWNER, name, drive) for name, drive in given.items()} or {"drive": _Phase()}
        for name, drive in names.items():
            if name in found:
                raise InputError(f"{OWNER}: `{name}` is the name of a force and of a drive; they do work apart.")
            found[name] = drive
            targets.append(SPRING)
    return Acting(Table(found), tuple(targets))


def given_again(
    baths: tuple[str, ...], places: tuple[tuple[int, ...], ...], drives: Mapping[str, Any], targets: tuple[int, ...]
) -> dict[str, Any]:
    """`sites`, `forces` and `drives` of which a network makes these."""
    forces: dict[str, Any] = {}
    moving: dict[str, Drive] = {}
    for (name, drive), target in zip(drives.items(), targets, strict=True):
        if target == SPRING:
            moving |= {} if isinstance(drive, _Phase) else {name: drive}
        else:
            whole = {PULL: "matrix", FEEDBACK: "law"}
            forces[name] = getattr(drive, whole[target]) if target in whole else (target, drive)
    return {"sites": dict(zip(baths, map(list, places), strict=True)), "forces": forces, "drives": moving}


def _mapping(argument: str, value: Any, wanted: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{OWNER}: `{argument}` must be a mapping from names to {wanted}, but is {value!r}.")
    return value


def _feedback(name: str, force: Any, n: int) -> Feedback:
    what = f"{OWNER}: force `{name}` must be a function f(x, v) of positions and velocities"
    shape = tracing.shape_of(what, force, jnp.zeros(n), jnp.zeros(n))
    if shape != (n,):
        raise InputError(
            f"{OWNER}: force `{name}` must return an array of {n} forces, one on each coordinate, from f(x, v), but "
            f"returns something of shape {shape}."
        )
    return Feedback(opened(force))


def _pull(name: str, force: Any, n: int) -> Pull:
    wanted = (
        f"{OWNER}: force `{name}` must be a pair such as (coordinate, Cosine), a matrix N of the force N x, or a "
        "function f(x, v), but is "
    )
    if isinstance(force, tuple | Drive | str) or np.ndim(force) != 2:
        raise InputError(f"{wanted}{force!r}.")
    matrix: Array = as_float(force, f"{OWNER}: force `{name}`")
    check_shape(OWNER, f"forces[{name!r}]", matrix, (n, n), "a row and a column per mass")
    return Pull(matrix)


class Values(dict):
    """The drives' values as a user's function sees them: a wrong name is told the right ones."""

    def __missing__(self, name: str) -> Any:
        raise unknown_name(OWNER, "drive", str(name), self)


def spectra_of(quantum: bool) -> str:
    """What a network is called whose baths have a spectrum."""
    return "quantum baths" if quantum else "friction with a memory"


def check_spectra(what: str, beside: Mapping[str, bool]) -> None:
    """Quantum baths and friction with a memory are known for masses on constant springs; `beside`: what else is."""
    for other, there in beside.items():
        if there:
            raise InputError(f"{OWNER}: {what} together with {other} cannot be solved yet.")


def spread_over(argument: str, value: Any, count: int, what: str) -> Array:
    """`count` numbers, from one or all of them."""
    array = as_float(value, argument)
    if array.ndim and array.shape != (count,):
        raise InputError(f"{argument} must be one number or {count} ({what}), but has shape {array.shape}.")
    xp, one = plainly(array)
    return placed(xp.broadcast_to(one, (count,)))


def zeros_of(array: Array, given: Any) -> tuple[int, ...]:
    """Which of the numbers given are known to be 0, though others may be traced."""
    numbers = concrete(array)
    if numbers is not None:
        return tuple(np.flatnonzero(numbers == 0).tolist())
    known = [concrete(entry) for entry in given] if isinstance(given, list | tuple) else []
    return tuple(i for i, entry in enumerate(known) if entry is not None and entry == 0)


def check_potential(potential: Any, n: int) -> None:
    if not callable(potential):
        raise InputError(f"{OWNER}: `potential` must be a function of the coordinates, but is {potential!r}.")
    what = f"{OWNER}: `potential` must be a function U(x) of the coordinates"
    shape = tracing.shape_of(what, potential, jax.ShapeDtypeStruct((n,), float))
    if shape != ():
        raise InputError(f"{OWNER}: `potential` must return one number, but returns something of shape {shape}.")


def matrices_of(frictions: Any, places: tuple[tuple[int, ...], ...], n: int) -> Array:
    """Γ_b (bath, n, n); of a friction with a memory, that of slow motion."""
    if isinstance(frictions, Table):
        traced = is_traced(frictions)
        found: Any = jnp.zeros((len(places), n, n)) if traced else np.zeros((len(places), n, n))
        for b, (own, at) in enumerate(zip(frictions.values(), places, strict=True)):
            block = own.strength * np.eye(len(at)) if isinstance(own, Drude | Ohmic) else own
            where = b, np.array(at)[:, None], np.array(at)
            if traced:
                found = found.at[where].set((block + block.T) / 2)
            else:
                # Known numbers need no compiler.
                block = np.asarray(block)
                found[where] = (block + block.T) / 2
        return placed(found) if not traced else found
    masks = np.array([np.isin(np.arange(n), at) for at in places], float)
    xp, given = plainly(frictions)
    with unwarned():
        whole = (given + given.T) / 2 if given.ndim == 2 else xp.diag(given)
        return placed(masks[:, :, None] * masks[:, None, :] * whole)
