"""A conductor with any matrix, between leads with wide bands."""

import functools
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Numbers, Rule, as_complex, as_float, check_shape, concrete
from ..compiler import converted, looked_up, placed, plainly, spread
from ..numerics.dense import EPS, adjoint, cholesky, inverse, product
from ..pytrees import Table
from .spectral_functions import HERMITIAN, Place, SpectralFunctions, Terms, Weight, is_hermitian, matrix_of, of_padded


class Device(SpectralFunctions):
    """A conductor with any Hermitian matrix, between leads with wide bands.

    - `hamiltonian` (site, site): Hermitian matrix H;
    - `leads`: {name: full level-width matrix Γ_α (site, site)}, Hermitian and positive; or {name: (site, gamma)} for a
      lead on one site with the full level width gamma.

    G^r = (ε − H + iΣ_αΓ_α/2)⁻¹.

    >>> from coldspot.conductor import Device
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
            gamma = as_float(gamma, f"Device: `{argument}[1]`")
            check_shape("Device", f"{argument}[1]", gamma, (), "one number")
            return spread((self.sites, self.sites), (site, site), converted(gamma, complex))
        width = as_complex(lead)
        check_shape("Device", argument, width, (self.sites, self.sites), "a level width between each two sites")
        return width

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        return {"hamiltonian": self.hamiltonian, "leads": self.widths}

    def rules(self) -> Iterable[Rule]:
        yield hermitian_rule("hamiltonian", self.hamiltonian)
        for name, width in self.widths.items():
            argument = f"leads[{name!r}]"
            yield hermitian_rule(argument, width)
            yield Rule(_not_negative(width), functools.partial(_negative_words, argument, width))

    def _effective(self) -> Array:
        """H − iΣ_αΓ_α/2."""
        return looked_up(lambda h, *widths: h - 0.5j * sum(widths), self.hamiltonian, *self.widths.values())

    def green(self, energy: Any) -> Array:
        return of_padded(_green_at, energy, self._effective())

    def spectral(self, lead: str, energy: Any) -> Array:
        self._check_lead(lead)
        return of_padded(_spectral_at, energy, self._effective(), self.widths[lead])

    def broadening(self, lead: str) -> Array:
        self._check_lead(lead)
        return jnp.trace(self.widths[lead]).real

    def elastic(self) -> Array:
        """Whether the Green's function links the sites of two leads, at any energy."""
        xp, hamiltonian, *widths = plainly(self.hamiltonian, *self.widths.values())
        size = xp.abs(hamiltonian - 0.5j * sum(widths))
        linked = (size > 8 * EPS * xp.max(size)) | np.eye(self.sites, dtype=bool)
        for _ in range((self.sites - 1).bit_length()):
            linked = xp.any(linked[:, :, None] & linked[None], axis=1)
        touched = [xp.any(width != 0, axis=0) for width in widths]
        ways = [one[:, None] & linked & other for one, other in itertools.combinations(touched, 2)]
        return placed(xp.any(xp.stack(ways))) if ways else jnp.asarray(False)

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
        matrices, eye = jax.lax.stop_gradient(self._effective()), jnp.eye(self.sites)
        # Bad numbers have their status; LAPACK need not see them.
        good = jnp.all(jnp.isfinite(matrices), axis=(-2, -1), keepdims=True)
        matrices = jnp.where(good, matrices, eye)
        # An energy that all levels share costs no digits.
        middle = jnp.trace(matrices, axis1=-2, axis2=-1).real[..., None] / self.sites
        matrices = matrices - middle[..., None] * eye
        poles = jax.lax.map(jnp.linalg.eigvals, matrices) if matrices.ndim == 3 else jnp.linalg.eigvals(matrices)
        return poles.real + middle, -poles.imag


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

    def __call__(self, centre: Array, offset: Array, reference: Array, omega: Array) -> tuple[Array, Array]:
        n = self.effective.shape[-1]
        eye = jnp.eye(n)
        shifted = self.effective - reference[:, None, None] * eye

        def resolvent(matrix: Array) -> Array:
            return inverse((centre[..., None, None] * eye - matrix) + offset[..., None, None] * eye)

        one, other = resolvent(shifted), resolvent(shifted + omega[:, None, None] * eye)
        left = product(self.coupling, spectral(one, self.above))
        right = product(self.other, spectral(other, self.below))
        value = jnp.sum(left * jnp.swapaxes(right, -1, -2), axis=(-2, -1)).real
        # Each resolvent is that of a matrix with rounded entries.
        size = jnp.abs(centre) + jnp.abs(offset) + omega + _norm(shifted)
        relative = 8 * n + 2 * size * (_norm(one) + _norm(other))
        return value, jax.lax.stop_gradient(relative * _norm(left) * _norm(right))

    def upper(self) -> tuple[Array, Array]:
        return self.centres, self.halfwidths

    def lower(self) -> tuple[Array, Array]:
        return self.centres, self.halfwidths


def green(effective: Array, x: Array) -> Array:
    """(x − H_eff)⁻¹ (…, site, site)."""
    return inverse(x[..., None, None] * jnp.eye(effective.shape[-1]) - effective)


def spectral(resolvent: Array, width: Array) -> Array:
    """G^r Γ G^a."""
    return product(product(resolvent, width), adjoint(resolvent))


@jax.jit
def _green_at(x: Array, effective: Array) -> Array:
    return green(effective, x)


@jax.jit
def _spectral_at(x: Array, effective: Array, width: Array) -> Array:
    return spectral(green(effective, x), width)


def _norm(matrix: Array) -> Array:
    """Frobenius norm."""
    return jnp.sqrt(jnp.sum(matrix.real**2 + matrix.imag**2, axis=(-2, -1)))


def square(hamiltonian: Array) -> Array:
    """H (site, site), from itself or from the energies of levels that do not mix."""
    if hamiltonian.ndim == 2:
        return hamiltonian
    return looked_up(lambda levels: levels[:, None] * np.eye(len(levels)) + 0j, hamiltonian)


def hermitian_rule(argument: str, matrix: Array) -> Rule:
    known = concrete(matrix)
    return Rule(is_hermitian(matrix if known is None else known), functools.partial(_skew_words, argument, matrix))


def _skew_words(argument: str, matrix: Array) -> str:
    numbers = np.asarray(matrix)
    if not np.all(np.isfinite(numbers)):
        return f"`{argument}` must be finite, but is {numbers.tolist()}."
    off = np.abs(numbers - numbers.conj().T)
    i, j = np.unravel_index(off.argmax(), off.shape)
    return (
        f"`{argument}` must be Hermitian, but its entries [{i}, {j}] and [{j}, {i}] "
        f"are {numbers[i, j]:g} and {numbers[j, i]:g}."
    )


def _not_negative(width: Array) -> Array:
    """Whether a Hermitian matrix has no negative eigenvalue, up to rounding, and not only zeros."""
    known = concrete(width)
    if known is not None:
        if not np.all(np.isfinite(known)):
            return jnp.asarray(False)
        values = np.linalg.eigvalsh(known)
        return jnp.asarray(values[-1] > 0 and values[0] >= -HERMITIAN * values[-1])
    largest = jnp.max(jnp.abs(width))
    _, positive = cholesky(width + HERMITIAN * largest * jnp.eye(width.shape[-1]))
    return positive & (largest > 0)


def _negative_words(argument: str, width: Array) -> str:
    values = np.linalg.eigvalsh(np.asarray(width))
    return f"`{argument}` must have eigenvalues ≥ 0 and not only 0 (a width must be positive), but has {values}."
