"""What dots are in contact with: leads that tunnel, and bosons that couple to their electrons."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import Checked, InputError, Numbers, Rule, as_complex, as_float, check_bare, check_type, concrete
from ..baths import Bath, ElectronBath
from ..compiler import plainly
from ..numerics.dense import adjoint, cholesky
from ..pytrees import opened
from ..show import array as show
from .kinetics import Bosonic

HERMITIAN = 1e-12
"""Largest difference between a matrix and its adjoint, relative to its largest entry."""


class Lead(Checked):
    """A lead of dots: a bath of electrons, and how fast it tunnels to each spin-orbital.

    - `bath`: an `ElectronBath`;
    - `gamma`: the full level width Γ that the lead gives, a rate: one number for all spin-orbitals, one for each, or a
      Hermitian matrix Γ_ij = 2π Σ_k V_ik V_jk* δ(ε−ε_k) without negative eigenvalues, for a lead whose electrons reach
      several spin-orbitals coherently; 0 where it is closed. Of a matrix the entries from the diagonal upwards are
      kept; those are what sweeps change (`leads.left.gamma[0][1]`).

    >>> import coldspot as cs
    >>> cs.Lead(cs.ElectronBath(0.1), gamma=[0.01, 0.02]).width().real.tolist()
    [[0.01, 0.0], [0.0, 0.02]]
    """

    bath: ElectronBath
    gamma: Array = eqx.field(metadata={"dimension": "rate"})

    def __init__(self, bath: ElectronBath, gamma: Any):
        check_type("Lead", "bath", bath, ElectronBath)
        self.bath = bath
        numbers = real_or_complex("Lead: `gamma`", gamma)
        if numbers.ndim > 2 or (numbers.ndim == 2 and numbers.shape[0] != numbers.shape[1]):
            raise InputError(
                "Lead: `gamma` must be one number, a list with one for each spin-orbital, or a square matrix, but has "
                f"shape {numbers.shape}."
            )
        if numbers.ndim < 2 and jnp.iscomplexobj(numbers):
            raise InputError(f"Lead: `gamma` must be real, or a Hermitian matrix, but is {np.asarray(gamma)}.")
        self.gamma = upper("Lead", "gamma", numbers) if numbers.ndim == 2 else numbers

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        return {"bath": self.bath, "gamma": whole(self.gamma) if self.gamma.ndim == 2 else self.gamma}

    def width(self, orbitals: int | None = None) -> Array:
        """Γ (orbital, orbital); `orbitals` says how many there are, if one number stands for all."""
        if self.gamma.ndim == 2:
            return whole(self.gamma)
        size = self.gamma.shape[0] if self.gamma.ndim else (orbitals or 1)
        return jnp.diag(jnp.broadcast_to(self.gamma, (size,)))

    def rules(self) -> Iterable[Rule]:
        xp, gamma = plainly(self.gamma)
        if gamma.ndim < 2:
            yield Rule(
                xp.all(xp.isfinite(gamma) & (gamma >= 0)),
                lambda: f"`gamma` must be not negative and finite, but is {show(gamma)}.",
            )
            return
        yield upper_rule("gamma", self.gamma)
        width = whole(self.gamma)
        yield Rule(_not_negative(width), functools.partial(_width_words, width))


class BosonCoupling(Checked):
    """Phonons or photons that couple to the electrons of dots: H = Σ_ij M_ij d_i†d_j (bosons).

    - `bath`: a `BosonBath` (or `HeatBath`);
    - `operator`: the Hermitian matrix M (spin-orbital, spin-orbital), without dimension;
    - `gamma`: a number, a spectral density or a function γ(ω) of ω > 0, as for `Bosonic`: between eigenstates of the
      dots that differ by ω the rates are |⟨a|M|b⟩|²γ(ω)n(ω/T) upwards and |⟨a|M|b⟩|²γ(ω)(1+n(ω/T)) downwards.

    >>> import coldspot as cs
    >>> phonons = cs.jump.BosonCoupling(cs.BosonBath(1.0), operator=[[1, 0], [0, -1]], gamma=cs.Ohmic(0.1))
    >>> phonons.operator.tolist()
    [[1.0, 0.0], [0.0, -1.0]]
    """

    bath: Bath
    operator: Array
    gamma: Numbers | Callable[[Array], Array] = eqx.field(metadata={"dimension": "rate"})

    def __init__(self, bath: Bath, operator: Any, gamma: Any):
        check_type("BosonCoupling", "bath", bath, Bath)
        if bath.exchanges_particles:
            raise InputError(
                f"BosonCoupling: `bath` must exchange heat alone (BosonBath, HeatBath), but is {bath!r}; electrons "
                "come by a Lead."
            )
        self.bath = bath
        self.operator = upper("BosonCoupling", "operator", real_or_complex("BosonCoupling: `operator`", operator))
        self.gamma = opened(gamma) if callable(gamma) else as_float(gamma, "BosonCoupling: `gamma`")
        if not callable(gamma) and self.gamma.ndim:
            raise InputError(f"BosonCoupling: `gamma` must be one number or a function, but is {show(self.gamma)}.")

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        return {"bath": self.bath, "operator": whole(self.operator), "gamma": self.gamma}

    def law(self) -> Bosonic:
        """The rates for ⟨a|M|b⟩ = 1."""
        return Bosonic(self.gamma)

    def rules(self) -> Iterable[Rule]:
        yield upper_rule("operator", self.operator)
        yield from self.law().rules()


# --------------------------------------------------------------------------- Hermitian matrices


def real_or_complex(argument: str, value: Any) -> Array:
    """Real numbers as float64, so that derivatives with respect to them are real; complex ones as they are."""
    check_bare(value, argument)
    leaves = value if isinstance(value, list | tuple) else [value]
    if any(np.iscomplexobj(row) for part in leaves for row in (part if isinstance(part, list | tuple) else [part])):
        return as_complex(value)
    return as_float(value, argument)


def upper(owner: str, argument: str, matrix: Array) -> Array:
    """What is kept of a Hermitian matrix: its entries from the diagonal upwards, so that a sweep changes both of two.

    A matrix that is not Hermitian is refused or, where JAX traces it, not a number.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise InputError(f"{owner}: `{argument}` must be a square matrix, but has shape {matrix.shape}.")
    known = concrete(matrix)
    if known is not None:
        if not np.all(np.isfinite(known)):
            raise InputError(f"{owner}: `{argument}` must be finite, but is {known.tolist()}.")
        off = np.abs(known - known.conj().T)
        if off.max() > HERMITIAN * np.abs(known).max():
            i, j = (int(k) for k in np.unravel_index(off.argmax(), off.shape))
            raise InputError(
                f"{owner}: `{argument}` must be Hermitian, but its entries [{i}, {j}] and [{j}, {i}] are "
                f"{known[i, j]:g} and {known[j, i]:g}."
            )
        return jnp.asarray(np.triu((known + known.conj().T) / 2))
    good = jnp.max(jnp.abs(matrix - adjoint(matrix))) <= HERMITIAN * jnp.max(jnp.abs(matrix))
    return jnp.where(good, jnp.triu((matrix + adjoint(matrix)) / 2), jnp.nan)


def whole(kept: Array) -> Array:
    """The Hermitian matrix of which the entries from the diagonal upwards are kept."""
    return jnp.asarray(_whole(kept))


def _whole(kept: Any) -> Any:
    known = concrete(kept)
    kept, xp = (kept, jnp) if known is None else (known, np)  # known numbers need no compiler
    above = xp.triu(kept, 1)
    return above + above.conj().T + xp.diag(xp.diagonal(kept).real).astype(kept.dtype)


def upper_rule(argument: str, kept: Array) -> Rule:
    """What is kept is finite, real on the diagonal, and says nothing of its own below it."""
    known = concrete(kept)
    entries, xp = (kept, jnp) if known is None else (known, np)
    lower = xp.tril(entries, -1)
    mirrored = (lower == 0).all() | (lower == xp.tril(_whole(entries), -1)).all()
    return Rule(
        xp.isfinite(entries).all() & mirrored & (xp.diagonal(entries).imag == 0).all(),
        lambda: (
            f"`{argument}` must be finite and Hermitian; of its entries those from the diagonal upwards count "
            f"([i][j] with i ≤ j), real on the diagonal, but it is {np.asarray(kept).tolist()}."
        ),
    )


def _not_negative(width: Array) -> Any:
    """Whether a Hermitian matrix is finite and has no negative eigenvalue, up to rounding."""
    known = concrete(width)
    if known is not None:
        return np.isfinite(known).all() and np.linalg.eigvalsh(known)[0] >= -HERMITIAN * np.abs(known).max()
    largest = jnp.max(jnp.abs(width))
    eye = jnp.eye(width.shape[-1], dtype=width.dtype)
    _, positive = cholesky(width + (HERMITIAN * largest + (largest == 0)) * eye)
    return positive & jnp.isfinite(largest)


def _width_words(width: Any) -> str:
    return f"`gamma` must have eigenvalues ≥ 0 (it is a level width), but has {np.linalg.eigvalsh(np.asarray(width))}."
