"""What the electrons of a biased conductor do to its modes: forces, self-energy, pair densities, normal modes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, as_complex, as_float, check_type, concrete, worded
from ..compiler import looked_up
from ..ledger import Named
from ..numerics.lacking import lacking
from ..pytrees import compiled
from ..solution import NormalModes
from .bound_states import uncounted
from .coherent import Conductor
from .electron_response import electrons
from .resonances import wide
from .self_energy import pair_densities as _densities
from .self_energy import self_energy
from .vibrations import Modes

STEPS = 60
"""Steps ω ← √eigenvalue of K(ω), which contract by the strength of the coupling."""
SLOW = 1e-6
"""Damping, relative to the frequency, below which poles, which know Π to rounding of its largest part, lose digits."""


class Forces(NamedTuple):
    """Forces on slow modes m from those n, ü_m = −Ω_m²u_m − Σ_n (Π(0)_mn u_n + η_mn u̇_n), real (mode, mode).

    - `renormalisation`: symmetric part of Π(0), which shifts the frequencies;
    - `nonconservative`: antisymmetric part of Π(0), which has no potential and vanishes without bias;
    - `friction`, `berry`: symmetric and antisymmetric part of η = i dΠ/dω at ω = 0; the latter does no work.
    """

    renormalisation: Array
    nonconservative: Array
    friction: Array
    berry: Array


@worded
def mode_self_energy(conductor: Conductor, omega: Any) -> Array:
    """The retarded self-energy Π(ω) (…, mode, mode) that electrons give to the modes, at frequencies (…).

    Π_mn(ω) = ∫dε/2π tr[M^m G^r(ε+ω) M^n S(ε) + M^m S(ε) M^n G^a(ε−ω)], S = Σ_α f_α A_α, for unit masses, one spin:
    ü = −Ω²u − Πu. Between wide bands by poles and digamma functions, at any bias and temperature; where poles of the
    conductor itself nearly coalesce, and between other leads, by integration, at real frequencies. (J.-T. Lü,
    M. Brandbyge, P. Hedegård, T. N. Todorov and D. Dundas, "Current-induced atomic dynamics, instabilities, and Raman
    signals: Quasiclassical Langevin equation approach".)
    """
    modes, omega = modes_of("mode_self_energy", conductor), as_complex(omega)
    _check_real("mode_self_energy", conductor, omega)
    found = _by_either(self_energy_at, conductor, omega.reshape(-1))
    return looked_at("mode_self_energy", found).reshape(*omega.shape, *_square(modes))


@worded
def pair_densities(conductor: Conductor, omega: Any) -> Named:
    """Λ^{αβ}_mn(ω) (…, mode, mode) of each kind of pair, named "α-β", at frequencies (…), one spin:

    Λ^{αβ} = −∫dε/2π tr[M^m A_α(ε) M^n A_β(ε−ω)] (f_α(ε) − f_β(ε−ω)); their sum is i(Π − Π†). Leads may differ in
    temperature. (Hu, Nian and Lü, "Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid
    energy transport", eq. 7.)

    >>> import coldspot as cs
    >>> baths = {"left": cs.ElectronBath(0.5, 0.8), "right": cs.ElectronBath(0.5)}
    >>> leads = {name: cs.WideBandLead(k, 1.0, bath) for k, (name, bath) in enumerate(baths.items())}
    >>> modes = cs.Modes([1.0], [[[0, 1], [1, 0]]], {"phonons": cs.BosonBath(0.5)})
    >>> found = pair_densities(cs.Conductor([[0.5, 0.0], [0.0, -0.5]], leads, modes), 1.0)
    >>> f"{found['left-right'].real.item():.6f}"
    '0.155923'
    """
    modes, omega = modes_of("pair_densities", conductor), as_float(omega)
    found = looked_at("pair_densities", _by_either(_pair_densities, conductor, omega.reshape(-1)))
    kinds = tuple(f"{a}-{b}" for a in conductor.leads for b in conductor.leads)
    found = jnp.moveaxis(found.reshape(-1, len(kinds), *_square(modes)), 1, -1)
    return Named(kinds, found.reshape(*omega.shape, *_square(modes), len(kinds)))


@worded
def forces(conductor: Conductor) -> Forces:
    """Current-induced forces on the modes of a conductor: see `Forces`.

    (J.-T. Lü, M. Brandbyge, P. Hedegård, T. N. Todorov and D. Dundas, "Current-induced atomic dynamics, instabilities,
    and Raman signals: Quasiclassical Langevin equation approach".)
    """
    modes_of("forces", conductor)
    found, lost = linear_forces(conductor)
    if wide(conductor.leads) and _without_poles(found[None], lost).any():
        found, _ = linear_forces(conductor, by_poles=False)
    looked_at("forces", found)
    parts = [(k, sign) for k in (0, 1) for sign in (1, -1)]
    return Forces(*(looked_up(lambda two, k=k, sign=sign: (two[k] + sign * two[k].T) / 2, found) for k, sign in parts))


@worded
def dynamical_matrix(conductor: Conductor, frequency: Any = None) -> Array:
    """K_mn(ω) = Ω_m²δ_mn + Π_mn(ω) − iJ_m(ω)δ_mn (mode, mode), with J the modes' own damping; (ω² − K)u = 0.

    `frequency` ω: by default the mean of the modes' frequencies. It is what `modes.exceptional_points` and
    `modes.branches` take, as a function of two parameters of a conductor, and `modes.CoupledModes` of two modes.
    """
    modes = modes_of("dynamical_matrix", conductor)
    omega = jnp.mean(modes.frequencies) if frequency is None else as_complex(frequency)
    _check_real("dynamical_matrix", conductor, omega)
    return looked_at("dynamical_matrix", _matrix(conductor, omega + 0j))


@worded
def normal_modes(conductor: Conductor) -> NormalModes:
    """Frequencies Re ω and dampings −Im ω (mode) of the modes under their electrons: (ω² − K(ω))u = 0.

    With the whole Π(ω), not its expansion about ω = 0. A negative damping says that the current makes the mode grow: an
    instability. Dampings below 10⁻⁶ of the frequency, as in tails of levels, are integrals over what pairs take out,
    u†(Λ/2 + J)u/(2ω − u†Π′u), with the Hermitian part of Π′ (of traced numbers all come from the poles). `overlap`: of
    the two modes that are most alike, 1 at an exceptional point; NaN for one mode.
    """
    modes_of("normal_modes", conductor)
    if not wide(conductor.leads):
        raise InputError(
            "normal_modes: growth and decay are known here between leads with wide bands (`WideBandLead`) alone; of "
            "other leads take `dynamical_matrix` at real frequencies."
        )
    omega, vectors, gap = _normal_modes(conductor)
    looked_at("normal_modes", omega)
    numbers = concrete(gap)
    if numbers is not None and numbers > 1e-8:
        raise InputError(
            f"normal_modes: the frequencies do not settle (by {numbers:.1e} of themselves); the coupling is too strong "
            "for modes to be told apart."
        )
    frequencies, dampings = looked_up(lambda w: w.real, omega), looked_up(lambda w: -w.imag, omega)
    known = concrete(omega)
    if known is not None and np.any(np.abs(known.imag) < SLOW * known.real):
        weak = looked_at("normal_modes", _weak_dampings(conductor, frequencies, vectors))
        dampings = jnp.where(jnp.abs(dampings) < SLOW * frequencies, weak, dampings)
    if omega.size == 1:
        return NormalModes(frequencies, dampings, jnp.asarray(jnp.nan))
    alike = looked_up(lambda v: abs(v.conj().T @ v) - 2 * np.eye(len(v)), vectors)
    return NormalModes(frequencies, dampings, looked_up(lambda a: a.max(), alike))


# --------------------------------------------------------------------------- compiled


@compiled
def self_energy_at(conductor: Conductor, omegas: Array, by_poles: bool = True) -> tuple[Array, Array]:
    """Π (frequency, mode, mode), and whether its digits are lost (frequency); `by_poles`: between wide bands."""
    assert conductor.modes is not None
    parts = conductor.matrix, conductor.leads, conductor.modes.couplings
    if by_poles and wide(conductor.leads):
        return self_energy(*parts, omegas)

    known = ~uncounted(*parts)

    def one(omega: Array) -> Array:
        found = electrons(*parts, omega)
        return lacking(~(found.converged & known), found.retarded)

    return jax.lax.map(one, omegas.real), jnp.zeros(omegas.shape, bool)


@compiled
def _pair_densities(conductor: Conductor, omegas: Array, by_poles: bool = True) -> tuple[Array, Array]:
    assert conductor.modes is not None
    parts = conductor.matrix, conductor.leads, conductor.modes.couplings
    if by_poles and wide(conductor.leads):
        return _densities(*parts, omegas)

    known = ~uncounted(*parts)

    def one(omega: Array) -> Array:
        found = electrons(*parts, omega)
        return lacking(~(found.converged & known), found.absorption - found.emission)

    return jax.lax.map(one, omegas), jnp.zeros(omegas.shape, bool)


@compiled
def linear_forces(conductor: Conductor, by_poles: bool = True) -> tuple[Array, Array]:
    """Π(0) and η (2, mode, mode), and whether their digits are lost."""
    zero, one = jnp.zeros(1, complex), jnp.ones(1, complex)
    still, slope, lost = jax.jvp(
        lambda omega: self_energy_at(conductor, omega, by_poles), (zero,), (one,), has_aux=True
    )
    return jnp.stack([still[0].real, (1j * slope[0]).real]), lost


@compiled
def _matrix(conductor: Conductor, omega: Array) -> Array:
    modes = conductor.modes
    assert modes is not None
    return self_energy_at(conductor, omega[None])[0][0] + jnp.diag(modes.frequencies**2 - 1j * modes.losses(omega))


@compiled
def _normal_modes(conductor: Conductor) -> tuple[Array, Array, Array]:
    """ω and normalised vectors (mode, mode) as columns, and by how much the last step moved ω."""
    assert conductor.modes is not None

    def mode(k: Array, start: Array) -> tuple[Array, Array, Array]:
        def step(_: Any, state: tuple[Array, ...]) -> tuple[Array, ...]:
            omega, *_ = state
            values, vectors = jnp.linalg.eig(_matrix(conductor, omega))
            roots = jnp.sqrt(values)
            order = jnp.argsort(roots.real)[k]
            last = roots[order]
            return last, vectors[:, order], jnp.abs(last - omega) / jnp.abs(last)

        # The last step is one of the loop, so that what it takes is compiled once.
        nothing = start + 0j, jnp.zeros_like(starts) + 0j, jnp.zeros(())
        return jax.lax.fori_loop(0, STEPS + 1, step, nothing)

    starts = jnp.sort(conductor.modes.frequencies)
    omega, vectors, moved = jax.lax.map(lambda at: mode(*at), (jnp.arange(starts.size), starts))
    return omega, vectors.T, jnp.max(moved)


@compiled
def _weak_dampings(conductor: Conductor, frequencies: Array, vectors: Array) -> Array:
    """−Im ω (mode), up to its square, of modes u (mode, mode) in columns: Im ω² is that of u†K(ω)u."""
    modes = conductor.modes
    assert modes is not None
    parts = conductor.matrix, conductor.leads, modes.couplings

    def one(at: tuple[Array, Array]) -> Array:
        omega, u = at
        found = electrons(*parts, omega, rates_alone=True)
        density = jnp.sum(found.absorption - found.emission, axis=(0, 1))
        _, slope = jax.jvp(lambda w: self_energy_at(conductor, w[None] + 0j)[0][0], (omega,), (jnp.ones(()),))
        taken, shift = (jnp.vdot(u, part @ u).real for part in (density / 2 + jnp.diag(modes.losses(omega)), slope))
        return lacking(~(found.converged & ~uncounted(*parts)), taken / (2 * omega - shift))

    return jax.lax.map(one, (frequencies, vectors.T))


# --------------------------------------------------------------------------- checks


def modes_of(owner: str, conductor: Any) -> Modes:
    check_type(owner, "conductor", conductor, Conductor)
    if conductor.modes is None:
        raise InputError(f"{owner}: the conductor has no `modes`.")
    return conductor.modes


def _by_either(function: Callable[..., tuple[Array, Array]], conductor: Conductor, omegas: Array) -> Array:
    """By poles; where they are known not to serve, frequency by frequency, by integration if that is real."""
    found, lost = function(conductor, omegas)
    known = concrete(omegas)
    if known is None or not wide(conductor.leads):
        return found
    for k in np.flatnonzero(_without_poles(found, lost) & (known.imag == 0)):
        found = found.at[k].set(function(conductor, omegas[k : k + 1], by_poles=False)[0][0])
    return found


def _without_poles(found: Array, lost: Array) -> Any:
    """Where (frequency) poles are known to have lost digits, or to give no numbers."""
    numbers, without = concrete(found), concrete(lost)
    if numbers is None or without is None:
        return np.zeros(lost.shape, bool)
    return np.asarray(without | ~np.isfinite(numbers).all(axis=tuple(range(1, numbers.ndim))))


def _check_real(owner: str, conductor: Conductor, omega: Array) -> None:
    numbers = concrete(omega)
    if numbers is not None and np.any(numbers.imag) and not wide(conductor.leads):
        raise InputError(f"{owner}: frequencies must be real unless all leads are `WideBandLead`s, but are {omega}.")


def _square(modes: Modes) -> tuple[int, int]:
    return (modes.frequencies.size,) * 2


def looked_at(owner: str, found: Array) -> Array:
    numbers = concrete(found)
    if numbers is not None and not np.isfinite(numbers).all():
        raise InputError(
            f"{owner}: there is no finite value: the conductor's own states nearly coalesce (poles of G^r), where "
            "poles do not serve (move a level or a width by a part in 10⁴), or the integral of other leads than wide "
            "bands has not converged, or modes link a state that they give no width, outside of their bands or dark in "
            "them (give a `WideBandLead` a small width there)."
        )
    return found
