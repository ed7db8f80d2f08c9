"""Coherent conductors: electrons that do not interact, between leads with wide bands."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Numbers, as_float, check_finite, check_positive, check_shape, concrete, unknown_name
from ..numerics.small_matrices import adjoint, inverse, product
from ..pytrees import Table

Place = tuple[int, int]
"""Row and column, i ≤ j, of an element M_ij of a Hermitian coupling; M_ji is its conjugate."""


class Weight(eqx.Module):
    """tr[M A_α(ε) M A_β(ε−ω)], or a part of it, for one kind of pair αβ per point of a batch."""

    @abc.abstractmethod
    def __call__(self, x: Array, reference: Array, omega: Array) -> Array:
        """The weight at ε = reference + x (…, point)."""

    @abc.abstractmethod
    def upper(self) -> tuple[Array, Array]:
        """Centres and half widths (point, resonance) of A_α. Without derivatives: they say where to look closely."""

    @abc.abstractmethod
    def lower(self) -> tuple[Array, Array]:
        """The same of A_β."""


class Terms(NamedTuple):
    """tr[M^m A_α(ε) M^n A_β(ε−ω)] = Σ_t c_mnt w_t(ε), over the terms t that belong to the kind αβ.

    `weight` has a point for each term, `kinds` (term) its (α, β), and `coefficients` is c (mode, mode, term), complex.
    """

    weight: Weight
    kinds: tuple[tuple[str, str], ...]
    coefficients: Array


class Conductor(eqx.Module):
    """A conductor between leads: spectral functions A_α(ε) = G^r Γ_α G^a of each lead α (ħ = 1, one spin)."""

    leads: eqx.AbstractVar[tuple[str, ...]]
    sites: eqx.AbstractVar[int]

    @abc.abstractmethod
    def green(self, energy: Any) -> Array:
        """Retarded Green's function G^r(ε) = (ε − H + iΣ_αΓ_α/2)⁻¹ (…, site, site) at energies (…)."""

    @abc.abstractmethod
    def spectral(self, lead: str, energy: Any) -> Array:
        """Spectral function A_α(ε) = G^r Γ_α G^a (…, site, site) of a lead at energies (…)."""

    @abc.abstractmethod
    def connects(self, place: Place, upper: str, lower: str) -> bool:
        """Whether M_ij or M_ji can take an electron between these leads' spectral functions at all."""

    @abc.abstractmethod
    def weight(self, elements: Array, places: tuple[Place, ...], kinds: list[tuple[str, str]]) -> Weight:
        """The weights of kinds of pairs (α, β), for a batch of conductors: the points of the first kind come first."""

    @abc.abstractmethod
    def terms(self, couplings: Array) -> Terms:
        """What the weights of several modes, with Hermitian couplings (mode, site, site), are made of; all kinds."""

    @abc.abstractmethod
    def valid(self) -> Array:
        """Whether the numbers make sense, for values that no constructor could look at."""

    def _check_lead(self, lead: str) -> None:
        if lead not in self.leads:
            raise unknown_name(type(self).__name__, "lead", str(lead), self.leads)


class Levels(Conductor):
    """Levels that do not mix, each on one lead: A_α is diagonal, a Lorentzian for each of the lead's own levels.

    - `energies` (level) E_k; `gammas` (level): full level widths γ_k, A_kk = γ_k/((ε−E_k)² + γ_k²/4);
    - `leads` (level): the name of the lead that each level is on.

    Nothing flows between the leads but with the help of a coupling to bosons.

    >>> from coldspot import Levels
    >>> levels = Levels([0.5, -0.5], [1.0, 1.0], ["left", "right"])
    >>> levels.spectral("left", 0.5).real.tolist()
    [[4.0, 0.0], [0.0, 0.0]]
    """

    energies: Numbers
    gammas: Numbers
    lead_of: tuple[str, ...] = eqx.field(static=True)
    leads: tuple[str, ...] = eqx.field(static=True)
    sites: int = eqx.field(static=True)

    def __init__(self, energies: Any, gammas: Any, leads: Sequence[str]):
        self.energies, self.gammas, self.lead_of = as_float(energies), as_float(gammas), tuple(leads)
        self.leads, self.sites = tuple(dict.fromkeys(self.lead_of)), len(self.lead_of)
        for k, name in enumerate(self.lead_of):
            if not isinstance(name, str):
                raise InputError(f"Levels: `leads[{k}]` must be the name of a lead, but is {name!r}.")
        if not self.leads:
            raise InputError("Levels: `leads` is empty; a conductor needs at least one level.")
        for field in ("energies", "gammas"):
            check_shape("Levels", field, getattr(self, field), (self.sites,), "one number per level")
            check_finite("Levels", field, getattr(self, field))
        check_positive("Levels", "gammas", self.gammas)

    def green(self, energy: Any) -> Array:
        energy = jnp.asarray(energy)[..., None]
        return _diagonal(1 / (energy - self.energies + 0.5j * self.gammas))

    def spectral(self, lead: str, energy: Any) -> Array:
        self._check_lead(lead)
        own = np.array([name == lead for name in self.lead_of])
        values = _lorentzian(jnp.asarray(energy)[..., None] - self.energies, self.gammas)
        return _diagonal(jnp.where(own, values, 0.0) + 0j)

    def _steps(self, places: tuple[Place, ...], upper: str, lower: str) -> list[tuple[int, int, int]]:
        """(k, i, j): element k takes an electron from level i on the lead `upper` to j on `lower` (or back)."""
        ordered = [(k, i, j) for k, place in enumerate(places) for i, j in dict.fromkeys((place, place[::-1]))]
        return [(k, i, j) for k, i, j in ordered if self.lead_of[i] == upper and self.lead_of[j] == lower]

    def connects(self, place: Place, upper: str, lower: str) -> bool:
        return bool(self._steps((place,), upper, lower))

    def weight(self, elements: Array, places: tuple[Place, ...], kinds: list[tuple[str, str]]) -> "LevelWeight":
        steps = [self._steps(places, *kind) for kind in kinds]
        # Kinds with fewer steps repeat one of theirs with no strength.
        count = max(map(len, steps))
        table = np.array([own + own[:1] * (count - len(own)) for own in steps])
        real = np.array([[s < len(own) for s in range(count)] for own in steps])
        k, i, j = np.moveaxis(table, -1, 0)

        def by_kind(values: Array) -> Array:
            """(point, kind, step) → (kind and point, step)."""
            return jnp.swapaxes(values, 0, 1).reshape(-1, count)

        return LevelWeight(
            by_kind(self.energies[:, i]),
            by_kind(self.gammas[:, i] / 2),
            by_kind(self.energies[:, j]),
            by_kind(self.gammas[:, j] / 2),
            by_kind(jnp.where(real, squared(elements)[:, k], 0.0)),
        )

    def terms(self, couplings: Array) -> Terms:
        """One term for each two levels: Σ_ij M^m_ji M^n_ij a_i(ε) a_j(ε−ω)."""
        i, j = np.indices((self.sites, self.sites)).reshape(2, -1)
        energies, halfwidths = self.energies[:, None], self.gammas[:, None] / 2
        return Terms(
            LevelWeight(energies[i], halfwidths[i], energies[j], halfwidths[j], jnp.ones((i.size, 1))),
            tuple((self.lead_of[one], self.lead_of[other]) for one, other in zip(i, j, strict=True)),
            couplings[:, None, j, i] * couplings[:, i, j],
        )

    def valid(self) -> Array:
        good = jnp.isfinite(self.energies) & jnp.isfinite(self.gammas) & (self.gammas > 0)
        return jnp.all(good, axis=-1)


class LevelWeight(Weight):
    """Σ |M|² a_1(ε) a_2(ε−ω) over steps between levels, a = 2w/((ε−E)²+w²); arrays (point, step)."""

    upper_energies: Array
    upper_halfwidths: Array
    lower_energies: Array
    lower_halfwidths: Array
    strengths: Array

    def __call__(self, x: Array, reference: Array, omega: Array) -> Array:
        total = jnp.zeros_like(x)
        for step in range(self.strengths.shape[-1]):
            e1, w1, e2, w2, strength = (v[:, step] for v in jax.tree.leaves(self))
            one, other = x - (e1 - reference), x - ((e2 - reference) + omega)
            total += 4 * strength * w1 * w2 / ((one**2 + w1**2) * (other**2 + w2**2))
        return total

    def upper(self) -> tuple[Array, Array]:
        return self.upper_energies, self.upper_halfwidths

    def lower(self) -> tuple[Array, Array]:
        return self.lower_energies, self.lower_halfwidths


def as_complex(value: Any) -> Array:
    """Numbers, lists and arrays, real or complex, as a complex128 array."""
    if isinstance(value, jax.Array):
        return value.astype(jnp.complex128)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "bifuc":
            raise TypeError
    except (TypeError, ValueError):
        raise InputError(f"a number or an array of them was expected, but got {value!r}.") from None
    return jnp.asarray(array, dtype=jnp.complex128)


class Device(Conductor):
    """A conductor with any Hermitian matrix, between leads with wide bands.

    - `hamiltonian` (site, site): Hermitian matrix H;
    - `leads`: {name: full level-width matrix Γ_α (site, site)}, Hermitian and positive; or {name: (site, gamma)} for a
      lead on one site with the full level width gamma.

    G^r = (ε − H + iΣ_αΓ_α/2)⁻¹.

    >>> from coldspot import Device
    >>> device = Device([[0.0, 0.2], [0.2, 0.0]], {"left": (0, 1.0), "right": (1, 1.0)})
    >>> f"{abs(device.green(0.2)[0, 1]) ** 2:.6f}"  # transmission Γ_L|G_LR|²Γ_R; 0.04/0.1025
    '0.390244'
    """

    hamiltonian: Numbers
    widths: Table
    leads: tuple[str, ...] = eqx.field(static=True)
    sites: int = eqx.field(static=True)

    def __init__(self, hamiltonian: Any, leads: Mapping[str, Any]):
        self.hamiltonian = as_complex(hamiltonian)
        shape = self.hamiltonian.shape
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
            raise InputError(f"Device: `hamiltonian` must be a square matrix, but has shape {shape}.")
        self.sites = shape[0]
        _check_hermitian("hamiltonian", self.hamiltonian)
        if not isinstance(leads, Mapping) or not leads:
            raise InputError(
                f"Device: `leads` must be a mapping from names to leads with at least one, but is {leads!r}."
            )
        self.leads = tuple(leads)
        self.widths = Table({name: self._width(name, lead) for name, lead in leads.items()})

    def _width(self, name: str, lead: Any) -> Array:
        argument = f"leads[{name!r}]"
        if isinstance(lead, tuple) and len(lead) == 2 and np.ndim(lead[0]) == 0:
            site, gamma = lead
            if not isinstance(site, int | np.integer) or not 0 <= site < self.sites:
                raise InputError(
                    f"Device: `{argument}` is on site {site!r}, but the sites are the integers 0 to {self.sites - 1}."
                )
            gamma = as_float(gamma)
            check_shape("Device", f"{argument}[1]", gamma, (), "one number")
            check_positive("Device", f"{argument}[1]", gamma)
            return jnp.zeros((self.sites, self.sites), complex).at[site, site].set(gamma)
        width = as_complex(lead)
        check_shape("Device", argument, width, (self.sites, self.sites), "a level width between each two sites")
        _check_hermitian(argument, width)
        numbers = concrete(width)
        if numbers is not None:
            values = np.linalg.eigvalsh(numbers)
            if not values[-1] > 0 or values[0] < -1e-12 * values[-1]:
                raise InputError(
                    f"Device: `{argument}` must have eigenvalues ≥ 0 and not all 0, but has {np.array2string(values)}."
                )
        return width

    def _effective(self) -> Array:
        """H − iΣ_αΓ_α/2."""
        return self.hamiltonian - 0.5j * sum(self.widths.values())

    def green(self, energy: Any) -> Array:
        return jnp.moveaxis(_green(self._effective(), as_float(energy)), (0, 1), (-2, -1))

    def spectral(self, lead: str, energy: Any) -> Array:
        self._check_lead(lead)
        found = _spectral(_green(self._effective(), as_float(energy)), self.widths[lead])
        return jnp.moveaxis(found, (0, 1), (-2, -1))

    def connects(self, place: Place, upper: str, lower: str) -> bool:
        return True

    def weight(self, elements: Array, places: tuple[Place, ...], kinds: list[tuple[str, str]]) -> "DeviceWeight":
        def repeat(values: Array) -> Array:
            return jnp.concatenate([values] * len(kinds))

        centres, widths = self._resonances()
        coupling = repeat(matrix_of(elements, places, self.sites))
        return DeviceWeight(
            repeat(self._effective()),
            jnp.concatenate([self.widths[upper] for upper, _ in kinds]),
            jnp.concatenate([self.widths[lower] for _, lower in kinds]),
            coupling,
            coupling,
            repeat(centres),
            repeat(widths),
        )

    def terms(self, couplings: Array) -> Terms:
        """Real and imaginary parts, Im z = Re(−iz), of each two modes m ≤ n; the other half are their conjugates."""
        modes = len(couplings)
        real = [(m, n, 1.0) for m in range(modes) for n in range(m, modes)]
        parts = real + [(m, n, 1j) for m, n, _ in real if m < n]
        kinds = [(a, b) for a in self.leads for b in self.leads]
        first = jnp.stack([couplings[m] for m, _, _ in parts])
        second = jnp.stack([couplings[n] * np.conj(unit) for _, n, unit in parts])
        coefficients = np.zeros((modes, modes, len(parts)), complex)
        for t, (m, n, unit) in enumerate(parts):
            coefficients[n, m, t] = np.conj(unit)
            coefficients[m, n, t] = unit

        def everywhere(values: Array) -> Array:
            return jnp.broadcast_to(values, (len(kinds) * len(parts), *values.shape))

        def of_lead(side: int) -> Array:
            return jnp.repeat(jnp.stack([self.widths[kind[side]] for kind in kinds]), len(parts), axis=0)

        centres, widths = self._resonances()
        weight = DeviceWeight(
            everywhere(self._effective()),
            of_lead(0),
            of_lead(1),
            jnp.concatenate([first] * len(kinds)),
            jnp.concatenate([second] * len(kinds)),
            everywhere(centres),
            everywhere(widths),
        )
        owners = tuple(kind for kind in kinds for _ in parts)
        return Terms(weight, owners, jnp.concatenate([jnp.asarray(coefficients)] * len(kinds), axis=-1))

    def _resonances(self) -> tuple[Array, Array]:
        """Energies and half widths (…, resonance) of the poles of G^r."""
        matrices = jax.lax.stop_gradient(self._effective())
        # Bad numbers have their status; LAPACK need not see them.
        good = jnp.all(jnp.isfinite(matrices), axis=(-2, -1), keepdims=True)
        matrices = jnp.where(good, matrices, jnp.eye(self.sites))
        poles = jax.lax.map(jnp.linalg.eigvals, matrices) if matrices.ndim == 3 else jnp.linalg.eigvals(matrices)
        return poles.real, -poles.imag

    def valid(self) -> Array:
        # A state that no lead broadens has no steady state of its own.
        _, width = self._resonances()
        finite = jnp.all(jnp.isfinite(self._effective()), axis=(-2, -1))
        return finite & jnp.all(width > 1e-14 * jnp.max(jnp.abs(self._effective()), axis=(-2, -1))[..., None], axis=-1)


class DeviceWeight(Weight):
    """Re tr[M A_α(ε) N A_β(ε−ω)] from matrices (point, site, site): H − iΓ/2, Γ_α, Γ_β, M and N; for one mode N = M.

    `centres`, `halfwidths` (point, resonance): of the poles of G^r.
    """

    effective: Array
    above: Array
    below: Array
    coupling: Array
    other: Array
    centres: Array
    halfwidths: Array

    def __call__(self, x: Array, reference: Array, omega: Array) -> Array:
        coupling, other = _matrix(self.coupling, x), _matrix(self.other, x)
        one = jnp.eye(self.effective.shape[-1])
        shifted = self.effective - reference[:, None, None] * one
        above = _spectral(_green(shifted, x), self.above)
        below = _spectral(_green(shifted + omega[:, None, None] * one, x), self.below)
        return jnp.sum(product(coupling, above) * jnp.swapaxes(product(other, below), 0, 1), axis=(0, 1)).real

    def upper(self) -> tuple[Array, Array]:
        return self.centres, self.halfwidths

    def lower(self) -> tuple[Array, Array]:
        return self.centres, self.halfwidths


def _green(effective: Array, x: Array) -> Array:
    """(x − H_eff)⁻¹ (site, site, …); the points of a batch are the last axis of x."""
    return inverse(_matrix(jnp.eye(effective.shape[-1]), x) * (x + 0j) - _matrix(effective, x))


def _spectral(green: Array, width: Array) -> Array:
    return product(product(green, _matrix(width, green[0, 0])), adjoint(green))


def matrix_of(elements: Array, places: tuple[Place, ...], sites: int) -> Array:
    """The Hermitian matrix (…, site, site) with the given elements (…, place), zero elsewhere."""
    matrix = jnp.zeros((*elements.shape[:-1], sites, sites), complex)
    for k, (i, j) in enumerate(places):
        matrix = matrix.at[..., j, i].set(jnp.conj(elements[..., k]))
        matrix = matrix.at[..., i, j].set(elements[..., k])
    return matrix


def squared(element: Array) -> Array:
    """|M|², without the corner of |M| at 0."""
    return element.real**2 + element.imag**2


def _matrix(matrix: Array, like: Array) -> Array:
    """A matrix, or one per point (point, row, column), as (row, column, …) that broadcasts with `like` (…, point)."""
    turned = jnp.moveaxis(matrix, (-2, -1), (0, 1))
    points = turned.shape[2:]
    return turned.reshape(*turned.shape[:2], *(1,) * (like.ndim - len(points)), *points)


def _check_hermitian(argument: str, matrix: Array) -> None:
    numbers = concrete(matrix)
    if numbers is None:
        return
    check_finite("Device", argument, numbers)
    off = np.abs(numbers - numbers.conj().T)
    if off.max() > 1e-12 * np.abs(numbers).max():
        i, j = np.unravel_index(off.argmax(), off.shape)
        raise InputError(
            f"Device: `{argument}` must be Hermitian, but its entries [{i}, {j}] and [{j}, {i}] "
            f"are {numbers[i, j]:g} and {numbers[j, i]:g}."
        )


def _lorentzian(x: Array, gamma: Array) -> Array:
    return gamma / (x**2 + gamma**2 / 4)


def _diagonal(values: Array) -> Array:
    return values[..., None] * jnp.eye(values.shape[-1])
